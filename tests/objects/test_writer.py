"""Objects into blocks."""

from __future__ import annotations

import os
import threading

import pytest

from icc_store.codec.hashing import chunk_id
from icc_store.errors import IccStoreError, ReadOnlyRepository
from icc_store.ids import KEY_SIZE, Kind
from icc_store.limits import (
    BATCH_BYTES,
    BLOCK_STORED_SIZE,
    KIB,
    MAX_OBJECT_SIZE,
    MAX_OBJECTS_PER_FRAME,
    MIB,
    PENDING_BYTES,
)
from icc_store.objects.appending import BaseCollected
from icc_store.objects.index import pack_row
from icc_store.objects.writer import ObjectWriter
from icc_store.store.protocol import WriteTransaction
from tests.support.shelf import Shelf, noise, words


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def test_an_object_is_stored_once(shelf: Shelf) -> None:
    """The same bytes, in one run or the next, take no second place."""
    data = words(1, 900)
    with shelf.writing() as writer:
        first = writer.add(Kind.CHUNK, data)
        assert writer.add(Kind.CHUNK, data) == first == chunk_id(data)
        assert writer.counters.objects == 1
    before = len(shelf.blocks())
    with shelf.writing() as writer:
        assert writer.has(first)
        writer.add(Kind.CHUNK, data)
        assert writer.counters.objects == 0
    assert len(shelf.blocks()) == before


def test_nothing_is_stored_before_the_commit(shelf: Shelf) -> None:
    """What waits is known to its writer and to nobody else; what is not committed is gone."""
    identity = chunk_id(b"a few bytes")

    def interrupted(writer: ObjectWriter) -> None:
        writer.add(Kind.CHUNK, b"a few bytes")
        assert writer.has(identity)
        assert not shelf.reader.contains(identity)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), shelf.writing() as writer:
        interrupted(writer)
    assert not shelf.fresh().contains(identity)
    assert not shelf.blocks()


def test_an_empty_commit_writes_nothing(shelf: Shelf) -> None:
    """A run that found nothing new makes no transaction."""
    with shelf.store.read() as txn:
        before = txn.sequence
    with shelf.writing():
        pass
    with shelf.store.read() as txn:
        assert txn.sequence == before


def test_small_objects_share_a_frame_in_order(shelf: Shelf) -> None:
    """New objects of one kind stand in one solid frame, in the order they came."""
    parts = [words(seed, 700) for seed in range(50)]
    with shelf.writing() as writer:
        ids = [writer.add(Kind.CHUNK, part) for part in parts]
    (block,) = shelf.blocks().values()
    (frame,) = block.frames
    assert list(frame.ids) == ids
    assert [shelf.get(identity) for identity in ids] == parts


def test_kinds_never_share_a_frame(shelf: Shelf) -> None:
    """A frame holds objects of one kind."""
    with shelf.writing() as writer:
        for kind in (Kind.TREE, Kind.CHUNK, Kind.LIST, Kind.XATTRS):
            writer.add(kind, words(kind, 500))
    kinds = [frame.kind for block in shelf.blocks().values() for frame in block.frames]
    assert kinds == [Kind.CHUNK, Kind.XATTRS, Kind.LIST, Kind.TREE]


def test_what_does_not_compress_is_stored_raw(shelf: Shelf) -> None:
    """Random bytes cost their own size and the directory, no more."""
    identity = shelf.add(noise(1, 100_000))
    assert shelf.frame_of(identity).stored == noise(1, 100_000)


def test_many_tiny_objects_fit_their_blocks(shelf: Shelf) -> None:
    """Files of five bytes: no frame holds more objects than a block has positions for."""
    parts = [b"%05d" % number for number in range(60_000)]
    with shelf.writing() as writer:
        ids = [writer.add(Kind.CHUNK, part) for part in parts]
    assert max(len(frame.ids) for block in shelf.blocks().values() for frame in block.frames) <= MAX_OBJECTS_PER_FRAME
    for number in (0, 1, 32_767, 32_768, 59_999):
        assert shelf.reader.contains(ids[number])
        assert shelf.get(ids[number]) == parts[number]


def test_many_tiny_deltas_fit_their_blocks(shelf: Shelf) -> None:
    """The same for a group of deltas."""
    text = words(2, 1000)
    base = shelf.add(text)
    parts = [text[-3:] + b"%05d" % number for number in range(12_000)]
    with shelf.writing() as writer:
        ids = [writer.add(Kind.CHUNK, part, bases=[base]) for part in parts]
    assert max(len(frame.ids) for block in shelf.blocks().values() for frame in block.frames) <= MAX_OBJECTS_PER_FRAME
    assert [shelf.get(identity) for identity in ids[::500]] == parts[::500]


@pytest.mark.parametrize("size", [0, MAX_OBJECT_SIZE + 1])
def test_what_could_not_be_read_again_is_refused(shelf: Shelf, size: int) -> None:
    """An object that no reader would accept is an error when it is added, not when it is needed."""
    with shelf.writing() as writer:
        with pytest.raises(IccStoreError, match=f"{size} bytes"):
            writer.add(Kind.TREE, bytes(size))
        assert not writer.has(chunk_id(bytes(size)))


