"""What every store must do, run on each of them."""

from __future__ import annotations

import threading
import time

import pytest

from icc_store.objects.index import ROW_SIZE, pack_row
from icc_store.store.protocol import Store, Table, WriteTransaction


def row(key: bytes, block: int = 1) -> bytes:
    return pack_row(key.ljust(16, b"\0"), block, 0)


class Abandoned(Exception):
    """Raised in a transaction that is to be given up."""


def test_a_new_store_is_empty(store: Store) -> None:
    """Nothing is in it, and asking for anything is no error."""
    with store.read() as txn:
        assert txn.last_block() == 0
        assert txn.block(1) is None
        assert list(txn.blocks()) == list(txn.block_sizes()) == list(txn.rows()) == []
        assert txn.row(b"") is None
        assert txn.row(b"key") is None
        for table in sorted(set(Table) - {Table.META}):
            assert txn.get(table, b"key") is None
            assert list(txn.items(table)) == []
    assert store.lowest_writer() is None
    assert store.small_value > 0


def test_blocks_are_numbered_from_one(store: Store) -> None:
    """Numbers grow by one, within a transaction and over several, and lead to their bytes."""
    with store.write() as txn:
        assert [txn.append_block(data) for data in (b"one", b"", b"three" * 1000)] == [1, 2, 3]
        assert txn.block(2) == b""
        assert txn.last_block() == 3
    with store.write() as txn:
        assert txn.append_block(b"four") == 4
    with store.read() as txn:
        assert dict(txn.blocks()) == {1: b"one", 2: b"", 3: b"three" * 1000, 4: b"four"}
        assert list(txn.block_sizes()) == [(1, 3), (2, 0), (3, 5000), (4, 4)]
        assert [number for number, _ in txn.blocks(3)] == [3, 4]
        assert list(txn.blocks(5)) == []


def test_numbers_are_never_used_twice(store: Store) -> None:
    """A number stays used after its block is gone, also the last one, and after all are gone."""
    with store.write() as txn:
        for data in (b"a", b"b", b"c"):
            txn.append_block(data)
    with store.write() as txn:
        assert txn.delete_block(3)
        assert not txn.delete_block(3)
        assert txn.append_block(b"d") == 4
    with store.write() as txn:
        for number in (1, 2, 4):
            assert txn.delete_block(number)
    with store.write() as txn:
        assert txn.append_block(b"e") == 5
        assert txn.last_block() == 5
        assert list(txn.blocks()) == [(5, b"e")]


def test_a_block_is_put_back_under_its_number(store: Store) -> None:
    """Repair replaces a damaged block and puts back lost ones; no number is given out again."""
    with store.write() as txn:
        for data in (b"a", b"b", b"c"):
            txn.append_block(data)
        txn.delete_block(2)
    with store.write() as txn:
        txn.replace_block(1, b"whole" * 1000)
        txn.replace_block(2, b"b")
    with store.read() as txn:
        assert list(txn.blocks()) == [(1, b"whole" * 1000), (2, b"b"), (3, b"c")]
        assert txn.last_block() == 3
    with store.write() as txn:
        txn.replace_block(5, b"e")
        assert txn.append_block(b"f") == 6


def test_a_write_that_raises_leaves_nothing(store: Store) -> None:
    """Blocks, rows, keys and the sequence number are as before, and the next write begins there."""
    with store.write() as txn:
        txn.append_block(b"kept")
        txn.put(Table.SEEN, b"key", b"kept")
        txn.insert_rows([row(b"kept")])
    with store.read() as txn:
        before = txn.sequence

    def change_everything(txn: WriteTransaction) -> None:
        txn.append_block(b"lost")
        txn.delete_block(1)
        txn.put(Table.SEEN, b"key", b"lost")
        txn.clear(Table.SEEN)
        txn.delete_rows([row(b"kept")])
        txn.insert_rows([row(b"lost")])
        raise Abandoned

    with pytest.raises(Abandoned), store.write() as txn:
        change_everything(txn)
    with store.read() as txn:
        assert txn.sequence == before
        assert dict(txn.blocks()) == {1: b"kept"}
        assert list(txn.rows()) == [row(b"kept")]
        assert txn.get(Table.SEEN, b"key") == b"kept"
    with store.write() as txn:
        assert txn.append_block(b"next") == 2


def test_every_commit_has_a_number(store: Store) -> None:
    """The sequence grows by one with each commit, and a transaction sees its own."""
    with store.read() as txn:
        first = txn.sequence
    for step in (1, 2, 3):
        with store.write() as txn:
            assert txn.sequence == first + step
        with store.read() as txn:
            assert txn.sequence == first + step


