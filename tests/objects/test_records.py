"""Records in blocks of their own."""

from __future__ import annotations

import pytest

from icc_store.codec.hashing import object_id
from icc_store.errors import IccStoreError
from icc_store.ids import KEY_SIZE, Kind
from icc_store.limits import MAX_OBJECT_SIZE
from icc_store.objects.block import decode_block
from icc_store.objects.records import append_record, read_copy, remove_record
from icc_store.objects.records import copies as second_copies
from icc_store.store.protocol import Table
from tests.support.shelf import REPOSITORY, Shelf, words


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.mark.parametrize("kind", [Kind.SNAPSHOT, Kind.ANNOTATION])
def test_a_record_has_a_block_of_its_own(shelf: Shelf, kind: Kind) -> None:
    """Nothing else stands in a record's block, whatever the same transaction writes."""
    with shelf.store.write() as txn:
        first = append_record(txn, REPOSITORY, kind, words(1, 300))
        second = append_record(txn, REPOSITORY, kind, words(2, 300))
    assert [[frame.ids for frame in block.frames] for block in shelf.blocks().values()] == [[(first,)], [(second,)]]
    assert shelf.get(first, kind) == words(1, 300)
    assert first == object_id(kind, words(1, 300))


def test_a_snapshot_record_is_stored_twice(shelf: Shelf) -> None:
    """The copy is a whole block of another uid in a table of its own; an annotation has none."""
    with shelf.store.write() as txn:
        snapshot = append_record(txn, REPOSITORY, Kind.SNAPSHOT, b"a record")
        append_record(txn, REPOSITORY, Kind.ANNOTATION, b"an annotation")
    with shelf.store.read() as txn:
        copies = dict(second_copies(txn))
    assert set(copies) == {snapshot[:KEY_SIZE]}
    copy = decode_block(copies[snapshot[:KEY_SIZE]], REPOSITORY)
    assert copy.frames == shelf.blocks()[1].frames
    assert copy.uid != shelf.blocks()[1].uid


def test_a_second_copy_can_be_read_alone(shelf: Shelf) -> None:
    """Each copy is found by the record's id and proven by it; a damaged one counts as none."""
    with shelf.store.write() as txn:
        ids = [append_record(txn, REPOSITORY, Kind.SNAPSHOT, words(seed, 400)) for seed in range(3)]
        for number in (1, 2, 3):
            txn.delete_block(number)
    with shelf.store.read() as txn:
        assert [read_copy(txn, REPOSITORY, identity) for identity in ids] == [words(seed, 400) for seed in range(3)]
        assert read_copy(txn, REPOSITORY, object_id(Kind.SNAPSHOT, b"never stored")) is None
        key, data = list(txn.items(Table.COPIES))[1]
    with shelf.store.write() as txn:
        txn.put(Table.COPIES, key, data[:-1] + bytes([data[-1] ^ 1]))
    with shelf.store.read() as txn:
        assert read_copy(txn, REPOSITORY, ids[1]) is None
        assert read_copy(txn, REPOSITORY, ids[2]) == words(2, 400)


def test_a_removed_record_leaves_nothing(shelf: Shelf) -> None:
    """Block, row and copy go together, and what became free is told."""
    with shelf.store.write() as txn:
        identity = append_record(txn, REPOSITORY, Kind.SNAPSHOT, words(3, 3000))
        stored = len(txn.block(1) or b"") + sum(len(data) for _, data in second_copies(txn))
        assert remove_record(txn, identity) == stored
        assert remove_record(txn, identity) == 0
    with shelf.store.read() as txn:
        assert not list(txn.blocks())
        assert not list(txn.rows())
        assert not list(txn.items(Table.COPIES))


@pytest.mark.parametrize("size", [0, MAX_OBJECT_SIZE + 1])
def test_a_record_that_could_not_be_read_is_refused(shelf: Shelf, size: int) -> None:
    """A record beyond the limits of the format never becomes a snapshot that cannot be opened."""
    with shelf.store.write() as txn, pytest.raises(IccStoreError, match="cannot be stored"):
        append_record(txn, REPOSITORY, Kind.SNAPSHOT, bytes(size))
