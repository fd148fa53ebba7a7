"""Plain objects into frames, and frames into blocks: the work between gathering and committing.

Every frame is decoded again and compared before anybody may commit it: compression that cannot be undone is found
while the source is still there. It is tried once more then; what cannot be compressed at all is kept as it is, since
no failure of a compressor is worth losing a file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from icc_store.codec.compression import compress, decompress
from icc_store.codec.hashing import object_id
from icc_store.ids import ObjectId
from icc_store.limits import (
    BLOCK_STORED_SIZE,
    DEFAULT_LEVEL,
    DELTA_LEVEL,
    DELTA_WORTH,
    KIB,
    LARGE_DELTA_LEVEL,
    MAX_OBJECTS_PER_BLOCK,
    NO_COMPRESSION,
    SMALL_BLOCK_SIZE,
    SMALL_BLOCK_TARGET,
)
from icc_store.objects.block import HEADER_SIZE, RAW, ZSTD, ZSTD_IDS, Frame, directory_size
from icc_store.quick_dataclass import dataclass

_LARGE_DELTA = 256 * KIB
_RAW_WORTH = 0.98
_PAGE = 4096
_PAGE_HEADER = 16
_ARRAY_HEAD = 3
_TRIES = 2


class _NotUndone(Exception):
    """A compressed frame does not decode to what went in. Never seen outside."""


@dataclass(frozen=True)
class Group:
    """Objects of one kind that become one frame, with the bases they are written against, if any."""

    kind: int
    ids: tuple[ObjectId, ...]
    parts: tuple[bytes, ...]
    bases: tuple[bytes, ...] = ()
    base_data: bytes = b""
    depth: int = 0
    cost: int = 0


class Compressor(Protocol):
    """What makes fewer bytes of many; `decompress` must undo it. May raise whatever it likes."""

    def __call__(self, data: bytes, level: int, prefix: bytes = b"") -> bytes:
        """`data` as one frame, behind a prefix that the reader has as well."""


class Encoder:
    """Makes frames for one run. Several threads may use it at once."""

    def __init__(self, level: int = DEFAULT_LEVEL, *, compressor: Compressor = compress) -> None:
        self._level = level
        self._compress = compressor
        self.warnings: deque[str] = deque()
        """What went wrong and was got round, for whoever talks to the user to take away."""
        self.spoiled: deque[ObjectId] = deque()
        """Objects whose bytes in memory are no longer those of their ids. Nothing made of them may be committed."""

    def frame(self, group: Group, ids: bytes = b"") -> Frame:
        """The frame of a group: as a delta when that pays, else compressed, else as it is.

        Without compression a delta is still made: it is there to store nothing twice.
        `ids` are those of the block the frame will stand in, up to its own; trees and lists refer to many of them.
        """
        failure: Exception | None = None
        for _ in range(_TRIES):
            try:
                frame = self._smallest(group, ids)
            except Exception as error:  # noqa: BLE001 - whatever stops a compressor, the bytes can be kept without it
                failure = error
                if isinstance(error, _NotUndone):
                    self._look_for_spoiled(group)
            else:
                if failure is not None:
                    self._warn(group, f"{failure}; the second time it went well")
                return frame
        self._warn(group, f"{str(failure) or type(failure).__name__}; stored without compression")
        return _raw(group, b"".join(group.parts))

    def _smallest(self, group: Group, ids: bytes) -> Frame:
        plain = b"".join(group.parts)
        lengths = tuple(map(len, group.parts))
        alone = plain if self._level == NO_COMPRESSION else self._compress(plain, self._level, ids)
        codec = ZSTD_IDS if ids else ZSTD
        if group.bases:
            prefix = group.base_data + ids
            level = DELTA_LEVEL if len(plain) < _LARGE_DELTA else LARGE_DELTA_LEVEL
            delta = self._compress(plain, level, prefix)
            if len(delta) <= DELTA_WORTH * len(alone):
                _check(delta, plain, prefix)
                return Frame(group.kind, codec, group.ids, lengths, delta, group.bases, group.depth, group.cost)
        if len(alone) >= _RAW_WORTH * len(plain):
            return _raw(group, plain)
        _check(alone, plain, ids)
        return Frame(group.kind, codec, group.ids, lengths, alone)

    def _look_for_spoiled(self, group: Group) -> None:
        for identity, part in zip(group.ids, group.parts, strict=True):
            if object_id(group.kind, part) != identity:
                self.spoiled.append(identity)

    def _warn(self, group: Group, what: str) -> None:
        count = len(group.ids)
        self.warnings.append(f"compressing {count:,} new object{'s' if count != 1 else ''} failed: {what}")


def encode_frame(group: Group, level: int, *, ids: bytes = b"") -> Frame:
    """The frame of a group by itself, for what is stored outside a run."""
    return Encoder(level).frame(group, ids)


class Packer:
    """Puts frames into blocks, in their order.

    Many bytes go into blocks of about BLOCK_STORED_SIZE, which waste little of their last page. The few bytes of a
    small snapshot go into blocks that share LMDB pages with others, or that fill their own pages to the end. A group
    of trees or lists that is not a frame yet becomes one when its place is known: what it refers to often stands
    before it in the same block.
    """

    def __init__(self, encoder: Encoder, *, limit: int) -> None:
        """A block is filled up to `limit` stored bytes, and to where it would need another page."""
        self._encoder = encoder
        self._limit = limit
        self.blocks: list[list[Frame]] = []
        self._size = 0
        self._ids: list[bytes] = []

    def put(self, item: Frame | Group) -> None:
        """Add a frame, or a group that becomes one."""
        frame, size = self._sized(item)
        if not self.blocks or not self._fits(size) or len(self._ids) + len(frame.ids) > MAX_OBJECTS_PER_BLOCK:
            self.blocks.append([])
            self._size, self._ids = HEADER_SIZE + _ARRAY_HEAD, []
            frame, size = self._sized(item)
        self.blocks[-1].append(frame)
        self._size += size
        self._ids += frame.ids

    def _sized(self, item: Frame | Group) -> tuple[Frame, int]:
        frame = item
        if isinstance(frame, Group):
            frame = self._encoder.frame(frame, b"".join((*self._ids, *frame.ids)))
        return frame, len(frame.stored) + directory_size(frame)

    def _fits(self, size: int) -> bool:
        return self._size + size <= max(self._limit, _capacity(self._size))


def pack_blocks(frames: Sequence[Frame | Group], *, encoder: Encoder | None = None) -> list[list[Frame]]:
    """Which frames share a block, in their order. Groups among them become frames by `encoder`."""
    return _pack(frames, encoder or Encoder(), few=0)


def pack_pages(frames: Sequence[Frame | Group], *, encoder: Encoder) -> list[list[Frame]]:
    """The same for frames of which some are old: when there are few, each block takes one whole page."""
    return _pack(frames, encoder, few=_PAGE - _PAGE_HEADER)


def _pack(frames: Sequence[Frame | Group], encoder: Encoder, *, few: int) -> list[list[Frame]]:
    total = sum(len(frame.stored) + directory_size(frame) for frame in frames if isinstance(frame, Frame))
    packer = Packer(encoder, limit=BLOCK_STORED_SIZE if total > BLOCK_STORED_SIZE else few)
    for frame in frames:
        packer.put(frame)
    return packer.blocks


def _capacity(size: int) -> int:
    """How far a block that has `size` bytes may grow without taking another page."""
    if size <= SMALL_BLOCK_TARGET:
        return SMALL_BLOCK_TARGET
    if size <= SMALL_BLOCK_SIZE:
        return size
    return -(-(size + _PAGE_HEADER) // _PAGE) * _PAGE - _PAGE_HEADER


def _raw(group: Group, plain: bytes) -> Frame:
    return Frame(group.kind, RAW, group.ids, tuple(map(len, group.parts)), plain)


def _check(stored: bytes, plain: bytes, prefix: bytes) -> None:
    try:
        again = decompress(stored, len(plain), prefix)
    except ValueError as error:
        raise _NotUndone(str(error)) from error
    if again != plain:
        raise _NotUndone("a compressed frame does not decode to what went in")
