"""Temporary names that a killed process left behind, and how to know that nobody works on them any more.

Whoever makes temporary names in a directory holds a shared lock on that directory meanwhile. The kernel takes it away
when a process ends, however it ends. So when nobody holds one, every temporary name that was seen there before belongs
to the dead; no name is ever used twice. Where a file system knows no such locks, everything stays.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterable

_TRIES = 100
"""Somebody who looks for the dead has a directory for microseconds. Whoever has it for longer is none of us."""


def hold(directory: int) -> None:
    """Say that temporary names are made in an open directory, until its descriptor is closed."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(directory, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            os.sched_yield()
        except OSError:  # no locks here, so nobody takes what we make for something of the dead
            return
        else:
            return


def of_the_dead(directory: int, names: Iterable[bytes], pattern: re.Pattern[bytes]) -> list[bytes]:
    """Which of the names that were just seen in an open directory dead processes of this user left there, sorted.

    Not to be asked with a descriptor that holds the directory.
    """
    ours = sorted(name for name in names if pattern.fullmatch(name) and _is_mine(directory, name))
    if not ours:
        return []
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(directory, fcntl.LOCK_UN)
    except OSError:  # somebody is at work, or nobody can tell
        return []
    return ours


def _is_mine(directory: int, name: bytes) -> bool:
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False).st_uid == os.geteuid()
    except FileNotFoundError:
        return False  # it has just been completed
