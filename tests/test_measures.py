"""The measures: golden numbers of paths whose geometry is known, edge cases, and slow versions of each."""
import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from zz_core import measures as m
from zz_core.treatments import TREATMENTS

SIGN_MEASURES = {"unanimous": m.unanimous, "majority": m.majority, "coherence": m.coherence,
                 "energy": lambda vectors: m.mean_direction_energy(vectors, np.ones(np.shape(vectors)[-1]))}
PATH_MEASURES = {"path_efficiency": m.path_efficiency, "turning": m.turning, "reversal_rate": m.reversal_rate}
every_sign_measure = pytest.mark.parametrize("name", SIGN_MEASURES)
every_path_measure = pytest.mark.parametrize("name", PATH_MEASURES)

ordinary = st.floats(-10, 10, allow_subnormal=False).map(lambda value: 0.0 if abs(value) < 1e-3 else value)
vectors = arrays(float, st.integers(1, 6), elements=ordinary)
paths = arrays(float, st.tuples(st.integers(1, 9), st.integers(1, 3)), elements=ordinary)


def descent_path(kappa: float, top: float, bottom: float, steps: int) -> np.ndarray:
    """Full-batch descent at the best rate 2/(l1 + lD) on eigenvalues kappa and 1, from the error (top, bottom)."""
    error, rate = np.array([top, bottom]), 2 / (kappa + 1)
    return np.array([error * (1 - rate * np.array([kappa, 1.0])) ** t for t in range(steps + 1)])


# --- signs -------------------------------------------------------------------------------------------------------

def test_sign_measures_of_hand_made_vectors():
    cases = np.array([[1.0, 2.0, 3.0], [-1.0, -2.0, -3.0], [1.0, -1.0, 2.0], [3.0, 0.0, 0.0]])
    np.testing.assert_array_equal(m.unanimous(cases), [1, 1, 0, 1])
    np.testing.assert_allclose(m.majority(cases), [1, 1, 2 / 3, 1])
    np.testing.assert_allclose(m.coherence(cases), [1, 1, 0.5, 1])
    np.testing.assert_allclose(m.mean_direction_energy(cases, np.ones(3)), [36 / 42, 36 / 42, 4 / 18, 9 / 27])


@every_sign_measure
def test_a_zero_vector_has_no_sign(name):
    with np.errstate(all="raise"):
        np.testing.assert_allclose(SIGN_MEASURES[name](np.array([[0.0, 0.0], [1.0, 1.0]])), [np.nan, 1.0])


@every_sign_measure
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_diverged_vector_has_no_sign(name, bad):
    with np.errstate(all="raise"):
        assert np.isnan(SIGN_MEASURES[name](np.array([bad, 1.0])))
        assert np.isnan(SIGN_MEASURES[name](np.array([bad, -bad])))


@every_sign_measure
def test_one_feature_always_agrees_with_itself(name):
    np.testing.assert_array_equal(SIGN_MEASURES[name](np.array([[3.0], [-1e-200]])), [1.0, 1.0])


@every_sign_measure
def test_any_leading_axes(name):
    values = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    result = SIGN_MEASURES[name](values)
    assert result.shape == (2, 3, 4)
    assert result[1, 2, 3] == pytest.approx(SIGN_MEASURES[name](values[1, 2, 3]))


def test_components_below_a_trillionth_of_the_largest_count_as_zero():
    below, above = np.array([1.0, -0.9e-12, 0.0]), np.array([1.0, -1.1e-12, 0.0])
    assert m.unanimous(below) == 1 and m.unanimous(above) == 0
    assert m.majority(below) == 1 and m.majority(above) == 0.5
    assert m.unanimous(1e-290 * below) == 1 and m.unanimous(1e-290 * above) == 0  # relative, not absolute


