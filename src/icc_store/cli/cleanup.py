"""What the settings say about keeping snapshots, for gc and for cleaning up after a snapshot.

A snapshot imports this once a day: the first of it cleans up.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from icc_store.cli import units
from icc_store.cli.context import Context
from icc_store.cli.failures import as_error
from icc_store.config import state_directory
from icc_store.config.retention import policies_for_cleanup, policies_for_gc, policy_of, retention_by_source
from icc_store.operations.cleanup import CleanupOptions, clean_up

if TYPE_CHECKING:
    from icc_store.model.repository import Repository
    from icc_store.operations.gc import GcOptions


def cleanup_options(context: Context, repository: Repository) -> CleanupOptions:
    """What is cleaned up by the settings of each memory, and where that is logged. Raises ConfigError."""
    found = retention_by_source(repository.snapshots(), context.environ, context.config)
    return CleanupOptions(policies_for_cleanup(found), log=state_directory(context.environ) / "cleanup.log")


def gc_options(context: Context, repository: Repository, options: GcOptions) -> GcOptions:
    """These options with the retention that each memory's settings ask for. Raises ConfigError."""
    found = retention_by_source(repository.snapshots(), context.environ, context.config)
    return replace(options, policy=policy_of(context.memory_settings(None)), policies=policies_for_gc(found))


def clean_up_after_snapshot(context: Context) -> None:
    """Clean up, if nobody has done so today. Whatever fails, the snapshot is there: that is told, and no error."""
    try:
        with context.open() as repository:
            options = cleanup_options(context, repository)
            result = clean_up(repository, options=options, monitor=context.monitor, clock=context.clock)
    except Exception as error:  # noqa: BLE001 - whatever fails now, the snapshot is there and its result is printed
        context.monitor.note(f"snapshots were not cleaned up: {as_error(error)}")
        return
    finally:
        context.monitor.finish()
    if result is not None and result.forgotten:
        context.monitor.note(
            f"cleaned up: {units.plural(len(result.forgotten), 'old snapshot')} forgotten; {options.log} says why, and "
            "`icc-store undelete` brings them back for a day"
        )
