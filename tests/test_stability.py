"""The stability limit: golden values, an exact criterion for the mean square, and runs just below and above it."""
import dataclasses
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.strategies import experiments
from zz_core import Experiment, simulate
from zz_core.stability import absolute_rate, eigenvalues, local_features, stability_limit
from zz_core.task import build_task

MOMENTA = ["sgd", "momentum", "nesterov"]
CURVATURE = {"squared": 1.0, "logistic": 0.25, "sigmoid_squared": 0.07702928506067525}


def limit(data=None, **values) -> float:
    experiment = Experiment(**values)
    return stability_limit(experiment, build_task(experiment, data))


# --- golden values -----------------------------------------------------------------------------------------------

def test_the_limit_of_the_factorial_design_is_exact():
    """l1 = v + D m² = 1/16 + 8/4."""
    assert limit(inputs="factorial", dimensions=8, batch_size=256) == pytest.approx(2 / 2.0625, rel=1e-12)
    assert limit(inputs="factorial", dimensions=8, batch_size=256, treatment="center") == pytest.approx(32, rel=1e-12)


def test_the_limit_of_one_hot_inputs_is_exact():
    """H = I/D; one sample has |x|² = 1, so R² is 1."""
    assert limit(inputs="one_hot", dimensions=4, batch_size=256) == pytest.approx(8.0, rel=1e-12)
    assert limit(inputs="one_hot", dimensions=4, batch_size=1) == pytest.approx(2.0, rel=1e-12)
    assert limit(inputs="one_hot", dimensions=4, batch_size=2) == pytest.approx(2 / (0.5 / 4 + 0.5), rel=1e-12)


def test_a_learned_bias_adds_its_column():
    """D = 2 factorial: T = v + D m² + 1 = 1.5625, so l = (T ± sqrt(T² - 4v)) / 2."""
    experiment = Experiment(inputs="factorial", dimensions=2, bias=True, batch_size=4)
    root = math.sqrt(1.5625**2 - 4 / 16)
    expected = [(1.5625 + root) / 2, 1 / 16, (1.5625 - root) / 2]
    np.testing.assert_allclose(eigenvalues(experiment, build_task(experiment)), expected, rtol=1e-12)
    assert limit(inputs="factorial", dimensions=2, bias=True, batch_size=4) == pytest.approx(2 / expected[0])


@pytest.mark.parametrize(("values", "expected"), [
    ({}, 24 / 7),  # U(0, 1), D = 2: l1 = 7/12
    ({"bias": True}, 2 / 1.5288252505),
    ({"treatment": "center"}, 24.0),
    ({"treatment": "standardize", "bias": True}, 2.0)])
def test_the_full_batch_limit_of_uniform_inputs(values, expected):
    found = limit(inputs="uniform", activation="identity", input_mean=0.5, input_std=1 / math.sqrt(12), samples=65536,
                  batch_size=65536, **values)
    assert found == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("batch_size", [1, 4, 32])
def test_the_limit_is_exact_for_isotropic_centered_gaussian_inputs(batch_size):
    """2 / (v (1 + (D + 1)/B)), the classical result for LMS."""
    found = limit(activation="identity", input_std=0.5, dimensions=4, samples=65536, batch_size=batch_size)
    assert found == pytest.approx(2 / (0.25 * (1 + 5 / batch_size)), rel=0.03)


@pytest.mark.parametrize(("values", "exact"), [(1, 0.9407756371), (4, 1.2231693159), (32, 1.2976907188)])
def test_the_limit_is_on_the_safe_side_of_the_exact_one_for_gaussian_inputs_with_a_mean(values, exact):
    """D = 4, m = 0.6, v = 0.09."""
    found = limit(activation="identity", input_mean=0.6, input_std=0.3, dimensions=4, samples=65536, batch_size=values)
    assert 0.8 * exact < found < 1.01 * exact


@pytest.mark.parametrize("loss", CURVATURE)
def test_the_limit_is_divided_by_the_curvatures_bound(loss):
    for batch_size in (1, 8, 256):
        assert limit(loss=loss, batch_size=batch_size) == pytest.approx(
            limit(batch_size=batch_size) / CURVATURE[loss])


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
def test_momentum_raises_the_full_batch_limit_and_lowers_that_of_one_sample(beta):
    """2(1 + b)/l1 for the heavy ball, 2(1 + b)/((1 + 2b) l1) for Nesterov's, and a noise of 1/(1 - b)."""
    base = {"momentum": beta, "batch_size": 256}
    plain = limit(**base)
    assert limit(optimizer="momentum", **base) == pytest.approx((1 + beta) * plain)
    assert limit(optimizer="nesterov", **base) == pytest.approx((1 + beta) / (1 + 2 * beta) * plain)
    single = 2 / limit(batch_size=1)
    assert 2 / limit(optimizer="momentum", momentum=beta, batch_size=1) == pytest.approx(single / (1 - beta))


