"""Directories of a user, from the environment. Nothing here looks at the disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from icc_store.entities.layout import USUAL_PLACE


def home_directory(environ: Mapping[str, str]) -> Path:
    """`$HOME`, or what the system says about this user."""
    return Path(environ.get("HOME") or os.path.expanduser("~"))


def memory_directory(environ: Mapping[str, str]) -> Path:
    """Where the memory is that is backed up when no path is given."""
    return home_directory(environ) / USUAL_PLACE


def config_path(environ: Mapping[str, str]) -> Path:
    """Where the configuration file is, or would be."""
    return _base(environ, "XDG_CONFIG_HOME", ".config") / "icc-store" / "config.toml"


def data_directory(environ: Mapping[str, str]) -> Path:
    """Where a repository is that has no memory to be beside."""
    return _base(environ, "XDG_DATA_HOME", ".local/share") / "icc-store"


def state_directory(environ: Mapping[str, str]) -> Path:
    """Where logs are."""
    return _base(environ, "XDG_STATE_HOME", ".local/state") / "icc-store"


def cache_directory(environ: Mapping[str, str]) -> Path:
    """Where things are that nobody misses."""
    return _base(environ, "XDG_CACHE_HOME", ".cache") / "icc-store"


def expand(text: str, home: Path) -> Path:
    """A path that may be written below the home directory, as `~/...`."""
    return home / text[2:] if text.startswith("~/") else Path(text)


def _base(environ: Mapping[str, str], variable: str, below_home: str) -> Path:
    """An XDG base directory; a relative one is ignored, as the XDG specification asks."""
    given = environ.get(variable, "")
    return Path(given) if given.startswith("/") else home_directory(environ) / below_home
