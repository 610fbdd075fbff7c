"""Moments of activations: a table from 30-digit quadrature, closed forms, and samples."""
import math

import numpy as np
import pytest

from zz_core.activations import ACTIVATIONS, Activation
from zz_core.theory import activation_moments, condition_number, data_cone_detour

# activation, std, mean, variance, m²/v, m²/(m² + v), condition numbers of D = 2, 16, 64, 256 features without a bias
TABLE = [
    ("sigmoid", 0.5, 0.5, 0.01395557756, 17.913984, 0.94712907, 36.82797, 287.6238, 1147.495, 4586.98),
    ("sigmoid", 1, 0.5, 0.04337903586, 5.7631525, 0.85213996, 12.52631, 93.21044, 369.8418, 1476.367),
    ("sigmoid", 2, 0.5, 0.0985736226, 2.5361754, 0.7172086, 6.072351, 41.57881, 163.3152, 650.2609),
    ("sigmoid", 4, 0.5, 0.1588153086, 1.5741556, 0.61152309, 4.148311, 26.18649, 101.746, 403.9838),
    ("tanh", 0.5, 0, 0.1735161434, 0, 0, 1, 1, 1, 1),
    ("tanh", 1, 0, 0.3942944904, 0, 0, 1, 1, 1, 1),
    ("tanh", 2, 0, 0.6352612343, 0, 0, 1, 1, 1, 1),
    ("tanh", 4, 0, 0.8053992795, 0, 0, 1, 1, 1, 1),
    ("relu", 1, 0.3989422804, 0.3408450569, 0.46694221, 0.31830989, 1.933884, 8.471075, 30.8843, 120.5372),
    ("leaky_relu", 1, 0.3949528576, 0.3440622403, 0.45337076, 0.31194433, 1.906742, 8.253932, 30.01573, 117.0629),
    ("leaky .1", 1, 0.3590480524, 0.3760844961, 0.34278335, 0.25527823, 1.685567, 6.484534, 22.93813, 88.75254),
    ("elu", 0.5, 0.04908997492, 0.1849307968, 0.013030959, 0.012863337, 1.026062, 1.208495, 1.833981, 4.335926),
    ("elu", 1, 0.1605205723, 0.6191785634, 0.041614577, 0.039951992, 1.083229, 1.665833, 3.663333, 11.65333),
    ("elu", 2, 0.465986562, 2.041063163, 0.10638744, 0.096157487, 1.212775, 2.702199, 7.808796, 28.23518),
    ("elu", 4, 1.190179763, 6.943773396, 0.20399973, 0.16943503, 1.407999, 4.263996, 14.05598, 53.22393),
    ("gelu", 0.5, 0.08920620581, 0.07554897664, 0.1053323, 0.095294688, 1.210665, 2.685317, 7.741267, 27.96507),
    ("gelu", 1, 0.2820947918, 0.345644011, 0.23022957, 0.18714358, 1.460459, 4.683673, 15.73469, 59.93877),
    ("gelu", 2, 0.7136496465, 1.420569198, 0.35851532, 0.2639023, 1.717031, 6.736245, 23.94498, 92.77992),
    ("gelu", 4, 1.548123445, 5.559958484, 0.43106189, 0.3012182, 1.862124, 7.89699, 28.58796, 111.3518),
    ("silu", 0.5, 0.05901110561, 0.06876681362, 0.050639406, 0.048198655, 1.101279, 1.81023, 4.240922, 13.96369),
    ("silu", 1, 0.2066209641, 0.313083297, 0.13636059, 0.11999764, 1.272721, 3.181769, 9.727078, 35.90831),
    ("silu", 2, 0.6057055096, 1.391010702, 0.26375007, 0.20870429, 1.5275, 5.220001, 17.88, 68.52002),
    ("silu", 4, 1.458955063, 5.640456603, 0.37737191, 0.27397968, 1.754744, 7.037951, 25.1518, 97.60721),
    ("softplus", 0.5, 0.7234928011, 0.06424279687, 8.1478681, 0.89068491, 17.29574, 131.3659, 522.4636, 2086.854),
    ("softplus", 1, 0.8060591833, 0.2715145018, 2.3929897, 0.70527467, 5.785979, 39.28784, 154.1513, 613.6054),
    ("softplus", 2, 1.067714388, 1.189767449, 0.95818222, 0.4893223, 2.916364, 16.33092, 62.32366, 246.2946),
    ("softplus", 4, 1.749806747, 5.148683342, 0.5946809, 0.3729153, 2.189362, 10.51489, 39.05958, 153.2383),
]
LEAKY = Activation("Leaky ReLU (0.1)", lambda z: np.where(z > 0, z, 0.1 * z), lambda z: np.where(z > 0, 1.0, 0.1))


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]}-{row[1]}")
def test_the_table_of_activations(row):
    name, std, mean, variance, ratio, correlation, *conditions = row
    m, v = activation_moments(LEAKY if name == "leaky .1" else name, std)
    assert m == pytest.approx(mean, rel=1e-9, abs=1e-15)
    assert v == pytest.approx(variance, rel=1e-9)
    assert m * m / v == pytest.approx(ratio, rel=1e-7, abs=1e-15)
    assert m * m / (m * m + v) == pytest.approx(correlation, rel=1e-7, abs=1e-15)
    assert [condition_number(d, m, v) for d in (2, 16, 64, 256)] == pytest.approx(conditions, rel=1e-6)


