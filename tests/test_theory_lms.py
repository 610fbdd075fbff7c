"""The mean-square theory of descent: golden values, all paths of tiny data sets, and simulated runs."""
import itertools
import math

import numpy as np
import pytest

from zz_core import Experiment, simulate
from zz_core.theory.lms import (
    finite_data_curve,
    lms_curve,
    lms_map,
    lms_max_rate,
    lms_misadjustment,
    stationary_turning,
)

SIGMOID = (0.5, 0.04337903586)  # mean and variance of the sigmoid of a standard normal
GOLDEN = (4, 0.6, 0.09)  # dimensions, mean, variance
BATCHES = [1, 4, 32, math.inf]


def spectral_radius(*arguments) -> float:
    return np.abs(np.linalg.eigvals(lms_map(*arguments))).max()


def steps_per_e_fold(dimensions: int, mean: float, variance: float, batch_size: float) -> float:
    """Of E|e|² at the rate that makes it least: a grid, three times finer around its best."""
    low, high = 0.0, lms_max_rate(dimensions, mean, variance, batch_size)
    for _ in range(3):
        rates = np.linspace(low, high, 102)[1:-1]
        radii = [spectral_radius(dimensions, mean, variance, rate, batch_size) for rate in rates]
        best, width = rates[np.argmin(radii)], rates[1] - rates[0]
        low, high = best - width, best + width
    return -1 / math.log(min(radii))


def stream(dimensions: int, mean: float, variance: float, rate: float, batch_size: int, noise: float,
           error: np.ndarray, steps: int, replicates: int, seed: int) -> np.ndarray:
    """(steps + 1, replicates, D): errors of descent on fresh Gaussian batches."""
    rng = np.random.default_rng(seed)
    errors = np.empty((steps + 1, replicates, dimensions))
    errors[0] = error
    for t in range(steps):
        x = mean + math.sqrt(variance) * rng.standard_normal((replicates, batch_size, dimensions))
        residuals = np.vecdot(x, errors[t][:, None]) - noise * rng.standard_normal((replicates, batch_size))
        errors[t + 1] = errors[t] - rate / batch_size * np.vecdot(residuals[..., None], x, axis=1)
    return errors


def excess(errors: np.ndarray, mean: float, variance: float) -> np.ndarray:
    return 0.5 * (variance * np.square(errors).sum(axis=-1) + mean**2 * errors.sum(axis=-1) ** 2)


def assert_agrees(samples: np.ndarray, expected: np.ndarray) -> None:
    """Means over the last axis of `samples`, within 4.5 standard errors each."""
    deviation = samples.std(axis=-1, ddof=1) / math.sqrt(samples.shape[-1])
    assert (np.abs(samples.mean(axis=-1) - expected) <= 4.5 * deviation + 1e-12 * np.abs(expected)).all()
    assert (deviation < 0.2 * np.abs(expected)).all()  # or nothing would have been compared


# --- Gaussian features

@pytest.mark.parametrize(("batch_size", "expected"),
                         list(zip(BATCHES, [0.9407756371, 1.2231693159, 1.2976907188, 1.3071895425], strict=True)))
def test_the_golden_limits(batch_size, expected):
    assert lms_max_rate(*GOLDEN, batch_size) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("batch_size", BATCHES)
@pytest.mark.parametrize("problem", [GOLDEN, (2, 1.0, 1.0), (64, *SIGMOID), (8, 0.0, 0.3), (1, 0.5, 0.2)])
def test_the_map_contracts_below_the_limit_and_not_above(problem, batch_size):
    limit = lms_max_rate(*problem, batch_size)
    if problem[0] == 1:  # the part across the mean direction is empty
        assert abs(lms_map(*problem, limit, batch_size)[0, 0]) == pytest.approx(1, abs=1e-12)
        return
    assert spectral_radius(*problem, 0.98 * limit, batch_size) < 1 < spectral_radius(*problem, 1.02 * limit, batch_size)
    assert spectral_radius(*problem, limit, batch_size) == pytest.approx(1, abs=1e-9)


