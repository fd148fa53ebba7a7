"""A store in memory with everything that objects need around it, for tests of objects and of what is made of them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from icc_store.clock import FixedClock
from icc_store.codec.hashing import object_id
from icc_store.ids import KEY_SIZE, Kind, ObjectId
from icc_store.monitor import SILENT, Monitor
from icc_store.objects.appending import append_content
from icc_store.objects.block import Block, Frame, decode_block, encode_block
from icc_store.objects.encoder import Encoder, Group, encode_frame
from icc_store.objects.index import unpack_row
from icc_store.objects.reader import ObjectReader
from icc_store.objects.writer import ObjectWriter
from icc_store.store.memory_store import MemoryStore
from icc_store.store.protocol import Store

REPOSITORY = bytes(range(16))


class Shelf:
    """Objects of one repository: add, get, and look at what became of them."""

    def __init__(self, store: Store | None = None) -> None:
        self.store: Store = MemoryStore() if store is None else store
        self.clock = FixedClock(1_700_000_000_000_000_000)
        self.reader = ObjectReader(self.store, REPOSITORY, clock=self.clock)

    @contextmanager
    def writing(self, *, encoder: Encoder | None = None, monitor: Monitor = SILENT) -> Iterator[ObjectWriter]:
        """A writer in the body; what was added is committed when it ends well."""
        given = encoder or Encoder(3)
        writer = ObjectWriter(self.store, self.reader, REPOSITORY, encoder=given, threads=2, monitor=monitor)
        try:
            yield writer
            writer.commit()
        finally:
            writer.close()

    def add(self, data: bytes, *, bases: Sequence[ObjectId] = (), kind: Kind = Kind.CHUNK) -> ObjectId:
        """Add one object and commit it."""
        with self.writing() as writer:
            return writer.add(kind, data, bases=bases)

    def put(self, frames: Sequence[Frame]) -> int:
        """Append a block made of these very frames, with its rows; returns its number."""
        with self.store.write() as txn:
            rows = {key: txn.row(key) for frame in frames for key in frame.bases}
            places = {key: unpack_row(row)[1].block for key, row in rows.items() if row is not None}
            append_content(txn, REPOSITORY, [(encode_block(REPOSITORY, frames), frames)], places)
            number = txn.last_block()
        self.reader.renew()
        return number

    def get(self, identity: ObjectId, kind: Kind = Kind.CHUNK) -> bytes:
        return self.reader.get(identity, kind)

    def fresh(self) -> ObjectReader:
        """A reader that has cached nothing."""
        return ObjectReader(self.store, REPOSITORY, clock=self.clock)

    def blocks(self) -> dict[int, Block]:
        """All blocks, parsed."""
        with self.store.read() as txn:
            return {number: decode_block(data, REPOSITORY) for number, data in txn.blocks()}

    def frame_of(self, identity: ObjectId) -> Frame:
        """The frame that holds an object."""
        found = self.reader.frame_of(identity)
        assert found is not None
        return found[2]


def words(seed: int, size: int) -> bytes:
    """Text that compresses like prose, different for each seed."""
    chance = random.Random(f"words {seed}")
    vocabulary = ["".join(chance.choices("abcdefghijklmnop", k=chance.randint(2, 9))) for _ in range(400)]
    text = ""
    while len(text) < size:
        text += " ".join(chance.choices(vocabulary, k=200)) + "\n"
    return text.encode()[:size]


def noise(seed: int, size: int) -> bytes:
    """Bytes that nothing compresses."""
    return random.Random(f"noise {seed}").randbytes(size)


def plain_frame(*parts: bytes, kind: Kind = Kind.CHUNK) -> Frame:
    """A frame of these objects, written against nothing."""
    return encode_frame(Group(kind, tuple(object_id(kind, part) for part in parts), parts), 3)


def delta_frame(*parts: bytes, bases: Sequence[bytes], depth: int, cost: int = 0, kind: Kind = Kind.CHUNK) -> Frame:
    """A frame of these objects against the plain bytes `bases`, whatever that saves."""
    ids = tuple(object_id(kind, part) for part in parts)
    keys = tuple(object_id(kind, base)[:KEY_SIZE] for base in bases)
    frame = encode_frame(Group(kind, ids, parts, keys, b"".join(bases), depth, cost), 3)
    assert frame.bases, "these parts are not worth a delta"
    return frame
