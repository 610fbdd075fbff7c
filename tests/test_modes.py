"""The second engine: what it solves at once is what stepping gives, to rounding, and it diverges at the same step."""
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from zz_core import Experiment, modes, simulate
from zz_core.neuron import build_neuron

FULL = Experiment(batch_size=256, steps=300)
CASES = [{}, {"bias": True, "noise": 0.3, "start_bias": 2.0}, {"optimizer": "momentum"}, {"schedule": "cosine"},
         {"optimizer": "nesterov", "dimensions": 16, "steps": 3000}, {"schedule": "inverse_sqrt", "bias": True},
         {"inputs": "digits", "dimensions": 30, "steps": 2500}, {"treatment": "batch_norm"},
         {"treatment": "layer_norm", "dimensions": 3}, {"inputs": "one_hot", "dimensions": 4}, {"distance": 0.0},
         {"optimizer": "momentum", "momentum": 0.0}, {"optimizer": "nesterov", "momentum": 0.99, "steps": 1}]


def both(experiment: Experiment, **options):
    """The run by this engine and by stepping."""
    with patch.object(modes, "preferred", return_value=True):
        solved = simulate(experiment, **options)
    with patch.object(modes, "preferred", return_value=False):
        return solved, simulate(experiment, **options)


def assert_alike(solved, stepped, tolerance=1e-10):
    scale = max(np.nanmax(np.abs(stepped.weights)), 1e-300)
    np.testing.assert_allclose(solved.weights, stepped.weights, rtol=0, atol=tolerance * scale)
    if stepped.biases is not None:
        np.testing.assert_allclose(solved.biases, stepped.biases, rtol=0, atol=tolerance * scale)
    np.testing.assert_array_equal(solved.diverged_at, stepped.diverged_at)


@pytest.mark.parametrize("fields", CASES, ids=str)
def test_it_agrees_with_stepping(fields):
    assert_alike(*both(replace(FULL, **fields)))


@given(st.integers(1, 6), st.sampled_from(modes.RULES), st.floats(0.05, 0.98), st.floats(0.0, 0.95), st.booleans(),
       st.sampled_from(["none", "center", "standardize", "rms_norm"]), st.integers(1, 400), st.integers(1, 7))
def test_it_agrees_on_any_experiment_it_takes(dimensions, rule, rate, momentum, bias, treatment, steps, every):
    assume(not (dimensions == 1 and treatment == "rms_norm"))
    experiment = Experiment(dimensions=dimensions, target_angle=0.0, optimizer=rule, learning_rate=rate, bias=bias,
                            momentum=momentum, treatment=treatment, steps=steps, samples=32, batch_size=32, noise=0.2)
    assert_alike(*both(experiment, every=every))


@pytest.mark.parametrize("fields", [{"learning_rate": 1.3}, {"optimizer": "momentum", "learning_rate": 1.2},
                                    {"optimizer": "nesterov", "learning_rate": 4.0},
                                    {"learning_rate": 10.0, "dimensions": 12}])
@pytest.mark.parametrize("every", [1, 7])
def test_it_diverges_at_the_same_step(fields, every):
    solved, stepped = both(replace(FULL, steps=4000, **fields), every=every)
    assert stepped.diverged_at[0] > 0
    finite = np.isfinite(stepped.weights)
    np.testing.assert_array_equal(solved.diverged_at, stepped.diverged_at)
    np.testing.assert_array_equal(np.isfinite(solved.weights), finite)
    np.testing.assert_allclose(solved.weights[finite], stepped.weights[finite], rtol=1e-8)


def test_a_direction_without_a_slope_stays_where_it_is_at_any_rate():
    """Error across the mean alone, far above the limit of the mean direction: nothing there to blow up."""
    design = np.array([[0.25, 0.25], [0.25, 0.75], [0.75, 0.25], [0.75, 0.75]])
    experiment = Experiment(rate_unit="absolute", learning_rate=6.0, steps=3000, batch_size=4, samples=4)
    with patch.object(modes, "preferred", return_value=True):
        run = simulate(experiment, data=(design, design @ np.array([0.0, 0.0])))
    assert run.diverged_at[0] == -1 and not run.weights.any()


def test_single_precision_and_replicates_are_those_of_the_single_run():
    solved, _ = both(FULL, dtype=np.float32)
    assert solved.weights.dtype == np.float32
    several = simulate(FULL, 3)
    assert several.weights.shape == (3, 301, 2) and (several.weights == several.weights[0]).all()


def test_it_is_chosen_where_it_is_faster_and_nowhere_else():
    assert modes.preferred(FULL, 256, 2)
    assert not modes.preferred(replace(FULL, steps=5, dimensions=1024), 256, 1024)  # the eigenvectors cost more
    for other in ({"loss": "logistic"}, {"optimizer": "adam"}, {"treatment": "input_bias"},
                  {"optimizer": "momentum", "schedule": "cosine"}):
        assert not modes.preferred(replace(FULL, **other), 256, 2)


@pytest.mark.parametrize("rule", modes.RULES)
@pytest.mark.parametrize("every", [1, 7])
def test_tasks_that_share_their_inputs_are_solved_as_each_alone(rule, every):
    experiment = Experiment(dimensions=5, batch_size=256, steps=700, optimizer=rule, bias=True)
    run = simulate(experiment)
    neuron, optima = build_neuron(experiment, run.task), np.random.default_rng(0).normal(size=(4, 6))
    optima[2] = 0.0  # nothing to do
    together = modes.solve(experiment, neuron, optima, run.learning_rate, every, np.float64)
    for k, optimum in enumerate(optima):
        alone = modes.solve(experiment, neuron, optimum[None], run.learning_rate, every, np.float64)
        np.testing.assert_allclose(together.parameters[:, k], alone.parameters[:, 0], rtol=0, atol=1e-12)
    assert (together.diverged_at == -1).all()
    # at twice the limit those with an error diverge, each at its own step
    gone = modes.solve(experiment, neuron, optima, 8 * run.learning_rate, every, np.float64)
    assert gone.diverged_at[2] == -1 and (gone.diverged_at[[0, 1, 3]] > 0).all()
    for k in (0, 1, 3):
        alone = modes.solve(experiment, neuron, optima[k, None], 8 * run.learning_rate, every, np.float64)
        assert gone.diverged_at[k] == alone.diverged_at[0]


def test_the_recursion_of_a_mode_is_that_of_a_plain_loop():
    values = np.array([0.0, 0.3, 1.0, 2.5])
    for rule, beta in (("momentum", 0.8), ("nesterov", 0.5)):
        experiment = Experiment(optimizer=rule, momentum=beta, steps=40, batch_size=256)
        error, velocity, rows = np.ones(4), np.zeros(4), []
        for _ in range(40):
            gradient = values * error
            velocity = beta * velocity + gradient
            error = error - 0.4 * (gradient + beta * velocity if rule == "nesterov" else velocity)
            rows.append(error)
        found = np.concatenate(list(modes._with_velocity(experiment, values, 0.4)))
        np.testing.assert_allclose(found, rows, rtol=1e-12, atol=1e-14)
