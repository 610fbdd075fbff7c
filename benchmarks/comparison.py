"""A comparison: work of this core beside what its peers take for the same."""
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple
from unittest.mock import patch

import numpy as np

from benchmarks.peers import PEERS, Trained
from benchmarks.timing import interleaved
from zz_core import Experiment, Run, simulate
from zz_core.moments import kept_totals
from zz_core.network import NetworkExperiment, NetworkRun, train, training
from zz_core.stability import absolute_rate
from zz_core.stepping import draw_batches, kept_draws
from zz_core.task import build_task, kept_task

CLOSE = 1e-9  # largest difference of two results that agree
PART = "a part of ours"


class Case(NamedTuple):
    """A peer on some work. wanted: its time / ours, at least. timed: replicates that it trains, where it takes them one
    after the other; its time is multiplied accordingly."""

    wanted: float | None = None
    timed: int | None = None


@dataclass(frozen=True)
class Comparison:
    """`replicates` of each of the tasks, all neurons or all networks, by us and by the peers of these names."""

    work: str
    tasks: tuple[Experiment | NetworkExperiment, ...]
    replicates: int
    cases: Mapping[str, Case]

    def measure(self, rounds: int) -> list[dict[str, object]]:
        """One row a peer that is installed."""
        runs = [run_of(task, self.replicates) for task in self.tasks]
        networks = isinstance(self.tasks[0], NetworkExperiment)
        works = {PART: partial(_all, unrecorded if networks else set_up, self.tasks, self.replicates)}
        counts, apart = {}, {}
        for name, case in self.cases.items():
            if PEERS[name].installed:
                counts[name] = min(case.timed or self.replicates, self.replicates)
                calls = [PEERS[name].prepare(run, counts[name]) for run in runs]
                apart[name] = max(difference(run, call()) for run, call in zip(runs, calls, strict=True))
                works[name] = partial(_call_each, calls)
        found = interleaved(partial(_all, run_of, self.tasks, self.replicates), works, rounds)
        part = found.pop(PART)["ratio"]
        alone = part if networks else 1 - part
        return [self._row(name, counts[name], apart[name], found[name], alone) for name in found]

    def _row(self, name: str, count: int, apart: float, times: dict[str, float], alone: float) -> dict[str, object]:
        peer, scale = PEERS[name], self.replicates / count
        scaled = {key: value * (1 if key in ("our_seconds", "rounds") else scale) for key, value in times.items()}
        scaling = f"timed on {count} of {self.replicates} runs, scaled" if count < self.replicates else ""
        return {"peer": peer.label, **scaled, "training": scaled["ratio"] / alone,
                "wanted": self.cases[name].wanted, "apart": apart, "agrees": apart <= CLOSE,
                "remark": "; ".join(filter(None, (peer.remark, scaling)))}


def forget() -> None:
    """Nothing is kept from the run before."""
    kept_draws.cache_clear()
    kept_task.cache_clear()
    kept_totals.cache_clear()


def run_of(task: Experiment | NetworkExperiment, replicates: int) -> Run | NetworkRun:
    """Our run of the task, with nothing kept from the one before: what is timed."""
    forget()
    return simulate(task, replicates) if isinstance(task, Experiment) else train(task, replicates, data=regression())


def set_up(task: Experiment, replicates: int) -> None:
    """What our run makes first and the peers are given: the data, their optimum, the rate and the draws."""
    forget()
    absolute_rate(task, build_task(task))
    if not task.full_batch:
        draw_batches(task, task.rows, replicates)


def unrecorded(task: NetworkExperiment, replicates: int) -> None:
    """Our run without the signs and losses of every step, which the peers do not have: draws, steps, checkpoints."""
    with patch.object(training._Worker, "_record", lambda *_: None):
        run_of(task, replicates)


def regression() -> tuple[np.ndarray, np.ndarray]:
    """512 rows of 16 inputs and one output, for the networks."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(512, 16))
    return inputs, np.sin(inputs @ rng.normal(size=16))


def difference(run: Run | NetworkRun, theirs: np.ndarray) -> float:
    """The largest between what the peer gives and the same part of ours; infinite for what is not finite."""
    ours = run.weights[: len(theirs), -theirs.shape[1] :] if isinstance(run, Run) else (
        run.checkpoints[: len(theirs), -1])
    apart = np.abs(ours - theirs).max()
    return float(apart) if np.isfinite(apart) else float("inf")


def _all(work: Callable, tasks: tuple[Experiment | NetworkExperiment, ...], replicates: int) -> None:
    for task in tasks:
        work(task, replicates)


def _call_each(calls: list[Trained]) -> None:
    for call in calls:
        call()


HEAD = ("| peer | its time / ours | training alone | wanted | its time | ours | agrees | |",
        "|---|---|---|---|---|---|---|---|")


def sentences(rows: list[dict[str, object]]) -> list[str]:
    """A table, as Markdown."""
    return [*HEAD, *map(_line, rows)] if rows else ["no peer is installed: pip install -r requirements-bench.txt"]


def _line(row: dict[str, object]) -> str:
    agrees = "yes" if row["agrees"] else f"**no: {row['apart']:.0e} apart**"
    return (f"| {row['peer']} | {figure(row['ratio'])} ({figure(row['lowest'])} to {figure(row['highest'])}) | "
            f"{figure(row['training'])} | {_wanted(row)} | {milliseconds(row['seconds'])} | "
            f"{milliseconds(row['our_seconds'])} | {agrees} | {row['remark']} |")


def _wanted(row: dict[str, object]) -> str:
    if row["wanted"] is None:
        return ""
    if row["ratio"] >= row["wanted"]:
        return f"{row['wanted']:g}"
    return f"{row['wanted']:g}, missed" + " but in training" * (row["training"] >= row["wanted"])


def figure(value: float) -> str:
    """Two significant digits, or all before the decimal point."""
    return f"{value:.2g}" if value < 99.5 else f"{value:,.0f}"


def milliseconds(seconds: float) -> str:
    return f"{figure(1000 * seconds)} ms"
