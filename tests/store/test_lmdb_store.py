"""What only the LMDB store does: files, the head, and what goes wrong with both."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import lmdb as lmdb_library
import pytest

from icc_store.errors import BlockDamaged, DamageError, IccStoreError, ReadOnlyRepository, RepositoryRolledBack
from icc_store.limits import SMALL_BLOCK_SIZE
from icc_store.store.head import Head, read_head, write_head
from icc_store.store.lmdb_store import LmdbStore
from icc_store.store.protocol import Store, Table

Opener = Callable[..., LmdbStore]
REPOSITORY = bytes(range(16))


def add(store: Store, data: bytes) -> None:
    with store.write() as txn:
        txn.append_block(data)


def numbers(store: Store) -> list[int]:
    with store.read() as txn:
        return [number for number, _ in txn.block_sizes()]


def test_what_was_committed_is_there_again(lmdb_path: Path, opener: Opener) -> None:
    """Blocks, the last number and the sequence survive closing."""
    store = opener(lmdb_path)
    add(store, b"one")
    with store.read() as txn:
        sequence = txn.sequence
    store.close()
    again = opener(lmdb_path)
    with again.read() as txn:
        assert (txn.block(1), txn.last_block(), txn.sequence) == (b"one", 1, sequence)
    again.close()


def test_files_are_the_owners_only(lmdb_path: Path, lmdb: LmdbStore) -> None:
    """Nobody else may read what is in a repository."""
    add(lmdb, b"secret")
    assert {path.name for path in lmdb_path.iterdir()} == {"data.mdb", "lock.mdb", "head", "write.lock", "writers"}
    assert {path.stat().st_mode & 0o077 for path in lmdb_path.iterdir() if path.is_file()} == {0}


def test_head_follows_every_commit(lmdb_path: Path, lmdb: LmdbStore) -> None:
    """After each write, `head` names the commit that LMDB holds."""
    for _ in range(3):
        add(lmdb, b"x")
        head = read_head(lmdb_path / "head", REPOSITORY)
        with lmdb.read() as txn:
            assert head.sequence == txn.sequence
            assert txn.get(Table.META, b"commit") == head.sequence.to_bytes(8) + head.commit


def test_opening_commits_nothing(lmdb_path: Path, opener: Opener) -> None:
    """A store that is opened and closed has the sequence it had."""
    opener(lmdb_path).close()
    before = (lmdb_path / "head").read_bytes()
    for _ in range(3):
        opener(lmdb_path).close()
    assert (lmdb_path / "head").read_bytes() == before


def test_an_older_database_is_damage(lmdb_path: Path, opener: Opener) -> None:
    """When somebody puts yesterday's data.mdb back, no command goes on as if nothing had happened."""
    store = opener(lmdb_path)
    add(store, b"one")
    store.close()
    shutil.copy(lmdb_path / "data.mdb", lmdb_path / "old")
    store = opener(lmdb_path)
    add(store, b"two")
    store.close()
    (lmdb_path / "old").rename(lmdb_path / "data.mdb")
    for readonly in (False, True):
        with pytest.raises(RepositoryRolledBack):
            opener(lmdb_path, readonly=readonly)


def test_a_flip_in_the_newest_meta_page_is_damage(lmdb_path: Path, opener: Opener) -> None:
    """LMDB opens the commit before in silence; `head` says that it is not the last one."""
    store = opener(lmdb_path)
    for _ in range(4):
        add(store, b"x" * 100)
    store.close()
    data = bytearray((lmdb_path / "data.mdb").read_bytes())
    page = 4096
    ids = [int.from_bytes(data[at + 128 : at + 136], "little") for at in (16, page + 16)]
    newest = ids.index(max(ids)) * page
    data[newest + 16 : newest + 20] = b"\0\0\0\0"  # the magic number: LMDB then takes the other page, or neither
    (lmdb_path / "data.mdb").write_bytes(data)
    with pytest.raises(IccStoreError):
        opener(lmdb_path, readonly=True)


