"""Which retention holds for which source: each memory says itself how long its backups are kept.

A snapshot's record has the paths it was taken of. Where a memory stands there, its settings hold; for all else those
of the environment, of `config.toml`, and the defaults.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from icc_store.config.file import Config
from icc_store.config.settings import SettingProblem, Settings, memory_among, settings_for
from icc_store.errors import ConfigError
from icc_store.model.record import Snapshot, SnapshotClass
from icc_store.operations.retention import RetentionPolicy, default_policy
from icc_store.quick_dataclass import dataclass

_KEYS = ("", "backup_retention_days", "max_backups_kept", "automatic_cleanup")


@dataclass(frozen=True)
class SourceRetention:
    """What holds for one source."""

    settings: Settings
    present: bool
    """Whether what it is a snapshot of is still there. A source that is lost is no time to throw backups away."""

    @property
    def policy(self) -> RetentionPolicy:
        """How long its snapshots are kept."""
        return policy_of(self.settings)

    @property
    def problem(self) -> SettingProblem | None:
        """What is wrong in the memory's own settings, if that may be what it says about keeping its backups."""
        return next((one for one in self.settings.problems if one.key in _KEYS), None)


def policy_of(settings: Settings) -> RetentionPolicy:
    """How long snapshots are kept by these settings."""
    return default_policy(
        max_backups_kept=settings.max_backups_kept, backup_retention_days=settings.backup_retention_days
    )


def retention_by_source(
    snapshots: Iterable[Snapshot], environ: Mapping[str, str], config: Config
) -> dict[str, SourceRetention]:
    """What holds for each source that has a full snapshot, by the paths of its newest one."""
    full = (snapshot for snapshot in snapshots if snapshot.record.kind is SnapshotClass.FULL)  # rules are for these
    newest = {snapshot.record.source: snapshot for snapshot in full}
    found = {}
    for source, snapshot in newest.items():
        paths = [Path(os.fsdecode(path)) for path in snapshot.record.paths]
        settings = settings_for(memory_among(paths), environ, config)
        found[source] = SourceRetention(settings, present=all(path.exists() for path in paths))
    return found


def policies_for_gc(found: Mapping[str, SourceRetention]) -> dict[str, RetentionPolicy]:
    """The policy of each source.

    Raises ConfigError where a memory's own file is broken: what it says about keeping its backups cannot be known.
    """
    for source, retention in found.items():
        if retention.problem is not None:
            raise ConfigError(
                f"{retention.problem}; so it is not known how long the snapshots of {source!r} are to be kept",
                hint="put that right, or say what to keep with --keep options",
            )
    return {source: retention.policy for source, retention in found.items()}


def policies_for_cleanup(found: Mapping[str, SourceRetention]) -> dict[str, RetentionPolicy]:
    """The policies of the sources that are cleaned up by themselves: those that are there, say so, and say it well."""
    return {
        source: retention.policy
        for source, retention in found.items()
        if retention.settings.automatic_cleanup and retention.present and retention.problem is None
    }
