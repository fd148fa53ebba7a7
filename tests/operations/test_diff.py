"""What changed between two snapshots."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from icc_store.errors import ObjectMissing, PathNotInSnapshot
from icc_store.ids import KEY_SIZE
from icc_store.model.entry import Entry
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.operations.changes import Change, ChangeKind, DiffOptions, summarise
from icc_store.operations.diff import diff
from tests.support import trees
from tests.support.live import fill, put, snap
from tests.support.snapshots import take

FILES = {"a": b"a\n", "d/b": b"b\n" * 100, "d/e/c": b"", "gone/x": b"x"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    fill(tmp_path / "source", FILES)
    return tmp_path / "source"


def told(changes: list[Change]) -> list[tuple[str, bytes, tuple[str, ...]]]:
    return [(change.kind.value, change.path, change.what) for change in changes]


def compare(repository: Repository, one: Snapshot, two: Snapshot, **options: object) -> list[Change]:
    given = DiffOptions(**options)  # type: ignore[arg-type]
    return list(diff(repository, (one, two), options=given))


def test_every_sort_of_change(repository: Repository, source: Path) -> None:
    """Added, removed, modified, of another type, other metadata: each is told once, with what differs."""
    os.symlink("a", source / "link")
    before = snap(repository, source)
    put(source / "a", b"changed\n")
    put(source / "d/b", FILES["d/b"], mtime_ns=None)
    (source / "d/e").chmod(0o700)
    (source / "d/e/c").unlink()
    (source / "d/e/c").mkdir()
    (source / "d/e/c/new").write_bytes(b"12345")
    (source / "gone/x").unlink()
    (source / "gone").rmdir()
    (source / "link").unlink()
    os.symlink("b", source / "link")
    after = snap(repository, source)
    changes = compare(repository, before, after)
    assert told(changes) == [
        ("modified", b"a", ("content",)),
        ("metadata", b"d/b", ("mtime",)),
        ("metadata", b"d/e", ("mode", "mtime")),
        ("type", b"d/e/c", ()),
        ("added", b"d/e/c/new", ()),
        ("removed", b"gone", ()),
        ("removed", b"gone/x", ()),
        ("modified", b"link", ("mtime", "target")),
    ]
    summary = summarise(changes)
    assert (summary.total, summary.added_size, summary.removed_size, summary.growth) == (8, 5, 1, len("changed\n") - 2)
    back = compare(repository, after, before)
    assert [change.path for change in back] == [change.path for change in changes]
    assert summarise(back).counts[ChangeKind.ADDED] == 2


def test_equal_snapshots(repository: Repository, source: Path) -> None:
    """Nothing differs between two snapshots of the same."""
    assert compare(repository, snap(repository, source), snap(repository, source)) == []


def test_owner_attributes_and_links(repository: Repository, source: Path) -> None:
    """An attribute, large or small, and a lost hard link are told; an owner too where one can be given."""
    os.link(source / "a", source / "z")
    before = snap(repository, source)
    os.setxattr(source / "d/b", "user.small", b"1")
    os.setxattr(source / "d/e/c", "user.large", bytes(1000))
    (source / "z").unlink()
    put(source / "z", b"a\n")
    if trees.IS_ROOT:
        os.chown(source / "gone/x", 1234, 4321)
    changes = told(compare(repository, before, snap(repository, source)))
    expected = [("metadata", b"d/b", ("xattrs",)), ("metadata", b"d/e/c", ("xattrs",))]
    expected += [("metadata", b"gone/x", ("owner",))] if trees.IS_ROOT else []
    assert changes == [*expected, ("metadata", b"z", ("hard link",))]


def test_times_of_directories_are_told_on_request(repository: Repository, source: Path) -> None:
    """That a directory's time changed because of what is in it is not told, unless it is asked for."""
    before = snap(repository, source)
    (source / "d/new").write_bytes(b"")
    after = snap(repository, source)
    assert told(compare(repository, before, after)) == [("added", b"d/new", ())]
    assert told(compare(repository, before, after, directory_times=True)) == [
        ("metadata", b"d", ("mtime",)),
        ("added", b"d/new", ()),
    ]


