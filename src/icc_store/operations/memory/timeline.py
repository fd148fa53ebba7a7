"""The snapshots in which the past of a memory is looked up: those of one source that hold all of it, oldest first."""

from __future__ import annotations

import os

from icc_store.model.record import Snapshot, SnapshotClass
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.resolve import resolve


def timeline(
    repository: Repository,
    *,
    source: str | None = None,
    about: str = "",
    until: str | None = None,
    monitor: Monitor = SILENT,
) -> list[Snapshot]:
    """The snapshots of a source in the order they were committed, up to the one that `until` names.

    Without `source` it is that of `until`, else of the latest snapshot; where there are several sources, `about`, an
    absolute path, decides. Forgotten snapshots are left out, and selective ones: what they lack may have been there.
    Raises SnapshotNotFound, AmbiguousSnapshot.
    """
    last = resolve(repository, until or "latest", source=source, path=os.fsencode(about), monitor=monitor)
    found = [
        snapshot
        for snapshot in repository.snapshots()
        if snapshot.record.source == last.record.source
        and (snapshot.record.kind != SnapshotClass.SELECTIVE or snapshot.id == last.id)
    ]
    if until is not None:
        found = [snapshot for snapshot in found if snapshot.record.seq <= last.record.seq]
    return found
