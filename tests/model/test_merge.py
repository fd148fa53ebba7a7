"""Merging two trees: every difference once, in order, and nothing read that both sides have."""

from __future__ import annotations

import stat
from random import Random

import pytest

from icc_store.codec.hashing import object_id
from icc_store.errors import BlockDamaged
from icc_store.ids import Kind, ObjectId
from icc_store.model.entry import Entry, Wire
from icc_store.model.merge import Pair, merge
from icc_store.model.paths import parts
from icc_store.model.tree import Owners, cut_points, join_parts, pack_part
from icc_store.model.walk import Found, walk

Tree = dict[bytes, "Tree | int"]
"""A directory as a test writes it: a file is its modification time."""


class Shelf:
    """Objects in memory, counting what is read."""

    def __init__(self) -> None:
        self.objects: dict[ObjectId, bytes] = {}
        self.read: list[ObjectId] = []

    def add(self, data: bytes) -> ObjectId:
        identity = object_id(Kind.TREE, data)
        self.objects[identity] = data
        return identity

    def get(self, identity: ObjectId, kind: int) -> bytes:
        assert kind == Kind.TREE
        self.read.append(identity)
        return self.objects[identity]

    def store(self, tree: Tree, owners: Owners) -> ObjectId:
        wires: list[Wire] = []
        for name, value in sorted(tree.items()):
            if isinstance(value, int):
                wires.append(Entry(name, stat.S_IFREG | 0o644, uid=7, mtime_ns=value).to_wire())
            else:
                wires.append(Entry(name, stat.S_IFDIR | 0o755, subtree=self.store(value, owners)).to_wire())
        ends = cut_points([wire[1] for wire in wires])
        chunks = [wires[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]
        done = [(chunk[0][1] if chunk else b"", self.add(pack_part(chunk, owners))) for chunk in chunks]
        return join_parts(done, self.add)

    def root(self, tree: Tree, owners: Owners | None = None) -> Found:
        names = owners or Owners()
        return Found(b"", Entry(b"", stat.S_IFDIR | 0o755, subtree=self.store(tree, names)), names)


def flat(shelf: Shelf, root: Found) -> dict[bytes, Entry]:
    return {found.path: found.entry for found in walk(shelf, root)}


def expected(shelf: Shelf, left: Found, right: Found) -> list[tuple[bytes, Entry | None, Entry | None]]:
    """The same by walking both sides whole and comparing what was found."""
    one, two = flat(shelf, left), flat(shelf, right)
    together = sorted(one.keys() | two.keys(), key=parts)
    return [(path, one.get(path), two.get(path)) for path in together if one.get(path) != two.get(path)]


def found(pairs: list[Pair]) -> list[tuple[bytes, Entry | None, Entry | None]]:
    return [(pair.path, pair.left and pair.left.entry, pair.right and pair.right.entry) for pair in pairs]


def grown(random: Random, depth: int) -> Tree:
    names = [b"%03d%s" % (random.randrange(60), random.choice([b"", b".txt", b"-", b"a"])) for _ in range(12)]
    return {
        name: grown(random, depth - 1) if depth and random.random() < 0.3 else random.randrange(3) for name in names
    }


def changed(random: Random, tree: Tree, depth: int) -> Tree:
    """A copy of a tree with a few changes of every sort."""
    copy: Tree = {}
    for name, value in tree.items():
        chance = random.random()
        if chance < 0.1:
            continue
        if chance < 0.2:
            copy[name] = grown(random, depth - 1) if depth and isinstance(value, int) else random.randrange(9)
        else:
            copy[name] = value if isinstance(value, int) or chance < 0.5 else changed(random, value, depth - 1)
    return copy | ({b"new": 1} if random.random() < 0.3 else {})


@pytest.mark.parametrize("seed", range(60))
def test_agrees_with_comparing_every_path(seed: int) -> None:
    """The merge finds what a comparison of two full listings finds, in the order of a walk."""
    random = Random(seed)
    shelf = Shelf()
    tree = grown(random, 3)
    left, right = shelf.root(tree), shelf.root(changed(random, tree, 3))
    assert found(list(merge(shelf, left, right))) == expected(shelf, left, right)


def test_equal_trees_are_not_read() -> None:
    """Two equal roots differ nowhere, and none of their trees is opened."""
    shelf = Shelf()
    root = shelf.root({b"a": {b"b": 1}})
    assert list(merge(shelf, root, root)) == []
    assert shelf.read == []


def test_costs_what_changed() -> None:
    """One changed file among thousands in many directories opens the trees on its way and no others."""
    shelf = Shelf()
    tree: Tree = {b"d%04d" % number: {b"f%d" % file: 1 for file in range(5)} for number in range(3000)}
    left = shelf.root(tree)
    right = shelf.root(tree | {b"d1500": {b"f0": 2, b"f1": 1, b"f2": 1, b"f3": 1, b"f4": 1}})
    pairs = list(merge(shelf, left, right))
    assert [pair.path for pair in pairs] == [b"", b"d1500", b"d1500/f0"]
    assert len(set(shelf.read)) == 6  # node, part and directory on each side


@pytest.mark.parametrize("name", [b"f00000x", b"f09000x", b"f19999x"])
def test_large_directories_are_compared_part_by_part(name: bytes) -> None:
    """A name added to a directory of 20,000 opens only the parts around it."""
    shelf = Shelf()
    tree: Tree = {b"f%05d" % number: 1 for number in range(20_000)}
    left, right = shelf.root(tree), shelf.root(tree | {name: 1})
    assert [pair.path for pair in merge(shelf, left, right)] == [b"", name]
    assert len(set(shelf.read)) <= 6


def test_large_against_small() -> None:
    """A directory of several parts against one of a single part: all that is only on one side is told."""
    shelf = Shelf()
    tree: Tree = {b"f%05d" % number: 1 for number in range(5_000)}
    left, right = shelf.root(tree), shelf.root({b"f00002": 1, b"f00003": 2, b"g": 1})
    assert found(list(merge(shelf, left, right))) == expected(shelf, left, right)


def test_descend_keeps_out() -> None:
    """A pair for which `descend` says no is yielded, and nothing below it."""
    shelf = Shelf()
    left = shelf.root({b"a": {b"x": 1}, b"b": {b"y": 1}})
    right = shelf.root({b"a": {b"x": 2}, b"b": {b"y": 2}})
    pairs = merge(shelf, left, right, descend=lambda pair: pair.path != b"a")
    assert [pair.path for pair in pairs] == [b"", b"a", b"b", b"b/y"]


def test_names_of_owners_count() -> None:
    """The same number under another name is a difference; a name that one side does not know is none."""
    shelf = Shelf()
    tree: Tree = {b"f": 1}
    left = shelf.root(tree, Owners({7: "anna"}))
    assert [pair.path for pair in merge(shelf, left, shelf.root(tree, Owners({7: "otto"})))] == [b"", b"f"]
    assert [pair.path for pair in merge(shelf, left, shelf.root(tree))] == [b""]


@pytest.mark.parametrize("fields", [{3: "7"}, {3: []}, {4: {}}, {6: "now"}])
def test_an_entry_that_is_none_on_both_sides(fields: Wire) -> None:
    """Entries that are equal are looked at before the names of their owners are, and are damage where they are none."""
    shelf = Shelf()
    wire = {1: b"f", 2: stat.S_IFREG | 0o644, 3: 7, 4: 7, 5: 0, 6: 0} | fields
    sides = []
    for owners in (Owners({7: "anna"}), Owners({7: "otto"})):
        tree = shelf.add(pack_part([wire], owners))
        sides.append(Found(b"", Entry(b"", stat.S_IFDIR | 0o755, subtree=tree), owners))
    with pytest.raises(BlockDamaged):
        list(merge(shelf, *sides))


def test_an_entry_without_an_owner_on_both_sides() -> None:
    """Numbers that are missing are those of root, here as everywhere."""
    shelf = Shelf()
    wire = {1: b"f", 2: stat.S_IFREG | 0o644, 5: 0, 6: 0}
    trees = [shelf.add(pack_part([wire], owners)) for owners in (Owners({0: "root"}), Owners({0: "other"}))]
    left, right = (Found(b"", Entry(b"", stat.S_IFDIR | 0o755, subtree=tree), Owners()) for tree in trees)
    assert [pair.path for pair in merge(shelf, left, right)] == [b"", b"f"]
