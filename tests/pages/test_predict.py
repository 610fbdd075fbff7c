"""Predict, then reveal: every page's questions are answered by its runs, and only after a guess."""
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.charts import figures, open_page
from zz_core import Experiment, simulate
from zz_core.network import NetworkExperiment, train
from zz_core.remedies import Lane
from zz_core.stability import condition, eigenvalues
from zz_core.summary import summarize
from zz_view import questions
from zz_view.page import two_digits
from zz_view.predict import Question, answer
from zz_view.scenes import SCENES

PAGES = Path(__file__).parents[2] / "pages"
ASKED = {"trajectories": 1, "gradient_signs": 2, "batch_averaging": 1, "geometry": 1, "saturation": 1, "remedies": 1}


def asked(app: AppTest) -> list:
    return [widget for widget in app.get("button_group") if (widget.key or "").startswith("guess_")]


def revealed(app: AppTest) -> list[str]:
    return [block.value for block in app.markdown if "You expect" in block.value]


@pytest.mark.parametrize("page", ASKED)
def test_a_page_asks_and_tells_after_a_guess(page):
    app = open_page(PAGES / f"{page}.py")
    assert len(asked(app)) == ASKED[page] and not revealed(app)
    for widget in asked(app):
        widget.set_value(widget.options[0]).run()
        assert not app.exception
    assert len(revealed(app)) == ASKED[page] and all("Measured: " in text for text in revealed(app))


@pytest.mark.parametrize("scene", SCENES)
def test_a_scene_has_a_picture_and_a_question(scene):
    app = open_page(PAGES / "overview.py", scene=scene)
    assert len(asked(app)) == 1 and not revealed(app)
    assert 5 <= len(figures(app)) <= 6  # four paths, and the scene's own
    asked(app)[0].set_value(asked(app)[0].options[1]).run()
    assert len(revealed(app)) == 1


@pytest.mark.parametrize("scene, found", [("One sample", "samples push both weights one way"),
                                          ("Zig-zag", "x the straight line"), ("The batch", "x the straight line")])
def test_no_title_of_a_scene_gives_its_answer_away(scene, found):
    app = open_page(PAGES / "overview.py", scene=scene)
    assert found not in _titles_of_the_scene(app)
    asked(app)[0].set_value(asked(app)[0].options[1]).run()
    assert found in _titles_of_the_scene(app)


def _titles_of_the_scene(app: AppTest) -> str:
    return " ".join(figure["layout"]["title"]["text"] for figure in figures(app)[4:])  # after the four paths


@pytest.mark.parametrize("query", [{"batch_size": "256"}, {"learning_rate": "8"}, {"distance": "0"},
                                   {"inputs": "digits", "target": "labels", "loss": "sigmoid_squared"},
                                   {"treatment": "input_bias", "dimensions": "4"}, {"optimizer": "adam"},
                                   {"treatment": "batch_norm", "batch_size": "8"}])
@pytest.mark.parametrize("scene", SCENES)
def test_scenes_stand_extremes(scene, query):
    app = open_page(PAGES / "overview.py", scene=scene, **query)
    for widget in asked(app):
        widget.set_value(widget.options[0]).run()
    assert not app.exception and len(revealed(app)) == 1


def test_the_story_leads_on():
    app = open_page(PAGES / "overview.py")
    for scene in list(SCENES)[1:]:
        app.button(key="next_scene").click().run()
        assert app.session_state["scene"] == scene
    assert not [button for button in app.button if button.key == "next_scene"]


def test_the_valley_stands_beside_its_closed_form():
    app = open_page(PAGES / "overview.py", scene="What is slow", dimensions="8", activation="relu")
    spectrum = figures(app)[-1]
    assert [trace["name"] for trace in spectrum["data"]] == ["raw, theory", "raw", "zero-centered, theory",
                                                             "zero-centered"]
    task = simulate(Experiment(dimensions=8, activation="relu", steps=1)).task
    kappa = condition(eigenvalues(Experiment(dimensions=8, activation="relu"), task))
    assert f"κ = {two_digits(kappa)} raw" in spectrum["layout"]["title"]["text"]
    app = open_page(PAGES / "overview.py", scene="What is slow", inputs="digits", dimensions="4")
    assert [trace["name"] for trace in figures(app)[-1]["data"]] == ["raw", "zero-centered"]


