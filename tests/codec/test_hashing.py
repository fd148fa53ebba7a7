"""Names for bytes."""

from __future__ import annotations

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from icc_store.codec.hashing import CHECKSUM_SIZE, checksum, chunk_id, fingerprint, object_id
from icc_store.ids import ID_SIZE, Kind, from_hex

EMPTY = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"


def test_a_chunk_is_named_as_b3sum_names_it() -> None:
    """The id of a chunk is plain BLAKE3, so a file stored whole can be checked without this program."""
    assert chunk_id(b"").hex() == EMPTY
    assert object_id(Kind.CHUNK, b"abc") == chunk_id(b"abc") == blake3(b"abc").digest()


@given(st.binary(max_size=100))
def test_kinds_never_share_an_id(data: bytes) -> None:
    """The same bytes have another id as each kind, so no file can pass for a tree."""
    assert len({object_id(kind, data) for kind in Kind}) == len(Kind)
    assert all(len(object_id(kind, data)) == ID_SIZE for kind in Kind)


def test_a_view_has_the_id_of_its_bytes() -> None:
    """Bytes need not be copied to be named."""
    data = bytes(range(100))
    assert chunk_id(memoryview(data)[10:20]) == chunk_id(data[10:20])
    assert object_id(Kind.TREE, memoryview(data)[10:20]) == object_id(Kind.TREE, data[10:20])


@pytest.mark.parametrize("kind", [0, 7, -1, 255])
def test_an_unknown_kind_has_no_ids(kind: int) -> None:
    """What is not a kind is an error, not some default."""
    with pytest.raises((KeyError, ValueError)):
        object_id(kind, b"")


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_a_checksum_is_that_of_the_joined_parts(parts: list[bytes]) -> None:
    """16 bytes of the BLAKE3 of all parts one after the other; a fingerprint is the same."""
    assert checksum(*parts) == blake3(b"".join(parts)).digest()[:CHECKSUM_SIZE] == fingerprint(*parts)


def test_ids_are_read_from_hex() -> None:
    """64 hex digits are an id, anything else is an error."""
    assert from_hex(EMPTY) == chunk_id(b"")
    for wrong in ("", EMPTY[:-2], EMPTY + "00", "g" * 64):
        with pytest.raises(ValueError, match="hex"):
            from_hex(wrong)
