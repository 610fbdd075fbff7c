"""Finished tasks in a local SQLite file, so that a sweep that was stopped goes on where it was."""
import json
import sqlite3
from pathlib import Path

import zz_core
from zz_core.sweep.task import Result, Task


class Store:
    """A result is there or it is not: each is a transaction of its own, so a killed process loses none.

    Keys hold the whole experiment, the number of seeds, the precision and the core's version: what another version
    computed is computed again. Failed tasks are not kept. ValueError where the file is no such store.
    """

    def __init__(self, file: str | Path):
        self.version = zz_core.__version__
        try:
            self.connection = sqlite3.connect(file, timeout=30.0, check_same_thread=False)
        except sqlite3.Error as error:
            raise ValueError(f"store={file}: must be a file that can be written; {error}") from None
        try:
            self.connection.execute("CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
            self.connection.commit()
            self.connection.execute("SELECT key, value FROM results LIMIT 1")
            # a log beside the file, 10 times faster than waiting for the disk at every result, and as safe
            # from a killed process; where the file system has none, SQLite keeps the slow way by itself
            self.connection.execute("PRAGMA journal_mode=WAL")
            self.connection.execute("PRAGMA synchronous=NORMAL")
        except sqlite3.DatabaseError as error:
            self.connection.close()
            raise ValueError(f"store={file}: must be a file of finished tasks, or a new one; {error}") from None

    def get(self, task: Task) -> Result | None:
        row = self.connection.execute("SELECT value FROM results WHERE key = ?",
                                      (task.key(self.version),)).fetchone()
        if row is None:
            return None
        found = json.loads(row[0])
        return Result(task, found["values"], found["facts"])

    def put(self, result: Result) -> None:
        if result.error:
            return
        value = json.dumps({"values": result.values, "facts": result.facts})
        with self.connection:
            self.connection.execute("INSERT OR REPLACE INTO results VALUES (?, ?)",
                                    (result.task.key(self.version), value))

    def __len__(self) -> int:
        return self.connection.execute("SELECT COUNT(*) FROM results").fetchone()[0]

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()