def cdf(z: float) -> float:
    return math.erfc(-z / math.sqrt(2)) / 2


def gelu(s: float) -> tuple[float, float]:
    square = s * s
    mean = square / math.sqrt(2 * math.pi * (1 + square))
    second = square * (0.25 + math.asin(square / (1 + square)) / (2 * math.pi)
                       + square / (math.pi * (1 + square) * math.sqrt(1 + 2 * square)))
    return mean, second - mean**2


def elu(s: float) -> tuple[float, float]:
    mean = math.exp(s * s / 2) * cdf(-s) - 0.5 + s / math.sqrt(2 * math.pi)
    second = s * s / 2 + math.exp(2 * s * s) * cdf(-2 * s) - 2 * math.exp(s * s / 2) * cdf(-s) + 0.5
    return mean, second - mean**2


def leaky_relu(s: float, slope: float = 0.01) -> tuple[float, float]:
    return (1 - slope) * s / math.sqrt(2 * math.pi), s * s * (
        (1 + slope**2) / 2 - (1 - slope) ** 2 / (2 * math.pi))


CLOSED = {"identity": lambda s: (0.0, s * s), "relu": lambda s: leaky_relu(s, 0.0), "leaky_relu": leaky_relu,
          "elu": elu, "gelu": gelu}


@pytest.mark.parametrize("std", [0.05, 0.3, 1.0, 3.0, 10.0])
@pytest.mark.parametrize("name", CLOSED)
def test_closed_forms(name, std):
    mean, variance = CLOSED[name](std)
    assert activation_moments(name, std) == pytest.approx((mean, variance), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(("name", "std", "expected"), [
    ("leaky_relu", 3.0, 0.45337076), ("relu", 0.2, 1 / (math.pi - 1))])
def test_the_ratio_of_piecewise_linear_units_does_not_depend_on_the_scale(name, std, expected):
    mean, variance = activation_moments(name, std)
    assert mean**2 / variance == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(("std", "mean"), [(1.0, 0.0), (0.5, 1.5), (4.0, -2.0)])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_samples_have_these_moments(name, std, mean):
    values = ACTIVATIONS[name].value(mean + std * np.random.default_rng(3).standard_normal(100_000))
    m, v = activation_moments(name, std, mean)
    squares = (values - m) ** 2
    assert abs(values.mean() - m) < 4 * values.std() / math.sqrt(len(values))
    assert abs(squares.mean() - v) < 4 * squares.std() / math.sqrt(len(values))


def test_a_shifted_relu_has_its_textbook_moments():
    """With the kink well off the middle: m = mu P(mu/s) + s p(mu/s), E = (mu² + s²) P + mu s p."""
    for mu, s in [(1.0, 0.5), (-0.7, 0.3), (2.0, 4.0)]:
        share, density = cdf(mu / s), math.exp(-0.5 * (mu / s) ** 2) / math.sqrt(2 * math.pi)
        mean, second = mu * share + s * density, (mu * mu + s * s) * share + mu * s * density
        assert activation_moments("relu", s, mu) == pytest.approx((mean, second - mean**2), rel=1e-9)


def test_a_steep_sigmoid_is_a_step_and_a_flat_one_a_line():
    assert activation_moments("sigmoid", 1e6)[1] == pytest.approx(0.25, rel=1e-5)
    assert activation_moments("sigmoid", 1e-6)[1] == pytest.approx(1e-12 / 16, rel=1e-9, abs=0)  # beside ½
    assert activation_moments("sigmoid", 1e-3, mean=30.0)[0] == pytest.approx(1.0, abs=1e-12)


def test_centering_a_sigmoid_keeps_its_variance():
    mean, variance = activation_moments("sigmoid", 2.0)
    centered = activation_moments("centered_sigmoid", 2.0)
    assert centered == pytest.approx((mean - 0.5, variance), rel=1e-12, abs=1e-15)


def test_the_typical_samples_cone_of_sigmoid_inputs():
    """A target across the mean costs sqrt(1 + m²/v) with samples at the angle arccos(sqrt(m² / (m² + v)))."""
    mean, variance = activation_moments("sigmoid", 1.0)
    half_angle = math.acos(math.sqrt(mean**2 / (mean**2 + variance)))
    assert data_cone_detour(math.pi / 2, half_angle) == pytest.approx(2.6006, abs=5e-5)


@pytest.mark.parametrize("call", [
    lambda: activation_moments("step", 1.0), lambda: activation_moments("relu", 0.0),
    lambda: activation_moments("relu", math.nan), lambda: activation_moments("relu", 1.0, math.inf)])
def test_what_makes_no_sense_is_refused(call):
    with pytest.raises(ValueError, match="must be"):
        call()
