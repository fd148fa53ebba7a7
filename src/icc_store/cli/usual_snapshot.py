"""How snapshots are taken by commands that have no options for it: as the settings of the machine and memory say."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from icc_store.cli.context import Context
from icc_store.config import home_directory, settings_for

if TYPE_CHECKING:
    from icc_store.clock import Clock
    from icc_store.model.repository import Repository
    from icc_store.monitor import Monitor
    from icc_store.operations.snapshot_options import SnapshotOptions, SnapshotResult, SnapshotTaker


def usual_options(context: Context, path: Path, source: str | None = None) -> SnapshotOptions:
    """Options for a full snapshot of `path`. Raises ConfigError."""
    from icc_store.operations.snapshot_options import SnapshotOptions

    settings = settings_for(path, context.environ, context.config)
    return SnapshotOptions(
        source=source or context.config.source or "",
        host=context.config.host or "",
        home=home_directory(context.environ),
        min_free=settings.min_free_bytes,
        level=settings.level,
        threads=settings.threads,
    )


def usual_taker(context: Context) -> SnapshotTaker:
    """How each is taken: once more where the disk is full, if the memory's settings allow to clean up for it."""
    from icc_store.cli.snapshot_room import with_room
    from icc_store.operations.snapshot import take_snapshot

    def take(
        repository: Repository, paths: Sequence[Path], *, options: SnapshotOptions, monitor: Monitor, clock: Clock
    ) -> SnapshotResult:
        (path,) = paths
        clean_up = settings_for(path, context.environ, context.config).automatic_cleanup
        once = partial(take_snapshot, repository, paths, options=options, monitor=monitor, clock=clock)
        return with_room(context, repository, [path], options, once, clean_up=clean_up)

    return take
