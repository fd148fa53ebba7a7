"""The composition root: the only place that picks concrete parts and puts a repository together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.errors import (
    NetworkFileSystem,
    NotARepository,
    RepositoryExists,
    RepositoryNotFound,
)
from icc_store.fs.mounts import is_network
from icc_store.limits import LOCK_TIMEOUT
from icc_store.model.header import HEADER_NAME, Header, new_header, read_header, write_header
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.store.head import fsync_path
from icc_store.store.lmdb_store import WRITERS_NAME, LmdbStore
from icc_store.store.locks import FileLock

WRITE_LOCK = "write.lock"
USE_LOCK = "use.lock"
DUE_LOCK = "due.lock"


def create_repository(path: Path) -> None:
    """Make a repository in a missing or empty directory.

    Raises RepositoryExists, NotARepository (something else is there), NetworkFileSystem.
    """
    if (path / HEADER_NAME).exists():
        raise RepositoryExists(f"{path} is a repository already", hint="use it, or choose another directory")
    _create(path, new_header())


def create_copy(path: Path, original: Header) -> None:
    """Make an empty copy of a repository in a missing or empty directory; do nothing where one is.

    Raises NotARepository, NetworkFileSystem.
    """
    if not (path / HEADER_NAME).exists():
        _create(path, original.copy_of())


def _create(path: Path, header: Header) -> None:
    if path.exists() and not path.is_dir():
        raise NotARepository(f"{path} is not a directory", hint="choose a missing or empty directory")
    if path.is_dir() and any(path.iterdir()):
        raise NotARepository(f"{path} is not empty", hint="choose a missing or empty directory")
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    _refuse_network(path)
    (path / WRITERS_NAME).mkdir(mode=0o700)
    store = LmdbStore(path, header.repository, FileLock(path / WRITE_LOCK))
    store.close()
    write_header(path, header)  # last: before it, the directory is not a repository
    fsync_path(path.parent)


@contextmanager
def open_repository(
    path: Path,
    *,
    monitor: Monitor = SILENT,
    clock: Clock = SYSTEM_CLOCK,
    timeout: float = LOCK_TIMEOUT,
    readonly: bool = False,
    exclusive: bool = False,
) -> Iterator[Repository]:
    """The repository in `path`, open in the body.

    Nobody else may have it open when `exclusive` is asked for. Read-only opening never waits for a writer; one that
    cannot be written to is opened read-only in any case.
    Raises RepositoryNotFound, NotARepository, UnsupportedFormat, NetworkFileSystem, BusyError, DamageError.
    """
    if not path.exists():
        raise RepositoryNotFound(
            f"there is no repository at {path}", hint=f"make one with `icc-store --repo {path} init`"
        )
    if not path.is_dir():
        raise NotARepository(f"{path} is a file, not a repository")
    header = read_header(path)
    _refuse_network(path)
    writable = os.access(path, os.W_OK) and not os.statvfs(path).f_flag & os.ST_RDONLY
    readonly = readonly or not writable or not header.writable
    with ExitStack() as stack:
        if writable:
            use = FileLock(path / USE_LOCK, timeout=timeout, monitor=monitor, clock=clock)
            stack.enter_context(use.held(shared=not exclusive))
        lock = FileLock(path / WRITE_LOCK, timeout=timeout, monitor=monitor, clock=clock)
        store = LmdbStore(path, header.repository, lock, readonly=readonly)
        stack.callback(store.close)
        repository = Repository(path, header, store, clock=clock)
        stack.callback(repository.objects.renew)
        yield repository


@contextmanager
def sole_keeper(path: Path) -> Iterator[None]:
    """In the body, be the only process that does what is due in the repository at `path`.

    Raises BusyError at once when another one is at it.
    """
    with FileLock(path / DUE_LOCK, timeout=0).held():
        yield


def _refuse_network(path: Path) -> None:
    kind = is_network(path)
    if kind is not None:
        raise NetworkFileSystem(
            f"{path} is on a network file system ({kind}), where LMDB's memory map and locks cannot be trusted",
            hint="keep the repository on a local disk and use `icc-store copy` to bring it elsewhere",
        )
