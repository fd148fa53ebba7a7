"""Undoing the last restore: the copy that it took of what was there goes back, after a copy of what is there now.

So a rollback can be rolled back as well, and so on, back and forth.
"""

from __future__ import annotations

import os
from pathlib import Path

from icc_store.entities.layout import NEVER_IN_A_MEMORY
from icc_store.errors import SnapshotNotFound
from icc_store.fs.identity import host_name
from icc_store.model.record import Snapshot, SnapshotClass
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.memory.manifest import is_memory
from icc_store.operations.restore_plan import RestoreOptions, RestorePlan
from icc_store.operations.restore_planner import plan_restore


def last_safety_copy(repository: Repository, target: Path | None = None) -> Snapshot:
    """The newest safety copy of a directory, or of any of this machine. Raises SnapshotNotFound."""
    wanted = None if target is None else os.path.realpath(os.fsencode(target))
    for snapshot in reversed(repository.snapshots()):
        record = snapshot.record
        if record.kind is not SnapshotClass.SAFETY or record.host != host_name() or len(record.paths) != 1:
            continue
        if wanted is None or os.path.realpath(record.paths[0]) == wanted:
            return snapshot
    raise SnapshotNotFound(
        f"there is nothing to roll back: no safety copy of {target or 'any directory of this machine'} is kept",
        hint="a restore of a memory takes one, unless there was nothing before; `icc-store list` shows all snapshots",
    )


def plan_rollback(repository: Repository, copy: Snapshot, *, monitor: Monitor = SILENT) -> RestorePlan:
    """What a rollback to a safety copy will do; `restore_safely` does it. Raises TargetError, DamageError."""
    options = RestoreOptions(
        target=Path(os.fsdecode(copy.record.paths[0])),
        delete=True,
        compare=True,
        spare=NEVER_IN_A_MEMORY if is_memory(repository, copy) else (),
        verify=True,
    )
    return plan_restore(repository, copy, options=options, monitor=monitor)
