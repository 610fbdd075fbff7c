"""The Trajectories page on its own, without a browser."""
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.charts import boards, figures, open_page, values
from zz_core import Experiment, simulate

PAGE = Path(__file__).parents[2] / "pages" / "trajectories.py"


opened = partial(open_page, PAGE)


def test_the_figure_shows_the_run_of_the_url():
    app = opened(activation="relu", learning_rate="0.5", seed="7")
    raw, twin, losses = figures(app)
    path = [trace for trace in raw["data"] if trace["name"] == "raw"]
    expected = simulate(Experiment(activation="relu", learning_rate=0.5, seed=7)).weights[0]
    assert values(path[0]["x"])[:3] == pytest.approx(expected[:3, 0], rel=1e-6)
    assert values(path[-1]["x"])[-1] == pytest.approx(expected[-1, 0], rel=1e-6)
    assert {"raw", "zero-centered"} <= {trace["name"] for trace in losses["data"]}
    assert raw["layout"]["xaxis"]["range"] == twin["layout"]["xaxis"]["range"]


def test_the_player_has_a_sentence_and_marks_for_each_step():
    planes, losses = boards(opened(steps="30"))
    assert planes["last"] == losses["last"] == 30 and planes["group"] == losses["group"]
    assert len(planes["words"]) == 31 and losses["words"] is None
    raw, twin = planes["charts"]
    assert [mark["kind"] for mark in raw["marks"]] == ["outline", "arrow", "point"] and len(twin["marks"]) == 2
    assert raw["link"] == twin["link"]  # they zoom together
    assert all(len(values(mark["x"])) == 31 for mark in raw["marks"])
    assert all(len(chart["alt"]) > 20 for chart in [*planes["charts"], *losses["charts"]])


def test_full_batch_theory_is_dashed_on_the_run_itself():
    app = opened(batch_size="256", learning_rate="0.6")
    raw, _, losses = figures(app)
    (dashed,) = [trace for trace in raw["data"] if trace["name"] == "theory"]
    assert dashed["line"]["dash"] == "dash"
    weights = simulate(Experiment(batch_size=256, learning_rate=0.6)).weights[0]
    np.testing.assert_allclose(values(dashed["x"]), weights[:, 0], rtol=1e-5, atol=1e-6)
    names = [trace["name"] for trace in losses["data"]]
    assert names == ["raw", "zero-centered", "raw, theory", "zero-centered, theory"]
    assert "step by step" in app.caption[0].value


def test_single_samples_are_expected_within_the_band_of_other_seeds():
    losses = figures(opened())[2]
    by_name = {trace["name"]: trace for trace in losses["data"]}
    assert [trace["name"] for trace in losses["data"] if trace["name"].endswith("most of the other seeds")] == [
        "raw, most of the other seeds", "zero-centered, most of the other seeds"]
    expected, run = values(by_name["raw, theory"]["y"]), values(by_name["raw"]["y"])
    assert expected[0] == pytest.approx(run[0], rel=1e-5) and expected[-1] < 1e-3 * expected[0]


@pytest.mark.parametrize(("query", "reason"), [({"optimizer": "adam"}, "plain gradient descent"),
                                               ({"loss": "logistic"}, "squared loss only"),
                                               ({"sampling": "epoch"}, "shuffled epoch")])
def test_where_there_is_no_theory_a_sentence_says_why(query, reason):
    app = opened(**query)
    assert reason in app.caption[0].value
    assert not [trace for figure in figures(app) for trace in figure["data"] if "theory" in trace["name"]]


def test_other_seeds_are_drawn_on_request():
    raw = figures(opened(other_seeds="5"))[0]
    assert sum(trace["name"] == "another seed" for trace in raw["data"]) == 5


def test_beyond_two_weights_the_axes_say_that_it_is_a_projection():
    layout = figures(opened(dimensions="16"))[0]["layout"]
    assert layout["xaxis"]["title"]["text"] == "along the mean input"


def test_divergence_gets_a_sentence_that_says_what_to_change():
    app = opened(learning_rate="8", noise="1")
    assert any("lower the learning rate" in warning.value for warning in app.warning)
    assert len(figures(app)) == 3


def test_a_run_over_the_budget_is_refused_with_the_largest_that_fits():
    app = opened(steps="100000", dimensions="200", batch_size="256", samples="4096")
    assert not figures(app) and "Steps" in app.warning[0].value


@pytest.mark.parametrize("query", [
    {"dimensions": "1", "target_angle": "0.0"}, {"inputs": "digits", "dimensions": "16"}, {"treatment": "standardize"},
    {"inputs": "wine", "target": "labels", "loss": "logistic", "dimensions": "13"}, {"steps": "1"}, {"distance": "0"},
    {"treatment": "input_bias", "bias": "true"}, {"loss": "sigmoid_squared", "noise": "0.5"}, {"batch_size": "256"},
])
def test_every_kind_of_experiment_is_drawn(query):
    assert figures(opened(**query))


@pytest.mark.parametrize("query, title, sentence", [
    ({"learning_rate": "8", "noise": "1"}, "Raw: diverges at step", "raw path diverges at step **"),
    ({"distance": "0"}, "Raw: too short to measure", "raw path is too short to measure"),
    ({}, "Raw: 3.4x the straight line", "raw path is **3.4x** the straight line"),
])
def test_what_a_path_does_is_said_also_where_it_has_no_length(query, title, sentence):
    app = opened(**query)
    assert figures(app)[0]["layout"]["title"]["text"].startswith(title)
    assert sentence in app.markdown[0].value


def test_batch_normalization_of_one_sample_says_why_nothing_moves():
    assert "8 or more" in opened(treatment="batch_norm").info[0].value
