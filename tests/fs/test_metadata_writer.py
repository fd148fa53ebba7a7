"""metadata_writer: owner, attributes, mode and times, each surviving the others."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

import pytest

from icc_store.fs.metadata import MetadataReader
from icc_store.fs.metadata_writer import Skipped
from icc_store.fs.writer import TreeWriter
from icc_store.model.entry import Entry
from icc_store.model.tree import Owners
from tests.fs.entries import ME, OWNERS, TIME
from tests.fs.roles import ACL_FOR_A_FRIEND, IS_ROOT, NO_ID, NOBODY, acl, as_ordinary_user

OTHER = 12_345


def entry(name: bytes, mode: int, owner: tuple[int, int] = ME, xattrs: dict[bytes, bytes] | None = None) -> Entry:
    return Entry(name, mode, *owner, mtime_ns=TIME, xattrs=xattrs)


def look(path: Path) -> tuple[int, tuple[int, int], int]:
    status = path.lstat()
    return stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid), status.st_mtime_ns


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o000, 0o4755, 0o2755, 0o7777, 0o1777])
@pytest.mark.parametrize("kind", [stat.S_IFREG, stat.S_IFDIR])
def test_every_mode(writer: TreeWriter, target: Path, kind: int, mode: int) -> None:
    """One's own files get their modes with setuid, setgid and sticky bits, and their times."""
    wanted = entry(b"x", kind | mode)
    if kind == stat.S_IFDIR:
        writer.enter(b"x")
        writer.leave(wanted, OWNERS)
    else:
        writer.write_file(wanted, OWNERS, [b"x"])
    assert look(target / "x") == (mode, ME, TIME)
    assert writer.skipped == Skipped()


@pytest.mark.parametrize("time", [0, -1, -(10**18), 2**31 * 10**9 + 1, 1])
def test_every_time(writer: TreeWriter, target: Path, time: int) -> None:
    """Times before 1970 and after 2038 are kept to the nanosecond."""
    writer.write_file(Entry(b"f", 0o100644, *ME, mtime_ns=time), OWNERS, [b"x"])
    writer.symlink(Entry(b"l", 0o120777, *ME, mtime_ns=time, target=b"f"), OWNERS)
    assert (target / "f").stat().st_mtime_ns == time
    assert (target / "l").lstat().st_mtime_ns == time


@pytest.mark.parametrize("kind", [stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO])
def test_other_owners(writer: TreeWriter, target: Path, kind: int) -> None:
    """Root gives files to their owners, set-id bits included; others keep them, without lending their own rights."""
    mode = 0o777 if kind == stat.S_IFLNK else 0o6755
    wanted = entry(b"x", kind | mode, (OTHER, OTHER + 1))
    for _ in range(2):
        if kind == stat.S_IFDIR:
            writer.enter(b"x")
            writer.leave(wanted, OWNERS)
        elif kind == stat.S_IFREG:
            writer.write_file(wanted, OWNERS, [b"x"])
        elif kind == stat.S_IFLNK:
            wanted.target = b"nowhere"
            writer.symlink(wanted, OWNERS)
        else:
            writer.special(wanted, OWNERS)
    if IS_ROOT:
        assert look(target / "x") == (mode, (OTHER, OTHER + 1), TIME)
        assert writer.skipped == Skipped()
    else:
        assert look(target / "x") == (mode & 0o777, ME, TIME)
        assert writer.skipped == Skipped(ownership=2)


def test_names_before_numbers(tmp_path: Path) -> None:
    """A name known here decides about the owner, unless numbers are asked for."""
    names = Owners({OTHER: "nobody"}, {})
    for numeric in (False, True):
        with TreeWriter(tmp_path / str(numeric), numeric_ids=numeric) as writer:
            writer.write_file(entry(b"f", 0o100644, (OTHER, ME[1])), names, [b"x"])
            uid = (tmp_path / str(numeric) / "f").stat().st_uid
            wanted = OTHER if numeric else pwd.getpwnam("nobody").pw_uid
            if IS_ROOT or wanted == ME[0]:
                assert (uid, writer.skipped.ownership) == (wanted, 0)
            else:
                assert (uid, writer.skipped.ownership) == (ME[0], 1)


