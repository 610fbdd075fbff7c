"""The diagnosis of given numbers, against NumPy done at once, scikit-learn, closed forms and slow counting."""
import json
import math
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zz_core import Experiment, diagnose, simulate
from zz_core.activations import ACTIVATIONS
from zz_core.claims.claim import steps_to_low_loss
from zz_core.datasets import REAL, load
from zz_core.diagnosis import gradient_signs
from zz_core.diagnosis.agreement import by_batch, mean_correlation, single_sample
from zz_core.diagnosis.moments import moments
from zz_core.diagnosis.report import as_data, feature_rows, gradient_data, table_row
from zz_core.diagnosis.spectra import white_condition
from zz_core.diagnosis.training import MOST_FEATURES, Trained, Training, best_fit, subsample, train
from zz_core.diagnosis.verdict import ADVICE, CENTER_ONLY, SOME, STRONG, THRESHOLDS, short
from zz_core.theory import activation_moments, condition_number, same_sign_probability, spectrum

SOME_EXAMPLES = settings(max_examples=25)  # each is a whole diagnosis
RNG = np.random.default_rng(0)


def layer(activation: str, rows: int = 1500, features: int = 24, seed: int = 0) -> np.ndarray:
    """What a random layer of that activation feeds to the next one; its units depend on each other."""
    rng = np.random.default_rng(seed)
    sums = rng.standard_normal((rows, features)) @ rng.standard_normal((features, features)) / math.sqrt(features)
    return ACTIVATIONS[activation].value(sums)


def quick(values: np.ndarray, targets: np.ndarray | None = None, **options):
    return diagnose(values, targets, seeds=0, **options)


# --- moments ---

@pytest.mark.parametrize("name", REAL)
def test_shipped_data_have_numpys_moments(name):
    values = load(name)[0]
    found = quick(values)
    np.testing.assert_allclose(found.mean, values.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.variance, values.var(axis=0), rtol=1e-10, atol=1e-12 * values.var(axis=0).max())
    np.testing.assert_array_equal(found.positive_share, (values > 0).mean(axis=0))
    np.testing.assert_array_equal(found.kept, np.ptp(values, axis=0) > 0)
    assert found.rows == len(values)


def test_a_mean_far_beyond_the_spread_costs_no_digits():
    """The sum of squares minus the squared sum, in double precision, would leave nothing of this covariance."""
    small = RNG.standard_normal((5000, 6))
    found = moments(small + 2.0**30, [""] * 6)
    np.testing.assert_allclose(found.covariance, np.cov(small, rowvar=False, bias=True), atol=1e-6)
    naive = (small + 2.0**30).T @ (small + 2.0**30) / 5000 - np.outer(*[(small + 2.0**30).mean(axis=0)] * 2)
    assert np.abs(naive - found.covariance).max() > 1.0


