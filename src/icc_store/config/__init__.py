"""What is meant when the command line does not say: the environment, files of settings, defaults.

Every function here is a pure one of the environment, given as a mapping, and of what is on disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from icc_store.config.choice import REPOSITORY_VARIABLE, RepositoryChoice, choose_repository
from icc_store.config.file import Config, read_config
from icc_store.config.places import (
    cache_directory,
    config_path,
    home_directory,
    memory_directory,
    state_directory,
)

if TYPE_CHECKING:
    from icc_store.config.settings import Settings

__all__ = (
    "REPOSITORY_VARIABLE",
    "Config",
    "RepositoryChoice",
    "cache_directory",
    "choose_repository",
    "config_path",
    "home_directory",
    "memory_directory",
    "read_config",
    "settings_for",
    "state_directory",
)


def settings_for(memory: Path | None, environ: Mapping[str, str], config: Config) -> Settings:
    """The settings that hold for a memory; see `icc_store.config.settings.settings_for`."""
    from icc_store.config import settings  # 2 ms that a help page need not wait for

    return settings.settings_for(memory, environ, config)
