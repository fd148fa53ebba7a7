"""MessagePack, one way only."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icc_store.codec.serial import pack, unpack

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.binary(max_size=40)
    | st.text(max_size=20)
    | st.binary(max_size=20).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
)
keys = st.integers(-(1 << 63), (1 << 64) - 1) | st.binary(max_size=10) | st.text(max_size=10)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5), max_leaves=20
)


@given(values)
def test_a_value_comes_back(value: Any) -> None:
    """Whatever the program writes is read as what it was."""
    assert unpack(pack(value)) == value


@given(values)
def test_packing_is_a_function(value: Any) -> None:
    """The same value makes the same bytes, however often."""
    assert pack(value) == pack(value) == pack(unpack(pack(value)))


def test_bytes_and_text_differ() -> None:
    """Bytes are bin, text is str, and integers are as short as they go: the ids of trees depend on it."""
    assert pack(b"a") == b"\xc4\x01a"
    assert pack("a") == b"\xa1a"
    assert pack([127, 128, 65_536, -1, -33]) == b"\x95\x7f\xcc\x80\xce\x00\x01\x00\x00\xff\xd0\xdf"
    assert pack({2: 0, 1: 0}) == b"\x82\x02\x00\x01\x00"


def test_text_that_is_not_utf8_keeps_its_bytes() -> None:
    """A host, a path or a pattern in another encoding is text to Python and must not stop a snapshot."""
    text = b"caf\xe9 \xff".decode("utf-8", "surrogateescape")
    assert pack(text) == b"\xa6caf\xe9 \xff"
    assert unpack(pack(text)) == text


@pytest.mark.parametrize("value", [1 << 64, -(1 << 63) - 1, object(), "\ud800"])
def test_what_cannot_be_packed_is_an_error(value: Any) -> None:
    """Nothing is packed as something else."""
    with pytest.raises((ValueError, OverflowError, TypeError)):
        pack(value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x01\x01",
        b"\xc4\x05ab",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x91" * 100_000 + b"\x01",
        b"\x81\x90\x01",
        b"\x81\x80\x01",
        b"\xd6\xff" + bytes(3),
    ],
)
def test_what_is_no_value_is_an_error(data: bytes) -> None:
    """Cut off, with a tail, nested without end, claiming more than there is, unhashable keys: ValueError."""
    with pytest.raises(ValueError, match="not a MessagePack value"):
        unpack(data)


def test_a_forged_count_asks_for_no_memory() -> None:
    """A thousand nested arrays that each claim a million entries are refused without allocating them."""
    data = (b"\xdd" + (1 << 20).to_bytes(4, "big")) * 1000
    with pytest.raises(ValueError, match="not a MessagePack value"):
        unpack(data + bytes((1 << 20) - len(data)))


@given(st.binary(max_size=100))
def test_any_bytes_are_a_value_or_an_error(data: bytes) -> None:
    """No input raises anything but ValueError."""
    try:
        unpack(data)
    except ValueError:
        pass
