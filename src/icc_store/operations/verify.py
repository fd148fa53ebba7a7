"""Reading and checking what is stored: all of it, a part, what one snapshot needs, or only how it hangs together.

The header file and `head` are checked when the repository is opened. Then come the records of snapshots; every block
with every object in it and the index rows into it; and every snapshot's trees down to the last chunk. Nothing that is
wrong ends the check. What is damaged loses its index rows, so that the next snapshot stores it again where it is still
on the disk; nothing else is changed.
"""

from __future__ import annotations

import math
import os
from array import array
from collections.abc import Iterable
from dataclasses import dataclass

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.errors import OF_THIS_PROCESS, IccStoreError
from icc_store.ids import ObjectId
from icc_store.limits import MAX_BLOCK_NUMBER
from icc_store.model.checkup import (
    damaged_counters,
    disown,
    mark_suspect,
    mend_records,
    next_to_verify,
    remember_all_verified,
    remember_next,
    remember_verified,
    removals_so_far,
    remove_blocks,
)
from icc_store.model.parity import distrust_parity
from icc_store.model.record import Snapshot, SnapshotRecord
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.verify_blocks import BlockCheck
from icc_store.operations.verify_findings import AffectedFile, Draft, Finding, Severity, reason
from icc_store.operations.verify_index import RowsByBlock
from icc_store.operations.verify_records import Records, check_records, check_unlisted
from icc_store.operations.verify_trees import Contents, TreeCheck

__all__ = ["AffectedFile", "Finding", "Severity", "VerifyOptions", "VerifyResult", "crashed", "verify"]

_TRIES = 3


@dataclass(frozen=True)
class VerifyOptions:
    """What to check.

    `sample`: of the blocks only this share (0 to 1), the one that was checked longest ago. `structure`: no contents.
    `mend` False leaves the index rows of what is damaged.
    """

    sample: float | None = None
    structure: bool = False
    threads: int | None = None
    mend: bool = True


@dataclass(frozen=True)
class VerifyResult:
    """What was checked and what was found. Bytes are bytes."""

    findings: tuple[Finding, ...]
    snapshots: int
    blocks: int
    objects: int
    stored_bytes: int
    plain_bytes: int
    trees: int
    references: int
    complete: bool
    """Whether everything that is stored was read."""
    disowned: int
    """Index rows of damaged objects that were removed, so that they are stored again."""
    duration_ns: int

    @property
    def damaged(self) -> bool:
        """Whether something cannot be read back."""
        return any(finding.severity is Severity.DAMAGE for finding in self.findings)


_CHECK_ALL = VerifyOptions()


def verify(
    repository: Repository,
    snapshot: Snapshot | None = None,
    *,
    options: VerifyOptions = _CHECK_ALL,
    monitor: Monitor = SILENT,
    clock: Clock = SYSTEM_CLOCK,
) -> VerifyResult:
    """Check the repository, or what one snapshot needs. Whatever is wrong is in the result.

    Raises OSError when this process may not or cannot open the database's file once more.
    """
    started = clock.monotonic()
    check = _Check(repository, options, monitor)
    disowned = check.run(snapshot)
    complete = snapshot is None and not options.structure and options.sample is None
    if complete and repository.header.has_parity:
        from icc_store.operations.verify_parity import check_parity  # an optional part begins

        check.add_of_parity(check_parity(repository))
    blocks, trees = check.blocks, check.trees
    return VerifyResult(
        findings=tuple(draft.finish() for draft in check.drafts),
        snapshots=len(check.records.snapshots) if snapshot is None else 1,
        blocks=blocks.blocks,
        objects=blocks.objects,
        stored_bytes=blocks.stored_bytes,
        plain_bytes=blocks.plain_bytes + trees.read_bytes,
        trees=trees.trees,
        references=trees.references,
        complete=complete,
        disowned=disowned,
        duration_ns=int((clock.monotonic() - started) * 1e9),
    )


def crashed(how: str) -> VerifyResult:
    """What is to be said when the check ended the process that did it."""
    finding = Finding(Severity.DAMAGE, f"the database cannot be read to its end: {how}")
    return VerifyResult((finding,), 0, 0, 0, 0, 0, 0, 0, complete=False, disowned=0, duration_ns=0)


