"""icc-store: a content-addressed, deduplicating backup store.

    from pathlib import Path
    import icc_store

    icc_store.create_repository(Path("store"))
    with icc_store.open_repository(Path("store")) as repository:
        made = icc_store.take_snapshot(repository, [Path("notes")])
        newest = icc_store.resolve(repository, "latest")

A repository is opened for one piece of work and closed after it; operations take it as their first argument, then
what to act on, then options. Errors are those of `icc_store.errors`, all below `IccStoreError`. docs/api.md has more.

Names are looked up when they are first used, because start-up time counts for a command that hooks run all day.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from icc_store.entities.select import Selection
    from icc_store.errors import IccStoreError
    from icc_store.model.record import Snapshot, SnapshotRecord
    from icc_store.model.repository import Repository
    from icc_store.monitor import Monitor
    from icc_store.opening import create_repository, open_repository
    from icc_store.operations.annotate import TagOptions, note, pin, tag
    from icc_store.operations.contents import list_directory, read_file
    from icc_store.operations.copy import copy_repository
    from icc_store.operations.diff import diff
    from icc_store.operations.diff_live import diff_live
    from icc_store.operations.drill import drill
    from icc_store.operations.find import find
    from icc_store.operations.forget import ForgetOptions, forget, undelete
    from icc_store.operations.gc import GcOptions, collect
    from icc_store.operations.health import HealthOptions, check_health
    from icc_store.operations.hook import guard
    from icc_store.operations.listing import ListOptions, list_snapshots
    from icc_store.operations.memory.blame import BlameOptions, blame
    from icc_store.operations.memory.entity_diff import entity_diff
    from icc_store.operations.memory.entity_diff_live import entity_diff_live
    from icc_store.operations.memory.fix_indexes import fix_indexes
    from icc_store.operations.memory.history import history
    from icc_store.operations.memory.manifest import manifest_of, rebuild_manifest
    from icc_store.operations.memory.restore import MemoryRestoreOptions, plan_memory_restore, restore_memory
    from icc_store.operations.memory.search import SearchOptions, search
    from icc_store.operations.memory.validate import validate_directory, validate_snapshot
    from icc_store.operations.resolve import resolve
    from icc_store.operations.restore import restore
    from icc_store.operations.restore_plan import RestoreOptions
    from icc_store.operations.restore_planner import plan_restore
    from icc_store.operations.restore_safety import restore_safely
    from icc_store.operations.rollback import last_safety_copy, plan_rollback
    from icc_store.operations.snapshot import SnapshotOptions, take_snapshot
    from icc_store.operations.stats import stats
    from icc_store.operations.tar_export import ExportOptions, export_tar
    from icc_store.operations.tar_import import ImportOptions, import_tar
    from icc_store.operations.verify import VerifyOptions, verify
    from icc_store.operations.watch import WatchOptions, watch
    from icc_store.version import VERSION

_HOMES = {
    "entities.select": ("Selection",),
    "errors": ("IccStoreError",),
    "model.record": ("Snapshot", "SnapshotRecord"),
    "model.repository": ("Repository",),
    "monitor": ("Monitor",),
    "opening": ("create_repository", "open_repository"),
    "operations.annotate": ("TagOptions", "note", "pin", "tag"),
    "operations.contents": ("list_directory", "read_file"),
    "operations.copy": ("copy_repository",),
    "operations.diff": ("diff",),
    "operations.diff_live": ("diff_live",),
    "operations.drill": ("drill",),
    "operations.find": ("find",),
    "operations.forget": ("ForgetOptions", "forget", "undelete"),
    "operations.gc": ("GcOptions", "collect"),
    "operations.health": ("HealthOptions", "check_health"),
    "operations.hook": ("guard",),
    "operations.listing": ("ListOptions", "list_snapshots"),
    "operations.memory.blame": ("BlameOptions", "blame"),
    "operations.memory.entity_diff": ("entity_diff",),
    "operations.memory.entity_diff_live": ("entity_diff_live",),
    "operations.memory.fix_indexes": ("fix_indexes",),
    "operations.memory.history": ("history",),
    "operations.memory.manifest": ("manifest_of", "rebuild_manifest"),
    "operations.memory.restore": ("MemoryRestoreOptions", "plan_memory_restore", "restore_memory"),
    "operations.memory.search": ("SearchOptions", "search"),
    "operations.memory.validate": ("validate_directory", "validate_snapshot"),
    "operations.resolve": ("resolve",),
    "operations.restore": ("restore",),
    "operations.restore_plan": ("RestoreOptions",),
    "operations.restore_planner": ("plan_restore",),
    "operations.restore_safety": ("restore_safely",),
    "operations.rollback": ("last_safety_copy", "plan_rollback"),
    "operations.snapshot": ("SnapshotOptions", "take_snapshot"),
    "operations.stats": ("stats",),
    "operations.tar_export": ("ExportOptions", "export_tar"),
    "operations.tar_import": ("ImportOptions", "import_tar"),
    "operations.verify": ("VerifyOptions", "verify"),
    "operations.watch": ("WatchOptions", "watch"),
    "version": ("VERSION",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = (
    "VERSION",
    "BlameOptions",
    "ExportOptions",
    "ForgetOptions",
    "GcOptions",
    "HealthOptions",
    "IccStoreError",
    "ImportOptions",
    "ListOptions",
    "MemoryRestoreOptions",
    "Monitor",
    "Repository",
    "RestoreOptions",
    "SearchOptions",
    "Selection",
    "Snapshot",
    "SnapshotOptions",
    "SnapshotRecord",
    "TagOptions",
    "VerifyOptions",
    "WatchOptions",
    "blame",
    "check_health",
    "collect",
    "copy_repository",
    "create_repository",
    "diff",
    "diff_live",
    "drill",
    "entity_diff",
    "entity_diff_live",
    "export_tar",
    "find",
    "fix_indexes",
    "forget",
    "guard",
    "history",
    "import_tar",
    "last_safety_copy",
    "list_directory",
    "list_snapshots",
    "manifest_of",
    "note",
    "open_repository",
    "pin",
    "plan_memory_restore",
    "plan_restore",
    "plan_rollback",
    "read_file",
    "rebuild_manifest",
    "resolve",
    "restore",
    "restore_memory",
    "restore_safely",
    "search",
    "stats",
    "tag",
    "take_snapshot",
    "undelete",
    "validate_directory",
    "validate_snapshot",
    "verify",
    "watch",
)


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
