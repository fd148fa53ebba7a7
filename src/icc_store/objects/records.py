"""Snapshot records and annotations: objects in blocks of their own, so that a list of snapshots survives anything.

A snapshot record is stored twice: as a block like every other and as a whole block in the table of copies, which is
another B-tree with pages of its own. Both can be found by scanning; either is enough.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from icc_store.codec.compression import decompress
from icc_store.codec.hashing import object_id
from icc_store.errors import DamageError, IccStoreError
from icc_store.ids import KEY_SIZE, Kind, ObjectId
from icc_store.limits import DEFAULT_LEVEL, MAX_OBJECT_SIZE
from icc_store.objects.block import RAW, Block, decode_block, encode_block
from icc_store.objects.encoder import Group, encode_frame
from icc_store.objects.index import pack_row, unpack_row
from icc_store.store.protocol import ReadTransaction, Table, WriteTransaction

_NUMBER_SIZE = 8


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
        txn.put(Table.COPIES, _copy_key(number, identity), encode_block(repository, [frame]))
    return identity


def copies(txn: ReadTransaction) -> Iterator[tuple[bytes, bytes]]:
    """The second copies of snapshot records: the first 16 bytes of the id, and a whole block."""
    for key, data in txn.items(Table.COPIES):
        yield key[_NUMBER_SIZE:], data


def read_copy(txn: ReadTransaction, repository: bytes, identity: ObjectId) -> bytes | None:
    """A snapshot record from its second copy, proven by its id; None when there is none that is whole."""
    for key, data in copies(txn):
        if key == identity[:KEY_SIZE]:
            try:
                block = decode_block(data, repository)
            except DamageError:
                continue
            if block.frames[0].ids[0] == identity:
                plain = plain_record(block)
                if plain is not None:
                    return plain
    return None


def plain_record(block: Block) -> bytes | None:
    """The record in a block of its own, proven by its id; None when it cannot be read."""
    frame = block.frames[0]
    try:
        plain = frame.stored if frame.codec == RAW else decompress(frame.stored, frame.plain_size)
    except ValueError:
        return None
    return plain if object_id(frame.kind, plain) == frame.ids[0] else None


def remove_record(txn: WriteTransaction, identity: ObjectId) -> int:
    """Remove a record, its row and its copy. Returns the bytes that became free."""
    freed = 0
    row = txn.row(identity[:KEY_SIZE])
    if row is not None:
        number = unpack_row(row)[1].block
        freed += len(txn.block(number) or b"")
        txn.delete_rows([row])
        txn.delete_block(number)
    for key in [key for key, _ in txn.items(Table.COPIES) if key[_NUMBER_SIZE:] == identity[:KEY_SIZE]]:
        freed += len(txn.get(Table.COPIES, key) or b"")
        txn.delete(Table.COPIES, key)
    return freed


def remove_stray_copies(txn: WriteTransaction, known: Collection[ObjectId]) -> None:
    """Remove the second copies of all records but these."""
    kept = {identity[:KEY_SIZE] for identity in known}
    for key in [key for key, _ in txn.items(Table.COPIES) if key[_NUMBER_SIZE:] not in kept]:
        txn.delete(Table.COPIES, key)


def _copy_key(number: int, identity: ObjectId) -> bytes:
    """The block's number comes first, so that copies are appended and their pages fill up."""
    return number.to_bytes(_NUMBER_SIZE) + identity[:KEY_SIZE]
