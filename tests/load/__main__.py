"""The dashboard under load, beside an empty app: python -m tests.load --help"""
import argparse
import asyncio
import tempfile
from pathlib import Path

from tests.load.crowds import THINKING, Crowd, crowd, first_visits, soak, warm
from tests.servers import serving

EMPTY = Path(__file__).with_name("empty_app.py")

ROW = "{:>8} {:>5} {:>11} {:>11} {:>11} {:>11} {:>7} {:>8} {:>8} {:>8} {:>7}"
HEADS = ROW.format("app", "N", "first p50", "first p95", "change p50", "change p95", "errors", "MiB", "MiB each",
                   "KiB sent", "CPU ms")


def line(name: str, found: Crowd) -> str:
    first, changes = ([f"{1000 * found.percentile(share, what):.0f} ms" for share in (50, 95)]
                      for what in ("first", "changes"))
    sent = sum(found.bytes) / max(1, len(found.bytes)) / 1024
    return ROW.format(name, found.size, *first, *changes, len(found.errors), f"{found.memory:.0f}",
                      f"{found.each:.2f}", f"{sent:.0f}", f"{1000 * found.cpu:.0f}")


def main(asked: argparse.Namespace, folder: Path) -> None:
    with serving(folder / "dashboard.log") as dashboard, serving(folder / "empty.log", EMPTY) as empty:
        asyncio.run(warm(dashboard))
        asyncio.run(warm(empty, ("",)))
        if asked.sessions:
            print(HEADS, flush=True)
        for size in asked.sessions:
            for name, server, pages in (("empty", empty, ("",)), ("zig-zag", dashboard, tuple(asked.pages))):
                found = asyncio.run(crowd(server, size, asked.seconds, pages or ("",), asked.thinking))
                print(line(name, found), *found.errors[:3], sep="\n  ", flush=True)
        if asked.first:
            found = asyncio.run(first_visits(dashboard, asked.first))
            print(f"{asked.first} first visits at once: {len(found.first)} served, {len(found.errors)} errors, "
                  f"p50 {found.percentile(50, 'first'):.1f} s, p95 {found.percentile(95, 'first'):.1f} s, "
                  f"{found.memory:.0f} MiB", *found.errors[:3], sep="\n  ", flush=True)
        if asked.soak:
            memory = asyncio.run(soak(dashboard, asked.soak, asked.soak_sessions))
            early = next(mib for second, mib in memory if second >= min(60.0, asked.soak / 2))
            print(f"Soak of {asked.soak:.0f} s, {asked.soak_sessions} sessions at a time: {early:.0f} MiB after the "
                  f"first minute, {memory[-1][1]:.0f} at the end ({100 * (memory[-1][1] / early - 1):+.1f} %), "
                  f"{max(mib for _, mib in memory):.0f} at most")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--sessions", type=int, nargs="*", default=[1, 10, 50, 100, 200], help="sizes of the crowd")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each crowd plays")
    parser.add_argument("--thinking", type=float, default=THINKING, help="seconds between a visitor's changes")
    parser.add_argument("--pages", nargs="*", default=["", "trajectories", "gradient-signs", "batch-averaging",
                                                       "gallery"], help="paths of the pages that are visited")
    parser.add_argument("--first", type=int, default=200, help="first visits at once; 0 leaves them out")
    parser.add_argument("--soak", type=float, default=0.0, help="seconds of sessions that come and go")
    parser.add_argument("--soak-sessions", type=int, default=50)
    with tempfile.TemporaryDirectory() as scratch:
        main(parser.parse_args(), Path(scratch))
