"""What in a memory is never part of its backup."""

from __future__ import annotations

from pathlib import Path

from icc_store.operations.memory.places import default_memory
from icc_store.operations.snapshot_rules import never_stored


def test_backups_are_no_part_of_a_memory(tmp_path: Path) -> None:
    """Backups and safety copies stay out of a backup of their memory, and of every directory above it."""
    memory = default_memory(tmp_path)
    memory.mkdir(parents=True)
    assert never_stored(memory, tmp_path) == [b"backups", b"safety"]
    assert never_stored(tmp_path, tmp_path) == [b".claude/memory/backups", b".claude/memory/safety"]


def test_directories_of_that_name_elsewhere_are_kept(tmp_path: Path) -> None:
    """Only a directory with a memory's layout is treated as one."""
    other = tmp_path / "other"
    (other / "backups").mkdir(parents=True)
    assert never_stored(other, tmp_path) == []
    (other / "entities").mkdir()
    assert never_stored(other, tmp_path) == [b"backups", b"safety"]
