"""The block format (docs/format.md, *Blocks*): frames of compressed objects behind a directory that names them.

    header (64 bytes)   magic, version, flags, repository id, block uid, lengths, checksum
    directory           MessagePack: one array per frame
    payload             the frames' stored bytes, one after the other

The block's number is not in it: it exists only as the key under which the store keeps the block, so that blocks
can be moved. A frame holds objects of one kind. Its plain bytes are those objects one after the other; a delta
frame is compressed behind a prefix made of its bases.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

from icc_store.codec.hashing import CHECKSUM_SIZE, checksum
from icc_store.codec.serial import pack, unpack
from icc_store.errors import BlockDamaged, UnsupportedFormat
from icc_store.ids import ID_SIZE, KEY_SIZE, Kind, ObjectId
from icc_store.limits import MAX_FRAME_SIZE, MAX_OBJECT_SIZE, MAX_OBJECTS_PER_BLOCK
from icc_store.quick_dataclass import dataclass

MAGIC = b"ICCB"
VERSION = 1
_HEADER = struct.Struct("<4sBBH16s16sII")
HEADER_SIZE = _HEADER.size + CHECKSUM_SIZE
REPOSITORY_ID_SIZE = 16
_OWNER = slice(8, 24)
UID = slice(24, 40)
"""Where the uid stands in the bytes of a block."""

RAW, ZSTD, ZSTD_IDS = 0, 1, 2
"""How a frame is stored: as it is; zstd behind its bases; zstd behind its bases and then the ids of all objects of
this block up to the frame's own (what a tree refers to often stands right before it, or in the same frame)."""

_KIND, _CODEC, _STORED, _IDS, _LENGTHS, _BASES, _DEPTH, _COST = range(8)
_PLAIN_FIELDS, _DELTA_FIELDS = 5, 8
_KINDS = frozenset(int(kind) for kind in Kind)
_ONLY_INTEGERS = {int}
_ID, _KEY = struct.Struct(f"{ID_SIZE}s"), struct.Struct(f"{KEY_SIZE}s")


class Frame(NamedTuple):
    """Objects of one kind compressed together, with what is needed to read them.

    A tuple, since whoever parses a block makes ten of them: 1.7 us less each than as a frozen dataclass.
    """

    kind: int
    codec: int
    ids: tuple[ObjectId, ...]
    lengths: tuple[int, ...]
    """Plain bytes of each object."""
    stored: bytes
    bases: tuple[bytes, ...] = ()
    """Index keys (the first 16 bytes of the ids) of the objects whose plain bytes form the prefix."""
    depth: int = 0
    """How many frames must be read first, one behind the other."""
    cost: int = 0
    """Plain KiB of all frames below this one, each rounded up; 0 for a frame without bases."""

    @property
    def plain_size(self) -> int:
        return sum(self.lengths)


@dataclass(frozen=True)
class Block:
    """A parsed block. Positions count objects through all its frames."""

    repository: bytes
    uid: bytes
    frames: tuple[Frame, ...]
    firsts: tuple[int, ...]
    """Position of each frame's first object."""

    def frame_at(self, position: int) -> tuple[int, int]:
        """Which frame holds the object at `position`, and as which of its objects."""
        for number in range(len(self.firsts) - 1, -1, -1):
            if position >= self.firsts[number]:
                within = position - self.firsts[number]
                if within < len(self.frames[number].ids):
                    return number, within
                break
        raise BlockDamaged(f"a block has no object at position {position}")

    @property
    def ids(self) -> list[ObjectId]:
        """The ids of all objects, by position."""
        return [identity for frame in self.frames for identity in frame.ids]

    def ids_through(self, number: int) -> bytes:
        """The ids of all objects up to and with frame `number`."""
        return b"".join(b"".join(frame.ids) for frame in self.frames[: number + 1])


def encode_block(repository: bytes, frames: Sequence[Frame]) -> bytes:
    """The stored bytes of a block under a new random uid."""
    directory = pack([_directory_row(frame) for frame in frames])
    payload = b"".join(frame.stored for frame in frames)
    header = _HEADER.pack(MAGIC, VERSION, 0, 0, repository, uuid.uuid4().bytes, len(directory), len(payload))
    return b"".join((header, checksum(header, directory, payload), directory, payload))


def directory_size(frame: Frame) -> int:
    """How many bytes a frame takes in its block's directory."""
    return len(pack(_directory_row(frame)))


def stated_size(header: bytes) -> int:
    """How long the block says it is that begins with these 64 bytes."""
    *_, directory_size, payload_size = _HEADER.unpack_from(header)
    return HEADER_SIZE + int(directory_size) + int(payload_size)


