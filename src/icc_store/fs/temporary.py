"""The place for temporary directories: made for this user alone, and refused where others could meddle with it.

What is restored or copied for a while stands below it. Whoever could rename or replace things there would decide what
is read back, so the place itself is no symbolic link, belongs to this user, and nobody else may write to it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from icc_store.errors import TargetError

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_HINT = "set temp_directory to a directory of your own, or to one that does not exist yet"


def open_place(place: Path) -> int:
    """A descriptor of the directory `place`; the caller closes it. What is missing of the path is made, with mode 0700.

    Raises TargetError when it is a symbolic link or no directory, belongs to somebody else, or others may write to it.
    """
    try:
        for missing in reversed([one for one in (place, *place.parents) if not os.path.lexists(one)]):
            missing.mkdir(mode=0o700, exist_ok=True)
        if place.is_symlink():
            raise TargetError(f"{place} is a symbolic link, so it is no place for temporary files", hint=_HINT)
        descriptor = os.open(place, _DIRECTORY)
    except OSError as error:
        raise TargetError(f"{place} cannot hold temporary files: {error.strerror}", hint=_HINT) from error
    try:
        _check(place, os.fstat(descriptor))
    except TargetError:
        os.close(descriptor)
        raise
    return descriptor


def _check(place: Path, status: os.stat_result) -> None:
    """Judged by the open directory, not by the name, which may lead elsewhere by now."""
    if status.st_uid != os.geteuid():
        raise TargetError(
            f"{place} belongs to user {status.st_uid}, so it is no place for temporary files of user {os.geteuid()}",
            hint=_HINT,
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        mode = stat.S_IMODE(status.st_mode)
        raise TargetError(
            f"others may write to {place} (mode {mode:04o}), so it is no place for temporary files", hint=_HINT
        )
