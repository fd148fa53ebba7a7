"""Databases and files that somebody is writing to while they are backed up."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from icc_store.fs.live_copies import SqliteCopies
from icc_store.limits import RACY_NS
from icc_store.model.entry import FLAG_CHANGED_WHILE_READ, FLAG_SQLITE_COPY, FLAGS
from icc_store.model.repository import Repository
from icc_store.model.tree import ends_part
from icc_store.model.walk import lookup
from icc_store.monitor import Monitor
from icc_store.opening import create_repository, open_repository
from icc_store.operations.snapshot import take_snapshot
from icc_store.operations.snapshot_options import SnapshotOptions
from tests.support.live import contents, fill, names, new_clock, on_disk, shoot, snap
from tests.support.shelf import noise

_WRITER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA journal_mode=WAL")
db.execute("PRAGMA wal_autocheckpoint=20")
db.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER, twin INTEGER, text TEXT)")
number = 0
while True:
    db.execute("BEGIN IMMEDIATE")
    for _ in range(10):
        number += 1
        db.execute("INSERT INTO t VALUES (?, ?, ?)", (number, number, "x" * 300))
    db.execute("COMMIT")
    if number == 100:
        print("writing", flush=True)
"""


_ON_REQUEST = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA journal_mode=WAL")
db.execute("PRAGMA wal_autocheckpoint=0")
db.execute("CREATE TABLE t (n INTEGER, twin INTEGER)")
number = 0
for _ in sys.stdin:
    db.execute("BEGIN IMMEDIATE")
    for _ in range(10):
        number += 1
        db.execute("INSERT INTO t VALUES (?, ?)", (number, number))
    db.execute("COMMIT")
    print(number, flush=True)
"""


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    create_repository(tmp_path / "repository")
    with open_repository(tmp_path / "repository", clock=new_clock()) as opened:
        yield opened


@contextmanager
def writer(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that keeps adding ten rows at a time to a database in WAL mode."""
    with subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        try:
            yield process
        finally:
            process.kill()


