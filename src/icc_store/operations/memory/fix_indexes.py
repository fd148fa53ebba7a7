"""Making the index files of a live memory anew, between two snapshots: the old ones are kept, and so are the new."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.entities.index_text import summarise
from icc_store.entities.json_text import NotJson
from icc_store.errors import SourceError
from icc_store.model.paths import display
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.memory.live import replace_live
from icc_store.operations.memory.rebuilt_indexes import RebuiltIndexes, rebuilt_indexes
from icc_store.operations.memory.validate import choose_memory
from icc_store.operations.snapshot import take_snapshot
from icc_store.operations.snapshot_options import SnapshotOptions, SnapshotResult

NAME_BEFORE, NAME_AFTER = "before-fix-indexes", "after-fix-indexes"


@dataclass(frozen=True)
class IndexChange:
    """An index file that was made anew."""

    path: bytes
    state: str
    """What it was: "drifted", "broken", or "missing"."""
    added: tuple[str, ...]
    """Ids that it did not list, in order."""
    removed: tuple[str, ...]


@dataclass(frozen=True)
class FixResult:
    """What was done. Without changes there are no snapshots."""

    changes: tuple[IndexChange, ...]
    before: SnapshotResult | None = None
    after: SnapshotResult | None = None


def fix_indexes(
    repository: Repository,
    path: Path,
    *,
    options: SnapshotOptions = SnapshotOptions(),
    monitor: Monitor = SILENT,
    clock: Clock = SYSTEM_CLOCK,
) -> FixResult:
    """Rebuild the index files of the icc memory in a directory, where they are not right.

    Each is replaced as a whole and keeps owner and mode. `options` are those of the snapshots, but for their names.
    Raises SourceError for what is no icc memory, for a directory or index file in it that cannot be read, and for an
    index file that could not be stored before; TargetError where one cannot be written.
    """
    if not choose_memory(path, options.profile).is_icc:
        raise SourceError(f"{path} is not a memory of the icc layout", hint="only such memories have index files")
    monitor.phase("rebuild")
    plan = _plan(path, clock)
    if not plan.contents:
        return FixResult(())

    def taken(name: str) -> SnapshotResult:
        named = dataclasses.replace(options, name=name)
        return take_snapshot(repository, [path], options=named, monitor=monitor, clock=clock)

    before = taken(NAME_BEFORE)
    for unsaved, why in before.problems:
        if unsaved in plan.contents:
            raise SourceError(
                f"{display(unsaved)} could not be stored, so it is not replaced: {why}",
                hint="make it readable, or move it away",
            )
    monitor.phase("rebuild")
    plan = _plan(path, clock)  # once more: the agent may have stored something meanwhile
    replace_live(path, plan.contents, now_ns=clock.now_ns())
    changes = tuple(_change(path, plan.existing.get(path), data) for path, data in sorted(plan.contents.items()))
    return FixResult(changes, before, taken(NAME_AFTER))


def _plan(root: Path, clock: Clock) -> RebuiltIndexes:
    try:
        return rebuilt_indexes(root, now_ns=clock.now_ns())
    except OSError as error:
        where = os.fsdecode(error.filename) if error.filename else root
        raise SourceError(
            f"{where} cannot be read: {error.strerror}", hint="make it readable; no index file was changed"
        ) from error


def _change(path: bytes, old: bytes | None, new: bytes) -> IndexChange:
    had = _ids(path, old)
    has = _ids(path, new) or frozenset()
    state = "missing" if old is None else "broken" if had is None else "drifted"
    had = had or frozenset()
    return IndexChange(path, state, tuple(sorted(has - had)), tuple(sorted(had - has)))


def _ids(path: bytes, data: bytes | None) -> frozenset[str] | None:
    """The entities that an index lists; None where there is no saying."""
    try:
        index = None if data is None else summarise(path, data)
    except NotJson:
        return None
    return None if index is None else index.ids