def owner_of(data: bytes) -> bytes:
    """The repository that a block names."""
    return data[_OWNER]


def decode_block(data: bytes, repository: bytes) -> Block:
    """Parse and check a stored block. Raises BlockDamaged or UnsupportedFormat."""
    if len(data) < HEADER_SIZE:
        raise BlockDamaged("a block is shorter than its header")
    magic, version, flags, reserved, owner, uid, directory_size, payload_size = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise BlockDamaged("a block does not start with its magic number")
    if len(data) != HEADER_SIZE + directory_size + payload_size:
        raise BlockDamaged("a block is not as long as its header says")
    view = memoryview(data)
    if checksum(view[: _HEADER.size], view[HEADER_SIZE:]) != data[_HEADER.size : HEADER_SIZE]:
        raise BlockDamaged("a block's checksum is wrong")
    if version != VERSION or flags or reserved:
        raise UnsupportedFormat(
            f"a block of version {version} with flags {flags:#x} cannot be read", hint="use a newer icc-store"
        )
    if owner != repository:
        raise BlockDamaged("a block belongs to another repository")
    return _parse(data, uid, owner, HEADER_SIZE + directory_size)


def _parse(data: bytes, uid: bytes, owner: bytes, payload_start: int) -> Block:
    try:
        rows = unpack(memoryview(data)[HEADER_SIZE:payload_start])
        frames, firsts, position, offset = [], [], 0, payload_start
        for row in rows:
            frame = _frame(row, data, offset)
            frames.append(frame)
            firsts.append(position)
            position += len(frame.ids)
            offset += len(frame.stored)
    except (ValueError, TypeError, IndexError) as error:
        raise BlockDamaged(f"a block's directory cannot be understood: {error}") from error
    if offset != len(data) or not 0 < position <= MAX_OBJECTS_PER_BLOCK:
        raise BlockDamaged("a block's directory does not fit its payload")
    return Block(owner, uid, tuple(frames), tuple(firsts))


def _directory_row(frame: Frame) -> list[Any]:
    row = [frame.kind, frame.codec, len(frame.stored), b"".join(frame.ids), list(frame.lengths)]
    if frame.bases:
        row += [b"".join(frame.bases), frame.depth, frame.cost]
    return row


def _frame(row: list[Any], data: bytes, offset: int) -> Frame:
    """The frame that a row of the directory describes. `type` and not `isinstance`: a truth value is no number."""
    if type(row) is not list or len(row) not in (_PLAIN_FIELDS, _DELTA_FIELDS):
        raise ValueError("a frame has an impossible number of fields")
    kind, codec, size, lengths = row[_KIND], row[_CODEC], row[_STORED], row[_LENGTHS]
    if type(kind) is not int or type(codec) is not int or kind not in _KINDS or codec not in (RAW, ZSTD, ZSTD_IDS):
        raise ValueError("a frame of an unknown kind or codec")
    if type(lengths) is not list:
        raise ValueError("the lengths of a frame are no list")
    if set(map(type, lengths)) != _ONLY_INTEGERS or min(lengths) <= 0 or max(lengths) > MAX_OBJECT_SIZE:
        raise ValueError("a frame has an impossible object length")
    plain_size = sum(lengths)
    if type(size) is not int or not 0 <= size <= len(data) - offset or not 0 < plain_size <= MAX_FRAME_SIZE:
        raise ValueError("a frame has an impossible size")
    if codec == RAW and (size != plain_size or len(row) != _PLAIN_FIELDS):
        raise ValueError("a frame that is not compressed has another length, or bases")
    ids: tuple[ObjectId, ...] = _split(row[_IDS], _ID)
    if len(ids) != len(lengths):
        raise ValueError("a frame has not as many ids as lengths")
    stored = data[offset : offset + size]
    if len(row) == _PLAIN_FIELDS:
        return Frame(kind, codec, ids, tuple(lengths), stored)
    depth, cost = row[_DEPTH], row[_COST]
    if type(depth) is not int or type(cost) is not int or depth < 1 or cost < 0:
        raise ValueError("a delta frame has an impossible depth or cost")
    bases: tuple[bytes, ...] = _split(row[_BASES], _KEY)
    return Frame(kind, codec, ids, tuple(lengths), stored, bases, depth, cost)


def _split(joined: bytes, one: struct.Struct) -> tuple[Any, ...]:
    if type(joined) is not bytes or not joined or len(joined) % one.size:
        raise ValueError("a list of ids has an impossible length")
    return tuple(chain.from_iterable(one.iter_unpack(joined)))
