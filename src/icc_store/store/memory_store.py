"""A store in memory: the reference that the LMDB store is compared with."""

from __future__ import annotations

import copy
import threading
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from icc_store.store.protocol import Table


def _no_tables() -> dict[Table, dict[bytes, bytes]]:
    return {table: {} for table in Table}


@dataclass
class _State:
    sequence: int = 0
    last: int = 0
    blocks: dict[int, bytes] = field(default_factory=dict)
    rows: list[bytes] = field(default_factory=list)
    tables: dict[Table, dict[bytes, bytes]] = field(default_factory=_no_tables)


class MemoryTransaction:
    """Reads and writes one state; whether it is kept is the store's business."""

    def __init__(self, state: _State) -> None:
        self._state = state

    @property
    def sequence(self) -> int:
        return self._state.sequence

    def block(self, number: int) -> bytes | None:
        return self._state.blocks.get(number)

    def blocks(self, start: int = 1) -> Iterator[tuple[int, bytes]]:
        for number in sorted(self._state.blocks):
            if number >= start:
                yield number, self._state.blocks[number]

    def block_sizes(self, start: int = 1) -> Iterator[tuple[int, int]]:
        for number, data in self.blocks(start):
            yield number, len(data)

    def last_block(self) -> int:
        return self._state.last

    def row(self, prefix: bytes) -> bytes | None:
        found = next(self.rows(prefix), None)
        return found if found is not None and found.startswith(prefix) else None

    def rows(self, start: bytes = b"") -> Iterator[bytes]:
        rows = self._state.rows
        for position in range(bisect_left(rows, start), len(rows)):
            yield rows[position]

    def rows_of(self, prefixes: Iterable[bytes]) -> Iterator[bytes]:
        for prefix in prefixes:
            for row in self.rows(prefix):
                if not row.startswith(prefix):
                    break
                yield row

    def get(self, table: Table, key: bytes) -> bytes | None:
        return self._state.tables[table].get(key)

    def items(self, table: Table, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        values = self._state.tables[table]
        for key in sorted(values):
            if key >= start:
                yield key, values[key]

    def append_block(self, data: bytes) -> int:
        self._state.last += 1
        self._state.blocks[self._state.last] = data
        return self._state.last

    def replace_block(self, number: int, data: bytes) -> None:
        self._state.blocks[number] = data
        self._state.last = max(self._state.last, number)

    def delete_block(self, number: int) -> bool:
        return self._state.blocks.pop(number, None) is not None

    def insert_rows(self, rows: Iterable[bytes]) -> None:
        for row in rows:
            position = bisect_left(self._state.rows, row)
            if self._state.rows[position : position + 1] != [row]:
                insort(self._state.rows, row)

    def delete_rows(self, rows: Iterable[bytes]) -> None:
        for row in rows:
            position = bisect_left(self._state.rows, row)
            if self._state.rows[position : position + 1] == [row]:
                del self._state.rows[position]

    def put(self, table: Table, key: bytes, value: bytes) -> None:
        self._state.tables[table][key] = value

    def delete(self, table: Table, key: bytes) -> bool:
        return self._state.tables[table].pop(key, None) is not None

    def clear(self, table: Table) -> None:
        self._state.tables[table].clear()


class MemoryStore:
    """Every write works on a copy that replaces the state when it ends well."""

    small_value = 2000
    newest = None

    def __init__(self) -> None:
        self._state = _State()
        self._writer = threading.Lock()
        self._adding: list[int] = []

    @contextmanager
    def read(self) -> Iterator[MemoryTransaction]:
        yield MemoryTransaction(self._state)

    @contextmanager
    def write(self) -> Iterator[MemoryTransaction]:
        with self._writer:
            state = copy.deepcopy(self._state)
            state.sequence += 1
            yield MemoryTransaction(state)
            self._state = state

    @contextmanager
    def adding(self) -> Iterator[None]:
        first = self._state.last + 1
        self._adding.append(first)
        try:
            yield
        finally:
            self._adding.remove(first)

    @contextmanager
    def closed(self) -> Iterator[None]:
        """A child has a copy of everything."""
        yield

    def open_for_reading(self) -> None:
        """It is open."""

    def lowest_writer(self) -> int | None:
        return min(self._adding, default=None)

    def problems(self) -> list[str]:
        return []

    def reusable_bytes(self) -> int:
        return 0

    def file_bytes(self) -> int:
        return 0

    def compact(self) -> int:
        return 0
