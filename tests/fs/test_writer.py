"""writer: a tree below a target, and nothing outside of it."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from icc_store.errors import TargetError
from icc_store.fs.directory_stack import DirectoryStack
from icc_store.fs.removal import remove
from icc_store.fs.writer import TEMPORARY_PREFIX, TreeWriter
from icc_store.model.entry import Entry
from icc_store.model.tree import Owners
from tests.fs.roles import IS_ROOT, as_ordinary_user

ME = (os.geteuid(), os.getegid())
OWNERS = Owners()
TIME = 1_234_567_890_123_456_789


def file(name: bytes, mode: int = 0o644, **fields: object) -> Entry:
    return Entry(name, stat.S_IFREG | mode, *ME, mtime_ns=TIME, **fields)  # type: ignore[arg-type]


def directory(name: bytes, mode: int = 0o755) -> Entry:
    return Entry(name, stat.S_IFDIR | mode, *ME, mtime_ns=TIME)


def link(name: bytes, target: bytes) -> Entry:
    return Entry(name, stat.S_IFLNK | 0o777, *ME, mtime_ns=TIME, target=target)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


@pytest.fixture
def writer(target: Path) -> Iterator[TreeWriter]:
    with TreeWriter(target) as one:
        yield one


def leftovers(path: Path) -> list[Path]:
    return [found for found in path.rglob("*") if os.fsencode(found.name).startswith(TEMPORARY_PREFIX)]


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


def test_a_target_that_cannot_be(tmp_path: Path) -> None:
    """A file, or a link to nothing, is no target, and the message names it."""
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nothing")
    for name in ("file", "file/below", "dangling"):
        with pytest.raises(TargetError, match=name):
            TreeWriter(tmp_path / name)


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
    for name in (b"f", b"l", b"p"):
        writer.write_file(file(name), OWNERS, [b"new"])
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


@pytest.mark.parametrize("kind", ["symlink", "file", "fifo"])
def test_no_directory_where_one_is_expected(writer: TreeWriter, target: Path, tmp_path: Path, kind: str) -> None:
    """What stands in a directory's place is an error, or replaced on request; a link is never gone through."""
    outside = tmp_path / "outside"
    outside.mkdir()
    path = target / "x"
    if kind == "symlink":
        path.symlink_to(outside)
    elif kind == "file":
        path.touch()
    else:
        os.mkfifo(path)
    with pytest.raises(OSError, match=r"Errno (20|40)"):
        writer.enter(b"x")
    assert writer.path == b""
    assert writer.enter(b"x", replace=True)
    writer.write_file(file(b"f"), OWNERS, [b"x"])
    writer.leave(directory(b"x"), OWNERS)
    assert (target / "x" / "f").exists()
    assert os.listdir(outside) == []


@pytest.mark.parametrize("name", [b"..", b".", b"", b"sub/x", b"../precious", b"ABSOLUTE"])
def test_names_that_lead_away(writer: TreeWriter, target: Path, tmp_path: Path, name: bytes) -> None:
    """What is not one plain name is refused by everything that writes, and nothing it leads to is touched."""
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    (target / "sub").mkdir()
    before = precious.stat()
    if name == b"ABSOLUTE":
        name = os.fsencode(precious)
    for attempt in (
        lambda: writer.lstat(name),
        lambda: writer.enter(name),
        lambda: writer.write_file(file(name), OWNERS, [b"x"]),
        lambda: writer.symlink(link(name, b"x"), OWNERS),
        lambda: writer.special(Entry(name, stat.S_IFIFO | 0o600, *ME), OWNERS),
        lambda: writer.link(name, b"x"),
        lambda: writer.remove(name),
        lambda: writer.update(file(name), OWNERS),
    ):
        with pytest.raises(OSError, match=r"Errno 22"):
            attempt()
    with pytest.raises(OSError, match=r"Errno 22"):
        writer.link(b"x", name if name != b"sub/x" else b"sub/../../precious")
    assert os.listdir(target) == ["sub"]
    assert os.listdir(target / "sub") == []
    assert precious.stat() == before


