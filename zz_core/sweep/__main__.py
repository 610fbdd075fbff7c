"""python -m zz_core.sweep GRID.json --out results.csv [--store FILE] [--workers N] [--dask tcp://...]"""
import argparse
import csv
import sqlite3
import sys
import time
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TextIO

from zz_core.sweep import Grid, Result, Store, predicted_tasks, run, table
from zz_core.sweep.grid import MOST_TASKS

OK, FAILED_TASKS, BAD_INPUT, BROKEN_OFF, STOPPED = 0, 1, 2, 3, 130
WIDTH = 30  # of the bar
EPILOG = f"""GRID.json: {{"base": {{"dimensions": 8}}, "axes": {{"batch_size": [1, 8, 64],
"learning_rate": {{"from": 0.05, "to": 1, "count": 9, "scale": "log"}}}}, "replicates": 20}}, of at most {MOST_TASKS:,}
combinations; "dtype": "float32" halves the memory of large ones. Fields are those of zz_core.Experiment. "-" reads the
grid from standard input.

Exit codes: {OK} all tasks done, {FAILED_TASKS} done, but some rows hold a message in the column error, {BAD_INPUT}
nothing run, since something is wrong with the call, {BROKEN_OFF} broken off by what it needs (a full disk, a cluster
that went away), {STOPPED} stopped from the keyboard. After the last two what was done is written, and with --store the
next call goes on from there."""


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
    if options.dask is not None and "://" not in options.dask:
        parser.error(f"--dask={options.dask}: must be an address such as tcp://10.0.0.1:8786")
    if options.dask is not None and options.workers is not None:
        parser.error("--workers: must be left out with --dask, whose workers are the cluster's")
    found: list[Result] = []
    try:
        return _sweep(options, found)
    except (OSError, ValueError, sqlite3.Error) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
    if found:
        write(table(found), options.out)
    return BROKEN_OFF if found else BAD_INPUT


def _sweep(options: argparse.Namespace, found: list[Result]) -> int:
    text = sys.stdin.read() if options.grid == "-" else Path(options.grid).read_text(encoding="utf-8")
    grid, code = Grid.from_json(text), OK
    with options.out.open("a"):
        pass  # now, not after an hour
    with Store(options.store) if options.store else nullcontext() as store:
        where = options.dask or ("none" if options.workers == 1 else None)
        bar = Bar(grid, store, sys.stderr)
        try:
            with closing(run(grid, where, store, options.workers)) as results:
                for result in results:
                    found.append(result)
                    bar.show(len(found))
        except KeyboardInterrupt:
            code = STOPPED
        finally:
            bar.close()
    write(table(found), options.out)
    errors = [result.error for result in sorted(found, key=lambda each: each.task.index) if result.error]
    if errors:
        print(f"{len(errors)} of {len(found)} tasks failed, see the column error; the first: {errors[0]}",
              file=sys.stderr)
    return code or (FAILED_TASKS if errors else OK)


def write(rows: list[dict], file: Path) -> None:
    with file.open("w", newline="", encoding="utf-8") as out:
        if rows:
            writer = csv.DictWriter(out, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


class Bar:
    """How far it is, and how long it will take: by the prediction first, then by what was measured."""

    def __init__(self, grid: Grid, store: Store | None, out: TextIO):
        left = [task for task in grid.tasks() if store is None or store.get(task) is None]
        self.total, self.kept, self.out, self.start = len(grid), len(grid) - len(left), out, time.monotonic()
        self.line = out.isatty()
        self.shown = 0.0
        kept = f", {self.kept} of them kept from before" if self.kept else ""
        seconds = predicted_tasks(left).seconds
        print(f"{self.total} tasks{kept}, about {seconds:.0f} s on one core", file=out, flush=True)

    def show(self, done: int) -> None:
        now = time.monotonic()
        if done <= self.kept < self.total or now - self.shown < (0.1 if self.line else 10.0) and done < self.total:
            return
        self.shown, share = now, done / self.total
        left = (now - self.start) * (self.total - done) / max(done - self.kept, 1)
        filled = round(WIDTH * share)
        print(f"{chr(13) * self.line}[{'#' * filled}{'.' * (WIDTH - filled)}] {done}/{self.total}, {left:.0f} s left ",
              end="" if self.line else "\n", file=self.out, flush=True)

    def close(self) -> None:
        if self.line:
            print(file=self.out)


if __name__ == "__main__":
    raise SystemExit(main())
