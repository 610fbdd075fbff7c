"""Figures of the trajectories, and what the player draws over them."""
import base64

import numpy as np
import plotly.graph_objects as go
import pytest

from zz_core import Experiment, simulate
from zz_view.figures.trajectories import PIECES, Window, along, loss_figure, plane_figure, thinned, window_around
from zz_view.pictures import plane_marks, plane_pictures, positions, step_words
from zz_view.theme import CENTERED, RAW

NAMES = {"raw": RAW, "zero-centered": CENTERED}


@pytest.fixture(scope="module")
def runs():
    return {"raw": simulate(Experiment(), 3), "zero-centered": simulate(Experiment(treatment="center"), 3)}


def test_the_plane_shows_the_path_its_ends_and_other_seeds(runs):
    picture = plane_pictures(runs, NAMES)["raw"]
    figure = go.Figure(plane_figure(picture, "Raw zig-zags"))  # which checks every property
    names = [trace.name for trace in figure.data]
    assert names == ["loss", "another seed", "another seed", *["raw"] * PIECES, "start and optimum"]
    pieces = [np.column_stack([trace.x, trace.y]) for trace in figure.data if trace.name == "raw"]
    path = np.concatenate([pieces[0], *(piece[1:] for piece in pieces[1:])])  # each starts where the last one ends
    np.testing.assert_allclose(path, runs["raw"].weights[0], rtol=1e-6)
    opacities = [trace.opacity for trace in figure.data if trace.name == "raw"]
    assert opacities == sorted(opacities) and opacities[0] < opacities[-1]
    np.testing.assert_allclose([figure.data[-1].x[1], figure.data[-1].y[1]], runs["raw"].optimum, rtol=1e-6)
    assert figure.data[0].z.dtype == np.float32 and figure.data[0].z.shape == (80, 80)
    assert figure.layout.title.text == "Raw zig-zags"
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("w₁", "w₂")
    assert figure.layout.yaxis.scaleanchor == "x"


@pytest.mark.parametrize("experiment", [Experiment(distance=0.0), Experiment(learning_rate=1.5, target_angle=135.0),
                                        Experiment(inputs="uniform", learning_rate=1.5, target_angle=135.0)])
def test_names_of_ends_that_are_near_each_other_do_not_overlap(experiment):
    figure = plane_figure(plane_pictures({"raw": simulate(experiment)}, NAMES)["raw"], "Raw")
    heights = {side.split()[0] for side in figure["data"][-1]["textposition"]}
    assert heights == {"top", "bottom"}


def test_twins_share_their_axes(runs):
    raw, centered = plane_pictures(runs, NAMES).values()
    assert raw.window == centered.window


def test_twins_with_other_weights_have_their_own_axes(runs):
    other = {"raw": runs["raw"], "standardize": simulate(Experiment(treatment="standardize"))}
    raw, standardized = plane_pictures(other, {"raw": RAW, "standardize": CENTERED}).values()
    assert raw.window != standardized.window
    for picture in (raw, standardized):
        assert picture.window.x[0] < picture.optimum[0] < picture.window.x[1]


def test_a_diverged_path_does_not_blow_up_the_window():
    runs = {"raw": simulate(Experiment(learning_rate=8.0, noise=0.1))}
    assert runs["raw"].diverged_at[0] > 0
    window = plane_pictures(runs, NAMES)["raw"].window
    assert window.x[1] - window.x[0] < 20


def test_a_window_is_square_and_leaves_out_what_is_not_finite():
    window = window_around(np.array([[0.0, 0.0], [1.0, 3.0], [np.nan, 50.0], [np.inf, 0.0]]))
    assert isinstance(window, Window)
    assert window.x[1] - window.x[0] == pytest.approx(window.y[1] - window.y[0])
    assert window.y[0] < 0 and 3 < window.y[1] < 6
    still = window_around(np.zeros((2, 2)))
    assert still.x == still.y == (-1.0, 1.0)  # room to drag the start and the target apart


