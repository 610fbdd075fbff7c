"""Sign probabilities: exact forms and golden values, then draws of real gradients that know nothing of the formulas."""
import math

import numpy as np
import pytest

from zz_core import Experiment, simulate
from zz_core.measures import mean_direction_energy, unanimous
from zz_core.theory.signs import (
    _normal_cdf,
    batch_same_sign_probability,
    energy_share,
    mixing_batch_size,
    same_sign_probability,
)

SIGMOID, UNIFORM, RELU, GELU = 0.85213996, 0.75, 1 / math.pi, 0.18714358  # correlations m²/(m² + v)
SIGMOID_VARIANCE = 0.04337903586
P8 = (8, 0.5, 1 / 16)  # dimensions, mean, variance
DRAWS = {"uniform": lambda rng, shape: rng.random(shape), "exponential": lambda rng, shape: rng.exponential(size=shape),
         "half_normal": lambda rng, shape: np.abs(rng.standard_normal(shape))}


def close_to(probability: float, same: np.ndarray, rounding: float = 0.0) -> bool:
    """Whether the share of `same` lies within four standard errors of `probability`, itself rounded."""
    return abs(np.mean(same) - probability) < 4 * math.sqrt(probability * (1 - probability) / len(same)) + rounding


def gradients(rng: np.random.Generator, draw, count: int, batch: int, dimensions: int) -> np.ndarray:
    """(count, D) batch gradients at the optimum: Gaussian residuals that do not depend on the inputs."""
    return np.vecdot(rng.standard_normal((count, batch, 1)), draw(rng, (count, batch, dimensions)), axis=1)


# --- many normals of one sign

@pytest.mark.parametrize("rho", [0.0, 1e-6, 0.3, 0.75, 0.99, 0.9999, 1 - 1e-9, 1.0])
def test_two_and_three_normals_have_closed_forms(rho):
    assert same_sign_probability(2, rho) == pytest.approx(0.5 + math.asin(rho) / math.pi, abs=1e-12)
    assert same_sign_probability(3, rho) == pytest.approx(0.25 + 1.5 * math.asin(rho) / math.pi, abs=1e-12)


@pytest.mark.parametrize("dimensions", [1, 2, 5, 16, 256, 1024])
def test_special_correlations_have_closed_forms(dimensions):
    assert same_sign_probability(dimensions, 0.0) == pytest.approx(2.0 ** (1 - dimensions), rel=1e-10)
    assert same_sign_probability(dimensions, 1.0) == 1.0
    if dimensions > 1:
        assert same_sign_probability(dimensions, 0.5) == pytest.approx(2 / (dimensions + 1), rel=1e-12)


@pytest.mark.parametrize(("rho", "expected"), [
    (SIGMOID, [0.824696, 0.681196, 0.565873, 0.473278, 0.337303, 0.245086]),
    (UNIFORM, [0.769947, 0.582702, 0.438645, 0.330540, 0.189919, 0.110969]),
    (RELU, [0.603115, 0.290929, 0.113507, 0.037467, 0.003011, 0.000199]),
    (GELU, [0.559923, 0.219211, 0.056055, 0.009471, 0.000108, 6e-7]),
    (0.0, [0.5, 0.125, 0.0078125, 3.1e-5, 1e-19, 2e-77])])
def test_the_table_of_activations(rho, expected):
    for dimensions, value in zip((2, 4, 8, 16, 64, 256), expected, strict=True):
        small = value < 1e-4
        assert same_sign_probability(dimensions, rho) == pytest.approx(
            value, rel=0.15 if small else 0, abs=0 if small else 6e-7)


@pytest.mark.parametrize(("dimensions", "rho", "drift", "expected"), [
    (4, 0.75, 1.0, 0.7509975427), (2, 0.75, 1.0, 0.8636033936), (4, 0.75, -1.0, 0.7509975427)])
def test_a_common_drift(dimensions, rho, drift, expected):
    assert same_sign_probability(dimensions, rho, drift) == pytest.approx(expected, abs=1e-10)


def test_a_drift_of_independent_normals_multiplies():
    upper = 0.5 * math.erfc(-0.5 / math.sqrt(2))
    assert same_sign_probability(8, 0.0, 0.5) == pytest.approx(upper**8 + (1 - upper) ** 8, abs=1e-13)


@pytest.mark.parametrize(("dimensions", "rho", "drift"), [(3, 0.2, 0.4), (8, 0.75, 0.0), (8, 0.9, -0.7),
                                                         (40, 0.85, 0.3), (256, 0.999, 0.02)])
