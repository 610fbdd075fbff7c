"""Interleaved timing: what is compared takes turns, so that a busy or throttled machine slows both alike."""
import time
from collections.abc import Callable, Mapping
from statistics import median

ENOUGH = 0.03  # seconds: what takes less is repeated
MOST = 15  # repetitions of it
LONG, FEWEST = 15.0, 3  # seconds after which no further round is begun, but for the first three


def seconds(work: Callable[[], object]) -> float:
    """CPU time of this process: what other programs take meanwhile does not count."""
    start = time.process_time()
    work()
    return time.process_time() - start


def typical(work: Callable[[], object]) -> float:
    """The median of a few calls; a long one is called once."""
    taken = [seconds(work)]
    while sum(taken) < ENOUGH and len(taken) < MOST:
        taken.append(seconds(work))
    return median(taken)


def interleaved(ours: Callable[[], object], peers: Mapping[str, Callable[[], object]],
                rounds: int) -> dict[str, dict[str, float]]:
    """Each peer's time / ours: the median of the rounds and the extremes, with the median times.

    Each call of a peer stands between two of ours, whose mean it is compared with. There are fewer rounds where they
    take long.
    """
    ours()
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in peers}
    start = time.perf_counter()
    for done in range(rounds):
        if done >= FEWEST and time.perf_counter() - start > LONG:
            break
        before = typical(ours)
        for name, peer in peers.items():
            theirs, after = typical(peer), typical(ours)
            taken[name].append((theirs, (before + after) / 2))
            before = after
    return {name: _summary(pairs) for name, pairs in taken.items()}


def _summary(pairs: list[tuple[float, float]]) -> dict[str, float]:
    ratios = [theirs / ours for theirs, ours in pairs]
    return {"ratio": median(ratios), "lowest": min(ratios), "highest": max(ratios),
            "seconds": median(theirs for theirs, _ in pairs), "our_seconds": median(ours for _, ours in pairs),
            "rounds": len(pairs)}


def in_turn(works: Mapping[object, Callable[[], object]], rounds: int) -> dict[object, list[float]]:
    """The seconds of each of them, round by round."""
    taken: dict[object, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            taken[name].append(typical(work))
    return taken
