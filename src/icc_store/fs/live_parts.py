"""What stands in live directories: listed and asked for its status, cut as the trees will be.

This is a hot path, since all that most runs do with a file is to ask for its status (2.5 us).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from itertools import islice

from icc_store.fs.directory_stack import DirectoryStack
from icc_store.fs.excludes import Rule
from icc_store.fs.meeting import place_of
from icc_store.fs.scan_state import Directory, Part, Run, ScanOptions
from icc_store.fs.second_scan import SecondScan, digest_of
from icc_store.fs.seen import row_key
from icc_store.limits import SECOND_SCAN_NAMES, TREE_FANOUT_MIN
from icc_store.model.paths import display, join
from icc_store.model.tree import ends_part
from icc_store.monitor import Monitor

_TYPE = 0o170000
_REG, _SOCK = stat.S_IFREG, stat.S_IFSOCK

StartSecond = Callable[[int, bytes], SecondScan | None]
"""Starts a second scan of an open directory and its stored path, where that can be."""


class LiveParts:
    """Looks at directories for one scan."""

    def __init__(
        self,
        run: Run,
        options: ScanOptions,
        monitor: Monitor,
        problem: Callable[[bytes, OSError], None],
        start_second: StartSecond | None,
    ) -> None:
        """`problem` is told of what cannot be looked at. `start_second` is called where there is much to do."""
        self._run = run
        self._options = options
        self._monitor = monitor
        self._problem = problem
        self._start_second = start_second
        self._may_start = False
        self._root: tuple[int, bytes] = (0, b"")
        self.second: SecondScan | None = None
        """The second scan, while there is one."""

    def begin(self, fd: int, stored: bytes) -> None:
        """The directory open at `fd` is scanned from now on, stored under that path."""
        self._root = fd, stored
        self._may_start = True

    def close(self) -> None:
        """End the second scan."""
        if self.second is not None:
            self.second.close()
            self.second = None

    def of(self, stack: DirectoryStack, directory: Directory) -> Iterator[Part]:
        """List and stat the current directory. At least one part, perhaps an empty one.

        Between two of them the caller may go down from there and come back.
        """
        names = names_in(stack.fd)
        rule = self._options.excludes.within(directory.path, stack.fd)
        self._get_second(directory.path, names)
        # Only the first time: what the second scan made of a database, it may have seen before that had a log.
        is_first = not directory.dropped and not directory.plain
        start = 0
        while not start or start < len(names):
            part, end = self._found(directory.path, names, start) if is_first else (None, start)
            if part is None:
                part, end = self.look_at(stack.fd, directory, names, start, rule)
            if part.names or not start:
                yield part
            start = max(end, 1)

    def look_at(
        self, fd: int, directory: Directory, names: list[bytes], start: int, rule: Rule | None
    ) -> tuple[Part, int]:
        """Stat what will be one part: from the name number `start` on. Returns where the next one begins as well."""
        path, dropped = directory.path, directory.dropped
        lstat = os.lstat
        part = Part(names[start] if start else b"", [], [])
        take, look = part.names.append, part.statuses.append
        count = 0
        for number, name in enumerate(islice(names, start, None), start + 1):
            if dropped and name in dropped:
                continue
            try:
                status = lstat(name, dir_fd=fd)
            except OSError as error:
                self._problem(join(path, name), error)
                continue
            if rule is not None and rule(name, status.st_mode, status.st_size):
                continue
            if status.st_mode & _TYPE != _REG or status.st_nlink > 1:
                if status.st_mode & _TYPE == _SOCK:
                    self._monitor.note(f"a socket is left out: {display(join(path, name))}")
                    continue
                part.is_plain = False
            take(name)
            look(status)
            count += 1
            if count >= TREE_FANOUT_MIN and ends_part(name, count):
                return part, number
        return part, len(names)

    def _get_second(self, path: bytes, names: list[bytes]) -> None:
        """Have a second scan begin, where a large directory is new, or much else is to be expected."""
        if self._start_second is None or not self._may_start or len(names) < SECOND_SCAN_NAMES:
            return
        if self._options.is_large or self._run.seen(row_key(self._options.label, path, b"")) is None:
            self._may_start = False
            self.second = self._start_second(*self._root)

    def _found(self, path: bytes, names: list[bytes], start: int) -> tuple[Part | None, int]:
        """The part that begins with the name number `start`, where the second scan has it, and where it ends."""
        if self.second is None or start >= len(names):
            return None, start
        found = self.second.begin(place_of(path, names[start]))
        if found is None:
            return None, start
        end = start + found.names
        here = names[start:end]
        return (Part(names[start], here, [], found=found), end) if digest_of(here) == found.digest else (None, start)


def names_in(fd: int) -> list[bytes]:
    """The names in an open directory, in order."""
    names = os.listdir(b"/proc/self/fd/%d" % fd)
    names.sort()
    return names