def test_the_limit_in_closed_form():
    for batch_size in (1, 3, 50):
        for dimensions in (1, 2, 9):
            assert lms_max_rate(dimensions, 0.0, 0.3, batch_size) == pytest.approx(
                2 / (0.3 * (1 + (dimensions + 1) / batch_size)), rel=1e-12)
    assert lms_max_rate(8, 0.5, 0.0625, math.inf) == pytest.approx(2 / 2.0625, rel=1e-12)


@pytest.mark.parametrize(("batch_size", "expected"),
                         list(zip(BATCHES, [0.8462995628, 0.2647111647, 0.0340261279, 0.0], strict=True)))
def test_the_golden_misadjustments(batch_size, expected):
    rate = 0.5 * lms_max_rate(*GOLDEN, batch_size)
    assert lms_misadjustment(*GOLDEN, rate, batch_size) == pytest.approx(expected, abs=1e-10)
    if expected:
        curve = lms_curve(*GOLDEN, rate, batch_size, 0.3, np.zeros(4), 3000)
        assert curve[-1] == pytest.approx(0.5 * 0.3**2 * expected, rel=1e-8)


def test_the_misadjustment_of_small_rates():
    assert lms_misadjustment(*GOLDEN, 1e-6, 8) == pytest.approx(1e-6 * 4 * (0.36 + 0.09) / 16, rel=1e-5)
    assert lms_misadjustment(*GOLDEN, lms_max_rate(*GOLDEN, 8), 8) == math.inf


def test_the_golden_step():
    """(p, q) = (1, 1) becomes (0.635, 0.865) with noise² = 0.5; the loss is ½ (3p + q)."""
    added = 0.1**2 * 0.5 * np.array([3, 1])
    np.testing.assert_allclose(lms_map(2, 1.0, 1.0, 0.1, 1) @ [1, 1] + added, [0.635, 0.865], rtol=1e-12)
    curve = lms_curve(2, 1.0, 1.0, 0.1, 1, math.sqrt(0.5), np.array([math.sqrt(2), 0.0]), 1)
    np.testing.assert_allclose(curve, [0.5 * (3 + 1), 0.5 * (3 * 0.635 + 0.865)], rtol=1e-12)


@pytest.mark.parametrize(("problem", "batch_size", "fraction"), [
    (GOLDEN, 1, 0.3), (GOLDEN, 4, 0.5), ((2, 1.0, 1.0), 2, 0.3), ((3, -0.5, 0.05), 1, 0.35), ((1, 0.7, 0.2), 1, 0.2)])
def test_a_simulated_stream_follows_the_curve(problem, batch_size, fraction):
    dimensions, mean, variance = problem
    rate, error = fraction * lms_max_rate(*problem, batch_size), np.linspace(1.5, -0.5, dimensions)
    errors = stream(*problem, rate, batch_size, 0.4, error, 40, 10000, seed=1)
    curve = lms_curve(*problem, rate, batch_size, 0.4, error, 40)
    assert_agrees(excess(errors, mean, variance)[::4], curve[::4])


def test_a_simulated_stream_ends_at_the_misadjustment():
    rate = 0.3 * lms_max_rate(*GOLDEN, 4)
    errors = stream(*GOLDEN, rate, 4, 1.0, np.zeros(4), 150, 10000, seed=2)
    assert_agrees(excess(errors[-1], 0.6, 0.09), 0.5 * lms_misadjustment(*GOLDEN, rate, 4))


def test_exact_gradients_give_the_deterministic_path():
    error, hessian = np.array([1.0, -0.4, 0.2]), 0.2 * np.eye(3) + 0.25
    path = [np.linalg.matrix_power(np.eye(3) - 1.3 * hessian, t) @ error for t in range(8)]
    expected = [0.5 * each @ hessian @ each for each in path]
    np.testing.assert_allclose(lms_curve(3, 0.5, 0.2, 1.3, math.inf, 0.7, error, 7), expected, rtol=1e-12)


@pytest.mark.parametrize("batch_size", [1, math.inf])
def test_a_diverging_curve_ends_infinite(batch_size):
    curve = lms_curve(*GOLDEN, 50.0, batch_size, 0.1, np.ones(4), 500)
    assert curve[-1] == np.inf and not np.isnan(curve).any()


