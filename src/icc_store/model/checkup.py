"""What verify needs of the tables, and what it leaves there.

When everything was read and found whole, that is one row, whatever the number of snapshots: the time, and the number
of the last snapshot then. Only a snapshot that was verified by itself gets an annotation, at most one a day: each is a
block of its own, and a daily check of hundreds of snapshots would otherwise write more than the snapshots do.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from icc_store.clock import DAY_NS
from icc_store.codec.serial import pack, unpack
from icc_store.ids import Kind, ObjectId
from icc_store.model.maintenance import ReadTransaction, WriteTransaction, bump_epoch
from icc_store.model.numbers import number_at
from icc_store.model.record import Snapshot, Subject
from icc_store.model.repository import EPOCH_KEY, Repository, counter_key
from icc_store.objects.records import append_record, copies, remove_record
from icc_store.store.protocol import Table

__all__ = (
    "all_verified_ns",
    "annotation_rows",
    "copies",
    "damaged_counters",
    "disown",
    "last_annotation",
    "mark_suspect",
    "mend_records",
    "next_to_verify",
    "remember_all_verified",
    "remember_next",
    "remember_verified",
    "removals_so_far",
    "remove_blocks",
    "snapshot_rows",
    "verified_ns",
)

_LISTS = (Table.SNAPSHOTS, Table.ANNOTATIONS)
_CURSOR = b"verify cursor"
_VERIFIED = b"verified"
_NUMBER_SIZE = 8


def damaged_counters(txn: ReadTransaction) -> list[str]:
    """What is wrong with the numbers that were given out last: lower than one that is in use. Raises DamageError."""
    wrong = []
    for table in _LISTS:
        last = number_at(txn, counter_key(table))
        if any(int.from_bytes(key) > last for key, _ in txn.items(table)):
            wrong.append(f"the counter of {table.value} is lower than a number in use")
    last_block = txn.last_block()
    if any(True for _ in txn.block_sizes(last_block + 1)):
        wrong.append(f"the last block is said to be {last_block}, and there are later ones")
    return wrong


def last_annotation(txn: ReadTransaction) -> int:
    """The last number given to an annotation; 0 where there was none."""
    return number_at(txn, counter_key(Table.ANNOTATIONS))


def snapshot_rows(txn: ReadTransaction) -> list[tuple[bytes, ObjectId]]:
    """Keys and ids of the table of snapshots."""
    return [(key, ObjectId(identity)) for key, identity in txn.items(Table.SNAPSHOTS)]


def annotation_rows(txn: ReadTransaction) -> list[tuple[bytes, ObjectId]]:
    """Keys and ids of the table of annotations."""
    return [(key, ObjectId(identity)) for key, identity in txn.items(Table.ANNOTATIONS)]


def next_to_verify(repository: Repository) -> int:
    """The first block that the next partial check reads."""
    return number_at(repository.objects.transaction, _CURSOR, otherwise=1)


def verified_ns(repository: Repository, snapshot: Snapshot) -> int | None:
    """When a snapshot was last found whole, by itself or with everything else."""
    when, last = _all_verified(repository)
    times = [snapshot.verified_ns or 0, when if snapshot.record.seq <= last else 0]
    return max(times) or None


def all_verified_ns(repository: Repository) -> int:
    """When everything was last read and found whole; 0 for never."""
    return _all_verified(repository)[0]


def removals_so_far(repository: Repository) -> bytes:
    """Differs from what it was when anything was removed meanwhile."""
    return repository.objects.transaction.get(Table.META, EPOCH_KEY) or b""


def remember_next(repository: Repository, block: int) -> None:
    """Note where the next partial check begins."""
    with repository.store.write() as txn:
        txn.put(Table.META, _CURSOR, block.to_bytes(_NUMBER_SIZE))
    repository.objects.renew()


def remember_all_verified(repository: Repository, last: int) -> None:
    """Note that everything up to the snapshot of number `last` is whole; once a day is enough."""
    now = repository.clock.now_ns()
    when, known = _all_verified(repository)
    if now - when >= DAY_NS or last != known:
        with repository.store.write() as txn:
            txn.put(Table.META, _VERIFIED, pack([now, last]))
        repository.objects.renew()


def remember_verified(repository: Repository, snapshot: Snapshot) -> None:
    """Note that this snapshot is whole; once a day is enough."""
    if repository.clock.now_ns() - (verified_ns(repository, snapshot) or 0) >= DAY_NS:
        repository.annotate(snapshot.id, Subject.VERIFIED, True)


def mark_suspect(
    repository: Repository, wrong: Mapping[ObjectId, str], whole: Collection[ObjectId], *, anew: bool = True
) -> None:
    """Say of damaged snapshots what is wrong with them, and take it back from those that are whole.

    No word is said twice. Without `anew`, what is marked already keeps its words: those of a check that saw less.
    """
    facts: list[tuple[ObjectId, Subject, str | int | bool]] = []
    for snapshot in repository.readable_snapshots(forgotten=True):
        what = wrong.get(snapshot.id, "")
        if what and snapshot.suspect != what and (anew or not snapshot.suspect):
            facts.append((snapshot.id, Subject.SUSPECT, what))
        elif snapshot.id in whole and snapshot.suspect:
            facts.append((snapshot.id, Subject.SUSPECT, ""))
    if facts:
        repository.annotate_all(facts)


def mend_records(repository: Repository, again: Mapping[ObjectId, bytes], lost: Collection[bytes]) -> None:
    """Write snapshot records twice again, and drop annotations (keys of their table) that cannot be read.

    One of those would keep every command from its work that changes anything.
    """
    if again or lost:
        with repository.store.write() as txn:
            for identity, data in again.items():
                remove_record(txn, identity)
                append_record(txn, repository.header.repository, Kind.SNAPSHOT, data)
            for key in lost:
                txn.delete(Table.ANNOTATIONS, key)
        repository.objects.forget()


def remove_blocks(repository: Repository, blocks: Collection[int]) -> None:
    """Remove damaged blocks. Everything that snapshots need was found elsewhere, and no index row points to them."""
    with repository.store.write() as txn:
        for number in blocks:
            txn.delete_block(number)
        bump_epoch(txn)
    repository.objects.forget()


def disown(repository: Repository, rows: Collection[bytes]) -> None:
    """Make the next snapshot store again what is damaged: it must find neither index rows nor anything seen."""
    with repository.store.write() as txn:
        _disown(txn, rows)
    repository.objects.forget()


def _disown(txn: WriteTransaction, rows: Collection[bytes]) -> None:
    txn.delete_rows(rows)
    txn.clear(Table.SEEN)
    bump_epoch(txn)


def _all_verified(repository: Repository) -> tuple[int, int]:
    """When everything was last verified, and the number of the last snapshot then; zeros before the first time."""
    stored = repository.objects.transaction.get(Table.META, _VERIFIED)
    try:
        when, last = unpack(stored) if stored else (0, 0)
    except (ValueError, TypeError):
        return 0, 0  # a note that cannot be read says nothing; the next one replaces it
    return (when, last) if type(when) is int and type(last) is int else (0, 0)
