"""What the blocks hold, counted: by kind of object, and by how their frames are made.

Every block is parsed and no frame is decoded, but for a sample: what its objects would need one by one, and without
their bases, is tried on them, and tells what grouping and deltas save.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from icc_store.codec.compression import compress
from icc_store.errors import DamageError
from icc_store.ids import Kind
from icc_store.limits import DEFAULT_LEVEL, MIB, READ_TXN_BYTES
from icc_store.monitor import SILENT, Monitor
from icc_store.objects.block import Block, decode_block
from icc_store.objects.reader import ObjectReader

_SAMPLE_FRAMES = 48
"""Frames tried of each form: 12 MiB at most where they are full, a fifth of a second."""

_SAMPLE_BYTES = 16 * MIB


class Form(StrEnum):
    """How an object is stored."""

    SINGLE = "single"
    """In a frame of its own."""
    GROUPED = "grouped"
    """In one frame with others."""
    DELTA = "delta"
    """Against earlier objects."""


@dataclass
class Tally:
    """Objects, their plain bytes, and what the frames they stand in take."""

    objects: int = 0
    plain: int = 0
    stored: int = 0


@dataclass
class Sample:
    """Frames of one form that were tried: bytes as they are stored, all in one frame without bases, and one by one."""

    stored: int = 0
    together: int = 0
    alone: int = 0


@dataclass
class Census:
    """What the blocks hold. Bytes are bytes."""

    tallies: dict[tuple[Kind, Form], Tally] = field(default_factory=lambda: defaultdict(Tally))
    samples: dict[Form, Sample] = field(default_factory=lambda: defaultdict(Sample))
    blocks: int = 0
    block_bytes: int = 0
    """Frames, and the headers and directories around them."""
    damaged: list[tuple[int, str]] = field(default_factory=list)
    """Numbers of the blocks that could not be counted, and why."""


@dataclass
class _Chosen:
    """The frames to try of one form: every one at first, then every second, fourth ... so that all ages are in."""

    frames: list[tuple[int, int]] = field(default_factory=list)
    seen: int = 0
    step: int = 1

    def offer(self, number: int, frame: int) -> None:
        if self.seen % self.step == 0:
            self.frames.append((number, frame))
            if len(self.frames) > _SAMPLE_FRAMES:
                self.frames = self.frames[::2]
                self.step *= 2
        self.seen += 1


def take_census(reader: ObjectReader, repository: bytes, *, monitor: Monitor = SILENT) -> Census:
    """Count what all blocks hold. A damaged one is left out and named."""
    census = Census()
    chosen: dict[Form, _Chosen] = defaultdict(_Chosen)
    monitor.phase("count")
    for number, data in _blocks(reader):
        try:
            block = decode_block(data, repository)
        except DamageError as error:
            census.damaged.append((number, error.message))
            continue
        _count(census, chosen, number, block)
        census.blocks += 1
        census.block_bytes += len(data)
        monitor.advance(0, len(data), b"")
    monitor.phase("try")
    for form, frames in chosen.items():
        if form is not Form.SINGLE:
            _try(reader, frames.frames, census.samples[form])
    return census


def _blocks(reader: ObjectReader) -> Iterator[tuple[int, bytes]]:
    """All blocks, through views that are renewed so that freed pages can be reused."""
    start, more = 1, True
    while more:
        more, size = False, 0
        for number, data in reader.transaction.blocks(start):
            yield number, data
            start = number + 1
            size += len(data)
            if size > READ_TXN_BYTES:
                more = True
                break
        reader.renew()


def _count(census: Census, chosen: dict[Form, _Chosen], number: int, block: Block) -> None:
    for at, frame in enumerate(block.frames):
        form = Form.DELTA if frame.bases else Form.GROUPED if len(frame.ids) > 1 else Form.SINGLE
        tally = census.tallies[Kind(frame.kind), form]
        tally.objects += len(frame.ids)
        tally.plain += frame.plain_size
        tally.stored += len(frame.stored)
        chosen[form].offer(number, at)


def _try(reader: ObjectReader, frames: list[tuple[int, int]], sample: Sample) -> None:
    """Compress the objects of these frames again, together and one by one."""
    tried = 0
    for number, at in frames:
        if tried > _SAMPLE_BYTES:
            break
        try:
            block = reader.block(number)
            if block is None:
                continue  # gc moved or removed it meanwhile
            plain = reader.frame_plain(number, block, at)
        except DamageError:
            continue  # an estimate needs no particular frame; verify is what finds damage
        frame = block.frames[at]
        tried += len(plain)
        sample.stored += len(frame.stored)
        sample.together += _compressed(plain)
        start = 0
        for length in frame.lengths:
            sample.alone += _compressed(plain[start : start + length])
            start += length


def _compressed(data: bytes) -> int:
    return min(len(data), len(compress(data, DEFAULT_LEVEL)))
