"""The Geometry page on its own, without a browser."""
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.charts import boards, figures, open_page, values
from zz_core import Experiment, geometry, simulate
from zz_core.summary import summarize
from zz_core.task import build_task

PAGE = Path(__file__).parents[2] / "pages" / "geometry.py"
CHARTS = ["cloud", "plane", "angle_sweep", "condition", "dimension_steps", "rate_map"]


opened = partial(open_page, PAGE)


def charts(app: AppTest) -> dict[str, dict]:
    return {chart["key"]: chart for board in boards(app) for chart in board["charts"]}


def words(app: AppTest) -> str:
    return "\n".join(element.value for kind in (app.markdown, app.info, app.warning) for element in kind)


def test_all_pictures_are_there_with_words_for_those_who_cannot_see_them():
    app = opened()
    found = charts(app)
    assert list(found) == CHARTS and all(len(chart["alt"]) > 40 for chart in found.values())
    assert [metric.value for metric in app.metric][0] == "13"


def test_the_numbers_are_those_of_the_run():
    app, run = opened(activation="relu", seed="3"), simulate(Experiment(activation="relu", seed=3))
    found = summarize(run)
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics["Path length / straight line"] == f"{found.path_ratio[0]:.1f}x"
    assert metrics["Steps to 1 % of the distance"] == f"{found.steps[0]:.0f}"
    assert metrics["Condition number κ"] == f"{geometry.curvature_of(run).condition:.1f}"


def test_the_shift_moves_the_cloud_and_the_path():
    at_zero, moved = charts(opened()), charts(opened(mean_shift="-2.4"))
    before, after = (found["cloud"]["figure"] for found in (at_zero, moved))
    samples = [next(t for t in cloud["data"] if t["name"] == "samples") for cloud in (before, after)]
    step = values(samples[1]["x"]) - values(samples[0]["x"])
    experiment = Experiment()
    task = build_task(experiment)
    np.testing.assert_allclose(step, -2.4 * geometry.spread_of(task), rtol=1e-5)
    assert before["layout"]["xaxis"]["range"] == after["layout"]["xaxis"]["range"]
    names = [trace["name"] for trace in after["data"]]
    assert "steps that one sample allows" not in names  # centered inputs allow any step
    path = [t for t in moved["plane"]["figure"]["data"] if t["name"] == "raw"][-1]
    assert values(path["x"])[-1] == pytest.approx(
        geometry.simulate_moved(experiment, task, -2.4).weights[0, -1, 0], rel=1e-5)


def test_the_map_and_the_sweep_follow_the_shift():
    at_zero, moved = charts(opened()), charts(opened(mean_shift="-2.4"))
    for key in ("angle_sweep", "rate_map"):
        assert at_zero[key]["figure"]["layout"]["title"]["text"] != moved[key]["figure"]["layout"]["title"]["text"]
    assert at_zero["condition"]["figure"] == moved["condition"]["figure"]  # which has no shift, and says so


def test_the_chosen_cell_is_told_and_leads_to_its_run():
    app = opened(map_rate="0.95", map_angle="0", map_color="efficiency", dimensions="16")
    told = words(app)
    assert "At **0.95** of the limit and **0°**" in told
    link = re.search(r"\(/trajectories\?([^)]*)\)", told).group(1)
    query = dict(part.split("=") for part in link.split("&"))
    chosen = Experiment.from_query(query)
    assert chosen == Experiment(dimensions=16, learning_rate=0.95, target_angle=0.0, batch_size=256)
    ratio = summarize(simulate(chosen)).path_ratio[0]
    assert f"path is **{ratio:.0f}x**" in told or f"path is **{ratio:.1f}x**" in told


def test_flipping_a_feature_changes_the_signs_alone():
    table = next(m.value for m in opened().markdown if "x₁ flipped" in m.value)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")]
    cells = {row[0]: row[1:] for row in rows[2:]}
    assert cells.pop("Gradients with one sign") == ["100\xa0%", "0\xa0%"]
    assert len(cells) == 4 and all(before == after for before, after in cells.values())


