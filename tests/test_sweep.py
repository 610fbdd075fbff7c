"""Sweeps: the same table wherever and in whatever order tasks run, nothing lost, and clear words for what is wrong."""
import dataclasses
import json
import math
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zz_core import Experiment, simulate
from zz_core.experiment import DEFAULTS
from zz_core.summary import summarize
from zz_core.sweep import Grid, Store, largest_fitting, measuring, predicted, prediction, run, running, summary, table
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


def test_whatever_a_task_raises_is_its_row(monkeypatch):
    real = measuring.simulate

    def simulated(experiment, *arguments, **options):
        if experiment.seed == 1:
            raise RuntimeError("out of luck")
        if experiment.seed == 2:
            raise MemoryError
        return real(experiment, *arguments, **options)

    monkeypatch.setattr(measuring, "simulate", simulated)
    rows = table(run(Grid(Experiment(steps=5), {"seed": [0, 1, 2]}, 1), "none"))
    assert [row["error"] for row in rows] == ["", "RuntimeError: out of luck", "MemoryError"]


def test_what_an_executor_raises_or_takes_back_is_the_row_of_its_task():
    class Failing(Executor):
        def submit(self, function, task):
            future = Future()
            if task.fields["seed"] == 1:
                future.set_exception(OSError("no such worker"))
            elif task.fields["seed"] == 2:
                future.cancel()
                future.set_running_or_notify_cancel()
            else:
                future.set_result(function(task))
            return future

    rows = table(run(Grid(Experiment(steps=5), {"seed": [0, 1, 2]}, 1), Failing()))
    assert [row["error"] for row in rows] == ["", "OSError: no such worker", running.CANCELLED]


def test_a_worker_with_another_version_of_the_core_gives_no_numbers():
    task = Grid(Experiment(steps=5)).tasks()[0]
    assert not measuring.work(task).error
    assert "version" in measuring.work(task._replace(version="0.0.1")).error


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
    monkeypatch.setattr(running, "_in_processes", lambda todo, workers, keep: iter(asked.append(len(todo)) or ()))
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


def test_what_was_done_and_not_yet_asked_for_is_kept_too(tmp_path):
    going = run(SMALL, Backwards(), tmp_path / "kept.db")
    next(going)
    going.close()
    with Store(tmp_path / "kept.db") as store:
        assert len(store) == 6


def test_another_version_or_number_of_seeds_is_other_work(tmp_path, monkeypatch):
    file, grid = tmp_path / "kept.db", Grid(Experiment(steps=5), {"seed": [0, 1]}, 2)
    list(run(grid, "none", file))
    list(run(dataclasses.replace(grid, replicates=3), "none", file))
    list(run(dataclasses.replace(grid, dtype="float32"), "none", file))
    monkeypatch.setattr("zz_core.__version__", "another")
    list(run(grid, "none", file))
    with Store(file) as store:
        assert len(store) == 8


def test_a_file_that_is_no_store_is_refused(tmp_path):
    (tmp_path / "text.db").write_text("not a database, but long enough to be looked into" * 30)
    with pytest.raises(ValueError, match="store=.*must be a file of finished tasks"):
        list(run(SMALL, "none", tmp_path / "text.db"))
    with pytest.raises(ValueError, match="store=.*must be a file that can be written"):
        list(run(SMALL, "none", tmp_path / "nowhere" / "kept.db"))
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
    before, found, killed = multiprocessing.active_children(), [], False
    for result in run(grid, "processes", workers=2):
        found.append(result)
        if not killed:
            worker = next(each for each in multiprocessing.active_children() if each not in before)
            os.kill(worker.pid, signal.SIGKILL)
            killed = True
    assert killed and sorted(result.task.index for result in found) == list(range(10))
    assert_same(table(found), table(run(grid, "none")))


class Pools:
    """Stands in for processes: each pool runs its tasks in turn and breaks at the first that `kills` its worker."""

    def __init__(self, kills):
        self.kills, self.made, self.ran = kills, 0, []

    @contextmanager
    def processes(self, workers):
        self.made += 1
        yield self.made

    def submitted(self, pool, todo, keep, lost):
        for task in todo:
            if self.kills(pool, task):
                raise lost("gone")
            self.ran.append(task.index)
            yield running.work(task)

    def rows(self, monkeypatch, count: int) -> list[dict]:
        monkeypatch.setattr(running, "processes", self.processes)
        monkeypatch.setattr(running, "_submitted", self.submitted)
        return table(run(Grid(Experiment(steps=5), {"seed": list(range(count))}, 1), "processes", workers=2))


