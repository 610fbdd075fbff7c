"""Delays of a saturated neuron: golden values, a step-by-step simulation, and whole training runs."""
import math

import numpy as np
import pytest

from zz_core import Experiment, simulate
from zz_core.activations import sigmoid, sigmoid_slope
from zz_core.losses import LOSSES
from zz_core.measures import steps_to_level
from zz_core.theory import saturation_delay, spectrum, steps_to


@pytest.mark.parametrize(("target", "start", "expected"), [
    (0.0, 4, 61.9960595), (0.0, 6, 416.8743783), (0.0, 8, 3000.4100047),
    (0.5, 4, 134.1036440), (0.5, 6, 847.9893151), (0.5, 8, 6019.0777565)])
def test_golden_delays(target, start, expected):
    assert saturation_delay(start, 1, target) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(("start", "expected", "digits"), [(2, 1.4, 0.05), (4, 8.4, 0.05), (6, 53, 0.5), (8, 376, 0.5),
                                                           (10, 2758, 0.5)])
def test_golden_delays_in_steps(start, expected, digits):
    """K = rate * |(x, 1)|² = 16: the centered inputs of the experiment below."""
    assert saturation_delay(start, 1, 0.5) / 16 == pytest.approx(expected, abs=digits)


def time_by_runge_kutta(start: float, stop: float, target: float, step: float) -> float:
    """Time from start to stop of dz/dt = -s'(z)(s(z) - y), the last step cut by interpolation."""
    def speed(z: float) -> float:
        decay = math.exp(-abs(z))
        slope = decay / (1 + decay) ** 2
        return -slope * ((1.0 if z >= 0 else decay) / (1 + decay) - target)

    z, time = start, 0.0
    while True:
        a = speed(z)
        b = speed(z + step / 2 * a)
        c = speed(z + step / 2 * b)
        d = speed(z + step * c)
        after = z + step / 6 * (a + 2 * b + 2 * c + d)
        if (after - stop) * (start - stop) <= 0:
            return time + step * (z - stop) / (z - after)
        z, time = after, time + step


@pytest.mark.parametrize(("start", "stop", "target"), [
    (4, 1, 0.0), (-1, -3, 0.0), (-4, -1, 1.0), (1, 3, 1.0), (4, 1, 0.5), (-5, -0.5, 0.5), (4, 0, 0.3), (-4, -1, 0.3),
    (3, 2.5, 0.9), (-2, 2, 0.9), (2, -2, 0.01), (2, 5, 0.999), (-6, -2, 1e-6 + 0.5), (-3, -4, 1e-3)])
def test_a_simulation_takes_as_long(start, stop, target):
    expected = saturation_delay(start, stop, target)
    # the interpolated last step is wrong by a share of (step²) only
    assert time_by_runge_kutta(start, stop, target, 0.02) == pytest.approx(expected, rel=1e-5, abs=1e-5)


def exact_delay(start: float, stop: float, target: float) -> float:
    """F for any target: 16 C [C³ ln sinh u + ½ S (3 C² - S²) u + ¼ cosh(z + l/2)].

    l is the logit, u = (z - l) / 2, C and S the hyperbolic cosine and sine of l/2: the integrand multiplied out. It
    cancels for extreme targets."""
    logit = math.log(target / (1 - target))
    c, s = math.cosh(logit / 2), math.sinh(logit / 2)

    def antiderivative(z: float) -> float:
        u = (z - logit) / 2
        log_sinh = abs(u) + math.log(-math.expm1(-2 * abs(u)) / 2)
        return 16 * c * (c**3 * log_sinh + 0.5 * s * (3 * c * c - s * s) * u + 0.25 * math.cosh(z + logit / 2))

    return antiderivative(start) - antiderivative(stop)


@pytest.mark.parametrize("target", [0.05, 0.2, 0.4999, 0.7, 0.95])
@pytest.mark.parametrize(("start", "stop"), [(30, 3.2), (30, 29), (12, 5), (-30, -3.2), (-8, -7.99), (4, 3)])
def test_the_quadrature_is_exact(start, stop, target):
    assert saturation_delay(start, stop, target) == pytest.approx(exact_delay(start, stop, target), rel=1e-11)


@pytest.mark.parametrize(("near", "limit", "start", "stop", "rel"), [
    (1e-15, 0.0, 30, 1, 1e-10), (1e-15, 0.0, 4, -3, 1e-10), (0.5 + 1e-12, 0.5, 30, 1, 1e-10),
    (1 - 1e-14, 1.0, -30, -1, 1e-10)])
def test_the_quadrature_goes_over_into_the_closed_forms(near, limit, start, stop, rel):
    assert saturation_delay(start, stop, near) == pytest.approx(saturation_delay(start, stop, limit), rel=rel)


@pytest.mark.parametrize("target", [0.0, 0.25, 0.5])
def test_delays_add_up_mirror_and_vanish(target):
    whole = saturation_delay(9, 2, target)
    assert saturation_delay(9, 5, target) + saturation_delay(5, 2, target) == pytest.approx(whole, rel=1e-12)
    assert saturation_delay(-9, -2, 1 - target) == pytest.approx(whole, rel=1e-12)
    assert saturation_delay(9, 9, target) == 0.0


@pytest.mark.parametrize("target", [0.0, 0.25, 0.5])
def test_a_tiny_way_takes_its_length_over_the_speed(target):
    """Where a difference of two F's would have no digits left."""
    start, way = 3.0, 2.0**-40
    speed = float(sigmoid_slope(start) * (sigmoid(start) - target))
    assert saturation_delay(start, start - way, target) == pytest.approx(way / speed, rel=1e-10, abs=0)


