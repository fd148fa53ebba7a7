"""Restoring where somebody works with a SQLite database: nothing is touched, and it is said who that is."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from icc_store.errors import TargetError
from icc_store.model.repository import Repository
from icc_store.operations.restore import restore
from icc_store.operations.restore_plan import RestoreOptions
from icc_store.operations.restore_planner import plan_restore
from tests.support.compare import facts
from tests.support.databases import make_database, used_database
from tests.support.live import on_disk, put, snap
from tests.support.restoring import back


@pytest.mark.parametrize("wal", [True, False])
def test_a_database_in_use_is_not_written_over(repository: Repository, tmp_path: Path, wal: bool) -> None:
    """The message names the file and the process, nothing at all is changed, and afterwards the restore works."""
    home = tmp_path / "home"
    make_database(home / "d/memory.db", wal=wal)
    put(home / "note", b"1")
    snapshot = snap(repository, home)
    put(home / "note", b"changed")
    with used_database(home / "d/memory.db", "open" if wal else "transaction") as process:
        if not wal:
            os.truncate(home / "d/memory.db", 3 * 4096)  # of another size than in the snapshot
        before = facts(home)
        with pytest.raises(TargetError, match=rf"d/memory\.db in .* is in use by pid {process.pid} \(.*python") as told:
            restore(repository, snapshot, options=RestoreOptions(delete=True))
        assert "nothing was restored" in str(told.value)
        assert facts(home) == before
    back(repository, snapshot)
    assert (home / "note").read_bytes() == b"1"
    with sqlite3.connect(home / "d/memory.db") as database:
        assert database.execute("select x from t").fetchall() == [(1,)]
    database.close()


@pytest.mark.parametrize("where", ["memory.db", "new/deep/memory.db"])
def test_a_database_in_use_is_not_removed(repository: Repository, tmp_path: Path, where: str) -> None:
    """Neither a database that the snapshot does not have, nor the log of one that it has, goes with --delete."""
    home = tmp_path / "home"
    put_before = home / "note"
    home.mkdir()
    put(put_before, b"1")
    snapshot = snap(repository, home)
    make_database(home / where, wal=True)
    with used_database(home / where, "open"):
        with pytest.raises(TargetError, match=r"memory\.db"):
            restore(repository, snapshot, options=RestoreOptions(delete=True))
        assert (home / where).exists()
        assert (home / f"{where}-wal").exists()
    back(repository, snapshot, delete=True)
    assert on_disk(home) == {"note": b"1"}


def test_the_log_of_a_database_in_use_stays(repository: Repository, tmp_path: Path) -> None:
    """A database that is as the snapshot has it may have commits in its log: that is not taken away from its user."""
    home = tmp_path / "home"
    make_database(home / "memory.db", wal=True)
    snapshot = snap(repository, home)
    with used_database(home / "memory.db", "open"):
        for delete in (True, False):
            plan = plan_restore(repository, snapshot, options=RestoreOptions(delete=delete))
            assert [path for path, _ in plan.in_use] == [b"memory.db"]


def test_what_is_in_a_log_alone_is_undone(repository: Repository, tmp_path: Path) -> None:
    """A database whose file is unchanged, but whose log has commits that the snapshot does not know, loses the log."""
    home = tmp_path / "home"
    make_database(home / "memory.db", wal=True)
    snapshot = snap(repository, home)
    before = (home / "memory.db").stat()
    with used_database(home / "memory.db", "open") as process:
        process.kill()  # without a chance to fold the log into the database
    assert (home / "memory.db-wal").stat().st_size > 0
    assert (home / "memory.db").stat().st_mtime_ns == before.st_mtime_ns
    back(repository, snapshot)
    assert set(on_disk(home)) == {"memory.db"}
    with sqlite3.connect(home / "memory.db") as database:
        assert database.execute("select x from t").fetchall() == [(1,)]
    database.close()


def test_what_is_not_touched_may_be_in_use(repository: Repository, tmp_path: Path) -> None:
    """A restore that leaves the database alone does not mind who uses it."""
    home = tmp_path / "home"
    make_database(home / "memory.db", wal=True)
    put(home / "note", b"1")
    snapshot = snap(repository, home)
    put(home / "note", b"changed")
    with used_database(home / "memory.db", "open"):
        back(repository, snapshot, paths=(b"note",))
    assert (home / "note").read_bytes() == b"1"