def test_tasks_that_kill_their_worker_are_rows_that_say_so_and_the_others_do_not_suffer(monkeypatch):
    """As where the system ends processes for their memory; the first tasks, the biggest, are the likeliest."""
    deadly = (0, 1, 7)
    pools = Pools(lambda pool, task: task.fields["seed"] in deadly)
    rows = pools.rows(monkeypatch, 12)
    assert [row["seed"] for row in rows if "ended from outside" in row["error"]] == list(deadly)
    assert len(rows) == 12 and sorted(pools.ran) == sorted(set(range(12)) - set(deadly)) and pools.made <= 24


def test_one_that_dies_twice_for_another_reason_is_done_on_its_own(monkeypatch):
    pools = Pools(lambda pool, task: pool <= 2 and task.fields["seed"] == 0)
    assert not any(row["error"] for row in pools.rows(monkeypatch, 3)) and sorted(pools.ran) == [0, 1, 2]


def test_where_no_process_can_live_the_sweep_ends_soon(monkeypatch):
    pools = Pools(lambda pool, task: True)
    rows = pools.rows(monkeypatch, 100)
    assert len(rows) == 100 and all("ended from outside" in row["error"] for row in rows)
    assert pools.made <= running.DOOMED


def test_workers_have_one_thread_and_do_not_import_what_started_them(tmp_path):
    """A script without a guard would start itself again in every worker."""
    script = tmp_path / "unguarded.py"
    script.write_text("import os, sys\nfrom zz_core import Experiment\nfrom zz_core.sweep import Grid, processes, run\n"
                      "print('started', flush=True)\n"
                      "with processes.processes(1) as pool:\n"
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
    (lambda: Grid(dtype="float16"), "dtype=float16: must be one of float64, float32"),
    (lambda: Grid.from_json("[" * 100000), "must be JSON of moderate size"),
    (lambda: Grid.from_json('{"axes": {"noise": {"from": 0, "to": 1e999, "count": 3}}}'), "must be a list, or a range"),
    (lambda: Grid.from_json('{"axes": {"noise": [NaN]}}'), "noise=nan: must be a number"),
    (lambda: Grid.from_json('{"base": {"batch_size": 512}, "axes": {"samples": [64, 128]}}'), "batch_size=512: must"),
    (lambda: Grid.from_json("{"), "line 1, column 2: must be JSON"),
    (lambda: Grid.from_json("[]"), "must hold base, axes, replicates and dtype"),
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


def test_a_base_may_need_the_axes_to_make_sense():
    grid = Grid.from_json('{"base": {"batch_size": 512}, "axes": {"samples": [64, 1024]}, "replicates": 1}')
    errors = [row["error"] for row in table(run(grid, "none"))]
    assert "batch_size=512" in errors[0] and errors[1] == ""


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(
    ["sgd", "log", 10**400, "1", *DEFAULTS]) | st.text(max_size=3)
ANYTHING = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
    st.sampled_from(["from", "to", "count", "scale", "base", "axes"]), inner, max_size=4), max_leaves=8)
NAMES = st.sampled_from([*DEFAULTS, "nonsense"])
RANGES = st.fixed_dictionaries({"from": LEAVES, "to": LEAVES, "count": LEAVES | st.integers(1, 5)},
                               optional={"scale": LEAVES | st.just("log")})
DOCUMENTS = ANYTHING | st.fixed_dictionaries({}, optional={
    "base": ANYTHING | st.dictionaries(NAMES, LEAVES, max_size=3), "replicates": LEAVES, "dtype": LEAVES,
    "axes": ANYTHING | st.dictionaries(NAMES, ANYTHING | RANGES | st.lists(LEAVES, max_size=3), max_size=3)})


