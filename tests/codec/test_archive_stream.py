"""Plain, gzip and zstd archives: written by name, read by what they begin with."""

from __future__ import annotations

import gzip
import io
import random
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icc_store.codec.archive_stream import ArchiveFormat, ArchiveReader, ArchiveWriter, format_of_name
from icc_store.limits import MIB

NOISE = random.Random("noise").randbytes(700_000)
EVERY_FORM = pytest.mark.parametrize("form", list(ArchiveFormat))


def compress(data: bytes, form: ArchiveFormat, *, step: int = 1 << 20, threads: int = 1) -> bytes:
    out = io.BytesIO()
    writer = ArchiveWriter(out.write, form, threads=threads)
    for at in range(0, len(data), step):
        writer.write(data[at : at + step])
    writer.close()
    assert (writer.plain_size, writer.written_size) == (len(data), len(out.getvalue()))
    return out.getvalue()


def decompress(data: bytes, *, at_once: int = 1 << 20) -> bytes:
    source = io.BytesIO(data)
    reader = ArchiveReader(lambda size: source.read(min(size, at_once)))
    return b"".join(iter(lambda: reader.read(50_000), b""))


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.tar", ArchiveFormat.TAR),
        ("A.TAR.GZ", ArchiveFormat.GZIP),
        ("a.b.tgz", ArchiveFormat.GZIP),
        ("a.tar.zst", ArchiveFormat.ZSTD),
        ("a.tzst", ArchiveFormat.ZSTD),
        ("a.gz", None),
        ("tar", None),
        ("a.tar.xz", None),
    ],
)
def test_names_say_formats(name: str, form: ArchiveFormat | None) -> None:
    """The ending of a file's name picks the format; others pick none."""
    assert format_of_name(name) is form


@EVERY_FORM
@given(st.binary(min_size=1, max_size=5000), st.integers(1, 5000), st.integers(1, 6000))
def test_what_goes_in_comes_out(form: ArchiveFormat, data: bytes, step: int, at_once: int) -> None:
    """In pieces of any size, written and read."""
    assert decompress(compress(data, form, step=step), at_once=at_once) == data


@EVERY_FORM
@pytest.mark.parametrize("data", [b"", bytes(5 * MIB), NOISE, NOISE * 5], ids=["empty", "zeros", "noise", "repeated"])
def test_bytes_do_not_depend_on_pieces_and_threads(form: ArchiveFormat, data: bytes) -> None:
    """The same content makes the same file, however it was handed over and on however many cores."""
    first = compress(data, form)
    assert compress(data, form, step=99_991, threads=4) == first
    if data:
        assert decompress(first) == data


@pytest.mark.parametrize(("form", "program"), [(ArchiveFormat.GZIP, "gzip"), (ArchiveFormat.ZSTD, "zstd")])
def test_other_programs_read_it(form: ArchiveFormat, program: str) -> None:
    """gzip and zstd decompress what we write."""
    if program == "gzip":
        assert gzip.decompress(compress(NOISE, form)) == NOISE
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    done = subprocess.run([program, "-dc"], input=compress(NOISE, form), capture_output=True, check=True)
    assert done.stdout == NOISE


@pytest.mark.parametrize("form", [ArchiveFormat.GZIP, ArchiveFormat.ZSTD])
def test_streams_behind_each_other_are_one(form: ArchiveFormat) -> None:
    """Two compressed streams in one file are read as one."""
    assert decompress(compress(b"one", form) + compress(b"two" * 9999, form)) == b"one" + b"two" * 9999


@pytest.mark.parametrize("form", [ArchiveFormat.GZIP, ArchiveFormat.ZSTD])
def test_a_cut_is_noticed_anywhere(form: ArchiveFormat) -> None:
    """A compressed stream that lacks even its last byte is an error."""
    data = compress(b"some text " * 30, form)
    for cut in range(8, len(data)):
        with pytest.raises(ValueError, match="cut off"):
            decompress(data[:cut])


def test_rubbish_behind_gzip_is_noticed() -> None:
    """Zeros may follow a gzip stream, nothing else."""
    data = compress(b"x", ArchiveFormat.GZIP)
    assert decompress(data + bytes(100_000)) == b"x"
    with pytest.raises(ValueError, match="broken"):
        decompress(data + bytes(100_000) + b"rubbish")


def test_a_skippable_frame_in_front() -> None:
    """A zstd file may begin with a frame for somebody else."""
    skipped = b"\x53\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"other"
    assert decompress(skipped + compress(b"x" * 5000, ArchiveFormat.ZSTD)) == b"x" * 5000


@pytest.mark.parametrize("form", [ArchiveFormat.GZIP, ArchiveFormat.ZSTD])
def test_a_bomb_is_given_out_in_pieces(form: ArchiveFormat) -> None:
    """However far a few bytes expand, a read returns what it was asked for."""
    bomb = compress(bytes(200 * MIB), form)
    source = io.BytesIO(bomb)
    reader = ArchiveReader(source.read)
    total = 0
    while data := reader.read(MIB):
        assert len(data) <= MIB
        total += len(data)
    assert total == 200 * MIB
