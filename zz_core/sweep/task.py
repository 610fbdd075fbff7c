"""One task of a sweep, an experiment and its seeds; what comes of it, and how that is summed up in a row."""
import json
import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from zz_core.claims.claim import median_interval
from zz_core.experiment import Experiment
from zz_core.measures import share_interval
from zz_core.specs import Value

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
    """fields: all of an Experiment's; axes: the names of those that the sweep varies; dtype: of the simulation;
    version: of the core that asks for it, so that no other one answers."""

    index: int
    fields: dict[str, Value]
    replicates: int
    axes: tuple[str, ...]
    dtype: str = "float64"
    version: str = ""

    def key(self, version: str) -> str:
        """The same for the same work by the same version of the core."""
        precision = [] if self.dtype == "float64" else [self.dtype]
        return json.dumps([version, self.replicates, sorted(self.fields.items()), *precision])


class Result(NamedTuple):
    """values: of each seed, one for the full batch, whose seeds are all the same run; or what went wrong.

    Steps are infinite where a seed did not arrive, the excess loss where it diverged; its path ratio is NaN then, as is
    everything else that is undefined. The other measures of a diverged seed are those of its way until then.
    """

    task: Task
    values: dict[str, list[float]]
    facts: dict[str, float]
    error: str = ""

    @property
    def point(self) -> dict[str, Value]:
        return {name: self.task.fields[name] for name in self.task.axes}


def failed(task: Task, error: BaseException) -> Result:
    """The row of a task that raised: a ValueError's message speaks for itself."""
    words = str(error)
    return Result(task, {}, {}, words if words and isinstance(error, ValueError) else
                  f"{type(error).__name__}: {words}".removesuffix(": "))


class Summary(NamedTuple):
    """Median and 95 % interval over the seeds for which a measure is defined. A seed that does not arrive counts as
    beyond every number of steps: of an even number the smaller of the two in the middle is taken, so that the median
    is infinite where more than half do not."""

    median: float
    low: float
    high: float


def summary(result: Result, measure: str) -> Summary:
    """NaN where it is undefined for all; for `diverged` the share of the seeds, with Wilson's interval."""
    values = np.array(result.values.get(measure, []), float)
    values = np.sort(values[~np.isnan(values)])
    if not len(values):
        return Summary(math.nan, math.nan, math.nan)
    if measure != "diverged":
        return Summary(float(values[(len(values) - 1) // 2]), *median_interval(values))
    share = float(values.mean())
    if Experiment(**result.task.fields).full_batch:  # nothing is drawn, and nothing uncertain
        return Summary(share, share, share)
    return Summary(share, *share_interval(share, len(values)))


def table(results: Iterable[Result]) -> list[dict[str, Value]]:
    """One row a task, in the grid's order, whatever order they came in."""
    return [_row(result) for result in sorted(results, key=lambda result: result.task.index)]


def _row(result: Result) -> dict[str, Value]:
    row = dict(result.point)
    for name in MEASURES:
        found = summary(result, name)
        row |= {name: found.median, f"{name}_low": found.low, f"{name}_high": found.high}
    row |= {name: result.facts.get(name, math.nan) for name in FACTS}
    return row | {"seeds": len(result.values.get("steps", [])), "error": result.error}
