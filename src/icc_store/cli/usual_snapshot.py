"""How snapshots are taken by commands that have no options for it: as the settings of the machine and memory say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from icc_store.cli.context import Context
from icc_store.config import home_directory, settings_for

if TYPE_CHECKING:
    from icc_store.operations.snapshot_options import SnapshotOptions


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
