"""Closed forms of descent on a quadratic loss, against loops that take the steps and against the simulator."""
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zz_core import Experiment, simulate
from zz_core.measures import alternation, path_efficiency, steps_to_tolerance, turning
from zz_core.theory import (
    condition_number,
    cone_detour,
    gradient_descent_path,
    levenberg_marquardt_factors,
    line_search_ratio,
    momentum_rates,
    momentum_tunings,
    rate_zones,
    spectrum,
    steps_to,
    zigzag_cosine,
    zigzag_length,
)

# The standard problem: all corners of {0.25, 0.75}^8, the error at an angle from the mean direction.
VALUES = spectrum(8, 0.5, 1 / 16)
ZONES = rate_zones(VALUES)
TOLERANCE = 1e-3
# angle: steps of descent at 1/l1 and at the best rate, its efficiency, its alternation, steps of heavy ball, Nesterov,
# exact line search and Levenberg-Marquardt with a damping of v/10, shortest path with components of one sign
P8 = {0: (1, 114, 0.0303, 1.0, 31, 1, 1, 2, 1.0),
      15: (181, 114, 0.0314, 1.0, 31, 40, 3, 3, 1.0),
      45: (214, 114, 0.0428, 1.0, 30, 46, 4, 3, 1.0),
      75: (224, 114, 0.1163, 1.0, 28, 48, 12, 3, 1.366),
      90: (225, 114, 1.0, 0.0, 26, 48, 1, 3, 1.414)}
P8_ROWS = [(angle, *row) for angle, row in P8.items()]


def components(angle: float) -> np.ndarray:
    """The start's error in the eigenvectors: along the mean and along one direction across."""
    c = np.zeros(8)
    c[:2] = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return np.where(np.abs(c) < 1e-15, 0.0, c)


def run(angle: float, steps: int, **values):
    """The simulator on the standard problem."""
    return simulate(Experiment(inputs="factorial", dimensions=8, batch_size=256, target_angle=angle, distance=1.0,
                               steps=steps, **values))


def arrival(run) -> float:
    return float(steps_to_tolerance(run.weights[0], run.optimum, TOLERANCE))


def descend(angle: float, rate: float, steps: int = 240):
    # the simulator's rates in units of the limit, since the absolute ones end at 10
    return run(angle, steps, rate_unit="critical", learning_rate=rate / ZONES.diverges_from)


@pytest.mark.parametrize("row", P8_ROWS, ids=lambda row: f"{row[0]} degrees")
def test_steps_of_gradient_descent_on_the_standard_problem(row):
    angle, calm, best, efficiency, alternating, *_ = row
    for rate, expected in [(ZONES.calm_below, calm), (ZONES.best, best)]:
        trained = descend(angle, rate)
        assert trained.learning_rate == pytest.approx(rate, rel=1e-12)
        assert arrival(trained) == expected
        assert steps_to(VALUES, components(angle), rate, TOLERANCE) == expected
    path = trained.weights[0, : best + 1]
    assert path_efficiency(path) == pytest.approx(efficiency, abs=5e-5)
    # at 90 degrees the part along the mean is rounding
    if angle < 90:
        assert alternation(path, trained.optimum, trained.direction) == alternating
        assert turning(path) == pytest.approx(zigzag_cosine(33.0, *components(angle)[:2]), rel=1e-6)
    else:
        assert turning(path) == pytest.approx(1.0, rel=1e-12)
    # the path is shorter than the infinite one by its last thousandth, on both ends of the ratio
    predicted = zigzag_length(33.0, *components(angle)[:2])
    length = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
    assert length == pytest.approx(predicted * (1 - (16 / 17) ** best), rel=1e-9)


