"""The blocks of an optimized repository: groups as frames, at a high level, each decoded again and compared."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from icc_store.codec.compression import compress, decompress
from icc_store.codec.hashing import object_id
from icc_store.errors import DamageError
from icc_store.ids import Kind
from icc_store.limits import COLD_BLOCK_OBJECTS, KIB
from icc_store.objects.block import RAW, ZSTD, ZSTD_IDS, Frame, encode_block
from icc_store.objects.encoder import Group
from icc_store.operations.optimize_layout import Step

_RAW_WORTH = 0.98
_APART_STORED = 512 * KIB
"""Stored bytes after which a block of what stands apart ends: about what other blocks have."""


@dataclass(frozen=True, slots=True)
class NewBlock:
    """A block that waits to be committed."""

    data: bytes
    frames: tuple[Frame, ...]


@dataclass(slots=True)
class _Bundle:
    """Frames that are being made, of one block and of those behind it."""

    together: list[Future[Frame]] = field(default_factory=list)
    apart: list[Future[Frame]] = field(default_factory=list)
    ids: list[bytes] = field(default_factory=list)
    """Of all objects of the block."""

    @property
    def is_made(self) -> bool:
        return all(frame.done() for frame in (*self.together, *self.apart))


class BlockBuilder:
    """Makes frames of groups in a few threads, and blocks of frames in the order in which the groups came.

    Only as many groups as there are threads, and one more, are in memory at a time.
    """

    def __init__(self, repository: bytes, level: int, threads: int) -> None:
        self._repository = repository
        self._level = level
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="optimize")
        self._running: deque[Future[Frame]] = deque()
        self._bundle = _Bundle()
        self._ended: deque[_Bundle] = deque()

    def close(self) -> None:
        """Stop the threads. What was not taken is gone."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def put(self, step: Step) -> None:
        """Take in what comes next; trees and lists are compressed behind the ids of all that stands before them.

        Raises DamageError when an object in memory, or what one was compressed to, is not what its id says: then
        nothing of it may be stored, and what is stored already is left as it is.
        """
        group = step.group
        if group is None:
            self._ended.append(self._bundle)
            self._bundle = _Bundle()
            return
        while len(self._running) > self._threads:
            self._running.popleft().result()
        ids = b""
        if not step.apart:
            self._bundle.ids += group.ids
            ids = b"".join(self._bundle.ids) if group.kind in (Kind.TREE, Kind.LIST) else b""
        frame = self._pool.submit(_frame, group, self._level, ids)
        self._running.append(frame)
        (self._bundle.apart if step.apart else self._bundle.together).append(frame)

    def made(self, *, wait: bool = False) -> Iterator[list[NewBlock]]:
        """What is ready to be committed, each list in one transaction; with `wait`, all that has ended."""
        while self._ended and (wait or self._ended[0].is_made):
            bundle = self._ended.popleft()
            yield list(self._blocks(bundle))

    def _blocks(self, bundle: _Bundle) -> Iterator[NewBlock]:
        if bundle.together:
            yield self._block(job.result() for job in bundle.together)
        frames: list[Frame] = []
        for job in bundle.apart:
            frame = job.result()
            objects = sum(len(each.ids) for each in (*frames, frame))
            stored = sum(len(each.stored) for each in (*frames, frame))
            if frames and (stored > _APART_STORED or objects > COLD_BLOCK_OBJECTS):
                yield self._block(frames)
                frames = []
            frames.append(frame)
        if frames:
            yield self._block(frames)

    def _block(self, frames: Iterable[Frame]) -> NewBlock:
        made = tuple(frames)
        return NewBlock(encode_block(self._repository, made), made)


def _frame(group: Group, level: int, ids: bytes) -> Frame:
    plain = b"".join(group.parts)
    lengths = tuple(map(len, group.parts))
    prefix = group.base_data + ids
    stored = compress(plain, level, prefix)
    if not group.bases and len(stored) >= _RAW_WORTH * len(plain):
        frame = Frame(group.kind, RAW, group.ids, lengths, plain)
    else:
        codec = ZSTD_IDS if ids else ZSTD
        frame = Frame(group.kind, codec, group.ids, lengths, stored, group.bases, group.depth, group.cost)
    _prove(frame, prefix)
    return frame


def _prove(frame: Frame, prefix: bytes) -> None:
    """Decode a frame as a reader will, and compare every object in it with its id."""
    try:
        plain = frame.stored if frame.codec == RAW else decompress(frame.stored, frame.plain_size, prefix)
    except ValueError as error:
        raise DamageError(
            f"what was compressed cannot be decoded: {error}", hint="check this machine's memory"
        ) from error
    view, start = memoryview(plain), 0
    for identity, length in zip(frame.ids, frame.lengths, strict=True):
        if object_id(frame.kind, view[start : start + length]) != identity:
            raise DamageError(
                f"object {identity.hex()} changed while it was compressed; it is left as it was",
                hint="check this machine's memory",
            )
        start += length
