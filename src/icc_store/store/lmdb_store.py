"""The store on LMDB. The only module that imports lmdb.

Rules kept here so that nobody above has to know them: one environment per process and file; never writemap or
nosync; every write under our own lock, because a process that waits inside LMDB's does not hear Ctrl-C; every
append's result checked; `head` written after each commit and compared when the store is opened.
"""

from __future__ import annotations

import os
import shutil
import struct
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NoReturn

import lmdb

from icc_store.errors import (
    BlockDamaged,
    DamageError,
    DiskFull,
    IccStoreError,
    ReadOnlyRepository,
    RepositoryRolledBack,
)
from icc_store.limits import BATCH_BYTES, MAP_SIZE, MAP_SIZE_FLOOR, SMALL_BLOCK_SIZE
from icc_store.store.head import Head, fsync_path, read_head, write_head
from icc_store.store.locks import FileLock
from icc_store.store.protocol import Table
from icc_store.store.writers import lowest_writer, writer_record

DATA_NAME = "data.mdb"
HEAD_NAME = "head"
WRITERS_NAME = "writers"
COMPACT_NAME = "compact.tmp"

_BLOCKS = b"blocks"
_INDEX = b"index"
_INDEX_KEY = b"i"
_COMMIT_KEY = b"commit"
_LAST_KEY = b"last block"
_NUMBER = struct.Struct(">Q")
_COMMIT = struct.Struct(">Q16s")
_MIN_FREE = 1 << 20
_META_PAGES = 2
_MAX_TABLES = 16