def test_the_largest_object_comes_back(shelf: Shelf) -> None:
    """An object of MAX_OBJECT_SIZE is stored and read, as it is and as a delta."""
    data = noise(2, MIB) * (MAX_OBJECT_SIZE // MIB)
    base = shelf.add(data)
    assert shelf.get(base) == data
    changed = data[:-4] + b"tail"
    delta = shelf.add(changed, bases=[base])
    assert shelf.fresh().get(delta, Kind.CHUNK) == changed


def test_large_objects_have_blocks_of_their_own(shelf: Shelf) -> None:
    """A chunk that fills a block shares it with nobody, so that gc can drop it alone."""
    with shelf.writing() as writer:
        ids = [writer.add(Kind.CHUNK, noise(seed, 2 * BLOCK_STORED_SIZE)) for seed in range(4)]
    assert [[frame.ids for frame in block.frames] for block in shelf.blocks().values()] == [[(one,)] for one in ids]


def test_much_content_is_committed_in_batches(shelf: Shelf) -> None:
    """A run of five batches does not wait with all of it: one batch waits, and about as much is in the pool."""
    with shelf.store.read() as txn:
        before = txn.sequence
    with shelf.writing() as writer:
        ids = [writer.add(Kind.CHUNK, noise(seed, MIB)) for seed in range(5 * BATCH_BYTES // MIB)]
        with shelf.store.read() as txn:
            assert 2 <= txn.sequence - before <= 4
        assert all(writer.has(identity) for identity in ids)
    assert all(shelf.reader.contains(identity) for identity in ids)
    assert shelf.get(ids[0]) == noise(0, MIB)


def test_children_are_committed_with_their_tree(shelf: Shelf) -> None:
    """Whatever batch a tree falls into, what was added before it is committed no later."""
    with shelf.store.read() as txn:
        before = txn.sequence
    with shelf.writing() as writer:
        child = writer.add(Kind.CHUNK, b"waits in its queue")
        tree = writer.add(Kind.TREE, words(3, 100))
        for seed in range((BATCH_BYTES + PENDING_BYTES) // MIB):
            writer.add(Kind.CHUNK, noise(seed, MIB))
        writer.rest()
        with shelf.store.read() as txn:
            assert txn.sequence - before == 1
            assert txn.row(child[:KEY_SIZE]) is not None
            assert txn.row(tree[:KEY_SIZE]) is not None


def test_a_commit_that_raised_can_be_tried_again(shelf: Shelf) -> None:
    """When the last step of a commit fails, nothing is written, and the next try writes all of it."""

    def fail(_: WriteTransaction) -> None:
        raise ReadOnlyRepository("not now")

    with shelf.writing() as writer:
        identity = writer.add(Kind.CHUNK, words(4, 1000))
        with pytest.raises(ReadOnlyRepository):
            writer.commit(fail)
        assert not shelf.fresh().contains(identity)
        assert writer.counters.stored_bytes == 0
        assert writer.has(identity)
    assert shelf.get(identity) == words(4, 1000)


def test_counters_are_complete_when_the_record_is_made(shelf: Shelf) -> None:
    """`finish` sees the stored bytes of its own transaction, since the record writes them down."""
    found = []
    with shelf.writing() as writer:
        writer.add(Kind.CHUNK, noise(5, 5000))
        writer.commit(lambda txn: found.append((writer.counters.plain_bytes, writer.counters.stored_bytes)))
    assert found[0][0] == 5000
    with shelf.store.read() as txn:
        assert found[0][1] == sum(size for _, size in txn.block_sizes())


def test_a_base_that_gc_took_is_noticed(shelf: Shelf) -> None:
    """A delta is never committed without its base; what waited is dropped, and can be added again."""
    old, new = words(6, 5000), words(6, 5000) + b"new"
    base = shelf.add(old)
    with shelf.writing() as writer:
        identity = writer.add(Kind.CHUNK, new, bases=[base])
        with shelf.store.write() as txn:
            txn.delete_rows([pack_row(base[:KEY_SIZE], 1, 0)])
            txn.delete_block(1)
        with pytest.raises(BaseCollected):
            writer.commit()
        assert writer.counters.stored_bytes == 0
        assert not writer.has(identity)
        shelf.reader.forget()
        writer.add(Kind.CHUNK, new, bases=[base])
    assert shelf.fresh().get(identity, Kind.CHUNK) == new
    assert not shelf.frame_of(identity).bases


def test_rows_are_sorted_and_complete(shelf: Shelf) -> None:
    """Every object of every block has its row, and no row leads elsewhere."""
    with shelf.writing() as writer:
        for seed in range(300):
            writer.add(Kind.CHUNK, words(seed, 2 * KIB))
    expected = []
    for number, block in shelf.blocks().items():
        ids = [identity for frame in block.frames for identity in frame.ids]
        expected += [pack_row(identity[:KEY_SIZE], number, position) for position, identity in enumerate(ids)]
    with shelf.store.read() as txn:
        assert list(txn.rows()) == sorted(expected)


def test_small_work_starts_no_threads(shelf: Shelf) -> None:
    """A snapshot of a few files is compressed in the caller's thread; a pool is for more."""
    with shelf.writing() as writer:
        writer.add(Kind.CHUNK, words(7, 10_000))
        writer.commit()
        assert writer._pool is None
        for seed in range(6):
            writer.add(Kind.CHUNK, os.urandom(100 * KIB) + words(seed, 100))
        assert writer._pool is not None


@pytest.mark.parametrize("at_most", [None, 0, 1])
def test_a_writer_that_rested_has_no_threads(shelf: Shelf, at_most: int | None) -> None:
    """And goes on as before, with as many as it may have then."""

    def encoders() -> int:
        return sum(thread.name.startswith("encode") for thread in threading.enumerate())

    data = [noise(seed, 300 * KIB) for seed in range(12)]
    with shelf.writing() as writer:
        ids = [writer.add(Kind.CHUNK, each) for each in data[:6]]
        assert encoders()
        writer.rest(at_most=at_most)
        assert not encoders()
        ids += [writer.add(Kind.CHUNK, each) for each in data[6:]]
        assert encoders() <= (2 if at_most is None else at_most)
    assert [shelf.fresh().get(identity, Kind.CHUNK) for identity in ids] == data
