"""What can be named: directories, files, links, several of them, under a prefix, with things left out."""

from __future__ import annotations

import codecs
import os
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from icc_store.limits import MAX_OPEN_DIRECTORIES
from icc_store.model.repository import Repository
from icc_store.model.walk import lookup
from icc_store.opening import create_repository, open_repository
from tests.fs.roles import as_ordinary_user
from tests.support.live import contents, fill, names, new_clock, shoot, snap
from tests.support.shelf import noise

MANY = 2_600
codecs.lookup("ascii")  # once a test is an ordinary user, Python itself may be out of its reach


def stored(path: Path) -> str:
    """Where a path stands in a snapshot of several."""
    return str(path).lstrip("/")


def test_a_single_file(repository: Repository, tmp_path: Path) -> None:
    """A file that is named stands at the root under its own name."""
    fill(tmp_path / "top", {"d/file": b"1", "d/other": b"2"})
    taken = snap(repository, tmp_path / "top/d/file")
    assert contents(repository, taken) == {"file": b"1"}
    assert taken.record.root_entry is None


def test_a_link_to_a_directory(repository: Repository, tmp_path: Path) -> None:
    """A symbolic link that is named stands for the directory behind it; one inside is a link."""
    fill(tmp_path / "real", {"a": b"1"})
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real/inside").symlink_to(".")
    taken = snap(repository, tmp_path / "link")
    assert contents(repository, taken) == {"a": b"1"}
    assert lookup(repository.objects, taken.record, b"inside").entry.target == b"."
    assert taken.record.paths == (bytes(tmp_path / "link"),)


def test_a_link_to_a_file(repository: Repository, tmp_path: Path) -> None:
    """A symbolic link to a file is stored as that link, named or not."""
    fill(tmp_path / "top", {"file": b"1"})
    (tmp_path / "top/link").symlink_to("file")
    taken = snap(repository, tmp_path / "top/link")
    assert lookup(repository.objects, taken.record, b"link").entry.target == b"file"


def test_several_paths(repository: Repository, tmp_path: Path) -> None:
    """Several paths stand under their full paths, and the directories on the way have their own metadata."""
    fill(tmp_path / "top", {"a/1": b"1", "b/2": b"2", "b/3": b"3", "c/4": b"4"})
    (tmp_path / "top/b").chmod(0o750)
    result = shoot(repository, tmp_path / "top/b/2", tmp_path / "top/a")
    assert result.snapshot is not None
    where = stored(tmp_path / "top")
    assert contents(repository, result.snapshot) == {f"{where}/a/1": b"1", f"{where}/b/2": b"2"}
    entry = lookup(repository.objects, result.snapshot.record, f"{where}/b".encode()).entry
    assert stat.S_IMODE(entry.mode) == 0o750
    again = shoot(repository, tmp_path / "top/a", tmp_path / "top/b/2")
    assert again.unchanged


def test_paths_in_each_other(repository: Repository, tmp_path: Path) -> None:
    """A path given twice, or below another that is given, is stored once."""
    fill(tmp_path / "top", {"a/1": b"1", "a/d/2": b"2"})
    taken = snap(repository, tmp_path / "top/a/d", tmp_path / "top", tmp_path / "top/../top/a", tmp_path / "top")
    assert taken.record.paths == (bytes(tmp_path / "top"),)
    assert contents(repository, taken) == {"a/1": b"1", "a/d/2": b"2"}


def test_several_paths_through_a_link(repository: Repository, tmp_path: Path) -> None:
    """What is named through a symbolic link to a directory is stored, not just the link on the way."""
    fill(tmp_path / "real", {"a/1": b"1", "b": b"2", "not": b"3"})
    (tmp_path / "link").symlink_to("real")
    taken = snap(repository, tmp_path / "link/a", tmp_path / "link/b")
    where = stored(tmp_path / "link")
    assert contents(repository, taken) == {f"{where}/a/1": b"1", f"{where}/b": b"2"}


