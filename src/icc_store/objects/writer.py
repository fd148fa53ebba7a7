"""Objects into blocks: gather, compress in parallel, check, commit.

An object that is already stored is not stored again. What is new waits in one of two places: objects with a base
(a previous version) next to each other in the order they come, because neighbours often share a base frame; all
others in one queue per kind, because large frames of like bytes compress best. A full queue becomes a frame in the
pool while the caller goes on reading and hashing.

What a tree refers to is committed no later than the tree: a commit takes all that waits, or content alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from icc_store.codec.compression import decompress
from icc_store.codec.hashing import object_id
from icc_store.errors import DamageError, IccStoreError
from icc_store.ids import Kind, ObjectId
from icc_store.limits import (
    BATCH_BYTES,
    DELTA_GROUP_SIZE,
    MAX_OBJECT_SIZE,
    MAX_OBJECTS_PER_FRAME,
    MIB,
    PENDING_BYTES,
    SOLID_FRAME_SIZE,
)
from icc_store.monitor import SILENT, Monitor
from icc_store.objects.appending import BaseCollected, CollectedMeanwhile
from icc_store.objects.base_choice import Base, BaseChoice
from icc_store.objects.block import RAW, Frame
from icc_store.objects.committer import Committer
from icc_store.objects.encoder import Encoder, Group, pack_blocks
from icc_store.objects.reader import ObjectReader
from icc_store.quick_dataclass import dataclass
from icc_store.store.protocol import Store, WriteTransaction

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

_SEAL_ORDER = (Kind.CHUNK, Kind.XATTRS, Kind.LIST, Kind.TREE)
_INLINE_BYTES = SOLID_FRAME_SIZE
"""Work smaller than this is done in the caller's thread: starting a pool costs more."""

_SPOILED_TRIES = 2
"""Once is a stray bit, and everything is read again; twice is a machine that cannot be trusted."""

_MOVED = 0
"""The number of no block."""

_HELD_BYTES = 4 * MIB
"""Trees and lists that wait for their place in a block, so that they can be compressed behind the ids there."""


class SpoiledInMemory(CollectedMeanwhile):
    """What waited is no longer what was read. All of it is dropped: it must be read and added again."""


@dataclass
class _DeltaRun:
    """Neighbouring objects whose bases stand in one frame."""

    kind: int
    frame: tuple[int, int]
    ids: list[ObjectId]
    parts: list[bytes]
    bases: dict[bytes, bytes]
    """Keys and plain bytes, in the order of the prefix."""
    depth: int
    below: int
    size: int = 0


