"""Files that came from one tree to another."""

from __future__ import annotations

import random
from itertools import pairwise

from icc_store.ids import Kind
from icc_store.model.repository import Repository
from icc_store.operations.memory.tree_newcomers import TreeNewcomers
from tests.support.reads import reads
from tests.support.snapshots import take


def test_random_trees_agree_with_sets(repository: Repository) -> None:
    """Between any two of ten random trees, in any direction, it is the difference of their paths."""
    rng = random.Random(2)
    paths = [f"{a}/{b}/{c}" for a in "ab" for b in "cd" for c in range(6)] + ["top", "a/c/x/y", "b/z"]
    trees = []
    for _ in range(10):
        files = {path: rng.randbytes(2) for path in paths if rng.random() < 0.6}
        trees.append((take(repository, files).record.root, files))
    newcomers = TreeNewcomers(repository.objects)
    for _ in range(60):
        (before, old), (after, new) = rng.choices(trees, k=2)
        found = dict(newcomers.between(before, after))
        assert {path.decode() for path in found} == new.keys() - old.keys()
        assert all(found[path.encode()].size == 2 for path in new.keys() - old.keys())


def test_a_file_that_became_a_directory(repository: Repository) -> None:
    """What is in a directory that was a file has come, and so has a file that was a directory."""
    one, two = (take(repository, files).record.root for files in ({"a": b"1", "d": b"1"}, {"a/b": b"1", "d": b"2"}))
    newcomers = TreeNewcomers(repository.objects)
    assert [path for path, _ in newcomers.between(one, two)] == [b"a/b"]
    assert [path for path, _ in newcomers.between(two, one)] == [b"a"]


def test_trees_are_listed_once(repository: Repository) -> None:
    """Twenty steps through a history read each tree that differs once, and no other."""
    fixed = {f"same/{n}": b"x" for n in range(10)}
    roots = [take(repository, fixed | {f"d/{n}": b"x" for n in range(day)}).record.root for day in range(1, 21)]
    newcomers = TreeNewcomers(repository.objects)
    with reads(repository) as seen:
        for day, (before, after) in enumerate(pairwise(roots), 1):
            assert [path for path, _ in newcomers.between(before, after)] == [f"d/{day}".encode()]
    listed, looked_up = 2 * 20, 19
    assert len(seen.of(Kind.TREE)) == listed + looked_up
