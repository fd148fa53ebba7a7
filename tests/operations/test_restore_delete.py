"""Restoring with --delete: what goes, and what never goes."""

from __future__ import annotations

import os
import socket
import sqlite3
import stat
from pathlib import Path

import pytest

from icc_store.errors import IccStoreError
from icc_store.model.repository import Repository
from icc_store.opening import create_repository, open_repository
from icc_store.operations.restore import restore
from icc_store.operations.restore_plan import RestoreOptions
from tests.support.compare import assert_same, facts
from tests.support.live import fill, on_disk, put, snap
from tests.support.restoring import FILES, back
from tests.support.snapshots import take

HERE = {1: b"", 2: stat.S_IFDIR | 0o755, 3: os.getuid(), 4: os.getgid(), 6: 0}
"""Metadata of a root directory."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    fill(tmp_path / "source", FILES)
    return tmp_path / "source"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


def test_delete_mirrors(repository: Repository, source: Path, target: Path) -> None:
    """With --delete the target becomes what the snapshot is, also where directories stood in the way."""
    snapshot = snap(repository, source)
    fill(target, {"a/x/y": b"in the way", "new/1": b"", "new/2/3": b"", "d/new": b""})
    (target / "link").symlink_to("a")
    result = back(repository, snapshot, target, delete=True)
    assert result.removed == 4
    assert_same(source, target)


def test_without_delete_a_full_directory_blocks(repository: Repository, source: Path, target: Path) -> None:
    """A directory in the place of a file stays when anything is in it, and that file is a failure."""
    snapshot = snap(repository, source)
    fill(target, {"a/x": b"mine"})
    (target / "large").mkdir()
    result = restore(repository, snapshot, options=RestoreOptions(target))
    assert [(failure.path, failure.damage) for failure in result.failures] == [(b"a", False)]
    assert on_disk(target) == {"a/x": b"mine", "d/b": FILES["d/b"], "d/e/c": b"", "large": FILES["large"]}


@pytest.mark.parametrize("where", ["repository", "new/deep/repository", "d/repository"])
def test_delete_never_touches_the_repository(tmp_path: Path, where: str) -> None:
    """The repository inside the target stays, wherever it is, and everything around it goes."""
    home = tmp_path / "home"
    fill(home, FILES)
    (home / where).parent.mkdir(parents=True, exist_ok=True)
    create_repository(home / where)
    with open_repository(home / where) as repository:
        snapshot = snap(repository, home)
        (home / "new/deep").mkdir(parents=True, exist_ok=True)
        (home / "new/1").write_bytes(b"")
        (home / "new/deep/2").write_bytes(b"")
        before = facts(home / where)
        back(repository, snapshot, delete=True)
        left = {name for name in on_disk(home) if not name.startswith(where)}
        assert left == set(FILES)
        assert facts(home / where).keys() == before.keys()
        assert snap(repository, home, source="again").record.counters.files == len(FILES)


def test_a_snapshot_that_holds_the_repository_does_not_restore_over_it(tmp_path: Path, source: Path) -> None:
    """Entries that stand where the repository is now are refused, and the rest is restored."""
    create_repository(tmp_path / "home/d")
    with open_repository(tmp_path / "home/d") as repository:
        snapshot = snap(repository, source)
        result = restore(repository, snapshot, options=RestoreOptions(tmp_path / "home", delete=True))
        assert [failure.path for failure in result.failures] == [b"d"]
        assert set(on_disk(tmp_path / "home")) >= {"a", "large", "d/repository.json", "d/data.mdb"}
        assert not (tmp_path / "home/d/b").exists()


def test_delete_leaves_what_the_snapshot_left_out(repository: Repository, source: Path) -> None:
    """What its exclusion rules name stays, with the directories around it, however deep in what is new."""
    (source / "keep.key").write_bytes(b"k")
    snapshot = snap(repository, source, exclude=("*.key", "/cache/"), exclude_larger_than=5_000_000)
    fill(source / "cache", {"1": b""})
    fill(source / "new", {"a.key": b"", "b": b"", "deep/er/c.key": b"", "deep/d": b"", "gone/x": b""})
    (source / "huge").write_bytes(bytes(5_000_001))
    back(repository, snapshot, delete=True)
    stays = {"keep.key", "cache/1", "new/a.key", "new/deep/er/c.key", "huge"}
    assert set(on_disk(source)) == set(FILES) | stays
    assert not (source / "new/gone").exists()


def test_delete_leaves_what_could_not_be_read(repository: Repository, target: Path) -> None:
    """A path that the snapshot lists as unreadable may be nowhere else: it stays, with the directory it is in."""
    snapshot = take(repository, {"a": b"1"}, warnings=((b"new/secret", "permission denied"),), root_entry=HERE)
    fill(target, {"new/secret": b"s", "new/other": b"o", "b": b"b"})
    back(repository, snapshot, target, delete=True)
    assert on_disk(target) == {"a": b"1", "new/secret": b"s"}


def test_delete_is_refused_when_too_much_could_not_be_read(repository: Repository, target: Path) -> None:
    """A record lists a thousand unreadable files at most; when there were more, mirroring is not safe."""
    warnings = tuple((b"%d" % number, "permission denied") for number in range(1000))
    snapshot = take(repository, {"a": b"1"}, warnings=warnings, root_entry=HERE)
    with pytest.raises(IccStoreError, match="--delete"):
        back(repository, snapshot, target, delete=True)
    assert not target.exists()


def test_delete_leaves_what_is_to_be_spared(repository: Repository, source: Path, target: Path) -> None:
    """What is named as to be spared stays with all in it, also where the snapshot has a directory of that name."""
    snapshot = snap(repository, source)
    fill(target, {"keep/1": b"", "keep/2/3": b"", "d/new": b"", "new/keep": b""})
    back(repository, snapshot, target, delete=True, spare=(b"keep", b"d"))
    assert set(on_disk(target)) == {*FILES, "keep/1", "keep/2/3", "d/new"}


def test_delete_leaves_sockets(repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket is in no snapshot, and somebody may be listening."""
    snapshot = snap(repository, source)
    (source / "new").mkdir()
    monkeypatch.chdir(source / "new")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket")
    (source / "new/file").write_bytes(b"")
    back(repository, snapshot, delete=True)
    assert os.listdir(source / "new") == ["socket"]


def test_logs_of_another_state_of_a_database_go(repository: Repository, tmp_path: Path) -> None:
    """SQLite would apply a log to a database it does not belong to: it is removed when the database is restored."""
    home = tmp_path / "home"
    home.mkdir()
    with sqlite3.connect(home / "db") as database:
        database.execute("create table t (x)")
    database.close()
    fill(tmp_path / "plain", {"text": b"not a database"})
    (home / "text").write_bytes(b"not a database")
    snapshot = snap(repository, home)
    put(home / "db", b"changed")
    put(home / "text", b"changed")
    for name in ("db-wal", "db-shm", "db-journal", "text-wal"):
        (home / name).write_bytes(b"stale")
    result = back(repository, snapshot)
    assert result.removed == 3
    assert sorted(on_disk(home)) == ["db", "text", "text-wal"]
    with sqlite3.connect(home / "db") as database:
        assert database.execute("select count(*) from t").fetchone() == (0,)
    database.close()
