"""Trees from entries in any order are the trees that a snapshot has."""

from __future__ import annotations

import random
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icc_store.codec.hashing import object_id
from icc_store.ids import Kind, ObjectId
from icc_store.limits import MAX_TREE_DEPTH
from icc_store.model.entry import HARD_LINK, MTIME, NAME, UID, Entry, Wire, entry_from_wire
from icc_store.model.tree import TreePart, parse_tree, tree_entries
from icc_store.model.tree_builder import Placed, TreeBuilder


class Trees:
    """Where the trees go: a map."""

    def __init__(self) -> None:
        self.data: dict[ObjectId, bytes] = {}

    def add(self, data: bytes) -> ObjectId:
        identity = object_id(Kind.TREE, data)
        self.data[identity] = data
        return identity

    def get(self, identity: ObjectId, kind: int) -> bytes:
        assert kind == Kind.TREE
        return self.data[identity]

    def paths(self, root: ObjectId, above: bytes = b"") -> dict[bytes, Entry]:
        found = {}
        for entry, _ in tree_entries(self, root):
            path = above + entry.name
            found[path] = entry
            if entry.subtree is not None:
                found |= self.paths(entry.subtree, path + b"/")
        return found


def placed(path: bytes, kind: int = stat.S_IFREG, *, uid: int = 0, user: str = "", mtime_ns: int = 5) -> Placed:
    return Placed(Entry(path.rpartition(b"/")[2], kind | 0o644, uid, mtime_ns=mtime_ns).to_wire(), user)


names = st.sampled_from([b"a", b"b", b"c", b"\xff", b"a b", b"z"])


@given(st.sets(st.lists(names, min_size=1, max_size=4).map(tuple), max_size=15), st.randoms(use_true_random=False))
def test_order_does_not_count(files: set[tuple[bytes, ...]], chance: random.Random) -> None:
    """The same entries in any order make the same tree, which holds each of them."""
    paths = {b"/".join(file) for file in files if not any(other[: len(file)] == file for other in files - {file})}
    directories = {b"/".join(file[:depth]) for file in files for depth in range(1, len(file))}
    directories -= paths
    everything = [placed_at for path in paths for placed_at in [(path, stat.S_IFREG)]]
    everything += [(path, stat.S_IFDIR) for path in directories]
    everything = [(path, kind) for path, kind in everything if not any(path.startswith(one + b"/") for one in paths)]
    roots = set()
    for _ in range(3):
        chance.shuffle(everything)
        trees = Trees()
        builder = TreeBuilder(trees.add)
        for path, kind in everything:
            builder.put(path, placed(path, kind))
        root = builder.finish()
        roots.add(root)
        assert set(trees.paths(root)) == {path for path, _ in everything}
    assert len(roots) == 1


def test_owners_stand_with_the_parts_they_own_something_in() -> None:
    """A part names the owners of its own entries, and no others."""
    trees = Trees()
    builder = TreeBuilder(trees.add)
    builder.put(b"a", placed(b"a", uid=1, user="ada"))
    builder.put(b"d/b", placed(b"d/b", uid=2, user="bob"))
    builder.put(b"d", placed(b"d", stat.S_IFDIR, uid=3))
    root = builder.finish()
    part = parse_tree(trees.data[root])
    assert isinstance(part, TreePart)
    assert part.owners.users == {1: "ada"}
    subtree = trees.paths(root)[b"d"].subtree
    assert subtree is not None
    below = parse_tree(trees.data[subtree])
    assert isinstance(below, TreePart)
    assert below.owners.users == {2: "bob"}


def test_missing_directories_are_made_up() -> None:
    """They get the owner and time of the first entry below them, until their own comes."""
    trees = Trees()
    builder = TreeBuilder(trees.add)
    builder.put(b"x/y/z", placed(b"x/y/z", uid=7, mtime_ns=9))
    builder.put(b"x", placed(b"x", stat.S_IFDIR, uid=8, mtime_ns=1))
    found = trees.paths(builder.finish())
    wires: dict[bytes, Wire] = {path: entry.to_wire() for path, entry in found.items()}
    assert (wires[b"x"][UID], wires[b"x"][MTIME]) == (8, 1)
    assert (wires[b"x/y"][UID], wires[b"x/y"][MTIME], found[b"x/y"].mode) == (7, 9, stat.S_IFDIR | 0o755)


