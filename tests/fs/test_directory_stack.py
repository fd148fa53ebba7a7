"""directory_stack: down and up again, at any depth, along no symbolic link."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from icc_store.fs.directory_stack import DirectoryStack
from icc_store.limits import MAX_OPEN_DIRECTORIES
from tests.fs.conftest import Place
from tests.fs.roles import as_ordinary_user


def test_down_and_up(place: Place) -> None:
    """Each step stands in the directory named; the way back ends in the root."""
    (place.path / "a" / "b").mkdir(parents=True)
    stack = DirectoryStack(place.fd)
    stack.descend(b"a")
    assert os.listdir(stack.fd) == ["b"]
    status = stack.descend(b"b")
    assert status.st_ino == (place.path / "a" / "b").stat().st_ino
    assert stack.depth == 2
    os.close(stack.ascend())
    assert os.listdir(stack.fd) == ["b"]
    os.close(stack.ascend())
    assert (stack.fd, stack.depth) == (place.fd, 0)
    stack.close()


def test_thousands_of_levels_on_a_few_descriptors(place: Place) -> None:
    """A tree far deeper than the descriptors and the path length allowed is walked down and up."""
    depth = 1500
    name = b"directory-with-a-long-name"
    stack = DirectoryStack(place.fd)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    already_open = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (already_open + MAX_OPEN_DIRECTORIES + 5, limit[1]))
    try:
        for _ in range(depth):
            os.mkdir(name, dir_fd=stack.fd)
            stack.descend(name)
        while stack.depth:
            os.close(stack.ascend())
            os.rmdir(name, dir_fd=stack.fd)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        stack.close()
    assert place.names() == []
    assert len(os.listdir("/proc/self/fd")) == already_open


def test_a_way_up_that_failed_stays_closed(place: Place) -> None:
    """Who was refused a descriptor once, and asks again later, would be one directory deeper than he thinks."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    stack = DirectoryStack(place.fd)
    for _ in range(MAX_OPEN_DIRECTORIES + 2):
        os.mkdir(b"d", dir_fd=stack.fd)
        stack.descend(b"d")
    for _ in range(MAX_OPEN_DIRECTORIES - 1):
        os.close(stack.ascend())
    depth, here = stack.depth, os.fstat(stack.fd).st_ino
    free = os.open(".", os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, limit[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            stack.ascend()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
    with pytest.raises(OSError, match="Too many open files"):
        stack.ascend()
    assert (stack.depth, os.fstat(stack.fd).st_ino) == (depth, here)
    stack.close()


@pytest.mark.parametrize("kind", ["symlink", "file", "fifo"])
def test_only_directories_are_entered(place: Place, kind: str) -> None:
    """A symbolic link to a directory is no directory, and neither is a file; the stack stays where it was."""
    path = place.path / "x"
    if kind == "symlink":
        (place.path / "real").mkdir()
        path.symlink_to("real")
    elif kind == "file":
        path.touch()
    else:
        os.mkfifo(path)
    stack = DirectoryStack(place.fd)
    with pytest.raises(OSError, match=r"Errno (20|40)"):
        stack.descend(b"x", unlock=True)
    assert stack.depth == 0
    stack.close()


def test_a_moved_tree_ends_the_walk(place: Place) -> None:
    """Where a directory has another parent than the one it was entered from, going up is refused."""
    deep = "/".join("d" * (MAX_OPEN_DIRECTORIES + 10))
    (place.path / deep).mkdir(parents=True)
    (place.path / "elsewhere").mkdir()
    stack = DirectoryStack(place.fd)
    for _ in range(MAX_OPEN_DIRECTORIES + 10):
        stack.descend(b"d")
    (place.path / "d" / "d" / "d").rename(place.path / "elsewhere" / "d")
    while stack.depth > 3:
        os.close(stack.ascend())
    with pytest.raises(OSError, match="moved"):
        stack.ascend()
    assert stack.depth == 3
    stack.close()


def test_closing_leaves_nothing_open(place: Place) -> None:
    """`close` from any depth closes all but the root, and may be called twice."""
    (place.path / "/".join("d" * (MAX_OPEN_DIRECTORIES + 10))).mkdir(parents=True)
    before = len(os.listdir("/proc/self/fd"))
    stack = DirectoryStack(place.fd)
    for _ in range(MAX_OPEN_DIRECTORIES + 10):
        stack.descend(b"d")
    os.close(stack.ascend())
    stack.close()
    stack.close()
    assert len(os.listdir("/proc/self/fd")) == before
    assert stack.fd == place.fd


def _locked_directories(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY)
    stack = DirectoryStack(fd)
    for mode in (0o000, 0o300, 0o400, 0o500):
        (directory / "d").mkdir()
        (directory / "d").chmod(mode)
        if mode < 0o400:
            with pytest.raises(PermissionError):
                stack.descend(b"d")
        assert stack.descend(b"d", unlock=True).st_mode & 0o777 == mode
        os.mkdir(b"below", dir_fd=stack.fd)
        os.rmdir(b"below", dir_fd=stack.fd)
        os.close(stack.ascend())
        assert (directory / "d").stat().st_mode & 0o777 == mode | 0o700
        (directory / "d").rmdir()
    with pytest.raises(PermissionError):
        DirectoryStack(os.open("/", os.O_RDONLY)).descend(b"root", unlock=True)
    stack.close()
    os.close(fd)


def test_unlocking(tmp_path: Path) -> None:
    """A directory of our own without rights is opened up on request, with its old mode told; others' are not."""
    as_ordinary_user(_locked_directories, tmp_path)
