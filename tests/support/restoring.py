"""A restore that must go well, and what it did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.operations.restore import RestoreResult, restore
from icc_store.operations.restore_plan import Action, RestoreOptions

FILES = {"a": b"a\n", "d/b": b"b\n" * 100, "d/e/c": b"", "large": bytes(range(256)) * 12_000}
"""What most restores here are of."""


def back(repository: Repository, snapshot: Snapshot, target: Path | None = None, **options: Any) -> RestoreResult:
    """Restore without any failure."""
    result = restore(repository, snapshot, options=RestoreOptions(target, **options))
    assert result.failures == ()
    return result


def done(result: RestoreResult) -> dict[str, int]:
    """What was done, what was kept apart."""
    return {action.name: count for action, count in result.counts.items() if count and action is not Action.KEEP}
