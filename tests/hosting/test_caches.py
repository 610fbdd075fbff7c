"""A cache that is bounded in bytes: what it holds, what it drops, and that many who ask at once wait for one."""
import threading
from collections import OrderedDict
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zz_core import Experiment, simulate
from zz_view.hosting.caches import Cache, bytes_of


class Pair(NamedTuple):
    first: np.ndarray
    rest: dict


def test_arrays_are_weighed_wherever_they_are_and_once_each():
    array = np.zeros(1000)
    assert 8000 <= bytes_of(array) < 10_000
    assert bytes_of(Pair(array, {"same": [array, array[:10], array.reshape(10, 100)]})) == bytes_of(array)
    assert bytes_of(Pair(array, {"other": np.zeros(500)})) == bytes_of(array) + 4000


def test_a_run_weighs_at_least_its_history():
    run = simulate(Experiment(batch_size=4, steps=500), replicates=20)
    history = run.weights.nbytes + run.batches.nbytes
    assert history < bytes_of(run) < 1.5 * history


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 40)), max_size=40))
def test_the_least_recently_used_go_first_and_it_never_holds_more_than_it_may(asked):
    cache, model, most = Cache("test", 100_000), OrderedDict(), 100_000
    for key, thousands in asked:
        made = np.zeros(125 * thousands)  # 1000 bytes each
        got = cache.get(key, lambda made=made: made)
        if key in model:
            assert got is model[key]
            model.move_to_end(key)
        else:
            assert got is made
            model[key] = made
            while sum(map(bytes_of, model.values())) > most:
                model.popitem(last=False)
        assert cache.bytes == sum(map(bytes_of, model.values())) <= most
        assert all(each in cache for each in model) and len(cache) == len(model)


def test_what_is_larger_than_the_cache_is_given_but_not_kept():
    cache = Cache("test", 10_000)
    cache.put("small", np.zeros(10))
    assert len(cache.get("large", lambda: np.zeros(10_000))) == 10_000
    assert "large" not in cache and "small" in cache


def test_a_failure_is_not_kept_and_the_next_one_tries_again():
    cache = Cache("test", 10_000)
    with pytest.raises(ValueError, match="too much"):
        cache.get("key", lambda: (_ for _ in ()).throw(ValueError("too much")))
    assert cache.get("key", lambda: "made") == "made"


def test_many_who_ask_at_once_wait_for_the_one_that_makes_it():
    cache, made, begun, go = Cache("test", 10_000), [], threading.Event(), threading.Event()

    def make():
        begun.set()
        go.wait(10)
        made.append(1)
        return "result"

    found = []
    threads = [threading.Thread(target=lambda: found.append(cache.get("key", make))) for _ in range(8)]
    for thread in threads:
        thread.start()
    begun.wait(10)
    assert cache.get("another", lambda: "at once") == "at once"  # only those who want the same wait
    go.set()
    for thread in threads:
        thread.join(10)
    assert found == ["result"] * 8 and made == [1]
