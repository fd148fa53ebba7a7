"""What changed since a snapshot."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from icc_store.errors import PathNotInSnapshot, SourceError, UsageError
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.opening import create_repository, open_repository
from icc_store.operations.changes import Change, DiffOptions
from icc_store.operations.diff_live import diff_live
from tests.support.live import fill, put, snap
from tests.support.ordinary import ordinarily
from tests.support.snapshots import take

FILES = {"a": b"a\n", "d/b": b"b\n" * 100, "d/e/c": b"", "gone/x": b"x", "large": bytes(range(256)) * 12_000}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    fill(tmp_path / "source", FILES)
    return tmp_path / "source"


def since(repository: Repository, snapshot: Snapshot, **options: object) -> list[Change]:
    given = DiffOptions(**options)  # type: ignore[arg-type]
    return list(diff_live(repository, snapshot, options=given))


def told(changes: list[Change]) -> list[tuple[str, bytes, tuple[str, ...]]]:
    return [(change.kind.value, change.path, change.what) for change in changes]


def test_every_sort_of_change(repository: Repository, source: Path) -> None:
    """Live changes of every sort are told as between two snapshots."""
    snapshot = snap(repository, source)
    assert since(repository, snapshot) == []
    put(source / "a", b"changed\n", mtime_ns=None)
    os.utime(source / "d/b")
    (source / "d/e").chmod(0o700)
    (source / "d/e/c").unlink()
    (source / "d/e/c").mkdir()
    (source / "d/e/c/new").write_bytes(b"12345")
    (source / "gone/x").unlink()
    (source / "gone").rmdir()
    os.setxattr(source / "large", "user.x", b"1")
    assert told(since(repository, snapshot)) == [
        ("modified", b"a", ("content", "mtime")),
        ("metadata", b"d/b", ("mtime",)),
        ("metadata", b"d/e", ("mode", "mtime")),
        ("type", b"d/e/c", ()),
        ("added", b"d/e/c/new", ()),
        ("removed", b"gone", ()),
        ("removed", b"gone/x", ()),
        ("metadata", b"large", ("xattrs",)),
    ]


def test_contents_decide_where_the_time_differs(repository: Repository, source: Path) -> None:
    """A touched file is not modified; one of the same size and another time is, wherever the byte is."""
    snapshot = snap(repository, source)
    data = bytearray(FILES["large"])
    data[2_500_000] ^= 1
    put(source / "large", bytes(data), mtime_ns=None)
    put(source / "d/b", FILES["d/b"], mtime_ns=None)
    assert told(since(repository, snapshot)) == [
        ("metadata", b"d/b", ("mtime",)),
        ("modified", b"large", ("content", "mtime")),
    ]


def test_the_same_size_and_time_hide_a_change_unless_contents_are_checked(repository: Repository, source: Path) -> None:
    """Size and time are trusted, until `content_check` says otherwise."""
    snapshot = snap(repository, source)
    put(source / "a", b"X\n")
    assert since(repository, snapshot) == []
    assert told(since(repository, snapshot, content_check=True)) == [("modified", b"a", ("content",))]


def test_what_the_snapshot_left_out_is_not_told(tmp_path: Path) -> None:
    """Neither what its rules exclude, nor sockets, nor the repository itself, which is in the directory."""
    home = tmp_path / "home"
    fill(home, FILES)
    create_repository(home / "repository")
    with open_repository(home / "repository") as repository:
        snapshot = snap(repository, home, exclude=("*.tmp", "/cache/"), exclude_larger_than=4_000_000)
        for name in ("x.tmp", "cache/1", "d/y.tmp"):
            (home / name).parent.mkdir(exist_ok=True)
            (home / name).write_bytes(b"")
        (home / "huge").write_bytes(bytes(4_000_001))
        assert since(repository, snapshot) == []
        (home / "d/y.tmp2").write_bytes(b"")
        assert told(since(repository, snapshot)) == [("added", b"d/y.tmp2", ())]


def test_lines(repository: Repository, source: Path) -> None:
    """With `content`, the lines of changed, new and removed text files are told."""
    snapshot = snap(repository, source)
    put(source / "a", b"b\n", mtime_ns=None)
    (source / "d/e/c").write_bytes(b"\0")
    (source / "new").write_bytes(b"n\n")
    (source / "gone/x").unlink()
    found = {change.path: change.text for change in since(repository, snapshot, content=True)}
    assert {path: text.lines or text.note for path, text in found.items() if text} == {
        b"a": ("@@ -1 +1 @@", "-a", "+b"),
        b"d/e/c": "binary files differ",
        b"gone/x": ("@@ -1 +0,0 @@", "-x\n\\ No newline at end of file"),
        b"new": ("@@ -0,0 +1 @@", "+n"),
    }


def test_only_some_paths(repository: Repository, source: Path) -> None:
    """Paths of the snapshot and new ones can be named; one that is in neither is an error."""
    snapshot = snap(repository, source)
    (source / "new").mkdir()
    for name in ("a", "d/b", "new/1", "new/2"):
        (source / name).write_bytes(b"changed")
    assert [change.path for change in since(repository, snapshot, paths=(b"d", b"new/1"))] == [b"d/b", b"new/1"]
    with pytest.raises(PathNotInSnapshot, match="neither in the snapshot nor"):
        since(repository, snapshot, paths=(b"nothing",))


def test_several_paths(repository: Repository, source: Path) -> None:
    """Of a snapshot of several paths only those are compared, not what stands beside them."""
    snapshot = snap(repository, source / "d", source / "a")
    (source / "beside").write_bytes(b"")
    assert since(repository, snapshot) == []
    (source / "d/new").write_bytes(b"")
    (source / "a").unlink()
    stored = bytes(source).lstrip(b"/")
    assert told(since(repository, snapshot)) == [("removed", stored + b"/a", ()), ("added", stored + b"/d/new", ())]


def test_one_file(repository: Repository, source: Path) -> None:
    """A snapshot of one file is compared with that file."""
    snapshot = snap(repository, source / "a")
    assert since(repository, snapshot) == []
    (source / "a").unlink()
    assert told(since(repository, snapshot)) == [("removed", b"a", ())]


def test_nothing_to_compare_with(repository: Repository, source: Path) -> None:
    """A snapshot of no directory of this machine, and one whose directory is gone, say so."""
    with pytest.raises(UsageError, match="does not belong to a directory"):
        since(repository, take(repository, {"a": b""}, kind="import"))
    snapshot = snap(repository, source)
    source.rename(source.with_name("moved"))
    with pytest.raises(SourceError, match="No such file"):
        since(repository, snapshot)


def test_a_live_database_is_not_always_different(repository: Repository, tmp_path: Path) -> None:
    """A database that was copied through SQLite while in use has other bytes than its file, and is told unchanged."""
    home = tmp_path / "home"
    home.mkdir()
    database = sqlite3.connect(home / "db")
    database.execute("pragma journal_mode=wal")
    database.execute("create table t (x)")
    database.execute("insert into t values (zeroblob(100000))")
    database.commit()
    snapshot = snap(repository, home)
    changes = [change for change in since(repository, snapshot) if change.path == b"db"]
    database.close()
    assert changes == []


def unreadable(place: Path) -> None:
    here = place.absolute()
    fill(here / "source", FILES)
    create_repository(here / "repository")
    with open_repository(here / "repository") as repository:
        snapshot = snap(repository, here / "source")
        (here / "source/d").chmod(0)
        put(here / "source/a", b"A\n", mtime_ns=None)
        (here / "source/a").chmod(0)
        assert told(since(repository, snapshot)) == [
            ("unreadable", b"a", ("Permission denied",)),
            ("metadata", b"d", ("mode",)),
            ("unreadable", b"d", ("Permission denied",)),
        ]
        (here / "source/d").chmod(0o700)


def test_what_cannot_be_read_is_told() -> None:
    """A file or directory that this user may not read is neither the same nor gone: it is told as unreadable."""
    ordinarily(unreadable)
