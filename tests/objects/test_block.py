"""The block format: what goes in comes out, and nothing else is ever read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icc_store.codec.hashing import checksum
from icc_store.codec.serial import pack
from icc_store.errors import BlockDamaged, DamageError, UnsupportedFormat
from icc_store.ids import ID_SIZE, KEY_SIZE, Kind, ObjectId
from icc_store.limits import MAX_FRAME_SIZE, MAX_OBJECT_SIZE, MAX_OBJECTS_PER_BLOCK
from icc_store.objects.block import (
    HEADER_SIZE,
    RAW,
    ZSTD,
    ZSTD_IDS,
    Frame,
    decode_block,
    directory_size,
    encode_block,
)
from tests.support.shelf import REPOSITORY, delta_frame, plain_frame, words

_HEADER_PART = HEADER_SIZE - 16

ids = st.binary(min_size=ID_SIZE, max_size=ID_SIZE).map(ObjectId)


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    """Any frame that a directory can describe; its stored bytes mean nothing."""
    lengths = draw(st.lists(st.integers(1, MAX_OBJECT_SIZE // 8), min_size=1, max_size=8))
    bases: tuple[bytes, ...] = ()
    depth = cost = 0
    codec = draw(st.sampled_from((RAW, ZSTD, ZSTD_IDS)))
    stored = draw(st.binary(max_size=60))
    if codec == RAW:
        lengths = [1] * len(lengths)
        stored = draw(st.binary(min_size=len(lengths), max_size=len(lengths)))
    if codec != RAW and draw(st.booleans()):
        key = st.binary(min_size=KEY_SIZE, max_size=KEY_SIZE)
        bases = tuple(draw(st.lists(key, min_size=1, max_size=5)))
        depth, cost = draw(st.integers(1, 64)), draw(st.integers(0, 1 << 40))
    return Frame(
        draw(st.sampled_from(tuple(int(kind) for kind in Kind))),
        codec,
        tuple(draw(st.lists(ids, min_size=len(lengths), max_size=len(lengths)))),
        tuple(lengths),
        stored,
        bases,
        depth,
        cost,
    )


def sealed(directory: Any, payload: bytes = b"", **header: Any) -> bytes:
    """A block with a right checksum around any directory: what an enemy could write."""
    packed = directory if isinstance(directory, bytes) else pack(directory)
    fields = {"magic": b"ICCB", "version": 1, "flags": 0, "reserved": 0, "repository": REPOSITORY} | header
    start = b"".join(
        (
            fields["magic"],
            bytes((fields["version"], fields["flags"])),
            fields["reserved"].to_bytes(2, "little"),
            fields["repository"],
            bytes(16),
            header.get("directory_size", len(packed)).to_bytes(4, "little"),
            header.get("payload_size", len(payload)).to_bytes(4, "little"),
        )
    )
    return start + checksum(start, packed, payload) + packed + payload


ROW = [1, 0, 3, bytes(32), [3]]


def row(**changes: Any) -> list[Any]:
    """A good row of three raw bytes, with some of its fields changed."""
    fields = dict(zip(("kind", "codec", "stored", "ids", "lengths"), ROW, strict=True)) | changes
    return list(fields.values())


@given(st.lists(frames(), min_size=1, max_size=6))
def test_a_block_comes_back(given_frames: list[Frame]) -> None:
    """Every field of every frame survives, positions count objects through all frames."""
    data = encode_block(REPOSITORY, given_frames)
    block = decode_block(data, REPOSITORY)
    assert block.frames == tuple(given_frames)
    sizes = [len(frame.stored) + directory_size(frame) for frame in given_frames]
    assert len(data) == HEADER_SIZE + sum(sizes) + 1
    position = 0
    for number, frame in enumerate(given_frames):
        assert block.firsts[number] == position
        for within in range(len(frame.ids)):
            assert block.frame_at(position) == (number, within)
            position += 1
    with pytest.raises(BlockDamaged):
        block.frame_at(position)


def test_every_block_has_its_own_uid() -> None:
    """The same frames make two blocks that can be told apart."""
    blocks = [decode_block(encode_block(REPOSITORY, [plain_frame(b"x")]), REPOSITORY) for _ in range(2)]
    assert blocks[0].uid != blocks[1].uid


def test_every_flipped_bit_is_found() -> None:
    """No single bit of a block can change without an error."""
    old = words(1, 600)
    data = encode_block(REPOSITORY, [plain_frame(b"a", b"bc"), delta_frame(old + b"!", bases=[old], depth=1)])
    for at in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            with pytest.raises(DamageError):
                decode_block(bytes(changed), REPOSITORY)


def test_every_truncation_is_found() -> None:
    """No beginning of a block, and no block with something behind it, is a block."""
    data = encode_block(REPOSITORY, [plain_frame(b"some bytes")])
    for size in range(len(data)):
        with pytest.raises(BlockDamaged):
            decode_block(data[:size], REPOSITORY)
    with pytest.raises(BlockDamaged):
        decode_block(data + b"\0", REPOSITORY)


def test_a_sealed_block_is_read() -> None:
    """The hostile blocks below are refused for what is wrong with them, not for how they are made."""
    assert decode_block(sealed([ROW], b"abc"), REPOSITORY).frames[0].stored == b"abc"


def test_another_repository_is_refused() -> None:
    """A block of another repository is damage here."""
    with pytest.raises(BlockDamaged, match="another repository"):
        decode_block(sealed([ROW], b"abc"), bytes(16))


@pytest.mark.parametrize("header", [{"version": 2}, {"version": 0}, {"flags": 1}, {"flags": 128}, {"reserved": 1}])
def test_what_a_newer_program_wrote_is_not_guessed_at(header: dict[str, int]) -> None:
    """An unknown version or flag asks for a newer program: the block is intact, so it is not called damaged."""
    with pytest.raises(UnsupportedFormat):
        decode_block(sealed([ROW], b"abc", **header), REPOSITORY)


BASES = [bytes(16), 1, 0]

HOSTILE = {
    "no frame": [],
    "not an array": {1: 2},
    "a number": 5,
    "text": "frames",
    "nothing": None,
    "rows that are numbers": [1, 2],
    "an empty row": [[]],
    "four fields": [ROW[:4]],
    "six fields": [[*ROW, bytes(16)]],
    "nine fields": [[*row(codec=1), *BASES, 0]],
    "an unknown kind": [row(kind=0)],
    "a kind beyond the last": [row(kind=7)],
    "a kind that is a list": [row(kind=[1])],
    "a kind that is text": [row(kind="1")],
    "a kind that is a truth value": [row(kind=True)],
    "a kind that is a fraction": [row(kind=1.0)],
    "an unknown codec": [row(codec=3)],
    "a codec below zero": [row(codec=-1)],
    "a codec that is a truth value": [row(codec=False)],
    "stored bytes below zero": [row(stored=-3)],
    "more stored bytes than there are": [row(stored=4, lengths=[4])],
    "fewer stored bytes than there are": [row(stored=2, lengths=[2])],
    "stored bytes without end": [row(stored=1 << 63)],
    "stored bytes in fractions": [row(stored=3.0)],
    "no ids": [row(ids=b"", lengths=[])],
    "half an id": [row(ids=bytes(48))],
    "ids as text": [row(ids="x" * 32)],
    "ids as a number": [row(ids=32)],
    "more ids than lengths": [row(ids=bytes(64))],
    "more lengths than ids": [row(lengths=[1, 2])],
    "a length of zero": [row(lengths=[0])],
    "a length below zero": [row(lengths=[-3])],
    "a length of more than an object": [row(codec=1, lengths=[MAX_OBJECT_SIZE + 1])],
    "lengths of more than a frame": [
        row(
            codec=1, ids=bytes(96), lengths=[MAX_OBJECT_SIZE, MAX_OBJECT_SIZE, MAX_FRAME_SIZE - 2 * MAX_OBJECT_SIZE + 1]
        )
    ],
    "a length without end": [row(lengths=[1 << 63])],
    "a length that is a fraction": [row(lengths=[3.0])],
    "a length that is a truth value": [row(lengths=[True], stored=3)],
    "lengths that are a number": [row(lengths=3)],
    "lengths that are a map": [row(lengths={3: 3})],
    "raw bytes of another length": [row(lengths=[4])],
    "raw bytes with bases": [[*ROW, *BASES]],
    "bases that are none": [[*row(codec=1), b"", 1, 0]],
    "half a base": [[*row(codec=1), bytes(8), 1, 0]],
    "bases as text": [[*row(codec=1), "x" * 16, 1, 0]],
    "a delta of no depth": [[*row(codec=1), bytes(16), 0, 0]],
    "a delta of negative depth": [[*row(codec=1), bytes(16), -1, 0]],
    "a depth in fractions": [[*row(codec=1), bytes(16), 1.5, 0]],
    "a depth that is a truth value": [[*row(codec=1), bytes(16), True, 0]],
    "a negative cost": [[*row(codec=1), bytes(16), 1, -1]],
    "a cost as text": [[*row(codec=1), bytes(16), 1, "0"]],
}


@pytest.mark.parametrize("directory", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_directory_is_refused(directory: Any) -> None:
    """A directory with a right checksum that says something impossible is damage, and nothing else happens."""
    with pytest.raises(BlockDamaged):
        decode_block(sealed(directory, b"abc"), REPOSITORY)


@pytest.mark.parametrize("directory", [b"", b"\xc1", b"\x91", pack([ROW]) + b"\0", b"\xdd\xff\xff\xff\xff" * 50])
def test_a_directory_that_is_not_messagepack_is_refused(directory: bytes) -> None:
    """Neither is one that is cut off, has a tail, or claims four thousand million entries."""
    with pytest.raises(BlockDamaged):
        decode_block(sealed(directory, b"abc"), REPOSITORY)


def test_a_block_without_frames_is_refused() -> None:
    """A block holds something: an empty one would never be collected."""
    with pytest.raises(BlockDamaged):
        decode_block(sealed([]), REPOSITORY)


def test_a_block_has_only_as_many_objects_as_positions() -> None:
    """32,767 objects fit, one more does not: an index row has no way to say where it is."""
    for count, fits in ((MAX_OBJECTS_PER_BLOCK, True), (MAX_OBJECTS_PER_BLOCK + 1, False)):
        data = sealed([row(ids=bytes(32 * count), lengths=[1] * count, stored=count)], bytes(count))
        if fits:
            assert len(decode_block(data, REPOSITORY).frames[0].ids) == count
        else:
            with pytest.raises(BlockDamaged):
                decode_block(data, REPOSITORY)


@pytest.mark.parametrize("sizes", [(0, 0), (1 << 31, 0), (0, 1 << 31), ((1 << 32) - 1, (1 << 32) - 1)])
def test_lengths_in_the_header_are_checked_first(sizes: tuple[int, int]) -> None:
    """Lengths that do not add up to the block's own are refused before anything is read by them."""
    data = sealed([ROW], b"abc", directory_size=sizes[0], payload_size=sizes[1])
    with pytest.raises(BlockDamaged, match="as long as"):
        decode_block(data, REPOSITORY)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_politely(data: bytes) -> None:
    """Whatever the bytes, a block that is none raises BlockDamaged; so does a directory of any bytes."""
    with pytest.raises(BlockDamaged):
        decode_block(data, REPOSITORY)
    with pytest.raises(BlockDamaged):
        decode_block(sealed(data or b"\0", b"abc"), REPOSITORY)