def test_momentum_matters_to_the_rules_that_have_it_only():
    assert limit(momentum=0.99) == limit(momentum=0.0)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_the_limit_of_batch_norm_is_that_of_whitened_noise(bias, batch_size):
    experiment = Experiment(treatment="batch_norm", bias=bias, batch_size=batch_size, dimensions=5)
    top = eigenvalues(experiment, build_task(experiment))[0]
    share = 1 / max(batch_size - 1, 1)
    expected = 2 / ((1 - share) * top + share * (5 + bias))
    assert limit(treatment="batch_norm", bias=bias, batch_size=batch_size, dimensions=5) == pytest.approx(expected)


def test_the_limit_grows_with_the_batch():
    found = [limit(batch_size=size, dimensions=6) for size in (1, 2, 8, 32, 128, 256)]
    assert found == sorted(found) and found[0] < found[-1]


def test_no_signal_has_no_limit():
    """Nothing to learn and no critical rate: refused with the field that causes it, or run at the rate given."""
    zeros = np.zeros((5, 2)), np.arange(5.0)
    assert limit(zeros) == math.inf
    with pytest.raises(ValueError, match="treatment="):
        simulate(Experiment(), data=zeros)
    assert (simulate(Experiment(rate_unit="absolute"), data=zeros).weights == 0).all()


@pytest.mark.parametrize("value", [0.1, 0.3, 7.7])
@pytest.mark.parametrize("treatment", ["center", "standardize", "whiten"])
def test_centered_constants_are_no_signal(treatment, value):
    """A mean of equal numbers is off by rounding; what is left of them is 1e-17, and must not set the rate to 1e33."""
    with pytest.raises(ValueError, match="treatment="):
        simulate(Experiment(treatment=treatment), data=(np.full((7, 2), value), np.arange(7.0)))


def test_absolute_and_critical_rates():
    for name, rate in [("sgd", None), ("momentum", None), ("nesterov", None), ("rmsprop", 0.3), ("adam", 0.3),
                       ("gauss_newton", 0.3), ("levenberg_marquardt", 0.3)]:
        experiment = Experiment(optimizer=name, learning_rate=0.3)
        task = build_task(experiment)
        expected = 0.3 * stability_limit(experiment, task) if rate is None else rate
        assert absolute_rate(experiment, task) == pytest.approx(expected)
        assert simulate(dataclasses.replace(experiment, steps=1)).learning_rate == pytest.approx(expected)
        assert absolute_rate(dataclasses.replace(experiment, rate_unit="absolute"), task) == 0.3


# --- the exact criterion -----------------------------------------------------------------------------------------

def mean_square_radius(features: np.ndarray, rate: float, batch_size: int, rule: str, beta: float) -> float:
    """Growth per step of E[state state'], state = (error, velocity), without noise: the largest eigenvalue of its map.

    One step is T = base + coupling ⊗ S with S the mean of x x' over the batch; E[T ⊗ T] of independent draws is
    E[T] ⊗ E[T] plus 1/B of the covariance of one draw. Directions that no sample has are left out: nothing moves there.
    """
    _, values, vectors = np.linalg.svd(features, full_matrices=False)
    x = features @ vectors[values > 1e-10 * values[0]].T
    base, coupling = {
        "sgd": ([[1.0]], [[-rate]]),
        "momentum": ([[1, -rate * beta], [0, beta]], [[-rate, 0], [1, 0]]),
        "nesterov": ([[1, -rate * beta**2], [0, beta]], [[-rate * (1 + beta), 0], [1, 0]])}[rule]
    mean = np.kron(coupling, x.T @ x / len(x))
    step = np.kron(base, np.eye(x.shape[1])) + mean
    growth = np.kron(step, step)
    if batch_size < len(x):
        draws = [np.kron(coupling, np.outer(row, row)) for row in x]
        growth += (sum(np.kron(draw, draw) for draw in draws) / len(x) - np.kron(mean, mean)) / batch_size
    return float(np.abs(np.linalg.eigvals(growth)).max())


LINEAR = ["none", "center", "standardize", "whiten", "layer_norm", "rms_norm", "input_bias"]


@given(experiments(treatment=st.sampled_from(LINEAR), optimizer=st.sampled_from(MOMENTA), dimensions=st.integers(1, 3),
                   loss=st.just("squared"), input_std=st.just(1.0), input_mean=st.sampled_from([0.0, 1.0]),
                   momentum=st.sampled_from([0.0, 0.5, 0.9, 0.99]), noise=st.just(0.0)))
