"""Eigenvalues of independent features, against data with exactly these moments, and what centering does to them."""
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zz_core.theory import activation_moments, centering_gain, condition_number, rate_zones, spectrum

PROBLEMS = [(1, 0.5, 1 / 16), (2, 0.5, 1 / 12), (8, 0.5, 1 / 16), (5, -3.0, 0.01), (4, 0.0, 2.0), (4, 0.0, 0.25),
            (3, 1e4, 1.0)]


def second_moment(dimensions: int, mean: float, variance: float, bias: bool) -> np.ndarray:
    """E[x x'] over all corners of a cube: data with this mean and variance and no correlation at all."""
    signs = 2.0 * (np.arange(2**dimensions)[:, None] >> np.arange(dimensions) & 1) - 1
    x = mean + math.sqrt(variance) * signs
    if bias:
        x = np.column_stack([x, np.ones(len(x))])
    return x.T @ x / len(x)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("dimensions", "mean", "variance"), PROBLEMS)
def test_the_spectrum_is_that_of_data_with_these_moments(dimensions, mean, variance, bias):
    expected = np.linalg.eigvalsh(second_moment(dimensions, mean, variance, bias))[::-1]
    # what eigvalsh itself loses to rounding is relative to the largest
    np.testing.assert_allclose(spectrum(dimensions, mean, variance, bias), expected, rtol=1e-10,
                               atol=1e-14 * expected[0])


def test_the_smallest_eigenvalue_does_not_cancel():
    """The product of the two that the bias couples is v, however far they are apart."""
    values = spectrum(2, 1e6, 0.5, bias=True)
    assert values[0] * values[-1] == pytest.approx(0.5, rel=1e-14)
    assert values[-1] == pytest.approx(0.5 / (2e12 + 1.5), rel=1e-11, abs=0)


@pytest.mark.parametrize(("dimensions", "mean", "variance", "bias", "expected"), [
    (2, 0.5, 1 / 12, False, 7.0),
    (2, 0.5, 1 / 12, True, 28.0476797603),
    (2, 0.0, 1 / 12, True, 12.0),
    (2, 0.0, 1.0, True, 1.0),
    (8, 0.5, 1 / 16, False, 33.0),
    (8, 0.5, 1 / 16, True, 148.0557457873),
    (8, 0.0, 1 / 16, True, 16.0),
    (256, 0.25, 1.0, False, 17.0),  # mixed signs, and still badly conditioned
    (1, 5.0, 1.0, False, 1.0),
])
def test_condition_numbers(dimensions, mean, variance, bias, expected):
    assert condition_number(dimensions, mean, variance, bias) == pytest.approx(expected, rel=1e-11)


def test_the_two_eigenvalues_of_mean_and_constant():
    values = spectrum(2, 0.5, 1 / 12, bias=True)
    assert values == pytest.approx([1.5288252505, 1 / 12, 0.0545080828], abs=5e-11)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("dimensions", "mean", "variance"), PROBLEMS)
def test_bad_conditioning_never_gets_better_by_a_bias(dimensions, mean, variance, bias):
    largest = spectrum(dimensions, mean, variance, bias=True)[0]
    assert largest >= spectrum(dimensions, mean, variance)[0]
    if dimensions > 1 and mean != 0:
        assert condition_number(dimensions, mean, variance, bias=True) == pytest.approx(largest**2 / variance)
        assert condition_number(dimensions, mean, variance, bias=True) > condition_number(dimensions, mean, variance)


def test_rate_zones_of_two_uniform_features():
    zones = rate_zones(spectrum(2, 0.5, 1 / 12))
    assert zones.calm_below == pytest.approx(12 / 7, rel=1e-14)
    assert zones.diverges_from == pytest.approx(24 / 7, rel=1e-14)
    assert zones.best == pytest.approx(3.0, rel=1e-14)
    np.testing.assert_allclose(zones.borders, [12 / 7, 12.0], rtol=1e-14)


def test_the_best_rate_has_the_smallest_worst_factor():
    """Among many rates: (k - 1) / (k + 1) = 0.75, at 3; and at 1/l1 it is 1 - 1/k, without alternation."""
    values, rates = np.array([7 / 12, 1 / 12]), np.linspace(0.01, 3.42, 3411 + 1)
    worst = np.abs(1 - rates[:, None] * values).max(axis=1)
    zones = rate_zones(values)
    assert rates[worst.argmin()] == pytest.approx(zones.best, abs=1e-3)
    assert np.abs(1 - zones.best * values).max() == pytest.approx(0.75, rel=1e-14)
    assert 1 - zones.calm_below * values == pytest.approx([0.0, 6 / 7], abs=1e-15)


def test_flat_directions_have_no_border_and_no_say_in_the_best_rate():
    zones = rate_zones([0.0, 2.0, -1e-17, 0.5, 3e-17])
    assert zones.best == pytest.approx(0.8, rel=1e-14)
    np.testing.assert_array_equal(zones.borders, [np.inf, 0.5, np.inf, 2.0, np.inf])


# --- centering ---------------------------------------------------------------------------------------------------

def centered_and_raw(root: np.ndarray, mean: np.ndarray) -> tuple[float, float]:
    """Condition numbers of (x, 1) for centered and for raw inputs with this mean and the covariance root root'."""
    covariance, size = root @ root.T, len(mean)
    joint = np.zeros((size + 1, size + 1))
    joint[:size, :size], joint[-1, -1] = covariance, 1.0
    centered = joint.copy()
    joint[:size, :size] += np.outer(mean, mean)
    joint[:size, -1] = joint[-1, :size] = mean
    return np.linalg.cond(centered), np.linalg.cond(joint)


