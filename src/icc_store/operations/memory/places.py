"""Where memories are on a machine, and how one is told from other directories."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from icc_store.entities.layout import USUAL_PLACE
from icc_store.entities.profiles import PROFILES, Profile, usual_places


def default_memory(home: Path) -> Path:
    """The directory that is backed up when none is named."""
    return home / USUAL_PLACE


def has_memory_layout(path: Path) -> bool:
    """Whether a directory looks like an icc memory."""
    return (path / "entities").is_dir()


def known_memories(home: Path, environ: Mapping[str, str]) -> list[tuple[Profile, Path]]:
    """The memories that are on this machine where their tools keep them, the default one first."""
    return [(profile, path) for profile in PROFILES for path in usual_places(profile, home, environ) if path.is_dir()]