def test_the_answer_names_guess_and_measurement():
    question = Question("?", ("a", "b"), "b", "b it is.", "Because.")
    assert answer(question, "a") == "You expect *a*. It is *b*. **Measured: b it is.** Because."
    assert "and so it is" in answer(question, "b")
    assert "none of" in answer(question._replace(shown=None), "b")


def test_the_three_misunderstandings_are_answered_by_plain_counting():
    run = simulate(Experiment())
    left = np.linalg.norm(run.weights[0] - run.optimum, axis=-1)
    steps = int(np.flatnonzero(left <= 1e-3 * left[0])[0]) if (left <= 1e-3 * left[0]).any() else 200
    slopes = [float(run.weights[0, t] @ run.inputs[run.batches[0, t, 0]] - run.targets[run.batches[0, t, 0]])
              for t in range(steps)]
    down = sum(bool((run.weights[0, t + 1] < run.weights[0, t]).all()) for t in range(steps))
    turned = sum(a * b < 0 for a, b in zip(slopes, slopes[1:], strict=False))
    assert questions.both_down(run, "raw").measured == f"in {down} of {steps} steps."
    assert questions.same_sign_forever(run, "raw").measured == f"{turned} times in {steps - 1} steps."
    assert f"in {sum(s < 0 for s in slopes)} of the {steps} steps" in questions.slope_of_a_loss(run, "raw").measured
    assert questions.both_down(run, "raw").shown == "In some"


def test_answers_turn_with_the_run():
    """None of them is fixed: another experiment gives another answer."""
    exact = {"inputs": "factorial", "batch_size": 4, "steps": 20}  # the mean is an eigenvector to the last digit
    up = simulate(Experiment(target_angle=0.0, **exact))  # straight up, never down
    assert questions.both_down(up, "raw").shown == "In none"
    assert questions.same_sign_forever(up, "raw").shown == "Never"
    assert questions.slope_of_a_loss(up, "raw").shown == "In all"
    still = simulate(Experiment(distance=0.0, **exact))
    assert questions.both_down(still, "raw").shown in (None, "In none")
    data = {"data": "wine", "layers": "6", "steps": 20, "batch_size": 8}
    assert questions.last_layer(train(NetworkExperiment(**data, activation="sigmoid"))).shown != "Hardly any"
    assert questions.last_layer(train(NetworkExperiment(**data, activation="tanh"))).shown == "Hardly any"


def test_the_north_east_exception_is_a_matter_of_the_step_length():
    question = questions.straight_along_the_mean(Experiment())
    run = simulate(Experiment(target_angle=0.0, batch_size=256, learning_rate=0.9))
    assert question.shown.startswith("Yes")
    assert two_digits(summarize(run).path_ratio[0], "x") in question.measured


def test_momentum_is_told_faster_or_slower_only_where_the_seeds_tell_it():
    def asked_of(nothing: list[float], momentum: list[float]) -> Question:
        return questions.momentum_alone([Lane(name, "", Experiment(), steps=np.array(steps)) for name, steps in
                                         (("nothing", nothing), ("momentum", momentum))])

    apart = asked_of([30.0, 39, 41] * 7, [49.0, 54, 66] * 7)
    assert apart.shown == "Slower" and "overlap" not in apart.measured
    wide = asked_of([*[25.0] * 7, 39, *[71] * 7], [49.0, 54, 66] * 7)
    assert wide.shown == "About the same" and "49 to 66 and 25 to 71, overlap" in wide.measured
    assert asked_of([40.0], [20.0]).shown == "Faster"  # the full batch: exact
