"""The Batch averaging page, alone: charts, numbers from the run, what the URL asks for, and its sentences."""
from functools import partial
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.charts import figures, open_page, values

PAGE = Path(__file__).parents[2] / "pages" / "batch_averaging.py"


opened = partial(open_page, PAGE)


def traces(figure: dict, name: str) -> list[dict]:
    return [trace for trace in figure["data"] if trace.get("name") == name]


def words(app: AppTest) -> str:
    return " ".join(element.value for element in [*app.markdown, *app.info, *app.warning])


def test_it_answers_its_question_with_numbers_of_the_run():
    app = opened()
    assert "batch mend" in app.title[0].value
    assert len(figures(app)) == 4 and len(app.metric) == 3
    sweep = figures(app)[3]
    mixed, ratio, steps = (values(trace["y"]) for trace in traces(sweep, "raw"))
    assert app.metric[0].value == f"{mixed[0]:.0f}\xa0% → {mixed[-1]:.0f}\xa0%"
    assert app.metric[1].value == f"{ratio[0]:.1f}x → {ratio[-1]:.1f}x"
    assert f"**{steps[0]:.0f}** to **{steps[-1]:.0f}**" in app.markdown[0].value
    assert "the slowness stays" in app.markdown[0].value


def test_the_url_sets_the_step_the_batch_and_the_inputs_shown():
    app = opened(step_shown="5", batch_shown="32", inputs_shown="zero-centered")
    raw, twin, shares, _ = figures(app)
    assert len(values(traces(raw, "samples' gradients")[0]["x"])) == 32
    assert "of 32 samples" in raw["layout"]["title"]["text"].replace("<br>", " ")
    assert shares["layout"]["title"]["text"].startswith("Zero-centered")
    assert "31 more at the same weights" in words(app)
    assert app.slider(key="step_shown").value == 5


def test_a_larger_batch_size_shows_the_runs_own_batch():
    app = opened(batch_size="128")
    assert len(values(traces(figures(app)[0], "samples' gradients")[0]["x"])) == 64
    assert "64 of 128 arrows" in words(app) and "more at the same weights" not in words(app)


def test_more_than_two_weights_are_a_projection_and_say_so():
    app = opened(dimensions="8")
    assert "projection" in words(app)
    assert figures(app)[0]["layout"]["xaxis"]["title"]["text"] == "gradient along the mean"


def test_one_weight_has_a_sentence_in_place_of_the_signs():
    app = opened(dimensions="1", target_angle="0")
    assert len(figures(app)) == 1 and "only one sign" in words(app)


def test_a_task_without_an_optimum_has_a_sentence():
    app = opened(inputs="breast_cancer", target="labels", loss="sigmoid_squared")
    assert "no known optimum" in words(app) and len(figures(app)) == 3


def test_divergence_is_reported():
    assert "Diverged at step" in words(opened(learning_rate="2.0", optimizer="momentum", steps="400", batch_size="256"))


def test_too_much_work_is_refused_with_what_to_change():
    app = opened(samples="65536", dimensions="64", steps="20", batch_size="1", target_angle="90")
    assert not figures(app) and "lower" in words(app)


@pytest.mark.parametrize("query", [
    {"inputs": "digits", "dimensions": "16"}, {"inputs": "wine", "bias": "true", "target": "labels"},
    {"inputs": "wine", "target": "labels", "loss": "logistic"}, {"treatment": "batch_norm"},
    {"treatment": "input_bias", "bias": "true"},
    {"treatment": "layer_norm"},
    {"optimizer": "adam", "rate_unit": "absolute", "learning_rate": "0.05"}, {"inputs": "one_hot", "samples": "2"},
    {"inputs": "factorial"}, {"steps": "1"}, {"distance": "0"}, {"noise": "0.5"}, {"sampling": "epoch"},
    {"rate_unit": "absolute", "learning_rate": "0.5"}, {"optimizer": "gauss_newton"}, {"learning_rate": "2.0"},
], ids=str)
def test_it_runs_for(query):
    assert figures(opened(**query))


@pytest.mark.parametrize("query, sentence", [
    ({"inputs": "wine", "target": "labels", "loss": "logistic", "dimensions": "13"},  # which are separable
     "its steps to 1 % are **undefined**; zero-centered"),
    ({"learning_rate": "2.5"}, "its steps to 1 % are **not reached**; zero-centered, the steps are **not reached**"),
    ({"distance": "0"}, "the raw path does not move"),
    ({"batch_size": "256", "learning_rate": "0.9", "target_angle": "20"}, "The zig-zag stays"),
    ({"optimizer": "adam", "learning_rate": "0.05"}, "each batch size at the same learning rate"),
    ({"treatment": "batch_norm"}, "8 or more"),
], ids=lambda part: " ".join(part) if isinstance(part, dict) else None)
def test_each_kind_of_end_gets_a_sentence_that_fits(query, sentence):
    assert sentence in words(opened(**query))
