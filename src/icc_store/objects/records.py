"""Snapshot records and annotations: objects in blocks of their own, so that a list of snapshots survives anything.

A snapshot record is stored twice: as a block like every other and as a whole block in the table of copies, which is
another B-tree with pages of its own. Both can be found by scanning; either is enough.
"""

from __future__ import annotations

from icc_store.codec.hashing import object_id
from icc_store.errors import IccStoreError
from icc_store.ids import KEY_SIZE, Kind, ObjectId
from icc_store.limits import DEFAULT_LEVEL, MAX_OBJECT_SIZE
from icc_store.objects.block import encode_block
from icc_store.objects.encoder import Group, encode_frame
from icc_store.objects.index import pack_row, unpack_row
from icc_store.store.protocol import Table, WriteTransaction


def append_record(txn: WriteTransaction, repository: bytes, kind: Kind, data: bytes) -> ObjectId:
    """Store a record in a block of its own, a snapshot's also as a copy. Returns its id.

    Raises IccStoreError for one that is too large to be read again.
    """
    if not 0 < len(data) <= MAX_OBJECT_SIZE:
        raise IccStoreError(f"a record of {len(data)} bytes cannot be stored")
    identity = object_id(kind, data)
    frame = encode_frame(Group(kind, (identity,), (data,)), DEFAULT_LEVEL)
    number = txn.append_block(encode_block(repository, [frame]))
    txn.insert_rows([pack_row(identity[:KEY_SIZE], number, 0)])
    if kind == Kind.SNAPSHOT:
        txn.put(Table.COPIES, identity[:KEY_SIZE], encode_block(repository, [frame]))
    return identity


def remove_record(txn: WriteTransaction, identity: ObjectId) -> int:
    """Remove a record, its row and its copy. Returns the bytes that became free."""
    freed = 0
    row = txn.row(identity[:KEY_SIZE])
    if row is not None:
        number = unpack_row(row)[1].block
        freed += len(txn.block(number) or b"")
        txn.delete_rows([row])
        txn.delete_block(number)
    freed += len(txn.get(Table.COPIES, identity[:KEY_SIZE]) or b"")
    txn.delete(Table.COPIES, identity[:KEY_SIZE])
    return freed