@settings(max_examples=120)
def test_no_rate_below_the_limit_lets_the_mean_square_grow(experiment):
    """Exactly, for random data, rules and batch sizes; and any rate above it does for the full batch."""
    try:
        task = build_task(experiment)
    except ValueError:
        assume(False)
    features, found = local_features(experiment, task), stability_limit(experiment, task)
    assume(math.isfinite(found))
    np.testing.assert_allclose(features.T @ features / len(features) @ np.ones(features.shape[1]),
                               by_hand(experiment, task) @ np.ones(features.shape[1]), rtol=1e-9, atol=1e-9)

    def radius(fraction: float) -> float:
        return mean_square_radius(features, fraction * found, experiment.batch_size, experiment.optimizer,
                                  experiment.momentum)

    for fraction in (0.1, 0.5, 0.95, 1.0):
        assert radius(fraction) <= 1 + 1e-7  # a double root at the limit itself: half of the digits are left
    if experiment.full_batch:
        assert radius(1.02) > 1.001


def by_hand(experiment: Experiment, task) -> np.ndarray:
    """H of the parameters (w[, b][, bias]) at the optimum, one sample at a time."""
    total = 0.0
    for x in task.evaluated:
        row = list(x)
        row += list(task.optimum) if experiment.treatment == "input_bias" else []
        row += [1.0] if experiment.bias else []
        total = total + np.outer(row, row)
    return total / len(task.evaluated)


@pytest.mark.parametrize("rule", MOMENTA)
def test_the_exact_criterion_agrees_with_simulated_runs(rule):
    """Theory against simulation: the mean excess loss of 4000 runs decays at the predicted rate."""
    experiment = Experiment(optimizer=rule, momentum=0.5, samples=16, batch_size=2, steps=30, learning_rate=0.4,
                            target_angle=20.0, dimensions=2, noise=0.0, treatment="center")
    run = simulate(experiment, 4000)
    radius = mean_square_radius(run.task.evaluated, run.learning_rate, 2, rule, 0.5)
    mean = run.excess_losses().mean(axis=0)
    assert (mean[30] / mean[15]) ** (1 / 15) == pytest.approx(radius, rel=0.05)


# --- runs at 0.95 of the limit -----------------------------------------------------------------------------------

REALIZABLE = ["none", "center", "standardize", "whiten"]  # a noise-free optimum is a fixed point of every batch


def mean_excess(replicates: int = 60, **values) -> np.ndarray:
    """Mean excess loss over replicates, as a share of its start, (T+1,)."""
    run = simulate(Experiment(**{"samples": 64, "dimensions": 4, "target_angle": 50.0, "steps": 600,
                                 "learning_rate": 0.95, "distance": 1.0} | values), replicates)
    assert (run.diverged_at < 0).all()
    excess = run.excess_losses().mean(axis=0)
    return excess / excess[0]


@pytest.mark.parametrize("treatment", REALIZABLE)
@pytest.mark.parametrize("rule", MOMENTA)
@pytest.mark.parametrize("batch_size", [1, 8, 64])
@pytest.mark.parametrize("bias", [False, True])
def test_runs_at_95_percent_of_the_limit_contract(treatment, rule, batch_size, bias):
    excess = mean_excess(treatment=treatment, optimizer=rule, batch_size=batch_size, bias=bias)
    assert excess[600] < 1e-6
    if batch_size < 64:
        assert excess.max() < 1.5  # no detour by way of a large loss


@pytest.mark.parametrize("loss", ["logistic", "sigmoid_squared"])
@pytest.mark.parametrize("treatment", ["none", "center"])
@pytest.mark.parametrize("rule", MOMENTA)
@pytest.mark.parametrize("batch_size", [1, 8, 64])
def test_runs_of_the_other_losses_contract(loss, treatment, rule, batch_size):
    """The heavy ball on the full batch starts close by: further away its limit does not hold (see the next test)."""
    local = rule == "momentum" and batch_size == 64
    excess = mean_excess(40, loss=loss, treatment=treatment, optimizer=rule, batch_size=batch_size,
                         distance=0.1 if local else 1.0)
    assert excess[600] < 1e-4


def test_the_heavy_ball_on_a_loss_of_varying_curvature_is_bounded_by_the_limit_only_near_the_optimum():
    """Far away it can cycle for ever, from about 0.8 of the limit on; Nesterov's momentum and plain descent cannot.

    Lessard, Recht and Packard (2016) found such a cycle: no rate is safe because the curvature is bounded.
    """
    far = {"loss": "logistic", "batch_size": 64, "steps": 2000}
    assert mean_excess(1, optimizer="momentum", **far)[-300:].max() > 1.0
    assert mean_excess(1, optimizer="momentum", **far | {"learning_rate": 0.5})[2000] < 1e-9
    for rule in ("nesterov", "sgd"):
        assert mean_excess(1, optimizer=rule, **far)[2000] < 1e-9


