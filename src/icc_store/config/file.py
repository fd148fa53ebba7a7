"""The configuration file: `config.toml` in `$XDG_CONFIG_HOME/icc-store`.

One flat table: `repository`, `source` and `host`, and the settings of a memory under the very names that its own JSON
has for them, so that a line can be moved from one to the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icc_store.config.places import config_path, expand, home_directory
from icc_store.errors import ConfigError
from icc_store.quick_dataclass import dataclass, field

if TYPE_CHECKING:
    from icc_store.entities.settings import Value

_OWN_KEYS = ("repository", "source", "host")


@dataclass(frozen=True)
class Config:
    """What the configuration file says; None where it says nothing."""

    path: Path
    repository: Path | None = None
    """An absolute path, or one below the home directory (`~/...`)."""
    source: str | None = None
    host: str | None = None
    memory: Mapping[str, Value] = field(default_factory=dict)
    """The settings of a memory that it holds, by key."""


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
    except RecursionError as error:
        raise ConfigError(f"{path} is nested too deeply") from error
    except ValueError as error:  # of the bytes, of the table, or of a number with thousands of digits
        raise ConfigError(f"{path} is not TOML: {error}") from error
    return _checked(path, table, home_directory(environ))


def _checked(path: Path, table: dict[str, Any], home: Path) -> Config:
    from icc_store.entities.settings import KEYS, unexpected  # likewise

    for key, value in table.items():
        if key in _OWN_KEYS:
            if not isinstance(value, str) or not value:
                raise ConfigError(f"{path}: {key} must be a text that is not empty, not {value!r}")
        elif key not in KEYS:
            raise ConfigError(f"{path}: unknown key {key!r}", hint=_suggestion(key, [*_OWN_KEYS, *KEYS]))
        elif not KEYS[key].accepts(value):
            raise ConfigError(f"{path}: {unexpected(key, value)}")
    repository = table.get("repository")
    if repository is not None and not repository.startswith(("/", "~/")):
        raise ConfigError(f"{path}: repository must be an absolute path or start with ~/, not {repository!r}")
    return Config(
        path,
        expand(repository, home) if repository else None,
        table.get("source"),
        table.get("host"),
        {key: value for key, value in table.items() if key in KEYS},
    )


def _suggestion(key: str, known: list[str]) -> str:
    import difflib  # only for a mistake: 3 ms

    close = difflib.get_close_matches(key, known, 1)
    return f"did you mean {close[0]}?" if close else f"known keys: {', '.join(known)}"
