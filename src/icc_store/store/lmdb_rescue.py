"""What can still be read of a damaged database, copied into a new one.

Only blocks, second copies and the numbers that must never be given out twice are taken over; all else is derived, and
made anew by who asked for this. Children do the reading (store/sacrifice.py). The damaged file is never written to, but
for one thing: where it was cut off it is given back its length, in zeros, because LMDB reads beyond the end of a file
that is too short and dies of it.
"""

from __future__ import annotations

import os
import struct
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lmdb

from icc_store.errors import DamageError
from icc_store.ids import ID_SIZE, ObjectId
from icc_store.limits import BATCH_BYTES, MAP_SIZE_FLOOR, MAX_BLOCK_NUMBER, MAX_TABLES
from icc_store.store.head import Head, read_head, write_head
from icc_store.store.lmdb_failures import meaning
from icc_store.store.lmdb_store import DATA_NAME, HEAD_NAME
from icc_store.store.lmdb_transaction import BLOCKS, COMMIT_KEY, INDEX, LAST_KEY, commit_of, commit_record
from icc_store.store.protocol import Table
from icc_store.store.sacrifice import Give, Sacrifice, Work

_NUMBER = struct.Struct(">Q")
_TOO_LONG = 4
"""A file that says it is more than so many times as long as it is has a damaged length, and was not cut off."""

_DERIVED = frozenset((b"verified", b"verify cursor"))
"""What was noted about the old file does not hold for the new one."""

_UNREAD = b""
"""Handed over for a block, which is never empty, that cannot be read."""

_INSTEAD = "`icc-store salvage` looks for blocks to which nothing leads"

_BEYOND = 1_000_000
"""Numbers asked for one by one beyond the last block that was seen: the number that should be the last may be wrong.
It takes seconds, and that many removed blocks in a row are 100 GB."""


@dataclass
class Rescued:
    """What was found. `listed` are the rows of the tables of snapshots and annotations, as far as they can be read."""

    blocks: int = 0
    unread: int = 0
    """Numbers of blocks over which LMDB fails: there may have been a block, or none."""
    copies: int = 0
    problems: list[str] = field(default_factory=list)
    listed: dict[Table, dict[bytes, bytes]] = field(default_factory=dict)
    lost_commits: int = 0
    """Commits that `head` knows of and the database does not."""

    unlisted: bool = False
    """Whether the list of snapshots could not be read to its end."""

    @property
    def uncertain(self) -> bool:
        """Whether there may have been snapshots of which nothing is known any more."""
        return bool(self.lost_commits) or (self.unlisted and bool(self.unread))

    @property
    def listed_snapshots(self) -> list[ObjectId]:
        """The ids of the snapshots that were listed."""
        return self._ids(Table.SNAPSHOTS)

    @property
    def listed_annotations(self) -> list[ObjectId]:
        """The ids of the annotations that were listed."""
        return self._ids(Table.ANNOTATIONS)

    def _ids(self, table: Table) -> list[ObjectId]:
        return [ObjectId(value) for value in self.listed.get(table, {}).values() if len(value) == ID_SIZE]


def rescue(source: Path, target: Path, repository: bytes) -> Rescued:
    """Copy what can be read of the environment in `source` into a new one in `target`, with a head of its own.

    Nobody else may have either open. Raises DamageError when LMDB cannot open it at all, or leads to no block.
    """
    found = Rescued()
    file = source / DATA_NAME
    try:
        _restore_length(file, found)
    except (lmdb.Error, OSError) as error:
        raise DamageError(f"nothing can be read of {file}: {error}", hint=_INSTEAD) from error
    try:
        with lmdb.open(os.fspath(target), map_size=_map_size(file), max_dbs=MAX_TABLES, mode=0o600) as new:
            head = _copy(source, new, found, repository)
    except lmdb.Error as error:
        raise meaning(error, target / DATA_NAME) from error
    write_head(target / HEAD_NAME, repository, head)
    return found


def _map_size(file: Path) -> int:
    return max(MAP_SIZE_FLOOR, 4 * file.stat().st_size)


@contextmanager
def _opened(source: Path) -> Iterator[lmdb.Environment]:
    """The damaged environment, for reading, in the process that calls this."""
    size = _map_size(source / DATA_NAME)
    with lmdb.open(
        os.fspath(source), map_size=size, max_dbs=MAX_TABLES, readonly=True, lock=False, create=False
    ) as env:
        yield env


def _restore_length(file: Path, found: Rescued) -> None:
    with lmdb.open(os.fspath(file.parent), readonly=True, lock=False, max_dbs=MAX_TABLES, create=False) as env:
        needed = (env.info()["last_pgno"] + 1) * env.stat()["psize"]
    size = file.stat().st_size
    if size < needed:
        if needed > _TOO_LONG * size:
            raise DamageError(f"{file} says that it is {needed:,} bytes long and is {size:,}", hint=_INSTEAD)
        found.problems.append(f"the database was cut off at {size:,} of {needed:,} bytes")
        os.truncate(file, needed)


