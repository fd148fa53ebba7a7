"""Numbers in rows of META, and what is made of rows that hold none."""

from __future__ import annotations

from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.codec.serial import pack
from icc_store.errors import DamageError
from icc_store.model.checkup import all_verified_ns, next_to_verify
from icc_store.model.header import new_header
from icc_store.model.maintenance import bump_epoch, gc_epoch
from icc_store.model.numbers import number_at, put_number, sound_number_at
from icc_store.model.repository import Repository, counter_key, next_number
from icc_store.model.upkeep import known_copies, tried_ns
from icc_store.store.memory_store import MemoryStore
from icc_store.store.protocol import Table

NO_NUMBERS = [b"", b"1", bytes(7), bytes(9), b"\xff" * 4000]


def holding(key: bytes, row: bytes) -> Repository:
    """A repository with this row."""
    repository = Repository(Path("nowhere"), new_header(), MemoryStore(), clock=FixedClock(1))
    with repository.store.write() as txn:
        txn.put(Table.META, key, row)
    repository.objects.forget()
    return repository


def test_a_number_comes_back() -> None:
    """Whatever 64 bits hold; beyond them it begins again."""
    repository = holding(b"other", b"")
    with repository.store.write() as txn:
        for number in (0, 1, (1 << 64) - 1):
            assert (
                put_number(txn, b"key", number)
                == number_at(txn, b"key")
                == sound_number_at(txn, b"key", "it")
                == number
            )
        assert put_number(txn, b"key", 1 << 64) == 0
        assert (number_at(txn, b"none"), number_at(txn, b"none", 7), sound_number_at(txn, b"none", "it")) == (0, 7, 0)


@pytest.mark.parametrize("row", NO_NUMBERS, ids=len)
def test_a_row_that_is_no_number(row: bytes) -> None:
    """It says nothing where it is a note, and is damage where numbers are given out from."""
    assert number_at(holding(b"key", row).objects.transaction, b"key", 5) == 5
    assert next_to_verify(holding(b"verify cursor", row)) == 1
    assert tried_ns(holding(b"tried gc", row), "gc") == 0
    with holding(b"gc epoch", row).store.write() as txn:
        assert (gc_epoch(txn), bump_epoch(txn), gc_epoch(txn)) == (0, (0, 1), 1)
    key = counter_key(Table.SNAPSHOTS)
    with (
        holding(key, row).store.write() as txn,
        pytest.raises(DamageError, match="the counter of snapshots is damaged"),
    ):
        next_number(txn, Table.SNAPSHOTS)


@pytest.mark.parametrize(
    "row", [pack([float("inf"), 1]), pack([float("nan"), b""]), pack(["1", 1]), pack([1]), b"\xc1"]
)
def test_notes_that_are_none(row: bytes) -> None:
    """When all was verified, and where copies are, is told by rows of numbers and paths, and by no others."""
    assert all_verified_ns(holding(b"verified", row)) == 0
    assert known_copies(holding(b"copy x", row)) == []
    for time, path in ((float("inf"), b"/a"), ("1", b"/a"), (1, "/a"), (1, b"/a\0b")):
        assert known_copies(holding(b"copy x", pack([time, path, True]))) == []
