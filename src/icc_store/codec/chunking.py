"""Content-defined chunking: FastCDC 2020. The home of pyfastcdc.

Xia et al., "The Design of Fast Content-Defined Chunking for Data Deduplication Based Storage Systems", IEEE TPDS 2020.
Only the compiled chunker is accepted: the pure-Python one cuts in the same places, a hundred times slower.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import cycle
from typing import Protocol

from icc_store.limits import GIB, KIB, MIB
from icc_store.quick_dataclass import dataclass


class Stream(Protocol):
    """What is cut: bytes that come in order."""

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer as far as there is data; 0 at the end."""


@dataclass(frozen=True)
class ChunkerParameters:
    """How a file is cut. Sizes are bytes; `mean` is the chunker's target beyond its minimum."""

    minimum: int
    mean: int
    maximum: int


_STEPS = (
    (GIB, ChunkerParameters(16 * KIB, 64 * KIB, 256 * KIB)),
    (64 * GIB, ChunkerParameters(64 * KIB, 256 * KIB, 1024 * KIB)),
)
_FOR_ALL_OTHERS = ChunkerParameters(256 * KIB, 1024 * KIB, 4096 * KIB)

_BUFFER = 4 * MIB
"""What is read and cut at once of a large file. With a quarter, two threads wait for each other too often."""


def parameters_for(size: int) -> ChunkerParameters:
    """What a file of this size is cut with when no earlier version of it says otherwise."""
    for limit, parameters in _STEPS:
        if size <= limit:
            return parameters
    return _FOR_ALL_OTHERS


def cut(stream: Stream, parameters: ChunkerParameters) -> Generator[list[memoryview]]:
    """The chunks of a stream in order, as many at a time as are read at once.

    The memory of a list is good until the next but one is asked for.
    """
    # Here, since most snapshots meet no large file, and it takes 6 ms to load.
    from pyfastcdc.cy import FastCDC

    chunker = FastCDC(parameters.mean, min_size=parameters.minimum, max_size=parameters.maximum)
    tail = memoryview(b"")
    for view in _buffers(2 * parameters.maximum):
        view[: len(tail)] = tail
        filled = len(tail)
        while filled < len(view) and (count := stream.readinto(view[filled:])):
            filled += count
        ended = filled < len(view)
        chunks, at = [], 0
        pieces = chunker.cut_buf(view[:filled])
        while at < filled and (ended or filled - at >= parameters.maximum):
            chunks.append(next(pieces).data)
            at += len(chunks[-1])
        if chunks:
            yield chunks
        if ended:
            return
        tail = view[at:filled]


def _buffers(size: int) -> Iterator[memoryview]:
    """Two of this size, two twice as large, and so on, then two in turn: large ones cost more than small files."""
    while size < _BUFFER:
        yield memoryview(bytearray(size))
        yield memoryview(bytearray(size))
        size *= 2
    yield from cycle((memoryview(bytearray(size)), memoryview(bytearray(size))))
