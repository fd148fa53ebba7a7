"""Sweeping: blocks without a marked object go, blocks with few of them are rewritten, index rows follow.

First the index rows of all dead trees and content lists go, and of all dead deltas, in one transaction: whoever finds a
tree in the index may rely on all it refers to, and whoever finds an object on being able to read it, so they must never
outlive what they hold and what they are written against. Then the sweep goes through the blocks in
batches of one transaction each.

Every transaction is planned without any lock, and looks at the snapshots again before it acts: has one been committed
since the marks were made, it is planned anew, after a few times with the others waiting. That is quick then: a block in
which nothing is to be changed is not read again while the same is needed of it. Rows go before blocks, and the gc epoch
is raised, so that a run which began before and refers to something that went looks again before it commits. Blocks that
a living writer may have written are left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from icc_store.errors import DamageError
from icc_store.ids import KEY_SIZE, RECORD_KINDS, Kind, ObjectId
from icc_store.limits import BATCH_BYTES
from icc_store.model.maintenance import WriteTransaction, bump_epoch, drop_seen, gc_epoch, snapshot_ids, stale_seen
from icc_store.model.repository import Repository
from icc_store.monitor import Monitor
from icc_store.objects.block import RAW, ZSTD, Block, Frame, encode_block
from icc_store.objects.encoder import pack_blocks
from icc_store.objects.index import as_base_row, is_base_row, pack_row, position_of_row, rows_into
from icc_store.operations.gc_damage import UnreadableBlocks
from icc_store.operations.gc_mark import Marks, frame_bits
from icc_store.operations.gc_rewrite import bytes_alive, reencoded
from icc_store.quick_dataclass import dataclass, field

_REWRITE_BELOW = 0.5
"""A block is rewritten when less than this share of its stored bytes is needed."""

_TRIES = 3
"""How often something is planned while others may commit, before they are kept waiting for it."""

_BLOCKS_PER_BATCH = 512


@dataclass
class SweepCounters:
    """What a sweep did, or would do. Bytes are stored bytes."""

    blocks_removed: int = 0
    blocks_rewritten: int = 0
    objects_removed: int = 0
    bytes_removed: int = 0
    bytes_rewritten: int = 0
    bytes_dead_kept: int = 0
    """Bytes that nothing needs, in blocks that are needed for the rest of them."""

    def add(self, other: SweepCounters) -> None:
        """Count what another has counted as well."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


@dataclass
class _Batch:
    """What one transaction will do."""

    last: int
    marked: int
    removed: list[tuple[int, Block]] = field(default_factory=list)
    trimmed: list[tuple[list[bytes], list[bytes]]] = field(default_factory=list)
    """Of blocks that stay: index rows to remove, and rows of what is needed as a base only."""
    rewritten: list[tuple[Frame, tuple[bool, ...]]] = field(default_factory=list)
    """New frames, and which of their objects are bases only."""
    counters: SweepCounters = field(default_factory=SweepCounters)


_NOTHING = SweepCounters()
_Settled = dict[int, tuple[tuple[int, int], SweepCounters]]
"""Blocks in which nothing is to be changed, by number: what is needed of each, and what is to be counted for it.
Others only ever remove rows into a block that is there, so this holds as long as the same is needed."""


