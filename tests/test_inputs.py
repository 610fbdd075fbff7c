"""Where the inputs come from: moments of the synthetic sources, exact designs, real data, and one seed for each."""
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zz_core import Experiment, datasets
from zz_core.inputs import INPUTS
from zz_core.task import build_task

SYNTHETIC = [name for name in INPUTS if INPUTS[name].activated]
FOURTH = {"gaussian": 3.0, "uniform": 1.8, "exponential": 9.0}  # E[z⁴] of the standardized values
THIRD = {"gaussian": 0.0, "uniform": 0.0, "exponential": 2.0}


def raw(**values) -> np.ndarray:
    """The untreated inputs of an experiment."""
    return build_task(Experiment(**values)).raw


@pytest.mark.parametrize("name", SYNTHETIC)
def test_moments_of_a_synthetic_source(name):
    z = INPUTS[name].draw(np.random.default_rng(0), 200_000, 2)[0]
    assert z.shape == (200_000, 2)
    np.testing.assert_allclose(z.mean(axis=0), 0.0, atol=0.01)
    np.testing.assert_allclose(z.var(axis=0), 1.0, atol=0.03)
    np.testing.assert_allclose((z**3).mean(axis=0), THIRD[name], atol=0.2)
    np.testing.assert_allclose((z**4).mean(axis=0), FOURTH[name], rtol=0.1)
    assert abs(np.corrcoef(z.T)[0, 1]) < 0.01  # features are independent


@pytest.mark.parametrize("name", SYNTHETIC)
def test_input_mean_and_std_are_those_of_the_raw_values(name):
    x = raw(inputs=name, activation="identity", input_mean=3.0, input_std=0.5, samples=50_000)
    np.testing.assert_allclose(x.mean(axis=0), 3.0, atol=0.02)
    np.testing.assert_allclose(x.std(axis=0), 0.5, rtol=0.03)


def test_supports():
    uniform = raw(inputs="uniform", activation="identity", samples=5000, input_mean=0.5, input_std=1 / math.sqrt(12))
    assert 0 <= uniform.min() < 0.01 and 0.99 < uniform.max() <= 1  # U(0, 1)
    exponential = raw(inputs="exponential", activation="identity", samples=5000, input_mean=1.0, input_std=1.0)
    assert 0 <= exponential.min() < 0.01  # Exp(1)


def test_the_activation_comes_last():
    identity = raw(activation="identity", input_mean=0.3, input_std=2.0)
    np.testing.assert_allclose(raw(activation="sigmoid", input_mean=0.3, input_std=2.0), 1 / (1 + np.exp(-identity)))
    np.testing.assert_allclose(raw(activation="relu", input_mean=0.3, input_std=2.0), np.maximum(identity, 0))


@pytest.mark.parametrize("dimensions", [1, 2, 5, 12])
def test_the_factorial_design_is_exact(dimensions):
    """Every corner once: mean ½, variance 1/16, no correlation, all without rounding."""
    x = INPUTS["factorial"].draw(np.random.default_rng(0), 2**dimensions, dimensions)[0]
    assert len(np.unique(x, axis=0)) == len(x) == 2**dimensions
    assert set(np.unique(x)) == {0.25, 0.75}
    np.testing.assert_array_equal(x.mean(axis=0), 0.5)
    np.testing.assert_array_equal((x - 0.5).T @ (x - 0.5) / len(x), np.eye(dimensions) / 16)


def test_the_factorial_design_has_its_golden_spectrum():
    x = raw(inputs="factorial", dimensions=8, samples=2)  # samples do not matter
    values = np.linalg.eigvalsh(x.T @ x / len(x))
    assert len(x) == 256
    np.testing.assert_allclose(values, [0.0625] * 7 + [2.0625], rtol=1e-12)  # condition number 33


@pytest.mark.parametrize(("dimensions", "samples"), [(1, 7), (3, 11), (5, 5), (4, 256)])
def test_one_hot_is_balanced_and_perfectly_conditioned(dimensions, samples):
    """All inputs positive or zero, every sample of one sign, and yet condition number 1."""
    x = raw(inputs="one_hot", dimensions=dimensions, samples=samples, target_angle=0.0)
    assert len(x) == dimensions * (samples // dimensions)
    np.testing.assert_array_equal(x.sum(axis=1), 1.0)
    np.testing.assert_array_equal(x.T @ x, np.eye(dimensions) * (samples // dimensions))


@pytest.mark.parametrize("name", INPUTS)
def test_the_data_seed_decides_the_data_and_the_seed_does_not(name):
    base = {"inputs": name, "samples": 40, "dimensions": 3}
    first = raw(**base, data_seed=3)
    np.testing.assert_array_equal(first, raw(**base, data_seed=3, seed=9, steps=7))
    if name not in ("factorial", "one_hot"):
        assert not np.array_equal(first, raw(**base, data_seed=4))


@pytest.mark.parametrize("name", datasets.REAL)
def test_real_data_are_distinct_rows_of_the_first_columns_that_vary(name):
    x = raw(inputs=name, samples=60, dimensions=5)
    whole = datasets.scaled(name, 5)
    assert x.shape == (60, 5)
    assert x.min() >= 0 and x.max() <= 1
    # each row drawn is a row of the file, no row is drawn more often than the file holds it
    for row in np.unique(x, axis=0):
        assert (x == row).all(axis=1).sum() <= (whole == row).all(axis=1).sum()


@pytest.mark.parametrize("name", datasets.REAL)
def test_all_rows_are_used_where_samples_exceed_them(name):
    x = raw(inputs=name, samples=65536, dimensions=3)
    order = np.lexsort(x.T)
    whole = datasets.scaled(name, 3)
    np.testing.assert_array_equal(x[order], whole[np.lexsort(whole.T)])
    # scaled by the maximum over all rows, so each column's largest value is exactly 1
    np.testing.assert_array_equal(x.max(axis=0), 1.0)


@pytest.mark.parametrize("name", datasets.REAL)
def test_labels_belong_to_their_rows(name):
    task = build_task(Experiment(inputs=name, target="labels", samples=50, dimensions=6))
    whole, classes = datasets.scaled(name, 6), datasets.load(name)[1]
    for row, label in zip(task.raw, task.targets, strict=True):
        assert label in {float(kind == 0) for kind in classes[(whole == row).all(axis=1)]}
    everything = build_task(Experiment(inputs=name, target="labels", samples=65536, dimensions=2))
    assert everything.targets.sum() == (classes == 0).sum()


@given(name=st.sampled_from(sorted(INPUTS)), samples=st.integers(2, 60), dimensions=st.integers(1, 6),
       seed=st.integers(0, 2**31 - 1))
def test_a_source_draws_as_many_rows_as_it_says(name, samples, dimensions, seed):
    source = INPUTS[name]
    rows = source.rows(samples, dimensions)
    if rows < 1:
        return
    values, labels = source.draw(np.random.default_rng(seed), rows, dimensions)
    assert values.shape == (rows, dimensions) and np.isfinite(values).all()
    assert (labels is not None) == source.real
    assert labels is None or labels.shape == (rows,)