def test_a_head_that_is_behind_is_no_harm(lmdb_path: Path, opener: Opener) -> None:
    """A crash between a commit and its head leaves an old head; the next commit brings it up to date."""
    store = opener(lmdb_path)
    add(store, b"one")
    old = (lmdb_path / "head").read_bytes()
    add(store, b"two")
    store.close()
    (lmdb_path / "head").write_bytes(old)
    store = opener(lmdb_path)
    assert numbers(store) == [1, 2]
    add(store, b"three")
    store.close()
    assert (lmdb_path / "head").read_bytes() != old
    opener(lmdb_path).close()


def test_the_same_number_of_another_history_is_damage(lmdb_path: Path, opener: Opener) -> None:
    """A database that went its own way has as many commits, but not this one."""
    store = opener(lmdb_path)
    add(store, b"one")
    store.close()
    head = read_head(lmdb_path / "head", REPOSITORY)
    write_head(lmdb_path / "head", REPOSITORY, Head(head.sequence, bytes(16)))
    with pytest.raises(RepositoryRolledBack):
        opener(lmdb_path)


@pytest.mark.parametrize("name", ["data.mdb", "head"])
def test_a_missing_file_is_damage(lmdb_path: Path, opener: Opener, name: str) -> None:
    """A repository that lost one of its files is not taken for a new one."""
    store = opener(lmdb_path)
    add(store, b"one")
    store.close()
    (lmdb_path / name).unlink()
    with pytest.raises(BlockDamaged, match="missing"):
        opener(lmdb_path)
    assert not (lmdb_path / name).exists()


@pytest.mark.parametrize("contents", [b"", b"not a database" * 1000, bytes(100_000)])
def test_a_file_that_is_no_database_is_an_error(lmdb_path: Path, opener: Opener, contents: bytes) -> None:
    """Whatever stands in the place of data.mdb, the answer is an error of ours, and nothing is made of it."""
    store = opener(lmdb_path)
    add(store, b"one")
    store.close()
    (lmdb_path / "data.mdb").write_bytes(contents)
    with pytest.raises(IccStoreError):
        opener(lmdb_path, readonly=True)


def test_a_read_only_store_reads(lmdb_path: Path, opener: Opener) -> None:
    """It sees what is there, follows what others commit, and writes nothing."""
    store = opener(lmdb_path)
    add(store, b"one")
    store.close()
    reading = opener(lmdb_path, readonly=True)
    assert numbers(reading) == [1]
    with pytest.raises(ReadOnlyRepository), reading.write():
        pass
    reading.close()


def test_a_read_only_store_is_not_made(lmdb_path: Path, opener: Opener) -> None:
    """Reading a repository that is not there makes none."""
    with pytest.raises(BlockDamaged):
        opener(lmdb_path, readonly=True)
    assert not (lmdb_path / "data.mdb").exists()


def test_a_replaced_database_is_not_written_to(lmdb_path: Path, lmdb: LmdbStore) -> None:
    """Who holds the file that a compaction replaced would commit into nowhere: it is told to start again."""
    add(lmdb, b"one")
    shutil.copy(lmdb_path / "data.mdb", lmdb_path / "new")
    (lmdb_path / "new").rename(lmdb_path / "data.mdb")
    with pytest.raises(IccStoreError, match="replaced"), lmdb.write():
        pass


def test_a_number_out_of_order_is_damage(lmdb: LmdbStore) -> None:
    """When the last number was lost, LMDB refuses the block instead of putting it over another."""
    for _ in range(3):
        add(lmdb, b"x")
    with lmdb.write() as txn:
        txn.put(Table.META, b"last block", (1).to_bytes(8))
    with pytest.raises(DamageError, match="refused"):
        add(lmdb, b"y")
    assert numbers(lmdb) == [1, 2, 3]


def test_a_lost_commit_record_is_damage(lmdb: LmdbStore) -> None:
    """Without its commit record a database does not say how old it is."""
    with lmdb.write() as txn:
        txn.put(Table.META, b"commit", b"short")
    with pytest.raises(BlockDamaged), lmdb.read() as txn:
        assert txn.sequence


