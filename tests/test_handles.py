"""Handles: where they lie in a picture, which there are, and what a drop sets in the sidebar."""
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from tests.charts import boards, open_page, values
from zz_core import Experiment, simulate
from zz_core.geometry import simulate_moved
from zz_core.losses import LOSSES
from zz_core.optimizers import OPTIMIZERS
from zz_core.planes import plane_of
from zz_core.schedules import SCHEDULES
from zz_core.treatments import TREATMENTS, normalize_batch
from zz_view import following, handles
from zz_view.figures.trajectories import Window
from zz_view.pictures import plane_pictures

PAGES = Path(__file__).parents[1] / "pages"
ELSEWHERE = Experiment(steps=5, start_along=0.5, start_across=-1.25, target_angle=200.0, distance=1.5)
places = st.floats(-90, 90)


def names_of(experiment: Experiment) -> list[str]:
    grip = handles.on_plane(experiment, simulate(experiment))
    return [place["name"] for place in grip["places"]] if grip else []


# ---------------------------------------------------------------------------------------------------- in the picture
@pytest.mark.parametrize("dimensions", [2, 7])
@pytest.mark.parametrize("treatment", ["none", "center", "standardize", "whiten", "batch_norm", "input_bias"])
def test_the_frame_takes_the_picture_s_start_and_optimum_to_their_places(treatment, dimensions):
    experiment = replace(ELSEWHERE, treatment=treatment, dimensions=dimensions, batch_size=8)
    run = simulate(experiment)
    grip = handles.on_plane(experiment, run)
    if dimensions > 2 and treatment not in ("none", "center", "input_bias"):
        assert grip is None  # the treatment has turned the plane
        return
    seen = np.stack([run.weights[0, 0], run.optimum]) @ plane_of(run).axes.T
    found = seen @ np.array(grip["frame"]).T
    angle = np.deg2rad(200)
    expected = [[0.5, -1.25], [0.5 + 1.5 * np.cos(angle), -1.25 + 1.5 * np.sin(angle)]]
    np.testing.assert_allclose(found, expected, atol=1e-9)
    np.testing.assert_allclose([place["at"] for place in grip["places"]], expected, atol=1e-12)


@pytest.mark.parametrize(("changes", "names"), [
    ({}, ["start", "target"]), ({"inputs": "digits", "dimensions": 12}, ["start", "target"]),
    ({"inputs": "wine", "target": "labels"}, ["start"]),  # the labels decide where the target lies
    ({"inputs": "wine", "target": "labels", "dimensions": 5}, []),  # the way to it leaves the plane of the places
    ({"treatment": "layer_norm"}, ["start"]), ({"loss": "sigmoid_squared", "noise": 0.5}, ["start"]),
    ({"loss": "logistic", "noise": 0.5}, ["start"]), ({"noise": 0.5}, ["start", "target"]),
    ({"distance": 0.0}, ["start", "target"]), ({"target_angle": 0.0, "dimensions": 5}, ["start", "target"])])
def test_only_what_lies_where_it_is_put_can_be_put(changes, names):
    assert names_of(replace(ELSEWHERE, **changes)) == names


