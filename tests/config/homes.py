"""What a process sees of a home directory, and what its user has set there."""

from __future__ import annotations

from pathlib import Path

from icc_store.config import config_path


def environ(home: Path, **more: str) -> dict[str, str]:
    """The environment of a process of that user, with these variables."""
    return {"HOME": str(home), **more}


def write(home: Path, text: str) -> None:
    """Write the user's config.toml."""
    path = config_path(environ(home))
    path.parent.mkdir(parents=True)
    path.write_text(text)
