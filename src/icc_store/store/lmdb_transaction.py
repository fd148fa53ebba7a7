"""What is done inside one LMDB transaction.

LMDB meets a damaged page when that page is read, so each read turns what LMDB says into an error of our own; a `try`
that nothing is raised in costs nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn, Protocol

import lmdb

from icc_store.errors import BlockDamaged, DamageError, IccStoreError
from icc_store.limits import MAX_BLOCK_NUMBER
from icc_store.store.head import Head
from icc_store.store.protocol import Table

BLOCKS = b"blocks"
INDEX = b"index"
_INDEX_KEY = b"i"
COMMIT_KEY = b"commit"
LAST_KEY = b"last block"
_NUMBER = struct.Struct(">Q")
_COMMIT = struct.Struct(">Q16s")


class Tables(Protocol):
    """The open tables of an environment, and the file that it is in. Handles of tables mean something to lmdb only."""

    block_table: Any
    index_table: Any
    tables: dict[Table, Any]
    """None for one that a read-only repository lacks; it is empty then."""

    file: Path

    def explained(self, error: lmdb.Error) -> IccStoreError:
        """The error of our own for what LMDB says."""


def commit_of(stored: bytes | None) -> Head:
    """What the record of the last commit says. Raises BlockDamaged."""
    if stored is None or len(stored) != _COMMIT.size:
        raise BlockDamaged("the database holds no commit record", hint="run `icc-store verify`")
    return Head(*_COMMIT.unpack(stored))


def commit_record(head: Head) -> bytes:
    """The value under COMMIT_KEY."""
    return _COMMIT.pack(head.sequence, head.commit)


class LmdbRead:
    """One LMDB transaction, for reading. What it raises for a damaged page is DamageError."""

    def __init__(self, store: Tables, txn: Any) -> None:
        self._store = store
        self._txn = txn  # Any: lmdb's types say `bytes | memoryview`; without `buffers` it is bytes
        self._index: Any = None

    @property
    def sequence(self) -> int:
        return commit_of(self.get(Table.META, COMMIT_KEY)).sequence

    def block(self, number: int) -> bytes | None:
        try:
            data: bytes | None = self._txn.get(_NUMBER.pack(number), db=self._store.block_table)
        except lmdb.Error as error:
            self._raise(error)
        return data

    def blocks(self, start: int = 1) -> Iterator[tuple[int, bytes]]:
        try:
            with self._txn.cursor(db=self._store.block_table) as cursor:
                if cursor.set_range(_NUMBER.pack(start)):
                    for key, value in cursor.iternext(keys=True, values=True):
                        yield _number(key), value
        except lmdb.Error as error:
            self._raise(error)

    def block_sizes(self, start: int = 1) -> Iterator[tuple[int, int]]:
        for number, data in self.blocks(start):
            yield number, len(data)

    def last_block(self) -> int:
        stored = self.get(Table.META, LAST_KEY)
        last = _number(stored) if stored else 0
        if last > MAX_BLOCK_NUMBER:
            raise DamageError(f"the database says that it has given out {last:,} blocks, more than any can have")
        return last

    def row(self, prefix: bytes) -> bytes | None:
        try:
            cursor = self._index  # kept open: this is asked once per new file
            if cursor is None:
                cursor = self._index = self._txn.cursor(db=self._store.index_table)
            if not (cursor.set_range_dup(_INDEX_KEY, prefix) if prefix else cursor.set_key(_INDEX_KEY)):
                return None
            row: bytes = cursor.value()
        except lmdb.Error as error:
            self._raise(error)
        return row if row.startswith(prefix) else None

    def rows(self, start: bytes = b"") -> Iterator[bytes]:
        try:
            with self._txn.cursor(db=self._store.index_table) as cursor:
                found = cursor.set_range_dup(_INDEX_KEY, start) if start else cursor.set_key(_INDEX_KEY)
                if found:
                    yield from cursor.iternext_dup(keys=False, values=True)
        except lmdb.Error as error:
            self._raise(error)

    def rows_of(self, prefixes: Iterable[bytes]) -> Iterator[bytes]:
        try:
            with self._txn.cursor(db=self._store.index_table) as cursor:
                for prefix in prefixes:
                    found = cursor.set_range_dup(_INDEX_KEY, prefix) if prefix else cursor.set_key(_INDEX_KEY)
                    while found and (row := cursor.value()).startswith(prefix):
                        yield row
                        found = cursor.next_dup()
        except lmdb.Error as error:
            self._raise(error)

    def get(self, table: Table, key: bytes) -> bytes | None:
        handle = self._store.tables[table]
        if handle is None:
            return None
        try:
            value: bytes | None = self._txn.get(key, db=handle)
        except lmdb.Error as error:
            self._raise(error)
        return value

    def items(self, table: Table, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        handle = self._store.tables[table]
        if handle is None:
            return
        try:
            with self._txn.cursor(db=handle) as cursor:
                if cursor.set_range(start) if start else cursor.first():
                    yield from cursor.iternext(keys=True, values=True)
        except lmdb.Error as error:
            self._raise(error)

    def _raise(self, error: lmdb.Error) -> NoReturn:
        raise self._store.explained(error) from error


def _number(key: bytes) -> int:
    if len(key) != _NUMBER.size:
        raise DamageError("a block's number has an impossible length", hint="run `icc-store verify`")
    number: int = _NUMBER.unpack(key)[0]
    return number


class LmdbWrite(LmdbRead):
    """One LMDB transaction, for writing."""

    def append_block(self, data: bytes) -> int:
        number = self.last_block() + 1
        if not self._txn.put(_NUMBER.pack(number), data, db=self._store.block_table, append=True):
            raise DamageError(f"LMDB refused block {number}: a higher one is there", hint="run `icc-store verify`")
        self._txn.put(LAST_KEY, _NUMBER.pack(number), db=self._store.tables[Table.META])
        return number

    def replace_block(self, number: int, data: bytes) -> None:
        self._txn.put(_NUMBER.pack(number), data, db=self._store.block_table)
        if number > self.last_block():
            self._txn.put(LAST_KEY, _NUMBER.pack(number), db=self._store.tables[Table.META])

    def delete_block(self, number: int) -> bool:
        return bool(self._txn.delete(_NUMBER.pack(number), db=self._store.block_table))

    def insert_rows(self, rows: Iterable[bytes]) -> None:
        with self._txn.cursor(db=self._store.index_table) as cursor:
            cursor.putmulti([(_INDEX_KEY, row) for row in rows], dupdata=True)

    def delete_rows(self, rows: Iterable[bytes]) -> None:
        with self._txn.cursor(db=self._store.index_table) as cursor:
            for row in rows:
                if cursor.set_key_dup(_INDEX_KEY, row):
                    cursor.delete()

    def put(self, table: Table, key: bytes, value: bytes) -> None:
        self._txn.put(key, value, db=self._store.tables[table])

    def delete(self, table: Table, key: bytes) -> bool:
        return bool(self._txn.delete(key, db=self._store.tables[table]))

    def clear(self, table: Table) -> None:
        self._txn.drop(self._store.tables[table], delete=False)