def test_a_prefix(repository: Repository, tmp_path: Path) -> None:
    """With a prefix everything stands below it, whatever was named."""
    fill(tmp_path / "top", {"a": b"1", "d/b": b"2"})
    one = snap(repository, tmp_path / "top", as_path=b"as/this")
    assert contents(repository, one) == {"as/this/a": b"1", "as/this/d/b": b"2"}
    file = snap(repository, tmp_path / "top/a", as_path=b"as")
    assert contents(repository, file) == {"as/a": b"1"}
    two = snap(repository, tmp_path / "top/a", tmp_path / "top/d", as_path=b"as")
    where = stored(tmp_path / "top")
    assert contents(repository, two) == {f"as/{where}/a": b"1", f"as/{where}/d/b": b"2"}


def test_the_repository_is_never_part_of_it(tmp_path: Path) -> None:
    """A repository inside of what is backed up is left out, also under a prefix, a link, and among several paths."""
    top = tmp_path / "top"
    fill(top, {"a": b"1", "d/b": b"2"})
    create_repository(top / "d/store")
    (tmp_path / "link").symlink_to("top")
    with open_repository(top / "d/store", clock=new_clock()) as repository:
        assert contents(repository, snap(repository, top)) == {"a": b"1", "d/b": b"2"}
        assert contents(repository, snap(repository, tmp_path / "link")) == {"a": b"1", "d/b": b"2"}
        assert contents(repository, snap(repository, top, as_path=b"x")) == {"x/a": b"1", "x/d/b": b"2"}
        where = stored(top)
        several = snap(repository, top / "d", top / "a")
        assert contents(repository, several) == {f"{where}/a": b"1", f"{where}/d/b": b"2"}
        assert several.record.exclusions["never"] == [f"{where}/d/store".encode()]


def test_a_memory_without_its_backups(repository: Repository, tmp_path: Path) -> None:
    """Of a memory, `backups` and `safety` at its top are left out; elsewhere such names are like any others."""
    memory = tmp_path / "home/.claude/memory"
    files = {"entities/x.json": b"{}", "entities/backups/y": b"1", "index.json": b"[]"}
    fill(memory, files | {"backups/old.tar": b"2", "safety/z": b"3"})
    assert contents(repository, snap(repository, memory, home=tmp_path / "home")) == files
    above = snap(repository, tmp_path / "home", home=tmp_path / "home")
    assert contents(repository, above) == {f".claude/memory/{name}": data for name, data in files.items()}
    fill(tmp_path / "else", {"backups/a": b"1", "safety/b": b"2"})
    assert contents(repository, snap(repository, tmp_path / "else")) == {"backups/a": b"1", "safety/b": b"2"}


def test_what_is_left_out(repository: Repository, tmp_path: Path) -> None:
    """Patterns, cache directories and large files are left out, and nothing else."""
    top = tmp_path / "top"
    tag = b"Signature: 8a477f597d28d172789f06886806bc55\n"
    fill(top, {"a.tmp": b"1", "keep.txt": b"2", "build/x": b"3", "deep/build/y": b"4", "important.tmp": b"5"})
    fill(top / "cache", {"CACHEDIR.TAG": tag, "derived": b"6"})
    (top / "large").write_bytes(noise(1, 5000))
    patterns = ("*.tmp", "!important.tmp", "/build/")
    taken = snap(repository, top, exclude=patterns, exclude_caches=True, exclude_larger_than=4999)
    assert contents(repository, taken) == {
        "keep.txt": b"2",
        "deep/build/y": b"4",
        "important.tmp": b"5",
        "cache/CACHEDIR.TAG": tag,
    }
    assert "build" not in names(repository, taken)
    everything = snap(repository, top, exclude_larger_than=5000)
    assert len(contents(repository, everything)) == 8


