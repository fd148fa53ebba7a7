"""What repair writes into the tables of a new database, inside a transaction of its own."""

from __future__ import annotations

from icc_store.ids import Kind, ObjectId
from icc_store.model.maintenance import WriteTransaction
from icc_store.model.numbers import number_at, put_number
from icc_store.model.repository import counter_key
from icc_store.store.protocol import Table

_NUMBER_SIZE = 8
_TABLES = {Kind.SNAPSHOT: Table.SNAPSHOTS, Kind.ANNOTATION: Table.ANNOTATIONS}


def enlist(txn: WriteTransaction, kind: Kind, number: int, identity: ObjectId) -> bool:
    """List a record under its number. False when another one has that number already."""
    table = _TABLES[kind]
    key = number.to_bytes(_NUMBER_SIZE)
    if txn.get(table, key) not in (None, identity):
        return False
    txn.put(table, key, identity)
    counter = counter_key(table)
    highest = max(number, number_at(txn, counter))
    put_number(txn, counter, highest)
    return True