@pytest.mark.parametrize("rule", MOMENTA)
@pytest.mark.parametrize("batch_size", [1, 8, 64])
@pytest.mark.parametrize("bias", [False, True])
def test_runs_with_a_learned_input_bias_contract_near_the_optimum(rule, batch_size, bias):
    """A local limit: the target is close to the start, so its slow directions are the small weights' own."""
    excess = mean_excess(treatment="input_bias", optimizer=rule, batch_size=batch_size, bias=bias, distance=0.1)
    assert excess[600] < 1e-3
    assert excess.max() < (1.5 if batch_size < 64 else 20.0)


def normalized_batches(x: np.ndarray, rng: np.random.Generator, replicates: int, size: int) -> np.ndarray:
    drawn = x[rng.integers(0, len(x), (replicates, size))]
    centered = drawn - drawn.mean(axis=1, keepdims=True)
    return centered / np.sqrt((centered**2).mean(axis=1, keepdims=True) + 1e-5)


@pytest.mark.parametrize(("activation", "inputs"), [("sigmoid", "gaussian"), ("identity", "exponential")])
@pytest.mark.parametrize("batch_size", [2, 3, 8, 32])
@pytest.mark.parametrize("rule", MOMENTA)
def test_the_noise_free_error_of_batch_norm_contracts_at_95_percent(activation, inputs, batch_size, rule):
    """Its batches disagree about the optimum, so the error is followed by itself: targets 0, a start away from 0."""
    experiment = Experiment(treatment="batch_norm", batch_size=batch_size, optimizer=rule, samples=64, dimensions=4,
                            activation=activation, inputs=inputs, learning_rate=0.95)
    task, rng, beta = build_task(experiment), np.random.default_rng(0), experiment.momentum
    rate = absolute_rate(experiment, task)
    error = rng.standard_normal((200, 4))
    velocity, start = np.zeros_like(error), (error**2).sum(axis=1).mean()
    for _ in range(300):
        x = normalized_batches(task.raw, rng, 200, batch_size)
        gradient = ((x @ error[..., None]) * x).mean(axis=1)
        velocity = beta * velocity + gradient
        error = error - rate * {"sgd": gradient, "momentum": velocity, "nesterov": gradient + beta * velocity}[rule]
    assert (error**2).sum(axis=1).mean() < 1e-2 * start


@pytest.mark.parametrize("batch_size", [2, 8])
def test_batch_norm_at_95_percent_stays_bounded_in_training(batch_size):
    run = simulate(Experiment(treatment="batch_norm", batch_size=batch_size, samples=64, dimensions=4, steps=600,
                              learning_rate=0.95), 60)
    excess = run.excess_losses().mean(axis=0)
    assert (run.diverged_at < 0).all() and excess[300:].mean() < 3 * excess[0]


# --- the full batch: exactly at the limit ------------------------------------------------------------------------

@pytest.mark.parametrize("treatment", [*REALIZABLE, "batch_norm", "layer_norm", "rms_norm"])
@pytest.mark.parametrize("rule", MOMENTA)
@pytest.mark.parametrize("bias", [False, True])
def test_the_full_batch_limit_is_exact(treatment, rule, bias):
    """5 % below it the run arrives, as slowly as the condition number has it, 5 % above it diverges."""
    base = Experiment(treatment=treatment, optimizer=rule, bias=bias, samples=64, dimensions=3, batch_size=64,
                      steps=6000, target_angle=50.0)
    below = simulate(dataclasses.replace(base, learning_rate=0.95))
    excess = below.excess_losses()[0]
    assert below.diverged_at[0] == -1 and excess[-1] < 1e-4 * excess[0]
    assert simulate(dataclasses.replace(base, learning_rate=1.05)).diverged_at[0] > 0


@pytest.mark.parametrize("fraction", [0.2, 0.45, 0.55, 0.9])
def test_the_zones_of_the_full_batch(fraction):
    """Half of the limit is 1/l1: below it the error along the mean keeps its sign, above it alternates."""
    run = simulate(Experiment(inputs="factorial", dimensions=3, batch_size=8, target_angle=0.0, steps=8,
                              learning_rate=fraction))
    error = (run.weights[0] - run.optimum).sum(axis=1)
    np.testing.assert_allclose(error[1:] / error[:-1], 1 - 2 * fraction, rtol=1e-6)