def _as_ordinary_user(own: Path) -> None:
    me = (os.geteuid(), os.getegid())
    assert me[0] != 0
    with TreeWriter(own / "t") as writer:
        writer.write_file(entry(b"other", 0o106755, (0, 0)), OWNERS, [b"x"])
        writer.write_file(entry(b"mine", 0o104755, me), OWNERS, [b"x"])
        writer.write_file(entry(b"f", 0o100444, me, {b"user.a": b"1", b"trusted.b": b"2"}), OWNERS, [b"x"])
        writer.symlink(Entry(b"l", 0o120777, 0, 0, mtime_ns=TIME, target=b"x"), OWNERS)
        assert writer.update(entry(b"f", 0o100444, me, {b"user.a": b"changed"}), OWNERS)
        writer.finish(entry(b"", 0o040755, (0, 0)), OWNERS)
        assert writer.skipped == Skipped(ownership=3, xattrs=1)
    assert look(own / "t" / "other") == (0o755, me, TIME)
    assert look(own / "t" / "mine") == (0o4755, me, TIME)
    assert look(own / "t" / "f") == (0o444, me, TIME)
    assert os.getxattr(own / "t" / "f", "user.a") == b"changed"
    assert os.listxattr(own / "t" / "f") == ["user.a"]


def test_an_ordinary_user(tmp_path: Path) -> None:
    """Ownership that cannot be given is counted, not an error; set-id bits are kept only for one's own files."""
    as_ordinary_user(_as_ordinary_user, tmp_path)


@pytest.mark.parametrize("kind", [stat.S_IFREG, stat.S_IFDIR])
def test_attributes(writer: TreeWriter, target: Path, kind: int) -> None:
    """User attributes and ACLs are given, changed and taken away, and the mode fits the ACL."""
    names = Owners()
    sets: list[dict[bytes, bytes] | None] = [
        {b"system.posix_acl_access": ACL_FOR_A_FRIEND, b"user.\xff": b"\0", b"user.empty": b""},
        {b"user.\xff": b"other", b"user.more": b"x" * 1000},
        None,
        {b"system.posix_acl_access": ACL_FOR_A_FRIEND},
    ]
    for attributes in sets:
        wanted = entry(b"x", kind | (0o660 if attributes and b"system.posix_acl_access" in attributes else 0o640))
        wanted.xattrs = attributes
        if kind == stat.S_IFDIR:
            writer.enter(b"x")
            writer.leave(wanted, names)
        elif (target / "x").exists():
            assert writer.update(wanted, names)
        else:
            writer.write_file(wanted, names, [b"x"])
        found = MetadataReader().fill_entry(writer.directory_fd, b"x", writer.lstat(b"x"))
        assert (found.xattrs, found.mode, found.mtime_ns) == (attributes, wanted.mode, TIME)
    assert writer.skipped == Skipped()


@pytest.mark.parametrize("made_inside", [False, True])
def test_nothing_is_inherited(tmp_path: Path, made_inside: bool) -> None:
    """A default ACL and the setgid bit of the target's directories do not show in what is restored there."""
    target = tmp_path / "target"
    target.mkdir()
    if IS_ROOT:
        os.chown(target, *ME[:1], OTHER)
    target.chmod(0o2775)
    inherited = acl((1, 7, NO_ID), (2, 7, 1234), (4, 5, NO_ID), (16, 7, NO_ID), (32, 0, NO_ID))
    os.setxattr(target, "system.posix_acl_default", inherited)
    with TreeWriter(target) as writer:
        if made_inside:
            writer.enter(b"d")
        writer.write_file(entry(b"f", 0o100644), OWNERS, [b"x"])
        if made_inside:
            writer.leave(entry(b"d", 0o040755), OWNERS)
        writer.finish()
    paths = [target / "d", target / "d" / "f"] if made_inside else [target / "f"]
    for path in paths:
        assert os.listxattr(path) == []
        assert look(path) == (0o755 if path.is_dir() else 0o644, ME, TIME)
    assert os.getxattr(target, "system.posix_acl_default") == inherited
    assert stat.S_IMODE(target.stat().st_mode) & 0o2000


