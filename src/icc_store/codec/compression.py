"""zstd frames, with or without a prefix that both sides know. The home of zstandard.

Frames are written without magic number, content size and checksum: lengths stand in the block's directory and
the object's id proves the bytes. That saves 6 to 13 bytes a frame, which is a sixth of a small delta.
"""

from __future__ import annotations

import threading
from typing import Final, Protocol

import zstandard

from icc_store.limits import MAX_FRAME_SIZE, MAX_WINDOW, MIB

_FORMAT: Final = zstandard.FORMAT_ZSTD1_MAGICLESS
_SMALLEST_WINDOW: Final = 10
_JOB_SIZE: Final = MIB
"""What one thread of a stream works on. zstd's own choice (8 MiB at level 3) takes 119 MB with two threads instead of
20, and is slower where the caller does something between two pieces."""

_HIGH_LEVEL: Final = 16
_BIG: Final = 2 * MIB
_SMALL_TABLES: Final = {"chain_log": 22, "hash_log": 20}
"""For 4 MiB behind a prefix of as much, zstd at level 19 takes 166 MB by itself, with these tables 46, and a repository
that is optimized gets 0.2 % larger. Its own tables for anything smaller are no larger."""

_local = threading.local()


def compress(data: bytes, level: int, prefix: bytes = b"") -> bytes:
    """`data` as one zstd frame. With a prefix, what stands in it already costs next to nothing."""
    if prefix or level >= _HIGH_LEVEL:
        known = zstandard.ZstdCompressionDict(prefix, dict_type=zstandard.DICT_TYPE_RAWCONTENT) if prefix else None
        parameters = _parameters(level, len(data), len(prefix))
        return _trimmed(zstandard.ZstdCompressor(dict_data=known, compression_params=parameters).compress(data))
    compressor: zstandard.ZstdCompressor | None = getattr(_local, f"level{level}", None)
    if compressor is None:
        compressor = zstandard.ZstdCompressor(compression_params=_parameters(level, 0, 0))
        setattr(_local, f"level{level}", compressor)
    return _trimmed(compressor.compress(data))


def _trimmed(frame: bytes) -> bytes:
    """The same bytes in no more memory than they need.

    The library keeps the room of the longest frame there could be: of a first snapshot's 8 MiB batch that was 65 MB.
    """
    return bytes(memoryview(frame))


def decompress(data: bytes | memoryview, size: int, prefix: bytes = b"") -> bytes:
    """The `size` plain bytes of a frame. Raises ValueError when the frame is broken or holds another count."""
    if not 0 < size <= MAX_FRAME_SIZE:
        raise ValueError(f"a frame of {size} plain bytes is not allowed")
    try:
        # The library takes as much memory as a frame's own content size asks for, whatever is allowed.
        claimed = zstandard.get_frame_parameters(data, format=_FORMAT).content_size
        if claimed not in (zstandard.CONTENTSIZE_UNKNOWN, size):
            raise ValueError(f"a compressed frame claims {claimed} bytes instead of {size}")
        if prefix:
            known = zstandard.ZstdCompressionDict(prefix, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
            plain = zstandard.ZstdDecompressor(dict_data=known, format=_FORMAT, max_window_size=MAX_WINDOW).decompress(
                data, max_output_size=size, allow_extra_data=False
            )
        else:
            decompressor: zstandard.ZstdDecompressor | None = getattr(_local, "decompressor", None)
            if decompressor is None:
                decompressor = zstandard.ZstdDecompressor(format=_FORMAT, max_window_size=MAX_WINDOW)
                _local.decompressor = decompressor
            plain = decompressor.decompress(data, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ValueError(f"a compressed frame cannot be read: {error}") from error
    if len(plain) != size:
        raise ValueError(f"a compressed frame holds {len(plain)} bytes instead of {size}")
    return plain


def _parameters(level: int, size: int, prefix_size: int) -> zstandard.ZstdCompressionParameters:
    options: dict[str, int] = {"format": _FORMAT, "write_content_size": 0, "write_checksum": 0, "write_dict_id": 0}
    if level >= _HIGH_LEVEL and size + prefix_size > _BIG:
        options |= _SMALL_TABLES
    if prefix_size:
        options["window_log"] = max(_SMALLEST_WINDOW, (size + prefix_size).bit_length())
    return zstandard.ZstdCompressionParameters.from_level(level, source_size=size, dict_size=prefix_size, **options)


class StreamCompressor(Protocol):
    """Compresses a stream that comes in pieces."""

    def compress(self, data: bytes, /) -> bytes:
        """What is ready after one more piece."""

    def flush(self) -> bytes:
        """The rest."""


def stream_compressor(level: int, threads: int) -> StreamCompressor:
    """A standard zstd frame with a checksum, as other programs read it.

    The bytes do not depend on the number of threads: even one works as one of several would.
    """
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level, threads=max(threads, 1), job_size=_JOB_SIZE, write_checksum=1
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compressobj()


class FrameDecompressor:
    """Decompresses one standard zstd frame that comes in pieces."""

    def __init__(self) -> None:
        self._decompress = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).decompressobj()

    def decompress(self, data: bytes) -> bytes:
        """The plain bytes of one more piece; up to 32,768 times as many. Raises ValueError for a broken frame."""
        try:
            return self._decompress.decompress(data)
        except zstandard.ZstdError as error:
            raise ValueError(f"a zstd frame cannot be read: {error}") from error

    @property
    def eof(self) -> bool:
        """Whether the frame has ended."""
        return self._decompress.eof

    @property
    def unused_data(self) -> bytes:
        """What was given beyond the end of the frame."""
        return self._decompress.unused_data
