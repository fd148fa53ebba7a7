"""LMDB's trees read from bare bytes: the same as LMDB says of a sound file, and an answer for any other."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from icc_store.store.lmdb_pages import Guide, guide
from icc_store.store.lmdb_store import LmdbStore
from icc_store.store.protocol import Table

Opener = Callable[..., LmdbStore]
PAGE = 4096


@pytest.fixture
def data(lmdb_path: Path, opener: Opener) -> tuple[bytes, dict[int, bytes]]:
    """A file with blocks of all sizes, some of them removed, and rows in the lists; and its blocks."""
    chance = random.Random("pages")
    store = opener(lmdb_path)
    for number in range(1, 200):
        with store.write() as txn:
            txn.append_block(chance.randbytes(chance.choice([80, 700, 1900, 2100, 20_000])))
            txn.put(Table.SNAPSHOTS, number.to_bytes(8), chance.randbytes(32))
            if number % 3 == 0:
                txn.delete_block(number // 2)
                txn.delete(Table.SNAPSHOTS, (number // 2).to_bytes(8))
    with store.read() as txn:
        blocks = dict(txn.blocks())
    store.close()
    return (lmdb_path / "data.mdb").read_bytes(), blocks


def test_a_sound_file(data: tuple[bytes, dict[int, bytes]], lmdb_path: Path, opener: Opener) -> None:
    """Every block stands where it is said to, under its number; lists are whole; no commit is missing."""
    raw, blocks = data
    found = guide(raw)
    assert sorted(found.numbers.values()) == sorted(blocks)
    assert all(raw.startswith(blocks[number], at) for at, number in found.numbers.items())
    assert found.newest
    store = opener(lmdb_path)
    with store.read() as txn:
        assert set(found.snapshots.ids) == {identity for _, identity in txn.items(Table.SNAPSHOTS)}
        assert found.commit is not None
        assert found.commit.sequence == txn.sequence
    store.close()
    assert found.snapshots.complete
    assert found.annotations.complete
    assert found.annotations.ids == ()


def test_what_is_missing_is_known(data: tuple[bytes, dict[int, bytes]]) -> None:
    """Whichever page is gone: what is said is right, and a list that lacks something does not call itself complete."""
    raw, blocks = data
    whole = guide(raw)
    for page in range(0, len(raw), PAGE):
        found = guide(raw[:page] + bytes(PAGE) + raw[page + PAGE :])
        if page >= 2 * PAGE:
            assert found.numbers.items() <= whole.numbers.items()
            assert set(found.snapshots.ids) <= set(whole.snapshots.ids)
        if found.snapshots.complete and found.newest:
            assert set(found.snapshots.ids) == set(whole.snapshots.ids)
    assert blocks


def test_any_bytes(data: tuple[bytes, dict[int, bytes]]) -> None:
    """Whatever stands in the pages, there is an answer: nothing is followed twice or out of the file."""
    raw, _ = data
    chance = random.Random("bytes")
    assert guide(b"") == guide(bytes(PAGE)) == guide(chance.randbytes(50_000)) == Guide({})
    for _ in range(150):
        changed = bytearray(raw[: chance.choice([len(raw), chance.randrange(len(raw))])])
        for _ in range(chance.randrange(1, 30)):
            page = chance.randrange(0, max(1, len(changed)), PAGE)
            at = min(len(changed) - 1, page + chance.choice([chance.randrange(200), chance.randrange(PAGE)]))
            changed[at] = chance.randrange(256)
        assert all(0 <= at <= len(changed) for at in guide(bytes(changed)).numbers)
