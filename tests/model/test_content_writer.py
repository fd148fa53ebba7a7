"""Files into content lists: what an edit changes, and what it costs."""

from __future__ import annotations

import errno
import io
import random
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icc_store.codec.chunking import ChunkerParameters
from icc_store.ids import Kind, ObjectId
from icc_store.limits import KIB, MIB
from icc_store.model.content import HOLE, content_bytes, list_pieces, pack_list, plain_bytes, read_list
from icc_store.model.content_writer import store_stream
from icc_store.objects.writer import ObjectWriter
from tests.support.shelf import Shelf, noise, words


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def store(
    shelf: Shelf,
    extents: Sequence[bytes | int],
    *,
    earlier_list: ObjectId | None = None,
    earlier_chunk: ObjectId | None = None,
) -> ObjectId:
    """Store a file of data and holes in a run of its own; returns its list."""
    size = sum(part if isinstance(part, int) else len(part) for part in extents)
    streams = [part if isinstance(part, int) else io.BytesIO(part) for part in extents]
    with shelf.writing() as writer:
        identity, stored = store_stream(
            writer, shelf.reader, streams, size=size, earlier_list=earlier_list, earlier_chunk=earlier_chunk
        )
    assert stored == size
    return identity


def plain(shelf: Shelf, identity: ObjectId) -> bytes:
    return b"".join(plain_bytes(content_bytes(shelf.fresh(), None, identity)))


def stored_bytes(shelf: Shelf) -> int:
    with shelf.store.read() as txn:
        return sum(size for _, size in txn.block_sizes())


def parts_of(shelf: Shelf, identity: ObjectId) -> set[ObjectId]:
    """All lists of a file: root, nodes and parts."""
    found, open_lists = set(), [identity]
    while open_lists:
        one = open_lists.pop()
        found.add(one)
        parsed = read_list(shelf.reader, one)
        if parsed.level:
            open_lists += parsed.ids
    return found


def test_a_large_file_comes_back(shelf: Shelf) -> None:
    """A file is stored as chunks and read as itself."""
    data = noise(1, 5 * MIB + 77)
    identity = store(shelf, [data])
    assert plain(shelf, identity) == data
    assert len(read_list(shelf.reader, identity).ids) > 20


@settings(max_examples=30)
@given(
    st.lists(
        st.integers(1, 300_000)
        | st.tuples(st.integers(0, 5), st.integers(1, 400_000)).map(lambda pair: noise(pair[0], pair[1])),
        max_size=6,
    )
)
def test_holes_and_data_come_back(extents: list[bytes | int]) -> None:
    """Holes anywhere, one after the other, at the end or alone: the list tells them apart from data."""
    shelf = Shelf()
    identity = store(shelf, extents)
    expected = b"".join(bytes(part) if isinstance(part, int) else part for part in extents)
    assert plain(shelf, identity) == expected
    holes = [piece.length for piece in list_pieces(shelf.reader, identity) if piece.id == HOLE]
    assert holes == [part for part in extents if isinstance(part, int)]


def test_the_same_content_has_the_same_list(shelf: Shelf) -> None:
    """A file copied elsewhere, without an earlier version, has the id of the first one and costs nothing."""
    data = noise(2, 4 * MIB)
    first = store(shelf, [data])
    before = stored_bytes(shelf)
    assert store(shelf, [data]) == first
    assert stored_bytes(shelf) == before


def test_an_edit_costs_about_what_it_changed(shelf: Shelf) -> None:
    """16 KB changed in the middle of 20 MiB of noise add less than 64 KB, thanks to deltas against what stood there."""
    data = noise(3, 20 * MIB)
    first = store(shelf, [data])
    before = stored_bytes(shelf)
    edited = data[: 10 * MIB] + noise(4, 16 * KIB) + data[10 * MIB + 16 * KIB :]
    second = store(shelf, [edited], earlier_list=first)
    assert stored_bytes(shelf) - before < 64 * KIB
    assert plain(shelf, second) == edited
    assert plain(shelf, first) == data


def test_an_insertion_costs_about_what_it_adds(shelf: Shelf) -> None:
    """What moves behind an insertion is found again."""
    data = noise(5, 8 * MIB)
    first = store(shelf, [data])
    before = stored_bytes(shelf)
    longer = data[: 3 * MIB] + b"a few bytes more" + data[3 * MIB :]
    second = store(shelf, [longer], earlier_list=first)
    assert stored_bytes(shelf) - before < 8 * KIB
    assert plain(shelf, second) == longer


def test_appending_costs_about_what_is_appended(shelf: Shelf) -> None:
    """A growing transcript stores its tail: the last chunk is a delta, what is new is new."""
    data = words(6, 6 * MIB)
    first = store(shelf, [data])
    before = stored_bytes(shelf)
    longer = data + noise(7, 20_000)
    second = store(shelf, [longer], earlier_list=first)
    assert stored_bytes(shelf) - before < 40 * KIB
    assert plain(shelf, second) == longer


def test_a_file_that_outgrows_its_chunk_is_stored_once_more(shelf: Shelf) -> None:
    """Chunks of 64 KiB against one of 2 MiB would cost more to read than a delta may: they stand by themselves."""
    old = words(8, 2 * MIB)
    chunk = shelf.add(old)
    before = stored_bytes(shelf)
    grown = old + words(9, 10 * KIB)
    identity = store(shelf, [grown], earlier_chunk=chunk)
    assert plain(shelf, identity) == grown
    assert stored_bytes(shelf) - before < 1.2 * before


