"""copy: what one repository has and another does not, block by block.

The second repository has the same repository id, so blocks are copied as they are, after they were checked; it has an
instance id of its own. Blocks come first (operations/copy_blocks.py), then the records of snapshots whose whole closure
has arrived, then annotations. A copy never removes anything: what the first repository forgot, it forgets too, and its
own gc removes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from icc_store.errors import DamageError, IccStoreError, UsageError
from icc_store.ids import Kind, ObjectId
from icc_store.model.closure import closure
from icc_store.model.maintenance import (
    annotation_ids,
    copied_up_to,
    gc_epoch,
    insert_annotation,
    insert_snapshot,
    snapshot_ids,
)
from icc_store.model.record import Annotation, unpack_annotation
from icc_store.model.repository import Repository
from icc_store.model.upkeep import KnownCopy, remember_copy
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.copy_blocks import BlockCopy, MovedMeanwhile

_TRIES = 5


@dataclass(frozen=True)
class CopyResult:
    """What was copied. `size` is stored bytes."""

    snapshots: int
    annotations: int
    blocks: int
    size: int


def copy_repository(source: Repository, target: Repository, *, monitor: Monitor = SILENT) -> CopyResult:
    """Bring `target` up to what `source` holds now, while others may write to either.

    Raises UsageError when the target is another repository or has snapshots of its own, DamageError when a block of
    the source is damaged (what was copied before stays, and is complete in itself).
    """
    if source.header.repository != target.header.repository:
        raise UsageError(f"{target.path} is not a copy of {source.path}", hint="copy into a missing or empty directory")
    if source.header.instance == target.header.instance:
        raise UsageError(f"{target.path} is the same repository", hint="copy into another directory")
    task = _Copy(source, target, monitor)
    for attempt in range(_TRIES):
        if task.run(from_start=attempt > 0):
            _remember(source, target, monitor)
            return CopyResult(task.snapshots, task.annotations, task.blocks.blocks, task.blocks.size)
    raise IccStoreError("gc kept moving what was to be copied", hint="run the command again")


def _remember(source: Repository, target: Repository, monitor: Monitor) -> None:
    """Note in the source where its copy is, for `health`."""
    elsewhere = target.path.stat().st_dev != source.path.stat().st_dev
    copy = KnownCopy(target.path.absolute(), source.clock.now_ns(), elsewhere)
    try:
        remember_copy(source, target.header.instance, copy)
    except IccStoreError as error:  # read-only, full or busy is no reason to fail
        monitor.note(f"that there is a copy is not noted in {source.path}: {error.message}")


class _Copy:
    def __init__(self, source: Repository, target: Repository, monitor: Monitor) -> None:
        self._source = source
        self._target = target
        self._monitor = monitor
        self._complete: set[ObjectId] = set()
        self.blocks = BlockCopy(source, target, monitor)
        self.snapshots = self.annotations = 0

    def run(self, *, from_start: bool) -> bool:
        """Copy once. False when something did not arrive, because gc moved or removed it meanwhile, here or there."""
        self._complete.clear()
        self._source.objects.renew()
        seen = self._source.objects.transaction
        wanted, notes, epoch = snapshot_ids(seen), annotation_ids(seen), gc_epoch(seen)
        try:
            with self._target.store.adding():
                self._monitor.phase("copy blocks")
                self.blocks.run(0 if from_start else copied_up_to(self._target, self._source.header.instance))
                return self._copy_records(wanted, notes)
        except MovedMeanwhile:
            return False
        except DamageError:
            self._source.objects.forget()
            if gc_epoch(self._source.objects.transaction) == epoch:
                raise
            return False

    def _copy_records(self, wanted: list[ObjectId], notes: list[ObjectId]) -> bool:
        """Copy the records that are new. False when something they need has not arrived, or has gone again."""
        self._monitor.phase("copy snapshots")
        self._target.objects.renew()
        epoch = gc_epoch(self._target.objects.transaction)
        there = set(snapshot_ids(self._target.objects.transaction))
        fresh = [identity for identity in wanted if identity not in there]
        records = {identity: self._source.objects.get(identity, Kind.SNAPSHOT) for identity in fresh}
        for identity in fresh:
            if not self._closure_arrived(self._source.record(identity).root):
                return False
        new_notes = self._new_notes(notes, there | set(fresh))
        if fresh or new_notes:
            with self._target.store.write() as txn:
                if gc_epoch(txn) != epoch:
                    return False
                for identity in fresh:
                    insert_snapshot(self._target, txn, identity, records[identity])
                for data in new_notes:
                    insert_annotation(self._target, txn, data)
            self._target.objects.renew()
        self.snapshots += len(fresh)
        self.annotations += len(new_notes)
        return True

    def _new_notes(self, notes: list[ObjectId], snapshots: set[ObjectId]) -> list[bytes]:
        """Annotations of these snapshots that say what the copy does not know, whatever their numbers."""
        known = {self._fact(self._target, note) for note in annotation_ids(self._target.objects.transaction)}
        data = [
            self._source.objects.get(note, Kind.ANNOTATION)
            for note in notes
            if self._fact(self._source, note) not in known
        ]
        return [each for each in data if unpack_annotation(each).snapshot in snapshots]

    @staticmethod
    def _fact(repository: Repository, note: ObjectId) -> Annotation:
        return replace(unpack_annotation(repository.objects.get(note, Kind.ANNOTATION)), seq=0)

    def _closure_arrived(self, root: ObjectId) -> bool:
        complete = self._complete
        missing = False

        def visit(identity: ObjectId) -> bool:
            nonlocal missing
            if identity in complete:
                return False
            missing = missing or not self._target.objects.contains(identity)
            complete.add(identity)
            return not missing

        for _ in closure(self._target.objects, root, visit):
            if missing:
                complete.clear()
                return False
        return not missing
