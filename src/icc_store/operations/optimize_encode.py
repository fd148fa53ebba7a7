"""One block of an optimized repository: its groups as frames, at a high level, each decoded again and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from icc_store.codec.compression import compress, decompress
from icc_store.codec.hashing import object_id
from icc_store.errors import DamageError
from icc_store.ids import Kind
from icc_store.objects.block import RAW, ZSTD, ZSTD_IDS, Frame, encode_block
from icc_store.objects.encoder import Group

_RAW_WORTH = 0.98


@dataclass(frozen=True, slots=True)
class NewBlock:
    """A block that waits to be committed."""

    data: bytes
    frames: tuple[Frame, ...]


def build_block(repository: bytes, groups: Sequence[Group], level: int) -> NewBlock:
    """The block of these groups. Trees and lists are compressed behind the ids of all that stands before them.

    Raises DamageError when an object in memory, or what it was compressed to, is not what its id says: then nothing
    of it may be stored, and what is stored already is left as it is.
    """
    frames: list[Frame] = []
    ids: list[bytes] = []
    for group in groups:
        ids += group.ids
        frames.append(_frame(group, level, b"".join(ids) if group.kind in (Kind.TREE, Kind.LIST) else b""))
    return NewBlock(encode_block(repository, frames), tuple(frames))


def _frame(group: Group, level: int, ids: bytes) -> Frame:
    plain = b"".join(group.parts)
    lengths = tuple(map(len, group.parts))
    prefix = group.base_data + ids
    stored = compress(plain, level, prefix)
    if not group.bases and len(stored) >= _RAW_WORTH * len(plain):
        frame = Frame(group.kind, RAW, group.ids, lengths, plain)
    else:
        codec = ZSTD_IDS if ids else ZSTD
        frame = Frame(group.kind, codec, group.ids, lengths, stored, group.bases, group.depth, group.cost)
    _prove(frame, prefix)
    return frame


def _prove(frame: Frame, prefix: bytes) -> None:
    """Decode a frame as a reader will, and compare every object in it with its id."""
    try:
        plain = frame.stored if frame.codec == RAW else decompress(frame.stored, frame.plain_size, prefix)
    except ValueError as error:
        raise DamageError(
            f"what was compressed cannot be decoded: {error}", hint="check this machine's memory"
        ) from error
    view, start = memoryview(plain), 0
    for identity, length in zip(frame.ids, frame.lengths, strict=True):
        if object_id(frame.kind, view[start : start + length]) != identity:
            raise DamageError(
                f"object {identity.hex()} changed while it was compressed; it is left as it was",
                hint="check this machine's memory",
            )
        start += length
