"""The treatments: each one's defining property, and where it puts the best weights."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from zz_core.treatments import TREATMENTS, normalize_batch

EPSILON = 1e-5  # PyTorch's default for all its normalizations
inputs = arrays(float, st.tuples(st.integers(4, 12), st.integers(1, 4)), elements=st.floats(-5, 5, width=16))


def correlated(rows: int = 60, dimensions: int = 4, seed: int = 0) -> np.ndarray:
    """Inputs with different means, spreads and correlations."""
    rng = np.random.default_rng(seed)
    return 2.0 + rng.standard_normal((rows, dimensions)) @ rng.standard_normal((dimensions, dimensions)) + np.arange(
        dimensions)


def apply(name: str, x: np.ndarray) -> np.ndarray:
    return TREATMENTS[name].apply(x).inputs


@pytest.mark.parametrize("name", TREATMENTS)
def test_a_treatment_keeps_the_shape_and_leaves_its_argument_alone(name):
    x = correlated()
    before = x.copy()
    assert apply(name, x).shape == x.shape
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("name", [name for name in TREATMENTS if TREATMENTS[name].recenters])
@given(x=inputs)
def test_recentering_treatments_remove_each_mean(name, x):
    treated = apply(name, x)
    # a column's rounding errors are amplified as much as the column is
    assert np.abs(treated.mean(axis=0)).max() <= 1e-9 * max(1.0, np.abs(treated).max())


@pytest.mark.parametrize("name", ["none", "layer_norm", "rms_norm", "input_bias"])
def test_the_other_treatments_leave_a_mean(name):
    assert not TREATMENTS[name].recenters
    assert np.abs(apply(name, correlated()).mean(axis=0)).max() > 0.1


def test_center_moves_and_does_not_stretch():
    x = correlated()
    np.testing.assert_allclose(apply("center", x), x - x.sum(axis=0) / len(x), atol=1e-14)


def test_standardize_gives_unit_variances():
    treated = apply("standardize", correlated())
    np.testing.assert_allclose((treated**2).mean(axis=0), 1.0, rtol=1e-12)


def test_whiten_gives_the_identity_as_covariance_and_is_symmetric():
    x = correlated()
    result = TREATMENTS["whiten"].apply(x)
    np.testing.assert_allclose(result.inputs.T @ result.inputs / len(x), np.eye(4), atol=1e-10)
    np.testing.assert_allclose(result.matrix, result.matrix.T, atol=1e-12)
    assert np.linalg.eigvalsh(result.matrix).min() > 0  # the root of the covariance, not a rotation of it


def test_whiten_sends_null_directions_to_zero():
    x = correlated(dimensions=2) @ np.array([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0]])  # rank 2 in three dimensions
    treated = apply("whiten", x)
    values = np.linalg.eigvalsh(treated.T @ treated / len(x))
    np.testing.assert_allclose(values, [0.0, 1.0, 1.0], atol=1e-9)
    np.testing.assert_allclose(treated @ np.array([2.0, -1.0, -1.0]), 0.0, atol=1e-7)


def test_whiten_with_fewer_samples_than_features():
    x = correlated(rows=4, dimensions=6)
    treated = apply("whiten", x)
    assert np.isfinite(treated).all()
    np.testing.assert_allclose(np.linalg.eigvalsh(treated.T @ treated / 4), [0, 0, 0, 1, 1, 1], atol=1e-8)


@pytest.mark.parametrize("name", ["center", "standardize", "whiten", "batch_norm"])
@pytest.mark.parametrize("value", [0.0, 0.5, 0.1, -7.3])
def test_a_constant_column_becomes_zero_not_infinite(name, value):
    x = correlated()
    x[:, 1] = value
    with np.errstate(all="raise", under="ignore"):
        treated = apply(name, x)
    # batch_norm divides the mean's rounding error, 1e-16, by the root of its epsilon, 0.003
    np.testing.assert_allclose(treated[:, 1], 0.0, atol=1e-11)
    assert np.abs(treated[:, 0]).max() > 0.5


@pytest.mark.parametrize("name", ["none", "center", "standardize", "whiten", "batch_norm", "input_bias"])
@given(seed=st.integers(0, 1000))
def test_best_weights_predict_on_treated_inputs_what_the_weights_predict_on_raw_ones(name, seed):
    x, weights = correlated(seed=seed), np.random.default_rng(seed).standard_normal(4)
    result = TREATMENTS[name].apply(x)
    np.testing.assert_allclose(result.inputs @ result.best_weights(weights), (x - result.shift) @ weights, atol=1e-7)


def test_best_weights_of_standardize_and_whiten_are_the_scaled_teacher():
    """s∘w* and Σ^½ w*, with Σ^½ from its own eigendecomposition."""
    x, weights = correlated(), np.array([1.0, -2.0, 0.5, 3.0])
    np.testing.assert_allclose(TREATMENTS["standardize"].apply(x).best_weights(weights), x.std(axis=0) * weights)
    values, vectors = np.linalg.eigh(np.cov(x.T, bias=True))
    np.testing.assert_allclose(TREATMENTS["whiten"].apply(x).best_weights(weights),
                               vectors @ (np.sqrt(values) * (vectors.T @ weights)), rtol=1e-9)


def test_best_weights_of_a_singular_whitening_are_finite_and_right():
    x, weights = correlated(dimensions=2) @ np.array([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0]]), np.array([1.0, 2.0, -1.0])
    result = TREATMENTS["whiten"].apply(x)
    assert np.abs(result.best_weights(weights)).max() < 100
    np.testing.assert_allclose(result.inputs @ result.best_weights(weights), (x - x.mean(axis=0)) @ weights, atol=1e-7)


@pytest.mark.parametrize("name", ["layer_norm", "rms_norm"])
def test_normalizations_of_a_sample_map_no_weights(name):
    assert TREATMENTS[name].apply(correlated()).best_weights(np.ones(4)) is None


@given(x=inputs)
def test_layer_norm_sums_to_zero_over_each_sample(x):
    """So every gradient does: coherence 0, and never all of one sign."""
    treated = apply("layer_norm", x)
    np.testing.assert_allclose(treated.sum(axis=1), 0.0, atol=1e-9)


@given(x=inputs)
def test_layer_and_rms_norm_equal_pytorchs_definition_written_out(x):
    layer, rms = apply("layer_norm", x), apply("rms_norm", x)
    for n, row in enumerate(x.tolist()):
        mean = sum(row) / len(row)
        variance = sum((value - mean) ** 2 for value in row) / len(row)
        square = sum(value**2 for value in row) / len(row)
        np.testing.assert_allclose(layer[n], [(value - mean) / (variance + EPSILON) ** 0.5 for value in row], atol=1e-9)
        np.testing.assert_allclose(rms[n], [value / (square + EPSILON) ** 0.5 for value in row], atol=1e-12)


def test_layer_norm_of_two_features_is_plus_and_minus_one():
    np.testing.assert_allclose(np.abs(apply("layer_norm", np.array([[1.0, 3.0], [5.0, -9.0]]))), 1.0, rtol=1e-5)


def test_rms_norm_keeps_signs():
    """It does not center: positive inputs stay positive."""
    x = np.abs(correlated())
    assert (apply("rms_norm", x) > 0).all()
    np.testing.assert_allclose((apply("rms_norm", x) ** 2).mean(axis=1), 1.0, rtol=1e-4)


@given(x=inputs)
def test_batch_norm_equals_pytorchs_definition_written_out(x):
    expected = np.empty_like(x)
    for j in range(x.shape[1]):
        column = x[:, j].tolist()
        mean = sum(column) / len(column)
        variance = sum((value - mean) ** 2 for value in column) / len(column)  # biased, as in training
        expected[:, j] = [(value - mean) / (variance + EPSILON) ** 0.5 for value in column]
    np.testing.assert_allclose(normalize_batch(x), expected, atol=1e-9)
    np.testing.assert_allclose(apply("batch_norm", x), expected, atol=1e-9)


def test_batch_norm_normalizes_each_batch_by_itself():
    batches = np.stack([correlated(8, seed=seed) * 10**seed for seed in range(3)])
    stacked = normalize_batch(batches)
    for batch, result in zip(batches, stacked, strict=True):
        np.testing.assert_allclose(result, normalize_batch(batch), atol=1e-13)


def test_batch_norm_of_one_sample_is_zero_and_of_two_is_plus_and_minus_one():
    np.testing.assert_array_equal(normalize_batch(np.array([[3.0, -5.0]])), [[0.0, 0.0]])
    np.testing.assert_allclose(normalize_batch(np.array([[0.0, 5.0], [4.0, 1.0]])), [[-1, 1], [1, -1]], rtol=1e-5)


def test_normalizations_equal_pytorch():
    torch = pytest.importorskip("torch")
    x = correlated()
    tensor = torch.tensor(x)
    norm = torch.nn.functional
    np.testing.assert_allclose(apply("batch_norm", x), norm.batch_norm(tensor, None, None, training=True), atol=1e-12)
    np.testing.assert_allclose(apply("layer_norm", x), norm.layer_norm(tensor, (4,)), atol=1e-12)
    np.testing.assert_allclose(apply("rms_norm", x), norm.rms_norm(tensor, (4,), eps=EPSILON), atol=1e-12)


def test_none_and_input_bias_leave_the_inputs_as_they_are():
    x = correlated()
    np.testing.assert_array_equal(apply("none", x), x)
    np.testing.assert_array_equal(apply("input_bias", x), x)
    assert [name for name in TREATMENTS if TREATMENTS[name].learned] == ["input_bias"]
    assert [name for name in TREATMENTS if TREATMENTS[name].per_batch] == ["batch_norm"]
