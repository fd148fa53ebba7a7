"""Archives as they lie in files: plain, in gzip or in zstd. Written by name, read by what they begin with."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from icc_store.codec.compression import FrameDecompressor, StreamCompressor, stream_compressor
from icc_store.limits import KIB, MIB

_GZIP_LEVEL: Final = 6
_ZSTD_LEVEL: Final = 3
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_WRITE_SIZE: Final = MIB
_READ_SIZE: Final = 256 * KIB
_GZIP_INPUT: Final = 64 * KIB
_ZSTD_INPUT: Final = KIB
"""Compressed bytes decoded at once: four bytes of zstd can stand for 128 KiB, so this bounds a bomb to 32 MiB."""

_MAGIC_SIZE: Final = 6
_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE: Final = b"\x2a\x4d\x18"
_OTHERS: Final = {
    b"\xfd7zXZ\x00": "it is compressed with xz, which is not read here",
    b"BZh": "it is compressed with bzip2, which is not read here",
    b"\x1f\x9d": "it is compressed with compress, which is not read here",
    b"LZIP": "it is compressed with lzip, which is not read here",
    b"\x04\x22\x4d\x18": "it is compressed with lz4, which is not read here",
    b"PK\x03\x04": "it is a zip archive",
    b"7z\xbc\xaf": "it is a 7z archive",
}


class ArchiveFormat(StrEnum):
    """How an archive is compressed, by the ending of its name."""

    TAR = "tar"
    GZIP = "tar.gz"
    ZSTD = "tar.zst"


_ENDINGS: Final = {
    ".tar": ArchiveFormat.TAR,
    ".tar.gz": ArchiveFormat.GZIP,
    ".tgz": ArchiveFormat.GZIP,
    ".tar.zst": ArchiveFormat.ZSTD,
    ".tzst": ArchiveFormat.ZSTD,
}


def format_of_name(name: str) -> ArchiveFormat | None:
    """The format that a file of this name is to have; None when its ending says nothing."""
    return next((form for ending, form in _ENDINGS.items() if name.lower().endswith(ending)), None)


class _Plain:
    """A compressor that does not."""

    def compress(self, data: bytes, /) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


class ArchiveWriter:
    """Takes plain bytes and writes them in a format. The bytes written depend on nothing else."""

    def __init__(self, write: Callable[[bytes], object], form: ArchiveFormat, *, threads: int = 1) -> None:
        self._write = write
        self._waiting: list[bytes] = []
        self._size = 0
        self.plain_size = 0
        """Bytes before compression."""
        self.written_size = 0
        """Bytes after it."""
        compressor: StreamCompressor = _Plain()
        if form is ArchiveFormat.GZIP:
            compressor = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)  # its header has no time in it
        elif form is ArchiveFormat.ZSTD:
            compressor = stream_compressor(_ZSTD_LEVEL, threads)
        self._compressor = compressor

    def write(self, data: bytes) -> None:
        """Add plain bytes. What `write` raises passes through."""
        self._waiting.append(data)
        self._size += len(data)
        self.plain_size += len(data)
        if self._size >= _WRITE_SIZE:
            self._pass_on()

    def close(self) -> None:
        """Write what waits, and the end."""
        self._pass_on()
        self._out(self._compressor.flush())

    def _pass_on(self) -> None:
        data = b"".join(self._waiting)
        self._waiting, self._size = [], 0
        self._out(self._compressor.compress(data))

    def _out(self, data: bytes) -> None:
        if data:
            self.written_size += len(data)
            self._write(data)


class ArchiveReader:
    """Gives the plain bytes of an archive in any of the formats.

    `read` returns up to so many bytes of the file, and none at its end. Memory is bounded whatever the file says.
    Raises ValueError for an unknown compression and for a stream that is broken or cut off.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._source = read
        self._input = read(_READ_SIZE)
        while 0 < len(self._input) < _MAGIC_SIZE and (more := read(_READ_SIZE)):  # a pipe may give a byte at a time
            self._input += more
        self._input_at = 0
        self._ended = not self._input
        self._plain = b""
        self._plain_at = 0
        self._gzip: zlib._Decompress | None = None
        self._zstd: FrameDecompressor | None = None
        self._fill = self._filler(self._input[:_MAGIC_SIZE])

    def read(self, size: int) -> bytes:
        """Up to `size` plain bytes; none at the end only."""
        while self._plain_at == len(self._plain):
            self._plain = self._fill()
            self._plain_at = 0
            if not self._plain and self._ended:
                return b""
        data = self._plain[self._plain_at : self._plain_at + size]
        self._plain_at += len(data)
        return data

    def _filler(self, head: bytes) -> Callable[[], bytes]:
        if head.startswith(_GZIP_MAGIC):
            return self._fill_gzip
        if head.startswith(_ZSTD_MAGIC) or (head[1:4] == _ZSTD_SKIPPABLE and head[0] >> 4 == 5):
            return self._fill_zstd
        for magic, what in _OTHERS.items():
            if head.startswith(magic):
                raise ValueError(what)
        return self._fill_plain

    def _take(self, size: int) -> bytes:
        """Up to `size` bytes of the file; none at its end."""
        if self._input_at == len(self._input) and not self._ended:
            self._input, self._input_at = self._source(_READ_SIZE), 0
            self._ended = not self._input
        data = self._input[self._input_at : self._input_at + size]
        self._input_at += len(data)
        return data

    def _give_back(self, unused: bytes) -> None:
        """What was taken last and not used is what comes next."""
        self._input_at -= len(unused)

    def _fill_plain(self) -> bytes:
        return self._take(_READ_SIZE)

    def _fill_gzip(self) -> bytes:
        if self._gzip is None:
            data = self._take(_GZIP_INPUT)
            if not data.strip(b"\0"):  # zeros may follow the last stream: tapes were filled up so
                return b""
            self._gzip = zlib.decompressobj(_GZIP_WINDOW)
        else:
            data = self._gzip.unconsumed_tail or self._take(_GZIP_INPUT)
        try:
            plain = self._gzip.decompress(data, _READ_SIZE)
        except zlib.error as error:
            raise ValueError(f"the gzip stream is broken: {error}") from error
        if self._gzip.eof:
            self._give_back(self._gzip.unused_data)
            self._gzip = None
        elif not data and not plain:
            raise ValueError("the gzip stream is cut off")
        return plain

    def _fill_zstd(self) -> bytes:
        data = self._take(_ZSTD_INPUT)
        if self._zstd is None:
            if not data:
                return b""
            self._zstd = FrameDecompressor()
        elif not data:
            raise ValueError("the zstd stream is cut off")
        plain = self._zstd.decompress(data)
        if self._zstd.eof:
            self._give_back(self._zstd.unused_data)
            self._zstd = None
        return plain
