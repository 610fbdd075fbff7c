"""Shortest paths inside double cones, against constructed paths, linear programs and samples."""
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zz_core.theory import cone_detour, data_cone_detour, kaczmarz_errors, mean_cone_detour, planar_cone_detour


def test_golden_detour_of_the_orthant():
    d = np.array([3.0, -4.0, 0.0, 12.0])
    assert cone_detour(d) == pytest.approx((math.sqrt(153) + 4) / 13, rel=1e-14)
    assert cone_detour(d) == pytest.approx(1.2591782213, abs=1e-10)
    angle = math.acos(math.sqrt(153) / 13)
    assert angle == pytest.approx(0.3127667219, abs=1e-10)
    assert cone_detour(d) == pytest.approx(math.sqrt(2) * math.sin(angle + math.pi / 4), rel=1e-14)


def test_the_plane_and_the_ends():
    angles = np.linspace(0, 2 * math.pi, 73)
    d = np.column_stack([np.cos(angles), np.sin(angles)])
    mixed = d[:, 0] * d[:, 1] < -1e-12
    np.testing.assert_allclose(cone_detour(d), np.where(mixed, np.abs(d).sum(axis=1), 1.0), rtol=1e-12)
    assert math.isnan(cone_detour([0.0, 0.0, 0.0]))
    assert cone_detour([1e-300, -1e-300]) == pytest.approx(math.sqrt(2))
    np.testing.assert_array_equal(np.isnan(cone_detour([[1.0, 2.0], [0.0, 0.0]])), [False, True])


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=6), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_no_path_of_one_sign_steps_is_shorter(displacement, moves, seed):
    """Random sequences of steps of one sign each, completed to reach the target; two steps attain the minimum."""
    d, rng = np.array(displacement), np.random.default_rng(seed)
    if not d.any():
        assert math.isnan(cone_detour(d))
        return
    steps = rng.exponential(np.abs(d).max(), (moves, len(d))) * rng.choice([-1.0, 1.0], (moves, 1))
    rest = d - steps.sum(axis=0)
    steps = [*steps, np.maximum(rest, 0), np.minimum(rest, 0)]
    shortest = cone_detour(d) * np.linalg.norm(d)
    assert sum(np.linalg.norm(step) for step in steps) >= shortest * (1 - 1e-12)
    assert np.linalg.norm(np.maximum(d, 0)) + np.linalg.norm(np.minimum(d, 0)) == pytest.approx(shortest)
    assert 1 - 1e-12 <= cone_detour(d) <= math.sqrt(2) + 1e-12


@pytest.mark.parametrize(("dimensions", "expected"), [
    (1, 1.0), (2, 1.1366197724), (3, 1.2140486225), (4, 1.2616197724), (8, 1.3408853269), (16, 1.3793159367),
    (64, 1.4058208917), (256, 1.4121353690)])
def test_golden_mean_detours(dimensions, expected):
    assert mean_cone_detour(dimensions) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("dimensions", [2, 3, 8, 64])
def test_random_directions_have_the_mean_detour(dimensions):
    detours = cone_detour(np.random.default_rng(2).standard_normal((50_000, dimensions)))
    assert abs(detours.mean() - mean_cone_detour(dimensions)) < 4 * detours.std() / math.sqrt(len(detours))


def test_the_mean_detour_in_4096_dimensions():
    """With exact binomials, and the gamma ratios from their recursion r(k+1) = k / (2 r(k))."""
    dimensions, ratio, binomial, total = 4096, 1 / math.sqrt(math.pi), 1, 0.0
    for k in range(1, dimensions + 1):
        binomial = binomial * (dimensions - k + 1) // k
        total += float(Fraction(binomial, 2**dimensions)) * ratio
        last, ratio = ratio, k / (2 * ratio)
    assert mean_cone_detour(dimensions) == pytest.approx(2 * total / last, rel=1e-10)
    assert mean_cone_detour(256) < mean_cone_detour(dimensions) < math.sqrt(2)


# --- the cone of the data ----------------------------------------------------------------------------------------

@pytest.mark.parametrize(("angle", "expected"), [
    (90, 2.9238044002), (60, 2.5320888862), (120, 2.5320888862), (30, 1.4619022001), (20, 1.0), (0, 1.0), (180, 1.0),
    (165, 1.0)])
def test_golden_detours_of_a_narrow_cone(angle, expected):
    assert data_cone_detour(math.radians(angle), math.radians(20)) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("half_angle", [0.02, 0.3, math.pi / 4, 1.5])
def test_in_the_plane_two_samples_span_the_cone(half_angle):
    """The formula for circular cones against the one for data; the quadrant is the cone of 45 degrees."""
    edges = [[math.cos(half_angle), math.sin(half_angle)], [3 * math.cos(half_angle), -3 * math.sin(half_angle)]]
    inside = [[math.cos(a), math.sin(a)] for a in np.linspace(-half_angle, half_angle, 2001)]
    for angle in np.linspace(-4, 4, 41):
        d = np.array([math.cos(angle), math.sin(angle)])
        expected = data_cone_detour(angle, half_angle)
        assert planar_cone_detour(np.array(edges + inside), d) == pytest.approx(expected, rel=1e-6)
        if half_angle == math.pi / 4:
            turn = np.array([[1.0, -1.0], [1.0, 1.0]]) / math.sqrt(2)
            assert cone_detour(turn @ d) == pytest.approx(expected, rel=1e-12)