def test_losses_have_their_names_axes_and_values():
    losses = {"raw": np.array([1.0, 0.1, 0.0, np.nan]), "zero-centered": np.array([1.0, 1e-3, 1e-5, 1e-20])}
    figure = go.Figure(loss_figure(np.arange(4), losses, NAMES, "excess loss", "Both losses fall"))
    assert [trace.name for trace in figure.data] == ["raw", "zero-centered"]
    np.testing.assert_allclose(figure.data[0].y, [1.0, 0.1, np.nan, np.nan], rtol=1e-6)
    np.testing.assert_allclose(figure.data[1].y, [1.0, 1e-3, 1e-5, np.nan], rtol=1e-6)
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("step", "excess loss")
    assert figure.layout.yaxis.type == "log"
    assert sorted(note.text for note in figure.layout.annotations) == ["raw", "zero-centered"]


def test_theory_is_dashed_and_bands_are_filled_and_neither_stretches_the_axis():
    losses, theory = {"raw": np.array([1.0, 0.5, 0.25])}, {"raw": np.array([1.0, 0.4, 1e-5])}
    bands = {"raw": np.array([[1.0, 0.3, 1e-7], [1.0, 0.6, 0.5]])}
    figure = go.Figure(loss_figure(np.arange(3), losses, NAMES, "loss", "It falls", theory, bands))
    band, line, dashed = figure.data
    assert band.fill == "toself" and line.line.dash is None and dashed.line.dash == "dash"
    np.testing.assert_allclose(dashed.y, [1.0, 0.4, np.nan], rtol=1e-6)
    np.testing.assert_allclose(band.y, [1.0, 0.3, 0.6, 1.0], rtol=1e-6)


def test_no_losses_are_an_empty_figure():
    figure = go.Figure(loss_figure(np.arange(1), {"raw": np.array([np.nan])}, NAMES, "loss", "Nothing"))
    assert np.isnan(figure.data[0].y).all() and not figure.layout.annotations


def test_thinning_keeps_both_ends():
    np.testing.assert_array_equal(thinned(3, 10), [0, 1, 2])
    kept = thinned(100_001, 400)
    assert (kept[0], kept[-1]) == (0, 100_000) and len(kept) == 400


def test_a_run_that_arrives_early_in_a_long_time_keeps_its_way():
    way = np.zeros((100_001, 2))
    way[:200, 0] = np.arange(200) % 2  # to and fro, then still
    kept = along(way, 1000)
    assert len(kept) <= 1000 and (kept[0], kept[-1]) == (0, 100_000) and np.diff(kept).max() <= 201
    assert np.abs(np.diff(way[kept, 0])).sum() == np.abs(np.diff(way[:, 0])).sum()
    way[300:] = np.nan
    assert np.abs(np.diff(way[along(way, 1000)[:300], 0])[:190]).sum() == 190
    assert list(along(way[:50], 1000)) == list(range(50)) and along(np.zeros((5000, 2)), 100)[-1] == 4999


def unpacked(array: dict) -> np.ndarray:
    return np.frombuffer(base64.b64decode(array["bdata"]), array["dtype"])


def test_the_player_follows_the_path_downhill(runs):
    pictures = plane_pictures(runs, NAMES)
    rows = positions(runs["raw"])
    wedge, arrow, ring = plane_marks(runs["raw"], pictures["raw"], rows)
    assert [wedge["kind"], arrow["kind"], ring["kind"]] == ["outline", "arrow", "point"]
    np.testing.assert_allclose(np.column_stack([unpacked(ring["x"]), unpacked(ring["y"])]), runs["raw"].weights[0],
                               rtol=1e-6)
    arrows = np.column_stack([unpacked(arrow["dx"]), unpacked(arrow["dy"])])[:-1]
    gradients = runs["raw"].gradients()[0]
    cosines = (arrows * gradients).sum(axis=1) / np.linalg.norm(arrows, axis=1) / np.linalg.norm(gradients, axis=1)
    np.testing.assert_allclose(cosines, -1, atol=1e-3)
    assert np.isnan(unpacked(arrow["dx"])[-1])  # no step follows the last point
    kinds = [mark["kind"] for mark in plane_marks(runs["zero-centered"], pictures["zero-centered"], rows)]
    assert kinds == ["arrow", "point"]  # every direction is allowed


def test_the_words_say_what_the_step_did(runs):
    words = step_words({"raw": runs["raw"]}, positions(runs["raw"]))
    assert len(words) == 201
    update, sample = runs["raw"].updates()[0, 4], runs["raw"].batches[0, 4, 0]
    assert words[4].startswith("Step 5. Raw: ") and f"sample {sample}," in words[4]
    assert ("both weights go up" in words[4]) == (update[0] > 0)
    assert words[-1] == "After 200 steps. The raw run ends here."
