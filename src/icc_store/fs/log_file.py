"""A log that stays small: lines are added, and a full file makes room for a new one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from icc_store.limits import MAX_LOG_FILE


def previous(path: Path) -> Path:
    """Where a full log goes."""
    return path.with_name(path.name + ".1")


def append_lines(path: Path, lines: Iterable[str]) -> None:
    """Add lines to a log that only its owner may read; it and its directory are made when missing.

    All lines of one call stand together, whoever else writes. Characters that are no print are escaped, so that a name
    never begins a line of its own. Raises OSError; a symbolic link in its place is not followed.
    """
    text = "".join(f"{_printable(line)}\n" for line in lines)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        if path.lstat().st_size >= MAX_LOG_FILE:
            path.replace(previous(path))
    except FileNotFoundError:
        pass
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "ab", buffering=0) as stream:
        stream.write(text.encode("utf-8", "backslashreplace"))


def _printable(line: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)
