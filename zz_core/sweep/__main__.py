"""python -m zz_core.sweep GRID.json --out results.csv [--store FILE] [--workers N] [--dask tcp://...]"""
import argparse
import csv
import sys
import time
from pathlib import Path
from typing import TextIO

from zz_core.sweep import Grid, predicted, run, table
from zz_core.sweep.grid import MOST_TASKS
from zz_core.sweep.task import Result

OK, FAILED_TASKS, BAD_INPUT, STOPPED = 0, 1, 2, 130
WIDTH = 30  # of the bar
EPILOG = f"""GRID.json: {{"base": {{"dimensions": 8}}, "axes": {{"batch_size": [1, 8, 64],
"learning_rate": {{"from": 0.05, "to": 1, "count": 9, "scale": "log"}}}}, "replicates": 20}}, of at most {MOST_TASKS:,}
combinations. Fields are those of zz_core.Experiment. "-" reads the grid from standard input.

Exit codes: {OK} all tasks done, {FAILED_TASKS} done, but some rows hold a message in the column error, {BAD_INPUT}
nothing run, since something is wrong with the call, {STOPPED} stopped from the keyboard; what was done is written,
and with --store the next call goes on from there."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m zz_core.sweep", description="Run a grid of experiments.",
                                     epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("grid", metavar="GRID.json")
    parser.add_argument("--out", required=True, type=Path, help="the table, one row a combination, as CSV")
    parser.add_argument("--store", type=Path, help="an SQLite file that keeps finished tasks")
    parser.add_argument("--workers", type=int, help="processes (default: one a core); 1 runs all in this one")
    parser.add_argument("--dask", metavar="tcp://...", help="the scheduler of a Dask cluster to run on instead")
    options = parser.parse_args(arguments)
    if options.workers is not None and options.workers < 1:
        parser.error(f"--workers={options.workers}: must be at least 1")
    try:
        text = sys.stdin.read() if options.grid == "-" else Path(options.grid).read_text(encoding="utf-8")
        grid = Grid.from_json(text)
        options.out.touch()  # now, not after an hour
        where = options.dask or ("none" if options.workers == 1 else None)
        return _sweep(grid, where, options)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return BAD_INPUT


def _sweep(grid: Grid, where: str | None, options: argparse.Namespace) -> int:
    found: list[Result] = []
    bar, code = Bar(len(grid), predicted(grid).seconds, sys.stderr), OK
    try:
        for result in run(grid, where, options.store, options.workers):
            found.append(result)
            bar.show(len(found))
    except KeyboardInterrupt:
        code = STOPPED
    bar.close()
    write(table(found), options.out)
    failed = sum(bool(result.error) for result in found)
    if failed:
        print(f"{failed} of {len(found)} tasks failed; see the column error", file=sys.stderr)
    return code or (FAILED_TASKS if failed else OK)


def write(rows: list[dict], file: Path) -> None:
    with file.open("w", newline="", encoding="utf-8") as out:
        if rows:
            writer = csv.DictWriter(out, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


class Bar:
    """How far it is, and how long it will take: by the prediction first, then by what was measured."""

    def __init__(self, total: int, seconds: float, out: TextIO):
        self.total, self.seconds, self.out, self.start = total, seconds, out, time.monotonic()
        self.line = out.isatty()
        self.shown = 0.0
        print(f"{total} tasks, about {seconds:.0f} s on one core", file=out, flush=True)

    def show(self, done: int) -> None:
        now = time.monotonic()
        if now - self.shown < (0.1 if self.line else 10.0) and done < self.total:
            return
        self.shown, share = now, done / max(self.total, 1)
        left = (now - self.start) * (self.total - done) / done
        filled = round(WIDTH * share)
        print(f"{chr(13) * self.line}[{'#' * filled}{'.' * (WIDTH - filled)}] {done}/{self.total}, {left:.0f} s left ",
              end="" if self.line else "\n", file=self.out, flush=True)

    def close(self) -> None:
        if self.line:
            print(file=self.out)


if __name__ == "__main__":
    raise SystemExit(main())
