"""A repository as operations see it: snapshots, objects, annotations, and runs that add something.

What is derived (the index, the tables of snapshots and annotations, the `seen` rows) is kept here in step with the
blocks, in the same transactions.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.codec.hashing import object_id
from icc_store.errors import BlockDamaged, DamageError, ReadOnlyRepository, SnapshotNotFound
from icc_store.ids import Kind, ObjectId
from icc_store.limits import DEFAULT_LEVEL, SHARED_BLOCK_CACHE_BYTES, SHARED_FRAME_CACHE_BYTES
from icc_store.model.header import Header
from icc_store.model.numbers import number_at, sound_number_at
from icc_store.model.record import (
    Annotation,
    Snapshot,
    SnapshotClass,
    SnapshotRecord,
    Subject,
    combine,
    pack_annotation,
    pack_record,
    unpack_annotation,
    unpack_record,
)
from icc_store.model.unread import LostRecord, Unread
from icc_store.monitor import SILENT, Monitor
from icc_store.objects.appending import CollectedMeanwhile
from icc_store.objects.block import decode_block
from icc_store.objects.encoder import Encoder
from icc_store.objects.reader import ObjectReader
from icc_store.objects.records import append_record, read_copy
from icc_store.objects.writer import ObjectWriter
from icc_store.store.protocol import Store, Table, WriteTransaction

__all__ = ("EPOCH_KEY", "CollectedMeanwhile", "Rehearsal", "Repository", "Run", "counter_key", "next_number")

_SEQ_SIZE = 8
EPOCH_KEY = b"gc epoch"
_READ_BACK = 256
"""Blocks that are read in one transaction."""


class Repository:
    """An open repository. For one thread at a time."""

    def __init__(
        self, path: Path, header: Header, store: Store, *, readonly: bool = False, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.path = path
        self.header = header
        self.store = store
        self.readonly = readonly
        self.clock = clock
        self.unread = Unread()
        """What could not be read when snapshots were listed last, or the newest was looked for."""
        self.objects = ObjectReader(store, header.repository, clock=clock)

    def snapshots(self, *, forgotten: bool = False) -> list[Snapshot]:
        """Snapshots in the order they were committed; forgotten ones only when asked for.

        Raises DamageError where one, or what was said of it, cannot be read; not where the repository is only read.
        """
        found = self.readable_snapshots(forgotten=forgotten)
        if self.unread.errors and not self.readonly:
            raise self.unread.errors[0]
        return found

    def readable_snapshots(self, *, forgotten: bool = False) -> list[Snapshot]:
        """The same without records and annotations that cannot be read: those are left out, and stand in `unread`."""
        while True:
            known = self._known_snapshots(), self._known_annotations()
            found, unread = self._combined(*known)
            if unread.errors:
                self.objects.forget()
                if (self._known_snapshots(), self._known_annotations()) != known:
                    continue  # gc has just removed what could not be read
            self.unread = unread
            return [snapshot for snapshot in found if forgotten or snapshot.forgotten_ns is None]

    def _known_snapshots(self) -> dict[int, ObjectId]:
        """The ids of all snapshots by their numbers, in order."""
        rows = self.objects.transaction.items(Table.SNAPSHOTS)
        return {int.from_bytes(key): ObjectId(identity) for key, identity in rows}

    def _known_annotations(self, first: int = 0) -> list[ObjectId]:
        rows = self.objects.transaction.items(Table.ANNOTATIONS, first.to_bytes(_SEQ_SIZE))
        return [ObjectId(identity) for _, identity in rows]

    def _combined(self, snapshots: dict[int, ObjectId], annotations: list[ObjectId]) -> tuple[list[Snapshot], Unread]:
        """Snapshots with all annotations that can be read, and what cannot."""
        unread = Unread()
        notes: dict[ObjectId, list[Annotation]] = {}
        for annotation in self._readable(annotations, unread):
            notes.setdefault(annotation.snapshot, []).append(annotation)
        records = self._records(snapshots.items(), unread)
        return [combine(identity, record, notes.get(identity, ())) for identity, record in records], unread

    def _records(
        self, snapshots: Iterable[tuple[int, ObjectId]], unread: Unread
    ) -> Iterator[tuple[ObjectId, SnapshotRecord]]:
        for seq, identity in snapshots:
            try:
                yield identity, self.record(identity)
            except DamageError as error:
                unread.snapshots.append(LostRecord(seq, identity, error))

    def _readable(self, annotations: list[ObjectId], unread: Unread) -> Iterator[Annotation]:
        for identity in annotations:
            try:
                yield unpack_annotation(self.objects.get(identity, Kind.ANNOTATION))
            except DamageError as error:
                unread.annotations.append(error)

    def record(self, identity: ObjectId) -> SnapshotRecord:
        """The record under that id. Raises BlockDamaged where no copy of it can be read."""
        try:
            return unpack_record(self._record_bytes(identity))
        except DamageError as error:
            raise BlockDamaged(
                f"no copy of the record of snapshot {identity.hex()[:12]} can be read: {error.message}",
                hint="run `icc-store verify`; `icc-store repair` brings it back, or takes it off the list",
            ) from error

    def _record_bytes(self, identity: ObjectId) -> bytes:
        """The bytes of a record; from its second copy where the first is damaged. Raises DamageError."""
        try:
            return self.objects.get(identity, Kind.SNAPSHOT)
        except DamageError:
            copy = read_copy(self.objects.transaction, self.header.repository, identity)
            if copy is None:
                raise
            return copy

    def snapshot(self, identity: ObjectId) -> Snapshot:
        """One snapshot with its annotations. Raises SnapshotNotFound."""
        for snapshot in self.snapshots(forgotten=True):
            if snapshot.id == identity:
                return snapshot
        raise SnapshotNotFound(f"there is no snapshot {identity.hex()}", hint="see `icc-store list`")

    def annotate(self, snapshot: ObjectId, subject: Subject, value: str | int | bool) -> None:
        """Say something about a snapshot; the newest word on a subject counts. Raises SnapshotNotFound."""
        self.annotate_all([(snapshot, subject, value)])

    def annotate_all(self, facts: list[tuple[ObjectId, Subject, str | int | bool]]) -> None:
        """Say several things in one commit."""
        self._check_writable()
        now = self.clock.now_ns()
        with self.store.write() as txn:
            known = {identity for _, identity in txn.items(Table.SNAPSHOTS)}
            for snapshot, subject, value in facts:
                if snapshot not in known:
                    raise SnapshotNotFound(f"there is no snapshot {snapshot.hex()}", hint="see `icc-store list`")
                seq = next_number(txn, Table.ANNOTATIONS)
                data = pack_annotation(Annotation(snapshot, subject, value, now, seq))
                identity = append_record(txn, self.header.repository, Kind.ANNOTATION, data)
                txn.put(Table.ANNOTATIONS, seq.to_bytes(_SEQ_SIZE), identity)
        self.objects.renew()

    @contextmanager
    def adding(
        self,
        *,
        level: int = DEFAULT_LEVEL,
        threads: int | None = None,
        encoder: Encoder | None = None,
        monitor: Monitor = SILENT,
    ) -> Iterator[Run]:
        """A run that adds objects; in the body. What it committed stays when the body raises.

        `encoder` compresses, at `level` where none is given; `monitor` hears of it when that went wrong.
        """
        self._check_writable()
        with self.store.adding():
            run = Run(self, encoder or Encoder(level), threads=threads or os.cpu_count() or 1, monitor=monitor)
            try:
                yield run
            finally:
                run.writer.close()

    def rehearsal(self) -> Rehearsal:
        """A run that adds nothing, and tells what one would have added."""
        return Rehearsal(self)

    def latest(self, source: str, host: str | None = None) -> Snapshot | None:
        """The newest full snapshot of a source that is not forgotten: the parent of its next one.

        Takes as long with a thousand snapshots as with one: reads from the newest back to it, and no annotation that
        was there before it. What cannot be read is passed over, and stands in `unread`: the next snapshot needs none.
        """
        while True:
            known, unread = self._known_snapshots(), Unread()
            found = self._latest(known, source, host, unread)
            if unread.errors:
                self.objects.forget()
                if self._known_snapshots() != known:
                    continue  # gc has just removed what could not be read
            self.unread = unread
            return found

    def _latest(self, known: dict[int, ObjectId], source: str, host: str | None, unread: Unread) -> Snapshot | None:
        for identity, record in self._records(reversed(known.items()), unread):
            if record.kind is SnapshotClass.FULL and record.source == source and host in (None, record.host):
                later = self._known_annotations(record.annotations_before + 1)
                notes = [note for note in self._readable(later, unread) if note.snapshot == identity]
                snapshot = combine(identity, record, notes)
                if snapshot.forgotten_ns is None:
                    return snapshot
        return None

    @contextmanager
    def closed(self) -> Iterator[None]:
        """In the body the database is closed, so that children forked there can open it, each for itself.

        From then on each of these processes keeps less in memory, since there are several.
        """
        self.objects.keep(SHARED_FRAME_CACHE_BYTES, SHARED_BLOCK_CACHE_BYTES)
        with self.store.closed():
            yield

    def open_for_reading(self) -> None:
        """Open the database again, in such a child."""
        self.store.open_for_reading()

    def reusable_bytes(self) -> int:
        """Bytes of the database file that new snapshots can fill."""
        return self.store.reusable_bytes()

    def make_freed_usable(self) -> None:
        """Commit nothing: LMDB fills what a commit has freed from the second commit after that on."""
        with self.store.write():
            pass

    def compact(self) -> int:
        """Give freed bytes back to the disk; returns how many. The repository must be open exclusively."""
        self.objects.forget()
        return self.store.compact()

    def _check_writable(self) -> None:
        if not self.header.writable:
            raise ReadOnlyRepository(
                f"{self.path} uses features that this program can only read", hint="use a newer icc-store"
            )


class Rehearsal:
    """Stands in for a run: the same questions, the same ids, nothing written."""

    def __init__(self, repository: Repository) -> None:
        self.objects = repository.objects
        self.writer = self
        self.turn = 1
        self.new_objects = 0
        self.new_bytes = 0
        """Plain bytes of the objects that a run would add."""
        self._new: set[ObjectId] = set()

    def has(self, identity: ObjectId) -> bool:
        """Whether the object is stored, or would be by now."""
        return identity in self._new or self.objects.contains(identity)

    def add(
        self, kind: Kind, data: bytes, *, identity: ObjectId | None = None, bases: Sequence[ObjectId] = ()
    ) -> ObjectId:
        """Count an object unless it is there."""
        identity = object_id(kind, data) if identity is None else identity
        if not self.has(identity):
            self._new.add(identity)
            self.new_objects += 1
            self.new_bytes += len(data)
        return identity

    def seen(self, key: bytes) -> bytes | None:
        """The row a former run left under this key."""
        return self.objects.transaction.get(Table.SEEN, key)

    def remember(self, key: bytes, row: bytes) -> None:
        """Nothing is left for the next run."""

    def drop(self, key: bytes) -> None:
        """What a former run left stays."""


class Run:
    """One run that adds objects and ends in a snapshot."""

    def __init__(self, repository: Repository, encoder: Encoder, *, threads: int, monitor: Monitor = SILENT) -> None:
        self._repository = repository
        self.objects = repository.objects
        self.writer = ObjectWriter(
            repository.store,
            self.objects,
            repository.header.repository,
            encoder=encoder,
            threads=threads,
            monitor=monitor,
        )
        self._epoch = self.objects.transaction.get(Table.META, EPOCH_KEY)
        self._first_block = self.objects.transaction.last_block() + 1
        self._seen: dict[bytes, bytes | None] = {}
        self.turn = number_at(self.objects.transaction, counter_key(Table.SNAPSHOTS))
        """Snapshots ever committed to this repository: a number that differs from run to run."""

    def seen(self, key: bytes) -> bytes | None:
        """The row a former run left under this key."""
        return self.objects.transaction.get(Table.SEEN, key)

    def remember(self, key: bytes, row: bytes) -> None:
        """Leave a row for the next run; written with the snapshot, and only then."""
        self._seen[key] = row

    def drop(self, key: bytes) -> None:
        """Leave no row under this key; a row that this run leaves there stays."""
        self._seen.setdefault(key, None)

    def commit(self, build: Callable[[int], SnapshotRecord]) -> Snapshot:
        """Write all that waits, the `seen` rows and the record that `build` makes of its number: one transaction.

        Raises CollectedMeanwhile when gc removed something in the meantime that the snapshot may refer to.
        """
        made: list[Snapshot] = []

        def finish(txn: WriteTransaction) -> None:
            if txn.get(Table.META, EPOCH_KEY) != self._epoch:
                raise CollectedMeanwhile
            seq = next_number(txn, Table.SNAPSHOTS)
            last = number_at(txn, counter_key(Table.ANNOTATIONS))
            record = replace(build(seq), seq=seq, annotations_before=last)
            identity = append_record(txn, self._repository.header.repository, Kind.SNAPSHOT, pack_record(record))
            txn.put(Table.SNAPSHOTS, seq.to_bytes(_SEQ_SIZE), identity)
            for key, row in sorted(self._seen.items()):
                if row is None:
                    txn.delete(Table.SEEN, key)
                else:
                    txn.put(Table.SEEN, key, row)
            made.append(combine(identity, record, ()))

        self.writer.commit(finish)
        self._seen.clear()
        return made[0]

    def read_back(self) -> list[str]:
        """Commit what waits, read every block that this run has added, and say what is wrong with those that are.

        Raises CollectedMeanwhile as `commit` does.
        """
        self.writer.commit()
        self.objects.renew()
        problems = []
        for number in range(self._first_block, self.objects.transaction.last_block() + 1):
            data = self.objects.transaction.block(number)
            if data is None:
                continue  # gc took another run's
            try:
                decode_block(data, self._repository.header.repository)
            except DamageError as error:
                problems.append(f"block {number}: {error.message}")
            if number % _READ_BACK == 0:
                self.objects.renew()
        return problems

    def accept_epoch(self) -> None:
        """Go on after gc ran. What waits is committed, so that all the run refers to can be looked at.

        Raises CollectedMeanwhile when what waits cannot be committed, and was dropped.
        """
        self.objects.forget()
        self._epoch = self.objects.transaction.get(Table.META, EPOCH_KEY)
        self.writer.commit()
        self._epoch = self.objects.transaction.get(Table.META, EPOCH_KEY)


def next_number(txn: WriteTransaction, table: Table) -> int:
    """The next number for a table of numbered rows. Numbers of removed rows are not used again.

    Raises DamageError where the next number is taken: its row would be lost.
    """
    key = counter_key(table)
    number = sound_number_at(txn, key, f"the counter of {table.value}") + 1
    if number >> 8 * _SEQ_SIZE or txn.get(table, number.to_bytes(_SEQ_SIZE)) is not None:
        raise DamageError(f"the counter of {table.value} is damaged: {number} was given out before")
    txn.put(Table.META, key, number.to_bytes(_SEQ_SIZE))
    return number


def counter_key(table: Table) -> bytes:
    """Where the last number of a numbered table stands among the META rows."""
    return b"last " + table.value.encode()
