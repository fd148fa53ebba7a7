"""Frames, and which of them share a block."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icc_store.codec.compression import decompress
from icc_store.codec.hashing import chunk_id
from icc_store.ids import Kind
from icc_store.limits import (
    BLOCK_STORED_SIZE,
    KIB,
    MAX_OBJECTS_PER_BLOCK,
    NO_COMPRESSION,
    SMALL_BLOCK_SIZE,
    WHOLE_FILE_SIZE,
)
from icc_store.objects.block import HEADER_SIZE, RAW, ZSTD, Frame, encode_block
from icc_store.objects.encoder import Group, encode_frame, pack_blocks
from tests.support.shelf import REPOSITORY, noise, plain_frame, words


def group(*parts: bytes, base: bytes = b"") -> Group:
    keys = (chunk_id(base)[:16],) if base else ()
    return Group(Kind.CHUNK, tuple(map(chunk_id, parts)), parts, keys, base, 1 if base else 0, len(base))


def test_text_is_compressed() -> None:
    """A frame of text is smaller than the text, and decodes to it."""
    frame = encode_frame(group(words(1, 5000), words(2, 5000)), 3)
    assert frame.codec == ZSTD
    assert frame.lengths == (5000, 5000)
    assert decompress(frame.stored, 10_000) == words(1, 5000) + words(2, 5000)


def test_noise_is_kept_as_it_is() -> None:
    """What zstd cannot shrink by two in a hundred is stored raw."""
    frame = encode_frame(group(noise(1, 5000)), 3)
    assert (frame.codec, frame.stored) == (RAW, noise(1, 5000))


def test_a_delta_replaces_the_frame_where_it_pays() -> None:
    """Against a like base a delta is kept, against a foreign one the frame stands by itself."""
    text = words(3, 5000)
    assert encode_frame(group(text + b"!", base=text), 3).bases
    assert not encode_frame(group(text, base=noise(2, 5000)), 3).bases


def test_a_delta_of_noise_is_a_delta() -> None:
    """Bytes that nothing compresses still cost nothing where the base has them."""
    frame = encode_frame(group(noise(3, 50_000) + b"tail", base=noise(3, 50_000)), 3)
    assert frame.bases
    assert len(frame.stored) < 60


def test_without_compression_nothing_is_stored_twice_all_the_same() -> None:
    """New content is kept as it is, in a block with others too; a changed object is still a delta."""
    text = words(1, 5000)
    frame = encode_frame(group(text), NO_COMPRESSION, ids=b"i" * 32)
    assert (frame.codec, frame.stored) == (RAW, text)
    delta = encode_frame(group(text + b"!", base=text), NO_COMPRESSION)
    assert delta.bases
    assert len(delta.stored) < 60


def test_a_large_delta_searches_the_whole_base() -> None:
    """An insertion in 2 MiB of noise, the largest file stored whole, is found: the window holds both versions."""
    old = noise(4, WHOLE_FILE_SIZE - 8)
    frame = encode_frame(group(old[: 1 << 20] + b"inserted" + old[1 << 20 :], base=old), 3)
    assert frame.bases
    assert len(frame.stored) < 2500


sizes = st.lists(st.integers(1, 3 * BLOCK_STORED_SIZE // 2) | st.integers(1, 3000), max_size=30)


def of_sizes(stored: list[int]) -> list[Frame]:
    """Frames of so many stored bytes."""
    return [Frame(Kind.CHUNK, RAW, (chunk_id(b""),), (size,), bytes(size)) for size in stored]


@given(sizes)
def test_every_frame_gets_one_block(stored: list[int]) -> None:
    """No frame is lost, none is doubled, and their order stays."""
    blocks = pack_blocks(of_sizes(stored))
    assert [len(frame.stored) for block in blocks for frame in block] == stored
    assert all(blocks)


@given(sizes)
def test_blocks_have_about_their_size(stored: list[int]) -> None:
    """Only a frame that is larger by itself makes a block larger; what is added to one fills its last page."""
    for block in pack_blocks(of_sizes(stored)):
        largest = max(len(frame.stored) for frame in block)
        assert len(encode_block(REPOSITORY, block)) <= max(BLOCK_STORED_SIZE, largest + 4 * KIB)


def test_a_small_snapshot_fits_a_small_block() -> None:
    """Two small frames share one block that takes part of a page."""
    blocks = pack_blocks([plain_frame(b"one"), plain_frame(b"two", kind=Kind.TREE)])
    assert len(blocks) == 1
    assert len(encode_block(REPOSITORY, blocks[0])) <= SMALL_BLOCK_SIZE


@pytest.mark.parametrize("count", [MAX_OBJECTS_PER_BLOCK // 2, MAX_OBJECTS_PER_BLOCK // 2 + 1])
def test_a_block_is_never_given_too_many_objects(count: int) -> None:
    """Frames of many objects share a block only while all of them have a position."""
    tiny = Frame(Kind.CHUNK, ZSTD, (chunk_id(b""),) * count, (1,) * count, b"s")
    blocks = pack_blocks([tiny, tiny, tiny])
    assert all(sum(len(frame.ids) for frame in block) <= MAX_OBJECTS_PER_BLOCK for block in blocks)


def test_a_block_costs_little_beside_its_frames() -> None:
    """Header and directory of one object take 64 and about 45 bytes."""
    frame = plain_frame(b"x")
    assert len(encode_block(REPOSITORY, [frame])) - len(frame.stored) - HEADER_SIZE < 46