def test_a_read_sees_one_commit(store: Store) -> None:
    """What is committed meanwhile is not seen by a view that was there before."""
    with store.write() as txn:
        txn.append_block(b"old")
        txn.put(Table.SEEN, b"k", b"old")
    with store.read() as view:
        before = view.sequence
        writing = threading.Thread(target=_replace, args=(store,))
        writing.start()
        writing.join(10)
        assert not writing.is_alive()
        assert view.sequence == before
        assert dict(view.blocks()) == {1: b"old"}
        assert view.get(Table.SEEN, b"k") == b"old"
        assert list(view.rows()) == []
    with store.read() as view:
        assert dict(view.blocks()) == {2: b"new"}
        assert view.get(Table.SEEN, b"k") == b"new"
        assert list(view.rows()) == [row(b"n")]


def _replace(store: Store) -> None:
    with store.write() as txn:
        txn.delete_block(1)
        txn.append_block(b"new")
        txn.put(Table.SEEN, b"k", b"new")
        txn.insert_rows([row(b"n")])


def test_rows_are_a_sorted_set(store: Store) -> None:
    """Inserted in any order, twice or not, they come back once and in order; removing what is not there is nothing."""
    rows = [row(b"c"), row(b"a", 2), row(b"b"), row(b"a", 1)]
    with store.write() as txn:
        txn.insert_rows(rows)
        txn.insert_rows([rows[0], rows[0], rows[2]])
        assert list(txn.rows()) == sorted(rows)
    with store.write() as txn:
        txn.delete_rows([row(b"b"), row(b"nobody"), row(b"b")])
        txn.insert_rows([])
        txn.delete_rows([])
    with store.read() as txn:
        assert list(txn.rows()) == [row(b"a", 1), row(b"a", 2), row(b"c")]
        assert all(len(one) == ROW_SIZE for one in txn.rows())


def test_a_row_is_found_by_its_beginning(store: Store) -> None:
    """The first row with a prefix, however long; none for a prefix that only a neighbour has."""
    with store.write() as txn:
        txn.insert_rows([row(b"b", 1), row(b"b", 2), row(b"d", 3)])
        assert txn.row(b"b".ljust(16, b"\0")) == row(b"b", 1)
    with store.read() as txn:
        assert txn.row(b"b") == txn.row(b"b".ljust(16, b"\0")) == row(b"b", 1)
        assert txn.row(row(b"b", 2)) == row(b"b", 2)
        assert txn.row(b"") == row(b"b", 1)
        for absent in (b"a", b"c", b"e", b"\xff" * 16, row(b"b", 9), b"b\0\1"):
            assert txn.row(absent) is None
        assert list(txn.rows(b"c")) == [row(b"d", 3)]
        assert list(txn.rows(row(b"b", 2))) == [row(b"b", 2), row(b"d", 3)]
        assert list(txn.rows(b"\xff")) == []


def test_the_rows_of_several_beginnings(store: Store) -> None:
    """Prefix by prefix, in whatever order they are asked for; nothing for one that only a neighbour has."""
    with store.write() as txn:
        txn.insert_rows([row(b"b", 1), row(b"b", 2), row(b"d", 3)])
        assert list(txn.rows_of([b"d", b"b"])) == [row(b"d", 3), row(b"b", 1), row(b"b", 2)]
    with store.read() as txn:
        keys = [one.ljust(16, b"\0") for one in (b"a", b"b", b"c", b"d", b"e")]
        assert list(txn.rows_of(keys)) == [row(b"b", 1), row(b"b", 2), row(b"d", 3)]
        assert list(txn.rows_of([row(b"b", 2), b"\xff", b"d"])) == [row(b"b", 2), row(b"d", 3)]
        assert list(txn.rows_of([b""])) == list(txn.rows())
        assert list(txn.rows_of([])) == []


def test_rows_can_be_asked_for_while_they_are_listed(store: Store) -> None:
    """Looking up one row does not disturb a walk over all."""
    rows = sorted(row(b"%03d" % number) for number in range(300))
    with store.write() as txn:
        txn.insert_rows(rows)
    with store.read() as txn:
        for at, one in enumerate(txn.rows()):
            assert one == rows[at]
            assert txn.row(rows[-1 - at]) == rows[-1 - at]


