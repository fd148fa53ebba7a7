"""hook: a snapshot that stands before a dangerous step, and whether the caller may take that step.

It is named for the step, pinned, and read back to the last object before anything is said. Whoever calls it goes on
only when all of that is true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from icc_store.clock import SECOND_NS, SYSTEM_CLOCK, Clock
from icc_store.errors import IccStoreError
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.annotate import pin
from icc_store.operations.memory.manifest import is_complete, notes_of
from icc_store.operations.snapshot import take_snapshot
from icc_store.operations.snapshot_options import SnapshotOptions, SnapshotResult, SnapshotTaker
from icc_store.operations.verify import VerifyResult, verify


class Step(StrEnum):
    """What the caller is about to do."""

    MIGRATE = "pre-migrate"
    RESET = "pre-reset"
    CLEANUP = "pre-cleanup"
    UPGRADE = "pre-upgrade"


@dataclass(frozen=True)
class Guard:
    """What stands between the caller and the step. `snapshot` is pinned, `checked` is what reading it back showed."""

    snapshot: Snapshot
    taken: SnapshotResult
    checked: VerifyResult
    doubts: tuple[str, ...]
    """What is wrong with the manifest of a memory, or with its validation after the backup."""

    @property
    def is_whole(self) -> bool:
        """Whether everything is in the snapshot and was read back: only then may the caller go on."""
        return not (self.taken.problems or self.checked.findings or self.doubts)


def guard(
    repository: Repository,
    paths: Sequence[Path],
    step: Step,
    *,
    options: SnapshotOptions = SnapshotOptions(),
    take: SnapshotTaker = take_snapshot,
    monitor: Monitor = SILENT,
    clock: Clock = SYSTEM_CLOCK,
) -> Guard:
    """Take the snapshot for a step, pin it, and read all of it back. Raises as `take` does."""
    options = replace(options, name=snapshot_name(step, clock.now_ns()), skip_if_unchanged=False, dry_run=False)
    taken = take(repository, paths, options=options, monitor=monitor, clock=clock)
    if taken.snapshot is None:
        raise IccStoreError("no snapshot was made", hint="run `icc-store snapshot` to see why")
    pinned = pin(repository, [taken.snapshot.id]).snapshots[0]
    monitor.phase("verify")
    checked = verify(repository, pinned, monitor=monitor, clock=clock)
    return Guard(repository.snapshot(pinned.id), taken, checked, tuple(_doubts(pinned)))


def snapshot_name(step: Step, time_ns: int) -> str:
    """`pre-migrate-20261101-120000`, in UTC like the ids of manifests."""
    return datetime.fromtimestamp(time_ns // SECOND_NS, UTC).strftime(f"{step}-%Y%m%d-%H%M%S")


def _doubts(snapshot: Snapshot) -> list[str]:
    notes = notes_of(snapshot)
    if notes is None:
        return []
    if not is_complete(notes):
        return [f"the manifest could not be made: {notes.get('error', 'it holds too little')}"]
    return [] if notes.get("passed") else [str(failure) for failure in notes.get("failures", ["validation failed"])]