def test_what_was_placed_can_be_asked_for() -> None:
    """Files by their paths; directories, what is missing and the root are none."""
    builder = TreeBuilder(Trees().add)
    builder.put(b"d/f", placed(b"d/f", uid=4, user="eve"))
    file = builder.get(b"d/f")
    assert file is not None
    assert (entry_from_wire(file.wire).name, file.user) == (b"f", "eve")
    assert [builder.get(path) for path in (b"d", b"", b"x", b"d/f/g", b"d/x")] == [None] * 5
    assert builder.root() is None
    builder.put(b"", placed(b"", stat.S_IFDIR, uid=6))
    root = builder.root()
    assert root is not None
    assert root.wire[UID] == 6


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ((b"a", stat.S_IFREG), (b"a/b", stat.S_IFREG), "a is a file and cannot hold a/b"),
        ((b"a", stat.S_IFLNK), (b"a/b/c", stat.S_IFDIR), "a is a symbolic link and cannot hold a/b/c"),
        ((b"a/b", stat.S_IFREG), (b"a", stat.S_IFLNK), "a is both a directory and a symbolic link"),
        ((b"a", stat.S_IFBLK), (b"a", stat.S_IFDIR), "a is both a device and a directory"),
        ((b"a", stat.S_IFREG), (b"", stat.S_IFREG), "the root is not a file"),
        ((b"a", stat.S_IFREG), (b"/".join([b"d"] * MAX_TREE_DEPTH), stat.S_IFREG), "deeper than any directory"),
    ],
)
def test_conflicts(first: tuple[bytes, int], second: tuple[bytes, int], message: str) -> None:
    """One name is one kind of thing, and only a directory holds others."""
    builder = TreeBuilder(Trees().add)
    builder.put(first[0], placed(*first))
    with pytest.raises(ValueError, match=message):
        builder.put(second[0], placed(*second))


def test_deep_trees_are_no_recursion() -> None:
    """A directory as deep as is allowed is stored without running out of stack."""
    trees = Trees()
    builder = TreeBuilder(trees.add)
    path = b"/".join([b"d"] * (MAX_TREE_DEPTH - 1))
    builder.put(path, placed(path))
    builder.finish()
    assert len(trees.data) == MAX_TREE_DEPTH - 1


def test_a_directory_becomes_the_root() -> None:
    """What is in it stands at the root, with the names of hard links' first members; its own entry is the root's."""
    chance = random.Random(3)
    inside = [b"a", b"d/b", b"d/e/c", b"link"]
    chance.shuffle(inside)
    roots = set()
    for prefix in (b"", b"top/", b"one/two/"):
        builder = TreeBuilder((trees := Trees()).add)
        for path in inside:
            entry = placed(prefix + path)
            if path == b"link":
                entry.wire[HARD_LINK] = prefix + b"a"
            builder.put(prefix + path, entry)
        builder.put(prefix.rstrip(b"/"), placed(prefix.rstrip(b"/"), stat.S_IFDIR, uid=5))
        builder.enter(prefix.rstrip(b"/"))
        top = builder.root()
        assert top is not None
        assert (top.wire[UID], top.wire[NAME]) == (5, b"")
        root = builder.finish()
        roots.add(root)
        assert trees.paths(root)[b"link"].hard_link == b"a"
    assert len(roots) == 1


def test_names_and_removal() -> None:
    """A directory tells its names and which are directories; a file can be taken out of the root."""
    builder = TreeBuilder(Trees().add)
    for path in (b"a", b"d/b", b"d/e/c"):
        builder.put(path, placed(path))
    assert builder.names() == {b"a": False, b"d": True}
    assert builder.names(b"d") == {b"b": False, b"e": True}
    builder.remove(b"a")
    assert builder.names() == {b"d": True}
    for missing in (b"a", b"d/b", b"x/y"):
        with pytest.raises(KeyError):
            builder.names(missing)
    builder.enter(b"d")
    assert builder.root() is None
    assert builder.names() == {b"b": False, b"e": True}
