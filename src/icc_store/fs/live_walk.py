"""A walk through a live directory and all below it, in order of names, that no symbolic link and no depth leads astray.

It tells what it meets, one thing after the other. What is to be remembered of the directories on the way is left to
whoever walks.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from icc_store.fs.directory_stack import DirectoryStack
from icc_store.fs.excludes import Excludes, Rule
from icc_store.model.paths import join


@dataclass(frozen=True, slots=True)
class Entered:
    """A directory whose contents come next; the root is the first."""

    path: bytes


@dataclass(frozen=True, slots=True)
class Left:
    """The directory entered last and not left yet: all in it has come."""

    path: bytes


@dataclass(frozen=True, slots=True)
class Met:
    """A file, or anything else that is no directory. `directory_fd` is open until the next step."""

    path: bytes
    name: bytes
    directory_fd: int
    status: os.stat_result


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that has no status, or a directory that cannot be entered or listed."""

    path: bytes
    error: OSError


Step = Entered | Left | Met | Unreadable


def walk_live(root_fd: int, excludes: Excludes) -> Iterator[Step]:
    """Walk from an open directory, which stays the caller's. What `excludes` leaves out is not told, nor entered.

    Raises OSError when the root cannot be listed, and when a directory is moved away while the walk is in it.
    """
    stack = DirectoryStack(root_fd)
    try:
        levels = [_level(root_fd, b"", excludes)]
        yield Entered(b"")
        while levels:
            level = levels[-1]
            if not level.names:
                yield Left(level.path)
                levels.pop()
                if levels:
                    os.close(stack.ascend())
                continue
            name = level.names.pop()
            path = join(level.path, name)
            try:
                status = os.stat(name, dir_fd=stack.fd, follow_symlinks=False)
                if level.rule is not None and level.rule(name, status.st_mode, status.st_size):
                    continue
                below = _enter(stack, name, path, excludes) if stat.S_ISDIR(status.st_mode) else None
            except OSError as error:
                yield Unreadable(path, error)
                continue
            if below is None:
                yield Met(path, name, stack.fd, status)
            else:
                levels.append(below)
                yield Entered(path)
    finally:
        stack.close()


@dataclass(slots=True)
class _Level:
    """A directory that the walk is in, and the names in it that are still to come, the first one last."""

    path: bytes
    names: list[bytes]
    rule: Rule | None


def _level(fd: int, path: bytes, excludes: Excludes) -> _Level:
    names = sorted(map(os.fsencode, os.listdir(fd)), reverse=True)
    return _Level(path, names, excludes.within(path, fd))


def _enter(stack: DirectoryStack, name: bytes, path: bytes, excludes: Excludes) -> _Level:
    stack.descend(name)
    try:
        return _level(stack.fd, path, excludes)
    except OSError:
        os.close(stack.ascend())
        raise
