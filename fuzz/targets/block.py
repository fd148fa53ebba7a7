"""Blocks: the checksum is made right after each change, so that the directory behind it is what is tried."""

from __future__ import annotations

from typing import Any

from fuzz import golden
from fuzz.structure import MSGPACK, Form
from icc_store.codec.compression import decompress
from icc_store.codec.hashing import checksum, chunk_id, object_id
from icc_store.errors import DamageError, UnsupportedFormat
from icc_store.ids import KEY_SIZE, Kind
from icc_store.objects.block import HEADER_SIZE, RAW, Frame, decode_block, encode_block
from icc_store.objects.encoder import Group, encode_frame

ALLOWED = (DamageError, UnsupportedFormat, ValueError)

_REPOSITORY = bytes(16)


def _directory_and_payload(data: bytes) -> list[Any]:
    start = HEADER_SIZE + int.from_bytes(data[40:44], "little")
    return [data[24:40], MSGPACK.read(data[HEADER_SIZE:start]), data[start:]]


def _block(parts: list[Any]) -> bytes:
    directory = MSGPACK.write(parts[1])
    return b"".join((bytes(24), parts[0], len(directory).to_bytes(4, "little"), bytes(20), directory, parts[2]))


FORMS = (Form(_directory_and_payload, _block),)
"""Behind the header; fuzz_one puts that right."""


def fuzz_one(data: bytes) -> None:
    """Parse the bytes as they are, and again with lengths and checksum put right; decode what comes of it."""
    try:
        decode_block(data, _REPOSITORY)
    except ALLOWED:
        pass
    if len(data) < HEADER_SIZE:
        return
    directory = min(int.from_bytes(data[40:44], "little"), len(data) - HEADER_SIZE)
    sizes = directory.to_bytes(4, "little") + (len(data) - HEADER_SIZE - directory).to_bytes(4, "little")
    start = b"ICCB\x01\0\0\0" + _REPOSITORY + data[24:40] + sizes
    block = decode_block(start + checksum(start, data[HEADER_SIZE:]) + data[HEADER_SIZE:], _REPOSITORY)
    for number, frame in enumerate(block.frames):
        if frame.codec != RAW:
            decompress(frame.stored, frame.plain_size, block.ids_through(number))


def _seeds() -> list[bytes]:
    text = b"a line of text, and another one\n" * 40
    plain = encode_frame(Group(Kind.CHUNK, (chunk_id(text), chunk_id(b"two")), (text, b"two")), 3)
    changed = text + b"changed"
    delta = encode_frame(
        Group(Kind.CHUNK, (chunk_id(changed),), (changed,), (chunk_id(text)[:KEY_SIZE],), text, 1, len(text)), 3
    )
    tree = b"".join(plain.ids) * 3
    identity = object_id(Kind.TREE, tree)
    behind_ids = encode_frame(Group(Kind.TREE, (identity,), (tree,)), 3, ids=b"".join((*plain.ids, identity)))
    raw = Frame(Kind.XATTRS, RAW, (object_id(Kind.XATTRS, b"\x80"),), (1,), b"\x80")
    return [
        encode_block(_REPOSITORY, frames)
        for frames in ([plain], [raw], [plain, behind_ids], [plain, delta], [raw, delta, plain])
    ]


SEEDS = [*golden.blocks(), *_seeds()]
