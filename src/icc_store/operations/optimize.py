"""optimize: write what has become cold anew, for size.

Every object that a snapshot needs is read, proven, and stored a second time beside what resembles it
(operations/optimize_order.py, optimize_layout.py); then its old copy is let go, and gc's sweep removes what nothing
needs. Each step is one transaction, so a run can end anywhere: what is done stays done, and the next run goes on.
Snapshots, restores and other collectors work meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.errors import DamageError
from icc_store.ids import RECORD_KINDS, Kind, ObjectId
from icc_store.limits import BATCH_BYTES, COLD_LEVEL, MIB
from icc_store.model.maintenance import snapshot_ids
from icc_store.model.optimized import Optimized, read_optimized, write_optimized
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.objects.block import RAW, directory_size
from icc_store.operations.gc import GcOptions, collect
from icc_store.operations.gc_sweep import SweepCounters
from icc_store.operations.optimize_encode import BlockBuilder, NewBlock
from icc_store.operations.optimize_layout import Layout, Step
from icc_store.operations.optimize_order import Family, Order
from icc_store.operations.optimize_switch import switch_to
from icc_store.operations.retention import explicit_policy

_ROUND_BYTES = 256 * MIB
"""New blocks after which old ones are swept, so that a large repository is never there twice."""

_BLOCKS_PER_COMMIT = 64
_COMMIT_SECONDS = 5.0
_KEEP_ALL = GcOptions(policy=explicit_policy(keep_within="1000y"), undelete_hours=24 * 365 * 1000, renew=False)
"""The sweep removes no snapshot, and forgets none."""


@dataclass(frozen=True)
class OptimizeOptions:
    """How much work to put into it."""

    level: int = COLD_LEVEL
    most_seconds: float | None = None
    """After which no new work is begun; the next run goes on from there. None: until all is done."""
    threads: int | None = None
    dry_run: bool = False
    """Do the work and store nothing of it. With `most_seconds` it is an estimate, of what that time sufficed for."""


@dataclass(frozen=True)
class OptimizeResult:
    """What was done, or would be. Bytes are stored bytes with their share of directories."""

    due: bool
    """Whether there was anything that no run before had looked at."""
    complete: bool
    """Whether everything has been looked at now."""
    objects: int
    blocks: int
    bytes_before: int
    """What the objects that were written anew took before."""
    bytes_after: int
    sweep: SweepCounters
    reusable: int
    """Bytes of the database file that new snapshots can fill."""
    dry_run: bool


def optimize(
    repository: Repository,
    *,
    options: OptimizeOptions = OptimizeOptions(),
    monitor: Monitor = SILENT,
    clock: Clock = SYSTEM_CLOCK,
) -> OptimizeResult:
    """Write cold objects anew for size, and free what they took.

    Raises DamageError when something that a snapshot needs cannot be read; what was done before that stays.
    """
    repository.objects.forget()
    state = read_optimized(repository.objects.transaction)
    if state.complete and not unlooked_bytes(repository, state):
        return OptimizeResult(False, True, 0, 0, 0, 0, SweepCounters(), repository.reusable_bytes(), options.dry_run)
    task = _Optimization(repository, state, options, monitor, clock)
    complete = task.run()
    reusable = repository.reusable_bytes()
    before, after = round(task.bytes_before), task.bytes_after
    return OptimizeResult(
        True, complete, task.objects, task.blocks, before, after, task.sweep, reusable, options.dry_run
    )


def unlooked_bytes(repository: Repository, state: Optimized) -> int:
    """Stored bytes of content in blocks that no complete run has looked at, but for those of living runs."""
    limit = _limit(repository)
    total = 0
    for number, size in list(repository.objects.transaction.block_sizes()):
        if number < limit and not state.covers(number):
            block = repository.objects.block(number)
            if block is not None and block.frames[0].kind not in RECORD_KINDS:
                total += size
    return total


class _Optimization:
    """One run."""

    def __init__(
        self, repository: Repository, state: Optimized, options: OptimizeOptions, monitor: Monitor, clock: Clock
    ) -> None:
        self._repository = repository
        self._objects = repository.objects
        self._options = options
        self._monitor = monitor
        self._clock = clock
        self._state = Optimized(state.through, complete=False) if state.complete else state
        self._pending: set[ObjectId] = set()
        """Objects on their way into new blocks."""
        self._took: dict[ObjectId, float] = {}
        self._batch: list[NewBlock] = []
        self._committed = clock.monotonic()
        self._ends = None if options.most_seconds is None else clock.monotonic() + options.most_seconds
        self._left_out = False
        self._round = 0
        self.objects = self.blocks = self.bytes_after = 0
        self.bytes_before = 0.0
        self.sweep = SweepCounters()

    def run(self) -> bool:
        """Do it. Whether everything has been looked at."""
        self._monitor.phase("optimize")
        if not self._options.dry_run:
            with self._repository.store.write() as txn:
                write_optimized(txn, self._state)
            self._objects.renew()
        while True:
            through = _limit(self._repository) - 1
            snapshots = self._repository.snapshots(forgotten=True)
            ended = self._write_anew(snapshots)
            if ended is not None:
                break
        if self._options.dry_run:
            return ended
        self._sweep()
        known = {snapshot.id for snapshot in snapshots}
        return self._finish(through, known) if ended and not self._left_out else False

    def _write_anew(self, snapshots: list[Snapshot]) -> bool | None:
        """Go through all that these snapshots hold. False when time was over before the end.

        None when gc has removed one of them meanwhile, with what was just to be read: then begin again.
        """
        histories: dict[tuple[str, str], list[ObjectId]] = {}
        for snapshot in reversed(snapshots):
            record = snapshot.record
            histories.setdefault((record.host, record.source), []).append(record.root)
        order = Order(self._objects, self._is_done)
        families = self._worthwhile(order.families(histories[key] for key in sorted(histories)))
        try:
            return self._build(Layout(self._read).steps(families))
        except DamageError:
            self._objects.forget()
            if {snapshot.id for snapshot in snapshots} <= set(snapshot_ids(self._objects.transaction)):
                raise
        self._begin_again()
        return None

    def _begin_again(self) -> None:
        self._pending.clear()
        self._took.clear()
        self._left_out = False
        if self._options.dry_run:
            self.objects = self.blocks = self.bytes_after = 0
            self.bytes_before = 0.0

    def _worthwhile(self, families: Iterator[Family]) -> Iterator[Family]:
        """All but single chunks that do not compress."""
        for family in families:
            if family.kind == Kind.CHUNK and len(family.members) == 1:
                place = self._objects.frame_of(family.members[0])
                if place is not None and place[2].codec == RAW:
                    continue
            self._pending.update(family.members)
            yield family

    def _is_done(self, identity: ObjectId) -> bool:
        if identity in self._pending:
            return True
        location = self._objects.locate(identity)
        return location is not None and not location.base_only and self._state.holds(location.block)

    def _read(self, identity: ObjectId, kind: Kind) -> bytes:
        data = self._objects.get(identity, kind)
        place = self._objects.frame_of(identity)
        if place is not None:
            frame = place[2]
            share = len(frame.stored) * len(data) / frame.plain_size
            self._took[identity] = share + directory_size(frame) / len(frame.ids)
        return data

    def _build(self, steps: Iterator[Step]) -> bool:
        """Compress in a few threads, commit in order. False when time was over before the end."""
        threads = self._options.threads or os.cpu_count() or 1
        builder = BlockBuilder(self._repository.header.repository, self._options.level, threads)
        in_time = True
        try:
            for step in steps:
                builder.put(step)
                for blocks in builder.made():
                    self._take(blocks)
                if step.group is None and self._ends is not None and self._clock.monotonic() > self._ends:
                    in_time = False
                    break
            for blocks in builder.made(wait=True):
                self._take(blocks)
        finally:
            builder.close()
            self._commit()
        return in_time

    def _take(self, blocks: list[NewBlock]) -> None:
        for block in blocks:
            frames = block.frames
            self._monitor.advance(0, sum(frame.plain_size for frame in frames), b"")
            self.objects += sum(len(frame.ids) for frame in frames)
            self.bytes_before += sum(self._took.pop(identity, 0.0) for frame in frames for identity in frame.ids)
            self.bytes_after += len(block.data)
        self.blocks += len(blocks)
        self._batch += blocks
        size = sum(len(each.data) for each in self._batch)
        late = self._clock.monotonic() - self._committed > _COMMIT_SECONDS
        if size > BATCH_BYTES or len(self._batch) >= _BLOCKS_PER_COMMIT or late:
            self._commit()

    def _commit(self) -> None:
        """Put what is ready in the place of what it replaces. A dry run drops it."""
        batch, self._batch = self._batch, []
        self._committed = self._clock.monotonic()
        if self._options.dry_run or not batch:
            return
        done = switch_to(self._repository, batch)
        self._left_out |= len(done) < len(batch)
        self._state = read_optimized(self._objects.transaction)
        for block in batch:
            self._pending.difference_update(identity for frame in block.frames for identity in frame.ids)
        self._round += sum(len(block.data) for block in done)
        if self._round > _ROUND_BYTES:
            self._sweep()

    def _sweep(self) -> None:
        """Remove the old copies, as far as no delta needs them any more."""
        self._round = 0
        result = collect(self._repository, options=_KEEP_ALL, monitor=self._monitor, clock=self._clock)
        self.sweep.add(result.sweep)
        self._monitor.phase("optimize")

    def _finish(self, through: int, known: set[ObjectId]) -> bool:
        """Note that all of it was looked at, and what was added meanwhile was not."""
        with self._repository.store.write() as txn:
            if self._repository.store.lowest_writer() is None and set(snapshot_ids(txn)) <= known:
                through = txn.last_block()
            write_optimized(txn, replace(read_optimized(txn), through=through, complete=True))
        self._objects.forget()
        return True


def _limit(repository: Repository) -> int:
    """The first block that a living run may have written."""
    lowest = repository.store.lowest_writer()
    following = repository.objects.transaction.last_block() + 1
    return following if lowest is None else min(lowest, following)
