"""Sweeps: the same table wherever and in whatever order tasks run, nothing lost, and clear words for what is wrong."""
import dataclasses
import json
import math
import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zz_core import Experiment, simulate, sweep
from zz_core.experiment import DEFAULTS
from zz_core.summary import summarize
from zz_core.sweep import Grid, Store, largest_fitting, predicted, run, running, summary, table
from zz_core.sweep.task import Result, Task

SMALL = Grid(Experiment(steps=60), {"batch_size": [1, 8, 256, 300], "treatment": ["none", "center"]}, replicates=6)


@pytest.fixture(scope="module")
def expected() -> list[dict]:
    return table(run(SMALL, "none"))


def assert_same(rows: list[dict], others: list[dict]) -> None:
    """NaN equals NaN."""
    assert json.dumps(rows) == json.dumps(others)


def test_a_row_is_what_simulate_and_the_measures_say(expected):
    assert [(row["batch_size"], row["treatment"]) for row in expected] == [
        (size, treatment) for size in (1, 8, 256, 300) for treatment in ("none", "center")]
    for row in expected[:6]:
        single = simulate(dataclasses.replace(SMALL.base, batch_size=row["batch_size"], treatment=row["treatment"]), 6)
        found = summarize(single)
        kept = 1 if row["batch_size"] == 256 else 6
        steps = sorted(found.steps[:kept].tolist())
        assert row["steps"] == steps[(kept - 1) // 2] and row["seeds"] == kept
        assert row["path_ratio_low"] == min(found.path_ratio[:kept])
        assert row["same_sign"] == sorted(found.same_sign[:kept].tolist())[(kept - 1) // 2]
        excess = single.excess_losses()[:kept]
        assert row["excess_loss_high"] == pytest.approx((excess[:, -1] / excess[:, 0]).max(), rel=1e-12)
        assert row["absolute_rate"] == single.learning_rate and row["error"] == "" and row["diverged"] == 0


def test_a_failed_task_is_a_row_with_its_message(expected):
    for row in expected[6:]:
        assert "batch_size=300" in row["error"] and "256" in row["error"] and math.isnan(row["steps"])


class Backwards(Executor):
    """Runs tasks one after the other, the last one first, once the first result is asked for."""

    def __init__(self):
        self.waiting = []

    def submit(self, function, /, *arguments):
        self.waiting.append((Future(), function, arguments))
        if len(self.waiting) == len(SMALL):
            for future, work, given in reversed(self.waiting):
                future.set_result(work(*given))
        return self.waiting[-1][0]


@pytest.mark.parametrize("where", ["threads", "processes", "executor", "backwards", None])
def test_where_and_in_what_order_tasks_run_changes_nothing(expected, where):
    if where == "executor":
        with ThreadPoolExecutor(1) as pool:
            assert_same(table(run(SMALL, pool)), expected)
            assert pool.submit(int).result() == 0  # it is not ours to shut down
    else:
        assert_same(table(run(SMALL, Backwards() if where == "backwards" else where, workers=2)), expected)


def test_results_come_as_they_are_done_the_biggest_first():
    order = [result.task.fields["steps"] for result in run(Grid(Experiment(), {"steps": [10, 1000, 100]}, 2), "none")]
    assert order == [1000, 100, 10]


def test_a_small_sweep_starts_no_processes(monkeypatch):
    monkeypatch.setattr(running, "_in_processes", lambda *_: pytest.fail("processes"))
    assert len(list(run(SMALL))) == 8


def test_a_large_one_does(monkeypatch):
    asked = []
    monkeypatch.setattr(running, "_in_processes", lambda todo, workers: iter(asked.append(len(todo)) or ()))
    monkeypatch.setattr(running, "cores", lambda: 2)
    assert list(run(Grid(Experiment(steps=100000), {"seed": list(range(50))}, 1))) == [] and asked == [50]


# --- kept, resumed, stopped, killed ---


def test_what_is_kept_is_not_computed_again(tmp_path, monkeypatch, expected):
    file = tmp_path / "kept.db"
    first = run(SMALL, "none", file)
    done = [next(first) for _ in range(3)]
    first.close()  # stopped in the middle
    with Store(file) as store:
        assert len(store) == sum(not result.error for result in done)
    computed = []
    monkeypatch.setattr(running, "work", lambda task, work=running.work: (computed.append(task.index), work(task))[1])
    assert_same(table(run(SMALL, "none", file)), expected)
    assert len(computed) == 8 - sum(not result.error for result in done)
    computed.clear()
    assert_same(table(run(SMALL, "none", file)), expected)
    assert len(computed) == 2  # only those that failed


def test_another_version_or_number_of_seeds_is_other_work(tmp_path, monkeypatch):
    file, grid = tmp_path / "kept.db", Grid(Experiment(steps=5), {"seed": [0, 1]}, 2)
    list(run(grid, "none", file))
    list(run(dataclasses.replace(grid, replicates=3), "none", file))
    monkeypatch.setattr("zz_core.__version__", "another")
    list(run(grid, "none", file))
    with Store(file) as store:
        assert len(store) == 6


def test_a_file_that_is_no_store_is_refused(tmp_path):
    (tmp_path / "text.db").write_text("not a database, but long enough to be looked into" * 30)
    with pytest.raises(ValueError, match="store=.*must be a file of finished tasks"):
        list(run(SMALL, "none", tmp_path / "text.db"))
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE results (something TEXT)")
    with pytest.raises(ValueError, match="store=.*must be a file of finished tasks"):
        list(run(SMALL, "none", tmp_path / "other.db"))


def children() -> list[int]:
    """Processes that this one has started and that still run."""
    listed = os.popen(f"ps -o pid=,stat= --ppid {os.getpid()}").read().split("\n")
    return [int(line.split()[0]) for line in listed if line.split() and not line.split()[1].startswith("Z")]


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_sweep_that_is_left_leaves_no_processes():
    before = len(children())
    going = run(Grid(Experiment(steps=2000), {"seed": list(range(12))}, 20), "processes", workers=2)
    next(going)
    assert len(children()) > before
    going.close()
    deadline = time.monotonic() + 20
    while len(children()) > before + 1 and time.monotonic() < deadline:  # one may be the tracker of resources
        time.sleep(0.1)
    assert len(children()) <= before + 1


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_killed_worker_loses_nothing():
    grid = Grid(Experiment(steps=3000), {"seed": list(range(10))}, 10)
    before, found, killed = set(children()), [], False
    for result in run(grid, "processes", workers=2):
        found.append(result)
        if not killed:
            workers = [pid for pid in set(children()) - before if "spawn_main" in command_of(pid)]
            os.kill(workers[0], signal.SIGKILL)
            killed = True
    assert killed and sorted(result.task.index for result in found) == list(range(10))
    assert_same(table(found), table(run(grid, "none")))


def command_of(pid: int) -> str:
    return os.popen(f"ps -o args= -p {pid}").read()


def test_a_task_that_kills_its_worker_is_a_row_that_says_so(monkeypatch):
    """Every pool breaks: as where the system ends processes for their memory."""
    broken = running.BrokenProcessPool("gone")

    def submitted(pool, todo, ours):
        for task in todo:
            if task.fields["seed"] == 1:
                raise broken
            yield running.work(task)

    monkeypatch.setattr(running, "_submitted", submitted)
    rows = table(run(Grid(Experiment(steps=5), {"seed": [0, 1, 2]}, 1), "processes", workers=1))
    assert [bool(row["error"]) for row in rows] == [False, True, False] and "ended from outside" in rows[1]["error"]


def test_workers_have_one_thread_and_do_not_import_what_started_them(tmp_path):
    """A script without a guard would start itself again in every worker."""
    script = tmp_path / "unguarded.py"
    script.write_text("import os, sys\nfrom zz_core import Experiment\nfrom zz_core.sweep import Grid, run, running\n"
                      "print('started', flush=True)\n"
                      "with running._processes(1) as pool:\n"
                      "    print(pool.submit(os.getenv, 'OPENBLAS_NUM_THREADS').result())\n"
                      "print(os.getenv('OPENBLAS_NUM_THREADS'))\n"
                      "print(len(list(run(Grid(Experiment(steps=5), {'seed': [0, 1]}, 2), 'processes', workers=2))))\n")
    environment = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
    done = subprocess.run([sys.executable, str(script)], env={**environment, "PYTHONPATH": os.getcwd()}, timeout=120,
                          capture_output=True, text=True)
    assert done.stdout.split() == ["started", "1", "None", "2"], done.stderr


# --- grids ---


@pytest.mark.parametrize("made, words", [
    (lambda: Grid(axes={"nonsense": [1]}), "nonsense: must be a field"),
    (lambda: Grid(axes={"batch_size": [0]}), "batch_size=0: must be a whole number"),
    (lambda: Grid(axes={"batch_size": []}), "at least one value"),
    (lambda: Grid(axes={"activation": "tanh"}), "must be a list"),
    (lambda: Grid(replicates=0), "replicates=0"), (lambda: Grid(replicates=True), "replicates=True"),
    (lambda: Grid(axes=[1]), "axes="),
    (lambda: Grid(axes={"seed": list(range(1000)), "data_seed": list(range(1000))}), "at most 100,000 combinations"),
    (lambda: Grid.from_json("{"), "line 1, column 2: must be JSON"),
    (lambda: Grid.from_json("[]"), "must hold base, axes and replicates"),
    (lambda: Grid.from_json('{"axis": {}}'), r"not \['axis'\]"),
    (lambda: Grid.from_json('{"base": {"nonsense": 1}}'), "nonsense: must be a field"),
    (lambda: Grid.from_json('{"base": 3}'), "base=3"),
    (lambda: Grid.from_json('{"base": {"optimizer": "magic"}}'), "optimizer=magic: must be one of"),
    (lambda: Grid.from_json('{"axes": {"noise": {"from": 0, "to": 1, "count": 3, "scale": "log"}}}'), "above 0"),
    (lambda: Grid.from_json('{"axes": {"loss": {"from": 0, "to": 1, "count": 3}}}'), "must be a list, or a range"),
    (lambda: Grid.from_json('{"axes": {"noise": {"from": 0, "to": 1}}}'), "must be a list, or a range")])
def test_a_bad_grid_is_refused_in_words(made, words):
    with pytest.raises(ValueError, match=words):
        made()


def test_ranges_and_whole_numbers_are_read():
    grid = Grid.from_json('{"base": {"noise": 1}, "axes": {"learning_rate": {"from": 0.01, "to": 1, "count": 3, '
                          '"scale": "log"}, "batch_size": {"from": 1, "to": 9, "count": 3}, "dimensions": [2.0, 4]}}')
    assert grid.axes == {"learning_rate": pytest.approx([0.01, 0.1, 1.0]), "batch_size": [1, 5, 9],
                         "dimensions": [2, 4]}
    assert grid.base.noise == 1.0 and grid.replicates == 20 and len(grid) == 18


AXES = {"batch_size": st.integers(1, 256), "learning_rate": st.floats(0.0001, 10), "optimizer": st.sampled_from(
    ["sgd", "adam"]), "bias": st.booleans(), "seed": st.integers(0, 2**31 - 1)}


@given(st.dictionaries(st.sampled_from(list(AXES)), st.none()).flatmap(
    lambda names: st.fixed_dictionaries({name: st.lists(AXES[name], min_size=1, max_size=4) for name in names})),
    st.integers(1, 100))
def test_a_grid_survives_json_and_lists_every_combination_once(axes, replicates):
    grid = Grid(Experiment(dimensions=3), axes, replicates)
    assert Grid.from_json(grid.to_json()) == grid
    tasks = grid.tasks()
    assert len(tasks) == len(grid) == math.prod(len(set(values)) for values in axes.values())
    assert len({task.key("1") for task in tasks}) == len(tasks)
    assert all(task.fields | {"dimensions": 3} == task.fields and set(task.fields) == set(DEFAULTS) for task in tasks)


def test_the_largest_grid_that_fits_keeps_the_ends_and_as_many_seeds_as_it_can():
    grid = Grid(Experiment(steps=5000, dimensions=16), {"batch_size": [2**k for k in range(9)]}, 40)
    whole = predicted(grid)
    assert whole.tasks == 9 and whole.seconds > 0 and whole.bytes > 0
    assert largest_fitting(grid, whole.seconds) == grid
    smaller = largest_fitting(grid, whole.seconds / 20)
    assert predicted(smaller).seconds <= whole.seconds / 20 and smaller.replicates == sweep.grid.FEWEST_SEEDS
    assert smaller.axes["batch_size"][0] == 1 and smaller.axes["batch_size"][-1] == 256
    assert largest_fitting(grid, 1e-9) is None


# --- summaries ---


def result(*values: float) -> Result:
    return Result(Task(0, {}, len(values), ()), {"steps": list(values), "diverged": [0.0, 1.0]}, {})


def test_runs_that_do_not_arrive_count_as_beyond_every_number():
    inf, nan = math.inf, math.nan
    assert summary(result(5.0, inf, 3.0), "steps").median == 5.0
    assert summary(result(5.0, inf, inf), "steps").median == inf
    assert summary(result(5.0, inf), "steps").median == 5.0  # not more than half
    assert summary(result(nan, 7.0), "steps") == (7.0, 7.0, 7.0)
    assert math.isnan(summary(result(nan), "steps").median) and summary(result(1.0), "diverged").median == 0.5
    many = np.arange(1.0, 21.0)
    assert summary(result(*many), "steps") == (10.0, 6.0, 15.0)  # ranks 6 and 15 of 20: a fair coin's 2.1 % tails