def test_only_some_paths(repository: Repository, source: Path) -> None:
    """Only what is at or below the paths named is told; a path that neither has is an error."""
    before = snap(repository, source)
    for name in ("a", "d/b", "d/e/c", "gone/x"):
        put(source / name, b"changed")
    after = snap(repository, source)
    assert [change.path for change in compare(repository, before, after, paths=(b"d/e", b"gone"))] == [
        b"d/e/c",
        b"gone/x",
    ]
    with pytest.raises(PathNotInSnapshot, match="d/nothing"):
        compare(repository, before, after, paths=(b"d/nothing",))


def test_lines(repository: Repository, source: Path) -> None:
    """With `content`, changed text comes with its lines; large and binary files say why not."""
    (source / "large").write_bytes(b"l" * (9 << 20))
    (source / "binary").write_bytes(b"\0\1")
    before = snap(repository, source)
    put(source / "a", b"changed\n")
    put(source / "large", b"m" * (9 << 20))
    put(source / "binary", b"\0\2")
    (source / "gone/x").unlink()
    found = {change.path: change.text for change in compare(repository, before, snap(repository, source), content=True)}
    assert found[b"a"] is not None
    assert found[b"a"].lines == ("@@ -1 +1 @@", "-a", "+changed")
    assert found[b"gone/x"] is not None
    assert found[b"gone/x"].lines == ("@@ -1 +0,0 @@", "-x\n\\ No newline at end of file")
    assert found[b"large"] is not None
    assert "larger than 8 MiB" in found[b"large"].note
    assert found[b"binary"] is not None
    assert found[b"binary"].note == "binary files differ"


def test_the_same_bytes_cut_differently_are_the_same(repository: Repository, tmp_path: Path) -> None:
    """A file with a hole and the same file written out have the same contents; one byte apart and they have not."""
    source = tmp_path / "source"
    source.mkdir()
    with (source / "file").open("wb") as file:
        file.write(b"begin" * 1000)
        file.truncate(10_000_000)
    os.utime(source / "file", ns=(0, 0))
    holes = snap(repository, source)
    put(source / "file", (source / "file").read_bytes(), mtime_ns=0)
    full = snap(repository, source)
    assert holes.record.root != full.record.root
    assert compare(repository, holes, full) == []
    with (source / "file").open("r+b") as file:
        file.seek(8_000_000)
        file.write(b"x")
    os.utime(source / "file", ns=(0, 0))
    assert told(compare(repository, holes, snap(repository, source))) == [("modified", b"file", ("content",))]


def test_directories_of_many_names(repository: Repository) -> None:
    """Large directories are compared in parts, and nothing is lost where one side is much smaller."""
    many: dict[str | bytes, bytes | Entry] = {f"d/{number:05}": b"%d" % number for number in range(3000)}
    before = take(repository, many)
    fewer = {path: data for path, data in many.items() if not str(path).endswith("7")}
    after = take(repository, fewer | {"d/00100x": b"new", "d/00200": b"other"})
    changes = compare(repository, before, after)
    assert len(changes) == 300 + 2
    assert [change.path for change in changes] == sorted(change.path for change in changes)


def test_devices_and_modes_with_type_bits(repository: Repository) -> None:
    """Another device number is a modification, another kind of special file another type."""

    def special(mode: int, minor: int) -> Entry:
        return Entry(b"", mode, device=(1, minor))

    before = take(repository, {"one": special(stat.S_IFCHR, 1), "two": special(stat.S_IFCHR, 1)})
    after = take(repository, {"one": special(stat.S_IFCHR, 2), "two": special(stat.S_IFBLK, 1)})
    assert told(compare(repository, before, after)) == [("modified", b"one", ("device",)), ("type", b"two", ())]


def test_damage_ends_it(repository: Repository, source: Path) -> None:
    """A tree that cannot be read is an error, and never silence."""
    before = snap(repository, source)
    put(source / "a", b"changed")
    after = snap(repository, source)
    with repository.store.write() as txn:
        txn.delete_rows([row for row in txn.rows() if row.startswith(after.record.root[:KEY_SIZE])])
    repository.objects.forget()
    with pytest.raises(ObjectMissing):
        compare(repository, before, after)