@pytest.mark.parametrize("table", sorted(set(Table) - {Table.META}), ids=str)
def test_a_table_keeps_keys_in_order(store: Store, table: Table) -> None:
    """Values are set, replaced, removed and listed from any key on; tables do not mix."""
    with store.write() as txn:
        for key in (b"b", b"a", b"\xff" * 300, b"\x00"):
            txn.put(table, key, key * 2)
        txn.put(table, b"a", b"")
        assert txn.get(table, b"a") == b""
    with store.read() as txn:
        assert list(txn.items(table)) == [
            (b"\x00", b"\x00\x00"),
            (b"a", b""),
            (b"b", b"bb"),
            (b"\xff" * 300,) * 1 + (b"\xff" * 600,),
        ]
        assert [key for key, _ in txn.items(table, b"aa")] == [b"b", b"\xff" * 300]
        for other in set(Table) - {Table.META, table}:
            assert list(txn.items(other)) == []
    with store.write() as txn:
        assert txn.delete(table, b"b")
        assert not txn.delete(table, b"b")
    with store.read() as txn:
        assert txn.get(table, b"b") is None
    with store.write() as txn:
        txn.clear(table)
        txn.put(table, b"new", b"value")
    with store.read() as txn:
        assert list(txn.items(table)) == [(b"new", b"value")]


def test_meta_keeps_what_others_put_there(store: Store) -> None:
    """META holds rows of its own beside those of the layers above; those are kept as any other."""
    with store.write() as txn:
        txn.put(Table.META, b"gc epoch", b"\0\1")
        txn.append_block(b"x")
    with store.read() as txn:
        assert txn.get(Table.META, b"gc epoch") == b"\0\1"
        assert (b"gc epoch", b"\0\1") in list(txn.items(Table.META))
    with store.write() as txn:
        assert txn.delete(Table.META, b"gc epoch")


def test_what_is_returned_outlives_its_transaction(store: Store) -> None:
    """Bytes are copies: they stay what they were after the view has gone and the page was used again."""
    with store.write() as txn:
        txn.append_block(b"x" * 5000)
        txn.insert_rows([row(b"r")])
        txn.put(Table.SEEN, b"k", b"v" * 3000)
    with store.read() as txn:
        block, found, value = txn.block(1), txn.row(b"r"), txn.get(Table.SEEN, b"k")
        listed = list(txn.items(Table.SEEN))
    for _ in range(5):
        with store.write() as txn:
            txn.clear(Table.SEEN)
            txn.append_block(b"y" * 5000)
            txn.delete_block(txn.last_block() - 1)
    assert (block, found, value) == (b"x" * 5000, row(b"r"), b"v" * 3000)
    assert listed == [(b"k", b"v" * 3000)]


def test_there_is_one_writer_at_a_time(store: Store) -> None:
    """A second writer waits for the first, and then sees what it did."""
    order = []

    def second() -> None:
        with store.write() as txn:
            order.append(("second", txn.last_block()))

    with store.write() as txn:
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(0.1)
        txn.append_block(b"first")
        order.append(("first", txn.last_block()))
    waiting.join(10)
    assert order == [("first", 1), ("second", 1)]


def test_the_lowest_writer_is_the_oldest_run(store: Store) -> None:
    """Runs announce the first block they may write; gc asks for the lowest of the living."""
    with store.adding():
        assert store.lowest_writer() == 1
        with store.write() as txn:
            txn.append_block(b"a")
        with store.adding():
            assert store.lowest_writer() == 1
        assert store.lowest_writer() == 1
    assert store.lowest_writer() is None
    with store.adding():
        assert store.lowest_writer() == 2
    with pytest.raises(Abandoned), store.adding():
        raise Abandoned
    assert store.lowest_writer() is None


def test_compacting_loses_nothing(store: Store) -> None:
    """All is there afterwards, in the same commit, and the store can be written to."""
    with store.write() as txn:
        for number in range(50):
            txn.append_block(b"%d" % number * 3000)
        txn.insert_rows([row(b"r")])
        txn.put(Table.SEEN, b"k", b"v")
    with store.write() as txn:
        for number in range(1, 40):
            txn.delete_block(number)
    with store.read() as txn:
        before = dict(txn.blocks()), list(txn.rows()), list(txn.items(Table.SEEN)), txn.last_block(), txn.sequence
    assert store.compact() >= 0
    with store.read() as txn:
        after = dict(txn.blocks()), list(txn.rows()), list(txn.items(Table.SEEN)), txn.last_block(), txn.sequence
    assert after == before
    with store.write() as txn:
        assert txn.append_block(b"next") == 51
