"""The Sweep page on its own, without a browser."""
import io
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from tests.charts import figures, open_page, values
from zz_core import Experiment
from zz_core.sweep import Grid, run, table
from zz_view import sweep_runs, sweep_views

opened = partial(open_page, Path(__file__).parents[2] / "pages" / "sweep.py", seeds="5")


def lines(app) -> dict[str, list[float]]:
    return {trace["name"]: values(trace["y"]).tolist() for trace in figures(app)[0]["data"] if "line" in trace
            and trace["mode"] == "lines+markers"}


def test_the_picture_is_the_table_of_the_core():
    app = opened(x_values="1, 16, 256")
    expected = table(run(Grid(Experiment(), {"batch_size": [1, 16, 256], "treatment": ["none", "center"]}, 5), "none"))
    assert lines(app) == {"raw": [row["steps"] for row in expected if row["treatment"] == "none"],
                          "zero-centered": [row["steps"] for row in expected if row["treatment"] == "center"]}
    assert app.metric[0].value == "6" and len(app.dataframe[0].value) == 6


@pytest.mark.parametrize("query", [
    {"x": "activation", "y": "nothing", "measure": "condition"}, {"x": "bias", "y": "optimizer"},
    {"x": "learning_rate", "y": "batch_size", "measure": "path_ratio", "x_values": "0.1 to 1, 3, log"},
    {"x": "batch_size", "x_values": "1, 8, 300", "measure": "excess_loss"},
    {"x": "dimensions", "x_values": "1, 2", "y": "nothing"}, {"x": "learning_rate", "x_values": "0.5, 9",
                                                              "measure": "diverged"},
    {"x": "distance", "x_values": "0, 1", "y": "nothing", "measure": "reversal_rate"}])
def test_other_sweeps_are_drawn(query):
    app = opened(**query)
    assert len(figures(app)) == 1 and not app.warning


def test_theory_is_drawn_where_there_is_one():
    app = opened(x="dimensions", x_values="2, 8", measure="condition", y="nothing")
    theory = [trace for trace in figures(app)[0]["data"] if trace["name"].endswith("theory")]
    assert len(theory) == 1 and "closed form" in app.caption[0].value
    app = opened(x="batch_size", x_values="1, 16", measure="excess_loss")
    assert "expected excess loss" in app.caption[0].value


def test_impossible_points_are_counted_under_the_picture():
    app = opened(x_values="1, 300", y="nothing")
    assert "1 of 2 points are impossible" in app.caption[0].value and "batch_size=300" in app.caption[0].value


@pytest.mark.parametrize("query, words", [
    ({"x_values": "1, x"}, "Batch size"), ({"x": "treatment"}, "same field"),
    ({"x_values": "1 to 256, 90 values"}, "1 to 50 values"),
    ({"x": "data_seed", "x_values": "0 to 40, 41 values", "y": "target_angle", "steps": "100000"}, "largest that fits"),
    ({"x_values": "1", "y": "nothing", "steps": "100000", "dimensions": "1000", "seeds": "200", "samples": "2000"},
     "Even one point|largest that fits")])
def test_what_cannot_be_run_is_a_sentence(query, words):
    app = opened(**query)
    assert not figures(app) and len(app.warning) == 1
    import re
    assert re.search(words, app.warning[0].value)


def test_a_slip_in_the_values_changes_no_other_control():
    app = opened(x_values="1, x", y="bias", measure="path_ratio", seeds="10")
    sentence = app.warning[0].value
    assert sentence.endswith("nothing else was touched.") and "sidebar" not in sentence
    app.text_input(key="x_values").set_value("1, 4").run()
    assert not app.warning and app.selectbox(key="y").value == "bias"
    assert app.selectbox(key="measure").value == "path_ratio" and app.select_slider(key="seeds").value == 10


def test_the_words_under_a_map_speak_of_nothing_that_it_lacks():
    app = opened(x="dimensions", x_values="2, 4", y="activation", measure="condition")
    assert not {"Dashed", "interval", "Median"} & set(app.caption[0].value.replace(":", " ").split())
    assert "median" not in app.markdown[0].value  # the condition number is the data's, and no seed's
    app.selectbox(key="measure").select("steps").run()
    assert "Open markers" not in app.caption[0].value and "A dash" in app.caption[0].value


def test_the_answer_writes_values_as_the_controls_do():
    said = opened(x="samples", x_values="32, 64", y="batch_size", y_values="64").markdown[0].value
    assert "batch size 64 no value →" in said
    assert "Bias false → true" in opened(x="bias", y="nothing").markdown[0].value


def test_a_sweep_is_computed_once_and_another_measure_costs_nothing(monkeypatch):
    app = opened(x_values="1, 2, 4", data_seed="77")
    monkeypatch.setattr("zz_core.sweep.running.work", lambda task: pytest.fail("computed again"))
    app.selectbox(key="measure").select("path_ratio").run()
    assert not app.exception and app.selectbox(key="measure").value == "path_ratio"


def test_the_session_remembers_its_sweeps_and_returns_to_them():
    app = opened(x_values="1, 2")
    app.text_input(key="x_values").set_value("1, 4").run()
    app.slider(key="learning_rate").set_value(0.5).run()
    back = [button for button in app.button if (button.key or "").startswith("_sweep_")]
    assert len(back) == 2
    back[-1].click().run()
    assert not app.exception
    assert app.text_input(key="x_values").value == "1, 2" and app.slider(key="learning_rate").value == 0.25


def test_a_stopped_sweep_shows_what_it_has_and_goes_on():
    grid = Grid(Experiment(data_seed=78), {"batch_size": [1, 2], "treatment": ["none", "center"]}, 5)
    app = opened(x_values="1", data_seed="78")  # half of it
    app.session_state["_sweep_stopped"] = grid.to_json()
    app.text_input(key="x_values").set_value("1, 2").run()
    assert not app.exception and "Stopped after 2 of 4 points" in app.info[0].value
    assert "→ not run yet" in app.markdown[0].value
    next(button for button in app.button if button.label == "Go on").click().run()
    assert app.metric[0].value == "4" and not app.info


def test_what_is_kept_is_bounded():
    kept = sweep_runs.Kept(most=2)
    results = list(run(Grid(Experiment(steps=3), {"data_seed": [0, 1, 2]}, 1), "none"))
    for result in results:
        kept.put(result)
    assert [kept.get(result.task) is None for result in results] == [True, False, False]
    assert kept.get(results[2].task).values == results[2].values


def test_the_downloads_hold_the_table():
    results = list(run(Grid(Experiment(steps=3), {"data_seed": [0, 1]}, 2), "none"))
    back = pd.read_parquet(io.BytesIO(sweep_views._parquet(results)))
    pd.testing.assert_frame_equal(back, sweep_views.frame(results))
