"""Random operations on the LMDB store and on the one in memory, which must agree after each of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from icc_store.objects.index import pack_row
from icc_store.store.lmdb_store import WRITERS_NAME, LmdbStore
from icc_store.store.locks import FileLock
from icc_store.store.memory_store import MemoryStore
from icc_store.store.protocol import Store, Table, WriteTransaction

keys = st.binary(min_size=1, max_size=4) | st.binary(min_size=100, max_size=511)
tables = st.sampled_from((Table.SNAPSHOTS, Table.ANNOTATIONS, Table.COPIES, Table.SEEN))
values = st.binary(max_size=30) | st.integers(1000, 20_000).map(bytes)
rows = st.builds(
    pack_row,
    st.binary(min_size=2, max_size=2).map(lambda key: key.ljust(16, b"k")),
    st.integers(1, 5),
    st.integers(0, 3),
    base_only=st.booleans(),
)
numbers = st.integers(1, 30)

Step = Callable[[WriteTransaction], Any]


class Abandoned(Exception):
    """Ends a transaction that is to be given up."""


def append_block(data: bytes) -> Step:
    return lambda txn: txn.append_block(data)


def delete_block(number: int) -> Step:
    return lambda txn: txn.delete_block(number)


def insert_rows(many: list[bytes]) -> Step:
    return lambda txn: txn.insert_rows(many)


def delete_rows(many: list[bytes]) -> Step:
    return lambda txn: txn.delete_rows(many)


def put(table: Table, key: bytes, value: bytes) -> Step:
    return lambda txn: txn.put(table, key, value)


def delete(table: Table, key: bytes) -> Step:
    return lambda txn: txn.delete(table, key)


def clear(table: Table) -> Step:
    return lambda txn: txn.clear(table)


def look(prefix: bytes, number: int, table: Table, key: bytes) -> Step:
    """Reads inside of a write see its own changes."""
    return lambda txn: (
        txn.row(prefix),
        txn.block(number),
        txn.last_block(),
        txn.get(table, key),
        list(txn.rows(prefix))[:5],
        list(txn.items(table, key))[:5],
    )


steps = st.one_of(
    st.builds(append_block, values),
    st.builds(append_block, values),
    st.builds(delete_block, numbers),
    st.builds(insert_rows, st.lists(rows, max_size=20)),
    st.builds(delete_rows, st.lists(rows, max_size=20)),
    st.builds(put, tables, keys, values),
    st.builds(delete, tables, keys),
    st.builds(clear, tables),
    st.builds(look, st.binary(max_size=3), numbers, tables, keys),
)


class Agreement(RuleBasedStateMachine):
    """Both stores get the same transactions; some are given up, and the LMDB store is closed and opened."""

    views = Bundle("views")

    @initialize()
    def start(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="agreement-"))
        (self.path / WRITERS_NAME).mkdir()
        self.memory = MemoryStore()
        self.lmdb = self._open()
        self.offset = self._sequence(self.lmdb) - self._sequence(self.memory)

    def _open(self) -> LmdbStore:
        return LmdbStore(self.path, bytes(16), FileLock(self.path / "write.lock", timeout=1))

    def _sequence(self, store: Store) -> int:
        with store.read() as txn:
            return txn.sequence

    @rule(transaction=st.lists(steps, max_size=12), abandoned=st.booleans())
    def write(self, transaction: list[Step], abandoned: bool) -> None:
        """One transaction on both; every answer it gets is the same."""
        assert self._run(self.lmdb, transaction, abandoned) == self._run(self.memory, transaction, abandoned)

    def _run(self, store: Store, transaction: list[Step], abandoned: bool) -> list[Any]:
        answers: list[Any] = []
        try:
            with store.write() as txn:
                answers += [step(txn) for step in transaction]
                if abandoned:
                    raise Abandoned
        except Abandoned:
            answers.append("abandoned")
        return answers

    @rule(prefix=st.binary(max_size=18), number=numbers, table=tables, key=keys)
    def read(self, prefix: bytes, number: int, table: Table, key: bytes) -> None:
        """Every question a reader has gets the same answer."""
        answers = []
        for store in (self.lmdb, self.memory):
            with store.read() as txn:
                answers.append(
                    (
                        txn.row(prefix),
                        list(txn.rows(prefix)),
                        list(txn.rows_of([prefix, prefix[:1]])),
                        txn.block(number),
                        list(txn.blocks(number)),
                        list(txn.block_sizes(number)),
                        txn.get(table, key),
                        list(txn.items(table, key)),
                    )
                )
        assert answers[0] == answers[1]

    @rule()
    def reopen(self) -> None:
        """What was committed is there after closing."""
        self.lmdb.close()
        self.lmdb = self._open()

    @rule()
    def compact(self) -> None:
        """Compaction changes nothing that can be asked for."""
        self.lmdb.compact()

    @rule()
    def add(self) -> None:
        """Runs announce the same first block."""
        with self.lmdb.adding(), self.memory.adding():
            assert self.lmdb.lowest_writer() == self.memory.lowest_writer()
        assert self.lmdb.lowest_writer() is self.memory.lowest_writer() is None

    @invariant()
    def both_hold_the_same(self) -> None:
        """All blocks, rows and tables, the last number and the count of commits."""
        if not hasattr(self, "lmdb"):
            return
        with self.lmdb.read() as one, self.memory.read() as two:
            assert one.sequence - self.offset == two.sequence
            assert one.last_block() == two.last_block()
            assert list(one.blocks()) == list(two.blocks())
            assert list(one.rows()) == list(two.rows())
            for table in set(Table) - {Table.META}:
                assert list(one.items(table)) == list(two.items(table))

    def teardown(self) -> None:
        if hasattr(self, "lmdb"):
            self.lmdb.close()
            shutil.rmtree(self.path)


Agreement.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


class TestAgreement(Agreement.TestCase):
    """The machine, as a test."""