class _Check:
    def __init__(self, repository: Repository, options: VerifyOptions, monitor: Monitor) -> None:
        self.drafts: list[Draft] = []
        self.records = Records()
        self._repository = repository
        self._options = options
        self._monitor = monitor
        threads = options.threads or os.cpu_count() or 1
        self._wrong: dict[ObjectId, str] = {}
        self._followed: set[ObjectId] = set()
        self.blocks = BlockCheck(repository, monitor, threads=threads)
        self.trees = self._tree_check()

    def run(self, snapshot: Snapshot | None) -> int:
        """Check what is to be checked. Returns the number of index rows that were removed."""
        repository, options = self._repository, self._options
        if snapshot is None:
            self._check_database()
        self._monitor.phase("records")
        self.records, removals = self._check_records()
        self.drafts += [draft for draft in self.records.drafts if snapshot is None or draft.is_about(snapshot.id)]
        end = self._end()
        following = None
        if snapshot is not None:
            understood = {one: record for one, record in self.records.snapshots.items() if one == snapshot.id}
            self._follow(understood, removals, contents=Contents.READ)
        elif options.structure:
            self._check_rows(end)
            self._follow(self.records.snapshots, removals)
        elif options.sample is not None:
            following = self._sample(end, options.sample, removals)
        elif not self._is_sound(end):
            self._check_blocks([(1, end)], everything=True)
            self.drafts += check_unlisted(repository, self.blocks.records)
            self._follow(self.records.snapshots, removals, contents=Contents.LENGTHS)
        disowned = self._mend() if options.mend else 0
        self._remember(snapshot, following)
        return disowned

    def _is_sound(self, end: int) -> bool:
        """Have several processes check everything. Says whether nothing was wrong; else it is to be done again."""
        if self.drafts:
            return False
        from icc_store.operations.verify_crew import sums_if_sound  # a small repository needs no other processes

        self._monitor.phase("blocks")
        snapshots = self.records.snapshots
        sums = sums_if_sound(self._repository, snapshots.values(), end, self._monitor, self._repository.clock)
        if sums is None or check_unlisted(self._repository, sums.records):
            return False
        self.blocks.blocks, self.blocks.objects = sums.blocks, sums.objects
        self.blocks.stored_bytes, self.blocks.plain_bytes = sums.stored_bytes, sums.plain_bytes
        self.trees.trees, self.trees.references = sums.trees, sums.references
        self._followed.update(snapshots)
        return True

    def _check_database(self) -> None:
        """The pages, and the numbers that were given out last: new blocks and records get the next ones."""
        try:
            problems = [*self._repository.store.problems(), *damaged_counters(self._repository.objects.transaction)]
        except Exception as error:  # over a damaged page LMDB raises errors of its own
            if isinstance(error, OSError) and error.errno in OF_THIS_PROCESS:
                raise
            self._repository.objects.renew()
            problems = [reason(error)]
        self.drafts += [Draft(Severity.DAMAGE, f"the database: {problem}", in_database=True) for problem in problems]

    def _end(self) -> int:
        """The number after that of the last block; where that cannot be so, as many as there can be."""
        try:
            txn = self._repository.objects.transaction
            last = txn.last_block()
            if not any(True for _ in txn.block_sizes(last + 1)):
                return last + 1
        except Exception:  # noqa: BLE001 - likewise; it was told before, or is told when the blocks are read
            self._repository.objects.renew()
        return MAX_BLOCK_NUMBER + 1

    def _check_records(self) -> tuple[Records, bytes]:
        """What can be said of records, and how removals stood then: once more when gc took one just now."""
        records, before = Records(), b""
        for _ in range(_TRIES):
            before = removals_so_far(self._repository)
            records = check_records(self._repository)
            if not records.drafts or removals_so_far(self._repository) == before:
                break
        return records, before

    # ------------------------------------------------------------------ blocks

    def _sample(self, end: int, share: float, removals: bytes) -> int:
        """Check the blocks that were checked longest ago. Returns where the next time begins."""
        start = next_to_verify(self._repository)
        start = start if start < end else 1
        count = min(end - 1, math.ceil(share * (end - 1)))
        stop = start + count
        ranges = [(start, min(stop, end))]
        if stop > end:
            stop -= end - 1
            ranges.append((1, stop))
        self._check_blocks(ranges)
        if self.drafts:
            self._follow(self.records.snapshots, removals)  # to name the files
        return stop

    def _check_blocks(self, ranges: Iterable[tuple[int, int]], *, everything: bool = False) -> None:
        self._monitor.phase("blocks")
        for start, end in ranges:
            if start < end or everything:
                self.blocks.run(start, end, everything=everything)
        self.drafts += self.blocks.drafts

    def _check_rows(self, end: int) -> None:
        """Whether the blocks are there that the index speaks of. Their contents are not looked at."""
        self._monitor.phase("index")
        rows = RowsByBlock(self._repository, 1, end, everything=True)
        try:
            there = array("Q", (number for number, _ in self._repository.objects.transaction.block_sizes()))
        except Exception as error:  # noqa: BLE001 - over a damaged page LMDB raises errors of its own
            self._repository.objects.renew()
            what = f"the table of blocks is damaged: {reason(error)}"
            self.drafts.append(Draft(Severity.DAMAGE, what, in_database=True))
            return
        for number in there:
            rows.take(number)
        for number, left in rows.without_block():
            self.blocks.confirm(number, left)
        self.blocks.confirm_astray(rows.astray)
        self.drafts += self.blocks.drafts

    # ------------------------------------------------------------------ trees

    def _tree_check(self, known: dict[bytes, Draft] | None = None, *, contents: Contents = Contents.THERE) -> TreeCheck:
        return TreeCheck(self._repository, self._monitor, known or {}, contents=contents)

    def _follow(
        self, snapshots: dict[ObjectId, SnapshotRecord], removals: bytes, *, contents: Contents = Contents.THERE
    ) -> None:
        """Follow snapshots to all they need, and name the files that cannot be restored.

        `removals` is how things stood when the snapshots were listed. When gc removed something since then and
        something is missing, it is done again with the snapshots that are left.
        """
        self._monitor.phase("trees")
        wrong: list[ObjectId] = []
        for _ in range(_TRIES):
            known = self._damaged()
            trees = self._tree_check(known, contents=contents)
            wrong = [one for one, record in snapshots.items() if not trees.check(record)]
            self.trees = trees
            if not trees.drafts or removals_so_far(self._repository) == removals:
                break
            left, removals = self._check_records()
            snapshots = {one: record for one, record in snapshots.items() if one in left.snapshots}
        for one in wrong:
            self.trees.name_files(one, snapshots[one])
        self._wrong.update({one: str(self.trees.concerned[one]) for one in wrong})
        self._followed.update(snapshots)
        self.drafts += self.trees.drafts

    @property
    def _is_complete(self) -> bool:
        return bool(self.blocks.blocks) and self._options.sample is None

    def _damaged(self) -> dict[bytes, Draft]:
        """The objects of which no copy can be read, by the first 16 bytes of their ids."""
        drafts = self.blocks.drafts
        bad = {row for draft in drafts for row in draft.rows}
        known = {key: draft for draft in drafts for key in draft.keys}
        return {key: draft for key, draft in known.items() if not self._has_other(key, bad)}

    def _has_other(self, key: bytes, bad: set[bytes]) -> bool:
        try:
            for row in self._repository.objects.transaction.rows(key):
                if not row.startswith(key):
                    break
                if row not in bad:
                    return True
        except Exception:  # noqa: BLE001 - over a damaged page LMDB raises errors of its own
            self._repository.objects.renew()
        return False

    # ------------------------------------------------------------------ afterwards

    def _mend(self) -> int:
        """Let go of what is damaged. Returns the number of index rows removed."""
        damage = [draft for draft in self.drafts if draft.severity is Severity.DAMAGE]
        useless = [draft.block for draft in self.drafts if draft.block is not None and not draft.in_use]
        if any(draft.in_database for draft in damage) or not (damage or useless or self.records.again):
            return 0
        rows = sorted({row for draft in self.drafts for row in draft.rows})
        try:
            mend_records(self._repository, self.records.again, self.records.lost_annotations)
            if damage:
                disown(self._repository, rows)
            elif self._is_complete:
                remove_blocks(self._repository, useless)
        except IccStoreError as error:
            self._monitor.note(f"what is damaged keeps its index rows: {error.message}")
            return 0
        return len(rows)

    def add_of_parity(self, found: list[Draft]) -> None:
        """Take over what is wrong with parity; the next run that writes makes it anew, unless there is other damage."""
        if found and self._options.mend and not any(draft.in_database for draft in self.drafts):
            try:
                distrust_parity(self._repository)
            except IccStoreError as error:
                self._monitor.note(f"damaged parity is left as it is: {error.message}")
        self.drafts += found

    def _remember(self, snapshot: Snapshot | None, following: int | None) -> None:
        """Note what was checked, where that can be written."""
        try:
            if any(draft.in_database for draft in self.drafts):
                return
            if following is not None:
                remember_next(self._repository, following)
            everything = snapshot is not None or not (self._options.structure or following)
            whole = self._followed - self._wrong.keys()
            mark_suspect(self._repository, self._wrong, whole if everything else (), anew=everything)
            if self.drafts:
                return
            if snapshot is not None:
                remember_verified(self._repository, snapshot)
            elif following is None and not self._options.structure:
                last = max((record.seq for record in self.records.snapshots.values()), default=0)
                remember_all_verified(self._repository, last)
        except IccStoreError as error:  # read-only, full or busy is no reason to fail
            self._monitor.note(f"that it was verified is not noted in the repository: {error.message}")
