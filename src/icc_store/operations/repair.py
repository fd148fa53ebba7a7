"""Making anew what is derived from blocks: the index, the list of snapshots, the annotations.

Works on what could be rescued of a damaged database, in a new one that takes the old one's place when all is done.
Nothing that was removed comes back: a record is removed together with its block, so each that is found is wanted; of
all other objects in blocks only those get index rows that some snapshot reaches, or that a reached one is written
against. What cannot be read stays lost: its snapshots are marked suspect, and its files are named.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.errors import DamageError
from icc_store.ids import KEY_SIZE, RECORD_KINDS, Kind, ObjectId
from icc_store.limits import BATCH_BYTES
from icc_store.model.entry import XATTRS_ID
from icc_store.model.maintenance import WriteTransaction
from icc_store.model.rebuild import enlist_annotation, enlist_snapshot
from icc_store.model.record import SnapshotRecord, unpack_annotation, unpack_record
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.objects.block import Block, decode_block
from icc_store.objects.index import as_base_row, pack_row, rows_into
from icc_store.objects.records import append_record, copies, plain_record, remove_record, remove_stray_copies
from icc_store.operations.parity_recovery import Recovery, recover
from icc_store.operations.repair_reach import Reach
from icc_store.operations.verify import VerifyResult, verify
from icc_store.operations.verify_findings import reason

_ROWS_PER_COMMIT = 100_000


@dataclass(frozen=True)
class RepairResult:
    """What was made anew, and what is lost."""

    blocks: int
    damaged_blocks: int
    indexed: int
    """Objects that snapshots reach, or that those are written against."""
    unreached: int
    """Objects in blocks that nothing needs any more. They were not brought back."""
    snapshots: int
    annotations: int
    lost_snapshots: tuple[ObjectId, ...]
    """Snapshots that were listed before and of whose records nothing is left."""
    lost_annotations: int
    check: VerifyResult
    """What is still wrong with the repository, with the files it concerns."""
    parity: Recovery
    """The blocks that came back from parity."""


def rebuild(
    repository: Repository,
    listed: Collection[ObjectId],
    listed_annotations: Collection[ObjectId] = (),
    *,
    damaged: Path | None = None,
    monitor: Monitor = SILENT,
    clock: Clock = SYSTEM_CLOCK,
) -> RepairResult:
    """Make index, lists and annotations from the blocks of a repository that has nothing else, and check all of it.

    `listed` are the snapshots that the damaged database still named, `damaged` is the directory with its parity, where
    it may have any. Raises no error for what is damaged.
    """
    parity = Recovery() if damaged is None else recover(repository, damaged, monitor=monitor)
    task = _Rebuild(repository, monitor)
    task.index_everything()
    task.list_records()
    task.keep_what_is_reached()
    check = verify(repository, monitor=monitor, clock=clock)
    known = {snapshot.id for snapshot in repository.snapshots(forgotten=True)}
    return RepairResult(
        blocks=task.blocks,
        damaged_blocks=task.damaged_blocks,
        indexed=task.indexed,
        unreached=task.unreached,
        snapshots=len(task.snapshots),
        annotations=len(task.annotations),
        lost_snapshots=tuple(identity for identity in listed if identity not in known),
        lost_annotations=len(set(listed_annotations) - task.annotations),
        check=check,
        parity=parity,
    )


class _Rebuild:
    def __init__(self, repository: Repository, monitor: Monitor) -> None:
        self._repository = repository
        self._monitor = monitor
        self._records: dict[ObjectId, Kind] = {}
        self.snapshots: dict[ObjectId, SnapshotRecord] = {}
        self.annotations: set[ObjectId] = set()
        self.blocks = 0
        self.damaged_blocks = 0
        self.indexed = 0
        self.unreached = 0

    def index_everything(self) -> None:
        """A row for every object in every block, so that all of them can be read."""
        self._monitor.phase("blocks")
        waiting: list[bytes] = []
        for number, block in self._readable():
            for position, identity in enumerate(block.ids):
                waiting.append(pack_row(identity[:KEY_SIZE], number, position))
            for frame in block.frames:
                if frame.kind in RECORD_KINDS:
                    self._records.update(dict.fromkeys(frame.ids, Kind(frame.kind)))
            if len(waiting) > _ROWS_PER_COMMIT:
                self._change([], waiting)
                waiting = []
        self._change([], waiting)

    def list_records(self) -> None:
        """List every record that can be read, from its second copy where the first is gone. Drop the others.

        One whose second copy is gone is written twice again.
        """
        self._monitor.phase("records")
        for identity, kind in self._records.items():
            if kind is Kind.SNAPSHOT:
                data = self._record(identity, kind)
                if data is not None:
                    self.snapshots[identity] = unpack_record(data)
        whole = self._second_copies()
        again = {identity: data for identity, data in whole.items() if identity not in self.snapshots}
        for identity in self.snapshots.keys() - whole.keys():
            data = self._record(identity, Kind.SNAPSHOT)
            if data is not None:
                again[identity] = data
        notes = {
            identity: self._record(identity, kind)
            for identity, kind in self._records.items()
            if kind is Kind.ANNOTATION
        }
        with self._repository.store.write() as txn:
            for identity, kind in self._records.items():
                if kind is Kind.SNAPSHOT and (identity not in self.snapshots or identity in again):
                    remove_record(txn, identity)  # what is left of it is in `again`, if anything
            for identity, data in again.items():
                append_record(txn, self._repository.header.repository, Kind.SNAPSHOT, data)
                self.snapshots[identity] = unpack_record(data)
            for identity, record in self.snapshots.items():
                enlist_snapshot(txn, record, identity)
            for identity, note in notes.items():
                self._list_annotation(txn, identity, note)
            remove_stray_copies(txn, self.snapshots)  # they cannot be read, and verify would speak of damage for ever
        self._repository.objects.forget()

    def keep_what_is_reached(self) -> None:
        """Take the rows of all other objects away, and mark what is kept only as a base."""
        self._monitor.phase("mark")
        reach = Reach(self._repository.objects)
        attributes = [
            record.root_entry[XATTRS_ID]
            for record in self.snapshots.values()
            if record.root_entry is not None and XATTRS_ID in record.root_entry
        ]
        reach.follow((record.root for record in self.snapshots.values()), attributes)
        gone: list[bytes] = []
        marked: list[bytes] = []
        for number, block in self._readable(count=False):
            if block.frames[0].kind in RECORD_KINDS:
                continue
            live, bases = reach.live.get(number, 0), reach.bases.get(number, 0)
            index = self._repository.objects.transaction
            gone += rows_into(index, number, block.ids, ~(live | bases) & (1 << len(block.ids)) - 1)
            marked += rows_into(index, number, block.ids, bases & ~live)
            self.indexed += (live | bases).bit_count()
            self.unreached += len(block.ids) - (live | bases).bit_count()
            if len(gone) + len(marked) > _ROWS_PER_COMMIT:
                self._change(gone + marked, [as_base_row(row) for row in marked])
                gone, marked = [], []
        self._change(gone + marked, [as_base_row(row) for row in marked])

    def _readable(self, *, count: bool = True) -> Iterator[tuple[int, Block]]:
        """Every block whose checksum is right, in order, read in views that are renewed."""
        start = 1
        while True:
            read, size = [], 0
            for number, data in self._repository.objects.transaction.blocks(start):
                read.append((number, data))
                size += len(data)
                if size > BATCH_BYTES:
                    break
            self._repository.objects.renew()
            if not read:
                return
            start = read[-1][0] + 1
            for number, data in read:
                self.blocks += count
                try:
                    block = decode_block(data, self._repository.header.repository)
                except DamageError:
                    self.damaged_blocks += count
                    continue
                yield number, block

    def _record(self, identity: ObjectId, kind: Kind) -> bytes | None:
        try:
            return self._repository.objects.get(identity, kind)
        except DamageError as error:
            self._monitor.note(f"a record cannot be read: {reason(error)}")
            return None

    def _second_copies(self) -> dict[ObjectId, bytes]:
        """The records of which there are second copies that are whole."""
        found: dict[ObjectId, bytes] = {}
        for _, data in copies(self._repository.objects.transaction):
            try:
                block = decode_block(data, self._repository.header.repository)
            except DamageError:
                continue
            plain = plain_record(block)
            if plain is not None and block.frames[0].kind == Kind.SNAPSHOT:
                found[block.ids[0]] = plain
        return found

    def _list_annotation(self, txn: WriteTransaction, identity: ObjectId, data: bytes | None) -> None:
        """List an annotation of a snapshot that is there; any other says nothing to anybody."""
        if data is not None:
            annotation = unpack_annotation(data)
            if annotation.snapshot in self.snapshots and enlist_annotation(txn, annotation, identity):
                self.annotations.add(identity)
                return
        remove_record(txn, identity)

    def _change(self, gone: list[bytes], added: list[bytes]) -> None:
        if gone or added:
            with self._repository.store.write() as txn:
                txn.delete_rows(sorted(gone))
                txn.insert_rows(sorted(added))
            self._repository.objects.forget()
