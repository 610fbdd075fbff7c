"""One task of a sweep: an experiment and its seeds, run and summed up. What a worker needs is here."""
import json
import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from zz_core.claims.claim import median_interval
from zz_core.experiment import Experiment
from zz_core.measures import cut_tail, reversal_rate
from zz_core.simulation import Run, simulate
from zz_core.specs import Value
from zz_core.stability import condition, eigenvalues
from zz_core.summary import summarize

MEASURES: dict[str, str] = {  # of each seed, in words
    "steps": "steps to 1 %",
    "path_ratio": "path / straight line",
    "same_sign": "share of gradients with one sign",
    "reversal_rate": "share of steps that turn back",
    "excess_loss": "excess loss at the end / at the start",
    "diverged": "share of runs that diverged",
}
FACTS = ("absolute_rate", "condition")  # of the experiment, whatever the seed


class Task(NamedTuple):
    """fields: all of an Experiment's; axes: the names of those that the sweep varies."""

    index: int
    fields: dict[str, Value]
    replicates: int
    axes: tuple[str, ...]

    def key(self, version: str) -> str:
        """The same for the same work by the same version of the core."""
        return json.dumps([version, self.replicates, sorted(self.fields.items())])


class Result(NamedTuple):
    """values: of each seed, one for the full batch, whose seeds are all the same run; or what went wrong.

    Steps are infinite where a seed did not arrive. Everything else that is undefined is NaN.
    """

    task: Task
    values: dict[str, list[float]]
    facts: dict[str, float]
    error: str = ""

    @property
    def point(self) -> dict[str, Value]:
        return {name: self.task.fields[name] for name in self.task.axes}


def work(task: Task) -> Result:
    """Run a task. An experiment that is impossible, or too large, is a result with its message."""
    try:
        run = simulate(Experiment(**task.fields), task.replicates)
    except (ValueError, MemoryError) as error:
        return Result(task, {}, {}, str(error) or type(error).__name__)
    with np.errstate(all="ignore"):  # runs that diverge overflow
        return Result(task, _measured(run), _facts(run))


def _measured(run: Run) -> dict[str, list[float]]:
    seeds = 1 if run.batches is None else len(run.weights)
    summed = summarize(run)
    excess = run.excess_losses() if run.optimum is not None else np.full(run.weights.shape[:2], np.nan)
    path = run.weights if run.optimum is None else cut_tail(run.weights, run.optimum)
    found = {"steps": summed.steps, "path_ratio": summed.path_ratio, "same_sign": summed.same_sign,
             "reversal_rate": np.atleast_1d(reversal_rate(path)),
             "excess_loss": np.divide(excess[:, -1], excess[:, 0], out=np.full(len(excess), np.nan),
                                      where=excess[:, 0] > 0),
             "diverged": (run.diverged_at >= 0).astype(float)}
    return {name: np.asarray(values, float)[:seeds].tolist() for name, values in found.items()}


def _facts(run: Run) -> dict[str, float]:
    return {"absolute_rate": float(run.learning_rate), "condition": condition(eigenvalues(run.experiment, run.task))}


class Summary(NamedTuple):
    """Median and 95 % interval over the seeds for which a measure is defined. A seed that does not arrive counts as
    beyond every number of steps: of an even number the smaller of the two in the middle is taken."""

    median: float
    low: float
    high: float


def summary(result: Result, measure: str) -> Summary:
    """NaN where it is undefined for all; for `diverged` the share, without an interval."""
    values = np.array(result.values.get(measure, []), float)
    values = np.sort(values[~np.isnan(values)])
    if not len(values):
        return Summary(math.nan, math.nan, math.nan)
    if measure == "diverged":
        return Summary(*[float(values.mean())] * 3)
    return Summary(float(values[(len(values) - 1) // 2]), *median_interval(values))


def table(results: Iterable[Result]) -> list[dict[str, Value]]:
    """One row a task, in the grid's order, whatever order they came in."""
    return [_row(result) for result in sorted(results, key=lambda result: result.task.index)]


def _row(result: Result) -> dict[str, Value]:
    row = dict(result.point)
    for name in MEASURES:
        found = summary(result, name)
        row[name] = found.median
        if name != "diverged":
            row |= {f"{name}_low": found.low, f"{name}_high": found.high}
    row |= {name: result.facts.get(name, math.nan) for name in FACTS}
    return row | {"seeds": len(result.values.get("steps", [])), "error": result.error}
