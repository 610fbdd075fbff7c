"""The Saturation page on its own, without a browser."""
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.charts import boards, figures, open_page, values
from zz_core import Experiment
from zz_core.saturation import sweep_start_bias

PAGE = Path(__file__).parents[2] / "pages" / "saturation.py"
TEXTBOOK = {"inputs": "factorial", "dimensions": "8", "distance": "6", "target_angle": "45", "learning_rate": "0.62"}


opened = partial(open_page, PAGE)


def trace(figure: dict, name: str) -> dict:
    return next(found for found in figure["data"] if found["name"] == name)


def test_the_page_shows_the_sweep_of_the_url():
    app = opened(activation="relu", learning_rate="0.5")
    squared, entropy, slope, escape = figures(app)
    sweeps = sweep_start_bias(Experiment(activation="relu", learning_rate=0.5), ("sigmoid_squared", "logistic"),
                              np.arange(11.0))
    for figure, sweep in zip((squared, entropy), sweeps.values(), strict=True):
        np.testing.assert_array_equal(values(trace(figure, "raw")["y"]), sweep.raw.steps)
        np.testing.assert_array_equal(values(trace(figure, "zero-centered")["y"]), sweep.twin.steps)
        assert trace(figure, "raw, predicted")["line"]["dash"] == "dash"
    assert squared["layout"]["yaxis"]["range"] == entropy["layout"]["yaxis"]["range"]
    assert list(values(trace(slope, "start")["x"]) if isinstance(trace(slope, "start")["x"], dict)
                else trace(slope, "start")["x"]) == [8, 8]
    assert {found["name"] for found in escape["data"]} == {"raw", "zero-centered", "cross-entropy", "predicted"}
    assert all(len(chart["alt"]) > 40 for board in boards(app) for chart in board["charts"])


def test_the_textbook_design_says_what_is_known_of_it():
    app = opened(**TEXTBOOK)
    assert [metric.value for metric in app.metric] == ["7.0x", "+365", "8.9"]
    verdict = app.markdown[0].value
    assert "**Yes in deep saturation" in verdict and "With cross-entropy there is no such wait" in verdict


def test_the_button_opens_the_textbook_design():
    app = opened(treatment="whiten", batch_size="64")
    next(button for button in app.button if "textbook" in button.label).click().run()
    assert not app.exception
    assert app.number_input(key="dimensions").value == 8 and app.selectbox(key="inputs").value == "factorial"
    assert app.metric[0].value == "7.0x"
    assert float(app.query_params["distance"]) == 6  # in the address, though its control is folded away


def test_the_start_shown_moves_the_lower_pictures_and_not_the_runs():
    app = opened(bias_shown="4")
    before = [trace(figure, "raw")["y"] for figure in figures(app)[:2]]
    app.slider(key="bias_shown").set_value(9).run()
    assert [trace(figure, "raw")["y"] for figure in figures(app)[:2]] == before
    assert "At z = 9" in figures(app)[2]["layout"]["title"]["text"]
    assert "z₀ = 9" in app.metric[1].label


def test_the_page_says_what_it_sets_and_what_single_precision_does():
    app = opened()
    assert any("from z = 17 on" in text.value and "z = −104" in text.value for text in app.markdown)
    assert "plain SGD" in app.caption[0].value and "256 samples" in app.caption[0].value


def test_fields_that_the_page_sets_change_nothing():
    plain = opened(samples="64")
    other = opened(samples="64", optimizer="adam", loss="logistic", batch_size="64", steps="7", seed="3", bias="true",
                   start_bias="5", noise="0.5", schedule="cosine")
    assert figures(plain) == figures(other)


def test_a_rate_beyond_the_limit_gets_a_sentence():
    app = opened(rate_unit="absolute", learning_rate="10", activation="relu", dimensions="8")
    assert any("times the stability limit" in warning.value for warning in app.warning)
    assert len(figures(app)) == 4


@pytest.mark.parametrize(("query", "word"), [
    ({"distance": "0"}, "Distance"), ({"treatment": "input_bias"}, "Treatment"),
    ({"treatment": "layer_norm", "dimensions": "4"}, "Treatment"),
    ({"activation": "relu", "input_mean": "-100"}, "Inputs"),
    ({"inputs": "wine", "target": "labels", "dimensions": "1"}, "Target angle"), ({"dimensions": "1"}, "Target angle")])
def test_what_cannot_be_compared_gets_a_sentence(query, word):
    app = opened(**query)
    assert not figures(app) and f"**{word}**" in app.warning[0].value


@pytest.mark.parametrize("query", [
    {"dimensions": "1", "target_angle": "0.0"}, {"inputs": "digits", "dimensions": "16", "bias_shown": "0"},
    {"treatment": "batch_norm", "batch_size": "8"}, {"inputs": "wine", "target": "labels", "dimensions": "13"},
    {"distance": "100"}, {"inputs": "one_hot", "dimensions": "8"}, {"samples": "2"}, {"dimensions": "1024"}])
def test_every_kind_of_experiment_is_drawn(query):
    assert len(figures(opened(**query))) == 4