def test_nobody_can_lead_it_away(target: Path, tmp_path: Path) -> None:
    """While another process swaps a directory for a link again and again, nothing is written outside."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_bytes(b"precious")
    (target / "d").mkdir(parents=True)
    done = threading.Event()

    def swap() -> None:
        fd = os.open(target, os.O_RDONLY)
        while not done.is_set():
            for step in (
                lambda: (target / "d").rename(target / "aside"),
                lambda: (target / "d").symlink_to(outside),
                lambda: remove(fd, b"d"),
                lambda: (target / "aside").rename(target / "d"),
            ):
                with contextlib.suppress(OSError):  # the writer was faster
                    step()
        os.close(fd)

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for turn in range(400):
            with TreeWriter(target) as writer:
                try:
                    writer.enter(b"d", replace=turn % 2 == 0)
                    writer.write_file(file(b"f"), OWNERS, [b"ours"])
                    writer.link(b"g", b"d/f")
                    writer.update(file(b"f", 0o600), OWNERS)
                    writer.remove(b"f")
                    writer.leave(directory(b"d", 0o700), OWNERS)
                except (OSError, TargetError):
                    pass
    finally:
        done.set()
        swapper.join()
    assert os.listdir(outside) == ["f"]
    assert (outside / "f").read_bytes() == b"precious"
    assert stat.S_IMODE(outside.stat().st_mode) == 0o755


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, OSError])
def test_a_broken_off_file_leaves_nothing(writer: TreeWriter, target: Path, error: type[BaseException]) -> None:
    """When the contents end in an exception, Ctrl-C among them, the old file stays and nothing is left over."""
    (target / "f").write_bytes(b"old")

    def content() -> Iterator[bytes]:
        yield b"new, but only"
        raise error

    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(error):
        writer.write_file(file(b"f"), OWNERS, content())
    assert os.listdir(target) == ["f"]
    assert (target / "f").read_bytes() == b"old"
    assert len(os.listdir("/proc/self/fd")) == before
    writer.write_file(file(b"f"), OWNERS, [b"new"])
    assert (target / "f").read_bytes() == b"new"


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


def test_a_link_to_nothing_inside(writer: TreeWriter, target: Path, tmp_path: Path) -> None:
    """A missing first name is FileNotFoundError; a way to it that leads through a symbolic link is refused."""
    with pytest.raises(FileNotFoundError):
        writer.link(b"x", b"no/such")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    (target / "way").symlink_to(tmp_path / "outside")
    with pytest.raises(NotADirectoryError):
        writer.link(b"x", b"way/secret")
    assert os.listdir(target) == ["way"]


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


def _no_devices(own: Path) -> None:
    with TreeWriter(own / "t") as writer:
        with pytest.raises(PermissionError):
            writer.special(Entry(b"null", stat.S_IFCHR | 0o666, device=(1, 3)), OWNERS)
        assert writer.listdir() == []


def test_no_devices_for_ordinary_users(tmp_path: Path) -> None:
    """A device node without the right to make it is a PermissionError, and nothing is left of the attempt."""
    as_ordinary_user(_no_devices, tmp_path)


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


def test_a_tree_moved_away_ends_the_restore(writer: TreeWriter, target: Path, tmp_path: Path) -> None:
    """When the way back is lost, that is said at once instead of going on elsewhere."""
    for _ in range(100):
        writer.enter(b"d")
    (target / "d" / "d").rename(tmp_path / "moved")
    for _ in range(98):
        writer.leave(directory(b"d"), OWNERS)
    with pytest.raises(TargetError, match="d: the directory was moved"):
        writer.leave(directory(b"d"), OWNERS)
    assert os.listdir(tmp_path / "moved") == ["d"]


def _own_locked_directories(own: Path) -> None:
    (own / "t" / "d").mkdir(parents=True)
    (own / "t" / "d").chmod(0o500)
    (own / "t").chmod(0o555)
    with TreeWriter(own / "t") as writer:
        writer.enter(b"d")
        writer.write_file(file(b"f", 0o400), OWNERS, [b"x"])
        writer.leave()
        writer.enter(b"new")
        writer.write_file(file(b"f", 0), OWNERS, [b"x"])
        writer.leave(directory(b"new", 0o111), OWNERS)
        writer.finish()
    modes = {name: stat.S_IMODE((own / "t" / name).stat().st_mode) for name in ("", "d", "d/f", "new", "new/f")}
    assert modes == {"": 0o555, "d": 0o500, "d/f": 0o400, "new": 0o111, "new/f": 0}
    with TreeWriter(own / "t") as writer:  # and left without an end, as after Ctrl-C
        writer.enter(b"new")
        writer.remove(b"f")
    assert stat.S_IMODE((own / "t").stat().st_mode) in {0o555, 0o755}
    assert stat.S_IMODE((own / "t" / "new").stat().st_mode) == 0o111


def test_directories_without_rights(tmp_path: Path) -> None:
    """An ordinary user's own read-only directories are written to and get back the mode they had or shall have."""
    as_ordinary_user(_own_locked_directories, tmp_path)


def test_new_files_are_private_until_they_are_whole(writer: TreeWriter, target: Path) -> None:
    """While contents come in, nobody else can open the file, and a new directory lets nobody in."""
    seen: list[int] = []

    def content() -> Iterator[bytes]:
        yield b"secret"
        (temporary,) = (target / "d").iterdir()
        seen.append(stat.S_IMODE(temporary.stat().st_mode))
        seen.append(stat.S_IMODE((target / "d").stat().st_mode))
        seen.append(stat.S_IMODE(target.stat().st_mode))

    writer.enter(b"d")
    writer.write_file(file(b"f", 0o666), OWNERS, content())
    assert seen == [0o600, 0o700, 0o700]


def test_descriptors_are_closed(target: Path) -> None:
    """However the writer ends, no descriptor stays open."""
    before = len(os.listdir("/proc/self/fd"))
    with TreeWriter(target) as writer:
        for _ in range(100):
            writer.enter(b"d")
    with TreeWriter(target) as writer:
        writer.enter(b"d")
        writer.write_file(file(b"f"), OWNERS, [b"x"])
        writer.link(b"g", b"d/f")
        writer.update(file(b"f"), OWNERS)
        writer.finish()
    assert len(os.listdir("/proc/self/fd")) == before
