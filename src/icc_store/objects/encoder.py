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
    DELTA_LEVEL,
    DELTA_WORTH,
    KIB,
    LARGE_DELTA_LEVEL,
    MAX_OBJECTS_PER_BLOCK,
    SMALL_BLOCK_SIZE,
)
from icc_store.objects.block import RAW, ZSTD, Frame, block_overhead

_LARGE_DELTA = 256 * KIB
_RAW_WORTH = 0.98
_PAGE = 4096
_PAGE_HEADER = 16


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


def encode_frame(group: Group, level: int) -> Frame:
    """The frame of a group: as a delta when that pays, else compressed, else as it is. Pure; runs in a pool."""
    plain = b"".join(group.parts)
    lengths = tuple(map(len, group.parts))
    alone = compress(plain, level)
    if group.bases:
        delta = compress(plain, DELTA_LEVEL if len(plain) < _LARGE_DELTA else LARGE_DELTA_LEVEL, group.base_data)
        if len(delta) <= DELTA_WORTH * len(alone):
            _check(delta, plain, group.base_data)
            return Frame(group.kind, ZSTD, group.ids, lengths, delta, group.bases, group.depth, group.cost)
    if len(alone) >= _RAW_WORTH * len(plain):
        return Frame(group.kind, RAW, group.ids, lengths, plain)
    _check(alone, plain, b"")
    return Frame(group.kind, ZSTD, group.ids, lengths, alone)


def pack_blocks(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Which frames share a block, in their order.

    Many bytes go into blocks of about BLOCK_STORED_SIZE, which waste little of their last page. The few bytes of a
    small snapshot go into blocks that share LMDB pages with others, or that fill their own pages to the end.
    """
    sizes = [len(frame.stored) + block_overhead([frame]) for frame in frames]
    left = sum(sizes)
    blocks: list[list[Frame]] = []
    current, objects = 0, 0
    for frame, size in zip(frames, sizes, strict=True):
        roomy = left > BLOCK_STORED_SIZE and current + size <= BLOCK_STORED_SIZE
        fits = roomy or current + size <= _capacity(current)
        if not blocks or not fits or objects + len(frame.ids) > MAX_OBJECTS_PER_BLOCK:
            blocks.append([])
            current, objects = 0, 0
        blocks[-1].append(frame)
        current += size
        objects += len(frame.ids)
        left -= size
    return blocks


def _capacity(size: int) -> int:
    """How far a block that has `size` bytes may grow without taking another page."""
    if size <= SMALL_BLOCK_SIZE:
        return SMALL_BLOCK_SIZE
    return -(-(size + _PAGE_HEADER) // _PAGE) * _PAGE - _PAGE_HEADER


def _check(stored: bytes, plain: bytes, prefix: bytes) -> None:
    if decompress(stored, len(plain), prefix) != plain:
        raise IccStoreError(
            "a compressed frame does not decode to what went in; nothing was committed",
            hint="check this machine's memory",
        )