def test_other_rules_make_another_tree(repository: Repository, tmp_path: Path) -> None:
    """When the rules change, the next snapshot holds what they say now, whatever the last one had seen."""
    fill(tmp_path / "top", {"a": b"1", "b": b"2", "d/a": b"3"})
    for exclude, left in (((), 3), (("a",), 1), ((), 3), (("/a",), 2)):
        assert len(contents(repository, snap(repository, tmp_path / "top", exclude=exclude))) == left


def test_one_file_system(repository: Repository) -> None:
    """With `one_file_system` what is mounted below stands there as an empty directory."""
    proc = [Path("/proc/sys"), Path("/proc")]  # one of them has something mounted in it on every Linux machine
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    inside = [path for path in mounts if path.startswith("/dev/") and path.count("/") == 2]
    assert proc
    if inside:
        taken = shoot(
            repository, Path("/dev"), one_file_system=True, exclude=("*", "!/pts", "!/shm", "!/mqueue")
        ).snapshot
        assert taken is not None
        assert [name for name in names(repository, taken) if name.count("/")] == []


def test_sockets_are_left_out(repository: Repository, tmp_path: Path) -> None:
    """A socket has nothing to store: it is left out, and that is no problem; a FIFO is stored as one."""
    top = tmp_path / "top"
    fill(top, {"a": b"1"})
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.fspath(top / "socket"))
        os.mkfifo(top / "fifo")
        result = shoot(repository, top)
        assert result.snapshot is not None
        assert result.problems == ()
        assert names(repository, result.snapshot) == ["a", "fifo"]
        assert shoot(repository, top).unchanged
        alone = shoot(repository, top / "socket")
        assert alone.snapshot is not None
        assert names(repository, alone.snapshot) == []


