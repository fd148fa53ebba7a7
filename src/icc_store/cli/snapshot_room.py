"""A snapshot that the disk has no room for: cleaned up for, tried once more, and told what would help.

A snapshot imports most of this only when its disk is full.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from icc_store.cli import units
from icc_store.cli.context import Context
from icc_store.errors import DiskFull, IccStoreError

if TYPE_CHECKING:
    from icc_store.model.repository import Repository
    from icc_store.operations.snapshot_options import SnapshotOptions, SnapshotResult


def with_room(
    context: Context,
    repository: Repository,
    paths: list[Path],
    options: SnapshotOptions,
    take: Callable[[], SnapshotResult],
    *,
    clean_up: bool,
) -> SnapshotResult:
    """What `take` gives. Where the disk is full, `clean_up` says whether retention is applied before another try.

    Raises DiskFull that says what would make room, and what needs less of it.
    """
    try:
        return take()
    except (DiskFull, OSError) as error:
        from icc_store.operations.space import is_full  # here and below: a snapshot that has room does without

        if not is_full(error):
            raise
        full: DiskFull | OSError = error
    if clean_up:
        try:
            return _again(context, repository, full, take)
        except (DiskFull, OSError) as error:
            if not is_full(error):
                raise
            full = error
    from icc_store.cli.failures import as_error

    told = as_error(full)
    advice = [told.hint or "free some space", *_advice(context, repository, paths, options)]
    raise DiskFull(told.message, hint="; ".join(advice)) from full


def _again(
    context: Context, repository: Repository, full: Exception, take: Callable[[], SnapshotResult]
) -> SnapshotResult:
    from icc_store.cli.cleanup import cleanup_options
    from icc_store.operations.space import clean_up_and_retry

    chosen = cleanup_options(context, repository)
    return clean_up_and_retry(repository, full, take, options=chosen, monitor=context.monitor, clock=context.clock)


def _advice(context: Context, repository: Repository, paths: list[Path], options: SnapshotOptions) -> Iterator[str]:
    from icc_store.cli.cleanup import gc_options
    from icc_store.operations.gc import GcOptions
    from icc_store.operations.space import room_report

    try:
        gc = gc_options(context, repository, GcOptions())
    except IccStoreError as error:
        yield f"what gc would free is not known: {error.message}"
        return
    report = room_report(repository, paths, snapshot=options, gc=gc, monitor=context.monitor, clock=context.clock)
    yield f"{units.size(report.free)} free on the disk, {units.size(report.reusable)} in the repository"
    if report.by_gc is not None:
        yield f"`icc-store gc` would make {units.size(report.by_gc)} reusable"
    if report.by_gc_now:
        yield f"`icc-store gc --now` {units.size(report.by_gc_now)}, beyond undelete"
    if report.config_only is not None:
        yield f"a snapshot with --config-only takes {units.size(report.config_only)} at most"
    if report.high_relevance is not None:
        yield f"with --high-relevance-only {units.size(report.high_relevance)}"
