"""A sweep in two processes against the same sweep in one. Wall time: processes are there to be awaited."""
import os
import time
from math import nan
from statistics import median

from zz_core import Experiment
from zz_core.sweep import Grid, predicted, run, table

WORKERS, ROUNDS, WANTED = 2, 5, 0.65
LEAST = 10.0  # seconds that it takes in one process
GRID = Grid(Experiment(dimensions=16, steps=1000), {
    "batch_size": [1, 2, 4, 8, 16, 32, 64, 128, 256], "treatment": ["none", "center"],
    "learning_rate": [0.05, 0.1, 0.2, 0.4, 0.8]}, 50)
WORK = f"{len(GRID)} tasks of {GRID.replicates} seeds: seconds in {WORKERS} processes / in one"


def measure(rounds: int) -> dict[str, float]:
    """In turn, one process first and last: each sweep in two stands between two in one, whose mean it is compared with.

    cpu: the processor time of both processes and what starts and feeds them, divided among them, over that of one: the
    ratio to expect where nothing else runs.
    """
    alone, expected = timed("none")
    pairs = []
    for _ in range(min(rounds, ROUNDS)):
        shared, rows = timed("processes")
        assert repr(rows) == repr(expected), "the tables differ"
        after, _ = timed("none")
        pairs.append((shared, [(one + other) / 2 for one, other in zip(alone, after, strict=True)]))
        alone = after
    ratios = [shared[0] / one[0] for shared, one in pairs]
    return {"ratio": median(ratios), "lowest": min(ratios), "highest": max(ratios),
            "cpu": median(shared[1] / WORKERS / one[1] if one[1] else nan for shared, one in pairs),  # ticks of 10 ms
            "seconds": median(one[0] for _, one in pairs), "predicted": predicted(GRID).seconds, "rounds": len(pairs)}


def timed(where: str) -> tuple[tuple[float, float], list[dict]]:
    """(wall seconds, processor seconds of this process and of the workers it has ended), the table."""
    start, before = time.perf_counter(), os.times()
    rows = table(run(GRID, where, workers=WORKERS))
    wall, now = time.perf_counter() - start, os.times()
    return (wall, sum(now[:4]) - sum(before[:4])), rows


def sentences(result: dict[str, float]) -> list[str]:
    short = "" if result["seconds"] >= LEAST else f", less than the {LEAST:.0f} s it is meant to take"
    return [f"ratio {result['ratio']:.2f} ({result['lowest']:.2f} to {result['highest']:.2f} in {result['rounds']} "
            f"rounds), wanted at most {WANTED}; by processor time {result['cpu']:.2f}",
            f"one process takes {result['seconds']:.1f} s{short}; predicted {result['predicted']:.1f} s"]
