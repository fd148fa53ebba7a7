"""Whether the repository's disk has room for a snapshot, and keeps what it is to keep free.

An estimate beforehand refuses what cannot fit; the run itself asks again before each commit, so that it stops before
the one that would take too much. What was committed by then is found again by the next run.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from icc_store.errors import DiskFull
from icc_store.fs.excludes import Excludes
from icc_store.limits import GIB
from icc_store.model.paths import join

_PLENTY = 16 * GIB
"""With so much room nothing is estimated: that takes a `stat` of every file, a fifth of a first snapshot's time."""

_RATIO = 4
"""Memories need a sixth of their size or less. What needs more than estimated is stopped by `RoomKeeper`."""


class RoomKeeper:
    """Keeps `min_free` bytes free on the repository's disk.

    What is free within the database file counts as well: it is filled first, and what gc removes goes there.
    """

    def __init__(self, repository: Path, min_free: int, *, reusable: Callable[[], int] = lambda: 0) -> None:
        self._repository = repository
        self._min_free = min_free
        self._reusable = reusable

    def room(self) -> int:
        """Bytes that may still be written; negative when less is free than is to be kept free."""
        status = os.statvfs(self._repository)
        room = status.f_bavail * status.f_frsize - self._min_free
        return room if room > _PLENTY else room + self._reusable()

    def require(self, size: int) -> None:
        """Raise DiskFull when there is no room for so many bytes more."""
        room = self.room()
        if room < size:
            needed = f"; {size:,} are needed" if size else ""
            raise DiskFull(
                f"{self._repository} has {max(room, 0):,} bytes of room beyond the {self._min_free:,} to be kept free"
                + needed,
                hint="free some space, run `icc-store gc`, or lower min_free_space_mb",
            )

    def require_for(self, paths: Sequence[Path], excludes: Excludes, known_size: int) -> None:
        """Raise DiskFull when there is clearly no room for what a snapshot of these directories would add.

        `known_size` bytes were in them at the last snapshot; 0 before the first.
        """
        self.require(0)
        room = self.room()
        if room >= _PLENTY or 0 < 2 * known_size <= room:
            return
        grown = sum(size_below(os.fsencode(path), excludes) for path in paths) - known_size
        self.require(max(grown, 0) // _RATIO)


def size_below(root: bytes, excludes: Excludes) -> int:
    """Bytes of the regular files in a directory that `excludes` does not leave out, as far as it can be read."""
    size = 0
    waiting = [b""]
    while waiting:
        directory = waiting.pop()
        rule = excludes.within(directory)
        try:
            with os.scandir(join(root, directory) if directory else root) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    if rule is not None and rule(entry.name, status.st_mode, status.st_size):
                        continue
                    if stat.S_ISDIR(status.st_mode):
                        waiting.append(join(directory, entry.name))
                    elif stat.S_ISREG(status.st_mode):
                        size += status.st_size
        except OSError:
            continue  # the scan will say so
    return size
