"""Plain objects into frames, and frames into blocks: the work between gathering and committing.

Every frame is decoded again and compared before anybody may commit it: compression that cannot be undone is found
while the source is still there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from icc_store.codec.compression import compress, decompress
from icc_store.errors import IccStoreError
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

_LARGE_DELTA = 256 * KIB
_RAW_WORTH = 0.98
_PAGE = 4096
_PAGE_HEADER = 16
_ARRAY_HEAD = 3


@dataclass(frozen=True, slots=True)
class Group:
    """Objects of one kind that become one frame, with the bases they are written against, if any."""

    kind: int
    ids: tuple[ObjectId, ...]
    parts: tuple[bytes, ...]
    bases: tuple[bytes, ...] = ()
    base_data: bytes = b""
    depth: int = 0
    cost: int = 0


def encode_frame(group: Group, level: int, *, ids: bytes = b"") -> Frame:
    """The frame of a group: as a delta when that pays, else compressed, else as it is. Pure; runs in a pool.

    Without compression a delta is still made: it is there to store nothing twice.
    `ids` are those of the block the frame will stand in, up to its own; trees and lists refer to many of them.
    """
    plain = b"".join(group.parts)
    lengths = tuple(map(len, group.parts))
    alone = plain if level == NO_COMPRESSION else compress(plain, level, ids)
    codec = ZSTD_IDS if ids else ZSTD
    if group.bases:
        prefix = group.base_data + ids
        delta = compress(plain, DELTA_LEVEL if len(plain) < _LARGE_DELTA else LARGE_DELTA_LEVEL, prefix)
        if len(delta) <= DELTA_WORTH * len(alone):
            _check(delta, plain, prefix)
            return Frame(group.kind, codec, group.ids, lengths, delta, group.bases, group.depth, group.cost)
    if len(alone) >= _RAW_WORTH * len(plain):
        return Frame(group.kind, RAW, group.ids, lengths, plain)
    _check(alone, plain, ids)
    return Frame(group.kind, codec, group.ids, lengths, alone)


class Packer:
    """Puts frames into blocks, in their order.

    Many bytes go into blocks of about BLOCK_STORED_SIZE, which waste little of their last page. The few bytes of a
    small snapshot go into blocks that share LMDB pages with others, or that fill their own pages to the end. A group
    of trees or lists that is not a frame yet becomes one when its place is known: what it refers to often stands
    before it in the same block.
    """

    def __init__(self, level: int, *, many: bool) -> None:
        self._level = level
        self._many = many
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
            frame = encode_frame(frame, self._level, ids=b"".join((*self._ids, *frame.ids)))
        return frame, len(frame.stored) + directory_size(frame)

    def _fits(self, size: int) -> bool:
        limit = BLOCK_STORED_SIZE if self._many else 0
        return self._size + size <= max(limit, _capacity(self._size))


def pack_blocks(frames: Sequence[Frame | Group], *, level: int = DEFAULT_LEVEL) -> list[list[Frame]]:
    """Which frames share a block, in their order."""
    total = sum(len(frame.stored) + directory_size(frame) for frame in frames if isinstance(frame, Frame))
    packer = Packer(level, many=total > BLOCK_STORED_SIZE)
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


def _check(stored: bytes, plain: bytes, prefix: bytes) -> None:
    if decompress(stored, len(plain), prefix) != plain:
        raise IccStoreError(
            "a compressed frame does not decode to what went in; nothing was committed",
            hint="check this machine's memory",
        )
