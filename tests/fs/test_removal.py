"""removal: everything below a name goes, nothing beyond it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from icc_store.fs.directory_stack import DirectoryStack
from icc_store.fs.removal import remove
from tests.fs.conftest import Place
from tests.fs.roles import as_ordinary_user


def test_anything_can_be_removed(place: Place) -> None:
    """Files, links, FIFOs and directories with all in them are removed; what is gone already is fine."""
    (place.path / "file").touch()
    os.mkfifo(place.path / "fifo")
    (place.path / "link").symlink_to("file")
    for name in ("a/b/c", "a/b/d/e", "a/f"):
        (place.path / "tree" / name).mkdir(parents=True)
        (place.path / "tree" / name / "x").touch()
    for gone in (b"file", b"fifo", b"link", b"tree", b"never there"):
        remove(place.fd, gone)
    assert place.names() == []


def test_links_are_removed_and_not_followed(place: Place, tmp_path: Path) -> None:
    """A link to a directory outside, at the top or deep inside, leaves that directory alone."""
    outside = tmp_path / "outside"
    (outside / "sub").mkdir(parents=True)
    (outside / "sub" / "precious").touch()
    (place.path / "top").symlink_to(outside)
    (place.path / "tree" / "deep").mkdir(parents=True)
    (place.path / "tree" / "deep" / "link").symlink_to(outside)
    remove(place.fd, b"top")
    remove(place.fd, b"tree")
    assert place.names() == []
    assert (outside / "sub" / "precious").exists()


def test_any_depth(place: Place) -> None:
    """A tree deeper than Python's recursion and the path length allow is removed."""
    stack = DirectoryStack(place.fd)
    for _ in range(1500):
        os.mkdir(b"a-name-of-some-length", dir_fd=stack.fd)
        stack.descend(b"a-name-of-some-length")
    os.close(os.open(b"file", os.O_CREAT | os.O_WRONLY, dir_fd=stack.fd))
    stack.close()
    remove(place.fd, b"a-name-of-some-length")
    assert place.names() == []


def _locked(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY)
    (directory / "a" / "b").mkdir(parents=True)
    (directory / "a" / "b" / "file").touch()
    (directory / "a" / "b").chmod(0o500)
    (directory / "a").chmod(0)
    remove(fd, b"a")
    assert not (directory / "a").exists()
    (directory / "file").touch()
    directory.chmod(0o500)
    with pytest.raises(PermissionError, match="file"):
        remove(fd, b"file")
    directory.chmod(0o700)
    os.close(fd)


def test_directories_without_rights(tmp_path: Path) -> None:
    """One's own directories are opened up to be removed; a refusal names what could not be removed."""
    as_ordinary_user(_locked, tmp_path)


def test_descriptors_are_closed(place: Place) -> None:
    """Removing leaves no descriptor open, not even when it fails."""
    (place.path / "a" / "b").mkdir(parents=True)
    before = len(os.listdir("/proc/self/fd"))
    remove(place.fd, b"a")
    proc = os.open("/proc/self", os.O_RDONLY)
    with pytest.raises(OSError, match=r"Errno"):
        remove(proc, b"net")
    os.close(proc)
    assert len(os.listdir("/proc/self/fd")) == before
