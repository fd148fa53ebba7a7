"""What the settings of a memory say about a snapshot of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from icc_store.cli import units
from icc_store.errors import UsageError

if TYPE_CHECKING:
    from icc_store.config.settings import Settings
    from icc_store.entities.select import Selection
    from icc_store.operations.snapshot_options import SnapshotOptions, SnapshotResult


def by_settings(options: SnapshotOptions, settings: Settings) -> SnapshotOptions:
    """These options, with what the settings say. Raises UsageError for a kind of snapshot that they rule out."""
    if options.incremental and not settings.incremental_backup_enabled:
        raise UsageError(
            f"incremental_backup_enabled is false ({settings.origin('incremental_backup_enabled')})",
            hint="take a full one: unchanged files cost nothing in it either",
        )
    return replace(
        options,
        level=settings.level,
        threads=settings.threads,
        min_free=settings.min_free_bytes,
        selection=_without_low_relevance(options.selection, settings),
    )


def size_warnings(result: SnapshotResult, settings: Settings) -> list[tuple[bytes, str]]:
    """A warning when the snapshot holds more than `max_backup_size_mb`. All of it is stored in any case."""
    limit = settings.max_backup_bytes
    if limit is None or result.counters.size <= limit:
        return []
    asked = f"max_backup_size_mb = {settings.max_backup_size_mb} ({settings.origin('max_backup_size_mb')})"
    held = units.size(result.counters.size)
    return [(b"", f"the snapshot holds {held}, more than {asked}; nothing was left out for that")]


def _without_low_relevance(selection: Selection | None, settings: Settings) -> Selection | None:
    """The selection, which also leaves out low scores where the settings say so and the command line says no other."""
    if settings.include_low_relevance:
        return selection
    from icc_store.entities.select import Selection  # few memories ask for that

    chosen = selection or Selection()
    if chosen.config_only or chosen.high_relevance_only or chosen.min_relevance is not None:
        return selection
    return replace(chosen, min_relevance=settings.min_relevance_score)
