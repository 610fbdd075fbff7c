"""Moved means, and the sweeps over angle and rate, against runs and formulas that know nothing of them."""
import math
from dataclasses import replace

import numpy as np
import pytest

from zz_core import Experiment, geometry, simulate
from zz_core.geometry import rate_map, simulate_moved, sweep_angles
from zz_core.measures import cut_tail, path_efficiency, turning, unanimous
from zz_core.summary import summarize
from zz_core.task import across, build_task
from zz_core.theory import gradient_descent_path

KINDS = [
    Experiment(), Experiment(treatment="center"), Experiment(treatment="standardize", bias=True),
    Experiment(treatment="batch_norm", batch_size=8), Experiment(treatment="layer_norm", dimensions=4),
    Experiment(treatment="input_bias", bias=True), Experiment(loss="logistic", dimensions=3),
    Experiment(inputs="wine", dimensions=5, target="labels"), Experiment(noise=0.5, optimizer="adam"),
]
DIRECTION = np.ones(2) / math.sqrt(2)
# E[x x'] has the eigenvalue 9 along the mean direction and 1 across it
NINE_TO_ONE = np.stack([math.sqrt(18) * DIRECTION, math.sqrt(2) * across(DIRECTION)])


@pytest.mark.parametrize("experiment", KINDS, ids=lambda e: str(e.to_query()))
def test_no_shift_leaves_the_run_as_it_is(experiment):
    moved = simulate_moved(experiment, build_task(experiment), 0.0)
    np.testing.assert_allclose(moved.weights, simulate(experiment).weights, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shift", [-2.4, 1.0])
@pytest.mark.parametrize("experiment", [kind for kind in KINDS if kind.target == "teacher"],
                         ids=lambda e: str(e.to_query()))
def test_a_shift_moves_the_mean_alone(experiment, shift):
    task = build_task(experiment)
    moved = simulate_moved(experiment, task, shift)
    step = moved.inputs.mean(axis=0) - task.evaluated.mean(axis=0)
    expected = shift * geometry.spread_of(task) * math.sqrt(experiment.dimensions) * task.direction
    np.testing.assert_allclose(step, expected, atol=1e-12)
    np.testing.assert_allclose(np.cov(moved.inputs.T), np.cov(task.evaluated.T), atol=1e-12)
    if experiment.treatment != "layer_norm":  # whose refit has residuals, and no bias takes up their mean
        np.testing.assert_allclose(moved.optimum, task.optimum, atol=1e-6)


@pytest.mark.parametrize("experiment", [Experiment(), Experiment(inputs="digits", dimensions=8),
                                        Experiment(activation="relu", dimensions=5)], ids=str)
def test_the_centering_shift_takes_the_mean_to_zero(experiment):
    task = build_task(experiment)
    moved = simulate_moved(experiment, task, geometry.centering_shift(task))
    assert moved.inputs.mean(axis=0) @ task.direction == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("shift, mean", [(0.0, 0.5), (-1.0, 0.25), (-2.0, 0.0), (2.0, 1.0)])
@pytest.mark.parametrize("dimensions", [2, 8])
def test_the_condition_number_follows_the_mean(shift, mean, dimensions):
    """The factorial design has the variance 1/16 exactly: 1 + 16 D m²; 33 for D = 8 where it is."""
    experiment = Experiment(inputs="factorial", dimensions=dimensions)
    found = geometry.curvature_of(simulate_moved(experiment, build_task(experiment), shift))
    assert found.condition == pytest.approx(1 + 16 * dimensions * mean**2)
    assert found.predicted == pytest.approx(found.condition)
    assert found.eigenvalues[0] / found.eigenvalues[-1] == pytest.approx(found.condition)


@pytest.mark.parametrize("shift", [0.0, 1.0])
@pytest.mark.parametrize("experiment", KINDS, ids=lambda e: str(e.to_query()))
def test_a_flipped_feature_mirrors_the_run(experiment, shift):
    task, mirror = build_task(experiment), np.where(np.arange(experiment.dimensions) == 0, -1.0, 1.0)
    run, flipped = (simulate_moved(experiment, task, shift, flip) for flip in (False, True))
    np.testing.assert_allclose(flipped.weights, run.weights * mirror, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(flipped.direction, run.direction * mirror)
    one, other = summarize(run), summarize(flipped)
    np.testing.assert_allclose(one.path_ratio, other.path_ratio, rtol=1e-6)
    np.testing.assert_array_equal(one.steps, other.steps)
    assert geometry.curvature_of(run).condition == pytest.approx(geometry.curvature_of(flipped).condition)


def test_a_flipped_feature_destroys_the_one_sign_of_positive_inputs():
    task = build_task(Experiment())
    run, flipped = (simulate_moved(Experiment(), task, 0.0, flip) for flip in (False, True))
    assert np.nanmean(unanimous(run.gradients())) == 1 and np.nanmean(unanimous(flipped.gradients())) == 0


@pytest.mark.parametrize("fields", [
    {}, {"treatment": "center", "learning_rate": 0.5}, {"noise": 0.5}, {"dimensions": 5, "noise": 0.2, "distance": 1.0},
    {"inputs": "one_hot", "dimensions": 4, "learning_rate": 0.8}, {"inputs": "digits", "dimensions": 6},
], ids=str)
@pytest.mark.parametrize("angle", [0.0, 40.0, 90.0, 155.0])
def test_superposed_paths_are_those_of_single_runs(fields, angle):
    experiment = Experiment(**{"target_angle": angle, **fields})
    task = build_task(experiment)
    noise = task.targets - task.inputs @ task.optimum if experiment.noise else None
    found = sweep_angles(task.inputs, task.direction, np.deg2rad([angle]), experiment.learning_rate, 200, 3,
                         distance=experiment.distance, noise=noise)
    run = simulate(experiment, 3)
    np.testing.assert_allclose(found.single[0], summarize(run).path_ratio, rtol=1e-6)
    full = simulate(replace(experiment, batch_size=experiment.rows, noise=0.0))
    np.testing.assert_allclose(found.full, summarize(full).path_ratio, rtol=1e-6)


@pytest.mark.parametrize("dimensions", [2, 6])
def test_no_path_is_shorter_than_the_samples_allow(dimensions):
    task, angles = build_task(Experiment(dimensions=dimensions)), np.deg2rad(np.arange(0, 181, 15))
    found = sweep_angles(task.inputs, task.direction, angles, 0.5, 3000, 5)
    assert (found.single >= 0.998 * found.data_cone[:, None]).all()  # they end within 0.1 % of the way
    assert found.data_cone.max() > 1.3 and 1 <= found.one_sign.min() <= found.one_sign.max() <= math.sqrt(2) + 1e-12


def test_what_signs_allow_across_the_mean_is_the_square_root_of_two():
    found = sweep_angles(NINE_TO_ONE, DIRECTION, np.deg2rad([0.0, 45.0, 90.0, 180.0]), 0.25, 10, 2)
    np.testing.assert_allclose(found.one_sign, [1, 1, math.sqrt(2), 1], atol=1e-12)


def test_a_direction_that_the_inputs_lack_has_no_path():
    task = build_task(Experiment(treatment="layer_norm"))
    found = sweep_angles(task.inputs, task.direction, np.deg2rad([0.0, 60.0, 90.0]), 0.25, 50, 2)
    assert np.isnan(found.single[0]).all() and np.isnan([found.full[0], found.one_sign[0], found.data_cone[0]]).all()
    assert found.data_cone[1:] == pytest.approx(1) and found.full[1:] == pytest.approx(1)


def test_runs_that_diverge_have_no_length():
    task = build_task(Experiment())
    found = sweep_angles(task.inputs, task.direction, np.array([1.0]), 8.0, 500, 3)
    assert np.isnan(found.single).all() and np.isnan(found.full).all()


@pytest.mark.parametrize("angle, efficiency", [(0, 0.0303), (15, 0.0314), (45, 0.0428), (75, 0.1163), (90, 1.0)])
def test_the_factorial_design_at_its_best_rate(angle, efficiency):
    """Full-batch descent on the 2^8 design: along the mean pure back and forth, across it straight."""
    task = build_task(Experiment(inputs="factorial", dimensions=8))
    found = rate_map(task.inputs, task.direction, [33 / 34], np.deg2rad([angle]), 200)
    assert found.efficiency[0, 0] == pytest.approx(efficiency, rel=2e-3)
    assert found.best == pytest.approx(33 / 34) and found.borders[[0, -1]] == pytest.approx([0.5, 16.5])


def test_the_map_at_the_best_rate_has_the_closed_forms_of_two_modes():
    """κ = 9 and equal components: the path is √41 times the straight line, every cosine -80/82."""
    found = rate_map(NINE_TO_ONE, DIRECTION, [0.9], [math.pi / 4], 200)
    assert found.turning[0, 0] == pytest.approx(-80 / 82) and found.best == pytest.approx(0.9)
    assert 1 / found.efficiency[0, 0] == pytest.approx(math.sqrt(41), rel=2e-3)


@pytest.mark.parametrize("dimensions, treatment", [(2, "none"), (7, "none"), (7, "center")])
def test_the_cells_are_the_paths_of_gradient_descent(dimensions, treatment):
    task = build_task(Experiment(dimensions=dimensions, treatment=treatment))
    fractions, angles, steps = [0.05, 0.3, 0.55, 0.98, 1.0], np.deg2rad([0, 30, 90, 170]), 120
    found = rate_map(task.inputs, task.direction, fractions, angles, steps)
    hessian = task.inputs.T @ task.inputs / len(task.inputs)
    limit = 2 / np.linalg.eigvalsh(hessian)[-1]
    for f, fraction in enumerate(fractions):
        for a, angle in enumerate(angles):
            error = -(math.cos(angle) * task.direction + math.sin(angle) * across(task.direction))
            path = cut_tail(gradient_descent_path(hessian, error, fraction * limit, steps), np.zeros(dimensions))
            assert found.turning[f, a] == pytest.approx(turning(path), abs=1e-6)
            assert found.efficiency[f, a] == pytest.approx(path_efficiency(path), rel=1e-6)


def test_a_map_in_pieces_is_the_same_map(monkeypatch):
    task, angles = build_task(Experiment(dimensions=5)), np.deg2rad([0, 50, 100])
    whole = rate_map(task.inputs, task.direction, np.linspace(0.1, 1, 7), angles, 60)
    monkeypatch.setattr(geometry, "BLOCK_VALUES", 700)
    pieces = rate_map(task.inputs, task.direction, np.linspace(0.1, 1, 7), angles, 60)
    np.testing.assert_array_equal(whole.turning, pieces.turning)
    np.testing.assert_array_equal(whole.efficiency, pieces.efficiency)


def test_beyond_the_limit_the_map_is_empty():
    found = rate_map(NINE_TO_ONE, DIRECTION, [0.5, 1.05], [0.3], 50)
    assert np.isfinite(found.turning[0, 0]) and np.isnan([found.turning[1, 0], found.efficiency[1, 0]]).all()


def test_inputs_of_zeros_are_refused():
    with pytest.raises(ValueError, match="inputs"):
        rate_map(np.zeros((4, 2)), DIRECTION, [0.5], [0.3], 50)


def test_the_rate_as_a_fraction_of_its_limit():
    assert geometry.rate_fraction(simulate(Experiment(learning_rate=0.4, steps=1))) == 0.4
    absolute = simulate(Experiment(learning_rate=0.5, rate_unit="absolute", steps=1))
    again = simulate(Experiment(learning_rate=geometry.rate_fraction(absolute), steps=1))
    assert again.learning_rate == pytest.approx(0.5)
    assert geometry.rate_fraction(simulate(Experiment(optimizer="adam", learning_rate=2.0, steps=1))) == 0.25
