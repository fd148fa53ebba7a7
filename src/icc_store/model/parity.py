"""Where parity stands, and how a repository comes to have it.

What tells is the header: an older program must not write to a repository with parity. What the parity is of stands in
its own files.
"""

from __future__ import annotations

from pathlib import Path

from icc_store.limits import KIB, MIB
from icc_store.model.header import Header, read_header, write_header
from icc_store.model.repository import Repository
from icc_store.store.head import fsync_path
from icc_store.store.lmdb_store import DATA_NAME
from icc_store.store.newest_blocks import NewestBlocks, NewestContent, NewestState, pieced_together
from icc_store.store.noted_write import ever_removed
from icc_store.store.plain_files import remove_folder

__all__ = ("NewestBlocks", "NewestContent", "NewestState", "ever_removed", "pieced_together")
"""What others than this module need of the store's."""

LEAST_ROOM = MIB
"""Second copies may always take this much: making parity anew costs more than so many bytes."""

PARITY_NAME = "parity"
_NEWEST = "newest"
_REMOVED_SHARE = 4
_LEAST_SUMS = 128 * KIB
"""Whether parity must be made anew is looked at when cells that removed blocks were in come to a quarter of the sums:
of the room for new blocks, which is as large, or where that is the least room, of the sums that there are at least."""


def parity_folder(repository: Path) -> Path:
    """The directory of parity files in a repository's."""
    return repository / PARITY_NAME


def is_behind(repository: Repository) -> bool:
    """Whether parity must be looked after: what it covers, with second copies, is not all that should be covered."""
    newest = repository.store.newest
    state = None if newest is None else newest.state()
    if state is None:
        return repository.header.has_parity
    with repository.store.read() as txn:
        unnoted = state.last < txn.last_block() or state.gone != ever_removed(txn)
    return unnoted or is_worn(state) or bool(state.distrusted)


def is_worn(state: NewestState) -> bool:
    """Whether so much was removed that sums may have to be made anew."""
    sums = state.room if state.room > LEAST_ROOM else _LEAST_SUMS
    return state.removed > sums // _REMOVED_SHARE


def distrust_parity(repository: Repository) -> None:
    """Let the next run that writes make all parity anew: something of it is damaged."""
    newest = repository.store.newest
    if newest is not None:
        with repository.store.write():
            newest.distrust()


def parity_size(repository: Path) -> int:
    """The bytes of all parity files of a repository; 0 where there are none."""
    folder = parity_folder(repository)
    return sum(file.stat().st_size for file in folder.iterdir()) if folder.is_dir() else 0


def second_copies(path: Path, header: Header) -> NewestBlocks | None:
    """Where second copies of the newest blocks of the repository in `path` go; None where it has no parity."""
    return _newest(path, header) if header.has_parity else None


def make_parity(path: Path, header: Header, permille: int) -> None:
    """Make the files of a parity that covers nothing yet, where nobody else has the repository open."""
    folder = parity_folder(path)
    remove_parity(path)  # of an earlier time, whose end was cut short: nobody noted what was removed since
    folder.mkdir(mode=0o700)
    _newest(path, header).begin(NewestState(permille, covered=0, last=0, room=LEAST_ROOM), (), ())
    fsync_path(path)


def begin_parity(repository: Repository, permille: int) -> None:
    """Let the repository have parity from now on; all of it is still to be made. Nobody else may have it open."""
    make_parity(repository.path, repository.header, permille)
    write_header(repository.path, read_header(repository.path).with_parity(wanted=True))


def end_parity(repository: Repository) -> None:
    """Let it have none any more. Nobody else may have it open."""
    write_header(repository.path, read_header(repository.path).with_parity(wanted=False))
    remove_parity(repository.path)


def remove_parity(repository: Path) -> None:
    """Remove all parity files in a repository's directory."""
    folder = parity_folder(repository)
    if folder.exists():
        remove_folder(folder)


def database_file(path: Path) -> Path:
    """The file of a repository's database."""
    return path / DATA_NAME


def _newest(path: Path, header: Header) -> NewestBlocks:
    return NewestBlocks(parity_folder(path) / _NEWEST, header.repository)
