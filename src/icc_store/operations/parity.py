"""Parity: sums over all blocks, kept beside the database, from which repair brings damaged blocks back.

Blocks never change, so their sums are made once, group by group, and the last group anew when there are enough new
blocks. Until then the newest blocks are kept a second time; the store sees to that after each commit. Blocks that were
removed still stand in the sums, where they use up what could bring others back, so a group that lost too many is made
anew as well. Nothing of all this is read until something is damaged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

from icc_store.errors import BusyError, DamageError, IccStoreError, UsageError
from icc_store.limits import MIB
from icc_store.model.header import read_header
from icc_store.model.maintenance import ReadTransaction
from icc_store.model.parity import NewestBlocks, NewestState, begin_parity, end_parity, parity_size
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.objects.block import UID
from icc_store.objects.parity_cells import CELL_SIZE, PAGE_HEADER, cells
from icc_store.objects.parity_group import (
    CHECK_SIZE,
    MAX_GROUP_SUMS,
    MAX_PERMILLE,
    PERMILLE,
    Group,
    Listed,
    group_file,
    group_files,
    read_group,
    write_group,
)
from icc_store.objects.parity_rebuild import is_block

USUAL_PERMILLE = 50

_LEAST_ROOM = MIB
"""Second copies may always take this much: making parity anew costs more than so many bytes."""

_WORN = 4
"""A group is made anew when removed blocks use up a quarter of its sums."""

_NEARLY_FULL = 0.9
_NO_END = 1 << 62


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
    removed: int
    """Blocks in sums that are no longer in the database."""
    sums: int
    damaged_sums: int
    size: int
    """What all of it takes on disk."""

    @property
    def whole(self) -> bool:
        """Whether all blocks are covered and nothing of the parity is damaged."""
        return not (self.unreadable or self.uncovered or self.damaged_sums)


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
        if _newest_of(repository).state() is None:
            raise DamageError("its state is damaged", hint="run `icc-store verify`, then `icc-store parity 5%`")
        renew(repository, monitor=monitor)
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
    it, DamageError over a damaged block: the sums that could bring it back stay as they are.
    """
    newest = _newest_of(repository)
    known = None if after_repair else newest.state()
    wanted = permille or _permille(newest, repository)
    _check_share(wanted)
    if known is None:
        state, guarded = NewestState(wanted, covered=0, last=0, room=0), 0 if after_repair else _NO_END
    else:
        state, guarded = replace(known, permille=wanted), known.covered
    with newest.renewing():
        monitor.phase("parity")
        _Renewal(repository, newest, state, guarded).run(everything=everything)
    repository.objects.renew()


def status(repository: Repository) -> ParityStatus:
    """What parity there is. Reads the parity files, and no block. Raises UsageError where there is none."""
    newest = _newest_of(repository)
    state = newest.state()
    folder = newest.path.parent
    content = newest.content()
    groups, unreadable = [], []
    for file in group_files(folder):
        group = read_group(file, repository.header.repository)
        if group is None:
            unreadable.append(file.name)
        else:
            groups.append(group)
    if content.damaged or state is None:
        unreadable.append(newest.path.name)
    in_sums = {block.number for group in groups for block in group.blocks}
    with repository.store.read() as txn:
        there = {number for number, _ in txn.block_sizes()}
    return ParityStatus(
        permille=_permille(newest, repository),
        groups=len(groups),
        unreadable=tuple(unreadable),
        covered=len(in_sums & there),
        copied=len((content.copies.keys() & there) - in_sums),
        uncovered=len(there - in_sums - content.copies.keys()),
        removed=len(in_sums - there),
        sums=sum(group.shape.words * group.shape.sums for group in groups),
        damaged_sums=sum(group.lost_sums() for group in groups),
        size=parity_size(repository.path),
    )


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


@dataclass(frozen=True)
class _Range:
    """Block numbers from `first` to before `end`."""

    first: int
    end: int = _NO_END