@pytest.mark.parametrize("row", P8_ROWS, ids=lambda row: f"{row[0]} degrees")
def test_the_path_of_gradient_descent_is_the_simulated_one(row):
    angle = row[0]
    for rate in (ZONES.calm_below, ZONES.best, 1.02 * ZONES.diverges_from):
        trained = descend(angle, rate, steps=120)
        inputs = trained.inputs
        predicted = gradient_descent_path(inputs.T @ inputs / len(inputs), -trained.optimum, rate, 120)
        np.testing.assert_allclose(trained.weights[0] - trained.optimum, predicted, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("row", P8_ROWS, ids=lambda row: f"{row[0]} degrees")
def test_line_search_and_levenberg_marquardt_on_the_standard_problem(row):
    angle, *_, line_search, damped, detour = row
    searched = run(angle, 20, optimizer="steepest_descent")
    assert arrival(searched) == line_search
    if 0 < angle < 90:
        losses = searched.excess_losses()[0]
        slope = math.tan(math.radians(angle)) / 33
        # below that the weights, which end near w* and not near 0, have too few digits left
        ratios = (losses[1:] / losses[:-1])[losses[1:] > 1e-16 * losses[0]]
        assert len(ratios) >= 5
        np.testing.assert_allclose(ratios, line_search_ratio(33.0, slope), rtol=1e-6)
    stepped = run(angle, 4, optimizer="levenberg_marquardt", damping=0.1 / 16, rate_unit="absolute", learning_rate=1.0)
    assert arrival(stepped) == damped
    errors = levenberg_marquardt_factors(VALUES, 0.1 / 16) ** np.arange(5)[:, None] * components(angle)
    np.testing.assert_allclose(np.linalg.norm(stepped.weights[0] - stepped.optimum, axis=1),
                               np.linalg.norm(errors, axis=1), rtol=1e-6, atol=1e-13)
    assert cone_detour(searched.optimum) == pytest.approx(detour, abs=5e-4)


def momentum_steps(angle: float, method: str) -> int:
    """Two modes, the textbook loop: heavy ball adds momentum * (last step), Nesterov takes the gradient after it."""
    rate, momentum = getattr(momentum_tunings(VALUES[0], VALUES[-1]), method)
    values, e = VALUES[:2], components(angle)[:2]
    before, steps = e, 0
    while np.linalg.norm(e) > TOLERANCE:
        ahead = e + momentum * (e - before)
        e, before = ahead - rate * values * (e if method == "heavy_ball" else ahead), e
        steps += 1
    return steps


@pytest.mark.parametrize("row", P8_ROWS, ids=lambda row: f"{row[0]} degrees")
def test_momentum_on_the_standard_problem(row):
    angle, _, _, _, _, heavy_ball, nesterov, *_ = row
    assert momentum_steps(angle, "heavy_ball") == heavy_ball
    assert momentum_steps(angle, "nesterov") == nesterov


# --- steps to a tolerance ----------------------------------------------------------------------------------------

@given(st.lists(st.floats(0.01, 3.0), min_size=1, max_size=5), st.floats(0.05, 2.5), st.floats(0.01, 0.9),
       st.integers(0, 2**32 - 1))
def test_steps_are_those_of_a_loop(values, share, tolerance, seed):
    """share up to 2.5: also rates that diverge, in which a flat mode may bring the error down before it explodes."""
    values, c = np.array(values), np.random.default_rng(seed).standard_normal(len(values))
    rate = share / values.max()
    with np.errstate(over="ignore"):
        squared = (c * (1 - rate * values) ** np.arange(3001)[:, None]) ** 2
        squared = squared.sum(axis=1) / (c @ c) / tolerance**2
    there = squared <= 1
    expected = float(there.argmax()) if there.any() else math.inf
    found = steps_to(values, c, rate, tolerance)
    # ties at the level are decided by rounding
    near = np.abs(squared - 1).min() < 1e-9
    assert near or found == expected or (found > 3000 and math.isinf(expected))


def test_a_million_million_steps_are_not_taken():
    """exp(-2 * 1e-12 t) / 2 = 1e-6."""
    assert steps_to([1.0, 1e-12], [1.0, 1.0], 1.0, 1e-3) == pytest.approx(math.log(5e5) / 2e-12, rel=1e-9)
    assert steps_to([1e-25], [1.0], 1.0, 1e-3) == pytest.approx(math.log(1e3) / 1e-25, rel=1e-9)


@pytest.mark.parametrize(("values", "start", "rate", "tolerance", "expected"), [
    ([1.0, 0.5], [1.0, 0.0], 1.0, 1e-3, 1.0),  # the rate is the inverse of the only mode there is
    ([1.0], [1.0], 2.0, 0.5, math.inf),  # back and forth for ever
    ([1.0], [1.0], 2.1, 0.5, math.inf),
    ([1.0, 0.0], [1.0, 1.0], 0.5, 0.5, math.inf),  # a flat direction keeps its error
    ([1.0, 0.0], [1.0, 1.0], 0.5, 0.75, 2.0),  # (1 + 1/16) / 2 is 0.53, below 0.5625; after one step it is 0.625
    ([1.0, 0.3], [1e-3, 1.0], 2.02, 0.5, 1.0),  # falls before it explodes
    ([1.0, 0.01], [1e-3, 1.0], 2.5, 0.5, math.inf),  # explodes before it falls
    ([3.0, 0.5], [5e-4, 1.0], 1.0, 0.04, 5.0),  # within the tolerance at the steps 5 and 6 only
    ([1.0, 2.0], [0.0, 0.0], 0.5, 0.1, 0.0),
])
def test_steps_in_limiting_cases(values, start, rate, tolerance, expected):
    assert steps_to(values, start, rate, tolerance) == expected


@pytest.mark.parametrize(("condition", "expected", "digits"), [
    (148.0557457873, 511, 0.5), (16.0, 55.2, 0.05), (33.0, 113.9, 0.05)])
def test_the_worst_case_at_the_best_rate(condition, expected, digits):
    """ln(1000) / ln((k + 1) / (k - 1)), whatever the start."""
    steps = math.log(1000) / math.log((condition + 1) / (condition - 1))
    assert steps == pytest.approx(expected, abs=digits)
    assert steps_to([condition, 1.0], [0.3, 1.0], 2 / (condition + 1), 1e-3) == math.ceil(steps)


def test_no_alternation_costs_a_factor_of_two_at_most():
    for condition in (2.0, 33.0, 1000.0):
        calm = steps_to([condition, 1.0], [1.0, 1.0], 1 / condition, 1e-6)
        best = steps_to([condition, 1.0], [1.0, 1.0], 2 / (condition + 1), 1e-6)
        assert best < calm < 2.05 * best


def test_alternation_starts_at_the_inverse_of_each_eigenvalue():
    values = np.array([2.0, 0.5])
    for rate, alternating in [(0.49, [False, False]), (0.51, [True, False]), (1.99, [True, False]),
                              (2.01, [True, True])]:
        path = gradient_descent_path(np.diag(values), [1.0, 1.0], rate, 2)
        assert list(path[1] * path[0] < 0) == alternating
        assert list(rate > rate_zones(values).borders) == alternating


# --- the zig-zag in numbers --------------------------------------------------------------------------------------

@pytest.mark.parametrize(("condition", "along", "across", "length", "cosine"), [
    (9.0, 1.0, 1.0, 6.4031242374, -0.9756097561), (25.0, 0.1, 1.0, 2.6792196293, -0.7241379310)])
def test_length_and_cosine_of_the_zig_zag(condition, along, across, length, cosine):
    assert zigzag_length(condition, along, across) == pytest.approx(length, abs=1e-10)
    assert zigzag_cosine(condition, along, across) == pytest.approx(cosine, abs=1e-10)
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((2, 2)))[0]
    hessian = rotation @ np.diag([condition, 1.0]) @ rotation.T
    path = gradient_descent_path(hessian, rotation @ [along, across], 2 / (condition + 1), 400)
    np.testing.assert_array_equal(path[0], rotation @ [along, across])
    steps = np.diff(path, axis=0)[:100]
    assert np.linalg.norm(np.diff(path, axis=0), axis=1).sum() == pytest.approx(
        length * math.hypot(along, across), rel=1e-9)
    cosines = np.vecdot(steps[1:], steps[:-1]) / np.linalg.norm(steps[1:], axis=1) / np.linalg.norm(steps[:-1], axis=1)
    np.testing.assert_allclose(cosines, cosine, rtol=1e-7)


