"""Objects out of blocks: look up, decode, and prove by their ids.

Decoded frames are kept in a small cache, because neighbours are usually read together. A reader sees one commit and
moves to the newest one at least every second, so that it never holds back the reuse of freed pages.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import takewhile
from types import TracebackType
from typing import Self

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.codec.compression import decompress
from icc_store.codec.hashing import object_id
from icc_store.errors import BlockDamaged, DamageError, ObjectMissing
from icc_store.ids import KEY_SIZE, ObjectId
from icc_store.limits import (
    BLOCK_CACHE_BYTES,
    FRAME_CACHE_BYTES,
    MAX_CLOSURE_SIZE,
    MAX_PREFIX_SIZE,
    MAX_READ_DEPTH,
    MIB,
    READ_TXN_BYTES,
    READ_TXN_SECONDS,
)
from icc_store.objects.block import RAW, ZSTD_IDS, Block, Frame, decode_block
from icc_store.objects.index import Location, is_base_row, unpack_row
from icc_store.store.protocol import ReadTransaction, Store

_LOOKS = 3
"""How often an object is looked up again when its block was moved meanwhile."""


class ObjectReader:
    """Reads objects of one repository. For one thread."""

    def __init__(
        self, store: Store, repository: bytes, *, cache_bytes: int = FRAME_CACHE_BYTES, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._store = store
        self._repository = repository
        self._clock = clock
        self._stack = ExitStack()
        self._txn: ReadTransaction | None = None
        self._txn_ends = 0.0
        self._txn_bytes = 0
        self._cache_bytes = cache_bytes
        self._block_limit = BLOCK_CACHE_BYTES
        self._cached = 0
        self._frames: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._blocks: OrderedDict[int, tuple[Block, int]] = OrderedDict()
        self._block_bytes = 0
        self._decoded = 0
        """Plain bytes of frames decoded for the object that is read now."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.renew()

    def renew(self) -> None:
        """End the current view; the next read sees the newest commit. Cached frames stay: objects never change."""
        self._txn = None
        self._stack.close()

    def forget(self) -> None:
        """Drop what is cached as well: after blocks were deleted or moved."""
        self.renew()
        self._frames.clear()
        self._blocks.clear()
        self._cached = self._block_bytes = 0

    def keep(self, frames: int, blocks: int) -> None:
        """From now on keep no more than so many bytes of decoded frames, and of parsed blocks."""
        self.forget()
        self._cache_bytes, self._block_limit = frames, blocks

    @property
    def transaction(self) -> ReadTransaction:
        """The current view, renewed when it has grown old."""
        txn = self._txn
        if txn is None or self._txn_bytes > READ_TXN_BYTES or self._clock.monotonic() > self._txn_ends:
            self.renew()
            txn = self._txn = self._stack.enter_context(self._store.read())
            self._txn_ends = self._clock.monotonic() + READ_TXN_SECONDS
            self._txn_bytes = 0
        return txn

    def locate(self, key: bytes) -> Location | None:
        """Where the object is whose id starts with `key` (an id or its first 16 bytes), or None."""
        row = self.transaction.row(key[:KEY_SIZE])
        return None if row is None else unpack_row(row)[1]

    def contains(self, identity: ObjectId) -> bool:
        """Whether something new may refer to this object."""
        row = self.transaction.row(identity[:KEY_SIZE])
        if row is None:
            return False
        return not is_base_row(row) or any(not place.base_only for place in self.places(identity))

    def get(self, identity: ObjectId, kind: int) -> bytes:
        """The plain bytes of an object, proven by its id. Where one copy is damaged, the others are tried.

        Raises ObjectMissing when it is not indexed, BlockDamaged when it cannot be read or is something else.
        """
        number = 0
        failure: DamageError | None = None
        for _ in range(_LOOKS):
            number, failure = 0, None  # of this look: by the next one, what was moved may be gone
            for location in self.places(identity):
                number = location.block
                try:
                    data = self._proven(location, identity, kind)
                except DamageError as error:
                    failure = failure or error
                    continue
                if data is not None:
                    return data
            if failure is not None:
                raise failure
            if not number:
                raise ObjectMissing(f"object {identity.hex()} is missing", hint="run `icc-store verify`")
            self.forget()  # the block was moved since the row was read: look again
        raise BlockDamaged(f"object {identity.hex()} is in block {number}, which is missing")

    def places(self, key: bytes) -> Iterator[Location]:
        """Every place of an object: two runs at a time may have stored it twice, and a base may be stored anew."""
        first = self.locate(key)
        if first is not None:
            yield first
            rows = takewhile(lambda row: row.startswith(key[:KEY_SIZE]), self.transaction.rows(key[:KEY_SIZE]))
            yield from [place for place in (unpack_row(row)[1] for row in rows) if place != first]

    def _proven(self, location: Location, identity: ObjectId, kind: int) -> bytes | None:
        """The object at one place, or None when there is no such block."""
        block = self.block(location.block)
        if block is None:
            return None
        data = self._object(location, block, identity, kind)
        if object_id(kind, data) != identity:
            raise BlockDamaged(f"object {identity.hex()} does not have the bytes its id says")
        return data

    def block(self, number: int) -> Block | None:
        """A parsed block, or None when there is none of that number. Raises BlockDamaged."""
        known = self._blocks.get(number)
        if known is not None:
            return known[0]
        data = self.transaction.block(number)
        if data is None:
            return None
        self._txn_bytes += len(data)
        try:
            block = decode_block(data, self._repository)
        except BlockDamaged as error:
            raise BlockDamaged(f"block {number} is damaged: {error.message}") from error
        self._blocks[number] = block, len(data)
        self._block_bytes += len(data)
        while self._block_bytes > self._block_limit and len(self._blocks) > 1:
            self._block_bytes -= self._blocks.popitem(last=False)[1][1]
        return block

    def frame_of(self, key: bytes) -> tuple[Location, int, Frame, int] | None:
        """Location, frame number, frame and place in it of an object, or None when it is not to be had."""
        location = self.locate(key)
        block = None if location is None else self.block(location.block)
        if location is None or block is None:
            return None
        number, within = block.frame_at(location.position)
        return location, number, block.frames[number], within

    def frame_plain(self, number: int, block: Block, frame_number: int, depth: int = 0) -> bytes:
        """The plain bytes of a frame. Raises BlockDamaged."""
        cached = self._frames.get((number, frame_number))
        if cached is not None:
            self._frames.move_to_end((number, frame_number))
            return cached
        frame = block.frames[frame_number]
        self._decoded = frame.plain_size + (self._decoded if depth else 0)
        if depth > MAX_READ_DEPTH or self._decoded > MAX_CLOSURE_SIZE:
            raise BlockDamaged(f"block {number} builds on other objects without end")
        try:
            if frame.codec == RAW:
                plain = frame.stored
            else:
                prefix = self._prefix(number, frame, depth)
                if frame.codec == ZSTD_IDS:
                    prefix += block.ids_through(frame_number)
                plain = decompress(frame.stored, frame.plain_size, prefix)
        except ValueError as error:
            raise BlockDamaged(f"block {number} cannot be decoded: {error}") from error
        if len(plain) != frame.plain_size:
            raise BlockDamaged(f"block {number} holds a frame of another size than it says")
        self._remember(number, frame_number, plain)
        return plain

    def _prefix(self, number: int, frame: Frame, depth: int) -> bytes:
        """What stands before a frame. Bounded, since a hostile block names as many bases as it likes."""
        bases: list[bytes] = []
        size = 0
        for key in frame.bases:
            bases.append(self.base(key, frame.depth, depth + 1))
            size += len(bases[-1])
            if size > MAX_PREFIX_SIZE:
                raise BlockDamaged(f"block {number} builds on more than {MAX_PREFIX_SIZE // MIB} MiB of other objects")
        return b"".join(bases)

    def _remember(self, number: int, frame_number: int, plain: bytes) -> None:
        self._frames[number, frame_number] = plain
        self._cached += len(plain)
        while self._cached > self._cache_bytes and len(self._frames) > 1:
            self._cached -= len(self._frames.popitem(last=False)[1])

    def _object(self, location: Location, block: Block, identity: bytes, kind: int | None, depth: int = 0) -> bytes:
        number, position = location.block, location.position
        frame_number, within = block.frame_at(position)
        frame = block.frames[frame_number]
        if not frame.ids[within].startswith(identity) or kind not in (None, frame.kind):
            raise BlockDamaged(f"the index says {identity.hex()} is in block {number}, but another object is there")
        plain = self.frame_plain(number, block, frame_number, depth)
        if len(frame.lengths) == 1:
            return plain
        start = sum(frame.lengths[:within])
        return plain[start : start + frame.lengths[within]]

    def base_location(self, key: bytes, below: int) -> Location | None:
        """The copy of a base that frames of depth `below` are read with, or None when there is none."""
        for location in self.places(key):
            block = self.block(location.block)
            if block is not None and block.frames[block.frame_at(location.position)[0]].depth < below:
                return location
        return None

    def base(self, key: bytes, below: int, depth: int = 0) -> bytes:
        """A base of a frame of depth `below`, not proven: that is up to the objects written against it.

        Only a copy of less depth will do, so that no chain closes to a ring. Raises ObjectMissing, BlockDamaged.
        """
        failure: DamageError | None = None
        for _ in range(_LOOKS):
            moved = False
            for location in self.places(key):
                block = self.block(location.block)
                try:
                    if block is None:
                        moved = True
                    elif block.frames[block.frame_at(location.position)[0]].depth < below:
                        return self._object(location, block, key, None, depth)
                except DamageError as error:
                    failure = failure or error
            if not moved:
                break
            self.forget()
        raise failure or ObjectMissing(f"the base object {key.hex()} is missing", hint="run `icc-store verify`")
