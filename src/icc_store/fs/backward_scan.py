"""The second scan of a large tree: in another process, from the end to where the first one has come.

It does what is simple and much: parts of directories in which there are only files, all of which can be read. Whatever
is out of the ordinary (a name that is left out, a second link, a database, a file that cannot be read or changes
meanwhile) leaves its part to the first scan, which looks at it again and is the only one to tell of it. So each part is
stored by one of the two alone, as a whole, and nothing depends on the second.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from icc_store.fs.directory_stack import DirectoryStack
from icc_store.fs.excludes import Rule
from icc_store.fs.live_parts import names_in
from icc_store.fs.meeting import Meeting, Side, place_of
from icc_store.fs.scan_state import Directory, Part
from icc_store.fs.scanner import Scanner
from icc_store.fs.second_scan import FoundPart, digest_of
from icc_store.ids import Kind, ObjectId
from icc_store.model.paths import join
from icc_store.model.tree import cut_points
from icc_store.monitor import Monitor

_DEEPEST = 100
"""Directories below each other that are gone into; what is deeper is for the first scan."""

_JUST_BEHIND = b"\1"
"""What stands behind a place comes behind all that is below it, since NUL is in between there."""

Tell = Callable[[bytes, FoundPart | None], None]
"""Says what was found of a part that begins at a place; None when it is left to the first scan."""


class _Met(Exception):
    """The first scan is here. Never seen outside."""


@dataclass(frozen=True)
class _Here:
    """A directory that is gone through."""

    stack: DirectoryStack
    """In it, whenever it is looked at: its descriptor changes when it has to be opened again."""
    path: bytes
    names: list[bytes]
    rule: Rule | None
    live: frozenset[bytes]
    """Names that may belong to a database in use."""


class Leaving(Protocol):
    """The run that the scanner works for."""

    def leave(self) -> Sequence[tuple[Kind, bytes, Sequence[ObjectId]]] | None:
        """Objects since the last time, without chunks; None when something went wrong."""


class Listener(Monitor):
    """Notes that something was said."""

    def __init__(self) -> None:
        self.heard = False

    def warning(self, path: bytes, message: str) -> None:
        self.heard = True

    def note(self, message: str) -> None:
        self.heard = True


class BackwardScan:
    """Goes through a tree from its end."""

    def __init__(self, scanner: Scanner, run: Leaving, listener: Listener, meeting: Meeting, tell: Tell) -> None:
        """`listener` is the scanner's monitor."""
        self._scanner = scanner
        self._run = run
        self._listener = listener
        self._meeting = meeting
        self._tell = tell

    def scan(self, fd: int, stored: bytes) -> None:
        """Scan the directory open at `fd`, stored under that path, until the first scan is met."""
        stack = DirectoryStack(fd)
        try:
            self._scanner.begin(fd, stored)
            self._directory(stack, stored)
        except (_Met, OSError):
            pass
        finally:
            stack.close()

    def _directory(self, stack: DirectoryStack, path: bytes) -> None:
        names = names_in(stack.fd)
        rule = self._scanner.options.excludes.within(path, stack.fd)
        here = _Here(stack, path, names, rule, self._scanner.copies.concerns(names))
        for start, end in reversed([*pairwise((0, *cut_points(names)))] if names else []):
            first, last = (place_of(path, name) for name in (names[start], names[end - 1]))
            if self._forward() >= last + _JUST_BEHIND:
                raise _Met
            if self._forward() < first:
                self._meeting.begin(Side.BACKWARD, first)
                part = self._leaf(here, start, end)
            else:  # the first scan is at it, or below it
                part = self._behind(here, start, end)
            self._below(stack, path, part)

    def _behind(self, here: _Here, start: int, end: int) -> Part:
        """What comes in a part after the place where the first scan is."""
        part = Part(b"", [], [], is_plain=False)
        for name in here.names[start:end]:
            if self._forward() < place_of(here.path, name) + _JUST_BEHIND:
                status = os.stat(name, dir_fd=here.stack.fd, follow_symlinks=False)
                if here.rule is None or not here.rule(name, status.st_mode, status.st_size):
                    part.names.append(name)
                    part.statuses.append(status)
        return part

    def _below(self, stack: DirectoryStack, path: bytes, part: Part) -> None:
        """The directories in a part."""
        if part.is_plain:
            return
        for name, status in zip(reversed(part.names), reversed(part.statuses), strict=True):
            if not stat.S_ISDIR(status.st_mode) or not self._scanner.goes_into(status):
                continue
            if self._forward() >= place_of(path, name) + _JUST_BEHIND:
                raise _Met
            if stack.depth >= _DEEPEST:
                continue
            try:
                stack.descend(name)
            except OSError:
                continue
            try:
                self._directory(stack, join(path, name))
            except OSError:
                pass
            finally:
                os.close(stack.ascend())

    def _leaf(self, here: _Here, start: int, end: int) -> Part:
        """Store a part, unless it is for the first scan, and tell. Returns what was looked at."""
        part, found = Part(b"", [], []), None
        names = here.names[start:end]
        place = place_of(here.path, names[0])
        try:
            if self._forward() < place:  # also now that it can see that we have begun
                directory = self._scanner.directory(here.path)
                part, upto = self._scanner.parts.look_at(here.stack.fd, directory, here.names, start, here.rule)
                if part.is_plain and upto == end and len(part.names) == len(names) and here.live.isdisjoint(names):
                    found = self._stored(here.stack.fd, directory, part)
        except OSError:
            pass
        finally:
            self._tell(place, found)
        return part

    def _stored(self, fd: int, directory: Directory, part: Part) -> FoundPart | None:
        scanner = self._scanner
        files, watcher = scanner.files, scanner.watcher
        read_before, unsettled_before = files.read_bytes, files.unsettled
        tree = scanner.store_part(fd, directory, part)
        left = self._run.leave()
        facts = watcher.hand_over() if watcher is not None else None
        ordinary = not self._listener.heard and not scanner.problems and files.unsettled == unsettled_before
        self._listener.heard = False
        scanner.problems.clear()
        if tree is None or left is None or not ordinary:
            return None
        return FoundPart(
            names=len(part.names),
            digest=digest_of(part.names),
            tree=tree,
            objects=left,
            rows=directory.rows,
            counted=directory.counted,
            read_bytes=files.read_bytes - read_before,
            facts=facts,
        )

    def _forward(self) -> bytes:
        return self._meeting.at(Side.FORWARD)
