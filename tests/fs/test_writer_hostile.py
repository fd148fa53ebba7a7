"""writer: what others do to the tree, or the snapshot says, harms nothing outside of the target."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from icc_store.errors import TargetError
from icc_store.fs.removal import remove
from icc_store.fs.writer import TEMPORARY, TreeWriter
from icc_store.model.entry import Entry
from tests.fs.entries import ME, OWNERS, directory, file, link
from tests.fs.roles import as_ordinary_user


def test_a_target_that_cannot_be(tmp_path: Path) -> None:
    """A file, or a link to nothing, is no target, and the message names it."""
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nothing")
    for name in ("file", "file/below", "dangling"):
        with pytest.raises(TargetError, match=name):
            TreeWriter(tmp_path / name)


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


def _no_devices(own: Path) -> None:
    with TreeWriter(own / "t") as writer:
        with pytest.raises(PermissionError):
            writer.special(Entry(b"null", stat.S_IFCHR | 0o666, device=(1, 3)), OWNERS)
        assert writer.listdir() == []


def test_no_devices_for_ordinary_users(tmp_path: Path) -> None:
    """A device node without the right to make it is a PermissionError, and nothing is left of the attempt."""
    as_ordinary_user(_no_devices, tmp_path)


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
    """While contents come in, nobody else can open the file, and a new directory lets nobody in.

    In a new directory the file has its name by then, and not even its owner may open it.
    """
    seen: list[tuple[str, int, int, int]] = []

    def content() -> Iterator[bytes]:
        yield b"secret"
        (unfinished,) = (one for one in (target / "d").iterdir() if one.name != "old")
        modes = [stat.S_IMODE(one.stat().st_mode) for one in (unfinished, target / "d", target)]
        seen.append((unfinished.name, *modes))

    writer.enter(b"d")
    writer.write_file(file(b"f", 0o666), OWNERS, content())
    assert seen == [("f", 0, 0o700, 0o700)]
    (target / "d/f").rename(target / "d/old")
    writer.leave()
    (target / "d").chmod(0o700)
    seen.clear()
    writer.enter(b"d")
    writer.write_file(file(b"old", 0o666), OWNERS, content())
    assert [modes for _, *modes in seen] == [[0o600, 0o700, 0o700]]
    assert TEMPORARY.fullmatch(os.fsencode(seen[0][0]))


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
