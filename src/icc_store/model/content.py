"""Content lists: files that are more than one chunk.

A list names chunks and holes in order. It is cut into parts where a hash of the chunk ids says so, and parts are held
together by nodes, so that a changed chunk changes one part and the nodes above it. On the wire (docs/format.md,
*Content lists*), the root also carries the chunker's parameters:

    {1: level, 2: [min, mean, max] (root only), 3: ids, 4: lengths}

At level 0 the ids are chunks (all zero: a hole); above, they are lists and the lengths are what those hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from icc_store.codec.chunking import ChunkerParameters
from icc_store.codec.serial import pack, unpack
from icc_store.errors import BlockDamaged
from icc_store.ids import ID_SIZE, Kind, ObjectId
from icc_store.limits import (
    KIB,
    LIST_FANOUT_MAX,
    LIST_FANOUT_MEAN,
    LIST_FANOUT_MIN,
    MAX_FILE_SIZE,
    MAX_LIST_LEVELS,
    MIB,
)
from icc_store.model.tree import Objects

HOLE = ObjectId(bytes(ID_SIZE))
_LEVEL, _CHUNKER, _IDS, _LENGTHS = 1, 2, 3, 4
_ZEROS = bytes(256 * KIB)


@dataclass(frozen=True, slots=True)
class ContentList:
    """One part, node or root of a content list."""

    level: int
    chunker: ChunkerParameters | None
    ids: tuple[ObjectId, ...]
    lengths: tuple[int, ...]

    @property
    def size(self) -> int:
        return sum(self.lengths)


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk or hole of a file, in the part of the list it was read from."""

    id: ObjectId
    length: int
    part: ObjectId


def pack_list(level: int, ids: Iterable[bytes], lengths: Iterable[int], chunker: ChunkerParameters | None) -> bytes:
    """The bytes of a part or node; with the chunker's parameters, of a root."""
    wire: dict[int, Any] = {_LEVEL: level}
    if chunker is not None:
        wire[_CHUNKER] = [chunker.minimum, chunker.mean, chunker.maximum]
    wire[_IDS] = b"".join(ids)
    wire[_LENGTHS] = list(lengths)
    return pack(wire)


def parse_list(data: bytes) -> ContentList:
    """A part, node or root. Raises BlockDamaged."""
    try:
        wire = unpack(data)
        if type(wire) is not dict:
            raise ValueError("it is no map")
        if not {_LEVEL, _IDS, _LENGTHS} <= set(wire) <= {_LEVEL, _CHUNKER, _IDS, _LENGTHS}:
            raise ValueError(f"it has the fields {sorted(wire)}")
        level, joined, lengths = wire[_LEVEL], wire[_IDS], wire[_LENGTHS]
        if type(level) is not int or not 0 <= level < MAX_LIST_LEVELS:
            raise ValueError("it has an impossible level")
        if type(joined) is not bytes or type(lengths) is not list or len(joined) != ID_SIZE * len(lengths):
            raise ValueError("it has not as many ids as lengths")
        if not all(type(length) is int and 0 < length <= MAX_FILE_SIZE for length in lengths):
            raise ValueError("it has an impossible length")
        if sum(lengths) > MAX_FILE_SIZE:
            raise ValueError("its lengths are more than a file can have")
        ids = tuple(ObjectId(joined[at : at + ID_SIZE]) for at in range(0, len(joined), ID_SIZE))
        chunker = _chunker(wire[_CHUNKER]) if _CHUNKER in wire else None
        return ContentList(level, chunker, ids, tuple(lengths))
    except (ValueError, TypeError, KeyError) as error:
        raise BlockDamaged(f"a content list cannot be understood: {error}") from error


def _chunker(sizes: object) -> ChunkerParameters:
    if type(sizes) is not list or len(sizes) != 3 or not all(type(size) is int for size in sizes):
        raise ValueError("its chunker's parameters are none")
    minimum, mean, maximum = sizes
    if not (
        64 <= minimum <= MIB and 256 <= mean <= 4 * MIB and KIB <= maximum <= 16 * MIB and minimum < mean < maximum
    ):
        raise ValueError("its chunker's parameters are impossible")
    return ChunkerParameters(minimum, mean, maximum)


def read_list(objects: Objects, identity: ObjectId) -> ContentList:
    """The list under that id."""
    return parse_list(objects.get(identity, Kind.LIST))


def list_pieces(objects: Objects, identity: ObjectId) -> Iterator[Piece]:
    """Chunks and holes of a list in order. One part of each level is in memory at a time."""
    yield from _pieces(objects, identity, None, None)


def _pieces(objects: Objects, identity: ObjectId, level: int | None, size: int | None) -> Iterator[Piece]:
    """The pieces below one list, which has this level and size when it stands in another."""
    part = read_list(objects, identity)
    if (level, size) != (None, None) and (part.level, part.size) != (level, size):
        raise BlockDamaged(f"content list {identity.hex()} is not what the one above it says")
    for child, length in zip(part.ids, part.lengths, strict=True):
        if part.level == 0:
            yield Piece(child, length, identity)
        else:
            yield from _pieces(objects, child, part.level - 1, length)


def content_bytes(objects: Objects, chunk: ObjectId | None, content_list: ObjectId | None) -> Iterator[bytes | int]:
    """The content of a file: bytes in order, and an int for a hole of that many zero bytes.

    Raises ObjectMissing or BlockDamaged; what was yielded before is right.
    """
    if chunk is not None:
        yield objects.get(chunk, Kind.CHUNK)
    if content_list is not None:
        for piece in list_pieces(objects, content_list):
            if piece.id == HOLE:
                yield piece.length
                continue
            data = objects.get(piece.id, Kind.CHUNK)
            if len(data) != piece.length:
                raise BlockDamaged(f"chunk {piece.id.hex()} is not as long as its content list says")
            yield data


def plain_bytes(pieces: Iterable[bytes | int]) -> Iterator[bytes]:
    """The same content with holes written out as zeros, a little at a time."""
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
            continue
        left = piece
        while left > 0:
            yield _ZEROS[: min(left, len(_ZEROS))]
            left -= len(_ZEROS)


def whole_content(objects: Objects, chunk: ObjectId | None, content_list: ObjectId | None) -> bytes:
    """The content of a file that is known to fit into memory. Raises ObjectMissing or BlockDamaged."""
    return b"".join(plain_bytes(content_bytes(objects, chunk, content_list)))


def ends_part(identity: ObjectId, count: int) -> bool:
    """Whether a list part that has `count` entries ends after this id."""
    if count >= LIST_FANOUT_MAX:
        return True
    return count >= LIST_FANOUT_MIN and int.from_bytes(identity[:4]) % (LIST_FANOUT_MEAN - LIST_FANOUT_MIN) == 0
