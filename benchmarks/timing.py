"""Interleaved timing: what is compared takes turns, so that a busy or throttled machine slows both alike."""
import time
from collections.abc import Callable
from statistics import median

BEFORE_AND_AFTER = 4  # calls of the short work on each side of a call of the long one


def seconds(work: Callable[[], object]) -> float:
    """CPU time of this process: what other programs take meanwhile does not count."""
    start = time.process_time()
    work()
    return time.process_time() - start


def ratios(ours: Callable[[], object], peers: dict[str, Callable[[], object]],
           rounds: int) -> dict[str, dict[str, float]]:
    """For each peer the median, over the rounds, of its time / ours, with the extremes and the median times."""
    ours()
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in peers}
    for _ in range(rounds):
        for name, peer in peers.items():
            around = [seconds(ours) for _ in range(BEFORE_AND_AFTER)]
            theirs = seconds(peer)
            around += [seconds(ours) for _ in range(BEFORE_AND_AFTER)]
            taken[name].append((theirs, median(around)))
    return {name: {"ratio": median(their / our for their, our in pairs),
                   "lowest": min(their / our for their, our in pairs),
                   "highest": max(their / our for their, our in pairs),
                   "seconds": median(their for their, _ in pairs),
                   "our_seconds": median(our for _, our in pairs)} for name, pairs in taken.items()}


def ratio_sentences(result: dict[str, dict[str, float]], targets: dict[str, float]) -> list[str]:
    return [f"{name}: {found['ratio']:.0f}x ({found['lowest']:.0f} to {found['highest']:.0f}; "
            f"{1000 * found['seconds']:.0f} ms against {1000 * found['our_seconds']:.1f} ms)"
            + (f", wanted {targets[name]:.0f}x" if name in targets else "") for name, found in result.items()]
