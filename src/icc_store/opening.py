"""The composition root: the only place that picks concrete parts and puts a repository together."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.errors import (
    BlockDamaged,
    BusyError,
    DamageError,
    NetworkFileSystem,
    NotARepository,
    ReadOnlyRepository,
    RepositoryExists,
    RepositoryNotFound,
)
from icc_store.fs.mounts import is_network
from icc_store.ids import ObjectId
from icc_store.limits import LOCK_TIMEOUT
from icc_store.model.header import (
    HEADER_NAME,
    UNFINISHED_NAME,
    Header,
    announce_header,
    new_header,
    publish_header,
    read_header,
    write_header,
)
from icc_store.model.parity import PARITY_NAME, is_behind, make_parity, parity_folder, remove_parity, second_copies
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.quick_dataclass import dataclass
from icc_store.store.head import fsync_path, read_head
from icc_store.store.lmdb_store import COMPACT_NAME, DATA_NAME, HEAD_NAME, WRITERS_NAME, LmdbStore
from icc_store.store.locks import FileLock
from icc_store.store.plain_files import mapped, remove_folder, require_plain_files

if TYPE_CHECKING:
    from icc_store.operations.salvage_source import Evidence
    from icc_store.store.lmdb_pages import Guide
    from icc_store.store.lmdb_rescue import Rescued

WRITE_LOCK = "write.lock"
USE_LOCK = "use.lock"
REPAIR_NAME = "repair.tmp"
DAMAGED_NAME = "damaged.mdb"
DUE_LOCK = "due.lock"

_FILES_OF_UNFINISHED = frozenset((DATA_NAME, HEAD_NAME, "lock.mdb", WRITE_LOCK))
_OF_UNFINISHED = _FILES_OF_UNFINISHED | {USE_LOCK, WRITERS_NAME, COMPACT_NAME, PARITY_NAME, UNFINISHED_NAME}
"""All that is in a directory where a repository is being made."""


def create_repository(path: Path, *, permille: int | None = None) -> None:
    """Make a repository in a missing or empty directory, or in one where that was begun and cut short.

    `permille` is the share of damage, in thousandths, that it keeps parity for, if any.
    Raises RepositoryExists, NotARepository (something else is there), NetworkFileSystem, BusyError.
    """
    if not _create(path, new_header(), permille):
        raise RepositoryExists(f"{path} is a repository already", hint="use it, or choose another directory")


def create_copy(path: Path, original: Header) -> None:
    """Make an empty copy of a repository, likewise; do nothing where one is.

    Raises NotARepository, NetworkFileSystem, BusyError.
    """
    _create(path, original.copy_of())


def _create(path: Path, header: Header, permille: int | None = None) -> bool:
    """Make a repository, unless there is one."""
    if not _is_free(path):
        return False
    with _making(path, header.with_parity(wanted=permille is not None)) as store:
        if store is not None and permille is not None:
            make_parity(path, header, permille)
        return store is not None


@contextmanager
def _making(path: Path, header: Header) -> Iterator[LmdbStore | None]:
    """The store of a repository that is being made; it is one when the body ends well. None where somebody made one.

    Whatever it is cut short by, the next call begins anew.
    """
    _make_parents(path)
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)
    _refuse_network(path)
    with FileLock(path / USE_LOCK).held():
        if not _is_free(path):
            yield None
            return
        _remove_unfinished(path)
        announce_header(path, header)
        (path / WRITERS_NAME).mkdir(mode=0o700)
        store = LmdbStore(path, header.repository, FileLock(path / WRITE_LOCK))
        try:
            yield store
        finally:
            store.close()
        publish_header(path)  # last: before it, the directory is not a repository
    fsync_path(path.parent)


def _make_parents(path: Path) -> None:
    """Make the directories above, each with its name on the disk."""
    if not path.parent.is_dir():
        _make_parents(path.parent)
        path.parent.mkdir(exist_ok=True)
        fsync_path(path.parent.parent)


def _is_free(path: Path) -> bool:
    """Whether a repository can be made here; not where one is. Raises NotARepository where something else is."""
    if (path / HEADER_NAME).exists():
        return False
    if path.exists() and not path.is_dir():
        raise NotARepository(f"{path} is not a directory", hint="choose a missing or empty directory")
    names = {each.name for each in path.iterdir()} if path.is_dir() else set()
    if names - _OF_UNFINISHED or (UNFINISHED_NAME not in names and names - {USE_LOCK}):
        raise NotARepository(f"{path} is not empty", hint="choose a missing or empty directory")
    return True


def _remove_unfinished(path: Path) -> None:
    """Remove what was made of a repository that never became one."""
    if (path / WRITERS_NAME).exists():
        (path / WRITERS_NAME).rmdir()
    _discard(path / COMPACT_NAME)
    remove_parity(path)
    for name in sorted(_FILES_OF_UNFINISHED):
        (path / name).unlink(missing_ok=True)


def _discard(folder: Path) -> None:
    """Remove a directory of what is worth nothing any more; what cannot be removed is in nobody's way."""
    with suppress(OSError):
        remove_folder(folder)


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
    cannot be written to is opened read-only in any case. What is read goes on without annotations that are damaged.
    Raises RepositoryNotFound, NotARepository, UnsupportedFormat, NetworkFileSystem, BusyError, DamageError.
    """
    if not path.exists():
        raise RepositoryNotFound(
            f"there is no repository at {path}", hint=f"make one with `icc-store --repo {path} init`"
        )
    if not path.is_dir():
        raise NotARepository(f"{path} is a file, not a repository")
    require_plain_files(path)
    header = read_header(path)
    _refuse_network(path)
    writable = os.access(path, os.W_OK) and not os.statvfs(path).f_flag & os.ST_RDONLY
    readonly = readonly or not writable or not header.writable
    with ExitStack() as stack:
        if writable:
            use = FileLock(path / USE_LOCK, timeout=timeout, monitor=monitor, clock=clock)
            stack.enter_context(use.held(shared=not exclusive))
        lock = FileLock(path / WRITE_LOCK, timeout=timeout, monitor=monitor, clock=clock)
        store = LmdbStore(path, header.repository, lock, readonly=readonly, newest=second_copies(path, header))
        stack.callback(store.close)
        repository = Repository(path, header, store, readonly=readonly, clock=clock)
        stack.callback(repository.objects.renew)
        yield repository
        if header.has_parity and not readonly and is_behind(repository):
            from icc_store.operations.parity import catch_up  # an optional part begins

            catch_up(repository, monitor=monitor)


def compact_if_alone(path: Path, *, monitor: Monitor = SILENT, clock: Clock = SYSTEM_CLOCK) -> int:
    """Give freed bytes back to the disk if that pays and nobody has the repository open. Returns how many.

    It waits for nobody. Raises what `open_repository` raises, but BusyError.
    """
    from icc_store.operations.compact_due import compact_if_it_pays  # what collects needs it, once in a while

    try:
        with open_repository(path, monitor=monitor, clock=clock, timeout=0, exclusive=True) as repository:
            return compact_if_it_pays(repository)
    except BusyError:
        return 0


@dataclass
class Repairing:
    """A damaged repository, and a new database with what could be rescued of it."""

    repository: Repository
    """The new one. It has blocks, and nothing that is derived from them."""
    rescued: Rescued
    path: Path
    _store: LmdbStore
    _header_is_new: bool

    def take_place(self) -> Path:
        """Put the new database in the old one's place. Returns where the old one is kept."""
        self.repository.objects.renew()
        self._store.close()
        temporary, data, kept = self.path / REPAIR_NAME, self.path / DATA_NAME, self.path / DAMAGED_NAME
        fsync_path(temporary / DATA_NAME)
        kept.unlink(missing_ok=True)
        try:
            os.link(data, kept)
        except OSError:  # a file system without hard links
            data.rename(kept)
        os.replace(temporary / DATA_NAME, data)  # from here on the new one is there, and head is only behind
        fsync_path(self.path)  # else a power failure might leave the new head beside the old database
        os.replace(temporary / HEAD_NAME, self.path / HEAD_NAME)
        fsync_path(self.path)
        if self._header_is_new:
            write_header(self.path, self.repository.header)
        return kept


