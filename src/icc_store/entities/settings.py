"""The settings of a memory system: their keys, defaults and bounds, and what a JSON file of the memory says of them.

A memory keeps them in `config/`, beside keys of its own that mean nothing here: those are left alone. A known key that
holds the wrong thing is a problem, told with what was expected; all other keys of that file still count.
"""

from __future__ import annotations

import json  # not `json_text`: the repository's header has it loaded by then, and msgspec would take 25 ms
from collections.abc import Mapping
from types import MappingProxyType

from icc_store.limits import MAX_BACKUPS, MAX_DAYS, MAX_MEGABYTES, MAX_THREADS
from icc_store.quick_dataclass import dataclass

Value = bool | int | float | str

_LAST_LEVEL = 9


@dataclass(frozen=True)
class MemorySettings:
    """One value for each key."""

    backup_retention_days: int = 90
    max_backups_kept: int = 10
    compression_enabled: bool = True
    compression_level: int = 6
    include_low_relevance: bool = True
    min_relevance_score: float = 0.3
    incremental_backup_enabled: bool = True
    automatic_cleanup: bool = True
    parallel_threads: int = 4
    max_backup_size_mb: int = 100
    min_free_space_mb: int = 500
    backup_directory: str = "~/.claude/memory/backups/"
    temp_directory: str = ""
    """Empty: a directory of the program's own, below the user's cache."""


class Kind:
    """What a key may hold. `expected` completes the sentence "it must be ..."."""

    def __init__(self, expected: str, types: tuple[type, ...], least: float = 0, most: float = 0) -> None:
        self.expected = expected
        self.types = types
        self._least = least
        self._most = most

    def accepts(self, value: object) -> bool:
        """Whether a value of a JSON or TOML file fits. True is no number, and 90.0 no whole one."""
        if type(value) not in self.types:
            return False
        if isinstance(value, str):
            return value.startswith(("/", "~/")) and _is_name(value)
        if isinstance(value, bool):
            return True
        return isinstance(value, int | float) and self._least <= value <= self._most  # NaN is not


def _is_name(text: str) -> bool:
    """Whether a text can be a path: JSON can hold a zero byte, and half of a character, which no path can."""
    try:
        return b"\0" not in text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False


def _whole(least: int, most: int) -> Kind:
    return Kind(f"a whole number from {least} to {most}", (int,), least, most)


_SWITCH = Kind("true or false", (bool,))
_SHARE = Kind("a number from 0 to 1", (int, float), 0, 1)
_DIRECTORY = Kind("an absolute path or one that starts with ~/", (str,))

KEYS: Mapping[str, Kind] = MappingProxyType(
    {
        "backup_retention_days": _whole(1, MAX_DAYS),
        "max_backups_kept": _whole(1, MAX_BACKUPS),
        "compression_enabled": _SWITCH,
        "compression_level": _whole(1, _LAST_LEVEL),
        "include_low_relevance": _SWITCH,
        "min_relevance_score": _SHARE,
        "incremental_backup_enabled": _SWITCH,
        "automatic_cleanup": _SWITCH,
        "parallel_threads": _whole(1, MAX_THREADS),
        "max_backup_size_mb": _whole(1, MAX_MEGABYTES),
        "min_free_space_mb": _whole(0, MAX_MEGABYTES),
        "backup_directory": _DIRECTORY,
        "temp_directory": _DIRECTORY,
    }
)
"""Every key and what it may hold."""


def read_settings(data: bytes) -> tuple[dict[str, Value], dict[str, str]]:
    """What a JSON file of the memory says: values by key, and by key what is wrong.

    What is wrong with the file as a whole stands under the empty key.
    """
    try:
        whole = json.loads(data)
    except RecursionError:
        return {}, {"": "it is nested too deeply"}
    except ValueError as error:
        return {}, {"": f"it is not JSON: {error}"}
    if not isinstance(whole, dict):
        return {}, {"": "it must be a JSON object"}
    found = {key: whole[key] for key in KEYS if key in whole}
    wrong = {key: unexpected(key, value) for key, value in found.items() if not KEYS[key].accepts(value)}
    return {key: value for key, value in found.items() if key not in wrong}, wrong


def unexpected(key: str, value: object) -> str:
    """What to say of a value that does not fit its key."""
    shown = repr(value) if isinstance(value, Value) else f"a {type(value).__name__}"
    return f"{key} must be {KEYS[key].expected}, not {shown if len(shown) <= 60 else shown[:57] + '...'}"


def parse_text(key: str, text: str) -> Value | None:
    """The value that an environment variable or the like spells out; None when it does not fit the key."""
    value: Value | None = text
    types = KEYS[key].types
    if bool in types:
        value = {"true": True, "1": True, "false": False, "0": False}.get(text.lower())
    elif str not in types:
        value = _number(text, float if float in types else int)
    return value if KEYS[key].accepts(value) else None


def _number(text: str, kind: type[int | float]) -> int | float | None:
    try:
        return kind(text)
    except ValueError:
        return None
