"""metadata: everything the file system says of a file besides its contents."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import stat

import pytest

from icc_store.fs.metadata import MetadataReader, device_numbers, open_xattrs, read_link, xattrs
from tests.fs.conftest import Place
from tests.fs.roles import ACL_FOR_A_FRIEND

NOBODY_HAS_IT = 3_999_999_999


def test_names_of_owners_are_remembered() -> None:
    """A number with a name gives it and keeps it for the record; one without gives None."""
    reader = MetadataReader()
    assert reader.user(0) == pwd.getpwuid(0).pw_name
    assert reader.group(0) == grp.getgrgid(0).gr_name
    assert reader.user(NOBODY_HAS_IT) is None
    assert reader.group(NOBODY_HAS_IT) is None
    assert reader.user(NOBODY_HAS_IT) is None
    assert reader.users == {0: pwd.getpwuid(0).pw_name}
    assert reader.groups == {0: grp.getgrgid(0).gr_name}


def test_a_file(place: Place) -> None:
    """A regular file has size, mode, owner and time to the nanosecond, and neither target nor device."""
    path = place.path / "a"
    path.write_bytes(b"hello")
    path.chmod(0o640)
    os.utime(path, ns=(1, 1_234_567_890_123_456_789))
    entry = MetadataReader().fill_entry(place.fd, b"a", place.lstat(b"a"))
    assert (entry.name, entry.size, entry.mtime_ns) == (b"a", 5, 1_234_567_890_123_456_789)
    assert stat.S_IMODE(entry.mode) == 0o640
    assert (entry.uid, entry.gid) == (path.stat().st_uid, path.stat().st_gid)
    assert (entry.target, entry.device, entry.xattrs) == (None, None, None)


def test_only_regular_files_have_a_size(place: Place) -> None:
    """Directories, links and FIFOs have size 0, whatever the file system makes of theirs."""
    (place.path / "directory").mkdir()
    os.mkfifo(place.path / "fifo")
    (place.path / "link").symlink_to("somewhere")
    reader = MetadataReader()
    for name in (b"directory", b"fifo", b"link"):
        assert reader.fill_entry(place.fd, name, place.lstat(name)).size == 0


def test_a_link_to_nowhere_keeps_its_bytes(place: Place) -> None:
    """A link's target is kept byte for byte, also when it dangles and is not UTF-8; it is not followed."""
    os.symlink(b"no\xffwhere/../x", os.fsencode(place.path) + b"/l")
    entry = MetadataReader().fill_entry(place.fd, b"l", place.lstat(b"l"))
    assert entry.target == b"no\xffwhere/../x" == read_link(place.fd, b"l")
    assert entry.xattrs is None


def test_device_numbers() -> None:
    """Only character and block devices have device numbers."""
    assert device_numbers(os.stat("/dev/null")) == (1, 3)
    assert device_numbers(os.stat("/")) is None


def test_the_root_itself(place: Place) -> None:
    """An empty name is the directory that the descriptor stands for."""
    os.setxattr(place.path, "user.of", b"the root")
    entry = MetadataReader().fill_entry(place.fd, b"", os.fstat(place.fd))
    assert entry.is_directory
    assert entry.xattrs == {b"user.of": b"the root"}


def test_attributes_are_sorted_and_whole(place: Place) -> None:
    """User attributes and ACLs come sorted by name, empty and binary values as they are, by name and by descriptor."""
    path = place.path / "f"
    path.touch()
    wanted = {b"system.posix_acl_access": ACL_FOR_A_FRIEND, b"user.\xfe": b"", b"user.b": b"\0\xff" * 500}
    for name in reversed(list(wanted)):
        os.setxattr(path, name, wanted[name])
    with path.open("rb") as file:
        for found in (xattrs(place.fd, b"f"), open_xattrs(file.fileno())):
            assert found == wanted
            assert list(found) == sorted(found)
        entry = MetadataReader().fill_entry(place.fd, b"f", place.lstat(b"f"), fd=file.fileno())
    assert entry.xattrs == wanted


def test_no_attributes_is_no_error(place: Place) -> None:
    """Files and file systems without attributes have none; a file that has gone is an error."""
    proc = os.open("/proc/self", os.O_RDONLY)
    assert xattrs(proc, b"status") == {}
    assert open_xattrs(proc) == {}
    os.close(proc)
    with socket.socket(socket.AF_UNIX) as one:
        address = f"/proc/self/fd/{place.fd}/s"
        one.bind(address)
        assert xattrs(place.fd, b"s") == {}
    with pytest.raises(FileNotFoundError):
        xattrs(place.fd, b"gone")
