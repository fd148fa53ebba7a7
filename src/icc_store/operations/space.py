"""A disk without room for a snapshot: what would make room, what needs less of it, and one more try after cleaning up.

Cleaning up is what the retention rules allow and no more: a snapshot that they keep is worth more than the new one.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.entities.select import Selection
from icc_store.errors import DiskFull, IccStoreError
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.cleanup import CleanupOptions, forget_by_policy
from icc_store.operations.gc import GcOptions, collect
from icc_store.operations.memory.profile_choice import choose_profile
from icc_store.operations.memory.selection import left_out
from icc_store.operations.retention import Period, RetentionPolicy, Rule
from icc_store.operations.room import size_below
from icc_store.operations.snapshot_options import SnapshotOptions
from icc_store.operations.snapshot_roots import is_single_directory
from icc_store.operations.snapshot_rules import rules_for

T = TypeVar("T")
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))
_BY_DEFAULT = GcOptions()
_ONLY_WHAT_IS_DUE = GcOptions(policy=RetentionPolicy((Rule(Period.SNAPSHOT, within_ns=1 << 63),)), renew=False)
"""Forgets nothing. Removes what was forgotten long enough ago, and what nothing needs."""


@dataclass(frozen=True)
class RoomReport:
    """Where room could come from, in bytes; None where that cannot be told."""

    free: int
    """On the repository's disk."""
    reusable: int
    """Free already within the database file."""
    by_gc: int | None
    """What gc would make reusable by the retention rules, forgotten snapshots being kept for their day."""
    by_gc_now: int | None
    """The same when they are not."""
    config_only: int | None
    """What a snapshot of the configuration alone takes at most."""
    high_relevance: int | None
    """What one without the entities of low relevance takes at most."""


def free_bytes(path: Path) -> int:
    """Bytes that this user may still write to the disk that `path` is on."""
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


def is_full(error: BaseException) -> bool:
    """Whether an error says that there is no room left."""
    return isinstance(error, DiskFull) or (isinstance(error, OSError) and error.errno in _FULL)


def clean_up_and_retry(
    repository: Repository,
    first: Exception,
    take: Callable[[], T],
    *,
    options: CleanupOptions,
    monitor: Monitor = SILENT,
    clock: Clock = SYSTEM_CLOCK,
) -> T:
    """What `take` gives once retention was applied and what is due was removed; its first time ended in `first`.

    Retention is that of the automatic cleanup, and what it forgets can be brought back for a day as always: only what
    was forgotten before is removed. Raises that first error when nothing could be cleaned up, the second where it was
    not enough.
    """
    monitor.note(f"{first}: cleaning up by the retention rules, then once more")
    repository.objects.forget()
    try:
        forgotten = forget_by_policy(repository, options=options, monitor=monitor, clock=clock).forgotten
        result = collect(repository, options=_ONLY_WHAT_IS_DUE, monitor=monitor, clock=clock)
        repository.make_freed_usable()
    except (IccStoreError, OSError) as error:
        monitor.note(f"nothing could be cleaned up: {error}")
        raise first from error
    freed = f"{result.sweep.bytes_removed:,} bytes made reusable"
    monitor.note(f"{len(forgotten)} snapshots forgotten, {len(result.removed)} removed for good, {freed}")
    repository.objects.forget()
    return take()


def room_report(
    repository: Repository,
    paths: Sequence[Path],
    *,
    snapshot: SnapshotOptions = SnapshotOptions(),
    gc: GcOptions = _BY_DEFAULT,
    monitor: Monitor = SILENT,
    clock: Clock = SYSTEM_CLOCK,
) -> RoomReport:
    """Where room could come from for a snapshot of these paths. Nothing is changed, and nothing raised."""
    repository.objects.forget()
    hours = gc.undelete_hours
    return RoomReport(
        free=free_bytes(repository.path),
        reusable=repository.reusable_bytes(),
        by_gc=_freed(repository, replace(gc, undelete_hours=hours, dry_run=True), monitor, clock),
        by_gc_now=_freed(repository, replace(gc, undelete_hours=0, dry_run=True), monitor, clock),
        config_only=_needed(repository, paths, snapshot, Selection(config_only=True)),
        high_relevance=_needed(repository, paths, snapshot, Selection(high_relevance_only=True)),
    )


def _freed(repository: Repository, options: GcOptions, monitor: Monitor, clock: Clock) -> int | None:
    try:
        return max(0, collect(repository, options=options, monitor=monitor, clock=clock).sweep.bytes_removed)
    except (IccStoreError, OSError):
        return None


def _needed(
    repository: Repository, paths: Sequence[Path], options: SnapshotOptions, selection: Selection
) -> int | None:
    """The plain bytes of what a selection keeps; less is stored, how much less nobody knows before."""
    where = [path.absolute() for path in paths]
    single = bool(where) and is_single_directory(where, options.as_path)
    try:
        profile = choose_profile(where, options.profile, single=single)
        if not single or not profile.is_icc:
            return None
        excludes = rules_for(repository.path, where, options, profile, single=single)
        left = left_out(where[0], selection, profile, excludes)
        return max(0, size_below(os.fsencode(where[0]), excludes) - left.size)
    except (IccStoreError, OSError):
        return None
