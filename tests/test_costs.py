"""The cost model: bytes against what runs take, and what must hold of any prediction. benchmarks/ measure the times."""
import dataclasses
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.costs import random_runs
from tests.strategies import experiments
from zz_core import Experiment, simulate
from zz_core.costs import cost, largest_steps
from zz_core.experiment import BOUNDS, CHOICES
from zz_core.simulation import MAX_HISTORY_BYTES, history_bytes
from zz_core.task import kept_task

PLENTY = 2**60


def arrays(run) -> dict[int, np.ndarray]:
    """The arrays that a run holds, views by the memory they share."""
    held = [run.weights, run.biases, run.input_biases, run.batches, *run.task]
    bases = [array if array.base is None else array.base for array in held if isinstance(array, np.ndarray)]
    return {id(base): base for base in bases if isinstance(base, np.ndarray)}


@pytest.mark.parametrize("seed", range(40))
def test_bytes_are_those_of_the_run_within_a_factor_of_3(seed):
    [(experiment, replicates)] = random_runs(np.random.default_rng(seed), count=1, longest=0.1)
    try:
        simulate(experiment)  # what is imported, read and cached once is no run's own
        kept_task.cache_clear()
        tracemalloc.start()
        run = simulate(experiment, replicates)
        peak = tracemalloc.get_traced_memory()[1]
    except ValueError:
        pytest.skip("inputs of zeros: no stability limit")
    finally:
        tracemalloc.stop()
    predicted = cost(experiment, replicates).bytes
    assert peak / 3 < predicted < 3 * peak
    assert predicted > sum(array.nbytes for array in arrays(run).values())


@given(experiments(), st.integers(1, 300), st.integers(1, 5000))
def test_more_steps_cost_more(experiment, replicates, more):
    shorter, longer = cost(experiment, replicates), cost(
        dataclasses.replace(experiment, steps=experiment.steps + more), replicates)
    assert longer.seconds > shorter.seconds
    assert longer.bytes >= shorter.bytes


@given(experiments(), st.integers(1, 300), st.integers(1, 300))
def test_more_replicates_cost_no_less(experiment, replicates, more):
    fewer, many = cost(experiment, replicates), cost(experiment, replicates + more)
    if experiment.full_batch:  # all replicates are the same run
        assert many == fewer
    else:
        assert many.seconds > fewer.seconds
        assert many.bytes >= fewer.bytes


@pytest.mark.parametrize(("field", "choice"), [(field, choice) for field in CHOICES for choice in CHOICES[field]])
def test_every_choice_has_a_cost(field, choice):
    predicted = cost(Experiment(**{"dimensions": 3, "batch_size": 4, field: choice}))
    assert 0 < predicted.bytes < 2**24
    assert 0 < predicted.seconds < 60


def test_the_history_of_a_long_run_is_most_of_its_memory():
    experiment = Experiment(dimensions=64, steps=5000)
    history = history_bytes(experiment, 20)
    assert history < cost(experiment, 20).bytes < 1.2 * history


def test_predicting_a_run_beyond_all_limits_takes_little_memory():
    experiment = Experiment(dimensions=1024, samples=32768, batch_size=4096, steps=100_000, optimizer="gauss_newton")
    cost(experiment)
    tracemalloc.start()
    predicted = cost(experiment, 1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22
    assert predicted.bytes > MAX_HISTORY_BYTES
    assert predicted.seconds > 3600


@pytest.mark.parametrize("share", [0.01, 0.3, 0.999])
def test_largest_steps_fit_the_time_and_one_more_does_not(share):
    experiment = Experiment(dimensions=8, batch_size=4, optimizer="adam", steps=50_000)
    start, budget = cost(dataclasses.replace(experiment, steps=1)).seconds, cost(experiment).seconds
    budget = start + share * (budget - start)
    steps = largest_steps(experiment, 1, budget, PLENTY)
    assert 1 <= steps < 50_000
    assert cost(dataclasses.replace(experiment, steps=steps)).seconds <= budget
    assert cost(dataclasses.replace(experiment, steps=steps + 1)).seconds > budget


def test_largest_steps_fit_the_memory_and_one_more_does_not():
    experiment = Experiment(dimensions=32, batch_size=2)
    steps = largest_steps(experiment, 5, np.inf, 2**23)
    assert cost(dataclasses.replace(experiment, steps=steps), 5).bytes <= 2**23
    assert cost(dataclasses.replace(experiment, steps=steps + 1), 5).bytes > 2**23


def test_largest_steps_keep_to_the_limits_of_simulate():
    wide = Experiment(dimensions=1024, samples=2048)
    steps = largest_steps(wide, 100, np.inf, PLENTY)
    assert history_bytes(dataclasses.replace(wide, steps=steps), 100) <= MAX_HISTORY_BYTES
    assert history_bytes(dataclasses.replace(wide, steps=steps + 1), 100) > MAX_HISTORY_BYTES
    assert largest_steps(Experiment(), 1, np.inf, PLENTY) == BOUNDS["steps"][1]


@pytest.mark.parametrize("budget", [(0.0, PLENTY), (np.inf, 0)])
def test_no_steps_fit_a_budget_of_nothing(budget):
    assert largest_steps(Experiment(), 1, *budget) == 0
