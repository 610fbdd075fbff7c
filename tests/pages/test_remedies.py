"""The Remedies page on its own, without a browser."""
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.charts import boards, figures, open_page
from zz_core import Experiment
from zz_core.remedies import goal_of, run_lane

PAGE = Path(__file__).parents[2] / "pages" / "remedies.py"
FEW = ["nothing", "center", "whiten"]


def opened(**query) -> AppTest:
    return open_page(PAGE, **{"lanes": FEW, **query})


def charts(app: AppTest) -> dict[str, dict]:
    """The last drawn chart of each key."""
    return {chart["key"]: chart["figure"] for board in boards(app) for chart in board["charts"]}


def names(figure: dict) -> set[str]:
    return {found["name"] for found in figure["data"]}


def lanes(app: AppTest) -> list[str]:
    return list(app.dataframe[0].value["remedy"])


def test_the_page_shows_the_race_of_the_url():
    app = opened(dimensions="4", batch_size="8", seed="3")
    experiment = Experiment(dimensions=4, batch_size=8, seed=3)
    goal, table = goal_of(experiment), app.dataframe[0].value.set_index("remedy")
    for key in FEW:
        lane = run_lane(experiment, key, goal, 2000)
        assert (table["steps"][key], table["low"][key]) == (lane.median, lane.interval[0])
        assert table["rate"][key] == pytest.approx(lane.search.rate)
    assert {"dots", "rates", "losses", "paths", "spectrum"} == set(charts(app))
    assert str(int(table["steps"]["nothing"])) == app.metric[0].value
    assert all(len(chart["alt"]) > 40 for board in boards(app) for chart in board["charts"])


def test_the_default_race_has_its_lanes_and_its_traps():
    app = opened(lanes=[])
    assert {"nothing", "center"} <= set(lanes(app))
    told = " ".join(text.value for text in app.markdown)
    for part in ("Batch norm on single samples does nothing", "Layer norm never learns", "does not learn to center",
                 "Adam's first step", "Centering without a bias"):
        assert part in told


def test_lanes_of_the_url_are_raced_and_nothing_always():
    app = opened(lanes=["adam", "line_search"], focus="adam")
    assert set(lanes(app)) == {"nothing", "adam", "line_search"}
    assert "Adam" in names(charts(app)["rates"]) and "Exact line search" in names(charts(app)["dots"])


def test_choosing_a_lane_adds_it_and_looking_closely_does_too():
    app = opened()
    app.selectbox(key="focus").set_value("momentum").run()
    assert not app.exception and "momentum" in lanes(app)
    assert any("**Momentum.**" in text.value for text in app.markdown)
    assert "Momentum" in names(charts(app)["losses"]) and "Momentum" in names(charts(app)["paths"])


def test_fields_that_the_race_sets_change_nothing():
    plain = opened(samples="64")
    other = opened(samples="64", optimizer="adam", learning_rate="0.7", rate_unit="absolute", treatment="whiten",
                   schedule="cosine", steps="7")
    assert charts(plain) == charts(other)


def test_one_fraction_for_all_takes_the_sidebars():
    app = opened(rates="fraction", learning_rate="0.4")
    rates = app.dataframe[0].value.set_index("remedy")["rate"]
    assert (rates[FEW] == 0.4).all() and "rates" not in charts(app)
    assert "at 0.4 of their stability limit" in app.markdown[0].value


def test_what_does_not_arrive_is_told_and_left_empty():
    app = opened(lanes=["batch_norm", "center"], longest="200")
    table = app.dataframe[0].value.set_index("remedy")
    assert np.isnan(table["steps"]["batch_norm"]) and table["arrived"]["batch_norm"] == 0
    assert any(note["text"] == "never moves" for note in charts(app)["dots"]["layout"]["annotations"])


def test_a_lane_that_does_not_apply_is_left_out_with_a_reason():
    app = opened(inputs="wine", lanes=["tanh", "center"], focus="tanh")
    assert "tanh" not in lanes(app) and any("without an activation" in caption.value for caption in app.caption)
    assert "without an activation" in app.info[0].value


@pytest.mark.parametrize(("query", "word"), [
    ({"distance": "0"}, "Distance"), ({"activation": "relu", "input_mean": "-100"}, "Inputs"),
    ({"inputs": "wine", "target": "labels", "loss": "sigmoid_squared"}, "Target"),
    ({"loss": "sigmoid_squared", "noise": "0.3"}, "Loss"), ({"dimensions": "1"}, "Target angle")])
def test_no_goal_gives_a_sentence(query, word):
    app = opened(**query)
    assert not figures(app) and f"**{word}**" in app.warning[0].value


def test_a_race_that_takes_too_long_says_what_to_lower():
    app = opened(dimensions="256", batch_size="64", longest="10000")
    assert not figures(app) and "**Longest run**, **Dimensions**, **Batch size**" in app.warning[0].value
    assert app.selectbox(key="focus").value == "center"  # the controls stay


def test_a_lane_that_alone_takes_too_long_is_left_out():
    app = opened(dimensions="64", batch_size="64", lanes=["center", "gauss_newton"], focus="gauss_newton")
    assert set(lanes(app)) == {"nothing", "center"} and "it would take about" in app.info[0].value


@pytest.mark.parametrize("query", [
    {"dimensions": "1", "target_angle": "0"}, {"inputs": "digits", "dimensions": "8", "samples": "400"},
    {"inputs": "breast_cancer", "target": "labels", "dimensions": "4", "batch_size": "16"},
    {"inputs": "wine", "target": "labels", "loss": "logistic", "dimensions": "3", "longest": "200"},
    {"samples": "2", "dimensions": "3"}, {"inputs": "one_hot", "dimensions": "4", "batch_size": "256"},
    {"batch_size": "256", "lanes": ["larger_batch", "gauss_newton"], "focus": "gauss_newton"},
    {"noise": "0.5", "bias": "true", "lanes": ["bias", "input_bias"]}, {"distance": "100", "target_angle": "45"},
    {"sampling": "epoch", "batch_size": "32", "lanes": ["layer_norm", "rms_norm"], "dimensions": "3"},
    {"momentum": "0", "decay": "0", "lanes": ["momentum", "nesterov", "rmsprop", "adam"], "focus": "rmsprop"},
    {"damping": "1000", "lanes": ["levenberg_marquardt"], "focus": "levenberg_marquardt", "longest": "200"},
    {"activation": "tanh", "lanes": ["tanh", "standardize"], "rates": "fraction", "learning_rate": "2"}])
def test_every_kind_of_experiment_is_raced(query):
    app = opened(**query)
    assert {"dots", "losses"} <= set(charts(app)) and len(lanes(app)) >= 2
