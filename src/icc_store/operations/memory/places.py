"""Where memories are on a machine, and what in them is never part of a backup."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from icc_store.entities.layout import NEVER_IN_A_MEMORY, USUAL_PLACE
from icc_store.entities.profiles import PROFILES, Profile, usual_places
from icc_store.fs.excludes import stored_below


def default_memory(home: Path) -> Path:
    """The directory that is backed up when none is named."""
    return home / USUAL_PLACE


def has_memory_layout(path: Path) -> bool:
    """Whether a directory looks like an icc memory."""
    return (path / "entities").is_dir()


def known_memories(home: Path, environ: Mapping[str, str]) -> list[tuple[Profile, Path]]:
    """The memories that are on this machine where their tools keep them, the default one first."""
    return [(profile, path) for profile in PROFILES for path in usual_places(profile, home, environ) if path.is_dir()]


def never_stored(root: Path, home: Path | None) -> list[bytes]:
    """Stored paths below `root` that are never part of its backup: where a memory keeps backups and safety copies.

    That is said of the default memory and of a `root` with the same layout; elsewhere directories of these names are
    like any others, and leaving them out would lose them.
    """
    memories = [] if home is None else [default_memory(home)]
    if has_memory_layout(root):
        memories.append(root)
    return stored_below(root, [memory / os.fsdecode(name) for memory in memories for name in NEVER_IN_A_MEMORY])