def test_blocks_of_different_means_are_merged_exactly():
    """Sorted rows: no block looks like the next."""
    values = np.sort(RNG.standard_normal((20_000, 40)), axis=0) * 1e3
    found = moments(values, [""] * 40)
    np.testing.assert_allclose(found.covariance, np.cov(values, rowvar=False, bias=True), rtol=1e-11)
    np.testing.assert_allclose(found.mean, values.mean(axis=0), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("change", [np.asfortranarray, lambda v: v.astype(np.float32), lambda v: v.astype(np.int16),
                                    lambda v: v[::2, ::-1], lambda v: v.tolist()])
def test_any_memory_layout_and_type_gives_the_same(change):
    values = np.round(100 * layer("sigmoid", 300, 5))
    found, expected = quick(change(values)), np.asarray(change(values), float)
    np.testing.assert_allclose(found.mean, expected.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.eigenvalues_raw[0], np.linalg.eigvalsh(expected.T @ expected / len(expected))[-1])


def test_a_mapped_file_is_read_in_blocks_and_never_copied_as_a_whole(tmp_path):
    values = np.lib.format.open_memmap(tmp_path / "big.npy", "w+", np.float32, (200_000, 50))
    values[:] = layer("sigmoid", 200_000, 50)
    values.flush()
    mapped = np.load(tmp_path / "big.npy", mmap_mode="r")
    tracemalloc.start()
    found = diagnose(mapped, seeds=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6  # the file has 40 MB, all of it in double precision 80
    np.testing.assert_allclose(found.mean, np.asarray(mapped, float).mean(axis=0), rtol=1e-9)


# --- spectra ---

def second_moments(values: np.ndarray) -> dict[str, np.ndarray]:
    """Each matrix by its definition, with all rows at once."""
    centered = values - values.mean(axis=0)
    ones = np.ones((len(values), 1))
    parts = {"raw": values, "centered": centered, "standardized": centered / values.std(axis=0),
             "raw_bias": np.hstack([values, ones]), "centered_bias": np.hstack([centered, ones])}
    return {name: part.T @ part / len(part) for name, part in parts.items()}


@pytest.mark.parametrize("name", REAL)
def test_shipped_data_have_numpys_spectra(name):
    values = load(name)[0]
    found, varying = quick(values), values[:, np.ptp(values, axis=0) > 0]
    for kind, matrix in second_moments(varying).items():
        expected = np.linalg.eigvalsh(matrix)[::-1]
        measured = getattr(found.spectra, kind)
        np.testing.assert_allclose(measured.eigenvalues, expected, atol=1e-12 * expected[0])
        kept = expected[expected > len(values) * np.finfo(float).eps * expected[0]]
        assert measured.null == len(expected) - len(kept)
        assert measured.condition == pytest.approx(kept[0] / kept[-1], rel=1e-3)
    assert found.condition_raw == found.spectra.raw.condition
    assert found.condition_centered == found.spectra.centered.condition
    np.testing.assert_array_equal(found.eigenvalues_raw, found.spectra.raw.eigenvalues)
    np.testing.assert_array_equal(found.eigenvalues_centered, found.spectra.centered.eigenvalues)


@pytest.mark.parametrize("name", REAL)
def test_shipped_data_agree_with_scikit_learn(name):
    decomposition = pytest.importorskip("sklearn.decomposition")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    values = load(name)[0]
    values = values[:, np.ptp(values, axis=0) > 0]
    found, unbiased = quick(values), len(values) / (len(values) - 1)  # scikit-learn divides by N - 1
    expected = decomposition.PCA(svd_solver="full").fit(values).explained_variance_
    np.testing.assert_allclose(unbiased * found.eigenvalues_centered, expected, rtol=1e-6, atol=1e-12 * expected[0])
    scaled = preprocessing.StandardScaler().fit_transform(values)
    expected = decomposition.PCA(svd_solver="full").fit(scaled).explained_variance_
    np.testing.assert_allclose(unbiased * found.spectra.standardized.eigenvalues, expected, rtol=1e-6)
    raw = decomposition.TruncatedSVD(5, algorithm="arpack").fit(values).singular_values_
    np.testing.assert_allclose(found.eigenvalues_raw[:5], raw**2 / len(values), rtol=1e-9)


def test_independent_features_have_the_closed_forms_spectrum():
    mean, variance = activation_moments("sigmoid", 1.0)
    values = ACTIVATIONS["sigmoid"].value(RNG.standard_normal((200_000, 8)))
    found = quick(values)
    for bias, measured in ((False, found.spectra.raw), (True, found.spectra.raw_bias)):
        np.testing.assert_allclose(measured.eigenvalues, spectrum(8, mean, variance, bias), rtol=0.03)
    assert found.condition_raw == pytest.approx(condition_number(8, mean, variance), rel=0.04)
    assert found.condition_independent == pytest.approx(condition_number(8, mean, variance), rel=0.02)
    assert found.condition_centered == pytest.approx(1, rel=0.05)
    assert found.head_room == pytest.approx(spectrum(8, mean, variance, bias=True)[0], rel=0.01)  # the bias' 1 is left


def test_a_finite_sample_of_white_noise_shows_the_condition_number_that_is_said():
    """The caveat: what looks like bad conditioning is too few samples."""
    for rows, columns in ((400, 100), (1000, 500)):
        found = quick(np.random.default_rng(1).standard_normal((rows, columns)))
        assert found.condition_white == white_condition(rows, columns)
        assert found.condition_centered == pytest.approx(found.condition_white, rel=0.15)
    assert white_condition(100, 100) == math.inf


def test_features_without_spread_are_set_aside_and_named():
    values = layer("tanh", 200, 3)
    found = quick(np.column_stack([np.ones(200), values, np.full(200, 1e-3)]), names=["one", "a", "b", "c", "small"])
    assert found.set_aside == ("one", "small") and found.features == 3
    assert found.mean[0] == 1.0 and found.variance[0] == 0.0 and np.isnan(found.mean_ratio[0])
    np.testing.assert_allclose(found.eigenvalues_raw, quick(values).eigenvalues_raw)
    assert "Set aside, as without spread: one, small." in found.verdict


def test_rounding_is_no_spread():
    values = layer("tanh", 200, 3)
    values[:, 1] = 0.1 + np.where(np.arange(200) % 2, 1e-17, 0.0) * 1e1
    assert quick(values).set_aside == ("x2",)


def test_null_directions_are_counted_and_kept_out_of_the_condition_number():
    values = layer("sigmoid", 300, 4)
    found = quick(np.column_stack([values, values @ [1, 2, 0, 1], values[:, 0] - values[:, 1]]))
    assert found.spectra.centered.null == found.spectra.raw.null == 2
    assert found.condition_centered < 1e6 and "2 of 6 directions do not move" in found.verdict
    few = quick(np.random.default_rng(0).random((5, 9)))
    assert few.spectra.centered.null == 5 and few.spectra.raw.null == 4


# --- what must not matter ---

@SOME_EXAMPLES
@given(st.integers(0, 10_000), st.integers(2, 6), st.floats(0, 5))
def test_rotations_leave_the_spectra(seed, features, offset):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((60, features)) * rng.uniform(0.1, 3, features) + offset
    turn = np.linalg.qr(rng.standard_normal((features, features)))[0]
    before, after = quick(values).spectra, quick(values @ turn).spectra
    for kind in ("raw", "centered", "raw_bias", "centered_bias"):  # to standardize depends on the axes
        np.testing.assert_allclose(getattr(after, kind).eigenvalues, getattr(before, kind).eigenvalues, rtol=1e-6,
                                   atol=1e-10 * getattr(before, kind).eigenvalues[0])


@SOME_EXAMPLES
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_the_order_of_rows_and_features_does_not_matter(seed, features):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((40, features)) * rng.uniform(0.1, 3, features) + rng.standard_normal(features)
    columns = rng.permutation(features)
    before, after = quick(values), quick(values[rng.permutation(40)][:, columns])
    np.testing.assert_allclose(after.mean, before.mean[columns], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(after.variance, before.variance[columns], rtol=1e-9)
    for kind in before.spectra._fields:
        np.testing.assert_allclose(getattr(after.spectra, kind).eigenvalues,
                                   getattr(before.spectra, kind).eigenvalues, rtol=1e-7)
    assert after.one_sign == before.one_sign and after.level == before.level


@SOME_EXAMPLES
@given(st.integers(0, 10_000), st.floats(1e-3, 1e3))
def test_one_scale_for_all_features_leaves_the_condition_numbers(seed, scale):
    rng = np.random.default_rng(seed)
    values = rng.random((50, 4)) * rng.uniform(0.5, 2, 4)
    before, after = quick(values), quick(scale * values)
    assert after.condition_raw == pytest.approx(before.condition_raw, rel=1e-6)
    assert after.condition_centered == pytest.approx(before.condition_centered, rel=1e-6)
    np.testing.assert_allclose(after.eigenvalues_raw, scale**2 * before.eigenvalues_raw, rtol=1e-7)
    np.testing.assert_allclose(after.spectra.standardized.eigenvalues, before.spectra.standardized.eigenvalues,
                               rtol=1e-7)
    np.testing.assert_allclose(after.mean_ratio, before.mean_ratio, rtol=1e-9)


@SOME_EXAMPLES
@given(st.integers(0, 10_000), st.floats(0, 10))
def test_a_shift_changes_the_raw_inputs_only_and_centering_with_a_bias_never_hurts(seed, offset):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((50, 3)) * rng.uniform(0.2, 3, 3)
    before, after = quick(values), quick(values + offset)
    np.testing.assert_allclose(after.eigenvalues_centered, before.eigenvalues_centered, rtol=1e-7)
    assert after.head_room >= 1 - 1e-9
    assert after.spectra.raw_bias.condition >= after.spectra.centered_bias.condition * (1 - 1e-9)


# --- signs ---

def test_single_samples_are_counted_one_by_one():
    values = layer("relu", 400, 5) - 0.05
    share = np.mean([len({np.sign(v) for v in row if v != 0}) == 1 for row in values])
    found = quick(values)
    assert found.one_sign["raw"].value == pytest.approx(share) and found.one_sign["raw"].low == share
    assert quick(layer("sigmoid")).one_sign["raw"].value == 1.0
    centered = values - values.mean(axis=0)
    assert found.one_sign["centered"].value == np.mean([abs(np.sign(row).sum()) == 5 for row in centered])


def test_a_share_of_drawn_rows_has_an_interval_that_holds_the_whole_datas():
    values = layer("gelu", 60_000, 3)
    share = np.mean((values > 0).all(axis=1) | (values < 0).all(axis=1))
    found = quick(values).one_sign["raw"]
    assert found.low < share < found.high and 0 < found.high - found.low < 0.04
    assert single_sample(values[:100], 100).low == single_sample(values[:100], 100).high


@pytest.mark.parametrize(("dimensions", "size", "expected"), [
    (2, 1, 1.0), (2, 2, 1 - (math.log(2) - 1 + math.pi / 4) / math.pi), (8, 64, 0.440), (2, 4, 0.799)])
def test_batches_of_uniform_features_have_the_exact_share(dimensions, size, expected):
    """U(0, 1) features and normal residuals: exact for two samples of two features, else long simulations."""
    rows = np.random.default_rng(1).random((4096, dimensions))
    shares = [by_batch(rows, rows.mean(axis=0), None, [1, size] if size > 1 else [1], (0.75, 0.0), seed)[0].share[-1]
              for seed in range(6)]
    assert np.mean(shares) == pytest.approx(expected, abs=0.02)


def test_large_batches_reach_the_theorys_plateau_and_centered_ones_chance():
    values = ACTIVATIONS["sigmoid"].value(np.random.default_rng(3).standard_normal((4096, 6)))
    found = quick(values, batch_size=200)
    raw, centered = found.signs_by_batch["raw"], found.signs_by_batch["centered"]
    assert list(raw.batch_sizes) == [1, 2, 4, 8, 16, 32, 64, 128, 200, 256]
    mean, variance = activation_moments("sigmoid", 1.0)
    exact = same_sign_probability(6, mean**2 / (mean**2 + variance))
    assert raw.limit == pytest.approx(exact, abs=0.005) and raw.share[-3:].mean() == pytest.approx(exact, abs=0.03)
    assert centered.share[-3:].mean() == pytest.approx(2.0**-5, abs=0.02)
    assert raw.share[0] == 1.0 and (raw.low <= raw.share).all() and (raw.share <= raw.high).all()


def test_residuals_of_given_targets_are_those_of_the_best_fit():
    """Targets that depend on the inputs other than linearly: residuals then depend on them, too."""
    values = np.random.default_rng(0).random((2000, 2))
    targets = np.abs(values[:, 0] - 0.5)
    residual = values @ np.linalg.lstsq(np.c_[values, np.ones(2000)], targets, rcond=None)[0][:2]
    residual = residual - residual.mean() - (targets - targets.mean())
    np.testing.assert_allclose(best_fit(values, targets) - (targets - targets.mean()), residual, atol=1e-9)
    given, drawn = quick(values, targets).signs_by_batch["raw"], quick(values).signs_by_batch["raw"]
    assert given.share[0] == drawn.share[0] == 1.0
    assert not np.array_equal(given.share, drawn.share)


def test_the_mean_correlation_is_that_of_independent_features():
    assert mean_correlation(0.25 * np.ones((5, 5)) + 0.5 * np.eye(5)) == pytest.approx(0.25 / 0.75)
    assert mean_correlation(np.eye(3)) == 0.0 and mean_correlation(np.ones((1, 1))) == 1.0
    assert mean_correlation(np.array([[1, -0.9], [-0.9, 1]])) == 0.0


# --- runs ---

def test_full_batch_predictions_are_the_simulated_steps():
    """The closed form and the runs agree step for step: the rates tried are the same."""
    values = layer("sigmoid", 400, 6)
    for run in train(values, None, 400, 1).runs.values():
        assert np.isfinite(run.steps[0]) and run.steps[0] == run.expected
        assert run.full_batch <= run.expected  # another rate may suit this teacher better than the one of the search
    targets = values @ np.arange(6.0) + 3.0
    found = train(values, targets, 400, 3)
    for run in found.runs.values():
        assert (run.steps == run.steps[0]).all()  # nothing is drawn
        assert run.steps[0] == run.full_batch == run.expected


UNIFORM = np.random.default_rng(4).random((100, 3))
STAMPS = UNIFORM * [1e6, 1, 1] + [1.7e9, 0, 0]  # the first column counts seconds since 1970


@pytest.mark.parametrize("values", [
    UNIFORM[:, :1], [[1.0], [2.0]], STAMPS, STAMPS[:, :1], 1e-9 * UNIFORM, 1e12 * UNIFORM, 1e90 * UNIFORM,
    1e-90 * UNIFORM, UNIFORM * [1e-40, 1, 1e40], UNIFORM + 1e9],
    ids=["one feature", "two samples", "stamps", "a stamp", "small", "large", "huge", "tiny", "uneven", "far away"])
@pytest.mark.parametrize("batch_size", [2, 32])
def test_inputs_of_any_scale_are_diagnosed(values, batch_size):
    found = diagnose(values, seeds=1, batch_size=batch_size)
    for run in found.training.runs.values():
        assert run.median >= 1 and run.full_batch >= 1
    assert found.training.runs["standardize"].median < 200 and found.verdict
    assert found.condition_raw >= 1 and found.condition_centered >= 1 and found.head_room >= 1 - 1e-9


def test_a_time_stamp_drowns_what_is_beside_it_and_standardizing_brings_it_back():
    """The minimizer of the raw inputs is lost to rounding, and must not be mistaken for one that is reached at once."""
    found = diagnose(STAMPS, seeds=3)
    assert np.isinf(found.training.runs["none"].steps).all() and found.training.at_least
    assert found.training.runs["standardize"].median < 20
    assert found.level == "strong" and math.isinf(found.condition_raw) and "double precision" in found.verdict


def test_inputs_that_are_small_beside_the_bias_are_told_apart_from_a_mean():
    found = diagnose(1e-9 * UNIFORM, seeds=2)
    assert found.level == "none" and "their size beside the 1 of the bias" in found.words.advice


def test_the_runs_are_those_of_simulate_on_the_same_numbers():
    values = layer("relu", 300, 5)
    targets = values @ [1, -2, 0.5, 0, 1] + 0.3
    run = train(values, targets, 16, 5).runs["center"]
    spec = Experiment(treatment="center", bias=True, batch_size=16, samples=300, dimensions=5, learning_rate=run.rate,
                      steps=run.limit, seed=0)
    expected = steps_to_low_loss(simulate(spec, 5, data=(values, targets - targets.mean())))
    np.testing.assert_array_equal(run.steps, expected)


def test_predicted_steps_at_the_batch_size_lie_among_the_seeds():
    found = train(layer("sigmoid", 200, 4), None, 8, 8)
    for run in found.runs.values():
        assert 0.4 * run.median <= run.expected <= 2.5 * run.median


def test_zero_centering_pays_more_the_larger_the_batch():
    values = layer("relu", 1500, 32)
    single, full = train(values, None, 1, 8).gain, train(values, None, 1500, 8).gain
    assert 1.0 < single[0] < 3.0 < full[0] and single[1] <= single[0] <= single[2]
    assert train(layer("tanh", 1500, 32), None, 32, 8).gain[0] == pytest.approx(1.0, abs=0.25)


def test_the_gain_pairs_seeds_and_says_when_it_is_a_bound():
    def made(raw: list[float], centered: list[float]) -> Training:
        runs = {name: Trained(0.5, np.array(steps), 100, 1.0, 1.0)
                for name, steps in (("none", raw), ("center", centered), ("standardize", centered))}
        return Training(runs, 8, 50, 3, 1.0)

    assert made([40.0, 60.0, 90.0], [10.0, 20.0, 30.0]).gain == (3.0, 3.0, 4.0)
    assert not made([40.0, 60.0], [10.0, 20.0]).at_least
    bound = made([np.inf, 60.0, np.inf], [10.0, 20.0, 5.0])
    np.testing.assert_array_equal(bound.gains, [10.0, 3.0, 20.0])
    assert bound.at_least and bound.gain[0] == 10.0
    assert math.isnan(made([40.0, 60.0], [10.0, np.inf]).gain[0])
    late = made([40.0, 60.0, np.inf], [10.0, 20.0, 5.0])  # one is lost, and the median is known all the same
    assert not late.at_least and late.gain == (4.0, 3.0, np.inf)


def test_a_lost_raw_run_beyond_the_median_is_said_and_makes_no_bound_of_it():
    found = diagnose(layer("sigmoid", 300, 4), seeds=3)
    runs = {name: run._replace(steps=run.steps.copy()) for name, run in found.training.runs.items()}
    runs["none"].steps[np.argmax(found.training.gains)] = np.inf
    said = replace(found, training=found.training._replace(runs=runs)).verdict
    assert "more than" not in said and " on over 3 seeds" in said and "1 of the raw runs does not get there" in said


def test_wide_inputs_are_reduced_to_directions_that_keep_the_answer():
    """The same task in a rotated frame with idle directions added: the answer is that of the few that matter."""
    few = layer("sigmoid", 500, 6)
    rng = np.random.default_rng(0)
    frame = np.linalg.qr(rng.standard_normal((MOST_FEATURES + 40, 6)))[0]
    wide = few @ frame.T + 1e-7 * rng.standard_normal((500, MOST_FEATURES + 40))
    targets = few @ [1, -1, 2, 0, 0.5, -2]
    found, expected = train(wide, targets, 500, 1), train(few, targets, 500, 1)
    assert found.directions == MOST_FEATURES and found.captured == pytest.approx(1.0, abs=1e-6)
    for name in ("none", "center"):
        assert found.runs[name].steps[0] == pytest.approx(expected.runs[name].steps[0], abs=1)
    more = np.random.default_rng(0).random((60, 400))  # more features than samples
    assert train(more, None, 8, 1).directions <= MOST_FEATURES


def test_subsamples_are_distinct_rows_and_the_same_each_time():
    chosen = subsample(10_000, 4096, 0)
    assert len(np.unique(chosen)) == 4096 and (np.diff(chosen) > 0).all()
    np.testing.assert_array_equal(chosen, subsample(10_000, 4096, 0))
    np.testing.assert_array_equal(subsample(100, 4096, 0), np.arange(100))


def test_a_diagnosis_is_the_same_every_time_and_tells_how_far_it_is():
    told = []
    found = diagnose(layer("sigmoid", 300, 4), seeds=3, progress=lambda share, what: told.append((share, what)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and shares[-1] == 1.0 and {what for _, what in told} >= {"Eigenvalues", "Training"}
    assert json.dumps(as_data(found)) == json.dumps(as_data(diagnose(layer("sigmoid", 300, 4), seeds=3)))


# --- the verdict ---

def test_centered_inputs_have_no_problem_and_the_verdict_says_so():
    found = diagnose(layer("tanh", 1500, 16), seeds=4)
    assert found.level == "none" and "no problem here" in found.verdict and not found.words.advice
    assert ADVICE not in found.verdict


def test_sigmoid_layers_have_one_and_the_verdict_has_its_figures():
    found = diagnose(layer("sigmoid", 1500, 48), seeds=6)
    assert found.level == "strong" and found.words.advice == ADVICE
    for figure in (short(found.head_room), short(found.condition_ratio), short(found.training.gain[0]),
                   f"{found.training.runs['center'].median:,.0f}", "100 % of single samples", "batches of 32"):
        assert figure in found.verdict, figure


def test_the_thresholds_are_those_that_are_stated():
    """Features of chosen means: the head-room is 1 + m² times their number."""
    base = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]] * 50)
    rooms = {mean: quick(base + mean).head_room for mean in (0.0, 0.5, 0.8, 2.0, 3.0)}
    for mean, room in rooms.items():
        np.testing.assert_allclose(room, spectrum(2, mean, 1.0, bias=True)[0], rtol=1e-12)
        expected = "none" if room < SOME else "some" if room < STRONG else "strong"
        assert quick(base + mean).level == expected
    assert set(map(lambda room: (room >= SOME) + (room >= STRONG), rooms.values())) == {0, 1, 2}
    assert f"below {SOME:g}" in THRESHOLDS and f"From {STRONG:g} on" in THRESHOLDS


def test_positive_inputs_with_one_sign_each_can_still_be_no_problem():
    """One-hot inputs: every single sample has one sign, and nothing is slow."""
    found = diagnose(np.eye(8)[np.arange(400) % 8], seeds=3)
    assert found.one_sign["raw"].value == 1.0 and found.level == "none"


def test_standardizing_is_not_advised_where_the_runs_take_longer_with_it():
    """Of digits, pixels that are rarely inked limit the rate of small batches once they are scaled up."""
    inputs, labels = load("digits")
    found = diagnose(inputs, labels == 0, batch_size=32, seeds=3)
    assert found.training.runs["standardize"].median > 1.5 * found.training.runs["center"].median
    assert found.level != "none" and found.words.advice == CENTER_ONLY


def test_unequal_spreads_are_told_apart_from_the_mean():
    values = np.random.default_rng(0).standard_normal((500, 4)) * [1, 1, 1, 1000]
    found = quick(values)
    assert found.level == "none" and "unequal spreads" in found.words.advice
    assert "standardizing would cut the condition number" in found.verdict


def test_too_few_samples_are_told():
    found = quick(layer("sigmoid", 100, 24))
    assert "Of 100 samples in 24 features even white noise would show" in found.verdict
    assert "white noise" not in quick(layer("sigmoid", 1000, 24)).verdict


# --- what cannot be diagnosed ---

@pytest.mark.parametrize(("values", "targets", "words"), [
    (np.ones((5, 2)), None, "all 2 columns are constant"), (np.ones((5, 1)), None, "the only column is constant"),
    (np.ones((1, 2)), None, "at least 2 rows"), (np.ones(5), None, "must be (samples, features)"),
    ([["a"], ["b"]], None, "real numbers"), (np.array([[1.0, np.nan], [2, 3]]), None, "1 missing value"),
    (np.array([[1.0, np.inf], [2, 3]]), None, "1 infinite value"),
    (np.array([[1e-200], [2e-200]]), None, "no column spreads"),
    (np.eye(3), np.ones(2), "targets of shape (2,): must be (3,)"), (np.eye(3), np.ones(3), "all equal 1"),
    (np.eye(3), ["a", "b", "c"], "must be numbers"), (np.eye(3), [1, np.nan, 2], "1 value missing")])
def test_what_cannot_be_diagnosed_is_refused_with_a_sentence(values, targets, words):
    with pytest.raises(ValueError) as refused:
        diagnose(values, targets)
    assert words in str(refused.value)


@pytest.mark.parametrize(("options", "words"), [
    ({"batch_size": 0}, "batch_size=0"), ({"seeds": -1}, "seeds=-1"), ({"names": ["a", "a"]}, "more than once"),
    ({"names": ["a"]}, "1 name")])
def test_options_are_checked(options, words):
    with pytest.raises(ValueError, match=words):
        diagnose(np.random.default_rng(0).random((5, 2)), **options)


# --- gradients ---

def test_signs_of_gradients_are_counted_row_by_row():
    rng = np.random.default_rng(0)
    gradients = rng.standard_normal((7, 5, 3)).astype(np.float32) * (rng.random((7, 5, 3)) > 0.4)
    gradients[2] = 0
    found = gradient_signs(gradients)
    np.testing.assert_array_equal(found.signs, np.sign(gradients))
    for step, rows in enumerate(gradients):
        used = [set(np.sign(row[row != 0])) for row in rows if row.any()]
        expected = np.mean([len(signs) == 1 for signs in used]) if used else np.nan
        np.testing.assert_equal(found.unanimous_rows[step], expected)
    assert found.chance == 0.25 and found.mean_direction_energy is None
    assert found.overall == pytest.approx(np.nanmean(found.unanimous_rows))


def test_energy_along_the_inputs_mean_is_measured_where_the_mean_is_known():
    mean = np.array([1.0, 2.0, 2.0])
    gradients = np.stack([np.outer([1, -2], mean), np.outer([1, 1], [2, -1, 0])]) * 1e-200
    found = gradient_signs(gradients, mean)
    np.testing.assert_allclose(found.mean_direction_energy, [1.0, 0.0], atol=1e-12)
    assert gradient_signs(gradients, np.ones(4)).mean_direction_energy is None  # of another layer


def test_other_shapes_of_gradients_are_rows_of_weights():
    values = np.random.default_rng(0).standard_normal((4, 6))
    assert gradient_signs(values).signs.shape == (4, 1, 6)
    assert gradient_signs(values.reshape(4, 2, 3, 1)).signs.shape == (4, 2, 3)
    for bad, words in ((np.ones(3), "must be (steps, ...)"), (np.full((2, 2), np.nan), "step 1: holds a value"),
                       (np.ones((2, 2), complex), "real numbers"), (np.ones((0, 2)), "must be (steps, ...)")):
        with pytest.raises(ValueError) as refused:
            gradient_signs(bad)
        assert words in str(refused.value)


# --- reports ---

def test_a_report_holds_everything_as_json():
    found = diagnose(layer("sigmoid", 200, 3), seeds=2, names=["a", "b", "c"])
    data = json.loads(json.dumps(as_data(found), allow_nan=False))
    assert data["verdict"] == found.verdict and data["level"] == found.level and data["names"] == ["a", "b", "c"]
    np.testing.assert_allclose(data["spectra"]["raw"]["eigenvalues"], found.eigenvalues_raw)
    assert data["training"]["runs"]["center"]["steps"] == found.training.runs["center"].steps.tolist()
    assert as_data(quick(layer("sigmoid", 200, 3)))["training"] is None
    assert [row["feature"] for row in feature_rows(found)] == ["a", "b", "c"]
    assert table_row("fc1", found)["head-room"] == short(found.head_room)
    signs = json.loads(json.dumps(gradient_data(gradient_signs(np.zeros((2, 3)))), allow_nan=False))
    assert signs["unanimous_rows"] == [None, None] and signs["inputs"] == 3


@pytest.mark.parametrize(("value", "text"), [(1.234, "1.2"), (12.3, "12"), (0.0123, "0.012"), (1234.0, "1,200"),
                                             (99.7, "100"), (6.54e6, "6,500,000"), (2.2e12, "2.2e12"),
                                             (math.inf, "beyond measure"), (math.nan, "undefined"), (9.96, "10"),
                                             (8e-33, "0")])
def test_numbers_have_two_digits(value, text):
    assert short(value) == text
