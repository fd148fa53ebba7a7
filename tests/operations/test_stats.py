"""What the repository holds, counted, and what each step saves."""

from __future__ import annotations

import random

import pytest

from icc_store.clock import FixedClock
from icc_store.ids import Kind
from icc_store.limits import KIB
from icc_store.model.record import Subject
from icc_store.model.repository import Repository
from icc_store.operations.stats import stats
from icc_store.store.protocol import Table
from tests.support.snapshots import take


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(10**18)


def test_nothing(repository: Repository) -> None:
    """An empty repository has no objects, and takes some room on disk."""
    found = stats(repository)
    assert found.kinds == ()
    assert (found.steps.logical, found.steps.unique, found.steps.stored, found.block_count) == (0, 0, 0, 0)
    assert found.steps.disk > 0


def test_counts_by_kind(repository: Repository) -> None:
    """Every object is counted once under its kind, with the bytes it has and those it takes."""
    noise = random.Random(1)
    take(repository, {"a": b"hello", "b": b"hello", "large": noise.randbytes(3 << 20)})
    two = take(repository, {"a": b"hello", "new": b"x" * 100})
    repository.annotate(two.id, Subject.FORGOTTEN, value=True)
    found = stats(repository)
    kinds = {one.kind: one for one in found.kinds}
    assert set(kinds) == {Kind.CHUNK, Kind.LIST, Kind.TREE, Kind.SNAPSHOT, Kind.ANNOTATION}
    assert kinds[Kind.CHUNK].plain == 5 + 100 + (3 << 20)
    assert (kinds[Kind.TREE].objects, kinds[Kind.SNAPSHOT].objects, kinds[Kind.ANNOTATION].objects) == (2, 2, 1)
    assert found.steps.logical == 5 + 5 + (3 << 20) + 5 + 100
    assert found.steps.unique == sum(one.plain for one in found.kinds)
    assert found.steps.stored == sum(one.stored for one in found.kinds)
    assert found.steps.stored < found.steps.blocks < found.steps.disk
    assert (len(found.snapshots), found.forgotten) == (2, 1)


def test_grouping_and_deltas_show(repository: Repository) -> None:
    """Like files in groups save against each alone, and versions of one file against each other."""
    noise = random.Random(2)
    heading = noise.randbytes(400).hex()
    take(repository, {f"{n}": f"{heading} {noise.getrandbits(64)}".encode() for n in range(400)})
    first = stats(repository)
    assert first.steps.alone > 5 * first.steps.grouped
    assert first.steps.grouped >= first.steps.stored
    big = random.Random(3).randbytes(64 * KIB)
    with repository.adding() as run:
        base = run.writer.add(Kind.CHUNK, big)
        run.writer.commit()
        run.writer.add(Kind.CHUNK, big[:-1] + b"x", bases=(base,))
        run.writer.commit()
    second = stats(repository)
    chunks = next(one for one in second.kinds if one.kind == Kind.CHUNK)
    assert chunks.delta_objects == 1
    assert second.steps.grouped - second.steps.stored > 60 * KIB


def test_damaged_blocks_are_named(repository: Repository) -> None:
    """A block that cannot be read is left out and named; the others count."""
    take(repository, {"a": b"1" * 1000})
    before = stats(repository)
    with repository.store.write() as txn:
        number = txn.append_block(b"not a block")
        txn.delete(Table.SEEN, b"none")
    found = stats(repository)
    assert [block for block, _ in found.damaged] == [number]
    assert found.kinds == before.kinds