def test_drawn_normals_share_a_sign_as_often(dimensions, rho, drift):
    rng = np.random.default_rng(1)
    normals = math.sqrt(rho) * rng.standard_normal((20000, 1)) + drift
    normals = normals + math.sqrt(1 - rho) * rng.standard_normal((20000, dimensions))
    assert close_to(same_sign_probability(dimensions, rho, drift), unanimous(normals))


@pytest.mark.parametrize(("dimensions", "rho", "drift"), [(8, 0.9999, 2.5), (64, 0.999, -4.0), (3, 0.01, 0.3)])
def test_steep_integrands_are_resolved(dimensions, rho, drift):
    """Against 300,000 evenly spaced nodes."""
    z = np.linspace(-10, 10, 300001)
    t = (math.sqrt(rho) * z + drift) / math.sqrt(1 - rho)
    upper = np.array([0.5 * math.erfc(-each / math.sqrt(2)) for each in t])
    values = np.exp(-z * z / 2) / math.sqrt(2 * math.pi) * (upper**dimensions + (1 - upper) ** dimensions)
    assert same_sign_probability(dimensions, rho, drift) == pytest.approx(np.trapezoid(values, z), abs=1e-11)


def test_many_dimensions_lower_it_as_a_power():
    """P ~ 2 sqrt(a) Γ(a) (4 pi ln D)^((a - 1)/2) D^-a with a = (1 - rho)/rho, slowly: the error falls with ln D."""
    a = (1 - UNIFORM) / UNIFORM
    errors = []
    for dimensions in (10**4, 10**8, 10**12):
        power = 2 * math.sqrt(a) * math.gamma(a) * (4 * math.pi * math.log(dimensions)) ** ((a - 1) / 2)
        errors.append(abs(same_sign_probability(dimensions, UNIFORM) / (power * dimensions**-a) - 1))
    assert errors[0] < 0.1 and errors[0] > errors[1] > errors[2]


@pytest.mark.parametrize(("dimensions", "mean", "variance", "rho", "expected"), [
    (2, 0.5, 1 / 12, 0.96, 0.9096655293), (16, 0.5, SIGMOID_VARIANCE, None, 0.9396037)])
def test_full_batch_gradients_of_random_errors(dimensions, mean, variance, rho, expected):
    """H e of an isotropic e has covariance H², whose coordinates are equally correlated."""
    hessian = variance * np.eye(dimensions) + mean**2
    square = hessian @ hessian
    correlation = square[0, 1] / square[0, 0]
    assert rho is None or correlation == pytest.approx(rho, rel=1e-12)
    assert same_sign_probability(dimensions, correlation) == pytest.approx(expected, abs=1e-7 if rho is None else 1e-10)
    errors = np.random.default_rng(2).standard_normal((40000, dimensions))
    assert close_to(expected, unanimous(errors @ hessian))


# --- batches at the optimum

@pytest.mark.parametrize(("name", "cdf", "dimensions", "expected"), [
    ("uniform", lambda t: np.where(t < math.pi / 4, np.tan(t) / 2, 1 - 1 / (2 * np.tan(t))), 2,
     1 - (math.log(2) - 1 + math.pi / 4) / math.pi),
    ("uniform", lambda t: np.where(t < math.pi / 4, np.tan(t) / 2, 1 - 1 / (2 * np.tan(t))), 2, 0.8476742860),
    ("exponential", lambda t: np.tan(t) / (1 + np.tan(t)), 2, 0.5 + 1 / math.pi),
    ("exponential", lambda t: np.tan(t) / (1 + np.tan(t)), 2, 0.8183098862),
    ("half_normal", lambda t: 2 * t / math.pi, 2, 5 / 6),
    ("half_normal", lambda t: 2 * t / math.pi, 8, 1 - 0.5 * 7 / 9)])
def test_batches_of_two_are_a_matter_of_angles(name, cdf, dimensions, expected):
    """P = 1 - E[largest - smallest of the angles atan(x_2j / x_1j)] / pi, with `cdf` that of one angle."""
    angles = (np.arange(200000) + 0.5) * (math.pi / 2 / 200000)
    spread = (1 - cdf(angles) ** dimensions - (1 - cdf(angles)) ** dimensions).sum() * (math.pi / 2 / 200000)
    assert 1 - spread / math.pi == pytest.approx(expected, abs=1e-9)
    drawn = gradients(np.random.default_rng(3), DRAWS[name], 40000, 2, dimensions)
    assert close_to(expected, unanimous(drawn))


