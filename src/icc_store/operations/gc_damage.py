"""Damage that gc meets: snapshots that cannot be followed, over which it stops, and blocks that nothing needs.

Such blocks stay for `verify` to look at, but nothing leads there.

Which objects stand in such a block nobody can say any more; there may be trees among them, whose rows have to go before
what they hold does. So all index rows into it go, unless it holds a record: of that there is a second copy, and
`verify` mends it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from icc_store.errors import BlockDamaged, DamageError
from icc_store.ids import KEY_SIZE, ObjectId
from icc_store.model.maintenance import annotation_ids, snapshot_ids
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT
from icc_store.objects.block import Block
from icc_store.operations.gc_mark import Marks
from icc_store.operations.resolve import SHORT_ID
from icc_store.operations.verify_index import RowsByBlock

_NAMED = 10
"""Snapshots that a message names; each is followed to its end before."""


def naming_snapshots(error: DamageError, repository: Repository, gone: Collection[ObjectId]) -> DamageError:
    """The error over something that marking did not find or could not read, with the snapshots that need it.

    That is the first which cannot be followed to its end, and those that verify called suspect, if they still are.
    """
    try:
        known = [one for one in repository.snapshots(forgotten=True) if one.id not in gone]
    except DamageError:
        return error
    first = _first_damaged(repository, known)
    suspect = [one for one in known if one.suspect and one is not first][: _NAMED - 1]
    damaged = [one for one in suspect if _first_damaged(repository, [one])]
    if first is not None:
        damaged.insert(0, first)
    if not damaged:
        return error
    names = ", ".join(f"{_short(one)} {one.record.name!r}" if one.record.name else _short(one) for one in damaged)
    return DamageError(
        f"gc stopped, since what these snapshots hold is not all there: {names}: {error.message}",
        hint="`icc-store verify` names the files, and the next snapshot stores again what is still on the disk; then "
        f"`icc-store forget {' '.join(map(_short, damaged))} --purge` lets go of those that stay damaged",
    )


def _short(snapshot: Snapshot) -> str:
    return snapshot.id.hex()[:SHORT_ID]


def _first_damaged(repository: Repository, snapshots: Iterable[Snapshot]) -> Snapshot | None:
    """The first of these that something is missing of. Nothing that several of them need is followed twice."""
    marks = Marks(repository.objects, SILENT)
    for snapshot in snapshots:
        try:
            marks.mark_trees([snapshot.record.root])
            marks.mark_bases()
        except DamageError:
            return snapshot
    return None


class UnreadableBlocks:
    """Those that one sweep met."""

    def __init__(self, repository: Repository) -> None:
        self.numbers: set[int] = set()
        self._repository = repository

    def read(self, number: int, *, needed: bool) -> Block | None:
        """A block, or None when there is none that can be read. Raises BlockDamaged when something needs it."""
        try:
            return self._repository.objects.block(number)
        except BlockDamaged:
            if needed:
                raise
            self.numbers.add(number)
            return None

    def rows(self) -> list[bytes]:
        """The index rows into them that are to go."""
        if not self.numbers:
            return []
        txn = self._repository.objects.transaction
        records = {identity[:KEY_SIZE] for identity in (*snapshot_ids(txn), *annotation_ids(txn))}
        rows = RowsByBlock(self._repository, min(self.numbers), max(self.numbers) + 1)
        into = [rows.take(number) for number in sorted(self.numbers)]
        return [row for block in into if not any(row[:KEY_SIZE] in records for row in block) for row in block]
