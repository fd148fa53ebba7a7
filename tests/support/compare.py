"""Are two directories the same? Asked of the operating system alone: nothing of icc_store is imported here."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Any

Facts = dict[bytes, dict[str, Any]]
"""What is to be known of each path below a directory, and of itself (the empty path)."""

_STEP = 1 << 20


def facts(top: Path) -> Facts:
    """Everything that a backup must bring back: not inode numbers, times of change or access, and no sockets."""
    found: Facts = {}
    names: dict[tuple[int, int], bytes] = {}
    open_fds = [os.open(top, os.O_RDONLY | os.O_DIRECTORY)]
    found[b""] = _facts(open_fds[0], b".", os.fstat(open_fds[0]))
    waiting = [(b"", sorted(os.listdir(b"/proc/self/fd/%d" % open_fds[0]), reverse=True))]
    while waiting:
        path, left = waiting[-1]
        if not left:
            waiting.pop()
            os.close(open_fds.pop())
            continue
        name = left.pop()
        stored = path + b"/" + name if path else name
        status = os.stat(name, dir_fd=open_fds[-1], follow_symlinks=False)
        if stat.S_ISSOCK(status.st_mode):
            continue
        found[stored] = _facts(open_fds[-1], name, status)
        if stat.S_ISDIR(status.st_mode):
            fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=open_fds[-1])
            open_fds.append(fd)
            waiting.append((stored, sorted(os.listdir(b"/proc/self/fd/%d" % fd), reverse=True)))
        elif status.st_nlink > 1:
            found[stored]["same file as"] = names.setdefault((status.st_dev, status.st_ino), stored)
    return found


def differences(one: Path, two: Path, *, without: frozenset[str] = frozenset()) -> list[str]:
    """What differs between two directories, in sentences; `without` are facts that do not count."""
    left, right = facts(one), facts(two)
    told = [f"only in {one if path in left else two}: {path!r}" for path in sorted(left.keys() ^ right.keys())]
    for path in sorted(left.keys() & right.keys()):
        told += [
            f"{path!r}: {name} is {left[path].get(name)!r} and {right[path].get(name)!r}"
            for name in sorted((left[path].keys() | right[path].keys()) - without)
            if left[path].get(name) != right[path].get(name)
        ]
    return told


def assert_same(one: Path, two: Path, *, without: frozenset[str] = frozenset()) -> None:
    """Two directories are the same in every respect."""
    told = differences(one, two, without=without)
    assert not told, "\n".join(told[:20])


def _facts(fd: int, name: bytes, status: os.stat_result) -> dict[str, Any]:
    kind = stat.S_IFMT(status.st_mode)
    known: dict[str, Any] = {
        "type": stat.filemode(status.st_mode)[0],
        "mode": oct(stat.S_IMODE(status.st_mode)),
        "owner": (status.st_uid, status.st_gid),
        "mtime": status.st_mtime_ns,
        "attributes": _attributes(fd, name),
    }
    if kind == stat.S_IFLNK:
        known["target"] = os.readlink(name, dir_fd=fd)
    elif kind in {stat.S_IFCHR, stat.S_IFBLK}:
        known["device"] = (os.major(status.st_rdev), os.minor(status.st_rdev))
    elif kind == stat.S_IFREG:
        known |= {"size": status.st_size, "content": _digest(fd, name), "data": _data(fd, name)}
    return known


def _attributes(fd: int, name: bytes) -> dict[str, bytes]:
    path = b"/proc/self/fd/%d/%b" % (fd, name)
    try:
        return {
            attribute: os.getxattr(path, attribute, follow_symlinks=False)
            for attribute in os.listxattr(path, follow_symlinks=False)
        }
    except OSError:
        return {}


def _data(fd: int, name: bytes) -> list[tuple[int, int]]:
    """Where a file has data, holes apart: begin and end of each stretch."""
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=fd)
    try:
        size, position, found = os.fstat(file).st_size, 0, []
        while position < size:
            try:
                start = os.lseek(file, position, os.SEEK_DATA)
            except OSError:
                break
            position = os.lseek(file, start, os.SEEK_HOLE)
            found.append((start, position))
        return found
    finally:
        os.close(file)


def _digest(fd: int, name: bytes) -> str:
    """SHA-256 of what has data, with the places where it stands; holes are not read."""
    digest = hashlib.sha256()
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=fd)
    try:
        for start, end in _data(fd, name):
            position = start
            while position < end:
                piece = os.pread(file, min(_STEP, end - position), position)
                if not piece:
                    break
                if piece.strip(b"\0"):  # zeros and a hole are the same contents
                    digest.update(position.to_bytes(8) + piece)
                position += len(piece)
        return digest.hexdigest()
    finally:
        os.close(file)