@pytest.mark.parametrize(("dimensions", "expected"), [(2, 0.75), (4, 0.5625)])
def test_batches_of_two_with_residuals_of_one_size(dimensions, expected):
    rng = np.random.default_rng(4)
    residuals = rng.choice([-1.0, 1.0], (40000, 2, 1))
    assert close_to(expected, unanimous((residuals * rng.random((40000, 2, dimensions))).sum(axis=1)))


@pytest.mark.parametrize(("dimensions", "expected"), [
    (2, [1, 0.848, 0.812, 0.799, 0.781, 0.775, 0.770]),
    (8, [1, 0.632, 0.544, 0.510, 0.465, 0.451, 0.440]),
    (16, [1, 0.571, 0.461, 0.416, 0.365, 0.349, 0.335])])
def test_uniform_inputs_reach_the_plateau_by_batches_of_eight(dimensions, expected):
    limit, rng = same_sign_probability(dimensions, UNIFORM), np.random.default_rng(5)
    for batch, value in zip((1, 2, 3, 4, 8, 16, 64), expected, strict=True):
        same = unanimous(gradients(rng, DRAWS["uniform"], 10000, batch, dimensions))
        assert close_to(value, same, rounding=0.0015), batch
        if dimensions == 2 and batch >= 8:
            assert value == pytest.approx(limit + 0.07734 / batch, abs=0.0015)
        if batch == 64:
            assert close_to(limit, same, rounding=0.005)


def test_the_rate_at_which_two_weights_reach_their_plateau():
    """The 1/B term from the delta method, for U(0, 1): moments 1/2, 1/3, 1/4, 1/5."""
    rho, k4, k3 = 0.75, (1 / 5) / (1 / 9), (1 / 2) * (1 / 4) / (1 / 9)
    rest = 1 - rho**2
    term = (0.75 * rho * (k4 - 1) - (k3 - rho)) / math.sqrt(rest)
    term += rho * (rest + 0.5 * rho**2 * (k4 - 1) - 2 * rho * (k3 - rho)) / (2 * rest**1.5)
    assert term / math.pi == pytest.approx(0.07734, abs=5e-6)


@pytest.mark.parametrize(("batch", "share", "energy"), [
    (1, 1.0, 0.783), (2, 0.637, 0.786), (8, 0.468, 0.789), (64, 0.443, 0.790)])
def test_a_stationary_run_measures_the_same(batch, share, energy):
    """At a small rate: near the limit, successive gradients and the share are correlated with it."""
    run = simulate(Experiment(inputs="uniform", activation="identity", input_mean=0.5, input_std=12**-0.5,
                              dimensions=8, samples=4096, distance=0.0, noise=0.5, optimizer="sgd", batch_size=batch,
                              rate_unit="absolute", learning_rate=0.01, steps=1500), 10)
    drawn = run.gradients()[:, 200:].reshape(-1, 8)
    assert np.mean(unanimous(drawn)) == pytest.approx(share, abs=0.015)
    lengths = np.square(drawn).sum(axis=1)
    measured = np.average(mean_direction_energy(drawn, run.direction), weights=lengths)
    assert measured == pytest.approx(energy_share(8, 0.5, 1 / 12), abs=0.015)
    assert measured == pytest.approx(energy, abs=0.02)


def test_the_energy_share_of_uniform_inputs():
    assert energy_share(8, 0.5, 1 / 12) == pytest.approx(0.78125, rel=1e-12)
    assert energy_share(8, 0.0, 1 / 12) == pytest.approx(1 / 8, rel=1e-12)


# --- batches away from the optimum

@pytest.mark.parametrize(("dimensions", "expected"), [(16, 108), (64, 433)])
def test_the_batch_size_that_mixes_sigmoid_inputs(dimensions, expected):
    found = mixing_batch_size(dimensions, SIGMOID)
    assert found == pytest.approx(expected, abs=0.5)
    hessian = SIGMOID_VARIANCE * np.eye(dimensions) + 0.25
    assert found == pytest.approx(np.trace(hessian) / np.linalg.eigvalsh(hessian)[0], rel=1e-6)
    assert mixing_batch_size(dimensions, 1.0) == math.inf


