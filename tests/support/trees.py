"""A directory with every kind of thing a file system holds. As root with owners and devices too."""

from __future__ import annotations

import os
import random
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IS_ROOT = os.geteuid() == 0
MTIME = 1_700_000_000_123_456_789
LONG = b"n" * 255
NAME_OF_SOCKET = b"socket"

_NO_ID = 0xFFFFFFFF
_ACCESS_ACL = ((1, 6, _NO_ID), (2, 6, 1234), (4, 4, _NO_ID), (16, 6, _NO_ID), (32, 0, _NO_ID))
_DEFAULT_ACL = ((1, 7, _NO_ID), (2, 5, 1234), (4, 5, _NO_ID), (16, 5, _NO_ID), (32, 0, _NO_ID))


def build(top: Path) -> Path:
    """Make the tree at `top`, which must not exist. Everything is at most two seconds old, but all times are set."""
    top.mkdir()
    fd = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _regular_files(fd)
        _odd_names(fd)
        _links(fd)
        _sparse_files(fd)
        _special_files(fd, top)
        _attributes(fd)
        if IS_ROOT:
            _owners(fd)
        _modes(fd)
        _far_away(fd)
    finally:
        os.close(fd)
    _set_directory_times(top)
    return top


@contextmanager
def inside(fd: int, name: bytes, *, make: bool = True) -> Iterator[int]:
    """A descriptor of a subdirectory, made when it is missing."""
    if make:
        try:
            os.mkdir(name, 0o755, dir_fd=fd)
        except FileExistsError:
            pass
    below = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
    try:
        yield below
    finally:
        os.close(below)


def write(fd: int, name: bytes, data: bytes, *, mode: int = 0o644, mtime_ns: int = MTIME) -> None:
    """Make one file in the directory `fd`."""
    file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600, dir_fd=fd)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(file, view) :]
        os.fchmod(file, mode)
        os.utime(file, ns=(mtime_ns, mtime_ns))
    finally:
        os.close(file)


def _regular_files(fd: int) -> None:
    chance = random.Random("files")
    write(fd, b"plain", b"hello\n")
    write(fd, b"empty", b"")
    write(fd, b"one byte", b"x")
    write(fd, b"zeros", bytes(100_000))
    write(fd, b"large", chance.randbytes(7_000_000))
    write(fd, b"just one chunk", chance.randbytes(2 << 20))
    write(fd, b"just two chunks", chance.randbytes((2 << 20) + 1))
    write(fd, b"before 1970", b"old", mtime_ns=-1_250_000_001)
    write(fd, b"after 2242", b"late", mtime_ns=(1 << 33) * 10**9 + 7)
    write(fd, b"whole second", b"w", mtime_ns=1_600_000_000 * 10**9)
    with inside(fd, b"many") as many:
        for number in range(700):
            write(many, b"%04d.txt" % number, b"file %d\n" % number * (number % 50), mtime_ns=MTIME + number)
    with inside(fd, b"empty directory"):
        pass
    with inside(fd, b"a") as a, inside(a, b"b") as b, inside(b, b"c"):
        pass


def _odd_names(fd: int) -> None:
    with inside(fd, b"names") as names:
        for name in (b"\xff\xfe", b"new\nline", b"\x01\x1b[31m", "é中".encode(), b"-dash", b" ", b"*", b"\\", b"..."):
            write(names, name, b"called " + name)
        write(names, LONG, b"255 bytes")
        write(names, b"\xfe" * 255, b"255 bytes, not UTF-8")
        with inside(names, b"d\xff") as below:
            write(below, b"\xff", b"below")


def _links(fd: int) -> None:
    os.symlink(b"nowhere", b"dangling", dir_fd=fd)
    os.symlink(b"many", b"to a directory", dir_fd=fd)
    os.symlink(b"/", b"absolute", dir_fd=fd)
    os.symlink(b"\xff\xfe\n", b"to bytes", dir_fd=fd)
    os.symlink(b"t" * 4000, b"far", dir_fd=fd)
    for name in (b"dangling", b"to a directory", b"absolute", b"to bytes", b"far"):
        os.utime(name, ns=(MTIME, MTIME + len(name)), dir_fd=fd, follow_symlinks=False)
    with inside(fd, b"z links") as one, inside(fd, b"y") as two:
        write(one, b"pair", b"a pair across directories")
        os.link(b"pair", b"0 the same", src_dir_fd=one, dst_dir_fd=two)
        write(two, b"three", random.Random("three").randbytes(5_000_000))
        os.link(b"three", b"three again", src_dir_fd=two, dst_dir_fd=two)
        os.link(b"three", b"three more", src_dir_fd=two, dst_dir_fd=fd)
        write(one, b"nothing", b"")
        os.link(b"nothing", b"nothing too", src_dir_fd=one, dst_dir_fd=one)
        os.symlink(b"pair", b"link", dir_fd=one)
        os.link(b"link", b"link too", src_dir_fd=one, dst_dir_fd=two, follow_symlinks=False)


def _sparse_files(fd: int) -> None:
    for name, size, pieces in (
        (b"hole in the middle", 9_000_000, {0: b"begin", 4_000_000: b"middle" * 1000, 8_999_997: b"end"}),
        (b"hole at the end", 1_000_000, {0: b"begin"}),
        (b"all hole", 3_000_000_000, {}),
        (b"small hole", 20_000, {16_000: b"x"}),
    ):
        file = os.open(name, os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=fd)
        for offset, data in pieces.items():
            os.pwrite(file, data, offset)
        os.ftruncate(file, size)
        os.utime(file, ns=(MTIME, MTIME))
        os.close(file)


