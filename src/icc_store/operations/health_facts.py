"""What is known about how the backups of each source are doing. Facts only; health.py says what they mean."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from icc_store.clock import DAY_NS
from icc_store.model.checkup import verified_ns
from icc_store.model.record import Snapshot, SnapshotClass
from icc_store.model.repository import Repository
from icc_store.model.upkeep import KnownCopy, is_copy, known_copies
from icc_store.operations.retention import WEEK_NS


@dataclass(frozen=True)
class Growth:
    """Bytes added to the repository, on average of the last week and of the last four."""

    per_day: int = 0
    per_week: int = 0


@dataclass(frozen=True)
class SourceFacts:
    """One source. Times are ns since 1970 UTC, 0 for never."""

    source: str
    newest: Snapshot
    """Its newest full snapshot."""
    first_ns: int
    """When the oldest full one that is left was taken."""
    verified_ns: int
    """When one of its full snapshots was last found whole."""
    drilled_ns: int
    """When one of them was last restored and compared, whatever came of it."""
    drill_failure: str
    """What that drill found wrong."""
    suspects: tuple[Snapshot, ...]
    growth: Growth
    gone: tuple[Path, ...]
    """Paths of it that are not on this machine any more; none of those that another machine has."""
    same_disk: bool
    """Whether a path of it is on the file system of the repository."""


@dataclass(frozen=True)
class Facts:
    """The repository and its sources. Sizes are bytes."""

    sources: tuple[SourceFacts, ...]
    free: int
    """Bytes free on the repository's file system."""
    growth: Growth
    """Of all sources together."""
    copies: tuple[KnownCopy, ...]
    is_copy: bool
    """Whether the repository is itself a copy of another."""


def gather(repository: Repository, *, host: str, now_ns: int) -> Facts:
    """The facts of a repository on the machine `host`."""
    by_source: dict[str, list[Snapshot]] = {}
    for snapshot in repository.snapshots():
        by_source.setdefault(snapshot.record.source, []).append(snapshot)
    sources = [
        _source(repository, snapshots, host, now_ns)
        for snapshots in by_source.values()
        if any(one.record.kind is SnapshotClass.FULL for one in snapshots)
    ]
    status = os.statvfs(repository.path)
    return Facts(
        sources=tuple(sources),
        free=status.f_bavail * status.f_frsize,
        growth=_sum(one.growth for one in sources),
        copies=tuple(known_copies(repository)),
        is_copy=is_copy(repository),
    )


def _source(repository: Repository, snapshots: list[Snapshot], host: str, now_ns: int) -> SourceFacts:
    full = [one for one in snapshots if one.record.kind is SnapshotClass.FULL]
    drilled = max(full, key=lambda one: one.drilled_ns or 0)
    here = [Path(os.fsdecode(path)) for path in full[-1].record.paths] if full[-1].record.host == host else []
    return SourceFacts(
        source=full[-1].record.source,
        newest=full[-1],
        first_ns=min(one.record.time_ns for one in full),
        verified_ns=max(verified_ns(repository, one) or 0 for one in full),
        drilled_ns=drilled.drilled_ns or 0,
        drill_failure=drilled.drill_failure,
        suspects=tuple(one for one in snapshots if one.suspect),
        growth=_growth(snapshots[1:], snapshots[0].record.time_ns, now_ns),
        gone=tuple(path for path in here if not os.path.lexists(path)),
        same_disk=_device(repository.path) in map(_device, here),
    )


def _growth(later: list[Snapshot], since_ns: int, now_ns: int) -> Growth:
    """What snapshots after the first added. Of a young source the mean is taken of the time there was, a day at least.

    The first one is how large it is, not how it grows.
    """
    age = max(now_ns - since_ns, DAY_NS)

    def added(within: int) -> int:
        return sum(one.record.counters.added_stored for one in later if now_ns - one.record.time_ns < within)

    per_day = added(WEEK_NS) * DAY_NS // min(age, WEEK_NS)
    per_week = added(4 * WEEK_NS) * WEEK_NS // max(min(age, 4 * WEEK_NS), WEEK_NS)
    return Growth(per_day, per_week)


def _sum(each: Iterable[Growth]) -> Growth:
    growths = list(each)
    return Growth(sum(one.per_day for one in growths), sum(one.per_week for one in growths))


def _device(path: Path) -> int | None:
    try:
        return path.stat().st_dev
    except OSError:
        return None  # it is told among what is gone
