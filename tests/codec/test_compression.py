"""zstd frames."""

from __future__ import annotations

import random
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from icc_store.codec.compression import compress, decompress
from icc_store.limits import MAX_FRAME_SIZE

STANDARD_MAGIC = b"\x28\xb5\x2f\xfd"


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@given(st.binary(min_size=1, max_size=3000), st.binary(max_size=3000), st.sampled_from((1, 3, 7, 9, 19)))
def test_a_frame_comes_back(data: bytes, prefix: bytes, level: int) -> None:
    """With or without a prefix, at every level, what was compressed is decompressed."""
    assert decompress(compress(data, level, prefix), len(data), prefix) == data


@given(st.binary(min_size=1, max_size=3000))
def test_any_zstd_reads_a_frame(data: bytes) -> None:
    """A frame is standard zstd without its four magic bytes: put them back, and every decoder reads it."""
    frame = STANDARD_MAGIC + compress(data, 3)
    assert zstandard.ZstdDecompressor().decompressobj().decompress(frame) == data


def test_a_frame_names_neither_size_nor_checksum() -> None:
    """What the directory and the ids say already is not stored again."""
    parameters = zstandard.get_frame_parameters(STANDARD_MAGIC + compress(bytes(5000), 3))
    assert parameters.content_size in {0, zstandard.CONTENTSIZE_UNKNOWN}
    assert not parameters.has_checksum
    assert parameters.dict_id == 0


def test_a_prefix_pays_at_any_distance() -> None:
    """The window holds data and prefix, also where both are larger than the level's usual window."""
    for size in (1000, 300_000, 2 << 20):
        data = noise(size)
        assert len(compress(data + b"!", 9, data)) < size / 100 + 60


def test_a_wrong_prefix_is_no_secret() -> None:
    """A frame read behind other bytes fails or gives other bytes; only ids can tell, so callers must check them."""
    data = noise(2000)
    frame = compress(data + b"!", 7, data)
    try:
        assert decompress(frame, 2001, noise(1999)) != data + b"!"
    except ValueError:
        pass


@pytest.mark.parametrize("prefix", [b"", b"a prefix of some length"])
def test_every_wrong_size_is_refused(prefix: bytes) -> None:
    """A frame that holds more or less than it should is an error, whichever way it is wrong."""
    data = b"some text, some text, some more text" * 20
    frame = compress(data, 3, prefix)
    for size in (0, 1, len(data) - 1, len(data) + 1, MAX_FRAME_SIZE, MAX_FRAME_SIZE + 1, -1):
        with pytest.raises(ValueError, match="frame"):
            decompress(frame, size, prefix)


@pytest.mark.parametrize("prefix", [b"", b"a prefix of some length"])
def test_a_cut_or_longer_frame_is_refused(prefix: bytes) -> None:
    """Neither the beginning of a frame nor a frame with a tail decodes."""
    data = b"some text, some text, some more text" * 20
    frame = compress(data, 3, prefix)
    for wrong in (*(frame[:size] for size in range(len(frame))), frame + b"\0", frame + frame):
        with pytest.raises(ValueError, match="frame"):
            decompress(wrong, len(data), prefix)


def test_a_bomb_is_refused() -> None:
    """A frame of gigabytes is stopped at the size the directory gives, before memory is taken."""
    bomb = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters.from_level(
            3, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_content_size=0
        )
    ).compress(bytes(256 << 20))
    with pytest.raises(ValueError, match="frame"):
        decompress(bomb, 1000)
    with pytest.raises(ValueError, match="frame"):
        decompress(bomb, 256 << 20)


@pytest.mark.parametrize("prefix", [b"", b"a prefix of some length"])
@pytest.mark.parametrize("claimed", [256 << 20, 1000, 1 << 62])
def test_a_claimed_size_asks_for_no_memory(prefix: bytes, claimed: int) -> None:
    """A frame may carry a content size of its own; one that differs is refused before memory is taken for it."""
    parameters = zstandard.ZstdCompressionParameters.from_level(3, format=zstandard.FORMAT_ZSTD1_MAGICLESS)
    frame = zstandard.ZstdCompressor(compression_params=parameters).compress(bytes(256 << 20))
    assert frame[0] >> 6 == 2
    frame = bytes([frame[0] | 0xC0]) + frame[1:2] + claimed.to_bytes(8, "little") + frame[6:]
    with pytest.raises(ValueError, match="frame"):
        decompress(frame, 5000, prefix)


@given(st.binary(max_size=300), st.integers(1, 5000), st.binary(max_size=100))
def test_any_bytes_are_a_frame_or_an_error(data: bytes, size: int, prefix: bytes) -> None:
    """No input raises anything but ValueError, and what decodes has the size that was asked for."""
    try:
        assert len(decompress(data, size, prefix)) == size
    except ValueError:
        pass


def test_threads_do_not_disturb_each_other() -> None:
    """Frames made and read in many threads at once are right: contexts belong to one thread each."""
    texts = [noise(size) + bytes(size) for size in range(1000, 1400)]

    def there_and_back(data: bytes) -> bytes:
        return decompress(compress(data, 3), len(data)) + decompress(compress(data, 7, data), len(data), data)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(there_and_back, texts)) == [text + text for text in texts]


def test_a_memoryview_is_read() -> None:
    """A frame may be a view into a larger buffer."""
    frame = compress(b"text " * 100, 3)
    assert decompress(memoryview(b"xx" + frame + b"yy")[2:-2], 500) == b"text " * 100


@pytest.mark.parametrize("prefix", [b"", b"what both sides know " * 10_000])
def test_a_frame_takes_no_more_memory_than_its_bytes(prefix: bytes) -> None:
    """What waits to be written is counted by its length, so that is what it may take."""
    data = b"the same words over and over " * 10_000
    tracemalloc.start()
    try:
        frames = [compress(data, 3, prefix) for _ in range(20)]
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < sum(map(len, frames)) + 100_000
