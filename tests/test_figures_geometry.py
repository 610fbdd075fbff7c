"""Figures of the geometry page."""
import math

import numpy as np
import plotly.graph_objects as go
import pytest

from zz_core import Experiment
from zz_core.dimension_sweep import sweep_dimensions
from zz_core.geometry import AngleSweep, rate_map, sweep_angles
from zz_core.task import build_task
from zz_view.figures import geometry as figures
from zz_view.theme import CENTERED, GREY, RAW, WEDGE

ANGLES = np.deg2rad(np.arange(0, 181, 10))


@pytest.fixture(scope="module")
def task():
    return build_task(Experiment())


@pytest.fixture(scope="module")
def sweep(task):
    return sweep_angles(task.inputs, task.direction, ANGLES, 0.25, 100, 5)


def test_the_cloud_shows_the_samples_their_mean_and_the_cone(task):
    mean = task.inputs.mean(axis=0)
    figure = go.Figure(figures.cloud_figure(task.inputs, mean, (0.2, 1.2), 1.5, RAW, ("x₁", "x₂"), "A cone"))
    cone, samples, line, tip, name = figure.data
    assert cone.fill == "toself" and samples.mode == "markers" and name.text == ("\u2002mean\u2002",)
    np.testing.assert_allclose(np.column_stack([samples.x, samples.y]), task.inputs, rtol=1e-6)
    np.testing.assert_allclose([line.x[0], line.y[0], line.x[1], line.y[1]], [0, 0, *mean], rtol=1e-6)
    np.testing.assert_allclose([tip.x[0], tip.y[0]], mean, rtol=1e-6)
    outline = np.column_stack([cone.x, cone.y])
    outline = outline[np.linalg.norm(outline, axis=1) > 0]
    angles = np.arctan2(outline[:, 1], outline[:, 0]) % math.pi
    assert angles.min() == pytest.approx(0.2, abs=1e-6) and angles.max() == pytest.approx(1.2, abs=1e-6)
    assert figure.layout.yaxis.scaleanchor == "x" and figure.layout.xaxis.range == (-1.5, 1.5)
    assert figure.layout.title.text == "A cone" and figure.layout.xaxis.title.text == "x₁"


def test_a_cloud_without_a_cone_or_of_many_points_is_drawn():
    points = np.random.default_rng(0).standard_normal((5000, 2))
    figure = go.Figure(figures.cloud_figure(points, points.mean(axis=0), None, 4.0, CENTERED, ("a", "b"), "Any way"))
    assert [trace.name for trace in figure.data] == ["samples", "mean", "mean", "mean"]
    assert len(figure.data[0].x) == figures.MOST_POINTS


def test_angles_show_what_is_allowed_dashed_and_what_was_taken_solid(sweep):
    figure = go.Figure(figures.angle_figure(sweep, RAW, "the samples allow", "Signs cost little"))
    band, *lines = figure.data
    assert band.fill == "toself"
    assert [(line.name, line.line.dash, line.line.color) for line in lines] == [
        ("one-sign steps allow", "dash", GREY), ("the samples allow", "dash", WEDGE), ("full batch", None, GREY),
        ("one sample a step", None, RAW)]
    np.testing.assert_allclose(lines[0].x, np.rad2deg(ANGLES), rtol=1e-6)
    np.testing.assert_allclose(lines[3].y, np.median(sweep.single, axis=1), rtol=1e-6)
    np.testing.assert_allclose(lines[2].y, sweep.full, rtol=1e-6)
    low, high = figure.layout.yaxis.range
    assert low < 1 and high > np.nanmax(band.y)
    assert {note.text for note in figure.layout.annotations} == {line.name for line in lines}
    assert figure.layout.yaxis.title.text == "path / straight line"


def test_names_keep_clear_of_the_lines(sweep):
    figure = go.Figure(figures.angle_figure(sweep, RAW, "the samples allow", ""))
    span = np.ptp(figure.layout.yaxis.range)
    for note in figure.layout.annotations:
        for line in figure.data[1:]:
            assert abs(np.interp(note.x, line.x, line.y) - note.y) > 0.03 * span
    spots = [(note.x / 180, (note.y - figure.layout.yaxis.range[0]) / span) for note in figure.layout.annotations]
    for k, (x, y) in enumerate(spots):
        assert all(abs(x - a) > 0.2 or abs(y - b) > 0.04 for a, b in spots[:k])


