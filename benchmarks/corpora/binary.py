"""A large binary file, part of it compressible, and an edited copy of it."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from benchmarks.corpora.vocabulary import Writer, symbol_names

BLOCK = 1 << 20
EDIT_SIZE = 16 << 10
_PROSE_BYTES = 4 << 20


@dataclass(frozen=True)
class Edit:
    """16 KiB that overwrite the original at `offset`, or are inserted there."""

    offset: int
    data: bytes
    inserts: bool


def build(target: Path, size: int, seed: int) -> None:
    """Write `size` bytes: of each MiB block 40 % random, 35 % like text, 20 % like records, 5 % zeros."""
    blocks = _Blocks(seed)
    with target.open("wb", buffering=0) as file:
        for number in range(0, size, BLOCK):
            file.write(blocks.make(min(BLOCK, size - number)))


def build_edited(original: Path, target: Path, edits: int, seed: int) -> None:
    """Write a copy of `original` with `edits` places overwritten and inserted alternately."""
    with original.open("rb") as source, target.open("wb", buffering=0) as copy:
        for edit in plan_edits(original.stat().st_size, edits, seed):
            for piece in _pieces(source, edit.offset - source.tell()):
                copy.write(piece)
            copy.write(edit.data)
            if not edit.inserts:
                source.seek(EDIT_SIZE, 1)
        while piece := source.read(BLOCK):
            copy.write(piece)


def plan_edits(size: int, count: int, seed: int) -> list[Edit]:
    """Choose edits in ascending order that do not touch one another."""
    rng = random.Random(f"edits {seed}")
    slots = size // (2 * EDIT_SIZE)
    chosen = sorted(rng.sample(range(slots), min(count, slots)))
    return [
        Edit(slot * 2 * EDIT_SIZE + rng.randrange(EDIT_SIZE), rng.randbytes(EDIT_SIZE), number % 2 == 1)
        for number, slot in enumerate(chosen)
    ]


def _pieces(source: BinaryIO, length: int) -> Iterator[bytes]:
    while length > 0:
        piece = source.read(min(BLOCK, length))
        length -= len(piece)
        yield piece


class _Blocks:
    """Makes blocks that repeat within themselves as real data does, but not each other."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(f"binary {seed}")
        self._prose = _prose(self._rng)

    def make(self, size: int) -> bytes:
        kind = self._rng.random()
        if kind < 0.40:
            return self._rng.randbytes(size)
        if kind < 0.75:
            return self._text(size)
        if kind < 0.95:
            return self._records(size)
        return bytes(size)

    def _text(self, size: int) -> bytes:
        # A substitution of its own makes each block unique to a deduplicator and leaves it as compressible.
        alphabet = bytearray(range(256))
        self._rng.shuffle(alphabet)
        start = self._rng.randrange(len(self._prose) - size)
        return self._prose[start : start + size].translate(alphabet)

    def _records(self, size: int) -> bytes:
        header = self._rng.randbytes(24)
        width = 64
        values = self._rng.randbytes(16 * (size // width + 1))
        rows = (header + values[at : at + 16] + header for at in range(0, len(values), 16))
        return b"".join(rows)[:size]


def _prose(rng: random.Random) -> bytes:
    writer = Writer(rng, symbol_names(rng, 2_000))
    lines: list[str] = []
    length = 0
    while length < _PROSE_BYTES:
        lines.append(writer.sentence())
        length += len(lines[-1]) + 1
    return "\n".join(lines).encode()
