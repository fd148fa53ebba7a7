"""Cutting by content."""

from __future__ import annotations

import io
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyfastcdc.py import FastCDC

from icc_store.codec.chunking import ChunkerParameters, cut, parameters_for
from icc_store.limits import GIB, KIB, MAX_OBJECT_SIZE, WHOLE_FILE_SIZE

SMALL = ChunkerParameters(16 * KIB, 64 * KIB, 256 * KIB)


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def chunks(data: bytes, parameters: ChunkerParameters = SMALL) -> list[bytes]:
    return all_of(io.BytesIO(data), parameters)


def all_of(stream: io.BytesIO, parameters: ChunkerParameters) -> list[bytes]:
    return [bytes(chunk) for chunks in cut(stream, parameters) for chunk in chunks]


class Dribble(io.BytesIO):
    """A stream that gives a few bytes at a time."""

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return super().readinto(memoryview(buffer)[:777])


@pytest.mark.parametrize("size", [0, 1, 16 * KIB - 1, 16 * KIB, 100_000, 3_000_000])
def test_chunks_are_the_file(size: int) -> None:
    """Put together, the chunks of a stream are the stream."""
    assert b"".join(chunks(noise(size, size))) == noise(size, size)


def test_chunks_keep_their_bounds() -> None:
    """No chunk but the last is below the minimum, none above the maximum; on average they are near their target."""
    sizes = [len(chunk) for chunk in chunks(noise(1, 20 << 20))]
    assert min(sizes[:-1]) >= SMALL.minimum
    assert max(sizes) <= SMALL.maximum
    assert 48 * KIB < sum(sizes) / len(sizes) < 112 * KIB
    assert max(map(len, chunks(bytes(2 << 20)))) == SMALL.maximum


def test_an_insertion_moves_few_boundaries() -> None:
    """One byte inserted in the middle changes the chunk around it and seldom a second one."""
    data = noise(2, 10 << 20)
    before, after = chunks(data), chunks(data[: 5 << 20] + b"!" + data[5 << 20 :])
    assert len(set(after) - set(before)) <= 2


@given(st.integers(1, 300_000), st.sampled_from((bytes, lambda size: noise(3, size))))
def test_cutting_is_a_function_of_the_content(size: int, make: Callable[[int], bytes]) -> None:
    """However the bytes arrive, they are cut in the same places."""
    data = make(size)
    assert chunks(data) == all_of(Dribble(data), SMALL)


def test_larger_files_have_larger_chunks() -> None:
    """Up to 1 GiB, up to 64 GiB, beyond: a terabyte has no hundred million chunks, and no chunk is too large."""
    steps = [parameters_for(size) for size in (WHOLE_FILE_SIZE, GIB, GIB + 1, 64 * GIB, 64 * GIB + 1, 1 << 50)]
    assert [step.mean // KIB for step in steps] == [64, 64, 256, 256, 1024, 1024]
    for step in steps:
        assert step.minimum < step.mean < step.maximum <= MAX_OBJECT_SIZE
        assert b"".join(chunks(noise(4, 1 << 20), step)) == noise(4, 1 << 20)


def test_it_cuts_as_the_plain_implementation_does() -> None:
    """The compiled chunker and the one written in Python agree on every cut, with all parameters in use."""
    data = noise(6, 1 << 20) + bytes(300_000) + b"some text, again and again " * 20_000
    for size in (0, 2 * GIB, 65 * GIB):
        step = parameters_for(size)
        plain = FastCDC(step.mean, min_size=step.minimum, max_size=step.maximum)
        assert [len(chunk) for chunk in chunks(data, step)] == [chunk.length for chunk in plain.cut_buf(data)]