@contextmanager
def open_for_repair(path: Path, *, monitor: Monitor = SILENT, clock: Clock = SYSTEM_CLOCK) -> Iterator[Repairing]:
    """The repository in `path`, whatever is wrong with its database, with nobody else in it while the body runs.

    What is made anew is thrown away unless the body calls `take_place`.
    Raises what `open_repository` raises, DamageError only where nothing can be read at all.
    """
    from icc_store.store.lmdb_rescue import Rescued, rescue  # a repository is repaired once in its life, if ever

    if not path.is_dir():
        raise RepositoryNotFound(f"there is no repository at {path}", hint="name it with --repo DIR")
    header, lost_header = _header_to_repair(path)
    _refuse_network(path)
    if not header.writable or not os.access(path, os.W_OK):
        raise ReadOnlyRepository(
            f"{path} cannot be written to", hint="check its permissions, or copy it and repair that"
        )
    temporary = path / REPAIR_NAME
    with ExitStack() as stack:
        use = FileLock(path / USE_LOCK, monitor=monitor, clock=clock)
        stack.enter_context(use.held())
        stack.enter_context(FileLock(path / WRITE_LOCK, monitor=monitor, clock=clock).held())
        _discard(temporary)  # left by a repair that was killed
        temporary.mkdir(mode=0o700)
        stack.callback(_discard, temporary)
        try:
            rescued = rescue(path, temporary, header.repository)
        except DamageError as error:
            if not header.has_parity:
                raise
            rescued = Rescued(problems=[error.message])  # parity knows all blocks, and finds those that are left
            remove_folder(temporary)
            temporary.mkdir(mode=0o700)
        rescued.problems += lost_header
        store = LmdbStore(temporary, header.repository, FileLock(temporary / WRITE_LOCK))
        stack.callback(store.close)
        repository = Repository(temporary, header, store, clock=clock)
        stack.callback(repository.objects.renew)
        yield Repairing(repository, rescued, path, store, bool(lost_header))


