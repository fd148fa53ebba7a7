"""Walking a snapshot."""

from __future__ import annotations

import stat
from typing import Any

import pytest

from icc_store.errors import BlockDamaged, PathNotInSnapshot
from icc_store.ids import Kind, ObjectId
from icc_store.model.entry import Entry
from icc_store.model.record import SnapshotRecord
from icc_store.model.tree import Owners, pack_part
from icc_store.model.walk import lookup, root_of, walk
from tests.support.shelf import Shelf

MODE = stat.S_IFDIR | 0o750


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def directory(shelf: Shelf, **below: ObjectId | None) -> ObjectId:
    """A tree of directories (an id) and empty files (None)."""
    entries = []
    for name, tree in sorted(below.items()):
        mode = MODE if tree else stat.S_IFREG | 0o644
        entries.append(Entry(name.encode(), mode, 1, 2, subtree=tree).to_wire())
    return shelf.add(pack_part(entries, Owners({1: "ada"}, {2: "users"})), kind=Kind.TREE)


def record(root: ObjectId, **fields: Any) -> SnapshotRecord:
    return SnapshotRecord(1, 5, root, "source", "host", **fields)


def test_every_path_comes_once_in_order(shelf: Shelf) -> None:
    """A directory before what it holds, names in byte order."""
    deep = directory(shelf, z=None)
    root = directory(shelf, a=directory(shelf, b=None, c=deep), B=None, d=directory(shelf))
    found = [found.path for found in walk(shelf.reader, root_of(record(root)))]
    assert found == [b"", b"B", b"a", b"a/b", b"a/c", b"a/c/z", b"d"]


def test_a_directory_can_be_passed_over(shelf: Shelf) -> None:
    """What is not gone into is still told."""
    root = directory(shelf, a=directory(shelf, b=None), c=None)
    found = walk(shelf.reader, root_of(record(root)), descend=lambda one: one.path != b"a")
    assert [one.path for one in found] == [b"", b"a", b"c"]


def test_a_path_is_looked_up(shelf: Shelf) -> None:
    """Any path is found with its entry and owners; one that is not there is said to be so, from where it ends."""
    root = directory(shelf, a=directory(shelf, b=None))
    found = lookup(shelf.reader, record(root), b"a/b")
    assert (found.path, found.entry.name, found.owners.users) == (b"a/b", b"b", {1: "ada"})
    assert lookup(shelf.reader, record(root), b"").entry.subtree == root
    for path, lost in ((b"x", "x"), (b"a/x/y", "a/x"), (b"a/b/c", "a/b/c")):
        with pytest.raises(PathNotInSnapshot, match=f"{lost} does not exist"):
            lookup(shelf.reader, record(root), path)


def test_the_root_has_its_own_metadata(shelf: Shelf) -> None:
    """With a root entry the root is that directory; without, a plain one of the snapshot's time."""
    root = directory(shelf)
    entry = {0: [{7: "bob"}, {8: "staff"}], 1: b"", 2: MODE, 3: 7, 4: 8, 6: 99}
    found = root_of(record(root, root_entry=entry))
    assert (found.entry.mode, found.entry.mtime_ns, found.entry.subtree) == (MODE, 99, root)
    assert (found.owners.users, found.owners.groups) == ({7: "bob"}, {8: "staff"})
    plain = root_of(record(root))
    assert (plain.entry.mode, plain.entry.mtime_ns, plain.entry.subtree) == (stat.S_IFDIR | 0o755, 5, root)


@pytest.mark.parametrize(
    "changes",
    [
        {0: 5},
        {0: [{}, 5]},
        {0: [{}]},
        {0: [{"a": "b"}, {}]},
        {0: [{1: b"ada"}, {}]},
        {2: stat.S_IFREG | 0o644},
        {2: None},
        {6: "now"},
        {17: 1},
    ],
)
def test_a_wrong_root_is_refused(shelf: Shelf, changes: dict[int, Any]) -> None:
    """A root entry that is not that of a directory, or whose owners are none, is damage."""
    entry = {0: [{7: "bob"}, {}], 1: b"", 2: MODE, 3: 7, 4: 8, 6: 99} | changes
    with pytest.raises(BlockDamaged):
        root_of(record(directory(shelf), root_entry=entry))
