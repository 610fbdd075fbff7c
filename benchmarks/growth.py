"""How the cost of a step grows with the steps T, the replicates R, the dimensions D, the batch B and the data N."""
from dataclasses import dataclass, replace
from functools import partial

from benchmarks.comparison import figure, run_of
from benchmarks.comparisons import NETWORK
from benchmarks.timing import in_turn
from zz_core import Experiment
from zz_core.network import NetworkExperiment

ROUNDS = 3  # at most: the long runs of each series take most of a second
WORK = "microseconds a step, and per unit of what grows, as a ratio to the first size"


@dataclass(frozen=True)
class Series:
    """One quantity grows; a step's cost is the difference of runs of `steps` and of 3 * `steps`, over 2 * `steps`.

    each: the cost is divided by the quantity, for what is to grow linearly at most. wanted: how many times that of the
    first size it may be at the last.
    """

    name: str
    task: Experiment | NetworkExperiment
    field: str  # of the task, or "replicates"
    values: tuple[int, ...]
    steps: int
    wanted: float
    each: bool = True
    replicates: int = 1

    def at(self, value: int) -> tuple[Experiment | NetworkExperiment, int]:
        """The task at this size, and its replicates. A full batch stays one."""
        if self.field == "replicates":
            return self.task, value
        changed = {self.field: value}
        if self.field == "samples" and self.task.batch_size == self.task.samples:
            changed["batch_size"] = value
        return replace(self.task, **changed), self.replicates


FULL = Experiment(dimensions=16, batch_size=256)
SMALL = Experiment(dimensions=16, batch_size=8)
WIDE = Experiment(dimensions=64, batch_size=32)
SERIES = (
    Series("T, B = 8, D = 16", SMALL, "steps", (1000, 10_000, 100_000), 0, 1.1, each=False),
    Series("T, full batch, D = 16", FULL, "steps", (1000, 10_000, 100_000), 0, 1.1, each=False),
    Series("T, network", NETWORK, "steps", (500, 2000, 8000), 0, 1.1, each=False),
    Series("R, B = 1, D = 16", replace(SMALL, batch_size=1), "replicates", (1, 8, 64, 512), 500, 1.0),
    Series("R, B = 8, D = 16", SMALL, "replicates", (1, 8, 64, 512), 200, 1.0),
    Series("R, network", NETWORK, "replicates", (1, 8, 32), 100, 1.0),
    Series("D, B = 32", WIDE, "dimensions", (4, 32, 256, 1024), 1000, 1.0),
    Series("D, full batch, N = 256", FULL, "dimensions", (4, 32, 128), 20_000, 1.0),
    Series("B, D = 16, N = 8192", replace(SMALL, samples=8192), "batch_size", (1, 16, 256, 4096), 500, 1.0),
    Series("N, B = 32, D = 64", WIDE, "samples", (256, 4096, 65_536), 10_000, 3.0, each=False),
    Series("N, B = 1, D = 64, 64 runs", replace(WIDE, batch_size=1), "samples", (256, 4096, 65_536), 1500, 3.0,
           each=False, replicates=64),
    Series("N, full batch, D = 16", FULL, "samples", (256, 4096, 65_536), 30_000, 1.1, each=False),
    Series("N, full batch with Adam, D = 16", replace(FULL, optimizer="adam"), "samples", (256, 4096, 65_536), 3000,
           1.1, each=False),
)


def measure(rounds: int) -> list[dict[str, object]]:
    return [grown(series, min(rounds, ROUNDS)) for series in SERIES]


def grown(series: Series, rounds: int) -> dict[str, object]:
    """Seconds a step at each size, and the growth from the first to the last."""
    works, lengths = {}, {}
    for value in series.values:
        task, replicates = series.at(value)
        lengths[value] = (task.steps,) if series.field == "steps" else (series.steps, 3 * series.steps)
        for steps in lengths[value]:
            works[value, steps] = partial(run_of, replace(task, steps=steps), replicates)
            works[value, steps]()
    taken = in_turn(works, rounds)
    costs = []
    for value, (first, *longer) in lengths.items():
        # of the least: in the difference of two runs, what disturbs either would count as steps
        least = min(taken[value, first])
        costs.append(least / first if not longer else (min(taken[value, longer[0]]) - least) / (longer[0] - first))
    unit = [cost / value if series.each else cost for cost, value in zip(costs, series.values, strict=True)]
    return {"series": series.name, "values": series.values, "step_seconds": costs, "growth": unit[-1] / unit[0],
            "each": series.each, "wanted": series.wanted}


def sentences(result: list[dict[str, object]]) -> list[str]:
    """A table, as Markdown."""
    return ["| grows | microseconds a step at each size | last / first | wanted |", "|---|---|---|---|",
            *map(_line, result)]


def _line(row: dict[str, object]) -> str:
    sizes = ", ".join(f"{value:,}: {figure(1e6 * cost)}" for value, cost in
                      zip(row["values"], row["step_seconds"], strict=True))
    missed = "" if row["growth"] <= row["wanted"] else ", missed"
    unit = f" per {row['series'][0]}" if row["each"] else ""
    return f"| {row['series']} | {sizes} | {figure(row['growth'])}{unit} | at most {row['wanted']:g}{missed} |"