def rows_in(data: bytes, where: Path) -> int:
    """How many rows a stored database has, all of whose transactions must be whole."""
    where.write_bytes(data)
    with closing(sqlite3.connect(where)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        count, highest, twins = database.execute("SELECT count(*), max(n), sum(n = twin) FROM t").fetchone()
    assert count == highest == twins
    assert count % 10 == 0
    where.unlink()
    return int(count)


def test_a_database_in_use(repository: Repository, tmp_path: Path) -> None:
    """Of a database that somebody writes to, each snapshot has a consistent state, later than the one before."""
    top = tmp_path / "top"
    fill(top, {"beside": b"1", "d/x": b"2"})
    counts = []
    with writer(top / "memory.db"):
        for round_ in range(4):
            taken = snap(repository, top)
            found = contents(repository, taken)
            assert sorted(found) == ["beside", "d/x", "memory.db"]
            entry = lookup(repository.objects, taken.record, b"memory.db").entry
            assert entry.to_wire()[FLAGS] == FLAG_SQLITE_COPY
            counts.append(rows_in(found["memory.db"], tmp_path / f"copy {round_}.db"))
            time.sleep(0.1)
    assert counts == sorted(set(counts))
    assert sorted(path.name for path in top.iterdir()) == ["beside", "d", "memory.db", "memory.db-shm", "memory.db-wal"]
    assert not list(repository.path.glob(".icc-sqlite*"))


def _at_the_end_of_a_part(top: Path) -> str:
    """A name for a database that ends the first part of a large directory, so that its log begins the next."""
    for number in range(700):
        if not ends_part(b"a%04d" % number, 600):
            (top / f"a{number:04}").write_bytes(b"1")
    return next(f"m{number}.db" for number in range(10**6) if ends_part(b"m%d.db" % number, 600))


@contextmanager
def _on_request(database: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has a new database open and adds ten rows whenever `_commits` says so."""
    command = [sys.executable, "-c", _ON_REQUEST, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _commits(user: subprocess.Popen[str]) -> int:
    """Have ten more rows committed. Returns how many there are."""
    assert user.stdin is not None
    assert user.stdout is not None
    user.stdin.write("more\n")
    user.stdin.flush()
    return int(user.stdout.readline())


@pytest.mark.parametrize("in_many", [False, True])
def test_commits_that_only_the_log_has(repository: Repository, tmp_path: Path, in_many: bool) -> None:
    """What was committed before a snapshot is in it, also where it changed nothing but the log.

    In a large directory too, where the database ends one part of the tree and its companions begin the next.
    """
    top = tmp_path / "top"
    top.mkdir()
    name = _at_the_end_of_a_part(top) if in_many else "memory.db"
    with _on_request(top / name) as user:
        for round_ in range(4):
            assert _commits(user) == 10 * (round_ + 1)
            main = (top / name).stat()
            for _ in range(2):
                found = contents(repository, snap(repository, top))
                assert rows_in(found[name], tmp_path / f"copy {round_}.db") == 10 * (round_ + 1)
                assert not any(each.startswith(name + "-") for each in found)
            assert (top / name).stat() == main


def test_commits_that_only_the_log_has_after_quiet_days(repository: Repository, tmp_path: Path) -> None:
    """A database at the end of one part, its log in the next: found at the second look at the directory.

    What the first look left for the next snapshot would be the main file alone. It must not be taken for it when that
    has long been as it is, and a snapshot in between found nothing changed.
    """
    top = tmp_path / "top"
    top.mkdir()
    name = _at_the_end_of_a_part(top)
    with _on_request(top / name) as user:
        for round_ in range(3):
            assert _commits(user) == 10 * (round_ + 1)
            time.sleep(0 if round_ else RACY_NS / 1e9 + 0.1)
            for _ in range(2):
                found = contents(repository, snap(repository, top))
                assert rows_in(found[name], tmp_path / f"copy {round_}.db") == 10 * (round_ + 1)


def test_a_user_that_dies_between_two_looks(repository: Repository, tmp_path: Path) -> None:
    """The log was left out for the sake of a copy, and then nobody was there to copy for: so it is stored itself."""
    top = tmp_path / "top"
    top.mkdir()
    name = _at_the_end_of_a_part(top)
    with _on_request(top / name) as user:

        class EndsIt(Monitor):
            """Ends the user of the database when its log was met."""

            def advance(self, files: int, size: int, path: bytes) -> None:
                if not files:
                    user.kill()
                    user.wait()

        assert _commits(user) == 10
        given = SnapshotOptions(source="home", host="here")
        taken = take_snapshot(repository, [top], options=given, monitor=EndsIt(), clock=repository.clock).snapshot
        assert taken is not None
        assert user.poll() is not None
    found = contents(repository, taken)
    assert found[name + "-wal"] == on_disk(top)[name + "-wal"]
    (tmp_path / "back.db-wal").write_bytes(found[name + "-wal"])
    assert rows_in(found[name], tmp_path / "back.db") == 10


def test_what_a_crash_left_is_stored_as_it_is(repository: Repository, tmp_path: Path) -> None:
    """A database nobody uses is never opened: the main file and its log are stored byte for byte."""
    top = tmp_path / "top"
    top.mkdir()
    with writer(top / "memory.db"):
        pass
    before = on_disk(top)
    assert "memory.db-wal" in before
    status = {name: (top / name).stat().st_mtime_ns for name in before}
    taken = snap(repository, top)
    assert contents(repository, taken) == before == on_disk(top)
    assert {name: (top / name).stat().st_mtime_ns for name in before} == status
    for name, data in contents(repository, taken).items():
        (tmp_path / name).write_bytes(data)
    with closing(sqlite3.connect(tmp_path / "memory.db")) as database:
        count, highest = database.execute("SELECT count(*), max(n) FROM t").fetchone()
    assert count == highest >= 100


def test_in_use_and_then_not(repository: Repository, tmp_path: Path) -> None:
    """A database is followed from live to left alone and back, and every snapshot has all of it."""
    top = tmp_path / "top"
    top.mkdir()
    with writer(top / "memory.db"):
        first = rows_in(contents(repository, snap(repository, top))["memory.db"], tmp_path / "1.db")
    after = contents(repository, snap(repository, top))
    assert after == on_disk(top)
    with writer(top / "other.db"), writer(top / "memory.db"):
        taken = snap(repository, top)
        assert names(repository, taken) == ["memory.db", "other.db"]
        found = contents(repository, taken)
        rows_in(found["other.db"], tmp_path / "2.db")
        assert len(found["memory.db"]) >= first * 300


def test_what_looks_like_a_database_but_is_none(repository: Repository, tmp_path: Path) -> None:
    """Files that only have the names of a database and its companions are stored like any others."""
    files = {
        "a": b"text",
        "a-wal": b"1",
        "b-journal": b"2",
        "c-shm": b"3",
        "-wal": b"4",
        "empty": b"",
        "empty-wal": b"5",
    }
    fill(tmp_path / "top", files)
    assert contents(repository, snap(repository, tmp_path / "top")) == files


def test_names_that_may_belong_to_a_database() -> None:
    """Those with a companion beside them and the companions are looked at, and nothing else."""
    copies = SqliteCopies(Path())
    assert copies.concerns([b"a", b"b", b"a-wal", b"x-shm", b"y-journal", b"z-other"]) == {
        b"a", b"a-wal", b"x", b"x-shm", b"y", b"y-journal",
    }  # fmt: skip
    assert copies.concerns([b"a", b"b"]) == frozenset()


def test_a_file_that_grows(repository: Repository, tmp_path: Path) -> None:
    """A file that is appended to all the time is stored as it was at some moment, and marked."""
    top = tmp_path / "top"
    fill(top, {"log": b"", "still": b"1"})
    stop = threading.Event()
    line = b"a line of the log %08d\n"

    def append() -> None:
        with open(top / "log", "ab", buffering=0) as file:
            number = 0
            while not stop.is_set():
                file.write(line % number)
                number += 1

    thread = threading.Thread(target=append)
    thread.start()
    try:
        time.sleep(0.05)
        marked = 0
        for _ in range(5):
            result = shoot(repository, top)
            assert result.snapshot is not None
            entry = lookup(repository.objects, result.snapshot.record, b"log").entry
            marked += entry.to_wire().get(FLAGS) == FLAG_CHANGED_WHILE_READ
            found = contents(repository, result.snapshot)
            assert found["still"] == b"1"
            count = len(found["log"]) // len(line % 0)
            assert (b"".join(line % number for number in range(count + 1))).startswith(found["log"])
    finally:
        stop.set()
        thread.join()
    last = snap(repository, top)
    assert contents(repository, last) == on_disk(top)
    assert FLAGS not in lookup(repository.objects, last.record, b"log").entry.to_wire()


def test_a_large_file_that_shrinks_and_grows(repository: Repository, tmp_path: Path) -> None:
    """A large file that is cut off and written anew while it is read never ends the run."""
    top = tmp_path / "top"
    fill(top, {"large": noise(1, 6_000_000), "still": b"1"})
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            os.truncate(top / "large", 1_000_000)
            os.truncate(top / "large", 7_000_000)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(4):
            result = shoot(repository, top)
            assert result.snapshot is not None
            assert contents(repository, result.snapshot)["still"] == b"1"
    finally:
        stop.set()
        thread.join()
    assert contents(repository, snap(repository, top)) == on_disk(top)


def test_files_that_come_and_go(repository: Repository, tmp_path: Path) -> None:
    """What vanishes between listing and reading is reported or was never seen; the rest is stored."""
    top = tmp_path / "top"
    still = {f"still {number}": noise(number, 500) for number in range(200)}
    fill(top, still)
    stop = threading.Event()

    def churn() -> None:
        number = 0
        while not stop.is_set():
            path = top / f"fleeting {number % 50}"
            path.write_bytes(b"x" * number)
            (top / f"fleeting {(number + 25) % 50}").unlink(missing_ok=True)
            number += 1

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(10):
            result = shoot(repository, top, rehash=True)
            assert result.snapshot is not None
            found = contents(repository, result.snapshot)
            assert {name: data for name, data in found.items() if name in still} == still
            assert all(path.startswith(b"fleeting") for path, _ in result.problems)
            assert result.snapshot.record.warnings == result.problems
    finally:
        stop.set()
        thread.join()