@pytest.mark.parametrize(("along", "across", "variance", "batch", "expected", "measured", "within"), [
    (0.0, 1.0, 0.0, 64, 0.07204404, 0.067, 0.006),
    (0.0, 1.0, 0.0, 256, 0.00178539, 0.0021, 0.0005),
    (0.0, 0.1, 1.0, 64, 0.48724505, 0.4915, 0.006),
    # one factor has a negative variance here: leaving it out would give 0.99845679
    (0.2, 1.0, 0.01, 16, 0.99850494, 0.9990, 0.0006)])
def test_the_golden_batches(along, across, variance, batch, expected, measured, within):
    found = batch_same_sign_probability(*P8, along, across, math.sqrt(variance), batch)
    assert found == pytest.approx(expected, abs=6e-9)
    assert found == pytest.approx(measured, abs=within)


@pytest.mark.parametrize(("fraction", "expected"), [(0.1, 0.395), (0.5, 0.223), (1, 0.128), (2, 0.051), (4, 0.010)])
def test_errors_across_the_mean_turn_mixed_beyond_the_mixing_batch_size(fraction, expected):
    batch = fraction * mixing_batch_size(8, 0.8)
    assert batch_same_sign_probability(*P8, 0.0, 1.0, 0.0, batch) == pytest.approx(expected, abs=5.1e-4)


@pytest.mark.parametrize(("dimensions", "mean", "variance", "along", "across", "noise", "batch"), [
    (2, 0.5, 0.04, 0.02, 1.0, 0.0, 20), (3, 0.5, 0.04, -0.33, 1.0, 0.1, 4), (5, 0.5, 0.0625, -0.1, 0.4, 0.0, 9),
    (7, 0.5, 0.02, -0.05, 0.4, 0.2, 100), (33, 0.5, 0.01, 0.0, 0.7, 0.0, 2), (4, -0.5, 0.01, 0.02, 0.5, 0.0, 4),
    # one factor of negative variance, without which these would be off by 0.004 to 0.016
    (3, 0.5, 0.05, 0.1, 1.0, 0.0, 1), (6, 0.5, 0.02, 0.2, 1.0, 0.0, 1), (33, 0.5, 0.05, 0.1, 1.0, 0.0, 1)])
def test_drawn_normals_of_the_same_covariance_agree(dimensions, mean, variance, along, across, noise, batch):
    mu = np.full(dimensions, mean)
    error = along + across * np.where(np.arange(dimensions) % 2, -1.0, 1.0)
    hessian = variance * np.eye(dimensions) + np.outer(mu, mu)
    drift = hessian @ error
    spread = (error @ drift + noise**2) * hessian + np.outer(drift, drift) - 2 * (error @ mu) ** 2 * np.outer(mu, mu)
    drawn = np.random.default_rng(6).multivariate_normal(drift, spread / batch, 200000, method="cholesky")
    probability = batch_same_sign_probability(dimensions, mean, variance, along, across, noise, batch)
    assert 0.2 < probability < 0.9  # so that it can differ
    assert close_to(probability, unanimous(drawn))


@pytest.mark.parametrize(("dimensions", "along", "across", "noise", "batch", "rounding"), [
    (8, 0.0, 0.02, 1.0, 1024, 0.003), (5, 0.0, 0.3, 0.3, 256, 0.01), (8, 0.05, 1.0, 0.1, 256, 0.01),
    (8, 0.2, 1.0, 0.1, 16, 0.002)])
def test_gradients_of_drawn_batches_agree(dimensions, along, across, noise, batch, rounding):
    """`rounding` allows for what the central limit theorem leaves out, of order 1/sqrt(B)."""
    rng, same = np.random.default_rng(7), []
    error = along + across * np.where(np.arange(dimensions) % 2, -1.0, 1.0)
    for _ in range(8):
        x = 0.5 + 0.25 * rng.standard_normal((500, batch, dimensions))
        residuals = x @ error - noise * rng.standard_normal((500, batch))
        same.append(unanimous(np.vecdot(residuals[..., None], x, axis=1)))
    probability = batch_same_sign_probability(dimensions, 0.5, 0.0625, along, across, noise, batch)
    assert close_to(probability, np.concatenate(same), rounding)


@pytest.mark.parametrize(("mean", "variance", "along", "across", "noise", "batch"), [
    (0.5, 0.04, 0.02, 1.0, 0.0, 20), (0.5, 0.0005, 0.01, 1.0, 0.0, 3), (-0.5, 0.3, 0.4, 0.2, 0.5, 2),
    (0.5, 0.01, 0.3, 1.0, 0.0, 1)])
