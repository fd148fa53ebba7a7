"""Which repository, source and host are meant when the command line does not say: environment, file, defaults.

The file is `config.toml` in `$XDG_CONFIG_HOME/icc-store`. Every function here is a pure one of the environment, given
as a mapping, and of what is on disk.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icc_store.errors import ConfigError, UsageError

REPOSITORY_VARIABLE = "ICC_STORE_REPO"


@dataclass(frozen=True)
class Config:
    """What the configuration file says; None where it says nothing."""

    path: Path
    repository: Path | None = None
    """An absolute path, or one below the home directory (`~/...`)."""
    source: str | None = None
    host: str | None = None


@dataclass(frozen=True)
class RepositoryChoice:
    """The repository that is meant. Only a default one is made at first use: a typo never starts an empty one."""

    path: Path
    made_at_first_use: bool = False


def home_directory(environ: Mapping[str, str]) -> Path:
    """`$HOME`, or what the system says about this user."""
    return Path(environ.get("HOME") or os.path.expanduser("~"))


def memory_directory(environ: Mapping[str, str]) -> Path:
    """Where the memory is that is backed up when no path is given."""
    return home_directory(environ) / ".claude" / "memory"


def config_path(environ: Mapping[str, str]) -> Path:
    """Where the configuration file is, or would be."""
    return _base(environ, "XDG_CONFIG_HOME", ".config") / "icc-store" / "config.toml"


def read_config(environ: Mapping[str, str]) -> Config:
    """What the configuration file says; nothing when there is none. Raises ConfigError naming file and key."""
    path = config_path(environ)
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return Config(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    import tomllib  # most people have no file: 4 ms at start-up

    try:
        table = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    unknown = sorted(set(table) - {"repository", "source", "host"})
    if unknown:
        raise ConfigError(
            f"{path}: unknown key {unknown[0]!r}", hint="known keys: repository (a path), source and host (text)"
        )
    for key, value in table.items():
        _check_text(path, key, value)
    repository = _repository(path, environ, table["repository"]) if "repository" in table else None
    return Config(path, repository, table.get("source"), table.get("host"))


def choose_repository(option: str | None, environ: Mapping[str, str], config: Config) -> RepositoryChoice:
    """The repository that is meant: by `--repo`, by the environment, by the file, else the default one.

    Raises UsageError when there are two default ones.
    """
    if option:
        return RepositoryChoice(Path(option))
    if environ.get(REPOSITORY_VARIABLE):
        return RepositoryChoice(Path(environ[REPOSITORY_VARIABLE]))
    if config.repository is not None:
        return RepositoryChoice(config.repository)
    memory = memory_directory(environ)
    beside = memory / "backups" / "store"
    apart = _base(environ, "XDG_DATA_HOME", ".local/share") / "icc-store" / "store"
    existing = [path for path in (beside, apart) if _something_at(path)]
    if len(existing) > 1:
        raise UsageError(
            f"there are two repositories, {beside} and {apart}", hint="say which with --repo, or in config.toml"
        )
    if existing:
        return RepositoryChoice(existing[0])
    return RepositoryChoice(beside if memory.is_dir() else apart, made_at_first_use=True)


def _base(environ: Mapping[str, str], variable: str, below_home: str) -> Path:
    """An XDG base directory; a relative one is ignored, as the XDG specification asks."""
    given = environ.get(variable, "")
    return Path(given) if given.startswith("/") else home_directory(environ) / below_home


def _something_at(path: Path) -> bool:
    """Whether a repository stands there, or anything else that must not be taken for an empty place."""
    try:
        return any(path.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return path.exists()
    except OSError:
        return True  # it cannot be looked into; opening it will say why


def _check_text(path: Path, key: str, value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{path}: {key} must be a text that is not empty, not {value!r}")


def _repository(path: Path, environ: Mapping[str, str], value: str) -> Path:
    if value.startswith("~/"):
        return home_directory(environ) / value[2:]
    if not value.startswith("/"):
        raise ConfigError(f"{path}: repository must be an absolute path or start with ~/, not {value!r}")
    return Path(value)
