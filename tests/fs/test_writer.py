"""writer: a tree below a target, of everything a file system holds."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from icc_store.fs.directory_stack import DirectoryStack
from icc_store.fs.removal import remove
from icc_store.fs.writer import TEMPORARY, TreeWriter
from icc_store.model.entry import Entry
from tests.fs.entries import ME, OWNERS, TIME, directory, file, link
from tests.fs.roles import IS_ROOT


def leftovers(path: Path) -> list[Path]:
    return [found for found in path.rglob("*") if TEMPORARY.fullmatch(os.fsencode(found.name))]


def test_a_tree(writer: TreeWriter, target: Path) -> None:
    """Files, directories and links are there with contents, modes and times, the directories' times too."""
    assert writer.enter(b"d")
    assert writer.write_file(file(b"f", 0o640), OWNERS, [b"con", b"tent"]) == 7
    writer.symlink(link(b"l", b"no/such\xff"), OWNERS)
    assert writer.enter(b"empty")
    assert writer.path == b"d/empty"
    writer.leave(directory(b"empty", 0o700), OWNERS)
    writer.leave(directory(b"d", 0o1750), OWNERS)
    writer.write_file(file(b"empty file"), OWNERS, [])
    writer.finish(directory(b"", 0o711), OWNERS)

    assert (target / "d" / "f").read_bytes() == b"content"
    assert os.readlink(os.fsencode(target) + b"/d/l") == b"no/such\xff"
    assert (target / "empty file").stat().st_size == 0
    modes = {"": 0o711, "d": 0o1750, "d/f": 0o640, "d/l": 0o777, "d/empty": 0o700, "empty file": 0o644}
    for name, mode in modes.items():
        status = (target / name).lstat()
        assert stat.S_IMODE(status.st_mode) == mode, name
        assert status.st_mtime_ns == TIME, name
    assert sorted(os.listdir(target)) == ["d", "empty file"]


def test_the_target_and_its_parents_are_made(tmp_path: Path) -> None:
    """A missing target is made with the usual mode when no entry says otherwise; one that is there keeps its own."""
    with TreeWriter(tmp_path / "a" / "b") as writer:
        assert writer.listdir() == []
        writer.finish()
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o755
    (tmp_path / "a" / "b").chmod(0o711)
    with TreeWriter(tmp_path / "a" / "b") as writer:
        writer.enter(b"made")
        writer.finish()
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o711
    assert stat.S_IMODE((tmp_path / "a" / "b" / "made").stat().st_mode) == 0o755


def test_the_target_itself_may_be_a_link(tmp_path: Path) -> None:
    """The user's own path to the target is followed."""
    (tmp_path / "real").mkdir()
    (tmp_path / "way").symlink_to("real")
    with TreeWriter(tmp_path / "way") as writer:
        writer.write_file(file(b"f"), OWNERS, [b"x"])
        writer.finish()
    assert (tmp_path / "real" / "f").read_bytes() == b"x"


def test_what_is_there_is_replaced_whole(writer: TreeWriter, target: Path) -> None:
    """A file, link or FIFO in the way gives its name to the new file; another name of the old file keeps the old."""
    (target / "f").write_bytes(b"old contents, longer")
    os.link(target / "f", target / "other name")
    (target / "precious").write_bytes(b"precious")
    (target / "l").symlink_to("precious")
    os.mkfifo(target / "p")
    for new in (b"f", b"l", b"p"):
        writer.write_file(file(new), OWNERS, [b"new"])
    writer.symlink(link(b"precious", b"f"), OWNERS)
    writer.finish()
    for name in ("f", "l", "p"):
        assert not (target / name).is_symlink()
        assert (target / name).read_bytes() == b"new"
    assert (target / "other name").read_bytes() == b"old contents, longer"
    assert os.readlink(target / "precious") == "f"


def test_a_directory_is_not_replaced_by_accident(writer: TreeWriter, target: Path) -> None:
    """A directory stands against a file until it is removed, and the attempt leaves nothing behind."""
    (target / "x" / "below").mkdir(parents=True)
    for attempt in (
        lambda: writer.write_file(file(b"x"), OWNERS, [b"new"]),
        lambda: writer.symlink(link(b"x", b"y"), OWNERS),
    ):
        with pytest.raises(IsADirectoryError):
            attempt()
    assert os.listdir(target) == ["x"]
    writer.remove(b"x")
    writer.write_file(file(b"x"), OWNERS, [b"new"])
    assert (target / "x").read_bytes() == b"new"


MIB = 1 << 20


