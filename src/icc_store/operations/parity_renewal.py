"""Making parity anew where it is behind, worn or damaged.

Blocks that were removed still stand in the sums, where they use up what could bring others back, so a group that lost
too many is made anew as well. New groups take the places of old ones when all of them are written, from the last to the
first: at each instant every block that was in sums is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

from icc_store.errors import DamageError
from icc_store.limits import MAX_GROUP_SUMS
from icc_store.model.maintenance import ReadTransaction
from icc_store.model.parity import LEAST_ROOM, NewestBlocks, NewestState, ever_removed
from icc_store.model.repository import Repository
from icc_store.objects.block import UID
from icc_store.objects.index import unpack_row
from icc_store.objects.parity_cells import CELL_SIZE, PAGE_HEADER, cells
from icc_store.objects.parity_group import (
    CHECK_SIZE,
    PERMILLE,
    Group,
    Listed,
    begun_groups,
    group_file,
    group_files,
    name_groups,
    read_group,
    write_group,
)
from icc_store.objects.parity_rebuild import is_block

_WORN = 4
"""A group is made anew when removed blocks use up a quarter of its sums: one for each cell that they were in."""

_NEARLY_FULL = 0.9
_NO_END = 1 << 62


@dataclass(frozen=True)
class _Range:
    """Block numbers from `first` to before `end`."""

    first: int
    end: int = _NO_END


class Renewal:
    """One time of making parity anew. A damaged block up to `guarded` ends it, for it is in sums or there is a copy."""

    def __init__(self, repository: Repository, newest: NewestBlocks, state: NewestState, guarded: int) -> None:
        self._repository = repository
        self._newest = newest
        self._state = state
        self._guarded = guarded
        self._folder = newest.path.parent
        self._covered = state.covered
        self._groups = {file: read_group(file, repository.header.repository) for file in group_files(self._folder)}
        self._sizes: dict[Path, dict[int, int]] = {}
        """Sizes of the blocks in groups that are kept, or that were made."""
        numbers = {block.number for group in self._groups.values() if group is not None for block in group.blocks}
        with repository.store.read() as txn:
            self._removed = self._removed_of(txn, numbers)

    def fits(self) -> bool:
        """Whether all groups are as they should be, and second copies of everything else fit.

        Raises DamageError over a damaged block.
        """
        for file, group in self._groups.items():
            if group is None or self._is_stale(group):
                return False
            self._keep(file, group)
        with self._repository.store.read() as txn:
            left = self._room()
            for number, data in txn.blocks(self._covered + 1):
                left -= len(data)
                if left < 0:
                    return False
                self._is_whole(number, data)
        return True

    def run(self, *, everything: bool) -> None:
        """Make the last group anew and those that must be, or all of them; then begin second copies."""
        for file in begun_groups(self._folder):
            file.unlink()  # left by a process that was killed
        try:
            for one in [_Range(1)] if everything or not self._state.covered else self._stale():
                start: int | None = one.first
                while start is not None:
                    start = self._make(_Range(start, one.end))
            name_groups(self._folder)
        finally:
            for file in begun_groups(self._folder):
                file.unlink()
        for file in set(group_files(self._folder)) - self._sizes.keys():
            file.unlink()
        self.begin_copies()

    # ------------------------------------------------------------------ groups

    def _stale(self) -> list[_Range]:
        """What must be made anew: groups that are damaged or of which much was removed, and the last one."""
        firsts = [int(file.stem) for file in self._groups]
        found: list[_Range] = []
        for (file, group), first, end in zip(self._groups.items(), firsts, [*firsts[1:], _NO_END], strict=True):
            if group is None or self._is_stale(group):
                found.append(_Range(first, end))
                continue
            full = len(group.cell_checks) // CHECK_SIZE > _NEARLY_FULL * self._most_cells
            if end == _NO_END and not full:
                found.append(_Range(first))
                continue
            self._keep(file, group)
            if end == _NO_END:
                found.append(_Range(group.blocks[-1].number + 1))
        return found or [_Range(1)]

    def _keep(self, file: Path, group: Group) -> None:
        self._sizes[file] = {block.number: block.size for block in group.blocks}

    def _is_stale(self, group: Group) -> bool:
        """Whether it is for another share, or removed blocks use up too much of it."""
        gone: set[int] = set()
        for block, place in zip(group.blocks, group.places, strict=True):
            if block.number in self._removed:
                gone.update(range(place.cell, place.cell + place.cells))
        return group.permille != self._state.permille or len(gone) * _WORN > group.shape.words * group.shape.sums

    @property
    def _most_cells(self) -> int:
        return MAX_GROUP_SUMS * PERMILLE // self._state.permille

    def _make(self, wanted: _Range) -> int | None:
        """Write a group of these blocks, as many as it may have. Returns where the next one begins, if one must."""
        identity = self._repository.header.repository
        with self._repository.store.read() as txn:
            blocks, following = self._listed(txn, wanted)
            if wanted.end == _NO_END:
                self._covered = txn.last_block()
            if blocks:
                numbers = {block.number for block in blocks}
                exactly = _Range(wanted.first, blocks[-1].number + 1)
                file = group_file(self._folder, wanted.first)

                def stream() -> Iterator[bytes]:
                    return cells(data for number, data in _between(txn, exactly) if number in numbers)

                write_group(file, identity, blocks, stream, self._state.permille)
                self._sizes[file] = {block.number: block.size for block in blocks}
        return following

    def _listed(self, txn: ReadTransaction, wanted: _Range) -> tuple[list[Listed], int | None]:
        blocks: list[Listed] = []
        filled = 0.0
        for number, data in _between(txn, wanted):
            if self._is_whole(number, data):
                filled += _cells_of(len(data))
                if filled > self._most_cells and blocks:
                    return blocks, number
                blocks.append(Listed(number, data[UID], len(data)))
        return blocks, None

    def _is_whole(self, number: int, data: bytes) -> bool:
        """Whether nothing is wrong with a block. Raises DamageError over damage that parity could mend."""
        whole = is_block(data, self._repository.header.repository, data[UID])
        if not whole and number <= self._guarded:
            raise DamageError(
                f"block {number} is damaged, and parity is kept as it is to bring it back",
                hint="run `icc-store repair`",
            )
        return whole

    # ------------------------------------------------------------------ second copies

    def begin_copies(self) -> None:
        """Make second copies of what is in no group, under the write lock, in which nothing more can come."""
        with self._repository.store.write() as txn:
            removed = self._removed_of(txn, {number for sizes in self._sizes.values() for number in sizes})
            state = replace(
                self._state,
                covered=self._covered,
                last=txn.last_block(),
                room=self._room(),
                removed=0,
                gone=ever_removed(txn),
                distrusted=0,
            )
            self._newest.begin(state, txn.blocks(self._covered + 1), sorted(removed))

    def _room(self) -> int:
        """The bytes that second copies may take beside the last group."""
        last = sum(self._sizes[max(self._sizes)].values()) if self._sizes else 0
        return max(LEAST_ROOM, last * self._state.permille // PERMILLE)

    def _removed_of(self, txn: ReadTransaction, numbers: Collection[int]) -> set[int]:
        """Which of these blocks were removed: as it was noted, or, where a crash left that out, by their absence.

        A block to which index rows still lead was lost, and not removed.
        """
        state, content = self._newest.state(), self._newest.content()
        noted = set(content.removed.intersection(numbers))
        if state is not None and not content.damaged and state.gone == ever_removed(txn):
            return noted
        missing = set(numbers) - noted
        missing -= {number for number, _ in txn.block_sizes()} if missing else set()
        missing -= {unpack_row(row)[1].block for row in txn.rows()} if missing else set()
        return noted | missing


def _between(txn: ReadTransaction, wanted: _Range) -> Iterator[tuple[int, bytes]]:
    return takewhile(lambda block: block[0] < wanted.end, txn.blocks(wanted.first))


def _cells_of(size: int) -> float:
    """How many cells a block takes, about: small ones share theirs."""
    return size / CELL_SIZE if size < CELL_SIZE // 2 else -(-(PAGE_HEADER + size) // CELL_SIZE)
