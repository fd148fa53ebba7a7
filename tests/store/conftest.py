"""The stores that must behave alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from icc_store.store.lmdb_store import WRITERS_NAME, LmdbStore
from icc_store.store.locks import FileLock
from icc_store.store.memory_store import MemoryStore
from icc_store.store.protocol import Store

REPOSITORY = bytes(range(16))


def open_lmdb(path: Path, *, readonly: bool = False, timeout: float = 5.0) -> LmdbStore:
    """The LMDB store in a directory, made where there is none."""
    (path / WRITERS_NAME).mkdir(parents=True, exist_ok=True)
    return LmdbStore(path, REPOSITORY, FileLock(path / "write.lock", timeout=timeout), readonly=readonly)


@pytest.fixture
def lmdb_path(tmp_path: Path) -> Path:
    return tmp_path / "repository"


@pytest.fixture(params=["memory", "lmdb"])
def store(request: pytest.FixtureRequest, lmdb_path: Path) -> Iterator[Store]:
    """Each kind of store, new."""
    if request.param == "memory":
        yield MemoryStore()
        return
    opened = open_lmdb(lmdb_path)
    yield opened
    opened.close()


@pytest.fixture
def lmdb(lmdb_path: Path) -> Iterator[LmdbStore]:
    opened = open_lmdb(lmdb_path)
    yield opened
    opened.close()


@pytest.fixture
def opener() -> Callable[..., LmdbStore]:
    return open_lmdb