def test_long_paths(repository: Repository, tmp_path: Path) -> None:
    """Paths of more than 4,096 bytes are stored and read again."""
    top = tmp_path / "top"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for level in range(20):
        os.mkdir(b"%03d" % level + b"n" * 250, dir_fd=here)
        below = os.open(b"%03d" % level + b"n" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    file = os.open(b"file", os.O_WRONLY | os.O_CREAT, dir_fd=here)
    os.write(file, b"deep")
    os.close(file)
    os.close(here)
    taken = snap(repository, top)
    [(path, data)] = contents(repository, taken).items()
    assert len(path) > 5000
    assert data == b"deep"
    subprocess.run(["rm", "-rf", top], check=True)


@pytest.mark.parametrize("depth", [300, 1_000])
def test_deep_trees(repository: Repository, tmp_path: Path, depth: int) -> None:
    """Directories thousands deep are stored, and an unchanged one is the same tree."""
    top = tmp_path / "top"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for level in range(depth):
        os.mkdir(b"d", dir_fd=here)
        file = os.open(b"file", os.O_WRONLY | os.O_CREAT, dir_fd=here)
        os.write(file, b"%d" % level)
        os.close(file)
        below = os.open(b"d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    first = shoot(repository, top)
    assert first.snapshot is not None
    assert (first.counters.files, first.counters.directories) == (depth, depth)
    found = contents(repository, first.snapshot)
    assert sorted(found.values(), key=int) == [b"%d" % level for level in range(depth)]
    assert shoot(repository, top).unchanged
    subprocess.run(["rm", "-rf", top], check=True)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("depth", [MAX_OPEN_DIRECTORIES + 1, MAX_OPEN_DIRECTORIES + 2])
def test_a_large_directory_above_a_deep_one(repository: Repository, tmp_path: Path, depth: int, threads: int) -> None:
    """What follows a deep directory is found, though the large one had to be opened again on the way back."""
    top = tmp_path / "top"
    large = [f"large/{number:04}" for number in range(1, 1400)]
    fill(top, dict.fromkeys(large, b"") | {f"large/0000{'/d' * depth}/file": b"deep"})
    result = shoot(repository, top, threads=threads)
    assert result.problems == ()
    assert result.snapshot is not None
    assert len(contents(repository, result.snapshot)) == len(large) + 1


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that an ordinary user can reach, which pytest's own are not when root runs it."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def unreadable_things_are_named(_: Path) -> None:
    here = Path.cwd()
    fill(here / "top", {"a": b"1", "secret": b"2", "d/b": b"3", "closed/c": b"4", "d/secret": noise(1, 3_000_000)})
    for name, mode in (("secret", 0), ("d/secret", 0), ("closed", 0)):
        (here / "top" / name).chmod(mode)
    create_repository(here / "r")
    with open_repository(here / "r", clock=new_clock()) as repository:
        for _ in range(2):
            result = shoot(repository, here / "top")
            assert result.snapshot is not None
            assert sorted(path for path, _ in result.problems) == [b"closed", b"d/secret", b"secret"]
            assert all(why.startswith("Permission denied") for _, why in result.problems)
            assert sorted(result.snapshot.record.warnings) == sorted(result.problems)
            assert contents(repository, result.snapshot) == {"a": b"1", "d/b": b"3"}
            assert (result.counters.files, result.counters.directories) == (2, 1)
        (here / "top/secret").chmod(0o600)
        last = shoot(repository, here / "top")
        assert last.snapshot is not None
        assert contents(repository, last.snapshot)["secret"] == b"2"
    (here / "top/closed").chmod(0o700)


def test_unreadable_things_are_named(public: Path) -> None:
    """What may not be read is listed in the result and the record, and is in no way in the tree."""
    as_ordinary_user(unreadable_things_are_named, public)


def an_unreadable_one_among_many(_: Path) -> None:
    here = Path.cwd()
    for top, names_ in (("with", range(MANY)), ("without", [n for n in range(MANY) if n not in (0, 1000, 2599)])):
        (here / top).mkdir()
        for number in names_:
            path = here / top / f"file {number:05}"
            path.write_bytes(b"%d" % number)
            os.utime(path, (1, 1))
    for number in (0, 1000, 2599):
        (here / f"with/file {number:05}").chmod(0)
    create_repository(here / "r")
    with open_repository(here / "r", clock=new_clock()) as repository:
        one = shoot(repository, here / "with", source="one")
        two = shoot(repository, here / "without", source="two")
        assert one.snapshot is not None
        assert two.snapshot is not None
        assert len(one.problems) == 3
        assert one.snapshot.record.root == two.snapshot.record.root
        assert (one.counters.files, one.counters.new_files) == (MANY - 3, MANY - 3)
        assert one.counters.size == two.counters.size
        assert shoot(repository, here / "with", source="one").counters.new_files == 0


def test_an_unreadable_one_among_many(public: Path) -> None:
    """A large directory of which some files cannot be read has the very tree it would have without them."""
    as_ordinary_user(an_unreadable_one_among_many, public)


def directories_on_the_way_need_not_be_readable(_: Path) -> None:
    here = Path.cwd()
    fill(here / "top", {"way/a": b"1", "way/b/c": b"2", "way/d": b"3"})
    (here / "top/way").chmod(0o300)
    create_repository(here / "r")
    with open_repository(here / "r", clock=new_clock()) as repository:
        file = shoot(repository, here / "top/way/a")
        assert file.snapshot is not None
        assert contents(repository, file.snapshot) == {"a": b"1"}
        both = shoot(repository, here / "top/way/a", here / "top/way/b")
        assert both.snapshot is not None
        assert sorted(contents(repository, both.snapshot).values()) == [b"1", b"2"]
    (here / "top/way").chmod(0o700)


def test_directories_on_the_way_need_not_be_readable(public: Path) -> None:
    """To back up what is named it is enough to be let through the directories above it, as in a shared /home."""
    as_ordinary_user(directories_on_the_way_need_not_be_readable, public)