@pytest.mark.parametrize("query, sentence, pictures", [
    ({"dimensions": "1", "target_angle": "0.0"}, "One weight moves on a line", 2),
    ({"dimensions": "1", "target_angle": "180.0", "mean_shift": "1.0"}, "no angle to sweep", 2),
    ({"distance": "0"}, "the same point", 4),
    ({"learning_rate": "8", "noise": "1"}, "diverges at step", 6),
    ({"learning_rate": "8", "mean_shift": "3.0"}, "8 times the stability limit", 6),
    ({"rate_unit": "absolute", "learning_rate": "5", "mean_shift": "4.0"}, "move the mean toward zero", 6),
    ({"treatment": "batch_norm"}, "8 or more", 6),
    ({"treatment": "batch_norm", "batch_size": "8", "mean_shift": "2.0"}, "the shift comes after it", 6),
    ({"activation": "relu", "input_mean": "-100", "optimizer": "adam"}, "nothing to learn", 4),
    ({"treatment": "layer_norm", "dimensions": "2"}, "The mean of the inputs is zero", 6),
    ({"treatment": "layer_norm", "dimensions": "1", "target_angle": "0"}, "must be at least 2", 0),
    ({"input_mean": "100", "input_std": "0.001"}, "no spread", 6),
    ({"loss": "sigmoid_squared", "noise": "0.5", "mean_shift": "1.0"}, "standard deviations", 6),
    ({"samples": "2", "dimensions": "8"}, "standard deviations", 6),
    ({"dimensions": "200", "samples": "16384", "steps": "2"}, "lower **Samples**", 4),
    ({"steps": "1"}, "standard deviations", 6),
    ({"inputs": "digits", "dimensions": "61", "samples": "1797"}, "depend on each other", 6),
    ({"inputs": "wine", "target": "labels", "loss": "logistic", "dimensions": "13"}, "depend on each other", 6),
    ({"treatment": "input_bias", "bias": "true", "mean_shift": "1.0"}, "standard deviations", 6),
    ({"map_rate": "1.1", "map_angle": "0", "map_color": "efficiency"}, "the full batch diverges", 6),
    ({"inputs": "one_hot", "dimensions": "4", "optimizer": "steepest_descent"}, "1.0x** as steep", 6),
], ids=lambda part: " ".join(part) if isinstance(part, dict) else None)
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_every_kind_of_experiment_gets_a_picture_or_a_sentence(query, sentence, pictures):
    app = opened(**query)
    assert sentence in words(app)
    assert len(figures(app)) == pictures
    shown = words(app) + str([chart["alt"] for chart in charts(app).values()]) + str([m.value for m in app.metric])
    assert not re.search(r"\b(nan|inf)\b", shown, re.IGNORECASE)


def test_a_question_whose_full_batch_is_over_the_budget_is_left_out():
    app = opened(samples="4096", steps="4200")
    assert not app.warning and set(charts(app)) == set(CHARTS)
    assert not [widget for widget in app.get("button_group") if widget.key.startswith("guess_")]
    assert [widget for widget in opened().get("button_group") if widget.key.startswith("guess_")]


def test_a_run_over_the_budget_is_refused():
    app = opened(steps="100000", dimensions="200", batch_size="256", samples="4096")
    assert not figures(app) and "Steps" in app.warning[0].value


@pytest.mark.parametrize("query", [{}, {"dimensions": "8", "treatment": "standardize"},
                                   {"inputs": "wine", "dimensions": "4"},
                                   {"loss": "sigmoid_squared", "bias": "true", "start_bias": "4"}])
def test_a_flipped_feature_changes_no_number_but_the_signs(query):
    app = opened(**query)
    table = next(block.value for block in app.markdown if "x₁ flipped" in block.value)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")]
    changed = [name for name, plain, flipped in rows[2:] if plain != flipped]
    assert changed in ([], ["Gradients with one sign"])


def test_what_a_flip_leaves_is_not_said_to_change():
    assert "as many gradients share one as before" in words(opened(inputs="one_hot", dimensions="4"))
    assert "as many gradients share one as before" not in words(opened())


def test_a_cone_on_a_projection_is_said_to_be_one():
    assert "In this plane one sample allows a cone" in charts(opened(dimensions="8"))["cloud"]["alt"]
    assert "In this plane" not in charts(opened())["cloud"]["alt"]


def test_a_fraction_of_the_limit_is_not_made_calmer_by_moving_the_mean():
    app = opened(learning_rate="8")
    assert "diverges at step" in words(app) and "move the mean" not in words(app)
