"""What `snapshot --incremental` says: how the new snapshot differs from the full one before it."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from icc_store.cli import units

if TYPE_CHECKING:
    from icc_store.model.record import Snapshot
    from icc_store.model.repository import Repository
    from icc_store.monitor import Monitor
    from icc_store.operations.changes import DiffSummary
    from icc_store.operations.snapshot import SnapshotResult

SINCE = {
    "snapshot": "the id of the full snapshot",
    "added": "files that it does not have",
    "changed": "files with other contents",
    "removed": "files that are no longer there",
    "metadata": "files of which only metadata changed",
}
"""The fields of `since_fields`; only `snapshot` when nothing was stored."""


def changes_since(repository: Repository, result: SnapshotResult, monitor: Monitor) -> DiffSummary | None:
    """What changed since the full snapshot, in files; None when there are not two to compare."""
    if result.since is None or result.snapshot is None:
        return None
    from icc_store.operations.changes import summarise  # only --incremental compares
    from icc_store.operations.diff import diff

    changes = diff(repository, (result.since, result.snapshot), monitor=monitor)
    sides = ((change, change.after or change.before) for change in changes)
    return summarise(change for change, side in sides if side is not None and not stat.S_ISDIR(side.mode))


def since_fields(since: Snapshot | None, summary: DiffSummary | None) -> dict[str, Any] | None:
    """The changes, for JSON; None without --incremental."""
    if since is None:
        return None
    return {"snapshot": since.id.hex()} | (_counts(summary) if summary is not None else {})


def since_lines(since: Snapshot | None, summary: DiffSummary | None) -> Iterator[str]:
    """The same for people."""
    if since is None:
        return
    taken = f"since the full snapshot {since.id.hex()[:12]} of {units.local_time(since.record.time_ns)}"
    if summary is None:
        yield f"  {taken}"
        return
    counts = _counts(summary)
    words = [f"{units.number(counts[name])} {name}" for name in ("added", "changed", "removed")]
    if counts["metadata"]:
        words.append(f"{units.number(counts['metadata'])} with other metadata")
    yield f"  {taken}: {', '.join(words)}"


def _counts(summary: DiffSummary) -> dict[str, int]:
    counts = {str(kind): count for kind, count in summary.counts.items()}
    return {
        "added": counts["added"],
        "changed": counts["modified"] + counts["type"],
        "removed": counts["removed"],
        "metadata": counts["metadata"],
    }