def test_a_circular_cone_in_space_is_a_linear_program():
    """240 rays on the cone's edge; the polygon they span is closer than 1e-3 to the circle."""
    optimize = pytest.importorskip("scipy.optimize")
    half_angle, turns = math.radians(20), np.linspace(0, 2 * math.pi, 240, endpoint=False)
    rays = np.array([np.full(240, math.cos(half_angle)), math.sin(half_angle) * np.cos(turns),
                     math.sin(half_angle) * np.sin(turns)])
    for angle in (0.4, 0.7, 1.2, math.pi / 2, 2.5):  # all outside the cone, which is hollow here
        d = np.array([math.cos(angle), math.sin(angle) * 0.6, math.sin(angle) * 0.8])
        found = optimize.linprog(np.ones(480), A_eq=np.hstack([rays, -rays]), b_eq=d)
        assert found.fun == pytest.approx(data_cone_detour(angle, half_angle), rel=1e-3)


def by_all_pairs(points: np.ndarray, d: np.ndarray) -> float:
    """The least |c_i||x_i| + |c_j||x_j| over all pairs of samples: an optimum needs two at most."""
    best = math.inf
    for x, y in itertools.combinations(points, 2):
        if abs(x[0] * y[1] - x[1] * y[0]) > 1e-9 * np.linalg.norm(x) * np.linalg.norm(y):
            c = np.linalg.solve(np.column_stack([x, y]), d)
            best = min(best, abs(c) @ [np.linalg.norm(x), np.linalg.norm(y)])
    return best / np.linalg.norm(d)


@pytest.mark.parametrize("seed", range(30))
def test_planar_data_against_all_pairs_of_samples(seed):
    rng = np.random.default_rng(seed)
    points = rng.choice([0.0, 1.0, 5.0]) + rng.standard_normal((int(rng.integers(2, 12)), 2))
    for d in rng.standard_normal((5, 2)):
        assert planar_cone_detour(points, d) == pytest.approx(by_all_pairs(points, d), rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_planar_data_against_a_linear_program(seed):
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(100 + seed)
    points, d = 2 + rng.standard_normal((9, 2)), rng.standard_normal(2)
    lengths = np.linalg.norm(points, axis=1)
    found = optimize.linprog(np.tile(lengths, 2), A_eq=np.hstack([points.T, -points.T]), b_eq=d)
    assert planar_cone_detour(points, d) == pytest.approx(found.fun / np.linalg.norm(d), rel=1e-7)


def test_planar_data_in_special_positions():
    axes = np.array([[2.0, 0.0], [0.0, -3.0]])
    for d, expected in [([1.0, 1.0], math.sqrt(2)), ([-1.0, 1.0], math.sqrt(2)), ([1.0, 0.0], 1.0), ([-1.0, 0.0], 1.0),
                        ([-1.0, -1e-20], 1.0), ([0.0, 5.0], 1.0), ([3.0, 4.0], 1.4)]:
        assert planar_cone_detour(axes, d) == pytest.approx(expected, rel=1e-12)
    line = np.outer([0.1, -0.7, 3.0, 0.0], [0.1, 0.3])
    assert planar_cone_detour(line, [1.0, 1.0]) == math.inf
    assert planar_cone_detour(line, [-1 / 3, -1.0]) == 1.0
    assert planar_cone_detour(np.array([[1.0, 0.0], [-2.0, -1e-17]]), [1.0, 0.0]) == 1.0
    assert planar_cone_detour(np.zeros((3, 2)), [1.0, 0.0]) == math.inf
    assert math.isnan(planar_cone_detour(axes, [0.0, 0.0]))


# --- two samples in turn -----------------------------------------------------------------------------------------

def test_golden_parallel_parking():
    assert kaczmarz_errors(math.radians(10), 6)[6] == pytest.approx(0.9227871131, abs=1e-10)


@pytest.mark.parametrize("angle", [0.0, 0.1745, 1.0, math.pi / 2, 2.5, math.pi])
def test_fitting_two_samples_in_turn(angle):
    samples = [np.array([math.cos(angle / 2), sign * math.sin(angle / 2)]) for sign in (1, -1)]
    e = np.array([0.0, 1.0])  # across the bisector
    errors = [1.0]
    for k in range(8):
        e = e - (samples[k % 2] @ e) * samples[k % 2]
        errors.append(np.linalg.norm(e))
    np.testing.assert_allclose(kaczmarz_errors(angle, 8), errors, atol=1e-14)


@pytest.mark.parametrize("call", [
    lambda: cone_detour(1.0), lambda: cone_detour([1.0, math.inf]), lambda: mean_cone_detour(0),
    lambda: data_cone_detour(1.0, 0.0), lambda: data_cone_detour(1.0, 1.6),
    lambda: planar_cone_detour(np.ones((3, 3)), [1.0, 0.0]), lambda: planar_cone_detour(np.ones((3, 2)), [1.0]),
    lambda: planar_cone_detour(np.full((3, 2), math.nan), [1.0, 0.0]), lambda: kaczmarz_errors(-0.1, 3),
    lambda: kaczmarz_errors(1.0, -1)])
def test_what_makes_no_sense_is_refused(call):
    with pytest.raises(ValueError, match="must"):
        call()
