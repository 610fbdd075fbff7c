"""python -m zz_core.sweep: what it writes, what it says, and how it ends."""
import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from zz_core import Experiment
from zz_core.sweep import Grid, Store, run, table
from zz_core.sweep import __main__ as command_line
from zz_core.sweep.__main__ import main

ROOT = Path(__file__).parents[1]
GRID = Grid(Experiment(steps=40), {"batch_size": [1, 8], "treatment": ["none", "center"]}, 3)


@pytest.fixture
def grid(tmp_path) -> Path:
    file = tmp_path / "grid.json"
    file.write_text(GRID.to_json())
    return file


def command(*arguments: str | Path, **options) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "zz_core.sweep", *map(str, arguments)], cwd=ROOT, capture_output=True,
                          text=True, timeout=120, **options)


def test_it_writes_the_table_and_shows_how_far_it_is(grid, tmp_path):
    done = command(grid, "--out", tmp_path / "out.csv", "--store", tmp_path / "kept.db")
    assert done.returncode == 0 and done.stdout == ""
    assert done.stderr.startswith("4 tasks, about ") and "4/4" in done.stderr
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    expected = table(run(GRID, "none"))
    assert [{name: str(value) for name, value in row.items()} for row in expected] == rows
    again = command(grid, "--out", tmp_path / "again.csv", "--store", tmp_path / "kept.db")
    assert again.returncode == 0
    assert "4 of them kept" in again.stderr
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "out.csv").read_bytes()


def test_a_grid_may_come_from_standard_input(tmp_path):
    assert command("-", "--out", tmp_path / "out.csv", input=GRID.to_json()).returncode == 0
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 5


def test_failed_tasks_end_it_with_1_and_are_in_the_table(tmp_path):
    (tmp_path / "grid.json").write_text('{"axes": {"batch_size": [1, 400]}, "replicates": 2}')
    done = command(tmp_path / "grid.json", "--out", tmp_path / "out.csv", "--workers", "1")
    assert done.returncode == 1 and "1 of 2 tasks failed" in done.stderr
    assert "batch_size=400" in (tmp_path / "out.csv").read_text()


@pytest.mark.parametrize("text, words", [("{", "must be JSON"), ('{"axes": {"nonsense": [1]}}', "nonsense: must be"),
                                         ('{"axes": {"batch_size": [-1]}}', "batch_size=-1: must be"),
                                         ("\x00\xff", "must be JSON")])
def test_a_bad_grid_ends_it_with_2_and_a_sentence(tmp_path, capsys, text, words):
    (tmp_path / "grid.json").write_text(text, encoding="latin-1")
    assert main([str(tmp_path / "grid.json"), "--out", str(tmp_path / "out.csv")]) == 2
    error = capsys.readouterr().err
    assert words in error or "decode" in error
    assert "Traceback" not in error and not (tmp_path / "out.csv").exists()


def test_files_that_cannot_be_read_or_written_are_named(grid, tmp_path, capsys):
    assert main([str(tmp_path / "none.json"), "--out", str(tmp_path / "out.csv")]) == 2
    assert "none.json" in capsys.readouterr().err
    assert main([str(grid), "--out", str(tmp_path / "nowhere" / "out.csv")]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_bad_options_are_refused_and_help_says_the_exit_codes():
    assert command("x.json").returncode == 2
    assert "must be at least 1" in command("x.json", "--out", "y.csv", "--workers", "0").stderr
    with pytest.raises(SystemExit, match="2"):
        main(["x.json", "--out", "y.csv", "--dask", "somewhere"])
    with pytest.raises(SystemExit, match="2"):
        main(["x.json", "--out", "y.csv", "--dask", "tcp://127.0.0.1:1", "--workers", "2"])
    helped = command("--help")
    assert helped.returncode == 0 and "130 stopped from the keyboard" in helped.stdout


def test_what_breaks_off_in_the_middle_ends_it_with_3_and_keeps_the_rows(grid, tmp_path, monkeypatch, capsys):
    def breaking(*arguments):
        yield from list(run(GRID, "none"))[:2]
        raise sqlite3.OperationalError("disk is full")

    monkeypatch.setattr(command_line, "run", breaking)
    assert main([str(grid), "--out", str(tmp_path / "out.csv")]) == 3
    assert "disk is full" in capsys.readouterr().err
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 3


LONG = {"base": {"steps": 20000}, "axes": {"seed": list(range(200))}, "replicates": 10}


def going(tmp_path: Path, workers: int) -> tuple[subprocess.Popen, Path]:
    """A long sweep in a session of its own that has done two tasks at least, and its store."""
    file, store = tmp_path / "grid.json", tmp_path / "kept.db"
    file.write_text(json.dumps(LONG))
    process = subprocess.Popen([sys.executable, "-m", "zz_core.sweep", str(file), "--out", str(tmp_path / "out.csv"),
                                "--store", str(store), "--workers", str(workers)], cwd=ROOT, stderr=subprocess.PIPE,
                               text=True, start_new_session=True)
    wait_until(lambda: kept(store) >= 2)
    return process, store


def wait_until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(session: int) -> list[str]:
    """Commands of the processes of a session that still run."""
    lines = os.popen(f"ps -o stat=,args= -s {session}").read().splitlines()
    return [line for line in lines if not line.startswith("Z")]


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_sweep_stopped_from_the_keyboard_keeps_what_was_done(tmp_path, workers):
    """Ctrl-C reaches all processes of a terminal."""
    process, store = going(tmp_path, workers)
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in error, error
    rows = (tmp_path / "out.csv").read_text().splitlines()
    assert 2 <= len(rows) - 1 <= kept(store) < 200
    wait_until(lambda: not alive(process.pid))


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_killed_sweep_keeps_what_was_done_and_takes_its_workers_with_it(tmp_path):
    process, store = going(tmp_path, 2)
    assert len(alive(process.pid)) >= 3
    process.kill()
    process.communicate(timeout=60)
    wait_until(lambda: not alive(process.pid))
    done = kept(store)
    assert 2 <= done < 200
    grid = Grid.from_json(json.dumps(LONG))
    with Store(store) as opened:
        assert sum(opened.get(task) is not None for task in grid.tasks()) == done


def kept(store: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
            return connection.execute("SELECT COUNT(*) FROM results").fetchone()[0]
    except sqlite3.OperationalError:  # not made yet
        return 0