def test_the_ends_of_the_zig_zag():
    np.testing.assert_allclose(zigzag_length(33.0, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]), [33.0, 1.0, np.nan])
    np.testing.assert_allclose(zigzag_cosine(33.0, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]), [-1.0, 1.0, np.nan])
    assert zigzag_length(1.0, 1.0, 1.0) == pytest.approx(1.0) and math.isnan(zigzag_cosine(1.0, 1.0, 1.0))


# --- exact line search -------------------------------------------------------------------------------------------

def line_search(values: np.ndarray, gradient: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Loss (steps+1,) and gradient (steps+1, D) of steepest descent with exact line search, diagonal H."""
    losses, gradients = [], []
    for _ in range(steps + 1):
        losses.append(0.5 * np.sum(gradient**2 / values))
        gradients.append(gradient)
        gradient = gradient - (gradient @ gradient) / (gradient**2 @ values) * values * gradient
    return np.array(losses), np.array(gradients)


@pytest.mark.parametrize(("condition", "square", "expected"), [(9.0, 1.0, 0.64), (9.0, 4.0, 0.5322245322)])
def test_golden_ratios_of_exact_line_search(condition, square, expected):
    assert line_search_ratio(condition, math.sqrt(square)) == pytest.approx(expected, abs=1e-10)
    losses, gradients = line_search(np.array([condition, 1.0]), np.array([1.0, math.sqrt(square)]), 30)
    np.testing.assert_allclose(losses[1:] / losses[:-1], expected, rtol=1e-9)
    slopes = gradients[:, 1] / gradients[:, 0]
    np.testing.assert_allclose(slopes[1:] * slopes[:-1], -1.0, rtol=1e-9)


def test_the_worst_slope_of_line_search_is_one():
    slopes = np.array([0.0, 1e-3, 0.5, 1.0, -1.0, 2.0, 1e200, np.inf])
    ratios = line_search_ratio(25.0, slopes)
    assert ratios.max() == ratios[3] == ratios[4] == pytest.approx((24 / 26) ** 2)
    assert ratios[2] == pytest.approx(ratios[5], rel=1e-14)
    np.testing.assert_allclose(ratios[[0, 6, 7]], 0.0, atol=1e-300)
    assert line_search_ratio(1.0, 0.7) == 0.0


def test_line_search_forgets_all_but_the_two_extreme_eigenvectors():
    """Akaike 1959, in six dimensions."""
    values = np.array([7.0, 5.0, 3.5, 2.5, 1.5, 1.0])
    losses, gradients = line_search(values, np.random.default_rng(5).standard_normal(6), 300)
    energy = np.square(gradients[-1]) / np.square(gradients[-1]).sum()
    assert energy[[0, -1]].sum() > 1 - 1e-9
    assert losses[-1] / losses[-2] == pytest.approx(line_search_ratio(7.0, gradients[-2][-1] / gradients[-2][0]),
                                                    rel=1e-6)


# --- momentum and curvature --------------------------------------------------------------------------------------

@pytest.mark.parametrize(("condition", "expected"), [
    (9.0, (0.5, 2 / 3, 0.6220355270)), (25.0, (2 / 3, 0.8, 0.7705842661)),
    (33.0, (0.7034648346, 0.8259223440, 0.8))])
def test_golden_rates_of_momentum(condition, expected):
    assert momentum_rates(condition) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("condition", [1.0, 9.0, 25.0, 33.0])
@pytest.mark.parametrize("method", ["heavy_ball", "nesterov", "tuned_nesterov"])
def test_the_rates_are_spectral_radii(method, condition):
    """The largest root of each mode's two-step recursion, over modes from the flattest to the steepest."""
    smallest = 0.7
    rate, momentum = getattr(momentum_tunings(condition * smallest, smallest), method)
    radii = []
    for value in np.linspace(smallest, condition * smallest, 101):
        after, before = 1 + momentum - rate * value, -momentum
        if method != "heavy_ball":
            after, before = (1 + momentum) * (1 - rate * value), -momentum * (1 - rate * value)
        radii.append(np.abs(np.roots([1.0, -after, -before])).max())
    # a double root is known to the square root of the rounding
    assert max(radii) == pytest.approx(getattr(momentum_rates(condition), method), abs=1e-6)


def test_levenberg_marquardt_never_alternates_and_ends_as_descent_or_in_one_step():
    values = np.array([33.0, 1.0, 0.0])
    assert levenberg_marquardt_factors(values, 1.0) == pytest.approx([1 / 34, 0.5, 1.0])
    assert levenberg_marquardt_factors(values, 1e-9) == pytest.approx([0.0, 0.0, 1.0], abs=1e-8)
    assert levenberg_marquardt_factors(values, 1e6) == pytest.approx(1 - values / 1e6, rel=1e-8)


@pytest.mark.parametrize("call", [
    lambda: gradient_descent_path(np.eye(2), [1.0, 2.0, 3.0], 0.1, 3),
    lambda: gradient_descent_path([[1.0, 2.0], [0.0, 1.0]], [1.0, 2.0], 0.1, 3),
    lambda: gradient_descent_path(np.eye(2), [1.0, 2.0], 0.0, 3),
    lambda: gradient_descent_path(np.eye(2), [1.0, 2.0], 0.1, -1),
    lambda: steps_to([1.0], [1.0], -0.1, 0.1), lambda: steps_to([1.0], [1.0], 0.1, 0.0),
    lambda: steps_to([-1.0], [1.0], 0.1, 0.1), lambda: steps_to([1.0], [math.nan], 0.1, 0.1),
    lambda: zigzag_length(0.5, 1.0, 1.0), lambda: zigzag_cosine(math.nan, 1.0, 1.0),
    lambda: line_search_ratio(0.9, 1.0), lambda: momentum_rates(0.0), lambda: momentum_tunings(1.0, 2.0),
    lambda: levenberg_marquardt_factors([1.0], 0.0), lambda: levenberg_marquardt_factors([-1.0], 1.0)])
def test_what_makes_no_sense_is_refused(call):
    with pytest.raises(ValueError, match="must"):
        call()


def test_the_standard_problem_is_what_it_says():
    inputs = run(0, 1).inputs
    np.testing.assert_allclose(np.linalg.eigvalsh(inputs.T @ inputs / 256)[::-1], VALUES, rtol=1e-12)
    assert condition_number(8, 0.5, 1 / 16) == 33.0