def test_two_weights_agree_with_one_integral(mean, variance, along, across, noise, batch):
    """P(both of one sign) by conditioning the second coordinate on the first, on a grid without factors."""
    hessian, mu = variance * np.eye(2) + mean**2, np.full(2, mean)
    error = np.array([along + across, along - across])
    drift = hessian @ error
    spread = (error @ drift + noise**2) * hessian + np.outer(drift, drift) - 2 * (error @ mu) ** 2 * np.outer(mu, mu)
    spread /= batch
    first = np.linspace(0, abs(drift[0]) + 12 * math.sqrt(spread[0, 0]), 40001)
    rest = math.sqrt(2 * (spread[1, 1] - spread[0, 1] ** 2 / spread[0, 0]))
    expected = 0.0
    for sign in (1, -1):
        away = sign * first - drift[0]
        second = sign * (drift[1] + spread[0, 1] / spread[0, 0] * away)
        upper = np.array([0.5 * math.erfc(-each / rest) for each in second])
        density = np.exp(-0.5 * away**2 / spread[0, 0]) / math.sqrt(2 * math.pi * spread[0, 0])
        values = density * upper
        step = first[1] - first[0]
        expected += step / 3 * (values[0] + values[-1] + 4 * values[1::2].sum() + 2 * values[2:-1:2].sum())  # Simpson
    found = batch_same_sign_probability(2, mean, variance, along, across, noise, batch)
    assert found == pytest.approx(expected, abs=1e-10)


def test_a_probability_stays_one():
    for batch in (10, 100, 1000, 10000):
        for dimensions in (2, 5, 8, 64):
            assert 0 <= batch_same_sign_probability(dimensions, 0.5, 0.05, 0.3, 0.5, 0.1, batch) <= 1
            assert 0 <= batch_same_sign_probability(dimensions, 0.5, 0.05, 0.0, 0.5, 0.1, 100 * batch) <= 1


def test_without_an_error_the_batch_plays_no_part():
    for batch in (1, 64):
        found = batch_same_sign_probability(*P8, 0.0, 0.0, 0.7, batch)
        assert found == pytest.approx(same_sign_probability(8, 0.8), abs=1e-12)
    assert math.isnan(batch_same_sign_probability(*P8, 0.0, 0.0, 0.0, 4))


def test_an_error_along_the_mean_is_what_a_drift_is():
    """Without a part across, all coordinates are exchangeable: one factor and one drift."""
    along, noise, batch = 0.05, 0.4, 3
    top = 1 / 16 + 8 / 4
    power = 8 * top * along**2 + noise**2
    shared = power / 4 + (top * along) ** 2 - 2 * (8 * along / 4) ** 2
    deviation = math.sqrt((shared + power / 16) / batch)
    expected = same_sign_probability(8, shared / (shared + power / 16), top * along / deviation)
    assert batch_same_sign_probability(*P8, along, 0.0, noise, batch) == pytest.approx(expected, abs=1e-12)


def test_one_weight_has_one_sign():
    assert same_sign_probability(1, 0.3, 0.5) == batch_same_sign_probability(1, 0.5, 0.1, 0.3, 0.1, 0.2, 4) == 1.0


@pytest.mark.parametrize("call", [
    lambda: same_sign_probability(0, 0.5), lambda: same_sign_probability(2.5, 0.5),
    lambda: same_sign_probability(4, -0.1), lambda: same_sign_probability(4, 1.1),
    lambda: same_sign_probability(4, math.nan), lambda: same_sign_probability(4, 0.5, math.inf),
    lambda: mixing_batch_size(4, -0.1), lambda: energy_share(4, 0.5, 0.0), lambda: energy_share(4, math.nan, 1.0),
    lambda: batch_same_sign_probability(*P8, 0.1, 0.1, -1.0, 4), lambda: batch_same_sign_probability(*P8, 0, 1, 0, 0.5),
    lambda: batch_same_sign_probability(*P8, math.inf, 0, 0, 4)])
def test_impossible_arguments_get_a_sentence(call):
    with pytest.raises(ValueError, match="must be|must lie"):
        call()


def test_the_normal_distribution_of_the_table_is_that_of_erfc():
    t = np.concatenate([np.random.default_rng(0).normal(size=5000) * 4, [-40.0, -9.0, 0.0, 9.0, 40.0]])
    exact = [0.5 * math.erfc(-each / math.sqrt(2)) for each in t]
    np.testing.assert_allclose(_normal_cdf(t), exact, rtol=0, atol=1e-15)
