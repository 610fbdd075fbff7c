"""Worker processes: fresh, of one thread each, that import nothing of the program that started them and outlive
neither their pool nor its process."""
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import context, spawn
from threading import Lock, Thread, get_ident

ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
MOST = 61 if sys.platform == "win32" else 1000  # what ProcessPoolExecutor allows
PATIENCE = 5.0  # seconds for a process to end when it is told to
_starting = Lock()


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Gone when this is left, whatever they were at."""
    pool = ProcessPoolExecutor(min(workers, MOST), mp_context=_Context(), initializer=_settle)
    try:
        yield pool
    finally:
        started = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for end in (multiprocessing.Process.terminate, multiprocessing.Process.kill):
            for process in started:
                with suppress(OSError, ValueError):
                    end(process)
            for process in started:
                with suppress(OSError, ValueError, AssertionError):
                    process.join(PATIENCE)


def _settle() -> None:
    """In a worker: Ctrl-C is the parent's to handle, and a parent that was killed cannot end its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


class _Process(context.SpawnProcess):
    """A process that does not import the program that started it: the tasks need nothing of it, and a script without
    a guard, or a page of a dashboard, would run once more in every worker."""

    @staticmethod
    def _Popen(process: multiprocessing.Process):
        with _starting:
            before, here = {name: os.environ.get(name) for name in ONE_THREAD}, get_ident()
            original = spawn.get_preparation_data
            spawn.get_preparation_data = lambda name: {
                key: value for key, value in original(name).items()
                if get_ident() != here or not key.startswith("init_main")}
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
