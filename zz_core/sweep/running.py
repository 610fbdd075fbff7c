"""Where the tasks of a sweep run: here, in threads, in processes of this machine, or on a Dask cluster."""
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from multiprocessing import context, popen_spawn_posix, spawn  # noqa: F401  the second is what looks it up
from pathlib import Path
from threading import Lock

from zz_core.sweep.grid import MEASURING, Grid, cost_of
from zz_core.sweep.store import Store
from zz_core.sweep.task import Result, Task, work

IN_PROCESS_SECONDS = 2.0  # below, starting processes would take longer than the work
ATTEMPTS = 3  # how often a task may be under way while a worker dies
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_preparing = Lock()


def run(grid: Grid, executor: Executor | str | None = None, store: Store | str | Path | None = None,
        workers: int | None = None) -> Iterator[Result]:
    """Yield the results as they come, in any order; what they are depends neither on that nor on where they ran.

    executor: "none", "threads", "processes", the address of a Dask scheduler ("tcp://..."), or any
    concurrent.futures.Executor, which stays open. None: processes (one thread each), or none at all where the whole
    grid is predicted to take less than two seconds. store: finished tasks are read from it and kept in it.

    Closing the generator, or an exception in the loop over it, stops the sweep: what was yielded is in the store.
    """
    with _opened(store) as kept:
        waiting = []
        for task in grid.tasks():
            found = None if kept is None else kept.get(task)
            if found is None:
                waiting.append(task)
            else:
                yield found
        for result in _results(_biggest_first(waiting), executor, workers):
            if kept is not None:
                kept.put(result)
            yield result


def _opened(store: Store | str | Path | None) -> AbstractContextManager[Store | None]:
    return Store(store) if isinstance(store, str | Path) else nullcontext(store)


def _biggest_first(tasks: list[Task]) -> list[tuple[float, Task]]:
    """Tasks with their predicted seconds: started last, a long one would leave the other workers idle."""
    costs = [(MEASURING * found.seconds if (found := cost_of(task)) is not None else 0.0, task) for task in tasks]
    return sorted(costs, key=lambda pair: (-pair[0], pair[1].index))


def _results(tasks: list[tuple[float, Task]], executor: Executor | str | None, workers: int | None) -> Iterator[Result]:
    todo = [task for _, task in tasks]
    if executor is None:
        alone = sum(seconds for seconds, _ in tasks) < IN_PROCESS_SECONDS or (workers or cores()) < 2
        executor = "none" if alone else "processes"
    if executor == "none":
        yield from map(work, todo)
    elif executor == "processes":
        yield from _in_processes(todo, workers or cores())
    elif executor == "threads":
        with ThreadPoolExecutor(workers or cores()) as pool:
            yield from _submitted(pool, todo)
    elif isinstance(executor, str):
        with _dask(executor) as pool:
            yield from _submitted(pool, todo)
    else:
        yield from _submitted(executor, todo)


def _submitted(pool: Executor, todo: list[Task], ours: bool = False) -> Iterator[Result]:
    """ours: the pool ends with this, and cancels what is left by itself."""
    futures: list[Future] = []
    try:
        futures = [pool.submit(work, task) for task in todo]
        for future in as_completed(futures):
            yield future.result()
    finally:  # also where the loop over the results was left
        for future in () if ours else futures:
            future.cancel()


def _in_processes(todo: list[Task], workers: int) -> Iterator[Result]:
    """Tasks that were lost with a worker run again in fresh processes; one that goes on killing them is a row that says
    so."""
    left, attempts = {task.index: task for task in todo}, 0
    while left:
        try:
            with _processes(min(workers, len(left))) as pool:
                for result in _submitted(pool, list(left.values()), ours=True):
                    del left[result.task.index]
                    yield result
        except BrokenProcessPool:
            attempts += 1
            if attempts >= ATTEMPTS:
                yield from _one_by_one(list(left.values()))
                return


def _one_by_one(todo: list[Task]) -> Iterator[Result]:
    """Each in a process of its own, so that it is known which of them ends its worker."""
    for task in todo:
        try:
            with _processes(1) as pool:
                yield from _submitted(pool, [task], ours=True)
        except BrokenProcessPool:
            yield Result(task, {}, {}, "the process that ran it was ended from outside, perhaps for its memory")


@contextmanager
def _processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Fresh processes with one thread each, gone when this is left, whatever they were at."""
    pool = ProcessPoolExecutor(workers, mp_context=_Context())
    try:
        yield pool
    finally:
        started = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in started:
            with suppress(OSError, ValueError):
                process.terminate()


class _Process(context.SpawnProcess):
    """A process that does not import the program that started it: the tasks need nothing of it, and a script without
    a guard, or a page of a dashboard, would run once more in every worker."""

    @staticmethod
    def _Popen(process: multiprocessing.Process):
        with _preparing:
            before, original = {name: os.environ.get(name) for name in ONE_THREAD}, spawn.get_preparation_data
            spawn.get_preparation_data = lambda name: {
                key: value for key, value in original(name).items() if not key.startswith("init_main")}
            os.environ.update(ONE_THREAD)  # read when the child imports NumPy
            try:
                return context.SpawnProcess._Popen(process)
            finally:
                spawn.get_preparation_data = original
                for name, value in before.items():
                    if value is None:
                        del os.environ[name]
                    else:
                        os.environ[name] = value


class _Context(context.SpawnContext):
    Process = _Process


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _dask(address: str) -> Iterator[Executor]:
    """The executor of a Dask cluster; its workers need this package, and should have one thread each."""
    try:
        from distributed import Client
    except ImportError:
        raise ValueError(f"executor={address}: needs the package distributed "
                         "(pip install -r requirements-cluster.txt)") from None
    try:
        client = Client(address, timeout="5s")
    except (OSError, ValueError) as error:
        raise ValueError(f"executor={address}: must be the address of a Dask scheduler that answers, such as "
                         f"tcp://10.0.0.1:8786; {error}") from None
    with client:
        yield client.get_executor(pure=False)
