"""The store on LMDB: opening it, its transactions, compaction.

Rules kept here so that nobody above has to know them: one environment per process and file; never writemap or
nosync; every write under our own lock, because a process that waits inside LMDB's does not hear Ctrl-C; every
append's result checked; `head` written after each commit and compared when the store is opened.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from typing import Any

import lmdb

from icc_store.errors import BlockDamaged, DamageError, DiskFull, IccStoreError, RepositoryRolledBack
from icc_store.limits import BATCH_BYTES, MAP_SIZE, MAP_SIZE_FLOOR, MAX_READERS, MAX_TABLES, SMALL_BLOCK_SIZE
from icc_store.store.head import Head, fsync_path, read_head, write_head
from icc_store.store.lmdb_failures import MIN_ROOM, meaning, not_writable, room_left
from icc_store.store.lmdb_lock_file import reserve_lock_file
from icc_store.store.lmdb_transaction import (
    BLOCKS,
    COMMIT_KEY,
    INDEX,
    LmdbRead,
    LmdbWrite,
    commit_of,
    commit_record,
)
from icc_store.store.locks import FileLock
from icc_store.store.newest_blocks import Changes, NewestBlocks
from icc_store.store.noted_write import NotedWrite
from icc_store.store.plain_files import remove_folder
from icc_store.store.protocol import Table
from icc_store.store.writers import lowest_writer, writer_record

DATA_NAME = "data.mdb"
HEAD_NAME = "head"
WRITERS_NAME = "writers"
COMPACT_NAME = "compact.tmp"

_META_PAGES = 2
_NEEDED = frozenset((Table.META, Table.SNAPSHOTS, Table.ANNOTATIONS, Table.COPIES))
"""Tables that every repository has. One that is missing was lost; to make it anew would hide that."""


class LmdbStore:
    """An open LMDB environment of one repository."""

    small_value = SMALL_BLOCK_SIZE

    def __init__(
        self,
        path: Path,
        repository: bytes,
        lock: FileLock,
        *,
        readonly: bool = False,
        newest: NewestBlocks | None = None,
    ) -> None:
        """Open the environment at `path`; it is made when `data.mdb` is missing and `head` too.

        `newest` takes second copies of what is appended, where the repository has parity.
        Raises DamageError when LMDB cannot read it or when it is older than `head`.
        """
        self.path = path
        self.readonly = readonly
        self.newest = newest
        self._repository = repository
        self._lock = lock
        self._head_path = path / HEAD_NAME
        self.file = path / DATA_NAME
        """Where LMDB keeps everything."""
        self._last_failure = ""
        fresh = not self.file.exists()
        if fresh and (readonly or self._head_path.exists()):
            raise BlockDamaged(f"{self.file} is missing", hint="restore it from a copy of the repository")
        head = None if fresh else read_head(self._head_path, repository)
        self._open(fresh=fresh)
        try:
            if head is None:
                with self.write():
                    pass
            else:
                self._check_head(head)
        except BaseException:  # whatever it is: an environment left open could not be opened again by this process
            self._env.close()
            raise

    def _open(self, *, fresh: bool = False) -> None:
        with self._translated():
            self._env = self._open_environment()
            try:
                self._check_length()
                self._open_tables(fresh=fresh)
            except BaseException:  # likewise
                self._env.close()
                raise
        self._inode = os.stat(self.file).st_ino

    def close(self) -> None:
        """Give the environment back. Nothing can be read afterwards."""
        self._env.close()

    @contextmanager
    def closed(self) -> Iterator[None]:
        """LMDB allows no child to use what its parent has opened, nor to open it beside that."""
        self._env.close()
        try:
            yield
        finally:
            self._open()

    def open_for_reading(self) -> None:
        """Open again in a child that was forked while it was closed."""
        self.readonly = True
        self._open()

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
            if os.stat(self.file).st_ino != self._inode:
                raise IccStoreError(f"{self.path} was replaced while it was open", hint="run the command again")
            with self._begin(write=True) as txn:
                meta = self.tables[Table.META]
                stored: bytes | None = txn.get(COMMIT_KEY, db=meta)
                previous = commit_of(stored).sequence if stored else 0
                head = Head(previous + 1, uuid.uuid4().bytes)
                txn.put(COMMIT_KEY, commit_record(head), db=meta)
                write = LmdbWrite(self, txn) if self.newest is None else NotedWrite(self, txn)
                yield write
                changes = write.changes() if isinstance(write, NotedWrite) else None
            write_head(self._head_path, self._repository, head)
            if self.newest is not None and changes is not None:
                self._note(self.newest, changes)

    def _note(self, newest: NewestBlocks, changes: Changes) -> None:
        def between(start: int, end: int) -> Iterator[tuple[int, bytes]]:
            with self._begin(write=False) as txn:
                yield from takewhile(lambda block: block[0] < end, LmdbRead(self, txn).blocks(start))

        try:
            newest.note(changes, between)
        except OSError:
            pass  # the commit stands; that second copies are behind is seen by whoever looks after parity next

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
            raise not_writable(self.path)

    def lowest_writer(self) -> int | None:
        """The first block number that a living run may have written, or None when none is adding."""
        return lowest_writer(self.path / WRITERS_NAME)

    def problems(self) -> list[str]:
        """What is wrong with the file's pages. Looked at again under the lock, since a writer may have been at it."""
        from icc_store.store.lmdb_structure import structure_problems  # for verify alone

        found = structure_problems(self.file)
        if not found or self.readonly:
            return found
        with self._lock.held():
            return structure_problems(self.file)

    def reusable_bytes(self) -> int:
        """Bytes of the file's pages that are free; those that the last commits freed may be in use for a moment."""
        page: int = self._env.stat()["psize"]
        with self._translated(), self._begin(write=False) as txn:
            used = sum(_pages(txn.stat(table)) for table in self._all_tables())
        return max(0, (self._env.info()["last_pgno"] + 1 - used - _META_PAGES) * page)

    def file_bytes(self) -> int:
        """Bytes of the whole file."""
        return self.file.stat().st_size

    def _all_tables(self) -> list[Any]:
        return [self.block_table, self.index_table, *(table for table in self.tables.values() if table is not None)]

    def compact(self) -> int:
        """Write the live pages to a new file and put it in the old one's place. Nobody else may have it open."""
        before = self.file.stat().st_size
        if before - self.reusable_bytes() + MIN_ROOM > room_left(self.path / COMPACT_NAME):
            raise DiskFull(f"the disk of {self.path} has no room for a second copy of the live data")
        folder = self.path / COMPACT_NAME
        if folder.exists():
            remove_folder(folder)  # left by a process that was killed
        folder.mkdir(mode=0o700)
        try:
            with self._lock.held(), self._translated():
                self._write_copy(folder)
                fsync_path(folder / DATA_NAME)
                self._env.close()
                (folder / DATA_NAME).rename(self.file)
                fsync_path(self.path)
        finally:
            with suppress(OSError):  # the next compaction removes it
                remove_folder(folder)
        self._open()
        return before - self.file.stat().st_size

    def _write_copy(self, folder: Path) -> None:
        """Write all tables to a new environment, in order, so that its pages are full.

        LMDB's own compacting copy crashes on a table of many rows under one key (py-lmdb 3.0.0, LMDB 0.9.36).
        """
        plain = [BLOCKS, *(name.value.encode() for name in Table)]
        with lmdb.open(os.fspath(folder), map_size=MAP_SIZE_FLOOR, max_dbs=MAX_TABLES, mode=0o600) as copy:
            copy.set_mapsize(self._env.info()["map_size"])
            with self._begin(write=False) as seen:
                for name in plain:
                    old = self._env.open_db(name, txn=seen, create=False)
                    _copy_rows(seen.cursor(db=old), copy, copy.open_db(name))
                index = copy.open_db(INDEX, dupsort=True, dupfixed=True)
                _copy_rows(seen.cursor(db=self.index_table), copy, index, dupdata=True)

    def _open_environment(self) -> lmdb.Environment:
        locks = os.access(self.path, os.W_OK)  # read-only media have no room for a reader table
        if locks:
            reserve_lock_file(self.path)
        size = MAP_SIZE
        floor = max(MAP_SIZE_FLOOR, 2 * self.file.stat().st_size if self.file.exists() else 0)
        while True:
            try:
                return lmdb.open(
                    os.fspath(self.path),
                    map_size=size,
                    max_dbs=MAX_TABLES,
                    max_readers=MAX_READERS,
                    mode=0o600,
                    meminit=False,
                    readonly=self.readonly,
                    lock=locks,
                )
            except lmdb.MemoryError:
                if size // 2 < floor:
                    raise
                size //= 2

    def _check_length(self) -> None:
        """A file that was cut off ends this process when LMDB reads beyond its end, so it is looked at without LMDB.

        A file may be shorter than it says, by pages that are free. That is rare, so this costs nothing as a rule.
        Raises DamageError.
        """
        needed = (self._env.info()["last_pgno"] + 1) * self._env.stat()["psize"]
        if self.file.stat().st_size < needed:
            from icc_store.store.lmdb_structure import structure_problems  # needed once in a repository's life, if ever

            problems = structure_problems(self.file)
            if problems:
                raise DamageError(f"{self.file} was cut off: {problems[0]}", hint="run `icc-store verify`")

    def _open_tables(self, *, fresh: bool) -> None:
        """Read-only, each table by itself; else all in one write transaction, for which our own lock is taken first."""
        with ExitStack() as stack:
            txn = None
            if not self.readonly:
                stack.enter_context(self._lock.held())
                txn = stack.enter_context(self._begin(write=True))

            def table(name: bytes, *, create: bool = fresh, **flags: bool) -> Any:
                return self._env.open_db(name, txn=txn, create=create, **flags)

            self.block_table = table(BLOCKS)
            self.index_table = table(INDEX, dupsort=True, dupfixed=True)
            self.tables = {name: table(name.value.encode()) for name in _NEEDED}
            for name in set(Table) - _NEEDED:
                try:
                    self.tables[name] = table(name.value.encode(), create=not self.readonly)
                except lmdb.NotFoundError:  # derived, and of a repository that was made before there was such a table
                    self.tables[name] = None

    def _begin(self, *, write: bool) -> Any:
        try:
            return self._env.begin(write=write)
        except lmdb.MapResizedError:
            self._env.set_mapsize(0)
            return self._env.begin(write=write)

    def _check_head(self, head: Head) -> None:
        """`head` was read before this transaction began, so LMDB must be at least as new."""
        with self._translated(), self._begin(write=False) as txn:
            stored = commit_of(txn.get(COMMIT_KEY, db=self.tables[Table.META]))
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
            raise self.explained(error) from error

    def explained(self, error: lmdb.Error) -> IccStoreError:
        """The error of our own for what LMDB says; of a database that closed itself it tells why."""
        found = meaning(error, self.file, before=self._last_failure)
        if not isinstance(error, lmdb.PanicError):
            self._last_failure = found.message
        return found


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
                    raise DamageError(
                        f"LMDB refused the row {key!r}: the rows are out of order", hint="run `icc-store verify`"
                    )
                size += len(value)
                if size >= BATCH_BYTES:
                    break
            else:
                more = False
