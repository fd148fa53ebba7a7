"""sqlite_source: databases that a living process works with, in both journal modes."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from icc_store.fs.sqlite_source import NoLongerInUse, change_key, companions, consistent_copy, in_use, is_sqlite
from tests.fs.conftest import Place

NAME = b"with space %41?#.db"
TIMEOUT = 20.0

_USER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode=" + sys.argv[2])
connection.execute("CREATE TABLE IF NOT EXISTS facts (fact)")
print("ready", flush=True)
for statement in sys.stdin:
    connection.execute(statement)
    print("done", flush=True)
"""


class User:
    """A process that has a database open and does what it is told."""

    def __init__(self, path: str, mode: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _USER, path, mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._expect("ready\n")

    def run(self, statement: str) -> None:
        stream = self._stream(self.process.stdin)
        stream.write(statement + "\n")
        stream.flush()
        self._expect("done\n")

    def _expect(self, line: str) -> None:
        assert self._stream(self.process.stdout).readline() == line

    def end(self, *, kill: bool = False) -> None:
        if kill:
            self.process.kill()
        self._stream(self.process.stdin).close()
        self.process.wait(30)
        self._stream(self.process.stdout).close()

    @staticmethod
    def _stream(stream: IO[str] | None) -> IO[str]:
        assert stream is not None
        return stream


Start = Callable[[str], User]


@pytest.fixture
def start(place: Place) -> Iterator[Start]:
    """Starts a process that uses the database NAME in the given journal mode."""
    users: list[User] = []

    def begin(mode: str) -> User:
        users.append(User(os.fsdecode(os.fsencode(place.path) + b"/" + NAME), mode))
        return users[-1]

    yield begin
    for user in users:
        if user.process.poll() is None:
            user.end(kill=True)


def facts(copy: IO[bytes], directory: Path) -> list[str]:
    """What a database holds, read by SQLite from a file of its own."""
    with copy:
        (directory / "read.db").write_bytes(copy.read())
    connection = sqlite3.connect(directory / "read.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    found = [fact for (fact,) in connection.execute("SELECT fact FROM facts")]
    connection.close()
    return found


def test_recognised_by_its_head(place: Place) -> None:
    """A database begins with SQLite's magic; an empty file and a text about SQLite are none."""
    connection = sqlite3.connect(place.path / "x")
    connection.execute("CREATE TABLE t (a)")
    connection.close()
    assert is_sqlite((place.path / "x").read_bytes()[:16])
    assert not is_sqlite(b"")
    assert not is_sqlite(b"SQLite format 3 is a file format")
    assert companions(b"x") == (b"x-wal", b"x-journal", b"x-shm")


def test_a_log_alone_changes_the_key(place: Place, start: Start) -> None:
    """A commit that only the write-ahead log knows of changes the key; looking does not."""
    user = start("wal")
    user.run("INSERT INTO facts VALUES ('one')")
    main = place.lstat(NAME)
    key = change_key(place.fd, NAME, main)
    assert 0 <= key < 1 << 63
    assert change_key(place.fd, NAME, main) == key
    user.run("INSERT INTO facts VALUES ('two')")
    assert place.lstat(NAME).st_mtime_ns == main.st_mtime_ns
    assert change_key(place.fd, NAME, place.lstat(NAME)) != key


def test_wal_mode(place: Place, start: Start, tmp_path: Path) -> None:
    """While a process has it open, a copy holds all that is committed and nothing else, and no file comes or goes."""
    user = start("wal")
    user.run("INSERT INTO facts VALUES ('one')")
    user.run("BEGIN IMMEDIATE")
    user.run("INSERT INTO facts VALUES ('not committed')")
    names = place.names()
    main = place.lstat(NAME)
    assert in_use(place.fd, NAME)
    copy = consistent_copy(place.fd, NAME, temp_dir=tmp_path, timeout=TIMEOUT)
    assert facts(copy, tmp_path) == ["one"]
    assert place.names() == names
    assert place.lstat(NAME).st_mtime_ns == main.st_mtime_ns
    user.run("COMMIT")
    copy = consistent_copy(place.fd, NAME, temp_dir=tmp_path, timeout=TIMEOUT)
    assert facts(copy, tmp_path) == ["one", "not committed"]


def test_after_the_last_user(place: Place, start: Start, tmp_path: Path) -> None:
    """A WAL database that nobody uses is not opened, so no log and no shared memory appear beside it."""
    start("wal").end()
    before = place.names()
    assert before == [os.fsdecode(NAME)]
    assert not in_use(place.fd, NAME)
    with pytest.raises(NoLongerInUse):
        consistent_copy(place.fd, NAME, temp_dir=tmp_path, timeout=TIMEOUT)
    assert place.names() == before


def test_after_a_crash(place: Place, start: Start, tmp_path: Path) -> None:
    """What a killed process left is in use by nobody: the files stored byte for byte make the whole database."""
    user = start("wal")
    user.run("INSERT INTO facts VALUES ('in the log only')")
    user.end(kill=True)
    assert not in_use(place.fd, NAME)
    stored = {name: (place.path / name).read_bytes() for name in place.names()}
    assert os.fsdecode(NAME) + "-wal" in stored
    for name, data in stored.items():
        (tmp_path / name).write_bytes(data)
    connection = sqlite3.connect(tmp_path / os.fsdecode(NAME))
    assert connection.execute("SELECT fact FROM facts").fetchall() == [("in the log only",)]
    connection.close()


@pytest.mark.parametrize("mode", ["delete", "truncate"])
def test_rollback_mode(place: Place, start: Start, tmp_path: Path, mode: str) -> None:
    """A database with a rollback journal is in use during transactions only; a copy has what was committed before."""
    user = start(mode)
    user.run("INSERT INTO facts VALUES ('one')")
    assert not in_use(place.fd, NAME)
    user.run("BEGIN IMMEDIATE")
    user.run("INSERT INTO facts VALUES ('not committed')")
    assert in_use(place.fd, NAME)
    names = place.names()
    copy = consistent_copy(place.fd, NAME, temp_dir=tmp_path, timeout=TIMEOUT)
    assert facts(copy, tmp_path) == ["one"]
    assert place.names() == names
    user.run("COMMIT")
    assert not in_use(place.fd, NAME)


def test_waiting_ends(place: Place, start: Start, tmp_path: Path) -> None:
    """A database that is held exclusively is given up after the time limit; nothing temporary stays."""
    user = start("delete")
    user.run("BEGIN EXCLUSIVE")
    before = time.monotonic()
    with pytest.raises(TimeoutError) as caught:
        consistent_copy(place.fd, NAME, temp_dir=tmp_path, timeout=0.3)
    assert time.monotonic() - before < 10
    assert caught.value.filename == NAME
    assert sorted(os.listdir(tmp_path)) == ["place"]


def test_the_copy_has_no_name(place: Place, start: Start, tmp_path: Path) -> None:
    """The copy can be read by whoever asked for it and by nobody else: no name leads to it any more."""
    start("wal")
    with consistent_copy(place.fd, NAME, temp_dir=tmp_path, timeout=TIMEOUT) as copy:
        assert os.fstat(copy.fileno()).st_nlink == 0
        assert is_sqlite(copy.read(16))
    assert sorted(os.listdir(tmp_path)) == ["place"]


def test_what_sqlite_cannot_read(place: Place, tmp_path: Path) -> None:
    """A file that only begins like a database, a missing one and a symbolic link are each an OSError with a reason."""
    (place.path / "fake").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    (place.path / "link").symlink_to("fake")
    for name in (b"fake", b"gone", b"link"):
        with pytest.raises(OSError, match="SQLite cannot copy it"):
            consistent_copy(place.fd, name, temp_dir=tmp_path, timeout=TIMEOUT)
    with pytest.raises(FileNotFoundError):
        in_use(place.fd, b"gone")
    assert not in_use(place.fd, b"fake")