@settings(max_examples=200)
@given(st.integers(1, 6), st.floats(-3, 3), st.floats(-2, 2), st.integers(0, 2**32 - 1))
def test_centering_never_hurts_where_a_bias_is_learned(dimensions, log_scale, log_mean, seed):
    """For any covariance and any mean, not only for independent features."""
    rng = np.random.default_rng(seed)
    root = 10**log_scale * rng.standard_normal((dimensions, dimensions)) * 10 ** rng.uniform(-1, 1, (dimensions, 1))
    mean = 10**log_mean * rng.standard_normal(dimensions)
    centered, raw = centered_and_raw(root, mean)
    # a condition number is known to about its own size times machine epsilon
    assert centered <= raw * (1 + 100 * np.finfo(float).eps * (centered + raw))


def test_without_a_bias_centering_can_hurt():
    covariance, mean = np.diag([1.0, 0.01]), np.array([0.0, 1.0])
    assert np.linalg.cond(covariance + np.outer(mean, mean)) == pytest.approx(1.01, rel=1e-12)
    assert np.linalg.cond(covariance) == pytest.approx(100.0, rel=1e-12)


def test_nonnegative_inputs_need_not_be_badly_conditioned():
    """One-hot inputs: never negative, H = I/D."""
    x = np.eye(8)
    assert np.linalg.cond(x.T @ x / 8) == 1.0


@pytest.mark.parametrize(("std", "gain"), [(0.5, 7.1530), (1.0, 3.2411), (2.0, 2.0743), (4.0, 1.6957)])
def test_the_gain_of_centering_sigmoid_inputs(std, gain):
    assert centering_gain(*activation_moments("sigmoid", std)) == pytest.approx(gain, abs=5e-5)


def test_the_gain_of_centering_other_inputs():
    assert centering_gain(2.0, 1.0) == pytest.approx(((1 + math.sqrt(5)) / 2) ** 2, rel=1e-14)  # the golden ratio
    assert centering_gain(2.0, 1.0) == pytest.approx(2.618034, abs=5e-7)
    assert centering_gain(*activation_moments("relu", 1.0)) == pytest.approx(1.2223, abs=5e-5)
    assert centering_gain(0.0, 3.0) == 1.0


def mean_square_map(rate: float, dimensions: int, mean: float, variance: float) -> np.ndarray:
    """What one step on one Gaussian sample does to E[(u'e)²] and E[|e|²] - E[(u'e)²], u the mean direction."""
    d, v, shift = dimensions, variance, dimensions * mean**2
    top = v + shift
    return np.array([[1 - 2 * rate * top + rate**2 * (3 * top**2 - 2 * shift**2), rate**2 * v * top],
                     [rate**2 * (d - 1) * v * top, 1 - 2 * rate * v + rate**2 * v**2 * (1 + d)]])


def test_the_mean_square_map_is_that_of_sampled_steps():
    """The recursion below which the gain is a limit, against a million single steps."""
    dimensions, mean, variance, rate = 4, 0.6, 0.09, 0.4
    rng = np.random.default_rng(1)
    e = np.array([1.0, -0.3, 0.2, 0.5])
    x = mean + math.sqrt(variance) * rng.standard_normal((1_000_000, dimensions))
    after = e - rate * (x @ e)[:, None] * x
    along = np.square(after.sum(axis=1)) / dimensions
    measured = np.column_stack([along, np.square(after).sum(axis=1) - along])
    start = np.array([e.sum() ** 2 / dimensions, e @ e - e.sum() ** 2 / dimensions])
    # exact for any error: rotations about the mean direction leave Gaussian features as they are
    expected = mean_square_map(rate, dimensions, mean, variance) @ start
    error = measured.std(axis=0) / math.sqrt(len(measured))
    assert np.all(np.abs(measured.mean(axis=0) - expected) < 4 * error)


@pytest.mark.parametrize("ratio", [0.5, 4.0])
def test_the_gain_is_the_limit_of_many_dimensions(ratio):
    """Each side's best rate by brute force: raw data against centered data, one sample a step."""
    dimensions = 100_000

    def best_exponent(mean: float) -> float:
        limit = 2 / (dimensions * (1 + mean**2))
        radii = [np.abs(np.linalg.eigvals(mean_square_map(share * limit, dimensions, mean, 1.0))).max()
                 for share in np.linspace(0.01, 0.99, 981)]
        return -math.log(min(radii))

    measured = best_exponent(0.0) / best_exponent(math.sqrt(ratio))
    assert measured == pytest.approx(centering_gain(math.sqrt(ratio), 1.0), rel=1e-3)


@pytest.mark.parametrize("call", [
    lambda: spectrum(0, 0.5, 1.0), lambda: spectrum(2, math.nan, 1.0), lambda: spectrum(2, 0.5, 0.0),
    lambda: condition_number(2, 0.5, -1.0), lambda: centering_gain(0.5, math.inf), lambda: rate_zones([]),
    lambda: rate_zones([0.0, 0.0]), lambda: rate_zones([1.0, -0.1]), lambda: rate_zones([1.0, math.nan])])
def test_what_makes_no_sense_is_refused(call):
    with pytest.raises(ValueError, match="must"):
        call()
