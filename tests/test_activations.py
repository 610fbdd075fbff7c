"""The activations: exact slopes, sound tails, and the means and variances that decide the condition number."""
import math

import numpy as np
import pytest

from zz_core.activations import ACTIVATIONS, sigmoid, sigmoid_slope, softplus

every_activation = pytest.mark.parametrize("name", ACTIVATIONS)

# (activation, s): mean and variance of a(z), z ~ N(0, s²), computed elsewhere with 30 digits
MOMENTS = {
    ("sigmoid", 0.5): (0.5, 0.01395557756), ("sigmoid", 1): (0.5, 0.04337903586),
    ("sigmoid", 2): (0.5, 0.0985736226), ("sigmoid", 4): (0.5, 0.1588153086),
    ("centered_sigmoid", 1): (0.0, 0.04337903586), ("centered_sigmoid", 4): (0.0, 0.1588153086),
    ("tanh", 0.5): (0.0, 0.1735161434), ("tanh", 1): (0.0, 0.3942944904),
    ("tanh", 2): (0.0, 0.6352612343), ("tanh", 4): (0.0, 0.8053992795),
    ("relu", 1): (0.3989422804, 0.3408450569), ("relu", 2): (2 * 0.3989422804, 4 * 0.3408450569),
    ("leaky_relu", 1): (0.3949528576, 0.3440622403),
    ("elu", 0.5): (0.04908997492, 0.1849307968), ("elu", 1): (0.1605205723, 0.6191785634),
    ("elu", 2): (0.465986562, 2.041063163), ("elu", 4): (1.190179763, 6.943773396),
    ("gelu", 0.5): (0.08920620581, 0.07554897664), ("gelu", 1): (0.2820947918, 0.345644011),
    ("gelu", 2): (0.7136496465, 1.420569198), ("gelu", 4): (1.548123445, 5.559958484),
    ("silu", 0.5): (0.05901110561, 0.06876681362), ("silu", 1): (0.2066209641, 0.313083297),
    ("silu", 2): (0.6057055096, 1.391010702), ("silu", 4): (1.458955063, 5.640456603),
    ("softplus", 0.5): (0.7234928011, 0.06424279687), ("softplus", 1): (0.8060591833, 0.2715145018),
    ("softplus", 2): (1.067714388, 1.189767449), ("softplus", 4): (1.749806747, 5.148683342),
}


def definition(name: str, z: float) -> float:
    """The textbook formula, for moderate z."""
    return {
        "identity": lambda: z,
        "sigmoid": lambda: 1 / (1 + math.exp(-z)),
        "centered_sigmoid": lambda: 1 / (1 + math.exp(-z)) - 0.5,
        "tanh": lambda: math.tanh(z),
        "scaled_tanh": lambda: 1.7159 * math.tanh(2 / 3 * z),
        "relu": lambda: max(0.0, z),
        "leaky_relu": lambda: z if z > 0 else 0.01 * z,
        "elu": lambda: z if z > 0 else math.exp(z) - 1,
        "gelu": lambda: z * 0.5 * math.erfc(-z / math.sqrt(2)),
        "silu": lambda: z / (1 + math.exp(-z)),
        "softplus": lambda: math.log(1 + math.exp(z)),
    }[name]()


@every_activation
def test_value_is_the_textbook_formula(name):
    z = np.linspace(-6, 6, 49)
    np.testing.assert_allclose(ACTIVATIONS[name].value(z), [definition(name, value) for value in z],
                               rtol=1e-13, atol=1e-14)


@every_activation
def test_slope_is_the_derivative_of_value(name):
    z, h = np.linspace(-8, 8, 40), 1e-4  # an even number of points: none at the kink of the ReLUs at 0
    value, slope = ACTIVATIONS[name].value, ACTIVATIONS[name].slope(z)
    # the fourth-order difference: its error is far below the tolerance, whatever the curvature
    difference = (8 * (value(z + h) - value(z - h)) - (value(z + 2 * h) - value(z - 2 * h))) / (12 * h)
    np.testing.assert_allclose(slope, difference, rtol=1e-9, atol=1e-11)


@every_activation
def test_tails_are_finite(name):
    z = np.array([-800.0, -40.0, 0.0, 40.0, 800.0])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        value, slope = ACTIVATIONS[name].value(z), ACTIVATIONS[name].slope(z)
    assert np.isfinite(value).all() and np.isfinite(slope).all()
    assert value.shape == slope.shape == z.shape
    assert value.dtype == slope.dtype == np.float64


def test_sigmoid_keeps_its_slope_where_it_has_rounded_to_one():
    """A slope coded as s(1 - s) would be 0 from 37 on, and saturation permanent."""
    assert sigmoid(np.array(40.0)) == 1.0
    np.testing.assert_allclose(sigmoid_slope(np.array([40.0, -40.0])), math.exp(-40), rtol=1e-12)
    np.testing.assert_allclose(sigmoid(np.array(-40.0)), math.exp(-40), rtol=1e-12)
    np.testing.assert_array_equal(sigmoid(np.array([-800.0, 800.0])), [0.0, 1.0])
    np.testing.assert_allclose(ACTIVATIONS["tanh"].slope(np.array(25.0)), 4 * math.exp(-50), rtol=1e-12)


def test_softplus_is_exact_in_both_tails():
    np.testing.assert_allclose(softplus(np.array([-40.0, 0.0, 800.0])), [math.exp(-40), math.log(2), 800.0], rtol=1e-15)


def test_centered_sigmoid_is_odd_and_has_the_slope_of_the_sigmoid():
    z = np.linspace(-30, 30, 301)
    np.testing.assert_array_equal(ACTIVATIONS["centered_sigmoid"].value(-z), -ACTIVATIONS["centered_sigmoid"].value(z))
    np.testing.assert_array_equal(ACTIVATIONS["centered_sigmoid"].slope(z), ACTIVATIONS["sigmoid"].slope(z))


@every_activation
def test_float32_stays_single_precision_close(name):
    z = np.linspace(-5, 5, 11)
    np.testing.assert_allclose(ACTIVATIONS[name].value(z.astype(np.float32)), ACTIVATIONS[name].value(z), atol=2e-6)


@pytest.mark.parametrize(("name", "std"), MOMENTS)
def test_moments_of_a_gaussian_preactivation(name, std):
    # the midpoint rule: exponentially accurate for smooth integrands, 1e-10 at a kink that falls between two nodes
    count, reach = 400_000, 12.0
    z = (np.arange(count) + 0.5) * (2 * reach / count) - reach
    weights = np.exp(-0.5 * z * z) * (2 * reach / count) / math.sqrt(2 * math.pi)
    value = ACTIVATIONS[name].value(std * z)
    mean = weights @ value
    np.testing.assert_allclose([mean, weights @ (value - mean) ** 2], MOMENTS[name, std], rtol=2e-9, atol=1e-10)


def test_slope_bounds_of_the_sigmoid_family():
    """The largest slopes that textbooks quote: ¼ for the sigmoid, 1 for tanh, 1.14 for LeCun's."""
    z = np.linspace(-4, 4, 801)
    peaks = {name: ACTIVATIONS[name].slope(z).max() for name in ("sigmoid", "tanh", "scaled_tanh")}
    assert peaks == pytest.approx({"sigmoid": 0.25, "tanh": 1.0, "scaled_tanh": 1.7159 * 2 / 3})
    # LeCun's constants are chosen so that ±1 maps to ±1
    assert ACTIVATIONS["scaled_tanh"].value(np.array(1.0)) == pytest.approx(1.0, abs=1e-4)