# --- what centering buys

@pytest.mark.parametrize(("batch_size", "raw", "centered", "gain"), [
    (1, 208.1, 65.5, 3.2), (4, 117.7, 16.7, 7.0), (16, 98.4, 4.54, 21.7), (64, 93.9, 1.46, 64),
    (256, 92.8, 0.626, 148)])
def test_centering_sigmoid_inputs_gains_with_the_batch_size(batch_size, raw, centered, gain):
    found = [steps_per_e_fold(64, mean, SIGMOID[1], batch_size) for mean in (SIGMOID[0], 0.0)]
    assert found == pytest.approx([raw, centered], rel=0.004)
    assert found[0] / found[1] == pytest.approx(gain, rel=0.02)


def test_centering_at_batches_of_one():
    raw, centered = steps_per_e_fold(8, 2.0, 1.0, 1), steps_per_e_fold(8, 0.0, 1.0, 1)
    assert (raw, centered) == pytest.approx((21.7037, 9.4912), abs=6e-5)
    assert raw / centered == pytest.approx(2.287, abs=6e-4)


@pytest.mark.parametrize(("ratio", "expected"), [
    (4.0, 2.618034), (17.913984, 7.1530), (5.7631525, 3.2411), (2.5361754, 2.0743), (1.5741556, 1.6957),
    (0.46694221, 1.2223)])
def test_with_many_dimensions_the_gain_at_batches_of_one_has_a_limit(ratio, expected):
    """((1 + sqrt(1 + m²/v)) / 2)², whatever D."""
    assert ((1 + math.sqrt(1 + ratio)) / 2) ** 2 == pytest.approx(expected, abs=6e-5)
    found = steps_per_e_fold(10**6, math.sqrt(ratio), 1.0, 1) / steps_per_e_fold(10**6, 0.0, 1.0, 1)
    assert found == pytest.approx(expected, rel=3e-4)


# --- the zig-zag of a stationary run

@pytest.mark.parametrize(("problem", "batch_size", "fraction"), [(GOLDEN, 4, 0.5), ((3, 0.5, 0.25), 1, 0.3)])
def test_stationary_steps_turn_back(problem, batch_size, fraction):
    dimensions, mean, variance = problem
    rate = fraction * lms_max_rate(*problem, batch_size)
    errors = stream(*problem, rate, batch_size, 1.0, np.zeros(dimensions), 260, 2500, seed=3)[60:]
    steps = np.diff(errors, axis=0)
    top = variance + dimensions * mean**2
    along = steps.mean(axis=-1, keepdims=True)  # the part along (1, ..., 1), but for a factor
    for parts, expected in [(steps, stationary_turning(*problem, rate, batch_size)), (along, -0.5 * rate * top),
                            (steps - along, -0.5 * rate * variance)]:
        products = np.vecdot(parts[1:], parts[:-1]).mean(axis=0)
        squares = np.square(parts[:-1]).sum(axis=-1).mean(axis=0)
        # a ratio of means, its error from the replicates
        deviation = (products - expected * squares).std(ddof=1) / math.sqrt(len(products)) / squares.mean()
        assert abs(products.mean() / squares.mean() - expected) < 4.5 * deviation
        assert deviation < 0.01


def test_a_rate_of_one_over_the_largest_eigenvalue_halves_along_the_mean():
    """With almost no variance all of the step lies along the mean: -½ rate lambda = -½."""
    assert stationary_turning(4, 1.0, 1e-9, 1 / 4, 100) == pytest.approx(-0.5, abs=1e-6)
    assert math.isnan(stationary_turning(*GOLDEN, 2.0, 1)) and math.isnan(stationary_turning(*GOLDEN, 0.5, math.inf))


