"""The plane of a path, its contours, and the wedge that one sample allows."""
from dataclasses import replace

import numpy as np
import pytest

from zz_core import Experiment, simulate
from zz_core.losses import LOSSES
from zz_core.planes import allowed_wedge, last_finite, loss_grid, plane_of

EIGHT = Experiment(dimensions=8, target_angle=60.0, steps=20)


def test_two_weights_are_drawn_as_they_are():
    run = simulate(Experiment(steps=5))
    plane = plane_of(run)
    assert plane.exact
    np.testing.assert_array_equal(plane.project(run.weights), run.weights)


def test_the_projection_holds_the_whole_way_from_start_to_optimum():
    run = simulate(EIGHT)
    plane = plane_of(run)
    np.testing.assert_allclose(plane.axes @ plane.axes.T, np.eye(2), atol=1e-12)
    way = plane.project(run.optimum) - plane.project(run.weights[0, 0])
    np.testing.assert_allclose(way, [2 * np.cos(np.pi / 3), 2 * np.sin(np.pi / 3)], atol=1e-12)


@pytest.mark.parametrize("angle", [0.0, 180.0])
def test_a_target_along_the_mean_still_has_a_second_axis(angle):
    plane = plane_of(simulate(replace(EIGHT, target_angle=angle)))
    np.testing.assert_allclose(plane.axes @ plane.axes.T, np.eye(2), atol=1e-9)


@pytest.mark.parametrize("loss", list(LOSSES))
@pytest.mark.parametrize("bias", [False, True])
def test_contours_are_the_mean_loss_of_the_data_set(loss, bias):
    run = simulate(replace(EIGHT, loss=loss, bias=bias, target_angle=90.0))
    plane, x, y = plane_of(run), np.array([-0.3, 0.9]), np.array([0.1, 0.4, 2.0])
    grid = loss_grid(run, plane, x, y)
    assert grid.shape == (3, 2)
    for i, b in enumerate(y):
        for j, a in enumerate(x):
            shift = np.array([a, b]) - plane.project(run.optimum)
            weights = run.optimum + shift @ plane.axes
            values = [LOSSES[loss].value(np.array(row @ weights + (run.optimum_bias or 0.0)), target)
                      for row, target in zip(run.inputs, run.targets, strict=True)]
            assert grid[i, j] == pytest.approx(np.mean(values), rel=1e-9)


def test_the_loss_at_the_optimum_is_the_smallest_on_the_contours():
    run = simulate(Experiment(noise=0.5, steps=5))
    grid = loss_grid(run, plane_of(run), np.array([run.optimum[0], 0.0]), np.array([run.optimum[1], 0.0]))
    assert grid[0, 0] == pytest.approx(run.minimum_loss)
    assert grid.min() == grid[0, 0]


def test_the_wedge_holds_every_line_and_is_tight():
    angles = np.deg2rad([20.0, 35.0, 50.0 + 180.0])  # the last one points the other way: the same line
    wedge = allowed_wedge(np.column_stack([np.cos(angles), np.sin(angles)]))
    np.testing.assert_allclose(np.rad2deg(wedge), [20.0, 50.0])


def test_the_wedge_may_contain_the_horizontal():
    angles = np.deg2rad([-10.0, 5.0, 12.0])
    start, end = np.rad2deg(allowed_wedge(np.column_stack([np.cos(angles), np.sin(angles)])))
    assert end - start == pytest.approx(22.0)
    assert start % 180 == pytest.approx(170.0)


def test_zero_centered_samples_allow_every_direction_and_positive_ones_do_not():
    raw, centered = (simulate(replace(Experiment(steps=1), treatment=name)) for name in ("none", "center"))
    start, end = allowed_wedge(raw.inputs)
    assert 0 < start < end < np.pi / 2
    assert allowed_wedge(centered.inputs) is None
    assert allowed_wedge(np.zeros((3, 2))) is None


def test_a_diverged_path_ends_at_its_last_finite_point():
    np.testing.assert_array_equal(last_finite(np.array([[0.0, 1.0], [2.0, 3.0], [np.nan, 1.0]])), [2.0, 3.0])