class _Renewal:
    """One time of making parity anew. A damaged block below `guarded` ends it, for there are sums that it is in."""

    def __init__(self, repository: Repository, newest: NewestBlocks, state: NewestState, guarded: int) -> None:
        self._repository = repository
        self._newest = newest
        self._state = state
        self._guarded = guarded
        self._folder = newest.path.parent
        self._removed = newest.content().removed
        self._sizes: dict[int, int] = {}
        """Sizes of the blocks in groups that are kept, or that were made."""
        self._files: set[Path] = set()
        self._last_group = 0
        self._covered = state.covered

    def run(self, *, everything: bool) -> None:
        ranges = [_Range(1)] if everything or not self._state.covered else self._stale()
        for one in ranges:
            start = one.first
            while True:
                following = self._make(_Range(start, one.end))
                if following is None:
                    break
                start = following
        for file in set(group_files(self._folder)) - self._files:
            file.unlink()
        self._begin_copies()

    def _stale(self) -> list[_Range]:
        """What must be made anew: groups that are damaged or of which much was removed, and the last one."""
        files = group_files(self._folder)
        firsts = [int(file.stem) for file in files]
        found: list[_Range] = []
        for file, first, end in zip(files, firsts, [*firsts[1:], _NO_END], strict=True):
            group = read_group(file, self._repository.header.repository)
            if group is None or group.permille != self._state.permille or self._is_worn(group):
                found.append(_Range(first, end))
                continue
            full = len(group.cell_checks) // CHECK_SIZE > _NEARLY_FULL * self._most_cells
            if end == _NO_END and not full:
                found.append(_Range(first))
                continue
            self._files.add(file)
            self._sizes.update((block.number, block.size) for block in group.blocks)
            if end == _NO_END:
                found.append(_Range(group.blocks[-1].number + 1))
        return found or [_Range(1)]

    def _is_worn(self, group: Group) -> bool:
        gone = sum(_cells_of(block.size) for block in group.blocks if block.number in self._removed)
        return gone * _WORN > group.shape.words * group.shape.sums

    @property
    def _most_cells(self) -> int:
        return MAX_GROUP_SUMS * PERMILLE // self._state.permille

    def _make(self, wanted: _Range) -> int | None:
        """Make a group of these blocks, as many as it may have. Returns where the next one begins, if one must."""
        identity = self._repository.header.repository
        with self._repository.store.read() as txn:
            blocks, following = self._listed(txn, wanted)
            if wanted.end == _NO_END:
                self._covered = txn.last_block()
            if blocks:
                numbers = {block.number for block in blocks}
                exactly = _Range(wanted.first, blocks[-1].number + 1)
                stream = (data for number, data in _between(txn, exactly) if number in numbers)
                file = group_file(self._folder, wanted.first)
                write_group(file, identity, blocks, cells(stream), self._state.permille)
                self._files.add(file)
        self._sizes.update((block.number, block.size) for block in blocks)
        self._last_group = sum(block.size for block in blocks)
        return following

    def _listed(self, txn: ReadTransaction, wanted: _Range) -> tuple[list[Listed], int | None]:
        blocks: list[Listed] = []
        filled = 0.0
        for number, data in _between(txn, wanted):
            uid = data[UID]
            if is_block(data, self._repository.header.repository, uid):
                filled += _cells_of(len(data))
                if filled > self._most_cells and blocks:
                    return blocks, number
                blocks.append(Listed(number, uid, len(data)))
            elif number <= self._guarded:
                raise DamageError(
                    f"block {number} is damaged, and parity is kept as it is to bring it back",
                    hint="run `icc-store repair`",
                )
        return blocks, None

    def _begin_copies(self) -> None:
        """Keep second copies of what came since, under the write lock, in which nothing more can come."""
        with self._repository.store.write() as txn:
            removed = {number for number in self._newest.content().removed if number in self._sizes}
            room = max(_LEAST_ROOM, self._last_group * self._state.permille // PERMILLE)
            size = sum(self._sizes[number] for number in removed)
            state = NewestState(self._state.permille, self._covered, txn.last_block(), room, size)
            self._newest.begin(state, txn.blocks(self._covered + 1), sorted(removed))


def _between(txn: ReadTransaction, wanted: _Range) -> Iterator[tuple[int, bytes]]:
    return takewhile(lambda block: block[0] < wanted.end, txn.blocks(wanted.first))


def _cells_of(size: int) -> float:
    """How many cells a block takes, about: small ones share theirs."""
    return size / CELL_SIZE if size < CELL_SIZE // 2 else -(-(PAGE_HEADER + size) // CELL_SIZE)