def test_a_moved_mean_leaves_the_handles_where_they_were():
    experiment = replace(ELSEWHERE, treatment="standardize")
    base = simulate(experiment)
    moved = simulate_moved(experiment, base.task, -3.0)
    there, before = handles.on_plane(experiment, moved, base), handles.on_plane(experiment, base)
    assert there["run"]["rows"] != before["run"]["rows"]
    assert there["run"].keys() == before["run"].keys() and there | {"run": 0} == before | {"run": 0}


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("treatment", TREATMENTS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_whatever_has_handles_is_stepped_by_the_browser(optimizer, loss, treatment, bias):
    for size in (1, 8, 256):
        experiment = replace(ELSEWHERE, optimizer=optimizer, loss=loss, treatment=treatment, bias=bias, batch_size=size)
        run = handles.on_plane(experiment, simulate(experiment))["run"]
        assert (run["steps"], run["of"], run["slopes"] is not None) == (5, 5, True)
        json.dumps(run, allow_nan=False)  # the browser reads no NaN


@pytest.mark.parametrize("name", [*OPTIMIZERS, *LOSSES, *SCHEDULES])
def test_the_browser_knows_every_rule_loss_and_schedule(name):
    script = (PAGES.parent / "zz_view" / "canvas" / "follow.js").read_text(encoding="utf-8")
    assert re.search(rf"^  {name}[:(]", script, re.MULTILINE)


def test_labels_stay_where_they_are_when_the_start_moves():
    experiment = replace(ELSEWHERE, inputs="wine", target="labels", loss="logistic")
    run = simulate(experiment)
    sent = handles.on_plane(experiment, run)["run"]
    assert sent["slopes"] is None and not sent["link"]
    np.testing.assert_array_equal(values(sent["logits"])[values(sent["draws"])], run.targets[run.batches[0].ravel()])


@pytest.mark.parametrize(("changes", "steps"), [
    ({"samples": 65536}, 200), ({"samples": 65536, "batch_size": 65536}, 200), ({"steps": 5000}, 5000),
    ({"steps": 100_000}, 2**15), ({"steps": 100_000, "samples": 512}, 2**14),
    ({"samples": 65536, "batch_size": 64, "loss": "logistic", "bias": True}, 43),  # whose samples are 2**14 numbers
    ({"samples": 65536, "batch_size": 64, "steps": 1000, "bias": True}, 455),  # and so are so many triangular factors
    ({"samples": 65536, "batch_size": 65536, "loss": "logistic"}, None),
    ({"dimensions": 64, "optimizer": "gauss_newton", "batch_size": 64}, None)], ids=repr)
def test_only_as_much_is_sent_as_the_browser_can_step_in_time(changes, steps):
    experiment = replace(ELSEWHERE, steps=200) if "steps" not in changes else ELSEWHERE
    experiment = replace(experiment, **changes)
    run = handles.on_plane(experiment, simulate(experiment))["run"]
    assert steps == (run and run["steps"])
    if run:
        assert len(values(run["rows"])) + len(values(run["slopes"])) + len(values(run["logits"])) <= following.MOST_SENT
        assert run["draws"] is None or values(run["draws"]).nbytes <= following.MOST_DRAWN
        assert len(json.dumps(run)) < 150_000


def test_the_drawn_samples_are_sent_once_each_and_no_others():
    experiment = replace(ELSEWHERE, samples=1000, steps=40, batch_size=3)
    run = simulate(experiment)
    sent = handles.on_plane(experiment, run)["run"]
    rows, draws = values(sent["rows"]).reshape(-1, 2), values(sent["draws"]).reshape(40, 3)
    np.testing.assert_array_equal(rows[draws], run.inputs[run.batches[0]])
    assert len(rows) == len(np.unique(run.batches[0])) and draws.dtype == "u1"


@pytest.mark.parametrize("changes", [{}, {"treatment": "batch_norm"}, {"treatment": "input_bias", "bias": True}],
                         ids=repr)
def test_large_batches_are_sent_as_rows_with_the_same_gradient(changes):
    experiment = replace(ELSEWHERE, samples=8192, batch_size=256, noise=0.3, steps=40, **changes)
    run = simulate(experiment)
    sent = handles.on_plane(experiment, run)["run"]
    assert (sent["batch"] < 8, sent["steps"], sent["per_batch"]) == (True, 40, False)
    rows, logits = values(sent["rows"]).reshape(40, sent["batch"], -1)[3], values(sent["logits"]).reshape(40, -1)[3]
    x = run.inputs[run.batches[0, 3]]
    x = np.column_stack([normalize_batch(x) if experiment.treatment == "batch_norm" else x, np.ones(256)])
    x, theta = x[:, : rows.shape[1]], np.array([0.3, -0.7, 0.2])[: rows.shape[1]]
    np.testing.assert_allclose(rows.T @ (rows @ theta - logits) / sent["batch"],
                               x.T @ (x @ theta - run.targets[run.batches[0, 3]]) / 256, atol=1e-6)


def test_a_full_batch_is_sent_as_rows_with_the_same_gradient_wherever_the_target_is():
    experiment = replace(ELSEWHERE, batch_size=256, noise=0.3, bias=True, samples=256)
    run = simulate(experiment)
    sent = handles.on_plane(experiment, run)["run"]
    rows, slopes, logits = (values(sent[name]) for name in ("rows", "slopes", "logits"))
    rows, slopes = rows.reshape(-1, 3), slopes.reshape(-1, 2)
    assert len(rows) == 6
    theta, moves = np.array([0.3, -0.7, 0.2]), np.array([0.4, 0.9])
    moved = simulate(replace(experiment, **handles.placed(
        experiment, "target", handles.target_of(experiment) + moves, 1e-6)))
    x = np.column_stack([run.inputs, np.ones(256)])
    expected = x.T @ (x @ theta - moved.targets) / 256
    np.testing.assert_allclose(rows.T @ (rows @ theta - logits - slopes @ moves) / 6, expected, atol=1e-5)


def test_the_words_tell_what_moves_and_why_the_rest_does_not():
    both, start = ({"places": [{"name": name} for name in names]} for names in (("start", "target"), ("start",)))
    plain, labels = Experiment(), Experiment(inputs="wine", target="labels")
    assert handles.words(plain, {"raw": both}).startswith("Drag the start or the target")
    assert "layer norm picture follows" in handles.words(plain, {"raw": both, "layer norm": start})
    assert "labels decide" in handles.words(labels, {"raw": start})
    assert "not where its teacher is" in handles.words(plain, {"raw": start})
    assert "cannot be dragged" in handles.words(plain, {"raw": None})


# ----------------------------------------------------------------------------------------------------- what is dropped
@given(name=st.sampled_from(["start", "target"]), at=st.tuples(places, places), grain=st.floats(1e-4, 0.5),
       start=st.tuples(places, places), angle=st.floats(0, 360), distance=st.floats(0, 50))
def test_what_is_dropped_lies_there_and_the_other_stays(name, at, grain, start, angle, distance):
    """Within two pixels, whose size is `grain`, unless the range of a field ends before."""
    before = Experiment(start_along=start[0], start_across=start[1], target_angle=angle, distance=distance)
    after = replace(before, **handles.placed(before, name, np.array(at), grain))
    wanted = {"start": handles.start_of(before), "target": handles.target_of(before), name: np.array(at)}
    assert np.abs(handles.start_of(after) - wanted["start"]).max() <= grain
    if np.linalg.norm(wanted["target"] - handles.start_of(after)) < 99:
        assert np.abs(handles.target_of(after) - wanted["target"]).max() <= 2 * grain


def test_places_are_rounded_to_what_the_eye_can_tell_and_stay_in_their_range():
    placed = handles.placed(Experiment(), "target", np.array([1.23456, 1.0]), 0.01)
    assert placed == {"start_along": 0.0, "start_across": 0.0, "target_angle": 39.0, "distance": 1.59}
    assert handles.placed(Experiment(), "target", np.array([500.0, 0.0]), 1.0)["distance"] == 100.0
    assert handles.placed(Experiment(), "start", np.array([-500.0, 0.0]), 1.0)["start_along"] == -100.0
    onto = handles.placed(Experiment(), "target", np.array([1e-5, 0.0]), 0.01)
    assert (onto["distance"], onto["target_angle"]) == (0.0, 90.0)  # nowhere to go keeps its direction
    labels = Experiment(inputs="wine", target="labels")
    moved = handles.placed(labels, "start", np.array([1.0, 0.5]), 0.01)
    assert moved == {"start_along": 1.0, "start_across": 0.5, "target_angle": 90.0, "distance": 2.0}


def a_visit():
    import streamlit as st

    from zz_view import controls, handles

    def drop():
        st.session_state["planes"] = {"place": st.session_state["told"]}
        handles.placing(controls_were, "planes")()
        del st.session_state["planes"]

    controls_were = controls.current()
    st.button("Drop", on_click=drop)
    st.json([controls_were.to_query(), {key: list(map(list, window)) for key, window in
                                        handles.kept_windows(controls_were).items()}])


def drop(app: AppTest, told: object) -> tuple[Experiment, dict]:
    app.session_state["told"] = told
    next(button for button in app.button if button.label == "Drop").click().run()
    assert not app.exception
    query, windows = json.loads(app.json[0].value)
    return Experiment.from_query(query), windows


@pytest.fixture
def visit() -> AppTest:
    return AppTest.from_function(a_visit, default_timeout=60).run()


def test_a_drop_sets_the_controls_keeps_the_window_and_can_be_taken_back(visit):
    windows = {"plane_raw": [-2, 1, -1, 2]}
    found, kept = drop(visit, {"name": "target", "at": [0.0, -1.5], "grain": 0.01, "windows": windows})
    assert found == Experiment(target_angle=270.0, distance=1.5)
    assert kept == {"plane_raw": [[-2, 1], [-1, 2]]}
    found, _ = drop(visit, {"name": "start", "at": [0.5, -1.5], "grain": 0.01, "windows": windows})
    assert found == Experiment(start_along=0.5, start_across=-1.5, target_angle=180.0, distance=0.5)
    before = {name: getattr(Experiment(), name) for name in handles.FIELDS}
    assert drop(visit, {"undo": before, "windows": windows})[0] == Experiment()
    visit.slider(key="target_angle").set_value(45.0).run()
    assert json.loads(visit.json[0].value)[1] == {}  # another target has another window


@pytest.mark.parametrize("told", [
    None, "target", 3, {}, {"name": "target"}, {"name": "optimum", "at": [1, 2], "grain": 1},
    {"name": "start", "at": [1, None], "grain": 1}, {"name": "start", "at": [1, float("nan")], "grain": 1},
    {"name": "start", "at": [1, 2, 3], "grain": 1}, {"name": "start", "at": [1, 2], "grain": 0},
    {"name": "start", "at": [True, 2], "grain": 1}, {"undo": {"distance": 1}}, {"undo": {"seed": 3}}, {"undo": None}],
    ids=str)
def test_whatever_else_a_browser_sends_changes_nothing(visit, told):
    assert drop(visit, told) == (Experiment(), {})


@pytest.mark.parametrize("windows", [None, 3, {"a": [1, 0, 0, 1]}, {"a": [0, 1, 0]}, {"a": [0, 1, 0, float("inf")]}],
                         ids=str)
def test_a_window_that_is_none_is_not_kept(visit, windows):
    assert drop(visit, {"name": "target", "at": [1, 0], "grain": 0.1, "windows": windows})[1] == {}


# -------------------------------------------------------------------------------------------------------- on the pages
def test_a_window_is_kept_while_it_shows_everything_well():
    run = simulate(Experiment(steps=50))

    def window(kept: Window) -> Window:
        return plane_pictures({"raw": run}, {"raw": "#000000"}, kept={"raw": kept})["raw"].window

    fitted = plane_pictures({"raw": run}, {"raw": "#000000"})["raw"].window
    wide = Window((-3.0, 2.0), (-2.0, 3.0))
    assert window(wide) == wide
    assert window(Window((-1.0, 3.0), (-3.0, 1.0))) == fitted  # the target would be outside
    assert window(Window((-90.0, 90.0), (-90.0, 90.0))) == fitted  # nothing could be told apart


@pytest.mark.parametrize(("page", "charts"), [("trajectories", ["plane_raw", "plane_twin"]), ("geometry", ["plane"])])
def test_the_pages_offer_handles_and_say_so(page, charts):
    app = open_page(PAGES / f"{page}.py", start_along="0.5", steps="30")
    drawn = {chart["key"]: chart for board in boards(app) for chart in board["charts"]}
    assert [key for key, chart in drawn.items() if chart["handles"]] == charts
    assert drawn[charts[0]]["handles"]["fields"]["start_along"] == 0.5
    assert any("Drag the start or the target" in caption.value for caption in app.caption)