@given(vectors)
def test_sign_measures_equal_slow_versions(vector):
    largest = max(abs(value) for value in vector)
    positive = sum(1 for value in vector if value > 1e-12 * largest)
    negative = sum(1 for value in vector if value < -1e-12 * largest)
    if positive + negative == 0:
        assert np.isnan([measure(vector) for measure in SIGN_MEASURES.values()]).all()
        return
    assert m.unanimous(vector) == (1.0 if positive == 0 or negative == 0 else 0.0)
    assert m.majority(vector) == pytest.approx(max(positive, negative) / (positive + negative))
    assert m.coherence(vector) == pytest.approx(abs(math.fsum(vector)) / math.fsum(abs(vector)), abs=1e-12)
    along = math.fsum(vector) / math.sqrt(len(vector))
    assert SIGN_MEASURES["energy"](vector) == pytest.approx(along**2 / math.fsum(vector**2), abs=1e-12)


@given(vectors, st.floats(0.01, 100))
def test_sign_measures_do_not_depend_on_scale_or_on_gradient_against_update(vector, scale):
    for measure in SIGN_MEASURES.values():
        # all lie from 0 to 1; where a sum cancels, its rounding is small beside 1 and not beside the sum
        np.testing.assert_allclose(measure(-scale * vector), measure(vector), rtol=0, atol=1e-12)


def test_only_the_energy_survives_flipped_features():
    """"Same sign" depends on the coordinates; the share along the mean does not."""
    gradient, flip = np.array([1.0, 2.0, 3.0]), np.array([1.0, -1.0, 1.0])
    assert m.unanimous(gradient) == 1 and m.unanimous(gradient * flip) == 0
    assert m.coherence(gradient) == 1 and m.coherence(gradient * flip) < 1
    assert m.mean_direction_energy(gradient * flip, np.ones(3) * flip) == pytest.approx(
        m.mean_direction_energy(gradient, np.ones(3)))


def test_the_energy_of_tiny_and_huge_vectors():
    for scale in (1e-200, 1e200):  # their squares underflow and overflow
        assert m.mean_direction_energy(scale * np.array([1.0, 1.0, 0.0]), np.array([1.0, 0, 0])) == pytest.approx(0.5)


def test_the_length_of_the_direction_does_not_matter():
    gradient = np.array([1.0, -2.0, 0.5])
    assert m.mean_direction_energy(gradient, 7 * np.ones(3)) == pytest.approx(
        m.mean_direction_energy(gradient, np.ones(3)))


def test_the_energy_by_chance_is_one_over_the_dimensions():
    draws = np.random.default_rng(0).standard_normal((40_000, 8))
    assert m.mean_direction_energy(draws, np.ones(8)).mean() == pytest.approx(1 / 8, abs=0.004)


def test_layer_normed_inputs_have_coherence_zero_and_are_never_unanimous():
    x = TREATMENTS["layer_norm"].apply(np.random.default_rng(0).random((500, 6))).inputs
    gradients = np.random.default_rng(1).standard_normal((500, 1)) * x
    np.testing.assert_allclose(m.coherence(gradients), 0.0, atol=1e-14)
    assert not m.unanimous(gradients).any()


@pytest.mark.parametrize(("dimensions", "chance"), [
    (1, 1.0), (2, 0.75), (3, 0.75), (4, 0.6875), (8, 0.63671875), (16, 0.5981903076), (64, 0.5496733768),
    (256, 0.52490955497)])
