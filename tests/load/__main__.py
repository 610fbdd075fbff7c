"""The dashboard under load, beside an empty app: python -m tests.load --help"""
import argparse
import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.deploy.cluster import running
from tests.load.crowds import THINKING, Crowd, Served, crowd, first_visits, soak, warm
from tests.servers import ROOT, serving

EMPTY = Path(__file__).with_name("empty_app.py")

ROW = "{:>8} {:>5} {:>10} {:>10} {:>11} {:>11} {:>11} {:>10} {:>7} {:>7} {:>9} {:>9} {:>7}"
HEADS = ROW.format("app", "N", "first p50", "first p95", "change p50", "change p95", "change max", "changes/s",
                   "errors", "MiB", "MiB each", "KiB sent", "CPU ms")


def line(name: str, found: Crowd) -> str:
    first, changes = ([f"{1000 * found.percentile(share, what):.0f} ms" for share in shares]
                      for what, shares in (("first", (50, 95)), ("changes", (50, 95, 100))))
    sent = sum(found.bytes) / max(1, len(found.bytes)) / 1024
    return ROW.format(name, found.size, *first, *changes, f"{found.rate:.2f}", len(found.errors),
                      f"{found.memory:.0f}", f"{found.each:.2f}", f"{sent:.0f}", f"{1000 * found.cpu:.0f}")


def spread(found: Crowd) -> list[str]:
    """How many sessions each replica got, where there are several."""
    counts = sorted(found.replicas.items())
    return [f"sessions of each replica: {', '.join(f'{port}: {count}' for port, count in counts)}"] if counts else []


@contextmanager
def served(folder: Path, replicas: int, script: Path) -> Iterator[Served]:
    """One process, or several behind nginx."""
    if replicas == 1:
        with serving(folder.with_suffix(".log"), script) as server:
            yield server
    else:
        with running(folder, replicas, script) as cluster:
            yield cluster


def main(asked: argparse.Namespace, folder: Path) -> None:
    with (served(folder / "dashboard", asked.replicas, ROOT / "dashboard.py") as dashboard,
          served(folder / "empty", asked.replicas, EMPTY) as empty):
        asyncio.run(warm(dashboard))
        asyncio.run(warm(empty, ("",)))
        pages = tuple(asked.pages or ("",))
        if asked.sessions:
            print(f"Processes of each app: {asked.replicas}", HEADS, sep="\n", flush=True)
        for size in asked.sessions:
            for name, server, visited in (("empty", empty, ("",)), ("zig-zag", dashboard, pages)):
                found = asyncio.run(crowd(server, size, asked.seconds, visited, asked.thinking))
                print(line(name, found), *spread(found), *found.errors[:3], sep="\n  ", flush=True)
        for size in asked.sessions if asked.heavy else ():
            found = asyncio.run(crowd(dashboard, size, asked.seconds, pages, asked.thinking, heavy=asked.heavy))
            print(line(f"+{asked.heavy} heavy", found), *spread(found),
                  f"heavy pages that came: {len(found.heavy)}, the slowest after {max(found.heavy, default=0):.0f} s",
                  *found.errors[:3], sep="\n  ", flush=True)
        if asked.first:
            found = asyncio.run(first_visits(dashboard, asked.first))
            print(f"{asked.first} first visits at once: {len(found.first)} served, {len(found.errors)} errors, "
                  f"p50 {found.percentile(50, 'first'):.1f} s, p95 {found.percentile(95, 'first'):.1f} s, "
                  f"{found.memory:.0f} MiB", *spread(found), *found.errors[:3], sep="\n  ", flush=True)
        if asked.soak:
            memory = asyncio.run(soak(dashboard, asked.soak, asked.soak_sessions))
            early = next(mib for second, mib in memory if second >= min(60.0, asked.soak / 2))
            print(f"Soak of {asked.soak:.0f} s, {asked.soak_sessions} sessions at a time: {early:.0f} MiB after the "
                  f"first minute, {memory[-1][1]:.0f} at the end ({100 * (memory[-1][1] / early - 1):+.1f} %), "
                  f"{max(mib for _, mib in memory):.0f} at most")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--replicas", type=int, default=1, help="processes of each app; several are behind nginx")
    parser.add_argument("--sessions", type=int, nargs="*", default=[1, 10, 50, 100, 200], help="sizes of the crowd")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each crowd plays")
    parser.add_argument("--thinking", type=float, default=THINKING, help="seconds between a visitor's changes")
    parser.add_argument("--heavy", type=int, default=0, help="visitors who open heavy pages again and again while the "
                                                             "crowds, once more, play")
    parser.add_argument("--pages", nargs="*", default=["", "trajectories", "gradient-signs", "batch-averaging",
                                                       "gallery"], help="paths of the pages that are visited")
    parser.add_argument("--first", type=int, default=200, help="first visits at once; 0 leaves them out")
    parser.add_argument("--soak", type=float, default=0.0, help="seconds of sessions that come and go")
    parser.add_argument("--soak-sessions", type=int, default=50)
    with tempfile.TemporaryDirectory() as scratch:
        main(parser.parse_args(), Path(scratch))
