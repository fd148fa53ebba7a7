"""Snapshot records and annotations: the tables that list them, the blocks that hold them, the second copies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from icc_store.codec.compression import decompress
from icc_store.codec.hashing import object_id
from icc_store.errors import IccStoreError
from icc_store.ids import KEY_SIZE, Kind, ObjectId
from icc_store.model.checkup import annotation_rows, copies, last_annotation, snapshot_rows
from icc_store.model.record import SnapshotRecord, unpack_annotation, unpack_record
from icc_store.model.repository import Repository
from icc_store.model.walk import root_of
from icc_store.objects.block import RAW, decode_block
from icc_store.operations.verify_findings import Draft, Severity, of_database, reason


@dataclass
class Records:
    """The snapshots that can be read, and what is wrong with records."""

    snapshots: dict[ObjectId, SnapshotRecord] = field(default_factory=dict)
    drafts: list[Draft] = field(default_factory=list)
    again: dict[ObjectId, bytes] = field(default_factory=dict)
    """Records of which one of the two copies is damaged or missing: what the other one holds."""
    lost_annotations: list[bytes] = field(default_factory=list)
    """Keys of annotations that cannot be read."""


def check_records(repository: Repository) -> Records:
    """Check the tables of snapshots and annotations against the records they list, and the copies against both."""
    found = Records()
    whole = _check_copies(repository, found)
    for key, identity in _listed(repository, found, snapshot_rows, "snapshots"):
        short = identity.hex()[:12]
        record = _read(repository, identity, found, whole)
        if record is None:
            continue
        found.snapshots[identity] = record
        if record.seq != int.from_bytes(key):
            found.drafts.append(_inconsistent(f"snapshot {short} is listed as {int.from_bytes(key)}, not {record.seq}"))
        if identity[:KEY_SIZE] not in whole:
            found.again[identity] = repository.objects.get(identity, Kind.SNAPSHOT)
            found.drafts.append(_inconsistent(f"snapshot {short} has no second copy of its record that can be read"))
    listed = {identity[:KEY_SIZE] for _, identity in _listed(repository, Records(), snapshot_rows, "snapshots")}
    stray = whole.keys() - listed
    if stray:
        found.drafts.append(_inconsistent(f"{len(stray)} copies of snapshot records belong to no listed snapshot"))
    _check_annotations(repository, found, listed)
    _check_last_annotation(repository, found)
    return found


def check_unlisted(repository: Repository, met: Iterable[ObjectId]) -> list[Draft]:
    """Records that stand in blocks and in the index, but in no table."""
    nothing = Records()
    listed = {identity for _, identity in _listed(repository, nothing, snapshot_rows, "")}
    listed |= {identity for _, identity in _listed(repository, nothing, annotation_rows, "")}
    if nothing.drafts:
        return []
    lost = [identity for identity in set(met) - listed if repository.objects.contains(identity)]
    if not lost:
        return []
    draft = _inconsistent("in blocks, but not listed")
    draft.noun = "record"
    draft.keys.update(identity[:KEY_SIZE] for identity in lost)
    return [draft]


def _check_last_annotation(repository: Repository, found: Records) -> None:
    """What will be said next must have a number above all that snapshots had before them."""
    before = max((record.annotations_before for record in found.snapshots.values()), default=0)
    try:
        last = last_annotation(repository.objects.transaction)
    except Exception:  # noqa: BLE001 - over a damaged page, as it was told before: of the database
        repository.objects.renew()
        return
    if last < before:
        what = f"the database: the counter of annotations is {last}, and a snapshot says it was {before}"
        found.drafts.append(Draft(Severity.DAMAGE, what, in_database=True))


def _read(
    repository: Repository, identity: ObjectId, found: Records, whole: dict[bytes, bytes]
) -> SnapshotRecord | None:
    try:
        return _record(repository.objects.get(identity, Kind.SNAPSHOT))  # not from its second copy
    except Exception as error:  # noqa: BLE001 - over a damaged page LMDB raises errors of its own
        repository.objects.renew()
        copy = whole.get(identity[:KEY_SIZE])
        rest = "its second copy is whole and takes its place"
        if copy is None:
            rest = "nor can its second copy: `icc-store repair` brings it back, or takes it off the list"
        what = f"the record of snapshot {identity.hex()[:12]} cannot be read ({reason(error)}); {rest}"
        draft = Draft(Severity.DAMAGE, what, keys={identity[:KEY_SIZE]}, in_database=of_database(error))
        found.drafts.append(draft)
        if copy is None:
            draft.concern(identity, b"")
            return None
        found.again[identity] = copy
        return _record(copy)


def _record(data: bytes) -> SnapshotRecord:
    """The record, which can be understood down to the root that it describes. Raises BlockDamaged."""
    record = unpack_record(data)
    root_of(record)
    return record


def _check_copies(repository: Repository, found: Records) -> dict[bytes, bytes]:
    """The second copies that can be read and understood, by the beginnings of their ids."""
    whole: dict[bytes, bytes] = {}
    try:
        for key, data in copies(repository.objects.transaction):
            try:
                whole[key] = _copy(repository, key, data)
            except (IccStoreError, ValueError) as error:
                what = f"the second copy of the record of snapshot {key.hex()[:12]} is damaged: {reason(error)}"
                found.drafts.append(Draft(Severity.DAMAGE, what, keys={key}))
    except Exception as error:  # noqa: BLE001 - over a damaged page LMDB raises errors of its own
        found.drafts.append(
            Draft(Severity.DAMAGE, f"the table of copies is damaged: {reason(error)}", in_database=True)
        )
    repository.objects.renew()
    return whole


def _copy(repository: Repository, key: bytes, data: bytes) -> bytes:
    """The record that a second copy holds. Raises BlockDamaged, ValueError."""
    block = decode_block(data, repository.header.repository)
    if len(block.frames) != 1 or len(block.frames[0].ids) != 1 or block.frames[0].bases:
        raise ValueError("it is not one record")
    frame = block.frames[0]
    plain = frame.stored if frame.codec == RAW else decompress(frame.stored, frame.plain_size)
    if frame.kind != Kind.SNAPSHOT or object_id(frame.kind, plain) != frame.ids[0]:
        raise ValueError("it does not have the bytes its id says")
    if not frame.ids[0].startswith(key):
        raise ValueError("it stands under another name")
    _record(plain)
    return plain


def _check_annotations(repository: Repository, found: Records, listed: set[bytes]) -> None:
    for key, identity in _listed(repository, found, annotation_rows, "annotations"):
        try:
            annotation = unpack_annotation(repository.objects.get(identity, Kind.ANNOTATION))
        except Exception as error:  # noqa: BLE001 - over a damaged page LMDB raises errors of its own
            repository.objects.renew()
            found.lost_annotations.append(key)
            what = f"annotation {int.from_bytes(key)} cannot be read, what it said is lost: {reason(error)}"
            draft = Draft(Severity.DAMAGE, what, keys={identity[:KEY_SIZE]}, in_database=of_database(error))
            found.drafts.append(draft)
            continue
        about = annotation.snapshot.hex()[:12]
        if annotation.seq != int.from_bytes(key):
            what = f"annotation {annotation.seq} is listed as {int.from_bytes(key)}"
            found.drafts.append(_inconsistent(what))
        if annotation.snapshot[:KEY_SIZE] not in listed:
            found.drafts.append(_inconsistent(f"annotation {annotation.seq} is about snapshot {about}, which is gone"))


_Rows = list[tuple[bytes, ObjectId]]


def _listed(repository: Repository, found: Records, rows: Callable[..., _Rows], table: str) -> _Rows:
    try:
        return rows(repository.objects.transaction)
    except Exception as error:  # noqa: BLE001 - over a damaged page LMDB raises errors of its own
        repository.objects.renew()
        found.drafts.append(
            Draft(Severity.DAMAGE, f"the table of {table} is damaged: {reason(error)}", in_database=True)
        )
        return []


def _inconsistent(what: str) -> Draft:
    return Draft(Severity.INCONSISTENCY, what)
