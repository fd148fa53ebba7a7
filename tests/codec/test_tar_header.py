"""Header blocks: every field, compared with what Python's tarfile writes and reads."""

from __future__ import annotations

import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icc_store.codec.tar_header import (
    LAST_OCTAL_ID,
    LAST_OCTAL_SIZE,
    TarHeader,
    build_header,
    parse_header,
    split_name,
)

text = st.binary(max_size=90).filter(lambda value: 0 not in value)
ids = st.integers(0, LAST_OCTAL_ID)
sizes = st.integers(0, LAST_OCTAL_SIZE)
headers = st.builds(
    TarHeader,
    text.filter(bool),
    st.sampled_from([b"0", b"1", b"2", b"3", b"4", b"5", b"6"]),
    st.integers(0, 0o7777),
    ids,
    ids,
    sizes,
    sizes,
    text,
    text.map(lambda value: value[:31]),
    text.map(lambda value: value[:31]),
)


@given(headers)
def test_a_header_comes_back(header: TarHeader) -> None:
    """What fits in the fields is read as it was written, and the block is a block."""
    block = build_header(header)
    assert len(block) == 512
    assert parse_header(block) == header


@given(headers)
def test_tarfile_reads_the_same(header: TarHeader) -> None:
    """Python's tarfile finds the same fields in the block."""
    info = tarfile.TarInfo.frombuf(build_header(header), "utf-8", "surrogateescape")
    assert info.name == header.name.decode("utf-8", "surrogateescape").rstrip("/")
    assert (info.mode, info.uid, info.gid, info.size) == (header.mode, header.uid, header.gid, header.size)
    assert (info.mtime, info.type) == (header.mtime, header.typeflag)
    assert info.linkname == header.linkname.decode("utf-8", "surrogateescape")


def test_the_bytes_are_those_of_tarfile() -> None:
    """For a plain file, the block is byte for byte what Python's tarfile makes."""
    info = tarfile.TarInfo("a/name")
    info.mode, info.uid, info.gid, info.size, info.mtime = 0o640, 1000, 100, 12345, 1_600_000_000
    info.uname, info.gname = "ada", "users"
    theirs = info.tobuf(tarfile.USTAR_FORMAT)
    ours = build_header(TarHeader(b"a/name", b"0", 0o640, 1000, 100, 12345, 1_600_000_000, b"", b"ada", b"users", 0, 0))
    fields = {"name to mtime": slice(0, 148), "type to group": slice(156, 329), "prefix": slice(345, 512)}
    for name, field in fields.items():
        assert ours[field] == theirs[field], name


def test_devices_have_numbers() -> None:
    """Major and minor stand in the headers of devices, and are read from those alone."""
    header = TarHeader(b"d", b"4", major=259, minor=70_000)
    assert (parse_header(build_header(header)).major, parse_header(build_header(header)).minor) == (259, 70_000)
    assert parse_header(build_header(TarHeader(b"d", b"0", major=259))).major == 0


@pytest.mark.parametrize(
    ("path", "split"),
    [
        (b"n" * 100, (b"", b"n" * 100)),
        (b"n" * 101, None),
        (b"d/" + b"n" * 100, (b"d", b"n" * 100)),
        (b"d" * 155 + b"/" + b"n" * 100, (b"d" * 155, b"n" * 100)),
        (b"d" * 156 + b"/" + b"n" * 100, None),
        (b"/" + b"n" * 100, None),
        (b"d" * 120 + b"/", None),
    ],
)
def test_names_are_split_at_a_slash(path: bytes, split: tuple[bytes, bytes] | None) -> None:
    """Up to 100 bytes stand in the name, up to 155 more in the prefix, the slash between them in neither."""
    assert split_name(path) == split
    if split is not None:
        assert parse_header(build_header(TarHeader(path))).name == path


def test_numbers_that_do_not_fit_are_zero() -> None:
    """A number that only a PAX record can hold stands as 0."""
    header = parse_header(build_header(TarHeader(b"n", uid=1 << 30, size=1 << 40, mtime=-5)))
    assert (header.uid, header.size, header.mtime) == (0, 0, 0)


def test_numbers_in_base_256() -> None:
    """GNU's binary numbers are read, negative ones too."""
    info = tarfile.TarInfo("n")
    info.uid, info.size, info.mtime = 1 << 30, 1 << 40, -5
    header = parse_header(info.tobuf(tarfile.GNU_FORMAT))
    assert (header.uid, header.size, header.mtime) == (1 << 30, 1 << 40, -5)


@pytest.mark.parametrize("at", [0, 99, 124, 148, 156, 257, 345, 511])
def test_a_changed_byte_is_noticed(at: int) -> None:
    """The checksum guards every byte of the block."""
    block = bytearray(build_header(TarHeader(b"name")))
    block[at] ^= 0x41
    with pytest.raises(ValueError, match="checksum"):
        parse_header(bytes(block))


def test_a_short_block_is_cut_off() -> None:
    """Fewer than 512 bytes are no header."""
    with pytest.raises(ValueError, match="cut off"):
        parse_header(bytes(511))