class LmdbRead:
    """One LMDB transaction, for reading."""

    def __init__(self, store: LmdbStore, txn: Any) -> None:
        self._store = store
        self._txn = txn  # Any: lmdb's types say `bytes | memoryview`; without `buffers` it is bytes
        self._index: Any = None

    @property
    def sequence(self) -> int:
        return _commit_of(self._txn.get(_COMMIT_KEY, db=self._store.tables[Table.META])).sequence

    def block(self, number: int) -> bytes | None:
        data: bytes | None = self._txn.get(_NUMBER.pack(number), db=self._store.block_table)
        return data

    def blocks(self, start: int = 1) -> Iterator[tuple[int, bytes]]:
        with self._txn.cursor(db=self._store.block_table) as cursor:
            if cursor.set_range(_NUMBER.pack(start)):
                for key, value in cursor.iternext(keys=True, values=True):
                    yield _NUMBER.unpack(key)[0], value

    def block_sizes(self, start: int = 1) -> Iterator[tuple[int, int]]:
        for number, data in self.blocks(start):
            yield number, len(data)

    def last_block(self) -> int:
        stored = self._txn.get(_LAST_KEY, db=self._store.tables[Table.META])
        return _NUMBER.unpack(stored)[0] if stored else 0

    def row(self, prefix: bytes) -> bytes | None:
        cursor = self._index  # kept open: this is asked once per new file
        if cursor is None:
            cursor = self._index = self._txn.cursor(db=self._store.index_table)
        if not (cursor.set_range_dup(_INDEX_KEY, prefix) if prefix else cursor.set_key(_INDEX_KEY)):
            return None
        row: bytes = cursor.value()
        return row if row.startswith(prefix) else None

    def rows(self, start: bytes = b"") -> Iterator[bytes]:
        with self._txn.cursor(db=self._store.index_table) as cursor:
            found = cursor.set_range_dup(_INDEX_KEY, start) if start else cursor.set_key(_INDEX_KEY)
            if found:
                yield from cursor.iternext_dup(keys=False, values=True)

    def get(self, table: Table, key: bytes) -> bytes | None:
        value: bytes | None = self._txn.get(key, db=self._store.tables[table])
        return value

    def items(self, table: Table, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        with self._txn.cursor(db=self._store.tables[table]) as cursor:
            if cursor.set_range(start) if start else cursor.first():
                yield from cursor.iternext(keys=True, values=True)


class LmdbWrite(LmdbRead):
    """One LMDB transaction, for writing."""

    def append_block(self, data: bytes) -> int:
        number = self.last_block() + 1
        if not self._txn.put(_NUMBER.pack(number), data, db=self._store.block_table, append=True):
            raise DamageError(f"LMDB refused block {number}: a higher one is there", hint="run `icc-store verify`")
        self._txn.put(_LAST_KEY, _NUMBER.pack(number), db=self._store.tables[Table.META])
        return number

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


class LmdbStore:
    """An open LMDB environment of one repository."""

    small_value = SMALL_BLOCK_SIZE

    def __init__(self, path: Path, repository: bytes, lock: FileLock, *, readonly: bool = False) -> None:
        """Open the environment at `path`; it is made when `data.mdb` is missing and `head` too.

        Raises DamageError when LMDB cannot read it or when it is older than `head`.
        """
        self.path = path
        self.readonly = readonly
        self._repository = repository
        self._lock = lock
        self._head_path = path / HEAD_NAME
        self._data_path = path / DATA_NAME
        fresh = not self._data_path.exists()
        if fresh and (readonly or self._head_path.exists()):
            raise BlockDamaged(f"{self._data_path} is missing", hint="restore it from a copy of the repository")
        head = None if fresh else read_head(self._head_path, repository)
        self._open()
        try:
            if head is None:
                with self.write():
                    pass
            else:
                self._check_head(head)
        except BaseException:  # whatever it is: an environment left open could not be opened again by this process
            self._env.close()
            raise

    def _open(self) -> None:
        with self._translated():
            self._env = self._open_environment()
            try:
                self._open_tables()
            except BaseException:  # likewise
                self._env.close()
                raise
        self._inode = os.stat(self._data_path).st_ino

    def close(self) -> None:
        """Give the environment back. Nothing can be read afterwards."""
        self._env.close()

    @contextmanager
    def read(self) -> Iterator[LmdbRead]:
        """See the newest commit."""
        with self._translated(), self._begin(write=False) as txn:
            yield LmdbRead(self, txn)

    @contextmanager
    def write(self) -> Iterator[LmdbWrite]:
        """Make the next commit under the repository's write lock."""
        self._check_writable()
        with self._lock.held(), self._translated():
            if os.stat(self._data_path).st_ino != self._inode:
                raise IccStoreError(f"{self.path} was replaced while it was open", hint="run the command again")
            with self._begin(write=True) as txn:
                meta = self.tables[Table.META]
                stored: bytes | None = txn.get(_COMMIT_KEY, db=meta)
                previous = _commit_of(stored).sequence if stored else 0
                head = Head(previous + 1, uuid.uuid4().bytes)
                txn.put(_COMMIT_KEY, _COMMIT.pack(head.sequence, head.commit), db=meta)
                yield LmdbWrite(self, txn)
            write_head(self._head_path, self._repository, head)

    @contextmanager
    def adding(self) -> Iterator[None]:
        """Announce, in the body, a run that adds blocks."""
        self._check_writable()
        with self.read() as txn:
            first = txn.last_block() + 1
        with writer_record(self.path / WRITERS_NAME, first):
            yield

    def _check_writable(self) -> None:
        if self.readonly:
            raise self._not_writable()

    def _not_writable(self) -> ReadOnlyRepository:
        return ReadOnlyRepository(
            f"the repository {self.path} cannot be written to",
            hint="check its permissions; it can be read and restored",
        )

    def lowest_writer(self) -> int | None:
        """The first block number that a living run may have written, or None when none is adding."""
        return lowest_writer(self.path / WRITERS_NAME)

    def reusable_bytes(self) -> int:
        """Bytes of the file's pages that are free; those that the last commits freed may be in use for a moment."""
        page: int = self._env.stat()["psize"]
        with self._translated(), self._begin(write=False) as txn:
            used = sum(_pages(txn.stat(db)) for db in (self.block_table, self.index_table, *self.tables.values()))
        return max(0, (self._env.info()["last_pgno"] + 1 - used - _META_PAGES) * page)

    def compact(self) -> int:
        """Write the live pages to a new file and put it in the old one's place. Nobody else may have it open."""
        before = self._data_path.stat().st_size
        room = os.statvfs(self.path)
        if before - self.reusable_bytes() + _MIN_FREE > room.f_bavail * room.f_frsize:
            raise DiskFull(f"the disk of {self.path} has no room for a second copy of the live data")
        folder = self.path / COMPACT_NAME
        if folder.exists():
            shutil.rmtree(folder)  # left by a process that was killed
        folder.mkdir(mode=0o700)
        try:
            with self._lock.held(), self._translated():
                self._write_copy(folder)
                fsync_path(folder / DATA_NAME)
                self._env.close()
                (folder / DATA_NAME).rename(self._data_path)
                fsync_path(self.path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        self._open()
        return before - self._data_path.stat().st_size

    def _write_copy(self, folder: Path) -> None:
        """Write all tables to a new environment, in order, so that its pages are full.

        LMDB's own compacting copy crashes on a table of many rows under one key (py-lmdb 3.0.0, LMDB 0.9.36).
        """
        plain = [_BLOCKS, *(name.value.encode() for name in Table)]
        with lmdb.open(os.fspath(folder), map_size=MAP_SIZE_FLOOR, max_dbs=_MAX_TABLES, mode=0o600) as copy:
            copy.set_mapsize(self._env.info()["map_size"])
            with self._begin(write=False) as seen:
                for name in plain:
                    old = self._env.open_db(name, txn=seen, create=False)
                    _copy_rows(seen.cursor(db=old), copy, copy.open_db(name))
                index = copy.open_db(_INDEX, dupsort=True, dupfixed=True)
                _copy_rows(seen.cursor(db=self.index_table), copy, index, dupdata=True)

    def _open_environment(self) -> lmdb.Environment:
        size = MAP_SIZE
        floor = max(MAP_SIZE_FLOOR, 2 * self._data_path.stat().st_size if self._data_path.exists() else 0)
        while True:
            try:
                return lmdb.open(
                    os.fspath(self.path),
                    map_size=size,
                    max_dbs=_MAX_TABLES,
                    max_readers=512,
                    mode=0o600,
                    meminit=False,
                    readonly=self.readonly,
                    lock=os.access(self.path, os.W_OK),  # read-only media have no room for a reader table
                )
            except lmdb.MemoryError:
                if size // 2 < floor:
                    raise
                size //= 2

    def _open_tables(self) -> None:
        """Read-only, each table by itself; else all in one write transaction, for which our own lock is taken first."""
        create = not self.readonly
        with ExitStack() as stack:
            txn = None
            if create:
                stack.enter_context(self._lock.held())
                txn = stack.enter_context(self._begin(write=True))

            def table(name: bytes, **flags: bool) -> Any:
                return self._env.open_db(name, txn=txn, create=create, **flags)

            self.block_table = table(_BLOCKS)
            self.index_table = table(_INDEX, dupsort=True, dupfixed=True)
            self.tables = {name: table(name.value.encode()) for name in Table}

    def _begin(self, *, write: bool) -> Any:
        try:
            return self._env.begin(write=write)
        except lmdb.MapResizedError:
            self._env.set_mapsize(0)
            return self._env.begin(write=write)

    def _check_head(self, head: Head) -> None:
        """`head` was read before this transaction began, so LMDB must be at least as new."""
        with self._translated(), self._begin(write=False) as txn:
            stored = _commit_of(txn.get(_COMMIT_KEY, db=self.tables[Table.META]))
        if stored.sequence < head.sequence or (stored.sequence == head.sequence and stored.commit != head.commit):
            raise RepositoryRolledBack(
                f"the database of {self.path} shows commit {stored.sequence}, but commit {head.sequence} was made:"
                " it was damaged or replaced by an older file",
                hint="run `icc-store verify`",
            )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except lmdb.Error as error:
            self._raise_translated(error)

    def _raise_translated(self, error: lmdb.Error) -> NoReturn:
        if isinstance(error, lmdb.CorruptedError | lmdb.PageNotFoundError | lmdb.InvalidError | lmdb.PanicError):
            raise DamageError(f"LMDB cannot read {self.path}: {error}", hint="run `icc-store verify`") from error
        if isinstance(error, lmdb.ReadonlyError):
            raise self._not_writable() from error
        room = os.statvfs(self.path)
        if isinstance(error, lmdb.MapFullError) or room.f_bavail * room.f_frsize < _MIN_FREE:
            raise DiskFull(
                f"the disk of {self.path} is full", hint="free some space; nothing that was committed is lost"
            ) from error
        raise IccStoreError(f"LMDB failed on {self.path}: {error}") from error


def _commit_of(stored: bytes | None) -> Head:
    if stored is None or len(stored) != _COMMIT.size:
        raise BlockDamaged("the database holds no commit record", hint="run `icc-store verify`")
    return Head(*_COMMIT.unpack(stored))


def _pages(stat: dict[str, int]) -> int:
    return stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]


def _copy_rows(rows: Any, copy: Any, table: Any, *, dupdata: bool = False) -> None:
    """Append all rows under a cursor to a table of another environment, in transactions of bounded size."""
    pending = iter(rows)
    more = True
    while more:
        size = 0
        with copy.begin(write=True, db=table) as txn, txn.cursor() as cursor:
            for key, value in pending:
                if not cursor.put(key, value, append=True, dupdata=dupdata):
                    raise DamageError(f"LMDB refused the row {key!r}: the rows are out of order")
                size += len(value)
                if size >= BATCH_BYTES:
                    break
            else:
                more = False
