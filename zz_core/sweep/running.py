"""Where the tasks of a sweep run: here, in threads, in processes of this machine, or on a Dask cluster."""
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from pkgutil import resolve_name

import zz_core
from zz_core.sweep.grid import Grid
from zz_core.sweep.measuring import work
from zz_core.sweep.prediction import task_cost
from zz_core.sweep.processes import cores, processes
from zz_core.sweep.store import Store
from zz_core.sweep.task import Result, Task, failed

IN_PROCESS_SECONDS = 2.0  # below, starting processes would take longer than the work
STRIKES = 2  # how often a task may be under way while a worker dies, before it gets a process of its own
LOOK_SECONDS = 5.0  # between two looks at whether the pool is still there
DOOMED = 5  # how many pools may break before a first task is done
LOST = "the process that ran it was ended from outside, perhaps for its memory"
CANCELLED = "it was canceled where it ran: someone stopped it, or the scheduler is gone"

Keep = Callable[[Result], None]


def run(grid: Grid, executor: Executor | str | None = None, store: Store | str | Path | None = None,
        workers: int | None = None) -> Iterator[Result]:
    """Yield the results as they come, in any order; what they are depends neither on that nor on where they ran, but
    for the last bits, which another BLAS, or another number of its threads, may round otherwise.

    executor: "none", "threads", "processes", the address of a Dask scheduler ("tcp://..."), or any
    concurrent.futures.Executor, which stays open. None: processes (one thread each), or none at all where the whole
    grid is predicted to take less than two seconds. store: finished tasks are read from it and kept in it.

    Closing the generator, or an exception in the loop over it, stops the sweep: what was done is in the store.
    """
    if isinstance(executor, str) and executor not in ("none", "threads", "processes") and "://" not in executor:
        raise ValueError(f"executor={executor}: must be none, threads, processes, or the address of a Dask scheduler "
                         "such as tcp://10.0.0.1:8786")
    if workers is not None and workers < 1:
        raise ValueError(f"workers={workers}: must be at least 1")
    return _run(grid, executor, store, workers)


def _run(grid: Grid, executor: Executor | str | None, store: Store | str | Path | None,
         workers: int | None) -> Iterator[Result]:
    with _opened(store) as kept:
        waiting = []
        for task in grid.tasks():
            found = None if kept is None else kept.get(task)
            if found is None:
                waiting.append(task)
            else:
                yield found
        yield from _results(_biggest_first(waiting), executor, workers, kept.put if kept is not None else _forget)


def _forget(result: Result) -> None:
    pass


def _opened(store: Store | str | Path | None) -> AbstractContextManager[Store | None]:
    return Store(store) if isinstance(store, str | Path) else nullcontext(store)


def _biggest_first(tasks: list[Task]) -> list[tuple[float, Task]]:
    """Tasks with their predicted seconds: started last, a long one would leave the other workers idle."""
    return sorted(((task_cost(task).seconds, task) for task in tasks), key=lambda pair: (-pair[0], pair[1].index))


def _results(tasks: list[tuple[float, Task]], executor: Executor | str | None, workers: int | None,
             keep: Keep) -> Iterator[Result]:
    todo = [task for _, task in tasks]
    if not todo:
        return  # all were in the store: a cluster need not even answer
    if executor is None:
        alone = sum(seconds for seconds, _ in tasks) < IN_PROCESS_SECONDS or (workers or cores()) < 2
        executor = "none" if alone else "processes"
    if executor == "none":
        for task in todo:
            result = work(task)
            keep(result)
            yield result
    elif executor == "processes":
        yield from _in_processes(todo, workers or cores(), keep)
    elif executor == "threads":
        with ThreadPoolExecutor(workers or cores()) as pool:
            yield from _submitted(pool, todo, keep)
    elif isinstance(executor, str):
        with _dask(executor) as (pool, gone):
            yield from _submitted(pool, todo, keep, gone=gone)
    else:
        yield from _submitted(executor, todo, keep)


def _submitted(pool: Executor, todo: list[Task], keep: Keep, lost: type[Exception] | tuple = (),
               gone: Callable[[], bool] = lambda: False) -> Iterator[Result]:
    """lost: what is raised where the pool has lost a task, rather than made a row with its message; gone: whether the
    pool has lost all of them, and does not say so."""
    futures: dict[Future, Task] = {}
    try:
        for task in todo:
            futures[pool.submit(work, task)] = task
        for future in _completed(futures, gone):
            result = _outcome(future, futures[future], lost)
            del futures[future]
            keep(result)
            yield result
    finally:  # also where the loop over the results was left: what was done meanwhile is kept
        for future in futures:
            if not future.cancel() and future.done() and not future.cancelled() and future.exception() is None:
                keep(future.result())


def _completed(futures: Iterable[Future], gone: Callable[[], bool]) -> Iterator[Future]:
    """As they are done; where the pool is gone, all that are left, as canceled."""
    left = set(futures)
    while left:
        try:
            for future in as_completed(left, LOOK_SECONDS):
                left.discard(future)
                yield future
        except TimeoutError:
            for future in left if gone() else ():
                if not future.done() and future.cancel():
                    with suppress(RuntimeError):  # the pool has just done so itself
                        future.set_running_or_notify_cancel()  # wakes who waits for it


def _outcome(future: Future, task: Task, lost: type[Exception] | tuple) -> Result:
    try:
        return future.result()
    except lost:
        raise
    except CancelledError:
        return Result(task, {}, {}, CANCELLED)
    except Exception as error:  # the pool's, whatever it is
        return failed(task, error)


def _in_processes(todo: list[Task], workers: int, keep: Keep) -> Iterator[Result]:
    """Tasks that were lost with a worker run again in fresh processes. Those that were under way each time get a
    process of their own: one that ends even that is a row that says so, and the others do not suffer from it."""
    left, strikes, any_done, broken = {task.index: task for task in todo}, Counter(), False, 0
    while left:
        suspect = next((task for task in left.values() if strikes[task.index] >= STRIKES), None)
        batch = list(left.values()) if suspect is None else [suspect]
        try:
            with processes(min(workers, len(batch))) as pool:
                for result in _submitted(pool, batch, keep, lost=BrokenProcessPool):
                    del left[result.task.index]
                    any_done = True
                    yield result
        except BrokenProcessPool:
            broken += 1
            under_way = [task.index for task in batch if task.index in left][: 2 * workers]  # they start in this order
            strikes.update(under_way)
            given_up = list(left) if broken >= DOOMED and not any_done else under_way if suspect is not None else []
            for index in given_up:
                yield Result(left.pop(index), {}, {}, LOST)


@contextmanager
def _dask(address: str) -> Iterator[tuple[Executor, Callable[[], bool]]]:
    """The executor of a Dask cluster, and whether that is gone: a client that has lost its scheduler forgets all tasks,
    but says nothing of those whose results were under way. Workers need this package, and should have one thread each.
    """
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
        _check_workers(address, client.run(resolve_name, "zz_core:__version__", on_error="return"))
        yield client.get_executor(pure=False), lambda: not client.futures


def _check_workers(address: str, versions: dict[str, object]) -> None:
    """Before the first task: a Dask worker that cannot read it ends itself, and the sweep would wait forever, as it
    would where there is no worker."""
    if not versions:
        raise ValueError(f"executor={address}: must have at least one worker (dask worker {address} --nthreads 1)")
    for worker, found in versions.items():
        if found != zz_core.__version__:
            raise ValueError(f"executor={address}: must have version {zz_core.__version__} of zz_core on all its "
                             f"workers; {worker} answers {found!r}")
