"""Databases that a restore must not touch: somebody works with them.

A restore replaces a file by another one under the same name. Whoever has a database open goes on writing into the file
that is gone, and what they commit is lost; and a log taken from beside a database in use takes its last commits along.
So the plan of a restore looks at every database that it would write over or remove, and is not carried out when one is
in use.
"""

from __future__ import annotations

import os
from pathlib import Path

from icc_store.errors import TargetError
from icc_store.fs.sqlite_source import begins_like_sqlite, companions, user_of
from icc_store.model.paths import display, join
from icc_store.operations.restore_plan import RestorePlan

_SUFFIXES = companions(b"")
_SECTOR = 512
"""A database is made of pages of a multiple of this many bytes, so few other files need be opened to see."""

_COMMAND_SIZE = 80


class DatabasesInUse:
    """The databases in use among those files that it is asked to look at."""

    def __init__(self) -> None:
        self.found: dict[bytes, str] = {}
        """Stored path of each, and who uses it."""

    def look(self, dir_fd: int, directory: bytes, name: bytes) -> None:
        """Look at a file in an open directory, which has this stored path, or at the database whose log it is."""
        if name.endswith(_SUFFIXES):
            name = name[: name.rindex(b"-")]
        path = join(directory, name)
        if path in self.found:
            return
        try:
            size = os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_size
            if size < _SECTOR or size % _SECTOR or not begins_like_sqlite(dir_fd, name):
                return
            user = user_of(dir_fd, name)
        except OSError:  # nothing is there, or nothing that this user may read
            return
        if user is not None:
            self.found[path] = f"pid {user}{_command(user)}" if user else "another process"


def refuse_if_in_use(plan: RestorePlan) -> None:
    """Raise TargetError when the plan would write over or remove a database that was in use when it was made."""
    if plan.in_use:
        path, user = plan.in_use[0]
        more = f", and so are {len(plan.in_use) - 1} more" if len(plan.in_use) > 1 else ""
        raise TargetError(
            f"the database {display(path)} in {plan.target} is in use by {user}{more}; nothing was restored",
            hint="end that program and restore again",
        )


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    text = " ".join(b" ".join(words).decode("utf-8", "replace").split())
    return f" ({text[:_COMMAND_SIZE]})" if text else ""
