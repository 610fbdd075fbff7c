"""What a worker does with a task: run it and measure every seed."""
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

import zz_core
from zz_core.costs import history_bytes
from zz_core.experiment import Experiment
from zz_core.measures import cut_tail, reversal_rate
from zz_core.simulation import Run, simulate
from zz_core.stability import condition, eigenvalues
from zz_core.summary import summarize
from zz_core.sweep.task import Result, Task, failed

GROUP_BYTES = 32 * 2**20  # of the history of the seeds that are run together: measuring takes several times that


def work(task: Task) -> Result:
    """Run a task. Whatever goes wrong is a result with its message: it must not end the sweep."""
    if task.version not in ("", zz_core.__version__):
        return Result(task, {}, {}, f"the worker has version {zz_core.__version__} of zz_core, and the sweep "
                                    f"{task.version}")
    try:
        return _measured(task)
    except Exception as error:  # a worker of a cluster may lack anything
        return failed(task, error)


def group_size(experiment: Experiment, replicates: int, dtype: str) -> int:
    """How many seeds are run together; of the full batch one, since all are the same run."""
    if experiment.full_batch:
        return 1
    return min(replicates, max(1, GROUP_BYTES // history_bytes(experiment, 1, dtype=np.dtype(dtype))))


def _measured(task: Task) -> Result:
    values: dict[str, list[float]] = {}
    facts: dict[str, float] = {}
    with np.errstate(all="ignore"):  # runs that diverge overflow
        for run in _runs(task):
            for name, found in _measures(run).items():
                values.setdefault(name, []).extend(np.asarray(found, float).tolist())
            facts = facts or {"absolute_rate": float(run.learning_rate),
                              "condition": condition(eigenvalues(run.experiment, run.task))}
    return Result(task, values, facts)


def _runs(task: Task) -> Iterator[Run]:
    """All seeds, a group at a time: seed + k is the k-th replicate's."""
    experiment = Experiment(**task.fields)
    size = group_size(experiment, task.replicates, task.dtype)
    for first in range(0, 1 if experiment.full_batch else task.replicates, size):
        yield simulate(replace(experiment, seed=experiment.seed + first), min(size, task.replicates - first),
                       dtype=np.dtype(task.dtype).type)


def _measures(run: Run) -> dict[str, np.ndarray]:
    """Each (R,)."""
    summed, diverged = summarize(run), run.diverged_at >= 0
    path = run.weights if run.optimum is None else cut_tail(run.weights, run.optimum)
    return {"steps": summed.steps, "path_ratio": np.where(diverged, np.nan, summed.path_ratio),
            "same_sign": summed.same_sign, "reversal_rate": np.atleast_1d(reversal_rate(path)),
            "excess_loss": _remaining(run, diverged), "diverged": diverged}


def _remaining(run: Run, diverged: np.ndarray) -> np.ndarray:
    """Excess loss at the end / at the start: of the whole history only its two ends are evaluated."""
    if run.optimum is None:
        return np.full(len(run.weights), np.nan)
    ends = {name: None if (path := getattr(run, name)) is None else path[:, [0, -1]]
            for name in ("weights", "biases", "input_biases")}
    start, end = replace(run, **ends).excess_losses().T
    return np.where(diverged, np.inf, np.divide(end, start, out=np.full(len(end), np.nan), where=start > 0))
