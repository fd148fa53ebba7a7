"""What gc and its like may do to a repository beside reading it, each inside a transaction of theirs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from icc_store.codec.serial import unpack
from icc_store.errors import UsageError
from icc_store.ids import ID_SIZE, Kind, ObjectId
from icc_store.model.numbers import number_at, put_number, raise_number
from icc_store.model.record import pack_annotation, unpack_annotation, unpack_record
from icc_store.model.repository import EPOCH_KEY, Repository, counter_key, next_number
from icc_store.objects.records import append_record, remove_record
from icc_store.store.protocol import ReadTransaction, Table, WriteTransaction

__all__ = (
    "ReadTransaction",
    "WriteTransaction",
    "annotation_ids",
    "bump_epoch",
    "copied_up_to",
    "drop_seen",
    "gc_epoch",
    "insert_annotation",
    "insert_snapshot",
    "remember_copied",
    "remove_snapshots",
    "snapshot_ids",
    "stale_seen",
)

_NUMBER_SIZE = 8
_COPIED = b"copied "
_ARRAYS = frozenset((*range(0x90, 0xA0), 0xDC, 0xDD))
"""First bytes of a MessagePack array."""


def gc_epoch(txn: ReadTransaction) -> int:
    """A number that grows whenever gc removes or moves something."""
    return number_at(txn, EPOCH_KEY)


def bump_epoch(txn: WriteTransaction) -> tuple[int, int]:
    """Tell runs under way that something was removed: their commit looks again at what they refer to.

    Returns the epoch before and the one that begins.
    """
    epoch = gc_epoch(txn)
    return epoch, put_number(txn, EPOCH_KEY, epoch + 1)


def snapshot_ids(txn: ReadTransaction) -> list[ObjectId]:
    """The ids of all snapshots, in the order of their numbers."""
    return [ObjectId(identity) for _, identity in txn.items(Table.SNAPSHOTS)]


def annotation_ids(txn: ReadTransaction) -> list[ObjectId]:
    """The ids of all annotations, in the order of their numbers."""
    return [ObjectId(identity) for _, identity in txn.items(Table.ANNOTATIONS)]


def remove_snapshots(repository: Repository, txn: WriteTransaction, gone: Collection[ObjectId]) -> int:
    """Remove records, their copies and their annotations for good. Returns the bytes that became free."""
    freed = 0
    for key, identity in list(txn.items(Table.ANNOTATIONS)):
        note = ObjectId(identity)
        if unpack_annotation(repository.objects.get(note, Kind.ANNOTATION)).snapshot in gone:
            txn.delete(Table.ANNOTATIONS, key)
            freed += remove_record(txn, note)
    for key, identity in list(txn.items(Table.SNAPSHOTS)):
        if identity in gone:
            txn.delete(Table.SNAPSHOTS, key)
            freed += remove_record(txn, ObjectId(identity))
    return freed


def stale_seen(txn: ReadTransaction, is_live: Callable[[ObjectId], bool]) -> list[bytes]:
    """Keys of what former runs saw of trees that are not live any more."""
    rows = [(key, ObjectId(row[:ID_SIZE])) for key, row in txn.items(Table.SEEN) if not _lists_parts(row)]
    return [key for key, tree in rows if not is_live(tree)]  # only now: asking may end the transaction


def drop_seen(txn: WriteTransaction, keys: Iterable[bytes]) -> None:
    """Let the next run look at these anew."""
    for key in keys:
        txn.delete(Table.SEEN, key)


def _lists_parts(row: bytes) -> bool:
    """Whether a row lists the parts of a large directory, the first of them as an empty name, and names no tree."""
    if not row or row[0] not in _ARRAYS:
        return False
    try:
        firsts = unpack(row)
    except ValueError:
        return False
    return isinstance(firsts, list) and firsts[:1] == [b""]


def copied_up_to(repository: Repository, instance: bytes) -> int:
    """The last block of that other repository that this copy has seen; 0 before the first."""
    return number_at(repository.objects.transaction, _COPIED + instance)


def remember_copied(txn: WriteTransaction, instance: bytes, last: int) -> None:
    """Note the last block of that other repository that has been seen."""
    txn.put(Table.META, _COPIED + instance, last.to_bytes(_NUMBER_SIZE))


def insert_snapshot(repository: Repository, txn: WriteTransaction, identity: ObjectId, data: bytes) -> None:
    """Take over a snapshot record from another instance, under the same number.

    Raises UsageError when the number is taken: the copy has snapshots of its own.
    """
    record = unpack_record(data)
    _claim(repository, txn, Table.SNAPSHOTS, record.seq, identity)
    raise_number(txn, counter_key(Table.ANNOTATIONS), record.annotations_before)
    append_record(txn, repository.header.repository, Kind.SNAPSHOT, data)


def insert_annotation(repository: Repository, txn: WriteTransaction, data: bytes) -> None:
    """Take over an annotation from another instance: under the same number, or the next where that one is taken.

    A copy says things of its own about its snapshots, when its gc forgets some.
    """
    annotation = unpack_annotation(data)
    if txn.get(Table.ANNOTATIONS, annotation.seq.to_bytes(_NUMBER_SIZE)) is not None:
        annotation = replace(annotation, seq=next_number(txn, Table.ANNOTATIONS))
    identity = append_record(txn, repository.header.repository, Kind.ANNOTATION, pack_annotation(annotation))
    _claim(repository, txn, Table.ANNOTATIONS, annotation.seq, identity)


def _claim(repository: Repository, txn: WriteTransaction, table: Table, seq: int, identity: ObjectId) -> None:
    key = seq.to_bytes(_NUMBER_SIZE)
    if txn.get(table, key) not in (None, identity):
        raise UsageError(
            f"{repository.path} has {table.value} of its own, so it is no longer a copy",
            hint="copy into a new directory",
        )
    txn.put(table, key, identity)
    raise_number(txn, counter_key(table), seq)