def _special_files(fd: int, top: Path) -> None:
    os.mkfifo(b"fifo", 0o640, dir_fd=fd)
    here = os.open(b".", os.O_RDONLY)
    try:
        os.chdir(top)  # the name of a socket may not be longer than 107 bytes
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(NAME_OF_SOCKET)
    finally:
        os.chdir(here)
        os.close(here)
    if IS_ROOT:
        os.mknod(b"character", stat.S_IFCHR | 0o620, os.makedev(5, 7), dir_fd=fd)
        os.mknod(b"block", stat.S_IFBLK | 0o600, os.makedev(300, 70_000), dir_fd=fd)
    for name in (b"fifo", b"character", b"block") if IS_ROOT else (b"fifo",):
        os.utime(name, ns=(MTIME, MTIME), dir_fd=fd)


def _attributes(fd: int) -> None:
    """Extended attributes and ACLs, as far as the file system has them."""
    write(fd, b"with attributes", b"a")
    write(fd, b"with large attributes", b"a")
    write(fd, b"for a friend", b"a")
    with inside(fd, b"hands down") as below:
        pass
    here = b"/proc/self/fd/%d/" % fd
    try:
        os.setxattr(here + b"with attributes", b"user.note", b"\0binary\xff\n")
        os.setxattr(here + b"with attributes", b"user.empty", b"")
        os.setxattr(here + b"with large attributes", b"user.large", bytes(range(256)) * 8)
        os.setxattr(here + b"with large attributes", b"user.more", b"m" * 300)
        os.setxattr(here + b"many", b"user.of a directory", b"d")
        os.setxattr(here + b"for a friend", b"system.posix_acl_access", _acl(_ACCESS_ACL))
        os.setxattr(here + b"hands down", b"system.posix_acl_default", _acl(_DEFAULT_ACL))
        if IS_ROOT:
            os.setxattr(here + b"dangling", b"trusted.of a link", b"t", follow_symlinks=False)
            os.setxattr(
                here + b"with attributes", b"security.capability", struct.pack("<IIIII", 0x2000001, 32, 0, 0, 0)
            )
    except OSError:
        pass
    with inside(fd, b"hands down") as below:
        write(below, b"inherits", b"i")
        with inside(below, b"too"):
            pass
    for name in (b"with attributes", b"with large attributes", b"for a friend"):
        os.utime(name, ns=(MTIME, MTIME), dir_fd=fd)


def _acl(entries: tuple[tuple[int, int, int], ...]) -> bytes:
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def _owners(fd: int) -> None:
    write(fd, b"of somebody", b"s")
    os.chown(b"of somebody", 1234, 4321, dir_fd=fd)
    os.symlink(b"x", b"link of somebody", dir_fd=fd)
    os.chown(b"link of somebody", 1234, 4321, dir_fd=fd, follow_symlinks=False)
    with inside(fd, b"directory of somebody"):
        pass
    os.chown(b"directory of somebody", 3_000_000_000, 2_500_000, dir_fd=fd)
    write(fd, b"setuid of somebody", b"s")
    os.chown(b"setuid of somebody", 1234, 4321, dir_fd=fd)
    os.chmod(b"setuid of somebody", 0o6755, dir_fd=fd)
    for name in (b"of somebody", b"link of somebody", b"setuid of somebody"):
        os.utime(name, ns=(MTIME, MTIME), dir_fd=fd, follow_symlinks=False)


def _modes(fd: int) -> None:
    with inside(fd, b"modes") as modes:
        for mode in (0o000, 0o200, 0o400, 0o644, 0o777, 0o1644, 0o2755, 0o4711, 0o7777):
            if IS_ROOT or mode & 0o400:
                write(modes, b"%04o" % mode, b"m", mode=mode)
        for mode in (0o700, 0o1777, 0o2775, 0o3777, *((0o000, 0o500) if IS_ROOT else (0o500,))):
            name = b"directory %04o" % mode
            with inside(modes, name) as below:
                write(below, b"in it", b"i")
                os.fchmod(below, mode)


def _far_away(fd: int) -> None:
    """A path of more than 4,096 bytes."""
    open_fds = []
    for _ in range(17):
        os.mkdir(LONG, dir_fd=fd)
        fd = os.open(LONG, os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        open_fds.append(fd)
    write(fd, b"at the end", b"of a path of 4,361 bytes")
    for below in open_fds:
        os.close(below)


def build_deep(top: Path, depth: int) -> Path:
    """Directories nested deeper than Python calls functions; to be removed with `rm`, since Python cannot."""
    top.mkdir()
    fd = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    for level in range(depth):
        os.mkdir(b"d", dir_fd=fd)
        write(fd, b"f", b"at level %d" % level)
        below = os.open(b"d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        os.utime(fd, ns=(MTIME, MTIME + level))
        os.close(fd)
        fd = below
    os.utime(fd, ns=(MTIME, MTIME))
    os.close(fd)
    return top


def _set_directory_times(top: Path) -> None:
    """A time of its own for every directory, from below."""
    for number, (_, _, _, fd) in enumerate(os.fwalk(top, topdown=False)):
        os.utime(fd, ns=(MTIME, MTIME + number * 1_000_003))