class ObjectWriter:
    """Adds objects to one repository. For one thread; those behind it are its own business."""

    def __init__(
        self,
        store: Store,
        reader: ObjectReader,
        repository: bytes,
        *,
        encoder: Encoder,
        threads: int,
        monitor: Monitor = SILENT,
    ) -> None:
        self._reader = reader
        self._choice = BaseChoice(reader)
        self._encoder = encoder
        self._monitor = monitor
        self._threads = threads
        self._times_spoiled = 0
        self._pool: ThreadPoolExecutor | None = None
        self._committer = Committer(store, reader, repository)
        self._batch: list[Frame | Group] = []
        self._pending: set[ObjectId] = set()
        self._queues: dict[int, tuple[list[ObjectId], list[bytes]]] = {kind: ([], []) for kind in _SEAL_ORDER}
        self._queued = dict.fromkeys(_SEAL_ORDER, 0)
        self._run: _DeltaRun | None = None
        self._places: dict[bytes, int] = {}
        self._jobs: deque[tuple[Future[Frame] | Group, int]] = deque()
        self._in_jobs = 0
        self._frames: list[Frame | Group] = []
        self._held = 0
        self._trees_wait = False
        self._frame_bytes = 0
        self.counters = self._committer.counters
        self.batch_bytes = BATCH_BYTES
        """Stored bytes after which a batch is committed."""

    def before_commit(self, ask: Callable[[int], None]) -> None:
        """Have this called with the bytes that are about to be written; it raises when they must not be."""
        self._committer.before_commit = ask

    def close(self) -> None:
        """Stop the threads. What was not committed is gone."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
        self._committer.close()

    def has(self, identity: ObjectId) -> bool:
        """Whether the object is stored, or waits to be."""
        return identity in self._pending or self._reader.contains(identity)

    def add(
        self, kind: Kind, data: bytes, *, identity: ObjectId | None = None, bases: Sequence[ObjectId] = ()
    ) -> ObjectId:
        """Store an object unless it is there, and return its id.

        `bases` are stored objects that it resembles, best first; those that stand in the first one's frame are used.
        Raises IccStoreError for an object that nobody could read again: an empty one, or one above MAX_OBJECT_SIZE;
        CollectedMeanwhile when a batch could not be committed because gc took a base.
        """
        if identity is None:
            identity = object_id(kind, data)
        if identity in self._pending or self._reader.contains(identity):
            return identity
        if not 0 < len(data) <= MAX_OBJECT_SIZE:
            raise IccStoreError(f"an object of {len(data)} bytes cannot be stored")
        self._pending.add(identity)
        self.counters.objects += 1
        self.counters.plain_bytes += len(data)
        base = self._choice.usable(bases, len(data)) if bases else None
        if base is None:
            self._enqueue(kind, identity, data)
        else:
            self._extend_run(kind, identity, data, base)
        self._trees_wait = self._trees_wait or kind == Kind.TREE
        if self._frame_bytes > self.batch_bytes:
            self._commit_batch()
        return identity

    def take(self, frames: Sequence[Frame], places: Mapping[bytes, int]) -> None:
        """Store frames of chunks that another process made; `places` are the blocks in which it read their bases.

        It has looked up what is stored, so that is not done again here: at worst an object is stored twice,
        as by two runs. Raises CollectedMeanwhile as `add` does.
        """
        for key, block in places.items():
            self._note_place(key, block)
        for frame in frames:
            if not self._pending.isdisjoint(frame.ids):
                self._take_apart(frame)
                continue
            self._pending.update(frame.ids)
            self.counters.objects += len(frame.ids)
            self.counters.plain_bytes += frame.plain_size
            self._take(frame)
        if self._frame_bytes > self.batch_bytes:
            self._commit_batch()

    def rest(self, *, at_most: int | None = None) -> None:
        """Have no thread run, until there is something to compress again; from then on `at_most` so many.

        For 0 the caller's thread compresses. Raises CollectedMeanwhile as `add` does.
        """
        while self._jobs:
            self._collect()
        self._finish_batch()
        self.close()
        if at_most is not None:
            self._threads = min(self._threads, at_most)

    def _commit_batch(self) -> None:
        """Commit in the midst of a run: all that waits, or in a large file the content that is ready.

        Then the pool goes on meanwhile: a file of 2 GiB is committed three hundred times. Lists wait for their chunks,
        and chunks for nobody. Where a tree waits, all goes together, since it is smaller behind the ids it refers to.
        The caller does not wait for the disk either, unless the batch before is still on its way.
        """
        self._seal_run()  # gc may take what it is written against, if it waits for long
        ready: list[Frame | Group] = [one for one in self._frames if isinstance(one, Frame) and one.kind == Kind.CHUNK]
        everything = self._trees_wait or 2 * _stored_size(ready) < self._frame_bytes
        if everything:
            self._seal_all()
            ready = self._frames
        self._finish_batch()
        self._committer.begin(self._pack(ready), self._places)
        self._batch = ready
        if everything:
            self._forget_waiting()
            return
        gone = set(map(id, ready))
        self._frames = [frame for frame in self._frames if id(frame) not in gone]
        self._frame_bytes = _stored_size(self._frames)
        self._places = dict(self._places)
        for frame in ready:
            for key in frame.bases:
                self._places[key] = _MOVED  # by the time that others are committed, it may be

    def _finish_batch(self) -> None:
        """Wait for the batch that is on its way. Raises what ended it; then it waits as before, or all is dropped."""
        try:
            self._committer.finish()
        except BaseCollected:
            self._batch = []
            self._drop_everything()
            raise
        except Exception:  # nothing of it was added
            self._frames, self._batch = [*self._batch, *self._frames], []
            self._frame_bytes = _stored_size(self._frames)
            raise
        for frame in self._batch:
            self._pending.difference_update(frame.ids)
        self._batch = []

    def commit(self, finish: Callable[[WriteTransaction], None] | None = None) -> None:
        """Write all that waits in one transaction; `finish` is called in it, last. What it raises passes through.

        Raises BaseCollected when gc took what a waiting delta was written against, SpoiledInMemory.
        """
        self._seal_all()
        self._finish_batch()
        blocks = self._pack(self._frames)
        if not blocks and finish is None:
            return
        try:
            self._committer.commit(blocks, self._places, finish)
        except BaseCollected:
            self._drop_everything()
            raise
        self._drop_waiting()  # only now: a commit that raised can be tried again

    def _seal_all(self) -> None:
        self._seal_run()
        for kind in _SEAL_ORDER:
            self._seal_queue(kind)
        while self._jobs:
            self._collect()

    def _pack(self, frames: Sequence[Frame | Group]) -> list[list[Frame]]:
        packed = pack_blocks(frames, encoder=self._encoder)
        self._tell_troubles()
        return packed

    def _tell_troubles(self) -> None:
        """Say what was got round. What cannot be got round here, memory that changes by itself, ends this batch."""
        while self._encoder.warnings:
            self._monitor.note(self._encoder.warnings.popleft())
        if self._encoder.spoiled:
            self._drop_everything()
            spoiled = set(self._encoder.spoiled)
            self._encoder.spoiled.clear()
            self._times_spoiled += 1
            what = f"{len(spoiled):,} objects changed in memory between being read and being stored"
            if self._times_spoiled >= _SPOILED_TRIES:
                raise IccStoreError(
                    f"{what}, more than once", hint="nothing of them was stored; check this machine's memory"
                )
            self._monitor.warning(b"", f"{what}; everything is read again")
            raise SpoiledInMemory

    def _drop_everything(self) -> None:
        """Let go of what waits, and of what is gathered or in the pool."""
        self._run = None
        for kind in _SEAL_ORDER:
            self._queues[kind], self._queued[kind] = ([], []), 0
        while self._jobs:
            self._collect()
        self._drop_waiting()

    def _drop_waiting(self) -> None:
        self._forget_waiting()
        self._pending.clear()

    def _forget_waiting(self) -> None:
        self._frames, self._frame_bytes, self._held = [], 0, 0
        self._trees_wait = False
        self._places = {}

    def _enqueue(self, kind: Kind, identity: ObjectId, data: bytes) -> None:
        ids, parts = self._queues[kind]
        ids.append(identity)
        parts.append(data)
        self._queued[kind] += len(data)
        if self._queued[kind] >= SOLID_FRAME_SIZE or len(ids) >= MAX_OBJECTS_PER_FRAME:
            self._seal_queue(kind)
            if kind == Kind.CHUNK and self._held + self._queued[Kind.TREE] <= _HELD_BYTES:
                self._seal_queue(Kind.TREE)  # next to the chunks it refers to

    def _extend_run(self, kind: Kind, identity: ObjectId, data: bytes, base: Base) -> None:
        run = self._run
        full = run is not None and (run.size + len(data) > DELTA_GROUP_SIZE or len(run.ids) >= MAX_OBJECTS_PER_FRAME)
        if run is None or run.kind != kind or run.frame != base.frame or full:
            self._seal_run()
            run = self._run = _DeltaRun(kind, base.frame, [], [], {}, base.depth + 1, base.below)
        run.ids.append(identity)
        run.parts.append(data)
        run.size += len(data)
        for key, part in zip(base.keys, base.parts, strict=True):
            if key not in run.bases:  # once is enough, and keeps the prefix within the size of the bases' frame
                run.bases[key] = part
            self._note_place(key, base.frame[0])

    def _note_place(self, key: bytes, block: int) -> None:
        """A base was read from this block. One that moved between two deltas counts as nowhere, and is looked at."""
        if self._places.setdefault(key, block) != block:
            self._places[key] = _MOVED

    def _seal_run(self) -> None:
        run, self._run = self._run, None
        if run is not None:
            group = Group(
                run.kind,
                tuple(run.ids),
                tuple(run.parts),
                tuple(run.bases),
                b"".join(run.bases.values()),
                run.depth,
                run.below,
            )
            self._submit(group, run.size)

    def _seal_queue(self, kind: Kind) -> None:
        ids, parts = self._queues[kind]
        if ids:
            size = self._queued[kind]
            self._queues[kind] = ([], [])
            self._queued[kind] = 0
            self._submit(Group(kind, tuple(ids), tuple(parts)), size)

    def _submit(self, group: Group, size: int) -> None:
        if group.kind in (Kind.TREE, Kind.LIST) and self._held + size <= _HELD_BYTES:
            self._held += size
            if self._pool is None:
                self._frames.append(group)
            else:
                self._jobs.append((group, 0))  # behind the chunks it refers to
            return
        if self._pool is None:
            if size < _INLINE_BYTES or not self._threads:
                self._take(self._encoder.frame(group))
                return
            # Here, since small snapshots need no pool, and it takes 8 ms to load.
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="encode")
        self._jobs.append((self._pool.submit(self._encoder.frame, group), size))
        self._in_jobs += size
        while self._in_jobs > min(PENDING_BYTES, self.batch_bytes):
            self._collect()

    def _collect(self) -> None:
        job, size = self._jobs.popleft()
        self._in_jobs -= size
        if isinstance(job, Group):
            self._frames.append(job)
        else:
            self._take(job.result())

    def _take_apart(self, frame: Frame) -> None:
        """Add the objects of a frame, some of which wait to be stored already."""
        try:
            prefix = b"".join(self._reader.base(key, frame.depth) for key in frame.bases)
        except DamageError as error:  # it was read a moment ago
            self._drop_everything()
            raise BaseCollected from error
        plain = frame.stored if frame.codec == RAW else decompress(frame.stored, frame.plain_size, prefix)
        start = 0
        for identity, length in zip(frame.ids, frame.lengths, strict=True):
            self.add(Kind(frame.kind), plain[start : start + length], identity=identity)
            start += length

    def _take(self, frame: Frame) -> None:
        self._frames.append(frame)
        self._frame_bytes += len(frame.stored)


def _stored_size(frames: Sequence[Frame | Group]) -> int:
    return sum(len(frame.stored) for frame in frames if isinstance(frame, Frame))
