"""The third engine: runs stepped together from the moments of their batches are those stepped alone, to rounding."""
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zz_core import Experiment, simulate
from zz_core.moments import joins, kept_totals, simulate_together
from zz_core.stepping import draw_batches
from zz_core.treatments import TREATMENTS

SMALL = Experiment(samples=40, steps=60)
SIZES = 1, 2, 3, 8, 38


def assert_alike(together, alone):
    assert together.experiment == alone.experiment and together.learning_rate == alone.learning_rate
    np.testing.assert_array_equal(together.batches, alone.batches)
    np.testing.assert_array_equal(together.diverged_at, alone.diverged_at)
    np.testing.assert_array_equal(together.step_index, alone.step_index)
    for name in ("weights", "biases"):
        ours, theirs = getattr(together, name), getattr(alone, name)
        assert (ours is None) == (theirs is None)
        if ours is not None:
            np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10 * (np.abs(theirs[:, 0]).max() + 1.0))


@pytest.mark.parametrize("fields", [
    {}, {"noise": 0.3}, {"bias": True, "start_bias": 2.0}, {"dimensions": 4}, {"dimensions": 1, "target_angle": 0.0},
    {"sampling": "epoch"}, {"schedule": "cosine"}, {"learning_rate": 3.0}, {"rate_unit": "absolute"},
    {"start_along": 2.0, "start_across": -1.0}, {"inputs": "one_hot", "dimensions": 3}, {"distance": 0.0},
    {"dimensions": 5}, {"optimizer": "adam"}, {"loss": "logistic"}], ids=str)
@pytest.mark.parametrize("treatment", TREATMENTS)
def test_they_agree_with_stepping_alone(fields, treatment):
    if fields.get("dimensions") == 1 and treatment == "layer_norm":
        pytest.skip("nothing is left of one feature")
    base = replace(SMALL, **fields)
    specs = [replace(base, treatment=name, batch_size=size)
             for name in {"none", treatment} for size in (*SIZES, base.rows)]
    for spec, run in zip(specs, simulate_together(specs, 3), strict=True):
        alone = simulate(spec, 3)
        if joins(spec):
            assert_alike(run, alone)
        else:
            np.testing.assert_array_equal(run.weights, alone.weights)


@given(st.integers(1, 3), st.booleans(), st.floats(0.05, 0.98), st.floats(0.0, 1.0), st.integers(1, 80),
       st.integers(0, 2**31 - 100), st.lists(st.integers(1, 23), min_size=1, max_size=4), st.integers(1, 5))
def test_they_agree_on_any_experiment_that_joins(dimensions, bias, rate, noise, steps, seed, sizes, replicates):
    spec = Experiment(dimensions=dimensions, target_angle=0.0, bias=bias, learning_rate=rate, noise=noise, steps=steps,
                      seed=seed, samples=24)
    specs = [replace(spec, batch_size=size) for size in sizes]
    assert all(map(joins, specs))
    for each, run in zip(specs, simulate_together(specs, replicates), strict=True):
        assert_alike(run, simulate(each, replicates))


@pytest.mark.parametrize("rows", [2, 3, 40, 256, 65536])
def test_a_smaller_batch_draws_the_beginning_of_a_larger_one(rows):
    """What sharing one stream rests on; a generator that drew otherwise would show here."""
    largest = min(rows, 100)
    stream = draw_batches(replace(SMALL, samples=rows, batch_size=largest, seed=7), rows, 3).reshape(3, -1)
    for size in {1, 2, largest // 2, largest}:
        drawn = draw_batches(replace(SMALL, samples=rows, batch_size=size, seed=7), rows, 3)
        np.testing.assert_array_equal(drawn.reshape(3, -1), stream[:, : SMALL.steps * size])


def test_a_run_keeps_its_place_whatever_steps_beside_it():
    specs = [replace(SMALL, batch_size=size, seed=seed) for size, seed in [(4, 0), (4, 1), (40, 0), (2, 0)]]
    assert [run.experiment for run in simulate_together(specs, 2)] == specs
    assert simulate_together([], 2) == []


def test_the_moments_of_the_batches_are_kept_while_the_rate_is_moved_and_give_the_same_runs():
    kept_totals.cache_clear()
    specs = [replace(SMALL, batch_size=size) for size in SIZES]
    simulate_together(specs, 3)
    moved = [replace(spec, learning_rate=0.11, schedule="cosine", rate_unit="absolute") for spec in specs]
    for spec, run in zip(moved, simulate_together(moved, 3), strict=True):
        assert_alike(run, simulate(spec, 3))
    assert kept_totals.cache_info()[:2] == (1, 1)
    simulate_together([replace(spec, noise=0.1) for spec in specs], 3)
    simulate_together([replace(spec, seed=1) for spec in specs], 3)
    simulate_together(specs, 2)
    assert kept_totals.cache_info()[:2] == (1, 4)
    with pytest.raises(ValueError, match="read-only"):
        kept_totals(tuple(specs), 2)[0] = 0.0
