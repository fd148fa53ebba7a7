"""What a store is: the least that the layers above need, so that they can be run on another one.

A store holds three things: blocks under growing numbers that are never used twice, one sorted set of index rows,
and small tables of keys and values. A read sees one commit; a write is all or nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Protocol

from icc_store.store.newest_blocks import NewestBlocks


class Table(StrEnum):
    """The small tables. All but META and COPIES are derived and can be rebuilt from the blocks."""

    META = "meta"
    SNAPSHOTS = "snapshots"
    ANNOTATIONS = "annotations"
    COPIES = "copies"
    SEEN = "seen"


class ReadTransaction(Protocol):
    """One commit, seen whole. Everything returned is a copy that outlives the transaction."""

    @property
    def sequence(self) -> int:
        """The number of the commit that is seen; grows by one with each."""

    def block(self, number: int) -> bytes | None:
        """The block of that number, or None when there is none."""

    def blocks(self, start: int = 1) -> Iterator[tuple[int, bytes]]:
        """All blocks from number `start` on, in rising order."""

    def block_sizes(self, start: int = 1) -> Iterator[tuple[int, int]]:
        """Numbers and stored sizes of all blocks from `start` on, without their bytes."""

    def last_block(self) -> int:
        """The highest block number ever given out; 0 before the first."""

    def row(self, prefix: bytes) -> bytes | None:
        """The first index row that starts with `prefix`, or None."""

    def rows(self, start: bytes = b"") -> Iterator[bytes]:
        """All index rows from `start` on, in rising order."""

    def rows_of(self, prefixes: Iterable[bytes]) -> Iterator[bytes]:
        """All index rows that start with one of these, prefix by prefix. Sorted prefixes are quicker."""

    def get(self, table: Table, key: bytes) -> bytes | None:
        """The value under `key`, or None."""

    def items(self, table: Table, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Keys and values from `start` on, in rising order of keys."""


class WriteTransaction(ReadTransaction, Protocol):
    """The next commit in the making. It sees its own changes."""

    def append_block(self, data: bytes) -> int:
        """Store a block under the next number and return it. Raises DamageError when LMDB refuses."""

    def replace_block(self, number: int, data: bytes) -> None:
        """Put a block back under the number that it had. For repair alone, in a database that is not damaged itself."""

    def delete_block(self, number: int) -> bool:
        """Remove a block. False when there was none."""

    def insert_rows(self, rows: Iterable[bytes]) -> None:
        """Add index rows; one that is there already stays. Sorted input is much faster."""

    def delete_rows(self, rows: Iterable[bytes]) -> None:
        """Remove index rows; one that is not there is passed over."""

    def put(self, table: Table, key: bytes, value: bytes) -> None:
        """Set the value under `key`."""

    def delete(self, table: Table, key: bytes) -> bool:
        """Remove a key. False when there was none."""

    def clear(self, table: Table) -> None:
        """Remove every key of a table."""


class Store(Protocol):
    """Where a repository's bytes are."""

    @property
    def small_value(self) -> int:
        """Bytes up to which a block shares its page with others; beyond, it takes whole pages."""

    @property
    def newest(self) -> NewestBlocks | None:
        """Where second copies of the newest blocks are kept, if the repository has parity."""

    def read(self) -> AbstractContextManager[ReadTransaction]:
        """See the newest commit."""

    def write(self) -> AbstractContextManager[WriteTransaction]:
        """Make the next commit when the body ends well, none when it raises. One writer at a time."""

    def adding(self) -> AbstractContextManager[None]:
        """Announce, in the body, a run that adds blocks: gc leaves the blocks it may have written alone."""

    def lowest_writer(self) -> int | None:
        """The first block number that a living run may have written, or None when none is adding."""

    def closed(self) -> AbstractContextManager[None]:
        """In the body nothing is open, so that a child that is forked there can open it for itself."""

    def open_for_reading(self) -> None:
        """Open again, in such a child."""

    def problems(self) -> list[str]:
        """What is wrong with how everything stored hangs together, found without relying on any of it."""

    def reusable_bytes(self) -> int:
        """Bytes that were freed and that new blocks can fill."""

    def file_bytes(self) -> int:
        """Bytes of the file that everything is in, those that can be filled among them."""

    def compact(self) -> int:
        """Give freed bytes back to the disk; returns how many. Nobody else may have the store open.

        Raises DiskFull when there is no room for the live data beside the old file.
        """
