"""Reading every block: its checksum, its directory, every frame, the id of every object, and the index rows into it.

The blocks are read in order by one thread, in views that are renewed, and decoded by a few: zstd and BLAKE3 let others
run. A delta needs its bases, so each of those threads has a reader of its own. Whatever is wrong is looked at a second
time in a new view before it is told: gc may have moved the block meanwhile.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from icc_store.codec.hashing import object_id
from icc_store.errors import IccStoreError
from icc_store.ids import KEY_SIZE, RECORD_KINDS, ObjectId
from icc_store.limits import MIB
from icc_store.model.repository import Repository
from icc_store.monitor import Monitor
from icc_store.objects.block import Block, decode_block
from icc_store.objects.index import position_of_row, unpack_row
from icc_store.objects.reader import ObjectReader
from icc_store.operations.verify_findings import Draft, Severity, of_database, reason
from icc_store.operations.verify_index import RowsByBlock, leading_nowhere

_BASE_CACHE = 3 * MIB
"""Decoded frames kept by each thread, for the bases of deltas. With 2 MiB, 624 snapshots take half as long again; 8 MiB
are no faster, and take 25 MB more."""

_AHEAD = 16 * MIB
"""Stored bytes read and not yet checked."""

_VIEW_BYTES = 16 * MIB


@dataclass
class BlockReport:
    """What is to be said about one block. `bad` are positions of objects that cannot be read."""

    number: int
    size: int = 0
    ids: list[ObjectId] = field(default_factory=list)
    bad: dict[int, str] = field(default_factory=dict)
    problem: str = ""
    in_database: bool = False
    plain_bytes: int = 0
    records: list[ObjectId] = field(default_factory=list)


class BlockCheck:
    """Checks blocks of one repository."""

    def __init__(self, repository: Repository, monitor: Monitor, *, threads: int) -> None:
        self.blocks = 0
        self.objects = 0
        self.stored_bytes = 0
        self.plain_bytes = 0
        self.records: set[ObjectId] = set()
        """Snapshot records and annotations that were met."""
        self.drafts: list[Draft] = []
        self._repository = repository
        self._monitor = monitor
        self._threads = threads
        self._local = threading.local()

    def run(self, start: int, end: int, *, everything: bool = False) -> None:
        """Check the blocks from number `start` to before `end`, and the index rows into them.

        Where these are all blocks, `everything`, rows into others are wrong.
        """
        rows = RowsByBlock(self._repository, start, end, everything=everything)
        with ThreadPoolExecutor(self._threads, thread_name_prefix="verify") as pool:
            jobs: deque[Future[BlockReport]] = deque()
            waiting = 0
            for number, data in self._read(start, end, rows):
                jobs.append(pool.submit(self._check, number, data))
                waiting += len(data)
                while waiting > _AHEAD or len(jobs) > 16 * self._threads:
                    waiting -= self._take(jobs.popleft().result(), rows)
            while jobs:
                self._take(jobs.popleft().result(), rows)
        for number, left in rows.without_block():
            self.confirm(number, left)
        self.confirm_astray(rows.astray)
        if rows.damaged:
            self.drafts.append(Draft(Severity.DAMAGE, f"the index is damaged: {rows.damaged}", in_database=True))

    def _read(self, start: int, end: int, rows: RowsByBlock) -> Iterator[tuple[int, bytes]]:
        """All blocks of the range. Where LMDB cannot go on, each that the index speaks of is asked for by itself."""
        objects = self._repository.objects
        try:
            while start < end:
                read, size, following = [], 0, end
                for number, data in objects.transaction.blocks(start):
                    if number >= end:
                        break
                    if size > _VIEW_BYTES:
                        following = number
                        break
                    read.append((number, data))
                    size += len(data)
                objects.renew()  # before anybody else looks at something: nobody may do so under a view in use
                start = following
                yield from read
        except Exception as error:  # noqa: BLE001 - over a damaged page LMDB raises errors of its own
            objects.renew()
            what = f"the table of blocks is damaged at block {start}: {reason(error)}"
            self.drafts.append(Draft(Severity.DAMAGE, what, in_database=True))
            yield from self._read_one_by_one(rows.numbers(start))

    def _read_one_by_one(self, numbers: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        objects = self._repository.objects
        for number in numbers:
            try:
                data = objects.transaction.block(number)
            except Exception:  # noqa: BLE001 - the same page again
                objects.renew()
                continue
            if data is not None:
                yield number, data

    def _take(self, report: BlockReport, rows: RowsByBlock) -> int:
        """Count a report and keep what is wrong. Returns the stored size of the block."""
        found = rows.take(report.number)
        if report.problem or report.bad or _wrong_rows(report, found):
            self.confirm(report.number, found)
        self._count(report)
        return report.size

    def confirm(self, number: int, rows: list[bytes]) -> None:
        """Look at a block and the index rows into it again, in a new view, and note what is wrong with them now."""
        objects = self._repository.objects
        objects.forget()
        self._reader().forget()
        try:
            self._note(number, objects.transaction.block(number), self._still_there(rows))
        except Exception as error:  # noqa: BLE001 - over a damaged page LMDB raises errors of its own
            objects.renew()
            draft = self._draft(f"block {number} cannot be read: {reason(error)}", number, rows)
            draft.in_database = of_database(error)
            self.drafts.append(draft)

    def confirm_astray(self, rows: list[bytes]) -> None:
        """Note the index rows that lead to no block, of those that led to none when the index was read."""
        try:
            rows = leading_nowhere(self._repository, rows)
        except Exception:  # noqa: BLE001 - over a damaged page LMDB raises errors of its own; the page was told of
            self._repository.objects.renew()
            return
        if rows:
            what = f"{len(rows)} index rows point to blocks that are not there"
            self.drafts.append(Draft(Severity.DAMAGE, what, keys={row[:KEY_SIZE] for row in rows}, rows=rows))

    def _note(self, number: int, data: bytes | None, rows: list[bytes]) -> None:
        if data is None:
            if rows:
                what = f"block {number} is missing; the index has {len(rows)} objects in it"
                self.drafts.append(self._draft(what, number, rows))
            return
        report = self._check(number, data)
        if report.problem:
            self.drafts.append(self._draft(f"block {number} is damaged: {report.problem}", number, rows))
            if not rows:
                self.drafts[-1].in_use = False
                self.drafts[-1].severity = Severity.INCONSISTENCY
                self.drafts[-1].what += "; nothing in it is in use"
            return
        wrong = _wrong_rows(report, rows)
        if wrong:
            what = f"{len(wrong)} index rows point to objects that block {number} does not hold"
            self.drafts.append(self._draft(what, number, wrong))
        # What no row points to is dead: gc may have removed what it was written against.
        broken = [row for row in rows if row not in wrong and unpack_row(row)[1].position in report.bad]
        if broken:
            why = report.bad[unpack_row(broken[0])[1].position]
            what = f"block {number}: {len(broken)} of {len(report.ids)} objects cannot be read: {why}"
            draft = self._draft(what, number, broken)
            draft.in_database = report.in_database
            self.drafts.append(draft)

    def _still_there(self, rows: list[bytes]) -> list[bytes]:
        """Those of the index rows that a new view has as well."""
        txn = self._repository.objects.transaction
        return [row for row in rows if next(txn.rows(row), None) == row]

    def _draft(self, what: str, number: int, rows: list[bytes]) -> Draft:
        return Draft(Severity.DAMAGE, what, number, keys={row[:KEY_SIZE] for row in rows}, rows=rows)

    def is_sound(self, number: int, rows: list[bytes]) -> bool:
        """Read and count a block here and now. Says whether nothing is wrong with it or the index rows into it."""
        data = self._repository.objects.transaction.block(number)
        if data is None:
            return False
        report = self._check(number, data)
        self._count(report)
        return not (report.problem or report.bad or _wrong_rows(report, rows))

    def _count(self, report: BlockReport) -> None:
        self.blocks += 1
        self.objects += len(report.ids)
        self.stored_bytes += report.size
        self.plain_bytes += report.plain_bytes
        self.records.update(report.records)
        self._monitor.advance(0, report.size, b"")

    # ------------------------------------------------------------------ in the threads

    def _check(self, number: int, data: bytes) -> BlockReport:
        report = BlockReport(number, len(data))
        try:
            block = decode_block(data, self._repository.header.repository)
        except (IccStoreError, ValueError) as error:
            report.problem = reason(error)
            return report
        for at, frame in enumerate(block.frames):
            first = len(report.ids)
            report.ids.extend(frame.ids)
            if frame.kind in RECORD_KINDS:
                report.records.extend(frame.ids)
            try:
                plain = self._reader().frame_plain(number, block, at)
            except Exception as error:  # noqa: BLE001 - a base may stand on a page that LMDB cannot read
                report.bad.update(dict.fromkeys(range(first, len(report.ids)), reason(error)))
                report.in_database |= of_database(error)
                continue
            report.plain_bytes += len(plain)
            _prove(report, block, at, plain, first)
        self._reader().renew()  # an idle thread must not hold on to its view
        return report

    def _reader(self) -> ObjectReader:
        reader: ObjectReader | None = getattr(self._local, "reader", None)
        if reader is None:
            repository = self._repository
            reader = self._local.reader = ObjectReader(
                repository.store, repository.header.repository, cache_bytes=_BASE_CACHE, clock=repository.clock
            )
        return reader


def _prove(report: BlockReport, block: Block, at: int, plain: bytes, first: int) -> None:
    """Compare every object of a frame with its id."""
    frame = block.frames[at]
    view, start = memoryview(plain), 0
    for position, (identity, length) in enumerate(zip(frame.ids, frame.lengths, strict=True), first):
        if object_id(frame.kind, view[start : start + length]) != identity:
            report.bad[position] = "an object does not have the bytes its id says"
        start += length


def _wrong_rows(report: BlockReport, rows: list[bytes]) -> list[bytes]:
    """Index rows that point to another object than the one they name."""
    if report.problem:
        return []
    ids, count = report.ids, len(report.ids)
    wrong = []
    for row in rows:
        position = position_of_row(row)
        if position >= count or not ids[position].startswith(row[:KEY_SIZE]):
            wrong.append(row)
    return wrong