def test_deep_saturation_costs_twice_the_exponential():
    assert saturation_delay(30, 1, 0.5) == pytest.approx(2 * math.exp(30), rel=1e-9)
    assert saturation_delay(30, 1, 0.0) == pytest.approx(math.exp(30), rel=1e-9)


@pytest.mark.parametrize(("start", "stop", "target"), [
    (4, 0, 0.5), (4, -1, 0.5), (1, 4, 0.5), (1, 2, 0.0), (-1, -2, 1.0), (3, -3, 0.2), (0, 1, 0.5),
    (5, 2, 0.999), (2, math.log(0.3 / 0.7), 0.3)])
def test_what_is_never_reached_takes_forever(start, stop, target):
    """At or beyond the target, or away from it."""
    assert saturation_delay(start, stop, target) == math.inf


@pytest.mark.parametrize(("start", "stop", "target"), [
    (4, 1, -0.1), (4, 1, 1.1), (4, 1, math.nan), (math.nan, 1, 0), (math.inf, 1, 0), (4, -1000, 0)])
def test_what_makes_no_sense_is_refused(start, stop, target):
    with pytest.raises(ValueError, match="must lie in"):
        saturation_delay(start, stop, target)


# --- whole runs --------------------------------------------------------------------------------------------------

GAIN = {"sigmoid_squared": 16.0, "logistic": 4.0}  # rate times the largest eigenvalue
STARTS = [0, 2, 4, 6, 8, 10]


def factorial() -> tuple[np.ndarray, np.ndarray]:
    """All corners of {0.25, 0.75}^8 and a centered teacher at 45 degrees from the mean direction."""
    inputs = 0.25 + 0.5 * (np.arange(256)[:, None] >> np.arange(8) & 1)
    direction = 1.0 + np.where(np.arange(8) % 2, -1.0, 1.0)  # sqrt(8) times (u + s)
    return inputs, sigmoid(6 * (inputs - 0.5) @ direction / math.sqrt(8) / math.sqrt(2))


def training_steps(loss: str, treatment: str, start: float) -> float:
    """Steps of gradient descent from w = 0, b = start to 0.1 % of the excess loss of b = 0."""
    inputs, targets = factorial()
    run = simulate(Experiment(treatment=treatment, bias=True, start_bias=start, loss=loss, batch_size=256, steps=4500,
                              learning_rate=GAIN[loss] * LOSSES[loss].bound / 2), data=(inputs, targets))
    largest = spectrum(8, 0.5 if treatment == "none" else 0.0, 1 / 16, bias=True)[0]
    assert run.learning_rate == pytest.approx(GAIN[loss] / largest, rel=1e-9)
    value = LOSSES[loss].value
    least = value(np.log(targets / (1 - targets)), targets).mean()
    return float(steps_to_level(run.losses()[0] - least, 1e-3 * (value(0.0, targets).mean() - least)))


@pytest.mark.parametrize(("loss", "treatment", "expected"), [
    ("sigmoid_squared", "center", [157, 158, 165, 208, 524, 2857]),
    ("sigmoid_squared", "none", [1105, 1144, 1187, 1270, 1658, 4277]),
    ("logistic", "center", [109, 109, 109, 109, 109, 108]),
    ("logistic", "none", [807, 844, 875, 901, 925, 947])])
def test_golden_steps_of_training_from_saturation(loss, treatment, expected):
    measured = [training_steps(loss, treatment, start) for start in STARTS]
    assert measured == expected


def test_saturation_adds_the_predicted_delay():
    """The delay of centered runs is the predicted one, within the 3 % that the spread of the targets costs."""
    base = training_steps("sigmoid_squared", "center", 0)
    for start in (8, 10):
        delay = training_steps("sigmoid_squared", "center", start) - base
        assert delay == pytest.approx(saturation_delay(start, 1, 0.5) / 16, rel=0.03)


@pytest.mark.parametrize(("loss", "power", "measured", "predicted"), [
    ("sigmoid_squared", 2, 7.04, 6.68), ("logistic", 1, 7.40, 7.15)])
def test_the_zig_zag_factor_is_nearly_that_of_gauss_newton_at_the_optimum(loss, power, measured, predicted):
    """Steps of the run that is linearized at the optimum: features weighted with s'² (or s') of the teacher's outputs,
    from the same start to the same loss."""
    inputs, targets = factorial()
    weights, value = (targets * (1 - targets)) ** power, LOSSES[loss].value
    optimum = np.log(targets / (1 - targets))
    level = 1e-3 * (value(0.0, targets) - value(optimum, targets)).mean()

    def linearized_steps(x: np.ndarray, mean: float) -> float:
        x = np.column_stack([x, np.ones(len(x))])
        values, vectors = np.linalg.eigh((x.T * weights) @ x / len(x))
        components = np.sqrt(values / 2) * (np.linalg.lstsq(x, optimum, rcond=None)[0] @ vectors)  # squares: the loss
        rate = GAIN[loss] / spectrum(8, mean, 1 / 16, bias=True)[0]
        return steps_to(values, components, rate, math.sqrt(level / np.square(components).sum()))

    assert linearized_steps(inputs, 0.5) / linearized_steps(inputs - 0.5, 0.0) == pytest.approx(predicted, abs=0.005)
    steps = training_steps(loss, "none", 0) / training_steps(loss, "center", 0)
    assert steps == pytest.approx(measured, abs=0.005)