def test_majority_by_chance(dimensions, chance):
    assert m.majority_by_chance(dimensions) == pytest.approx(chance, rel=1e-9)
    if dimensions % 2 == 0:  # the mean absolute deviation of a binomial in closed form
        assert m.majority_by_chance(dimensions) == pytest.approx(
            0.5 + math.comb(dimensions, dimensions // 2) / 2 ** (dimensions + 1), rel=1e-14)


def test_majority_and_unanimity_of_fair_coins():
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(40_000, 5))
    assert m.majority(signs).mean() == pytest.approx(m.majority_by_chance(5), abs=0.003)
    assert m.unanimous(signs).mean() == pytest.approx(m.unanimous_by_chance(5), abs=0.004)
    assert m.unanimous_by_chance(5) == 1 / 16


def test_share_interval_is_wilsons():
    """0 of 10 and 5 of 10, as tabulated: an interval that never leaves [0, 1] and has a width at 0."""
    assert m.share_interval(0.0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert m.share_interval(0.5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert m.share_interval(1.0, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert np.isnan(m.share_interval(0.5, 0)).all() and np.isnan(m.share_interval(math.nan, 9)).all()


@pytest.mark.parametrize("share", [0.05, 0.4])
def test_share_interval_covers_the_true_share(share):
    counts = np.random.default_rng(0).binomial(40, share, size=4000)
    inside = [low <= share <= high for low, high in (m.share_interval(count / 40, 40) for count in counts)]
    assert 0.92 < np.mean(inside) < 0.985


# --- paths -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("kappa", "top", "bottom", "ratio", "cosine"), [
    (9, 1.0, 1.0, math.sqrt(41), -80 / 82),
    (25, 0.1, 1.0, 2.6792196293, -0.7241379310),
    (9, 0.0, 1.0, 1.0, 1.0),  # straight across the mean: slow, and no zig-zag at all
    (9, 1.0, 0.0, 9.0, -1.0),  # straight along it: back and forth
])
def test_path_length_and_turning_at_the_best_rate(kappa, top, bottom, ratio, cosine):
    path = descent_path(kappa, top, bottom, 1500)
    length = np.linalg.norm(path[0] - path[-1]) / m.path_efficiency(path)
    assert length / np.linalg.norm(path[0]) == pytest.approx(ratio, rel=1e-9)
    assert m.turning(path) == pytest.approx(cosine, abs=1e-9)
    assert m.reversal_rate(path) == (1.0 if cosine < 0 else 0.0)


def test_alternation_and_travel_along_the_mean():
    along, across = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    path = descent_path(9, 1.0, 1.0, 200)  # factors -0.8 and 0.8
    assert m.alternation(path, np.zeros(2), along) == 1.0
    assert m.alternation(path, np.zeros(2), across) == 0.0
    assert m.travel_ratio(path, np.zeros(2), along) == pytest.approx(1.8 / 0.2, rel=1e-9)
    assert m.travel_ratio(path, np.zeros(2), 5 * across) == pytest.approx(1.0, rel=1e-9)


def test_right_angles_turn_by_zero_and_do_not_reverse():
    stairs = np.array([[0.0, 0], [1, 0], [1, 1], [2, 1], [2, 2]])
    assert m.turning(stairs) == 0.0
    assert m.reversal_rate(stairs) == 0.0
    assert m.path_efficiency(stairs) == pytest.approx(1 / math.sqrt(2))


@every_path_measure
def test_paths_without_steps_have_no_measure(name):
    with np.errstate(all="raise"):
        for path in (np.zeros((1, 2)), np.ones((7, 2)), np.full((3, 2), np.nan)):
            assert np.isnan(PATH_MEASURES[name](path))


def test_one_step_is_straight_and_cannot_turn():
    path = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert m.path_efficiency(path) == pytest.approx(1.0)
    assert np.isnan(m.turning(path)) and np.isnan(m.reversal_rate(path))


def test_a_closed_path_has_efficiency_zero():
    assert m.path_efficiency(np.array([[0.0, 0], [1, 0], [0, 0]])) == 0.0


@every_path_measure
def test_rows_after_a_divergence_are_left_out(name):
    path = np.random.default_rng(0).standard_normal((12, 2))
    diverged = path.copy()
    diverged[6], diverged[7:] = np.inf, np.nan
    with np.errstate(all="raise"):
        # not to the last bit: sums over many paths at once add zeros for the rows that are left out
        assert PATH_MEASURES[name](diverged) == pytest.approx(PATH_MEASURES[name](path[:6]), rel=1e-14)


@every_path_measure
def test_a_converged_tail_does_not_count(name):
    """At the optimum only rounding errors are left, 1e-13 of the first step: their turns mean nothing."""
    path = descent_path(9, 1.0, 1.0, 60)
    tail = path[-1] + 1e-14 * np.random.default_rng(0).standard_normal((500, 2))
    assert PATH_MEASURES[name](np.concatenate([path, tail])) == pytest.approx(PATH_MEASURES[name](path), abs=1e-6)


@every_path_measure
def test_any_leading_axes_of_paths(name):
    several = np.random.default_rng(0).standard_normal((2, 3, 9, 2))
    result = PATH_MEASURES[name](several)
    assert result.shape == (2, 3)
    assert result[1, 2] == PATH_MEASURES[name](several[1, 2])


def slow_path_measures(path: np.ndarray) -> tuple[float, float, float]:
    steps = [[b - a for a, b in zip(row, after, strict=True)] for row, after in zip(path[:-1], path[1:], strict=True)]
    longest = max((math.hypot(*step) for step in steps), default=0.0)
    steps = [step for step in steps if math.hypot(*step) > 1e-12 * longest]
    if not steps:
        return math.nan, math.nan, math.nan
    straight = math.hypot(*(sum(parts) for parts in zip(*steps, strict=True)))
    efficiency = straight / sum(math.hypot(*step) for step in steps)
    cosines = [sum(p * q for p, q in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)
               for a, b in zip(steps[:-1], steps[1:], strict=True)]
    if not cosines:
        return efficiency, math.nan, math.nan
    return efficiency, sum(cosines) / len(cosines), sum(c < 0 for c in cosines) / len(cosines)


@given(paths)
def test_path_measures_equal_slow_versions(path):
    efficiency, turning, reversal = slow_path_measures(path)
    np.testing.assert_allclose(m.path_efficiency(path), efficiency, atol=1e-9)
    np.testing.assert_allclose(m.turning(path), turning, atol=1e-9)
    if not math.isnan(reversal) and abs(turning) > 1e-9:  # a right angle's cosine rounds to either side
        assert abs(m.reversal_rate(path) - reversal) <= 1e-9 or has_right_angle(path)


def has_right_angle(path: np.ndarray) -> bool:
    steps = np.diff(path, axis=0)
    return bool((np.abs((steps[1:] * steps[:-1]).sum(axis=1)) < 1e-9).any())


@given(paths)
def test_path_measures_stay_in_their_ranges(path):
    efficiency, turning, reversal = m.path_efficiency(path), m.turning(path), m.reversal_rate(path)
    assert math.isnan(efficiency) or 0 <= efficiency <= 1
    assert math.isnan(turning) or -1 <= turning <= 1
    assert math.isnan(reversal) or 0 <= reversal <= 1


@given(paths)
def test_alternation_equals_a_slow_version(path):
    optimum, direction = np.full(path.shape[1], 0.5), np.arange(1.0, path.shape[1] + 1)
    a = [sum((w - o) * d for w, o, d in zip(row, optimum, direction, strict=True)) for row in path]
    pairs = list(zip(a[:-1], a[1:], strict=True))
    if any(0 < abs(value) < 1e-9 for value in a):
        return  # rounding decides the side
    found = m.alternation(path, optimum, direction)
    assert math.isnan(found) if not pairs else found == pytest.approx(sum(p * q < 0 for p, q in pairs) / len(pairs))


def test_alternation_after_a_divergence_counts_the_steps_before_it():
    path = np.array([[1.0], [-1.0], [1.0], [np.inf], [np.nan]])
    with np.errstate(all="raise"):
        assert m.alternation(path, np.zeros(1), np.ones(1)) == 1.0
    assert np.isnan(m.alternation(path[:1], np.zeros(1), np.ones(1)))


def test_travel_ratio_is_undefined_straight_across_from_the_optimum():
    path = np.array([[0.0, 1.0], [0.0, 0.5]])
    assert np.isnan(m.travel_ratio(path, np.zeros(2), np.array([1.0, 0.0])))


# --- tails and arrivals ------------------------------------------------------------------------------------------

def test_cut_tail_keeps_the_first_arrival_and_nothing_after():
    path = np.array([[8.0], [4.0], [0.5], [3.0], [0.1]])
    np.testing.assert_array_equal(m.cut_tail(path, np.zeros(1), 0.1), [[8.0], [4.0], [0.5], [np.nan], [np.nan]])
    np.testing.assert_array_equal(m.cut_tail(path, np.zeros(1), 1e-6), path)


def test_the_tail_is_cut_at_a_thousandth_unless_told_otherwise():
    path = np.array([[1000.0], [1.1], [1.0], [0.5]])
    np.testing.assert_array_equal(np.isnan(m.cut_tail(path, np.zeros(1)))[:, 0], [False, False, False, True])


def test_a_cut_tail_takes_the_stationary_noise_out_of_the_efficiency():
    rng = np.random.default_rng(0)
    straight = np.linspace([1.0, 1.0], [0.0, 0.0], 50)
    noisy = np.concatenate([straight, 1e-4 * rng.standard_normal((20_000, 2))])
    assert m.path_efficiency(noisy) < 0.5
    assert m.path_efficiency(m.cut_tail(noisy, np.zeros(2))) == pytest.approx(1.0, abs=1e-3)


def test_cut_tail_of_several_paths_cuts_each_by_itself():
    several = np.random.default_rng(0).standard_normal((3, 40, 2)) * 0.8 ** np.arange(40)[:, None]
    cut = m.cut_tail(several, np.zeros(2), 0.05)
    for path, result in zip(several, cut, strict=True):
        np.testing.assert_array_equal(result, m.cut_tail(path, np.zeros(2), 0.05))


def test_steps_to_tolerance_is_the_first_arrival():
    path = np.array([10.0, 5.0, 1.0, 2.0, 0.5, 0.4])[:, None]
    assert m.steps_to_tolerance(path, np.zeros(1), 0.1) == 2
    assert m.steps_to_tolerance(path, np.zeros(1), 0.01) == np.inf
    assert m.steps_to_tolerance(path, np.zeros(1), 1.0) == 0


def test_a_window_does_not_count_a_lucky_step():
    path = np.array([10.0, 5.0, 1.0, 2.0, 0.5, 0.4])[:, None]
    assert m.steps_to_tolerance(path, np.zeros(1), 0.1, window=1) == 4
    assert m.steps_to_tolerance(path, np.zeros(1), 0.1, window=2) == np.inf  # the end is not seen
    assert m.steps_to_tolerance(path, np.zeros(1), 0.1, window=50) == np.inf  # longer than the path


@given(arrays(float, st.integers(1, 30), elements=st.floats(0, 2)), st.integers(0, 5), st.floats(0.05, 1.0))
def test_steps_to_level_equals_a_slow_version(values, window, level):
    expected = math.inf
    for t in range(len(values) - window):
        if all(value <= level for value in values[t : t + window + 1]):
            expected = t
            break
    assert m.steps_to_level(values, level, window) == expected


def test_a_diverged_path_never_arrives():
    path = np.array([[1.0], [2.0], [np.inf], [np.nan]])
    assert m.steps_to_tolerance(path, np.zeros(1), 0.5) == np.inf


def test_each_path_has_its_own_level():
    """Tolerance is a share of each path's own distance at its start."""
    several = np.array([[10.0, 0.9, 0.0], [1.0, 0.9, 0.05]])[..., None]
    np.testing.assert_array_equal(m.steps_to_tolerance(several, np.zeros(1), 0.1), [1, 2])


def test_predicted_steps_of_plain_descent():
    """N: the first t at which the error's components, each shrunk by its own factor, are below the tolerance."""
    kappa, rate = 33.0, 1 / 33.0
    path = np.array([[(1 - rate * kappa) ** t, (1 - rate) ** t] for t in range(400)]) / math.sqrt(2)
    predicted = next(t for t in range(400) if 0.5 * (1 - rate) ** (2 * t) + 0.5 * (t == 0) <= 1e-6)
    assert m.steps_to_tolerance(path, np.zeros(2), 1e-3) == predicted == 214


@given(arrays(float, st.tuples(st.integers(1, 4), st.integers(1, 21)),
              elements=st.one_of(ordinary, st.sampled_from([np.inf, np.nan]))))
def test_quartiles_are_numpys(values):
    with warnings.catch_warnings(action="ignore"):  # rows of nothing but NaN
        low, high = np.nanquantile(values, [0.25, 0.75], axis=1, method="closest_observation")
        middle = np.nanmedian(values, axis=1)
    for mine, theirs in zip(m.quartiles(values), (low, middle, high), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-14)