def test_small_blocks_share_pages(lmdb: LmdbStore) -> None:
    """Blocks up to `small_value` stand in leaf pages, several in each; larger ones take whole pages."""
    with lmdb.write() as txn:
        for _ in range(100):
            txn.append_block(bytes(SMALL_BLOCK_SIZE))
    with lmdb.read() as txn:
        stat = txn._txn.stat(lmdb.block_table)
    assert stat["overflow_pages"] == 0
    assert stat["leaf_pages"] <= 52


def test_appending_wastes_little(lmdb_path: Path, lmdb: LmdbStore) -> None:
    """Under growing numbers a block of 128 KiB costs a few per cent more than its bytes."""
    with lmdb.write() as txn:
        for _ in range(100):
            txn.append_block(os.urandom(128 << 10))
    assert (lmdb_path / "data.mdb").stat().st_size < 1.06 * 100 * (128 << 10)


def test_compacting_gives_bytes_back(lmdb_path: Path, lmdb: LmdbStore) -> None:
    """What was freed is reusable first; compaction shrinks the file and leaves nothing beside it."""
    with lmdb.write() as txn:
        for _ in range(100):
            txn.append_block(os.urandom(32 << 10))
    with lmdb.write() as txn:
        for number in range(1, 91):
            txn.delete_block(number)
    assert lmdb.reusable_bytes() > 80 * (32 << 10)
    before = (lmdb_path / "data.mdb").stat().st_size
    assert before - (lmdb_path / "data.mdb").stat().st_size == 0
    given_back = lmdb.compact()
    assert given_back == before - (lmdb_path / "data.mdb").stat().st_size > 80 * (32 << 10)
    assert numbers(lmdb) == list(range(91, 101))
    assert {path.name for path in lmdb_path.iterdir()} == {"data.mdb", "lock.mdb", "head", "write.lock", "writers"}


def test_freed_pages_are_used_again(lmdb_path: Path, lmdb: LmdbStore) -> None:
    """A store whose blocks come and go does not grow without end."""
    for _ in range(100):
        with lmdb.write() as txn:
            number = txn.append_block(os.urandom(200 << 10))
            if number > 5:
                txn.delete_block(number - 5)
    assert (lmdb_path / "data.mdb").stat().st_size < 4 << 20


def test_the_file_is_plain_lmdb(lmdb_path: Path, opener: Opener) -> None:
    """Any LMDB opens it: named tables, block numbers as 8 big-endian bytes, index rows under one key."""
    store = opener(lmdb_path)
    with store.write() as txn:
        txn.append_block(b"one")
        txn.append_block(b"two")
        txn.insert_rows([bytes(22), b"\1" * 22])
    store.close()
    with (
        lmdb_library.open(os.fspath(lmdb_path), max_dbs=16, readonly=True) as env,
        env.begin() as txn,
    ):
        assert dict(txn.cursor(env.open_db(b"blocks", txn, create=False))) == {
            (1).to_bytes(8): b"one",
            (2).to_bytes(8): b"two",
        }
        index = env.open_db(b"index", txn, dupsort=True, dupfixed=True, create=False)
        assert list(txn.cursor(index)) == [(b"i", bytes(22)), (b"i", b"\1" * 22)]
        names = {key for key, _ in txn.cursor()}
    assert names == {b"blocks", b"index", b"meta", b"snapshots", b"annotations", b"copies", b"seen"}


def test_a_file_that_asks_for_too_much_memory_is_damaged(lmdb_path: Path, opener: Opener) -> None:
    """A changed bit in the number of the last page makes LMDB ask for petabytes: that is no fault of this machine."""
    opener(lmdb_path).close()
    with (lmdb_path / "data.mdb").open("r+b") as file:
        for page in (0, 4096):
            file.seek(page + 16 + 120 + 5)
            file.write(b"\x01")
    with pytest.raises(DamageError, match="more address space than there is"):
        opener(lmdb_path)
