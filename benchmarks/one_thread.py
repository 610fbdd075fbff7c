"""One thread, on one core, for everything that is compared. Imported before NumPy and the peers are."""
import os
from collections.abc import Iterator
from contextlib import contextmanager

for _variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[_variable] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


@contextmanager
def one_core() -> Iterator[None]:
    """Keep the process on one of its cores, where the system can: XLA's threads, and those of `train`, go by that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
