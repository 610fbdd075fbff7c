"""Condensed data and counted batches, which spare the engine most samples, give the same runs."""
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zz_core.simulation as simulation
from zz_core import Experiment, modes, simulate, stepping
from zz_core.neuron import Linear
from zz_core.optimizers import OPTIMIZERS

FULL = Experiment(batch_size=256, steps=200, noise=0.2)
RULES = [name for name in OPTIMIZERS if name not in modes.RULES]


def alike(first, second, tolerance=1e-10):
    np.testing.assert_array_equal(first.diverged_at, second.diverged_at)
    scale = np.nanmax(np.abs(second.weights))
    np.testing.assert_allclose(first.weights, second.weights, rtol=0, atol=tolerance * scale)
    if first.biases is not None:
        np.testing.assert_allclose(first.biases, second.biases, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("fields", [{"optimizer": name} for name in RULES] + [
    {"optimizer": "adam", "bias": True, "dimensions": 8}, {"optimizer": "rmsprop", "treatment": "batch_norm"},
    {"optimizer": "momentum", "schedule": "cosine"}, {"optimizer": "adam", "inputs": "digits", "dimensions": 16},
    {"optimizer": "gauss_newton", "bias": True}, {"optimizer": "steepest_descent", "dimensions": 5}], ids=str)
def test_condensed_data_give_the_same_run(fields):
    """Adam divides by roots of squared gradients, so that near the optimum rounding errors are as large as steps: the
    rates here keep the runs away from that."""
    rate = 0.01 if fields["optimizer"] in ("adam", "rmsprop") else 0.3
    experiment = replace(FULL, learning_rate=rate, **fields)
    fast = simulate(experiment)
    with patch.object(simulation, "condensable", return_value=False):
        alike(fast, simulate(experiment), 1e-8 if experiment.optimizer in ("adam", "rmsprop") else 1e-10)


def test_condensed_data_have_the_same_gradient_curvature_and_loss():
    rng = np.random.default_rng(0)
    x, y, w = rng.normal(1, 1, (50, 4)), rng.normal(size=50), rng.normal(size=5)
    neuron = Linear(x, bias=True)
    small, fitted = neuron.condensed(y)
    assert len(fitted) == 6 and small.rows.shape == (6, 5)

    def measured(rows, targets):
        residual = rows @ w - targets
        return residual @ rows / len(rows), rows.T @ rows / len(rows), np.mean(residual**2)

    for a, b in zip(measured(small.rows, fitted), measured(neuron.rows, y), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
    few = Linear(x[:4], bias=False)
    assert few.condensed(y[:4])[0] is few


def test_a_step_of_the_full_batch_does_not_see_how_many_rows_there_are():
    seen = []
    original = stepping._run_group

    def watching(experiment, neuron, targets, *rest):
        seen.append(len(targets))
        return original(experiment, neuron, targets, *rest)

    with patch.object(stepping, "_run_group", watching):
        for rows in (256, 4096):
            simulate(Experiment(optimizer="adam", samples=rows, batch_size=rows, learning_rate=0.05))
    assert seen == [3, 3]


def test_what_cannot_be_condensed_is_not():
    seen = []
    original = stepping._run_group
    with patch.object(stepping, "_run_group", lambda e, n, targets, *rest: (
            seen.append(len(targets)), original(e, n, targets, *rest))[1]):
        simulate(Experiment(loss="logistic", batch_size=256, steps=5))
        simulate(Experiment(treatment="input_bias", batch_size=256, steps=5))
    assert seen == [256, 256]


@given(st.integers(1, 4), st.integers(1, 30), st.sampled_from(["replacement", "epoch"]),
       st.sampled_from(["sgd", "momentum", "nesterov"]), st.sampled_from(["squared", "logistic", "sigmoid_squared"]),
       st.booleans(), st.integers(16, 31), st.integers(1, 3))
def test_counted_batches_give_the_same_runs(replicates, dimensions, sampling, rule, loss, bias, batch, every):
    experiment = Experiment(dimensions=dimensions, target_angle=0.0, samples=32, batch_size=batch, sampling=sampling,
                            optimizer=rule, loss=loss, bias=bias, steps=60, noise=0.1)
    with patch.object(stepping, "counted", return_value=True):
        by_count = simulate(experiment, replicates, every=every)
    with patch.object(stepping, "counted", return_value=False):
        alike(by_count, simulate(experiment, replicates, every=every))


def test_counts_are_those_of_a_plain_loop():
    drawn = np.random.default_rng(1).integers(0, 7, (3, 4, 5), dtype=np.int32)
    counts = stepping._counts(drawn, 7, float)
    for replicate, step in np.ndindex(3, 4):
        np.testing.assert_array_equal(counts[step, replicate], [(drawn[replicate, step] == k).sum() for k in range(7)])
    np.testing.assert_array_equal(stepping._counts(drawn[:1], 7, float), counts[:, 0])


def test_batches_are_counted_where_that_is_faster():
    large = Experiment(dimensions=32, samples=100, batch_size=60)
    assert stepping.counted(large, 100, 32)
    assert not stepping.counted(replace(large, batch_size=40), 100, 32)
    assert not stepping.counted(large, 100, 8) and not stepping.counted(replace(large, batch_size=100), 100, 32)
    for fields in ({"treatment": "batch_norm"}, {"treatment": "input_bias"}, {"optimizer": "gauss_newton"}):
        assert not stepping.counted(replace(large, **fields), 100, 32)


@pytest.mark.parametrize("fields", [{}, {"batch_size": 16, "dimensions": 16}, {"batch_size": 256},
                                    {"optimizer": "momentum", "batch_size": 8, "dimensions": 32},
                                    {"loss": "logistic", "batch_size": 64}, {"treatment": "center"}], ids=str)
def test_single_precision_errs_as_little_as_its_docstring_says(fields):
    experiment = Experiment(steps=1000, noise=0.3, **fields)
    exact, single = simulate(experiment, 5), simulate(experiment, 5, dtype=np.float32)
    assert single.weights.dtype == np.float32
    scale = np.abs(exact.weights).max()
    assert np.abs(single.weights - exact.weights).max() < simulation.SINGLE_ERROR * scale
