"""What repair writes into the tables of a new database, inside a transaction of its own."""

from __future__ import annotations

from icc_store.ids import ObjectId
from icc_store.model.maintenance import WriteTransaction
from icc_store.model.numbers import raise_number
from icc_store.model.record import Annotation, SnapshotRecord
from icc_store.model.repository import counter_key
from icc_store.store.protocol import Table

_NUMBER_SIZE = 8


def enlist_snapshot(txn: WriteTransaction, record: SnapshotRecord, identity: ObjectId) -> bool:
    """List a snapshot under its number. False when another one has that number already."""
    raise_number(txn, counter_key(Table.ANNOTATIONS), record.annotations_before)
    return _enlist(txn, Table.SNAPSHOTS, record.seq, identity)


def enlist_annotation(txn: WriteTransaction, annotation: Annotation, identity: ObjectId) -> bool:
    """List an annotation under its number. False when another one has that number already."""
    return _enlist(txn, Table.ANNOTATIONS, annotation.seq, identity)


def _enlist(txn: WriteTransaction, table: Table, number: int, identity: ObjectId) -> bool:
    key = number.to_bytes(_NUMBER_SIZE)
    if txn.get(table, key) not in (None, identity):
        return False
    txn.put(table, key, identity)
    raise_number(txn, counter_key(table), number)
    return True