@pytest.mark.parametrize("batch_size", [1, 8])
def test_stationary_runs_turn_back_along_every_eigenvector_of_their_data(batch_size):
    """-½ rate lambda_i for any data: uniform inputs are not Gaussian."""
    run = simulate(Experiment(inputs="uniform", activation="identity", input_mean=0.5, input_std=12**-0.5,
                              dimensions=3, distance=0.0, noise=0.5, optimizer="sgd", batch_size=batch_size,
                              rate_unit="absolute", learning_rate=0.8, steps=500), 800)
    values, vectors = np.linalg.eigh(run.inputs.T @ run.inputs / len(run.inputs))
    steps = run.updates()[:, 100:] @ vectors
    for i, value in enumerate(values):
        products = (steps[:, 1:, i] * steps[:, :-1, i]).mean(axis=1)
        squares = np.square(steps[:, :-1, i]).mean(axis=1)
        expected = -0.5 * 0.8 * value
        deviation = (products - expected * squares).std(ddof=1) / math.sqrt(len(products)) / squares.mean()
        assert abs(products.mean() / squares.mean() - expected) < 4.5 * deviation
        assert deviation < 0.01


# --- finite data

def small_problem() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Four samples of two inputs, residuals orthogonal to both, a start error."""
    inputs = np.array([[1.0, 0.5], [0.8, 1.2], [0.3, 0.9], [1.1, 0.7]])
    rough = np.array([0.5, -0.3, 0.4, -0.2])
    return inputs, rough - inputs @ np.linalg.lstsq(inputs, rough, rcond=None)[0], np.array([0.7, -1.1])


@pytest.mark.parametrize(("batch_size", "without_replacement"),
                         [(1, False), (2, False), (1, True), (2, True), (3, True)])
def test_all_paths_of_a_tiny_data_set_average_to_the_curve(batch_size, without_replacement):
    inputs, residuals, error = small_problem()
    choose = itertools.combinations(range(4), batch_size) if without_replacement else itertools.product(
        range(4), repeat=batch_size)
    batches, rates = np.array(list(choose)), np.array([0.6, 0.3, 0.9])
    curve = finite_data_curve(inputs, residuals, error, rates, batch_size, 3, without_replacement)
    hessian, errors = inputs.T @ inputs / 4, error[None]
    for t in range(4):
        losses = 0.5 * np.vecdot(errors @ hessian, errors)
        assert curve.excess[t] == pytest.approx(losses.mean(), rel=1e-12)
        np.testing.assert_allclose(curve.mean_error[t], errors.mean(axis=0), rtol=1e-11, atol=1e-14)
        if t < 3:
            slopes = errors @ inputs.T - residuals  # (paths, 4)
            gradients = np.vecdot(slopes[:, batches][..., None], inputs[batches], axis=-2) / batch_size
            errors = (errors[:, None] - rates[t] * gradients).reshape(-1, 2)


RUNS = {
    "raw": {"noise": 0.3}, "bias": {"noise": 0.3, "bias": True, "start_bias": 0.5}, "no noise": {},
    "centered": {"noise": 0.3, "treatment": "center", "bias": True}, "decaying": {"noise": 0.3, "schedule": "cosine"},
    "real": {"inputs": "wine", "target": "labels", "bias": True, "treatment": "standardize"}}


@pytest.mark.parametrize("batch_size", [1, 4, "all"])
@pytest.mark.parametrize("name", RUNS)
def test_simulated_runs_follow_the_curve(name, batch_size):
    options = {"dimensions": 3, "samples": 64, "target_angle": 60.0, "loss": "squared", "optimizer": "sgd",
               "sampling": "replacement", "rate_unit": "absolute", "steps": 60} | RUNS[name]
    rows = Experiment(**options).rows
    size = rows if batch_size == "all" else batch_size
    experiment = Experiment(**options, batch_size=size, learning_rate=0.12 if name == "real" else 0.3, seed=11)
    run = simulate(experiment, 1000)
    features, error = run.inputs, run.weights[0, 0] - run.optimum
    residuals, errors = run.targets - run.inputs @ run.optimum, run.weights - run.optimum
    if experiment.bias:
        features = np.column_stack([features, np.ones(rows)])
        error = np.append(error, run.biases[0, 0] - run.optimum_bias)
        residuals = residuals - run.optimum_bias
        errors = np.concatenate([errors, (run.biases - run.optimum_bias)[..., None]], axis=-1)
    rates = 0.3 * 0.5 * (1 + np.cos(np.pi * np.arange(60) / 60)) if name == "decaying" else run.learning_rate
    curve = finite_data_curve(features, residuals, error, rates, size, 60)
    if size == rows:
        np.testing.assert_allclose(run.excess_losses()[0], curve.excess, rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(errors[0], curve.mean_error, rtol=1e-9, atol=1e-12)
        return
    assert_agrees(run.excess_losses().T[5::5], curve.excess[5::5])
    deviation = errors.std(axis=0, ddof=1) / math.sqrt(1000)
    assert (np.abs(errors.mean(axis=0) - curve.mean_error) <= 4.5 * deviation + 1e-12).all()


def test_many_gaussian_samples_behave_as_the_stream():
    rng = np.random.default_rng(8)
    inputs = 0.6 + 0.3 * rng.standard_normal((100000, 4))
    noise = 0.5 * rng.standard_normal(100000)
    residuals = noise - inputs @ np.linalg.lstsq(inputs, noise, rcond=None)[0]
    error = np.array([1.0, -1.0, 0.5, 0.3])
    curve = finite_data_curve(inputs, residuals, error, 0.4, 2, 40)
    np.testing.assert_allclose(curve.excess, lms_curve(*GOLDEN, 0.4, 2, 0.5, error, 40), rtol=0.03)


def test_long_runs_stay_stationary():
    """Rounding errors do not build up."""
    inputs, residuals, error = small_problem()
    curve = finite_data_curve(inputs, residuals, error, 0.9, 1, 20000)
    assert curve.excess[20000] == pytest.approx(curve.excess[2000], rel=1e-9)


def test_the_optimum_must_be_one():
    inputs, residuals, error = small_problem()
    with pytest.raises(ValueError, match="orthogonal"):
        finite_data_curve(inputs, residuals + 1e-6, error, 0.1, 1, 5)
    finite_data_curve(inputs, residuals * 1e-17, error, 0.1, 1, 5)  # rounding errors are no residuals
    finite_data_curve(inputs, 1e-17 * np.ones(4), error, 0.1, 1, 5)


@pytest.mark.parametrize("call", [
    lambda: lms_max_rate(0, 0.5, 0.1, 1), lambda: lms_max_rate(2, 0.5, 0.0, 1),
    lambda: lms_max_rate(2, math.nan, 0.1, 1), lambda: lms_max_rate(2, 0.5, 0.1, 0.5),
    lambda: lms_misadjustment(2, 0.5, 0.1, 0.0, 1), lambda: lms_curve(2, 0.5, 0.1, 0.1, 1, 0.1, np.ones(3), 5),
    lambda: finite_data_curve(np.ones((4, 2)), np.zeros(3), np.ones(2), 0.1, 1, 5),
    lambda: finite_data_curve(np.ones((4, 2)), np.zeros(4), np.ones(3), 0.1, 1, 5),
    lambda: finite_data_curve(np.ones((4, 2)), np.zeros(4), np.ones(2), 0.1, 5, 5),
    lambda: finite_data_curve(np.ones((4, 2)), np.zeros(4), np.ones(2), np.ones(4), 1, 5)])
def test_impossible_arguments_get_a_sentence(call):
    with pytest.raises(ValueError, match="must be|must lie"):
        call()


@pytest.mark.parametrize("size", [1, 3, 12, 13])
def test_few_and_many_parameters_obey_the_same_recursion(size, monkeypatch):
    rng = np.random.default_rng(size)
    inputs = rng.normal(0.7, 1, (40, size))
    residuals = rng.normal(0, 0.3, 40)
    residuals -= inputs @ np.linalg.lstsq(inputs, residuals, rcond=None)[0]
    arguments = inputs, residuals, rng.normal(0, 1, size), 0.3 / size * np.linspace(1, 0.2, 30), 2, 30
    curves = []
    for few in (0, 99):
        monkeypatch.setattr("zz_core.theory.lms.FEW", few)
        curves.append(finite_data_curve(*arguments))
    np.testing.assert_allclose(curves[0].excess, curves[1].excess, rtol=1e-10)
    np.testing.assert_allclose(curves[0].mean_error, curves[1].mean_error, rtol=1e-10, atol=1e-14)