def _header_to_repair(path: Path) -> tuple[Header, list[str]]:
    """The header of a damaged repository; where it is gone, one made from its blocks, and what is to be said of that.

    Raises as `read_header` does where no block says whose it is, OSError where they cannot be looked at.
    """
    try:
        return read_header(path), []
    except (BlockDamaged, NotARepository) as error:
        from icc_store.operations.salvage_source import header_for  # needed once in a repository's life

        file = path / DATA_NAME
        try:
            with mapped(file) as data:
                made = header_for(file, data, None).with_parity(wanted=parity_folder(path).is_dir())
        except (FileNotFoundError, ValueError, DamageError):
            raise error from None
        return made, [f"{error.message}; it was made anew from the blocks"]


@dataclass(frozen=True)
class Salvaging:
    """The bytes of a damaged database, and a new repository for what is found in them."""

    repository: Repository
    data: mmap.mmap
    evidence: Evidence


@contextmanager
def open_for_salvage(
    damaged: Path, new: Path, *, identity: bytes | None = None, clock: Clock = SYSTEM_CLOCK
) -> Iterator[Salvaging]:
    """What is in a damaged repository, or in the file of its database alone, and a new repository at `new`.

    Nothing is written to the damaged one. `identity` is the id of the repository; without it, its header says so, or,
    where that is gone, most of its blocks.
    Raises RepositoryNotFound, DamageError where there is no block, what `create_repository` raises for `new`.
    """
    from icc_store.operations.salvage_source import damaged_file, header_for, owner_at  # needed once in a life
    from icc_store.store.lmdb_pages import Guide, guide  # likewise

    file = damaged_file(damaged, DATA_NAME, new)
    if not _is_free(new):
        raise RepositoryExists(f"{new} is a repository already", hint="choose a missing or empty directory")
    with mapped(file) as data:
        header = header_for(file, data, identity)
        leads = guide(data)
        ours = any(owner_at(data, at) == header.repository for at in leads.numbers)
        evidence = _evidence(leads if ours else Guide({}), file.with_name(HEAD_NAME), header.repository)
        with _making(new, header) as store:
            if store is None:
                raise RepositoryExists(f"{new} was made by somebody else just now", hint="choose another directory")
            repository = Repository(new, header, store, clock=clock)
            yield Salvaging(repository, data, evidence)
            repository.objects.renew()


def _evidence(found: Guide, head_path: Path, repository: bytes) -> Evidence:
    """What the damaged database says itself, and whether that is the last thing it said."""
    from icc_store.operations.salvage_source import Evidence  # needed once in a repository's life

    lost = 0
    current = found.newest
    try:
        head = read_head(head_path, repository)
    except (DamageError, OSError):
        pass  # the file of a database alone, or one whose head is damaged as well
    else:
        current = found.commit is not None and (found.commit == head or found.commit.sequence > head.sequence)
        lost = max(0, head.sequence - found.commit.sequence) if found.commit is not None else 0
    return Evidence(
        numbers=found.numbers,
        snapshots=tuple(map(ObjectId, found.snapshots.ids)),
        annotations=tuple(map(ObjectId, found.annotations.ids)),
        knows_snapshots=current and found.snapshots.complete,
        knows_annotations=current and found.annotations.complete,
        lost_commits=lost,
    )


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