def test_a_capability_survives_the_change_of_owner(writer: TreeWriter, target: Path) -> None:
    """A file capability is there in the end, though writing and giving away the file take it off."""
    capability = bytes.fromhex("0100000200040000000000000000000000000000")
    wanted = entry(b"f", 0o100755, (OTHER, OTHER), {b"security.capability": capability})
    writer.write_file(wanted, OWNERS, [b"x"])
    if IS_ROOT:
        assert os.getxattr(target / "f", "security.capability") == capability
    else:
        assert writer.skipped == Skipped(ownership=1, xattrs=1)


def test_attributes_no_file_system_takes(writer: TreeWriter, target: Path) -> None:
    """An attribute of another system is left out and counted once per file; the file itself is restored."""
    strange = {b"com.apple.quarantine": b"x", b"system.nfs4_acl": b"x", b"user.fine": b"x", b"user.huge": b"x" * 65536}
    writer.write_file(entry(b"f", 0o100644, ME, strange), OWNERS, [b"content"])
    assert (target / "f").read_bytes() == b"content"
    assert "user.fine" in os.listxattr(target / "f")
    assert "com.apple.quarantine" not in os.listxattr(target / "f")
    assert writer.skipped.xattrs == 1


def test_nothing_is_done_that_is_done(writer: TreeWriter, target: Path) -> None:
    """Files and directories that are as they shall be are not touched: their change time stays."""
    writer.enter(b"d")
    writer.write_file(entry(b"f", 0o100644, ME, {b"user.a": b"1"}), OWNERS, [b"x"])
    writer.leave(entry(b"d", 0o042750), OWNERS)
    before = [(target / name).stat().st_ctime_ns for name in ("d", "d/f")]
    clock = target / "clock"
    while not clock.exists() or clock.stat().st_ctime_ns <= max(before):  # the kernel's clock moves in steps
        clock.write_bytes(b"x")
    writer.enter(b"d")
    assert writer.update(entry(b"f", 0o100644, ME, {b"user.a": b"1"}), OWNERS)
    writer.leave(entry(b"d", 0o042750), OWNERS)
    assert [(target / name).stat().st_ctime_ns for name in ("d", "d/f")] == before


def test_update_is_for_the_file_that_was_meant(writer: TreeWriter, target: Path, tmp_path: Path) -> None:
    """A file with another name, perhaps outside, and one of another type are left as they are."""
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    outside.chmod(0o640)
    os.link(outside, target / "hard")
    (target / "soft").symlink_to(outside)
    before = look(outside)
    for name in (b"hard", b"soft"):
        assert not writer.update(entry(name, 0o100777), OWNERS)
    assert look(outside) == before
    os.mkfifo(target / "p")
    assert writer.update(entry(b"p", stat.S_IFIFO | 0o644), OWNERS)
    assert look(target / "p") == (0o644, ME, TIME)
    with pytest.raises(FileNotFoundError):
        writer.update(entry(b"gone", 0o100644), OWNERS)


def test_a_strange_umask(tmp_path: Path) -> None:
    """The mask for new files, however odd, neither stops a restore nor shows in it."""
    before = os.umask(0o777)
    try:
        with TreeWriter(tmp_path / "t") as writer:
            writer.enter(b"d")
            writer.write_file(entry(b"f", 0o100644), OWNERS, [b"x"])
            writer.leave(entry(b"d", 0o040755), OWNERS)
            writer.finish(entry(b"", 0o040755), OWNERS)
    finally:
        os.umask(before)
    assert look(tmp_path / "t" / "d" / "f") == (0o644, ME, TIME)
    assert look(tmp_path / "t" / "d") == (0o755, ME, TIME)


def test_nobody_is_somebody_else() -> None:
    """The tests' other user is not the one they run as."""
    assert ME[0] not in {OTHER, OTHER + 1}
    assert NOBODY != OTHER
