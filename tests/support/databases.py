"""SQLite databases, and processes that use them: a process that reads such a file itself loses its locks on it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_USER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("begin immediate" if sys.argv[2] == "transaction" else "insert into t values (2)")
print("ready", flush=True)
sys.stdin.read()
"""


def make_database(path: Path, *, wal: bool) -> None:
    """A database with one row in a table, that nobody uses."""
    path.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("create table t (x)")
    database.execute("insert into t values (1)")
    if wal:
        database.execute("pragma journal_mode=wal")
    database.close()


@contextmanager
def used_database(path: Path, how: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has the database open: in a write transaction, or after one, in WAL mode."""
    command = [sys.executable, "-c", _USER, str(path), how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.communicate()