@pytest.mark.parametrize(
    "content",
    [
        [MIB],
        [b"x", MIB],
        [MIB, b"x"],
        [b"x" * 5000, MIB, b"y" * 5000, 3 * MIB, b"z"],
        [b"x", 0, b"y", 5, b"", b"z", 0],
    ],
)
def test_holes(writer: TreeWriter, target: Path, content: list[bytes | int]) -> None:
    """Numbers are holes of that many zeros, at the beginning, inside and at the end, and take no room."""
    expected = b"".join(bytes(piece) if isinstance(piece, int) else piece for piece in content)
    assert writer.write_file(file(b"f"), OWNERS, content) == len(expected)
    assert (target / "f").read_bytes() == expected
    data = sum(len(piece) for piece in content if isinstance(piece, bytes))
    assert (target / "f").stat().st_blocks * 512 <= data + 4 * 8192


def test_hard_links(writer: TreeWriter, target: Path) -> None:
    """Names in several directories become one file; whatever had the name is replaced, also the link itself."""
    writer.enter(b"a")
    writer.write_file(file(b"f"), OWNERS, [b"shared"])
    writer.link(b"same directory", b"a/f")
    writer.leave(directory(b"a"), OWNERS)
    (target / "in the way").write_bytes(b"old")
    writer.link(b"in the way", b"a/f")
    writer.enter(b"b")
    for _ in range(2):
        writer.link(b"deep", b"a/f")
    writer.leave(directory(b"b"), OWNERS)
    writer.finish()
    inode = (target / "a" / "f").stat().st_ino
    for name in ("a/same directory", "in the way", "b/deep"):
        assert (target / name).stat().st_ino == inode
    assert (target / "a" / "f").stat().st_nlink == 4
    assert not leftovers(target)
    assert (target / "b").stat().st_mtime_ns == TIME


def test_special_files(writer: TreeWriter, target: Path) -> None:
    """A FIFO is made with mode and time; a socket is refused; a device only where the system allows it."""
    writer.special(Entry(b"p", stat.S_IFIFO | 0o622, *ME, mtime_ns=TIME), OWNERS)
    status = (target / "p").lstat()
    assert stat.S_ISFIFO(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == 0o622
    assert status.st_mtime_ns == TIME
    with pytest.raises(OSError, match="cannot be made"):
        writer.special(Entry(b"s", stat.S_IFSOCK | 0o600), OWNERS)
    null = Entry(b"null", stat.S_IFCHR | 0o666, *ME, mtime_ns=TIME, device=(1, 3))
    if IS_ROOT:
        writer.special(null, OWNERS)
        assert (target / "null").stat().st_rdev == os.makedev(1, 3)
        assert stat.S_IMODE((target / "null").stat().st_mode) == 0o666
        assert (target / "null").stat().st_mtime_ns == TIME
    else:
        with pytest.raises(PermissionError):
            writer.special(null, OWNERS)
    assert not leftovers(target)


def test_looking(writer: TreeWriter, target: Path) -> None:
    """`lstat` and `listdir` see the current directory, links unfollowed and names as bytes."""
    writer.enter(b"d")
    writer.symlink(link(b"l\xff", b"gone"), OWNERS)
    assert writer.listdir() == [b"l\xff"]
    assert stat.S_ISLNK(writer.lstat(b"l\xff").st_mode)
    with pytest.raises(FileNotFoundError):
        writer.lstat(b"none")
    assert os.fstat(writer.directory_fd).st_ino == (target / "d").stat().st_ino


def test_any_depth_and_length(writer: TreeWriter, target: Path) -> None:
    """Names of 255 bytes, thousands of levels and links across them: no path is ever built."""
    name = b"n" * 255
    depth = 1200
    writer.write_file(file(b"top"), OWNERS, [b"x"])
    for _ in range(depth):
        writer.enter(name)
    writer.write_file(file(name), OWNERS, [b"bottom"])
    writer.link(b"top", b"top")
    writer.link(b"again", writer.path + b"/" + name)
    for _ in range(depth):
        writer.leave(directory(name), OWNERS)
    writer.finish()

    root = os.open(target, os.O_RDONLY)
    stack = DirectoryStack(root)
    for _ in range(depth):
        assert stack.descend(name).st_mtime_ns == TIME
    assert sorted(os.listdir(stack.fd)) == ["again", "n" * 255, "top"]
    assert os.stat(name, dir_fd=stack.fd).st_nlink == 2
    stack.close()
    remove(root, name)
    os.close(root)
    assert (target / "top").stat().st_nlink == 1