@settings(max_examples=300, deadline=None)
@given(DOCUMENTS | st.text(max_size=20))
def test_whatever_a_file_holds_is_a_grid_or_a_sentence(document):
    text = document if isinstance(document, str) else json.dumps(document)
    try:
        grid = Grid.from_json(text)
    except ValueError as error:
        assert ": must " in str(error)
    else:
        assert Grid.from_json(grid.to_json()) == grid


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
    fewer = largest_fitting(grid, whole.seconds / 2)
    assert fewer.axes == grid.axes and prediction.FEWEST_SEEDS < fewer.replicates < 40
    assert predicted(fewer).seconds <= whole.seconds / 2 < predicted(
        dataclasses.replace(fewer, replicates=fewer.replicates * 5 // 4)).seconds
    smaller = largest_fitting(grid, whole.seconds / 20)
    assert predicted(smaller).seconds <= whole.seconds / 20
    assert prediction.FEWEST_SEEDS <= smaller.replicates < fewer.replicates and 2 <= len(smaller) < 9
    assert smaller.axes["batch_size"][0] == 1 and smaller.axes["batch_size"][-1] == 256
    assert largest_fitting(grid, 1e-9) is None


def test_a_prediction_counts_what_is_run():
    def seconds(grid: Grid) -> float:
        return predicted(grid).seconds

    drawn, full = Grid(Experiment(steps=2000), replicates=10), Grid(Experiment(steps=2000, batch_size=256))
    assert 2 < seconds(dataclasses.replace(drawn, replicates=100)) / seconds(drawn) < 10.1
    assert seconds(dataclasses.replace(full, replicates=1000)) == seconds(full)  # one run, whatever the seeds
    assert predicted(Grid(Experiment(), {"batch_size": [300]})) == (1, 0.0, 0)  # impossible
    twice = Grid(drawn.base, {"seed": [0, 1]}, 10)
    assert predicted(twice) == (2, pytest.approx(2 * seconds(drawn)), predicted(drawn).bytes)
    many = Grid(Experiment(steps=20000, dimensions=16), replicates=10000)  # a history of 25 GiB, run in groups
    assert predicted(many).bytes < 2**30 and seconds(many) > 100


# --- summaries ---


def test_seeds_that_are_run_in_groups_are_the_same_seeds(monkeypatch):
    task = Grid(Experiment(steps=50, dimensions=3, treatment="center"), replicates=7).tasks()[0]
    whole = measuring.work(task)
    sizes = []
    monkeypatch.setattr(measuring, "GROUP_BYTES", 50 * (3 * 8 + 4) * 3)
    monkeypatch.setattr(measuring, "simulate", lambda *arguments, real=measuring.simulate, **options: (
        sizes.append(arguments[1]), real(*arguments, **options))[1])
    grouped = measuring.work(task)
    assert len(sizes) > 2 and sum(sizes) == 7 and grouped.facts == whole.facts
    for name, values in whole.values.items():
        np.testing.assert_allclose(grouped.values[name], values, rtol=1e-9, err_msg=name)


def test_a_diverged_run_has_no_path_and_an_infinite_loss():
    """Left out of the median, as undefined, it would let settings that diverge look better than those that do not."""
    grid = Grid(Experiment(dimensions=8, samples=64, batch_size=4, steps=400), {"learning_rate": [0.5, 4.0]}, 20)
    good, bad = run(grid, "none")
    assert summary(bad, "diverged").median == 1.0 and summary(bad, "excess_loss") == (math.inf,) * 3
    assert math.isnan(summary(bad, "path_ratio").median) and summary(bad, "steps").median == math.inf
    assert summary(good, "excess_loss").median < 1e-3 and summary(good, "path_ratio").low > 1
    assert summary(good, "diverged")[:2] == (0.0, 0.0) and 0.1 < summary(good, "diverged").high < 0.2  # Wilson, 0 of 20


def test_the_full_batch_is_run_once_and_its_divergence_certain():
    grid = Grid(Experiment(batch_size=256, steps=3000, rate_unit="absolute", learning_rate=10.0), replicates=9)
    found = measuring.work(grid.tasks()[0])
    assert found.values["diverged"] == [1.0] and summary(found, "diverged") == (1.0, 1.0, 1.0)


def test_single_precision_is_close():
    grid = Grid(Experiment(steps=200, dimensions=8), replicates=5)
    double, single = (measuring.work(dataclasses.replace(grid, dtype=dtype).tasks()[0])
                      for dtype in ("float64", "float32"))
    assert single.values["path_ratio"] != double.values["path_ratio"]
    np.testing.assert_allclose(single.values["path_ratio"], double.values["path_ratio"], rtol=1e-4)
    np.testing.assert_allclose(single.values["excess_loss"], double.values["excess_loss"], rtol=1e-3)


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
