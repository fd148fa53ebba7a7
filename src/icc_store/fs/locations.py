"""Where the default memory is, and what in a memory is never part of its backup."""

from __future__ import annotations

from pathlib import Path

from icc_store.fs.excludes import stored_below

_NEVER_IN_A_MEMORY = ("backups", "safety")


def default_memory(home: Path) -> Path:
    """The directory that is backed up when none is named."""
    return home / ".claude" / "memory"


def never_stored(root: Path, home: Path | None) -> list[bytes]:
    """Stored paths below `root` that are never part of its backup: where a memory keeps backups and safety copies.

    That is said of the default memory and of a `root` with the same layout; elsewhere directories of these names are
    like any others, and leaving them out would lose them.
    """
    memories = [] if home is None else [default_memory(home)]
    if (root / "entities").is_dir():
        memories.append(root)
    return stored_below(root, [memory / name for memory in memories for name in _NEVER_IN_A_MEMORY])
