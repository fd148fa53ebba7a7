"""PAX records: lengths that count themselves, times to the nanosecond."""

from __future__ import annotations

import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icc_store.codec.pax import pack_records, pack_time, parse_number, parse_records, parse_time

keys = st.binary(min_size=1, max_size=20).filter(lambda key: b"=" not in key)


@given(st.dictionaries(keys, st.binary(max_size=1100), max_size=5))
def test_records_come_back(records: dict[bytes, bytes]) -> None:
    """Any keys and values, line feeds and all, are read as they were written."""
    assert parse_records(pack_records(records)) == list(records.items())


@given(st.integers(1, 12_000))
def test_a_length_counts_itself(size: int) -> None:
    """The number in front is the length of the whole line, also where it grows by a digit."""
    packed = pack_records({b"k": b"v" * size})
    assert int(packed.split(b" ")[0]) == len(packed)


def test_tarfile_reads_our_records() -> None:
    """The records are what Python's tarfile makes of the same headers."""
    info = tarfile.TarInfo("name")
    block = info.create_pax_global_header({"comment": "caf\u00e9", "x": "y" * 95})
    assert pack_records({b"comment": "caf\u00e9".encode(), b"x": b"y" * 95}) == block[512:].rstrip(b"\0")


@given(st.integers(-(1 << 70), 1 << 70))
def test_times_come_back(ns: int) -> None:
    """Any number of nanoseconds, before 1970 too."""
    assert parse_time(pack_time(ns)) == ns


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        (b"0", 0), (b"1.5", 1_500_000_000), (b"-1.25", -1_250_000_000), (b"-0.5", -500_000_000), (b"7.", 7_000_000_000),
        (b".5", 500_000_000), (b"1.0000000019", 1_000_000_001), (b"007.10", 7_100_000_000),
    ],
)  # fmt: skip
def test_times_as_others_write_them(text: bytes, ns: int) -> None:
    """Fractions of any length are cut at the nanosecond."""
    assert parse_time(text) == ns


@pytest.mark.parametrize("text", [b"--1", b"1e5", b"1.5.2", b"nan", b"1.-5", b"+1", b"9" * 21, b"1,5"])
def test_what_is_no_time_is_refused(text: bytes) -> None:
    """Anything else raises ValueError."""
    with pytest.raises(ValueError, match="is not a"):
        parse_time(text)


@pytest.mark.parametrize("text", [b"", b"-1", b"1.0", b" 1", b"0x10", b"1" * 21, "\u0661".encode()])
def test_what_is_no_number_is_refused(text: bytes) -> None:
    """Only decimal digits, and not without end."""
    with pytest.raises(ValueError, match="is not a number"):
        parse_number(text)


@pytest.mark.parametrize(
    "data",
    [b"1", b"6 a=b", b"6 a=b\n6 a=b", b"a 6=b\n", b"5 =b\n\n", b"0 a=b\n", b"-6 a=b\n", b"6 a=b\n\0\0x", b"7 abcd\n"],
)
def test_broken_records_are_refused(data: bytes) -> None:
    """A length that is wrong, a key that is missing, something behind the end."""
    with pytest.raises(ValueError, match="PAX record"):
        parse_records(data)


def test_zeros_may_follow() -> None:
    """Records may be filled up with zero bytes."""
    assert parse_records(b"6 a=b\n" + bytes(30)) == [(b"a", b"b")]