def _copy(source: Path, new: lmdb.Environment, found: Rescued, repository: bytes) -> Head:
    tables = {name: new.open_db(name.value.encode()) for name in Table}
    new.open_db(INDEX, dupsort=True, dupfixed=True)
    meta = dict(_rows(source, Table.META, found))
    last = _NUMBER.unpack(meta[LAST_KEY])[0] if len(meta.get(LAST_KEY, b"")) == _NUMBER.size else 0
    highest = 0
    blocks = _Appender(new, new.open_db(BLOCKS))
    problems = len(found.problems)
    for key, data in _blocks(source, last, found):
        if data == _UNREAD:
            found.unread += 1
            continue
        highest = _NUMBER.unpack(key)[0]
        blocks.add(key, data)
        found.blocks += 1
    blocks.flush()
    found.unread += len(found.problems) - problems
    if not found.blocks and (found.unread or LAST_KEY not in meta):
        raise DamageError(f"no block can be reached in {source / DATA_NAME}", hint=_INSTEAD)
    copies = _Appender(new, tables[Table.COPIES])
    for key, data in sorted(_rows(source, Table.COPIES, found)):
        copies.add(key, data)
        found.copies += 1
    copies.flush()
    for name in (Table.SNAPSHOTS, Table.ANNOTATIONS):
        problems = len(found.problems)
        found.listed[name] = dict(_rows(source, name, found))
        found.unlisted |= name is Table.SNAPSHOTS and len(found.problems) > problems
    with new.begin(write=True) as txn:
        for key, value in meta.items():
            if key not in _DERIVED:
                txn.put(key, value, db=tables[Table.META])
        if not last <= MAX_BLOCK_NUMBER:
            found.problems.append(f"the number of the last block is damaged: {last}")
            last = min(highest + _BEYOND, MAX_BLOCK_NUMBER)  # none that a copy remembers is given out again
        txn.put(LAST_KEY, _NUMBER.pack(max(last, highest)), db=tables[Table.META])
        sequence = _next_sequence(meta.get(COMMIT_KEY), source / HEAD_NAME, repository, found)
        made = Head(sequence, uuid.uuid4().bytes)
        txn.put(COMMIT_KEY, commit_record(made), db=tables[Table.META])
    return made


def _next_sequence(stored: bytes | None, head: Path, repository: bytes, found: Rescued) -> int:
    """A number for the new database that is beyond all that were ever given out."""
    known = 0
    try:
        known = commit_of(stored).sequence
    except DamageError:
        found.problems.append("the record of the last commit is lost")
    try:
        told = read_head(head, repository).sequence
    except (DamageError, OSError) as error:
        found.problems.append(error.message if isinstance(error, DamageError) else f"{head}: {error.strerror}")
        return known + 1
    found.lost_commits = max(0, told - known) if known else 0
    if found.lost_commits:
        found.problems.append(f"the database is older than it should be: {found.lost_commits} commits are lost")
    return max(known, told) + 1


def _blocks(source: Path, last: int, found: Rescued) -> Iterator[tuple[bytes, bytes]]:
    """Every block in order. Each number is asked for by itself: a page that cannot be read hides no other."""

    def work(position: int, at: Callable[[int], None], give: Give) -> None:
        with _opened(source) as env, env.begin() as txn:
            table = env.open_db(BLOCKS, txn=txn, create=False)
            number, stop = max(position, 1), _stop(txn.cursor(db=table), last)
            end = number + _BEYOND
            while number <= min(end, stop):
                at(number)
                key = _NUMBER.pack(number)
                try:
                    data = txn.get(key, db=table)
                except lmdb.Error:
                    data = _UNREAD
                if data is not None:
                    give(key, data)
                if data:
                    end = number + _BEYOND
                number += 1

    yield from _handed_over(work, "blocks", found)


def _stop(blocks: Any, last: int) -> int:
    """The highest number that can have a block: the last one, where no block shows that to be wrong."""
    try:
        highest = _NUMBER.unpack(blocks.key())[0] if blocks.last() else 0
    except (lmdb.Error, struct.error):
        return MAX_BLOCK_NUMBER
    return last if highest <= last <= MAX_BLOCK_NUMBER else MAX_BLOCK_NUMBER


def _rows(source: Path, table: Table, found: Rescued) -> Iterator[tuple[bytes, bytes]]:
    """The rows of a table up to the first that cannot be read, which is noted."""

    def work(_position: int, _at: Callable[[int], None], give: Give) -> None:
        with _opened(source) as env, env.begin() as txn:
            for key, value in txn.cursor(db=env.open_db(table.value.encode(), txn=txn, create=False)):
                give(key, value)

    yield from _handed_over(work, table.value, found, children=1)


def _handed_over(work: Work, name: str, found: Rescued, *, children: int = 1000) -> Iterator[tuple[bytes, bytes]]:
    readers = Sacrifice(work, children=children)
    yield from readers.rows()
    found.problems += [f"the table of {name} cannot be read to its end: {problem}" for problem in readers.problems]


class _Appender:
    """Puts rows, in order, into a table in transactions of bounded size."""

    def __init__(self, env: lmdb.Environment, table: Any) -> None:
        self._env = env
        self._table = table
        self._rows: list[tuple[bytes, bytes]] = []
        self._size = 0

    def add(self, key: bytes, value: bytes) -> None:
        """Add a row; its key is higher than those before."""
        self._rows.append((key, value))
        self._size += len(value)
        if self._size >= BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        with self._env.begin(write=True, db=self._table) as txn:
            for key, value in self._rows:
                txn.put(key, value)
        self._rows.clear()
        self._size = 0
