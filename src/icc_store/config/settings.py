"""The settings that hold for a memory, merged from all who have a say, each value with its origin.

Environment, then `config.toml`, then the JSON files of the memory itself, then the defaults; options of a command
stand above all of them. The memory's own files come last because an agent writes them: it may ask for something, but
what the user has written down elsewhere is not its to change.

A broken file of the memory never stops a backup: its sound keys count, defaults stand for the rest, and `problems`
says so. What the user has set in the environment or in `config.toml` must be right, or nothing begins.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from icc_store.config.file import Config
from icc_store.config.places import cache_directory, expand, home_directory
from icc_store.entities.settings import KEYS, MemorySettings, Value, parse_text, read_settings, unexpected
from icc_store.errors import ConfigError
from icc_store.limits import DEFAULT_LEVEL, MAX_SETTINGS_FILE, MAX_SETTINGS_FILES, MIB, NO_COMPRESSION
from icc_store.operations.memory.places import has_memory_layout
from icc_store.quick_dataclass import dataclass, field

DEFAULT = "default"
_MAIN_FILE = "settings.json"

ZSTD_LEVELS: Mapping[int, int] = {1: -5, 2: -3, 3: -1, 4: 1, 5: 2, 6: DEFAULT_LEVEL, 7: 6, 8: 12, 9: 19}
"""The zstd level of new content for each `compression_level`. Of 13.7 MB of entities in solid frames they leave 5.1,
4.5, 4.0, 3.4, 3.3, 3.1, 2.9, 2.8 and 2.6 MB. One core compresses 660 MB/s at the first, 410 at the sixth, 4 at the
last."""


@dataclass(frozen=True)
class SettingProblem:
    """Something wrong in a settings file of the memory. `key` is empty for the file as a whole."""

    file: Path
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.message}"


@dataclass(frozen=True)
class Settings(MemorySettings):
    """The values that hold, with absolute paths for directories."""

    origins: Mapping[str, str] = field(default_factory=dict)
    """Who says so, for each key that is not at its default."""
    problems: tuple[SettingProblem, ...] = ()
    of_memory: bool = False
    """Whether they are those of a memory, and not of any other directory."""

    def origin(self, key: str) -> str:
        """Who says so: a file, an environment variable, or `default`."""
        return self.origins.get(key, DEFAULT)

    def is_given(self, key: str) -> bool:
        """Whether somebody has set the key, be it to its default."""
        return key in self.origins

    @property
    def level(self) -> int:
        """The zstd level of new content, or NO_COMPRESSION."""
        return ZSTD_LEVELS[self.compression_level] if self.compression_enabled else NO_COMPRESSION

    @property
    def threads(self) -> int:
        """Threads that compress: no more than there are cores, since they do nothing else."""
        return min(self.parallel_threads, os.cpu_count() or 1)

    @property
    def min_free_bytes(self) -> int:
        """What must stay free on the repository's file system: for a memory, or where somebody asks for it."""
        return self.min_free_space_mb * MIB if self._holds("min_free_space_mb") else 0

    @property
    def max_backup_bytes(self) -> int | None:
        """The size of a snapshot above which a warning is due: for a memory, or where somebody asks for it."""
        return self.max_backup_size_mb * MIB if self._holds("max_backup_size_mb") else None

    def _holds(self, key: str) -> bool:
        """Whether a bound holds here: its default is made for memories, and would be odd for a disk of videos."""
        return self.of_memory or self.is_given(key)

    @property
    def backups(self) -> Path:
        """Where the default repository and exported archives are."""
        return Path(self.backup_directory)

    @property
    def temporary(self) -> Path:
        """Where temporary files outside of a repository are made; see `icc_store.fs.temporary`."""
        return Path(self.temp_directory)


def settings_for(memory: Path | None, environ: Mapping[str, str], config: Config) -> Settings:
    """The settings that hold for what stands at `memory`; only a memory (it has `entities/`) has files of its own.

    Raises ConfigError for an environment variable that holds the wrong thing.
    """
    values: dict[str, Value] = {}
    origins: dict[str, str] = {}
    problems: list[SettingProblem] = []
    of_memory = memory is not None and has_memory_layout(memory)
    if memory is not None and of_memory:
        for file in _settings_files(memory / "config"):
            found, wrong = _read(file)
            problems += [SettingProblem(file, key, message) for key, message in wrong.items()]
            for key in found.keys() - values.keys():
                values[key], origins[key] = found[key], str(file)
    values |= config.memory
    origins |= dict.fromkeys(config.memory, str(config.path))
    for key in KEYS:
        variable = variable_of(key)
        if environ.get(variable):
            values[key], origins[key] = _from_environment(key, variable, environ[variable]), f"environment ({variable})"
    home = home_directory(environ)
    values.setdefault("backup_directory", MemorySettings.backup_directory)
    values.setdefault("temp_directory", str(cache_directory(environ) / "tmp"))
    for key in ("backup_directory", "temp_directory"):
        values[key] = str(expand(str(values[key]), home))
    given: dict[str, Any] = dict(values)
    return Settings(**given, origins=origins, problems=tuple(problems), of_memory=of_memory)


def memory_among(paths: Iterable[Path]) -> Path | None:
    """The first of some paths that is a memory, whose `config/` is to be read."""
    return next((path for path in paths if has_memory_layout(path)), None)


def variable_of(key: str) -> str:
    """The environment variable that sets a key."""
    return f"ICC_STORE_{key.upper()}"


def _from_environment(key: str, variable: str, text: str) -> Value:
    value = parse_text(key, text)
    if value is None:
        raise ConfigError(f"environment variable {variable}: {unexpected(key, text)}")
    return value


def _settings_files(folder: Path) -> list[Path]:
    """The JSON files of a memory's `config/`: `settings.json` first, for it has the first word."""
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".json") and not name.startswith("."))
    except OSError:
        return []  # no folder, no settings; the snapshot itself says what cannot be read
    names.sort(key=lambda name: name != _MAIN_FILE)
    return [folder / name for name in names[:MAX_SETTINGS_FILES]]


def _read(file: Path) -> tuple[dict[str, Value], dict[str, str]]:
    """What one file says, and what is wrong with it. A pipe in its place is not waited for."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return {}, {"": "it is not a file"}
            data = stream.read(MAX_SETTINGS_FILE + 1)
    except OSError as error:
        return {}, {"": f"it cannot be read: {error.strerror}"}
    if len(data) > MAX_SETTINGS_FILE:
        return {}, {"": f"it is larger than {MAX_SETTINGS_FILE // MIB} MiB, so it is not read for settings"}
    return read_settings(data)
