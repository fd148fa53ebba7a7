"""Cleaning up by itself: once a day, after a snapshot, forget what no retention rule keeps.

It only forgets. What was forgotten can be brought back for a day, and only gc removes it. Each decision is logged with
its reason before anything is forgotten. The time is bounded: snapshots go oldest first, and those that time does not
suffice for are decided on again the next day.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import tzinfo
from pathlib import Path

from icc_store.clock import SYSTEM_CLOCK, Clock, utc_text
from icc_store.fs.log_file import append_lines
from icc_store.limits import MAX_CLEANUP_SECONDS
from icc_store.model.cleanup_turn import take_turn
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.forget import forget
from icc_store.operations.retention import Decision, RetentionPolicy, decide_by_source
from icc_store.quick_dataclass import dataclass, field

_BATCH = 500
"""Snapshots forgotten in one commit."""

_SHOWN = 12


@dataclass(frozen=True)
class CleanupOptions:
    """What to clean up, and where to say so."""

    policies: Mapping[str, RetentionPolicy] = field(default_factory=dict)
    """The sources to clean up, each with its policy. All others are left alone."""
    log: Path | None = None
    time_zone: tzinfo | None = None
    most_seconds: float = MAX_CLEANUP_SECONDS


@dataclass(frozen=True)
class CleanupResult:
    """What was decided, and what of it was done."""

    decisions: tuple[Decision, ...]
    forgotten: tuple[Snapshot, ...]
    postponed: int
    """Snapshots that no rule keeps, and that time did not suffice for."""


def clean_up(
    repository: Repository,
    *,
    options: CleanupOptions = CleanupOptions(),
    monitor: Monitor = SILENT,
    clock: Clock = SYSTEM_CLOCK,
) -> CleanupResult | None:
    """Forget what no rule keeps, unless that was done within the last day: then None.

    Raises what `forget` raises when somebody else changes the same snapshots meanwhile; the rest waits for tomorrow.
    """
    if not take_turn(repository, clock.now_ns()):
        return None
    return forget_by_policy(repository, options=options, monitor=monitor, clock=clock)


def forget_by_policy(
    repository: Repository,
    *,
    options: CleanupOptions = CleanupOptions(),
    monitor: Monitor = SILENT,
    clock: Clock = SYSTEM_CLOCK,
) -> CleanupResult:
    """The same, whenever the last time was."""
    began, now = clock.monotonic(), clock.now_ns()
    monitor.phase("cleanup")
    decisions = decide_by_source(repository.snapshots(), options.policies, now_ns=now, zone=options.time_zone)
    going = [decision.snapshot.id for decision in decisions if not decision.keep]
    forgotten: list[Snapshot] = []
    _log(repository, options, now, _told(decisions), monitor)
    at = 0
    while at < len(going) and (at == 0 or clock.monotonic() - began < options.most_seconds):
        forgotten += forget(repository, going[at : at + _BATCH]).changed
        at += _BATCH
    postponed = max(0, len(going) - at)
    if going:
        rest = f", {postponed} wait for the next day" if postponed else ""
        _log(repository, options, now, [f"{len(forgotten)} forgotten{rest}"], monitor)
    return CleanupResult(decisions, tuple(forgotten), postponed)


def _told(decisions: tuple[Decision, ...]) -> Iterator[str]:
    for decision in decisions:
        snapshot, record = decision.snapshot, decision.snapshot.record
        verb, why = ("keep", decision.reasons) if decision.keep else ("forget", decision.against or decision.reasons)
        name = f" {record.name!r}" if record.name else ""
        taken = f"{snapshot.id.hex()[:_SHOWN]}{name} of {utc_text(record.time_ns)}, {record.source!r}"
        yield f"{verb} {taken}: {', '.join(why)}"


def _log(
    repository: Repository, options: CleanupOptions, now: int, lines: Iterator[str] | list[str], monitor: Monitor
) -> None:
    """Write to the log. That it cannot be written is no reason to keep what may be the last of the disk's room."""
    if options.log is None:
        return
    head = f"{utc_text(now)} {os.fspath(repository.path)}: "
    try:
        append_lines(options.log, (head + line for line in lines))
    except OSError as error:
        monitor.note(f"the log {options.log} cannot be written: {error.strerror}")
