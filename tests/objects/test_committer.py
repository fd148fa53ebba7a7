"""Batches that a thread commits while the caller goes on: real LMDB, and somebody else who has its lock."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from icc_store.errors import BusyError
from icc_store.ids import KEY_SIZE, Kind, ObjectId
from icc_store.limits import KIB, MIB
from icc_store.objects.writer import ObjectWriter
from icc_store.store.lmdb_store import LmdbStore
from icc_store.store.locks import FileLock
from tests.support.shelf import REPOSITORY, Shelf, noise

SIZE = 80 * KIB
PER_BATCH = 32
"""Chunks after which one batch of a MiB is on its way: the rest waits, or is in the pool."""


def shelf_in(path: Path, timeout: float) -> Iterator[Shelf]:
    path.mkdir()
    store = LmdbStore(path, REPOSITORY, FileLock(path / "write.lock", timeout=timeout))
    yield Shelf(store)
    store.close()


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Shelf]:
    """One whose writers wait for each other."""
    yield from shelf_in(tmp_path / "store", 60)


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[Shelf]:
    """One whose writers give up at once."""
    yield from shelf_in(tmp_path / "store", 0)


@pytest.fixture
def somebody(tmp_path: Path) -> FileLock:
    """Somebody else's way to the lock."""
    return FileLock(tmp_path / "store" / "write.lock", timeout=60)


def add(writer: ObjectWriter, chunks: range) -> list[ObjectId]:
    writer.batch_bytes = MIB
    return [writer.add(Kind.CHUNK, noise(seed, SIZE)) for seed in chunks]


def assert_all_is_there_once(shelf: Shelf, writer: ObjectWriter, ids: list[ObjectId]) -> None:
    assert [shelf.fresh().get(one, Kind.CHUNK) for one in ids] == [noise(seed, SIZE) for seed in range(len(ids))]
    assert len({one for block in shelf.blocks().values() for frame in block.frames for one in frame.ids}) == len(ids)
    with shelf.store.read() as txn:
        assert len(list(txn.rows())) == len(ids)
        assert sum(size for _, size in txn.block_sizes()) == writer.counters.stored_bytes
        assert txn.last_block() == writer.counters.blocks


def test_nobody_waits_for_a_batch_but_the_next(patient: Shelf, somebody: FileLock) -> None:
    """While a batch cannot be committed, objects are added; none of them is stored twice, seen or not."""
    with patient.writing() as writer:
        with somebody.held():
            ids = add(writer, range(PER_BATCH))
            with patient.store.read() as txn:
                assert not list(txn.rows())
            assert all(writer.has(one) for one in ids)
            assert add(writer, range(PER_BATCH)) == ids
        writer.rest()
        with patient.store.read() as txn:
            there = {row[:KEY_SIZE] for row in txn.rows()}
        assert there <= {one[:KEY_SIZE] for one in ids}
        assert len(there) * SIZE >= MIB
        ids += add(writer, range(PER_BATCH, 4 * PER_BATCH))
    assert_all_is_there_once(patient, writer, ids)


def test_a_batch_that_failed_is_committed_with_what_follows(hasty: Shelf, somebody: FileLock) -> None:
    """Whoever adds next is told; nothing of the batch is in the store, and nothing of it is lost."""
    with hasty.writing() as writer:
        with somebody.held():
            ids = add(writer, range(PER_BATCH))
            with pytest.raises(BusyError, match="in use by"):
                writer.rest()
            with hasty.store.read() as txn:
                assert not list(txn.rows())
            assert all(writer.has(one) for one in ids)
        ids += add(writer, range(PER_BATCH, 3 * PER_BATCH))
    assert_all_is_there_once(hasty, writer, ids)


def test_an_interrupted_wait_for_a_batch_can_be_waited_out(patient: Shelf, somebody: FileLock) -> None:
    """Ctrl-C ends the waiting at once; the batch is neither lost nor stored again by who goes on."""
    with patient.writing() as writer:
        with somebody.held():
            ids = add(writer, range(PER_BATCH))
            timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            with pytest.raises(KeyboardInterrupt):
                writer.rest()
            timer.join()
        ids += add(writer, range(PER_BATCH, 2 * PER_BATCH))
    assert_all_is_there_once(patient, writer, ids)


def test_closing_waits_for_the_batch_that_is_on_its_way(patient: Shelf, somebody: FileLock) -> None:
    """So that the store can be closed after it: no thread works in an environment that is gone."""
    writing = patient.writing()
    writer = writing.__enter__()
    with somebody.held():
        ids = add(writer, range(PER_BATCH))
        closing = threading.Thread(target=writer.close)
        closing.start()
        closing.join(0.2)
        assert closing.is_alive()
    closing.join()
    with patient.store.read() as txn:
        there = {row[:KEY_SIZE] for row in txn.rows()}
    assert there
    assert there <= {one[:KEY_SIZE] for one in ids}