def test_a_file_keeps_its_chunker(shelf: Shelf) -> None:
    """A file that crosses a size step is cut as before, so that its chunks are found again."""
    data = noise(10, 3 * MIB)
    wide = ChunkerParameters(64 * KIB, 256 * KIB, 1024 * KIB)
    with shelf.writing() as writer:
        earlier = writer.add(Kind.LIST, pack_list(0, [], [], wide))
    identity = store(shelf, [data], earlier_list=earlier)
    assert read_list(shelf.reader, identity).chunker == wide
    assert len(read_list(shelf.reader, identity).ids) < 20


def test_a_change_rewrites_few_parts(shelf: Shelf) -> None:
    """In a list of thousands of chunks an edit rewrites the part around it, a neighbour at most, and the root."""
    small = ChunkerParameters(64, 256, 1024)
    data = noise(11, 4 * MIB)
    with shelf.writing() as writer:
        earlier = writer.add(Kind.LIST, pack_list(0, [], [], small))
    first = store(shelf, [data], earlier_list=earlier)
    before = parts_of(shelf, first)
    assert len(before) > 10
    changed = []
    chance = random.Random(11)
    for _ in range(12):
        at = chance.randrange(len(data))
        second = store(shelf, [data[:at] + b"edit" + data[at + 4 :]], earlier_list=first)
        changed.append(len(parts_of(shelf, second) - before))
    assert max(changed) <= 4
    assert sum(changed) / len(changed) < 3


def test_parts_are_written_against_earlier_parts(shelf: Shelf) -> None:
    """A changed part of a list costs a delta, not its thousand ids."""
    small = ChunkerParameters(64, 256, 1024)
    data = noise(12, 2 * MIB)
    with shelf.writing() as writer:
        earlier = writer.add(Kind.LIST, pack_list(0, [], [], small))
    first = store(shelf, [data], earlier_list=earlier)
    before = stored_bytes(shelf)
    store(shelf, [data[:MIB] + b"edit" + data[MIB + 4 :]], earlier_list=first)
    assert stored_bytes(shelf) - before < 1500


def test_a_wholly_new_content_is_stored(shelf: Shelf) -> None:
    """An earlier version that has nothing in common does no harm, however large."""
    first = store(shelf, [noise(13, 12 * MIB)])
    other = noise(14, 11 * MIB)
    second = store(shelf, [other], earlier_list=first)
    assert plain(shelf, second) == other


class Counting:
    """An adder that counts what is held back."""

    def __init__(self, writer: ObjectWriter) -> None:
        self._writer = writer
        self.added = 0

    def has(self, identity: ObjectId) -> bool:
        return self._writer.has(identity)

    def add(
        self, kind: Kind, data: bytes, *, identity: ObjectId | None = None, bases: Sequence[ObjectId] = ()
    ) -> ObjectId:
        self.added += len(data)
        return self._writer.add(kind, data, identity=identity, bases=bases)


def test_new_content_is_not_held_back_for_long(shelf: Shelf) -> None:
    """While no match comes, at most about 8 MiB wait: memory does not grow with the file."""
    with shelf.writing() as writer:
        adder = Counting(writer)

        def extents() -> Sequence[io.BytesIO]:
            waiting = []
            for seed in range(8):
                yield io.BytesIO(noise(seed, 4 * MIB))
                waiting.append((seed + 1) * 4 * MIB - adder.added)
            assert max(waiting) <= 13 * MIB

        store_stream(adder, shelf.reader, extents(), size=32 * MIB)


@pytest.mark.parametrize("size", [MIB // 2, MIB // 2 + 1, MIB, 3 * MIB, 7 * MIB + 1, 29 * MIB])
def test_what_is_read_ahead_comes_back(shelf: Shelf, size: int) -> None:
    """A file of one buffer, of a few of several sizes, and of many comes back; nothing is overwritten early."""
    data = noise(15, size)
    assert plain(shelf, store(shelf, [data])) == data


class Breaking(io.BytesIO):
    """A stream whose disk fails after some bytes."""

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self.tell() > 9 * MIB:
            raise OSError(errno.EIO, "Input/output error")
        return super().readinto(buffer)


def test_what_fails_while_it_is_read_ahead_is_told(shelf: Shelf) -> None:
    """A disk that fails far into a file ends its storing with that error, and no thread goes on."""
    with shelf.writing() as writer, pytest.raises(OSError, match="Input/output") as failure:
        store_stream(writer, shelf.reader, [Breaking(noise(16, 20 * MIB))], size=20 * MIB)
    assert failure.value.errno == errno.EIO
    assert not any(thread.name.startswith("cut") for thread in threading.enumerate())


def test_nothing_is_read_on_after_a_failure(shelf: Shelf) -> None:
    """When a chunk cannot be stored, nobody reads the stream any more once the error is told."""

    class Refusing(Counting):
        def add(self, *_: Any, **__: Any) -> ObjectId:
            raise RuntimeError("full")

    with shelf.writing() as writer, pytest.raises(RuntimeError, match="full") as failure:
        store_stream(Refusing(writer), shelf.reader, [io.BytesIO(noise(17, 40 * MIB))], size=40 * MIB)
    assert failure.traceback  # which keeps all frames alive
    assert not any(thread.name.startswith("cut") for thread in threading.enumerate())
