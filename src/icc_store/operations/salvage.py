"""A new repository from what is left in the bytes of a damaged one.

Every offset of the file is searched for whole blocks (objects/block_scan.py). What the database still leads to comes
first, in its order; what is found beside that was removed, or lies under a page that is lost. So where the list of
snapshots can be read, a record that is not on it was removed and stays so; where it cannot, every record counts, with
what its annotations say. Objects come back where a snapshot needs them, each copy that was found, since one of them may
be a delta whose base is gone. The damaged file is never written to.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass, field
from pathlib import Path

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.errors import DamageError
from icc_store.ids import KEY_SIZE, RECORD_KINDS, Kind, ObjectId
from icc_store.limits import BATCH_BYTES
from icc_store.model.rebuild import enlist_annotation, enlist_snapshot
from icc_store.model.record import Annotation, SnapshotRecord, unpack_annotation, unpack_record
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.objects.block import HEADER_SIZE, UID, Block, decode_block, stated_size
from icc_store.objects.block_scan import scan_blocks
from icc_store.objects.index import pack_row
from icc_store.objects.records import append_record, plain_record
from icc_store.operations.salvage_losses import Incomplete, Losses
from icc_store.operations.salvage_orphans import Orphans, Unneeded
from icc_store.operations.salvage_reach import ReachOfCopies
from icc_store.operations.salvage_source import Evidence
from icc_store.operations.verify import VerifyResult, verify


@dataclass(frozen=True)
class SalvageResult:
    """What came back, and what did not."""

    blocks: int
    """Whole blocks in the file, those that were removed among them."""
    damaged_blocks: int
    """Blocks that the database leads to and that are not whole."""
    snapshots: int
    annotations: int
    removed_snapshots: int
    """Records that were found and are not on the list of snapshots: they were removed before, and stay so."""
    incomplete: tuple[Incomplete, ...]
    """Snapshots of which files are lost."""
    lost_snapshots: tuple[ObjectId, ...]
    """Listed snapshots of whose records nothing is left."""
    lost_annotations: int
    lost_commits: int
    list_is_whole: bool
    """Whether the list of snapshots could be read: else nobody can say that there were no others."""
    orphans: Orphans
    check: VerifyResult

    @property
    def whole(self) -> bool:
        """Whether everything came back."""
        lost = self.incomplete or self.lost_snapshots or self.lost_annotations or self.lost_commits
        return self.list_is_whole and not lost and not self.check.damaged


def salvage(
    repository: Repository,
    data: mmap.mmap,
    evidence: Evidence,
    *,
    orphans: Path | None = None,
    monitor: Monitor = SILENT,
    clock: Clock = SYSTEM_CLOCK,
) -> SalvageResult:
    """Fill a new, empty repository with what can be found in the bytes of a damaged one.

    Chunks that no snapshot needs are written as files to the directory `orphans`, where one is given.
    """
    task = _Salvage(repository, data, evidence, monitor)
    task.take_blocks()
    task.list_records()
    unreached = task.keep_what_is_reached(orphans)
    check = verify(repository, monitor=monitor, clock=clock)
    losses = Losses(repository)
    listed = repository.snapshots(forgotten=True)
    known = {snapshot.id for snapshot in listed}
    if task.removed_blocks:
        repository.compact()
    return SalvageResult(
        blocks=task.blocks,
        damaged_blocks=len(task.led_to),
        snapshots=len(listed),
        annotations=len(task.annotations),
        removed_snapshots=len(task.removed),
        incomplete=tuple(losses.of(snapshot) for snapshot in listed if snapshot.suspect),
        lost_snapshots=tuple(identity for identity in evidence.snapshots if identity not in known),
        lost_annotations=len(set(evidence.annotations) - task.annotations.keys()),
        lost_commits=evidence.lost_commits,
        list_is_whole=evidence.knows_snapshots,
        orphans=unreached,
        check=check,
    )


@dataclass
class _Records:
    """Records by their ids, as bytes."""

    snapshots: dict[ObjectId, SnapshotRecord] = field(default_factory=dict)
    annotations: dict[ObjectId, Annotation] = field(default_factory=dict)
    plain: dict[ObjectId, bytes] = field(default_factory=dict)


class _Salvage:
    def __init__(self, repository: Repository, data: mmap.mmap, evidence: Evidence, monitor: Monitor) -> None:
        self._repository = repository
        self._identity = repository.header.repository
        self._data = data
        self._evidence = evidence
        self._monitor = monitor
        self._found = _Records()
        self.led_to = dict(evidence.numbers)
        """Blocks that the database leads to and that were not met yet; in the end, those that are damaged."""
        self.blocks = 0
        self.removed_blocks = 0
        self.snapshots: dict[ObjectId, SnapshotRecord] = {}
        self.annotations: dict[ObjectId, Annotation] = {}
        self.removed: set[ObjectId] = set()

    def take_blocks(self) -> None:
        """Note all records, and store every block of content, those first that the database leads to, with its rows."""
        self._monitor.phase("blocks")
        places: dict[bytes, tuple[int, int]] = {}
        """Rank and offset by uid: a block that was moved may stand in the file twice."""
        behind = max(self._evidence.numbers.values(), default=0) + 1
        for at, stored, block in scan_blocks(self._data, self._identity):
            self.blocks += 1
            self._monitor.advance(1, len(stored), b"")
            number = self.led_to.pop(at, None)
            if block.frames[0].kind in RECORD_KINDS:
                self._note_record(block)
                continue
            place = (behind + at if number is None else number, at)
            places[stored[UID]] = min(place, places.get(stored[UID], place))
        waiting, size = [], 0
        for _, at in sorted(places.values()):
            waiting.append(at)
            size += stated_size(self._data[at : at + HEADER_SIZE])
            if size > BATCH_BYTES:
                self._store(waiting)
                waiting, size = [], 0
        self._store(waiting)
        self._repository.objects.forget()

    def _store(self, offsets: list[int]) -> None:
        with self._repository.store.write() as txn:
            rows = []
            for at in offsets:
                stored = self._data[at : at + stated_size(self._data[at : at + HEADER_SIZE])]
                number = txn.append_block(stored)
                ids = decode_block(stored, self._identity).ids
                rows += [pack_row(identity[:KEY_SIZE], number, position) for position, identity in enumerate(ids)]
            txn.insert_rows(sorted(rows))

    def _note_record(self, block: Block) -> None:
        frame = block.frames[0]
        plain = plain_record(block)
        if plain is None:
            return
        identity = frame.ids[0]
        try:
            if frame.kind == Kind.SNAPSHOT:
                self._found.snapshots[identity] = unpack_record(plain)
            else:
                self._found.annotations[identity] = unpack_annotation(plain)
        except DamageError:
            return
        self._found.plain[identity] = plain

    def list_records(self) -> None:
        """List the snapshots that were not removed, and what is said of them; of two with one number the later one."""
        found, evidence = self._found, self._evidence
        if evidence.knows_snapshots:
            self.removed = found.snapshots.keys() - set(evidence.snapshots)
        known = set(evidence.annotations) if evidence.knows_annotations else found.annotations.keys()
        with self._repository.store.write() as txn:
            for identity, record in sorted(found.snapshots.items(), key=_latest_first):
                if identity not in self.removed and enlist_snapshot(txn, record, identity):
                    append_record(txn, self._identity, Kind.SNAPSHOT, found.plain[identity])
                    self.snapshots[identity] = record
            for identity, note in sorted(found.annotations.items(), key=_latest_first):
                if identity in known and note.snapshot in self.snapshots and enlist_annotation(txn, note, identity):
                    append_record(txn, self._identity, Kind.ANNOTATION, found.plain[identity])
                    self.annotations[identity] = note
        self._repository.objects.forget()

    def keep_what_is_reached(self, orphans: Path | None) -> Orphans:
        """Remove all that no snapshot needs. Returns what that was."""
        self._monitor.phase("mark")
        reach = ReachOfCopies(self._repository.objects)
        reach.follow(self.snapshots.values())
        task = Unneeded(self._repository, reach, orphans)
        task.run()
        self.removed_blocks = task.removed_blocks
        return task.orphans


def _latest_first(item: tuple[ObjectId, SnapshotRecord | Annotation]) -> tuple[int, int, bytes]:
    identity, record = item
    return record.seq, -record.time_ns, identity