class Sweep:
    """One sweep over all blocks."""

    def __init__(
        self, repository: Repository, marks: Marks, refresh: Callable[[], list[ObjectId]], monitor: Monitor
    ) -> None:
        """`refresh` marks what has come up since it was last called, and says which snapshots it looked at."""
        self.unreadable = UnreadableBlocks(repository)
        self._repository = repository
        self._objects = repository.objects
        self._marks = marks
        self._refresh = refresh
        self._monitor = monitor
        self._without_parents: _Settled = {}
        self._unchanged: _Settled = {}

    def plan(self) -> SweepCounters:
        """What a sweep would do now."""
        while True:
            total = SweepCounters()
            try:
                for batch in self._batches(1, self._objects.transaction.last_block()):
                    total.add(batch.counters)
            except DamageError as error:
                self._refresh_after(error)
            else:
                return total

    def run(self) -> SweepCounters:
        """Sweep."""
        self._monitor.phase("sweep")
        tries = 0
        while not self._drop_parents(alone=tries >= _TRIES):
            tries += 1
        total = SweepCounters()
        start, end, tries = 1, self._objects.transaction.last_block(), 0
        while start <= end:
            try:
                batch, done = self._sweep_batch(start, end, alone=tries >= _TRIES)
            except DamageError as error:
                self._refresh_after(error)
                continue
            if batch is None:
                break
            tries += 1
            if done:
                total.add(batch.counters)
                start, tries = batch.last + 1, 0
        return total

    @contextmanager
    def _turn(self, *, alone: bool) -> Iterator[WriteTransaction | None]:
        """In the body plan and act. Nobody else commits meanwhile when this is to be done `alone`.

        Planning takes longer than those who write without pause leave between two commits; so a plan that came to
        nothing a few times is made anew while they wait.
        """
        if not alone:
            yield None
            return
        with self._repository.store.write() as txn:
            self._objects.renew()
            yield txn
        self._objects.forget()

    def _refresh_after(self, error: DamageError) -> None:
        """Go on after something could not be read, if another gc has moved it meanwhile. Else raises that error."""
        self._objects.forget()
        if gc_epoch(self._objects.transaction) == self._marks.epoch:
            raise error
        self._refresh()

    def _drop_parents(self, *, alone: bool) -> bool:
        """Remove the rows of dead trees, lists and deltas. False when it must be tried again, on newer marks.

        What former runs saw of dead trees goes with them: a run must not trust such a tree when another one, which may
        end without a snapshot, stores it again.
        """
        try:
            with self._turn(alone=alone) as held:
                return self._drop_parents_in(held)
        except _Changed:
            return False

    def _drop_parents_in(self, held: WriteTransaction | None) -> bool:
        known, version = self._refresh(), self._marks.version
        gone: list[bytes] = []
        only_bases: list[bytes] = []
        last = 0
        for number, block in self._blocks(1, self._objects.transaction.last_block(), self._without_parents):
            last = number
            if block is None:
                continue
            needed, base_only = self._needed(number)
            frames = [at for at, each in enumerate(block.frames) if each.kind in (Kind.TREE, Kind.LIST) or each.bases]
            bits = sum(frame_bits(block, at) for at in frames)
            rows, bases = self._rows(number, block, bits & ~needed, bits & base_only)
            if not rows and not bases:
                self._without_parents[number] = ((needed, base_only), _NOTHING)
            gone += rows
            only_bases += bases
        gone += self.unreadable.rows()
        stale = stale_seen(self._objects.transaction, self._marks.is_live)
        if not gone and not only_bases and not stale:
            return True

        def act(txn: WriteTransaction) -> None:
            _replace_rows(txn, gone, only_bases)
            drop_seen(txn, stale)

        return self._commit(act, last, known, version, held)

    def _rows(self, number: int, block: Block, gone: int, base_only: int) -> tuple[list[bytes], list[bytes]]:
        """The index rows into a block that are to go, and those to be marked as bases, by the bits of their objects."""
        if not gone | base_only:
            return [], []
        rows = rows_into(self._objects.transaction, number, block.ids, gone | base_only)
        going = [row for row in rows if gone >> position_of_row(row) & 1]
        return going, [row for row in rows if base_only >> position_of_row(row) & 1 and not is_base_row(row)]

    def _blocks(self, start: int, end: int, settled: _Settled) -> Iterator[tuple[int, Block | None]]:
        """Content blocks that may be touched, in order; of those in which nothing is to be changed the number alone."""
        limit = self._limit()
        for number in [number for number, _ in self._objects.transaction.block_sizes(start)]:
            if number > end or number >= limit:
                return
            if number in settled and settled[number][0] == self._needed(number):
                yield number, None
                continue
            if self._marks.is_whole(number):
                settled[number] = (self._needed(number), _NOTHING)
                yield number, None
                continue
            block = self.unreadable.read(number, needed=any(self._needed(number)))
            if block is not None and not (block.frames and block.frames[0].kind in RECORD_KINDS):
                yield number, block

    def _needed(self, number: int) -> tuple[int, int]:
        """Bits of the objects that must stay, and of those among them that are needed as bases only."""
        live, bases = self._marks.live.get(number, 0), self._marks.bases.get(number, 0)
        return live | bases, bases & ~live

    def _batches(self, start: int, end: int) -> Iterator[_Batch]:
        batch = _Batch(start - 1, self._marks.version)
        touched = 0
        for number, block in self._blocks(start, end, self._unchanged):
            batch.last = number
            if block is None:
                batch.counters.add(self._unchanged[number][1])
                continue
            touched += self._plan_block(batch, number, block)
            if touched >= BATCH_BYTES or len(batch.removed) + len(batch.trimmed) >= _BLOCKS_PER_BATCH:
                yield batch
                batch = _Batch(number, self._marks.version)
                touched = 0
        if batch.last >= start:
            yield batch

    def _limit(self) -> int:
        """The first block that must be left alone, because a living writer may have written it."""
        lowest = self._repository.store.lowest_writer()
        last = self._objects.transaction.last_block()
        return last + 1 if lowest is None else min(lowest, last + 1)

    def _plan_block(self, batch: _Batch, number: int, block: Block) -> int:
        """Decide on one block; returns the bytes that the decision touches."""
        needed, base_only = self._needed(number)
        counters = batch.counters
        objects = sum(len(frame.ids) for frame in block.frames)
        stored = sum(len(frame.stored) for frame in block.frames)
        everything = (1 << objects) - 1
        if not needed:
            batch.removed.append((number, block))
            counters.blocks_removed += 1
            counters.objects_removed += objects
            counters.bytes_removed += stored
            return stored
        if needed == everything and not base_only:
            self._unchanged[number] = ((needed, base_only), _NOTHING)
            return 0
        alive = sum(bytes_alive(block, at, needed) for at in range(len(block.frames)))
        removed = objects - needed.bit_count()
        if alive >= _REWRITE_BELOW * stored:
            kept = SweepCounters(objects_removed=removed, bytes_dead_kept=int(stored - alive))
            counters.add(kept)
            gone, only_bases = self._rows(number, block, everything & ~needed, base_only)
            if gone or only_bases:
                batch.trimmed.append((gone, only_bases))
            else:
                self._unchanged[number] = ((needed, base_only), kept)
            return 0
        counters.objects_removed += removed
        frames = list(self._kept_frames(number, block, needed, base_only))
        batch.removed.append((number, block))
        batch.rewritten += frames
        new = sum(len(frame.stored) for frame, _ in frames)
        counters.blocks_rewritten += 1
        counters.bytes_removed += stored - new
        counters.bytes_rewritten += new
        return stored + new

    def _kept_frames(
        self, number: int, block: Block, needed: int, base_only: int
    ) -> Iterator[tuple[Frame, tuple[bool, ...]]]:
        """The frames of a block with only what is needed of them. Whole ones are moved as they are."""
        for frame_number, frame in enumerate(block.frames):
            first = block.firsts[frame_number]
            kept = [at for at in range(len(frame.ids)) if needed >> (first + at) & 1]
            flags = tuple(bool(base_only >> (first + at) & 1) for at in kept)
            if not kept:
                continue
            if len(kept) == len(frame.ids) and frame.codec in (RAW, ZSTD):
                yield frame, flags
                continue
            plain = self._objects.frame_plain(number, block, frame_number)
            prefix = b"".join(self._objects.base(key, frame.depth) for key in frame.bases)
            yield reencoded(frame, kept, plain, prefix), flags

    def _sweep_batch(self, start: int, end: int, *, alone: bool) -> tuple[_Batch | None, bool]:
        """Plan the next batch and carry it out. False when it must be planned anew, because something changed."""
        moved: list[tuple[int, list[bool]]] = []
        batch, done = None, False
        try:
            with self._turn(alone=alone) as held:
                if held is not None:
                    self._refresh()
                batch = next(self._batches(start, end), None)
                done = batch is not None and self._execute(batch, moved, held)
        except _Changed:
            return batch, False
        if batch is not None and done:
            for number, _ in batch.removed:
                self._marks.removed(number)
            for number, base_flags in moved:
                self._marks.moved(number, base_flags)
        return batch, done

    def _execute(self, batch: _Batch, moved: list[tuple[int, list[bool]]], held: WriteTransaction | None) -> bool:
        """Carry out a batch, noting what is moved where. False when something changed."""
        known = self._refresh()
        if batch.marked != self._marks.version:
            return False
        if not (batch.removed or batch.trimmed):
            return True
        packed = pack_blocks([frame for frame, _ in batch.rewritten])
        blocks = [encode_block(self._repository.header.repository, frames) for frames in packed]
        flags = [flag for _, flags in batch.rewritten for flag in flags]

        def act(txn: WriteTransaction) -> None:
            for number, block in batch.removed:
                txn.delete_rows(rows_into(txn, number, block.ids))
            for gone, only_bases in batch.trimmed:
                _replace_rows(txn, gone, only_bases)
            rows, at = [], 0
            for data, frames in zip(blocks, packed, strict=True):
                number = txn.append_block(data)
                ids = [identity for frame in frames for identity in frame.ids]
                moved.append((number, flags[at : at + len(ids)]))
                at += len(ids)
                for position, (identity, flag) in enumerate(zip(ids, moved[-1][1], strict=True)):
                    rows.append(pack_row(identity[:KEY_SIZE], number, position, base_only=flag))
            txn.insert_rows(sorted(rows))
            for number, _ in batch.removed:
                txn.delete_block(number)

        return self._commit(act, batch.last, known, batch.marked, held)

    def _commit(
        self,
        act: Callable[[WriteTransaction], None],
        last: int,
        known: list[ObjectId],
        version: int,
        held: WriteTransaction | None,
    ) -> bool:
        """Do it in one transaction, that which is held or a new one, unless something came up since it was planned.

        It was planned on marks of this version, made of these snapshots, and touches blocks up to `last`.
        """
        try:
            with self._repository.store.write() if held is None else nullcontext(held) as txn:
                lowest = self._repository.store.lowest_writer()
                before, after = bump_epoch(txn)
                if before != self._marks.epoch or snapshot_ids(txn) != known:
                    raise _Changed
                if lowest is not None and lowest <= last:
                    raise _Changed
                self._refresh()  # only living runs can have added blocks, and their bases are marked quickly
                if self._marks.version != version:
                    raise _Changed
                act(txn)
        except _Changed:
            self._objects.forget()
            if held is not None:
                raise  # so that the transaction is given up where it began
            return False
        self._objects.renew()  # what is cached stays right: nothing else can have gone, and numbers are used once
        self._marks.went_on(before, after)
        return True


class _Changed(Exception):
    """What a transaction was planned on is no longer so."""


def _replace_rows(txn: WriteTransaction, gone: list[bytes], only_bases: list[bytes]) -> None:
    txn.delete_rows(sorted(gone))
    txn.delete_rows(sorted(only_bases))
    txn.insert_rows(sorted(as_base_row(row) for row in only_bases))
