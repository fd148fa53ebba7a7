"""An end for those who visit every path: how many there are, and how deep."""

from __future__ import annotations

import pytest

from icc_store.errors import BlockDamaged, EndlessTree
from icc_store.ids import Kind, ObjectId
from icc_store.limits import MAX_PATHS, MAX_TREE_DEPTH
from icc_store.model.extent import PathBound, PathCounts, refuse_too_deep
from tests.support.forged import DIRECTORY, part, wire
from tests.support.shelf import Shelf


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def tower(shelf: Shelf, floors: int) -> ObjectId:
    """A tree with two files, under directories that hold the one below twice each."""
    tree = shelf.add(part(wire(b"a"), wire(b"b")), kind=Kind.TREE)
    for _ in range(floors):
        data = part(wire(b"a", DIRECTORY, key9=tree), wire(b"b", DIRECTORY, key9=tree))
        tree = shelf.add(data, kind=Kind.TREE)
    return tree


@pytest.mark.parametrize("floors", [0, 1, 5, 20])
def test_paths_are_counted(shelf: Shelf, floors: int) -> None:
    """Files and directories, each as often as there is a path to it, though every tree is read once."""
    assert PathCounts(shelf.reader).below(tower(shelf, floors)) == 2 ** (floors + 2) - 2


def test_counting_ends_where_the_bound_does(shelf: Shelf) -> None:
    """Of what nobody can have it is enough to know that."""
    assert PathCounts(shelf.reader).below(tower(shelf, 500)) == MAX_PATHS + 1


def test_what_cannot_be_read_counts_nothing(shelf: Shelf) -> None:
    """The bound does not judge damage: it counts what it can read."""
    missing = ObjectId(b"x" * 32)
    tree = shelf.add(part(wire(b"a"), wire(b"b", DIRECTORY, key9=missing)), kind=Kind.TREE)
    assert PathCounts(shelf.reader).below(tree) == 2


def test_a_walk_of_what_is_endless_ends(shelf: Shelf) -> None:
    """It goes on for a while without a look at what is ahead, and then knows."""
    bound = PathBound(shelf.reader, tower(shelf, 40))
    for _ in range(1 << 18):
        bound.met()
    with pytest.raises(EndlessTree, match=r"4,294,967,296"):
        bound.met()


def test_a_walk_of_many_paths_goes_on(shelf: Shelf) -> None:
    """Millions of files are nothing that is refused, and counted only once."""
    bound = PathBound(shelf.reader, None, tower(shelf, 22))
    for _ in range(2**8):
        bound.met(2**16)


def test_a_directory_that_is_too_deep(shelf: Shelf) -> None:
    """The root and those above the bound are followed, the first one beyond is not."""
    for names in (0, 1, MAX_TREE_DEPTH - 1):
        refuse_too_deep(b"/".join([b"d"] * names))
    with pytest.raises(BlockDamaged, match="deeper"):
        refuse_too_deep(b"/".join([b"d"] * MAX_TREE_DEPTH))
