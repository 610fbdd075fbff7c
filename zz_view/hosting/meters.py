"""What the server does, in numbers without names: counts and times, shown with Streamlit's own at /_stcore/metrics."""
import math
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)  # seconds
HELP = {
    "zigzag_rerun_seconds": "Time of a run of a page's script, by page.",
    "zigzag_turn_wait_seconds": "Time that a page's script waited for those before it.",
    "zigzag_simulation_seconds": "Time of a simulation that no cache held.",
    "zigzag_heavy_wait_seconds": "Time that heavy work waited for its place.",
    "zigzag_heavy_run_seconds": "Time that heavy work took, by kind.",
    "zigzag_heavy_refused": "Heavy work refused because the queue was full.",
    "zigzag_script_errors": "Runs of a page that ended in an error.",
    "zigzag_heavy_running": "Heavy work that runs now.",
    "zigzag_heavy_waiting": "Heavy work that waits now.",
    "zigzag_upload_bytes": "Bytes of uploads that are held or under way.",
    "zigzag_uploads_refused": "Uploads refused because there was no room for them.",
    "zigzag_cache_bytes": "Bytes that a cache of results holds.",
}
Labels = tuple[tuple[str, str], ...]


class Meters:
    """Counters, histograms of seconds, and gauges that are asked for when they are read; safe between threads."""

    def __init__(self):
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, Labels], int] = {}
        self._times: dict[tuple[str, Labels], tuple[list[int], float]] = {}  # a count for each bucket, and the sum
        self._gauges: dict[tuple[str, Labels], Callable[[], float]] = {}

    def count(self, name: str, **labels: str) -> None:
        key = name, tuple(labels.items())
        with self._lock:
            self._counts[key] = self._counts.get(key, 0) + 1

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        key = name, tuple(labels.items())
        with self._lock:
            buckets, total = self._times.get(key) or ([0] * (len(BOUNDS) + 1), 0.0)
            buckets[bisect_left(BOUNDS, seconds)] += 1
            self._times[key] = buckets, total + seconds

    def gauge(self, name: str, read: Callable[[], float], **labels: str) -> None:
        with self._lock:
            self._gauges[name, tuple(labels.items())] = read

    @property
    def stats_families(self) -> Sequence[str]:
        """What Streamlit asks a provider of figures for: all names that there may be."""
        return list(HELP)

    def get_stats(self, family_names: Sequence[str] | None = None) -> Mapping[str, Sequence[object]]:
        """Streamlit's own records, by family."""
        from streamlit.runtime.stats import CounterStat, GaugeStat, HistogramStat

        with self._lock:
            counts, gauges = dict(self._counts), dict(self._gauges)
            times = {key: (list(buckets), total) for key, (buckets, total) in self._times.items()}
        found: dict[str, list[object]] = {}
        for (name, labels), value in counts.items():
            found.setdefault(name, []).append(CounterStat(name, value, dict(labels), "", HELP[name]))
        for (name, labels), read in gauges.items():
            found.setdefault(name, []).append(GaugeStat(name, int(read()), dict(labels), "", HELP[name]))
        for (name, labels), (buckets, total) in times.items():
            running = [sum(buckets[:k + 1]) for k in range(len(buckets))]
            found.setdefault(name, []).append(HistogramStat(
                name, tuple(zip((*BOUNDS, math.inf), running, strict=True)), total, running[-1], dict(labels),
                "seconds", HELP[name]))
        return {name: stats for name, stats in found.items() if family_names is None or name in family_names}


METERS = Meters()
count, gauge = METERS.count, METERS.gauge


@contextmanager
def timed(name: str, **labels: str) -> Iterator[dict[str, str]]:
    """Observe how long the block takes, however it ends; it may add labels that it learns."""
    started = time.perf_counter()
    try:
        yield labels
    finally:
        METERS.observe(name, time.perf_counter() - started, **labels)