def test_angles_without_any_path_are_an_empty_figure():
    nothing = np.full(len(ANGLES), np.nan)
    sweep = AngleSweep(ANGLES, nothing, nothing, np.full((len(ANGLES), 3), np.nan), nothing)
    figure = go.Figure(figures.angle_figure(sweep, RAW, "the samples allow", "Nothing moves"))
    assert not figure.layout.annotations and len(figure.data) == 5


def test_quartiles_leave_out_runs_without_a_length():
    found = figures.quartiles(np.array([[1.0, 2.0, 3.0, np.nan], [np.nan] * 4]))
    np.testing.assert_allclose(found[:, 0], [1.5, 2, 2.5])
    assert np.isnan(found[:, 1]).all()


def test_dimensions_show_data_solid_and_the_closed_form_dashed():
    sweep = sweep_dimensions(Experiment(inputs="factorial"), "center")
    figure = go.Figure(figures.condition_figure(sweep, ("raw", "zero-centered"), (RAW, CENTERED), "κ grows"))
    assert [(t.name, t.line.dash, t.line.color) for t in figure.data] == [
        ("raw, 1 + D·m²/v", "dash", RAW), ("raw", None, RAW),
        ("zero-centered, 1 + D·m²/v", "dash", CENTERED), ("zero-centered", None, CENTERED)]
    np.testing.assert_allclose(figure.data[1].y, [9, 17, 33], rtol=1e-6)
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"
    assert [note.text for note in figure.layout.annotations] == ["raw", "zero-centered"]


def test_predicted_steps_are_dashed_and_endless_ones_are_gaps():
    steps = np.array([[10.0, 20.0, np.inf], [np.nan] * 3])
    figure = go.Figure(figures.steps_figure(np.array([2, 4, 8]), steps, ("raw", "x"), (RAW, CENTERED), "Steps"))
    assert all(trace.line.dash == "dash" for trace in figure.data)
    np.testing.assert_allclose(figure.data[0].y, [10, 20, np.nan])
    assert [note.text for note in figure.layout.annotations] == ["raw"]


def test_bands_go_from_straight_to_zigzag():
    np.testing.assert_array_equal(figures.band_codes(np.array([1.0, 0.99, 0.0, -1.0, np.nan]), -1.0),
                                  [1, 1, 1 + figures.BANDS // 2, figures.BANDS, 0])
    np.testing.assert_array_equal(figures.band_codes(np.array([1.0, 0.03]), 0.0), [1, figures.BANDS])


@pytest.mark.parametrize("measure", ["turning", "efficiency"])
def test_the_map_has_its_values_borders_and_the_chosen_run(task, measure):
    found = rate_map(task.inputs, task.direction, np.arange(1, 23) / 20, ANGLES, 60)
    figure = go.Figure(figures.map_figure(found, measure, (0.9, 45.0), RAW, "Back and forth"))
    heat, *rings = figure.data
    assert heat.z.shape == (19, 22) and heat.z.dtype == np.uint8 and (heat.z[:, 20:] == 0).all()
    np.testing.assert_allclose(heat.customdata, getattr(found, measure).T, rtol=1e-5)
    assert (heat.x0, heat.dx, heat.dy) == pytest.approx((0.05, 0.05, 10))
    assert all((ring.x[0], ring.y[0]) == (0.9, 45.0) for ring in rings)
    assert all(shape.line.dash == "dash" for shape in figure.layout.shapes)
    assert sorted({shape.x0 for shape in figure.layout.shapes}) == pytest.approx([0.5, found.best, 1.0])
    assert [note.text.strip() for note in figure.layout.annotations] == ["zig-zag from here", "best", "limit"]
    assert figure.layout.title.text == "Back and forth" and measure in figure.layout.title.subtitle.text


def test_centered_inputs_have_no_best_rate_apart_from_the_border():
    task = build_task(Experiment(treatment="center"))
    found = rate_map(task.inputs, task.direction, np.arange(1, 23) / 20, ANGLES, 60)
    figure = go.Figure(figures.map_figure(found, "turning", (0.5, 0.0), CENTERED, ""))
    assert [note.text for note in figure.layout.annotations] == ["zig-zag from here", "limit"]
    assert len(figure.layout.shapes) == 3  # the second mode's border too, unnamed
