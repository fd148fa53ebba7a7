"""A memory with its repository inside, a snapshot of it, and what an agent does to it afterwards."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icc_store.entities.select import Selection
from icc_store.model.record import Snapshot, SnapshotClass
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.memory.restore import (
    MemoryRestoreOptions,
    MemoryRestoreResult,
    plan_memory_restore,
    restore_memory,
)
from icc_store.operations.memory.restore_choice import Choice
from tests.support.compare import Facts, facts
from tests.support.entities import entity, place, text
from tests.support.live import put, snap

STORE = "backups/store"

LEARNINGS = [entity(stem=f"{name}-20250603", created_at=f"2025-06-{day:02}T08:00:00Z")
             for day, name in enumerate(("alpha", "beta", "gamma"), 3)]  # fmt: skip
PATTERN = entity("Pattern", "cache-success-20250603")
PROJECT = entity("Project", "shop-20250603", learnings=[LEARNINGS[0]["id"]])

SETTINGS = (
    b'{"version": "1.0",\n   "home": "/home/ada", "store": "/home/ada/memory/x", "other": "/home/adam", "n": 1.50,\n'
    b'   "roots": {"/home/ada/work": ["/home/ada/caf\\u00e9", "\xc3\xa9 /home/ada"]}}\n'
)

FILES: dict[str, bytes] = {
    **{os.fsdecode(place(one)): text(one) for one in (*LEARNINGS, PATTERN, PROJECT)},
    "config/settings.json": SETTINGS,
    "config/cleanup-rules.json": b'{"version": "1.0"}\n',
    "relationships/learning-to-pattern.json": text(
        {
            "version": "1.0",
            "relationship_type": "learning-to-pattern",
            "relationships": {LEARNINGS[0]["id"]: [PATTERN["id"]]},
            "statistics": {},
        }
    ),
}

ALPHA, BETA, GAMMA = (os.fsdecode(place(one)) for one in LEARNINGS)


def write(top: Path, files: Mapping[str, bytes]) -> None:
    """Write files, and nothing else."""
    for name, data in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        put(top / name, data)


def without_backups(top: Path) -> Facts:
    """Everything that is to be known of a memory but for its own backups, which a restore adds to."""
    return {path: known for path, known in facts(top).items() if path != b"backups" and path[:8] != b"backups/"}


@dataclass
class Memory:
    """A live memory, its repository, and a snapshot of it."""

    top: Path
    repository: Repository
    snapshot: Snapshot

    def spoil(self) -> None:
        """What goes wrong in a memory: lost, new, changed, moved and truncated entities."""
        (self.top / ALPHA).unlink()
        put(self.top / BETA, text(LEARNINGS[1] | {"relevance_score": 0.9}), mtime_ns=None)
        moved = self.top / "entities/Learning/archive" / Path(GAMMA).name
        moved.parent.mkdir()
        (self.top / GAMMA).rename(moved)
        write(self.top, {os.fsdecode(place(entity(stem="new-20250603"))): text(entity(stem="new-20250603"))})
        (self.top / "config/settings.json").write_bytes(b'{"version": "1')

    def load(self, path: str) -> dict[str, Any]:
        """The fields of a live entity."""
        fields: dict[str, Any] = json.loads((self.top / path).read_bytes())
        return fields

    def restore(self, *, monitor: Monitor = SILENT, **given: Any) -> MemoryRestoreResult:
        """Restore the snapshot; `types`, `created_after`, `created_before` and `ids` choose entities."""
        chosen = {name: given.pop(name) for name in ("types", "created_after", "created_before") if name in given}
        choice = Choice(Selection(**chosen), given.pop("ids", ()))
        plan = plan_memory_restore(self.repository, self.snapshot, options=MemoryRestoreOptions(choice=choice, **given))
        return restore_memory(self.repository, plan, monitor=monitor, clock=self.repository.clock)

    def safety_copies(self) -> list[Snapshot]:
        """Those that are kept."""
        return [one for one in self.repository.snapshots() if one.record.kind is SnapshotClass.SAFETY]


def remember(repository: Repository, top: Path) -> Memory:
    """A memory of these files as a snapshot has it."""
    return Memory(top, repository, snap(repository, top))
