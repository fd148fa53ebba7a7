"""file_reader: regular files and nothing else, however the tree changes underneath."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from icc_store.fs.file_reader import FileReader, data_extents, is_sparse, unchanged
from tests.fs.conftest import Place
from tests.fs.roles import as_ordinary_user

ANY_ERRNO = r"^\[Errno \d+\] "


def test_a_small_file_in_one_read(place: Place) -> None:
    """Contents, status and attributes of an unchanged file come as they are, also of an empty one."""
    (place.path / "f").write_bytes(b"content")
    (place.path / "empty").touch()
    os.setxattr(place.path / "f", "user.a", b"1")
    reader = FileReader()
    before = place.lstat(b"f")
    data, after, attributes = reader.read_small(place.fd, b"f", before.st_size)
    assert (data, attributes) == (b"content", {b"user.a": b"1"})
    assert unchanged(before, after)
    assert reader.read_small(place.fd, b"empty", 0)[0] == b""


def test_growth_and_shrinking_show(place: Place) -> None:
    """A file with another size than expected is read without end being assumed, and its status tells."""
    path = place.path / "f"
    path.write_bytes(b"1234")
    before = place.lstat(b"f")
    for contents, got in ((b"12345678", b"12345"), (b"12", b"12")):
        path.write_bytes(contents)
        data, after, _ = FileReader().read_small(place.fd, b"f", before.st_size)
        assert data == got
        assert not unchanged(before, after)


@pytest.mark.parametrize("kind", ["symlink", "directory", "fifo", "full fifo", "socket", "device"])
def test_what_is_no_file_is_refused_at_once(place: Place, kind: str) -> None:
    """Something else in the file's place is an OSError: nothing is followed, nothing waits, no byte is taken away."""
    path = place.path / "x"
    (place.path / "real").write_bytes(b"real")
    holders: list[int] = []
    if kind == "symlink":
        path.symlink_to("real")
    elif kind == "directory":
        path.mkdir()
    elif kind in {"fifo", "full fifo"}:
        os.mkfifo(path)
        if kind == "full fifo":
            holders.append(os.open(path, os.O_RDWR))
            os.write(holders[0], b"precious")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(f"/proc/self/fd/{place.fd}/x")
    where, name = (place.fd, b"x") if kind != "device" else (os.open("/dev", os.O_RDONLY), b"zero")
    reader = FileReader()
    with pytest.raises(OSError, match=ANY_ERRNO):
        reader.open(where, name)
    with pytest.raises(OSError, match=ANY_ERRNO):
        reader.read_small(where, name, 100)
    if kind == "full fifo":
        assert os.read(holders[0], 100) == b"precious"
    for fd in (*holders, where):
        if fd != place.fd:
            os.close(fd)


def test_descriptors_are_closed(place: Place) -> None:
    """Neither success nor refusal leaves a descriptor open."""
    (place.path / "f").write_bytes(b"x")
    os.mkfifo(place.path / "p")
    reader = FileReader()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        reader.read_small(place.fd, b"f", 1)
        for call in (reader.open, lambda fd, name: reader.read_small(fd, name, 1)):
            with pytest.raises(OSError, match=ANY_ERRNO):
                call(place.fd, b"p")
    assert len(os.listdir("/proc/self/fd")) == before


def _somebody_elses_file(_own: Path) -> None:
    somebody_else = os.stat("/etc/passwd")
    assert somebody_else.st_uid != os.geteuid()
    etc = os.open("/etc", os.O_RDONLY)
    reader = FileReader()
    for _ in range(2):
        assert len(reader.read_small(etc, b"passwd", somebody_else.st_size)[0]) == somebody_else.st_size
    os.close(etc)


def test_a_file_of_somebody_else(tmp_path: Path) -> None:
    """Where the system will not leave the access time alone, the file is read all the same."""
    as_ordinary_user(_somebody_elses_file, tmp_path)


def test_access_times_are_left_alone(place: Place) -> None:
    """Reading a file of our own does not change when it was last read."""
    path = place.path / "f"
    path.write_bytes(b"x")
    os.utime(path, ns=(10**9, 10**18))  # older than its change, so that relatime would update it
    FileReader().read_small(place.fd, b"f", 1)
    assert path.stat().st_atime_ns == 10**9


def _unreadable(directory: Path) -> None:
    (directory / "f").write_bytes(b"x")
    (directory / "f").chmod(0)
    fd = os.open(directory, os.O_RDONLY)
    with pytest.raises(PermissionError):
        FileReader().read_small(fd, b"f", 1)
    os.close(fd)


def test_an_unreadable_file_says_so(tmp_path: Path) -> None:
    """A file that may not be read is a PermissionError for its user."""
    as_ordinary_user(_unreadable, tmp_path)


def test_unchanged_looks_at_every_trace(place: Place) -> None:
    """Another size, time, change time or inode makes a file another one."""
    path = place.path / "f"
    path.write_bytes(b"12")
    os.utime(path, ns=(0, 10**18))
    before = place.lstat(b"f")
    assert unchanged(before, place.lstat(b"f"))
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # the kernel's clock moves in steps
        path.write_bytes(b"34")
        os.utime(path, ns=(0, 10**18))
    assert not unchanged(before, place.lstat(b"f"))
    before = place.lstat(b"f")
    path.write_bytes(b"345")
    assert not unchanged(before, place.lstat(b"f"))
    (place.path / "g").write_bytes(b"12")
    os.utime(place.path / "g", ns=(0, 10**18))
    assert not unchanged(before, place.lstat(b"g"))


MIB = 1 << 20


@pytest.mark.parametrize(
    ("size", "pieces"),
    [
        (0, []),
        (5, [(0, 5)]),
        (8 * MIB, []),
        (8 * MIB, [(0, MIB)]),
        (8 * MIB, [(7 * MIB, MIB)]),
        (8 * MIB + 5, [(MIB, MIB), (4 * MIB, MIB), (8 * MIB, 5)]),
    ],
)
def test_data_between_holes(place: Place, size: int, pieces: list[tuple[int, int]]) -> None:
    """The extents are in order, inside the file, cover all data, and leave out all large holes."""
    path = place.path / "sparse"
    with path.open("wb") as file:
        for offset, length in pieces:
            file.seek(offset)
            file.write(b"x" * length)
        file.truncate(size)
    fd = FileReader().open(place.fd, b"sparse")
    extents = list(data_extents(fd, size))
    rebuilt = bytearray(size)
    position = 0
    for offset, length in extents:
        assert offset >= position
        assert length > 0
        rebuilt[offset : offset + length] = os.pread(fd, length, offset)
        position = offset + length
    os.close(fd)
    assert position <= size
    assert rebuilt == path.read_bytes()
    data = sum(length for _, length in pieces)
    assert sum(length for _, length in extents) <= data + 8192 * len(pieces)
    assert is_sparse(path.stat()) == (data < size)


def test_a_file_system_that_knows_no_holes() -> None:
    """Where the kernel cannot tell data from holes, everything asked for is one extent."""
    fd = os.open("/proc/self/status", os.O_RDONLY)
    assert list(data_extents(fd, 100)) in ([(0, 100)], [])
    os.close(fd)
