"""Parity: sums over all blocks, kept beside the database, from which repair brings damaged blocks back.

Blocks never change, so their sums are made once, group by group, and the last group anew when there are enough new
blocks (operations/parity_renewal.py). Until then the newest blocks are kept a second time; the store sees to that after
each commit. Nothing of all this is read until something is damaged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from icc_store.errors import BusyError, IccStoreError, UsageError
from icc_store.limits import MAX_PERMILLE
from icc_store.model.header import read_header
from icc_store.model.parity import NewestBlocks, NewestState, begin_parity, end_parity, parity_size
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.objects.block import UID
from icc_store.objects.parity_group import Group, group_files, read_group
from icc_store.objects.parity_rebuild import is_block
from icc_store.operations.parity_renewal import Renewal

USUAL_PERMILLE = 50

_EVERY_BLOCK = 1 << 62


@dataclass(frozen=True)
class ParityStatus:
    """What parity there is. Sizes are bytes."""

    permille: int
    """The share of damage it is made for, in thousandths."""
    groups: int
    unreadable: tuple[str, ...]
    """Names of parity files that are too damaged to be of use."""
    covered: int
    """Blocks that stand in sums."""
    copied: int
    """Newer blocks of which there are second copies."""
    uncovered: int
    """Blocks of which there is neither."""
    missing: int
    """Those among them that should be covered."""
    removed: int
    """Blocks in sums that are no longer in the database."""
    sums: int
    damaged_sums: int
    damaged_lists: int
    """Pages of the groups' lists that are damaged. Half of a list is enough to know all of it."""
    size: int
    """What all of it takes on disk."""

    @property
    def whole(self) -> bool:
        """Whether all blocks are covered and nothing of the parity is damaged."""
        return not (self.unreadable or self.uncovered or self.damaged_sums or self.damaged_lists)


def turn_on(repository: Repository, permille: int) -> None:
    """Let a repository, which nobody else has open, keep parity for this share of damage. `renew` then makes it.

    Raises UsageError for a share that cannot be had.
    """
    _check_share(permille)
    begin_parity(repository, permille)


def turn_off(repository: Repository) -> None:
    """Remove the parity of a repository that nobody else has open."""
    end_parity(repository)


def catch_up(repository: Repository, *, monitor: Monitor = SILENT) -> None:
    """Make parity anew where it is behind. Never fails: what cannot be done now is told, and done the next time."""
    if not read_header(repository.path).has_parity:
        return  # it has just been turned off
    try:
        newest = _newest_of(repository)
        state = newest.state()
        if state is None or state.distrusted:
            renew(repository, everything=True, monitor=monitor)
            return
        with newest.renewing():
            monitor.phase("parity")
            renewal = Renewal(repository, newest, state, state.last)
            if renewal.fits():
                renewal.begin_copies()
            else:
                renewal.run(everything=False)
    except BusyError:
        pass  # another process is at it
    except (IccStoreError, OSError) as error:
        monitor.note(f"parity is behind: {error}")


def renew(
    repository: Repository,
    *,
    permille: int | None = None,
    everything: bool = False,
    after_repair: bool = False,
    monitor: Monitor = SILENT,
) -> None:
    """Bring the sums up to the newest block: the last group anew, and those of which much was removed.

    `permille`: for another share. `everything`: all groups, so that nothing of removed blocks is left in any of them.
    `after_repair`: likewise, and damaged blocks are left out, since nothing can bring them back.
    Raises UsageError where there is no parity or for a share that cannot be had, BusyError when another process is at
    it, DamageError over a damaged block: what could bring it back, sums or a second copy, stays as it is.
    """
    newest = _newest_of(repository)
    known = None if after_repair else newest.state()
    wanted = permille or _permille(newest, repository)
    _check_share(wanted)
    if known is None:
        state, guarded = NewestState(wanted, covered=0, last=0, room=0), 0 if after_repair else _EVERY_BLOCK
    else:
        state, guarded = replace(known, permille=wanted), known.last
    with newest.renewing():
        monitor.phase("parity")
        Renewal(repository, newest, state, guarded).run(everything=everything)
    repository.objects.renew()


def status(repository: Repository) -> ParityStatus:
    """What parity there is. Reads the parity files, and no block. Raises UsageError where there is none."""
    newest = _newest_of(repository)
    state = newest.state()
    content = newest.content()
    groups, unreadable = _groups_of(newest, repository)
    if content.damaged:
        unreadable.append(newest.path.name)
    in_sums = {block.number for group in groups for block in group.blocks}
    with repository.store.read() as txn:
        there = {number for number, _ in txn.block_sizes()}
        uncovered = there - in_sums - content.copies.keys()
        should_be = {number for number in uncovered if state is not None and number <= state.last}
        missing = sum(_is_whole(txn.block(number), repository) for number in should_be)
    return ParityStatus(
        permille=_permille(newest, repository),
        groups=len(groups),
        unreadable=tuple(unreadable),
        covered=len(in_sums & there),
        copied=len((content.copies.keys() & there) - in_sums),
        uncovered=len(uncovered),
        missing=missing,
        removed=len(in_sums - there),
        sums=sum(group.shape.words * group.shape.sums for group in groups),
        damaged_sums=sum(group.lost_sums() for group in groups),
        damaged_lists=sum(group.lost_pages for group in groups),
        size=parity_size(repository.path),
    )


def _groups_of(newest: NewestBlocks, repository: Repository) -> tuple[list[Group], list[str]]:
    """The groups that there are, and the names of files that should be one."""
    groups, unreadable = [], []
    for file in group_files(newest.path.parent):
        try:
            group = read_group(file, repository.header.repository)
        except FileNotFoundError:
            continue  # another process makes parity anew
        if group is None:
            unreadable.append(file.name)
        else:
            groups.append(group)
    return groups, unreadable


def _is_whole(data: bytes | None, repository: Repository) -> bool:
    return data is not None and is_block(data, repository.header.repository, data[UID])


def _check_share(permille: int) -> None:
    if not 0 < permille <= MAX_PERMILLE:
        raise UsageError(f"parity can be made for up to {MAX_PERMILLE / 10:g}% of damage", hint="5% is usual")


def _newest_of(repository: Repository) -> NewestBlocks:
    if repository.store.newest is None:
        raise UsageError(f"{repository.path} has no parity", hint="`icc-store parity 5%` makes it")
    return repository.store.newest


def _permille(newest: NewestBlocks, repository: Repository) -> int:
    """The share that parity is made for, from whatever file still says it."""
    state = newest.state()
    if state is not None:
        return state.permille
    groups = (read_group(file, repository.header.repository) for file in group_files(newest.path.parent))
    return next((group.permille for group in groups if group is not None), USUAL_PERMILLE)
