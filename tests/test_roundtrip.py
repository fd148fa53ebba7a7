"""A tree goes in and the same tree comes out, judged by the operating system and not by our own code."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from stat import S_IFDIR, S_IFREG

import pytest

from icc_store.ids import Kind
from icc_store.model.entry import Entry
from icc_store.model.record import Snapshot, SnapshotRecord
from icc_store.model.repository import Repository
from icc_store.model.tree import Owners, pack_part
from icc_store.opening import create_repository, open_repository
from icc_store.operations.diff_live import diff_live
from icc_store.operations.restore import restore
from icc_store.operations.restore_plan import WRITES, Action, RestoreOptions
from icc_store.operations.verify import verify
from tests.support import trees
from tests.support.compare import assert_same
from tests.support.live import snap
from tests.support.ordinary import ordinarily
from tests.support.program import Program

_LIMIT = """
import resource, sys
resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[1]) << 20,) * 2)
from icc_store.cli.main import main
main(sys.argv[2:])
"""


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    create_repository(tmp_path / "repository")
    with open_repository(tmp_path / "repository") as opened:
        yield opened


@pytest.fixture
def deep_place(tmp_path: Path) -> Iterator[Path]:
    """A place for trees that Python's own functions are too shallow to remove."""
    place = tmp_path / "deep"
    place.mkdir()
    yield place
    subprocess.run(["rm", "-rf", place], check=True)


def test_every_kind_of_thing_comes_back(repository: Repository, tmp_path: Path) -> None:
    """Everything a file system holds is restored equal, read back equal, and then there is nothing more to do."""
    source, target = trees.build(tmp_path / "source"), tmp_path / "target"
    snapshot = snap(repository, source)
    result = restore(repository, snapshot, options=RestoreOptions(target, verify=True))
    assert result.failures == ()
    assert_same(source, target)
    again = restore(repository, snapshot, options=RestoreOptions(target, delete=True))
    assert [again.counts[action] for action in WRITES] == [0] * len(WRITES)
    assert again.removed == 0
    assert_same(source, target)


def test_restoring_over_itself_changes_nothing(repository: Repository, tmp_path: Path) -> None:
    """Right after a snapshot, diff finds nothing and a mirroring restore in place touches nothing, not even sockets."""
    source = trees.build(tmp_path / "source")
    snapshot = snap(repository, source)
    before = sorted(source.iterdir())
    assert list(diff_live(repository, snapshot)) == []
    result = restore(repository, snapshot, options=RestoreOptions(delete=True))
    assert (result.failures, result.removed) == ((), 0)
    assert sum(result.counts.values()) == result.counts[Action.KEEP]
    assert sorted(source.iterdir()) == before


def test_a_second_snapshot_of_what_was_restored_is_the_same(repository: Repository, tmp_path: Path) -> None:
    """Tree ids depend on what a tree is, not on where or when it was made."""
    source, target = trees.build(tmp_path / "source"), tmp_path / "target"
    first = snap(repository, source)
    restore(repository, first, options=RestoreOptions(target))
    assert snap(repository, target, source="other").record.root == first.record.root


def test_through_the_program(tmp_path: Path) -> None:
    """The same from the command line: init, snapshot, restore, each a process of its own."""
    source = trees.build(tmp_path / "source")
    program = Program(tmp_path / "repository")
    program.good("init", "-q")
    program.good("snapshot", source, "-q")
    program.good("restore", "latest", "--target", tmp_path / "target", "--verify", "-q")
    assert_same(source, tmp_path / "target")
    program.good("verify")


def round_trip_here(place: Path) -> None:
    """What an ordinary user does, standing in a directory of their own."""
    here = place.absolute()
    trees.IS_ROOT = False
    source = trees.build(here / "source")
    create_repository(here / "repository")
    with open_repository(here / "repository") as repository:
        result = restore(repository, snap(repository, source), options=RestoreOptions(here / "target", verify=True))
    assert (result.failures, result.skipped.ownership) == ((), 0)
    assert_same(source, here / "target")


def test_as_an_ordinary_user() -> None:
    """Without any privilege, everything such a user can have comes back as it was."""
    ordinarily(round_trip_here)


def test_several_paths_and_files(repository: Repository, tmp_path: Path) -> None:
    """Several paths come back under their stored paths, the directories on the way with their metadata."""
    source = trees.build(tmp_path / "source")
    snapshot = snap(repository, source / "many", source / "names", source / "y", source / "plain")
    target = tmp_path / "target"
    assert restore(repository, snapshot, options=RestoreOptions(target)).failures == ()
    stored = target / source.relative_to("/")
    for name in ("many", "names"):
        assert_same(source / name, stored / name)
    assert_same(source / "y", stored / "y", without=frozenset(("same file as",)))
    assert sorted(os.listdir(stored)) == ["many", "names", "plain", "y"]
    assert (stored / "plain").read_bytes() == b"hello\n"
    assert stored.stat().st_mtime_ns == source.stat().st_mtime_ns


def test_one_file(repository: Repository, tmp_path: Path) -> None:
    """A single file comes back directly in the target."""
    source = trees.build(tmp_path / "source")
    restore(repository, snap(repository, source / "large"), options=RestoreOptions(tmp_path / "target"))
    assert (tmp_path / "target" / "large").read_bytes() == (source / "large").read_bytes()
    assert os.listdir(tmp_path / "target") == ["large"]


def nested(repository: Repository, top: Path, depth: int) -> Snapshot:
    """A snapshot of what `trees.build_deep` makes, its trees put together from the bottom up."""
    owners = Owners()
    with repository.adding() as run:
        tree = run.writer.add(Kind.TREE, pack_part([], owners))
        for level in reversed(range(depth)):
            mtime = trees.MTIME + level + 1 if level + 1 < depth else trees.MTIME
            data = b"at level %d" % level
            below = Entry(b"d", S_IFDIR | 0o755, os.getuid(), os.getgid(), mtime_ns=mtime, subtree=tree)
            file = Entry(b"f", S_IFREG | 0o644, os.getuid(), os.getgid(), len(data), trees.MTIME)
            file.chunk = run.writer.add(Kind.CHUNK, data)
            tree = run.writer.add(Kind.TREE, pack_part([below.to_wire(), file.to_wire()], owners))
        here = Entry(b"", S_IFDIR | 0o755, os.getuid(), os.getgid(), mtime_ns=trees.MTIME).to_wire()
        return run.commit(
            lambda seq: SnapshotRecord(seq, 0, tree, "deep", "here", paths=(bytes(top),), root_entry=here)
        )


def test_directories_nested_deeper_than_python_calls(repository: Repository, deep_place: Path) -> None:
    """1,500 directories below each other are restored, compared, checked and removed."""
    source, target = trees.build_deep(deep_place / "source", 1500), deep_place / "target"
    snapshot = nested(repository, source, 1500)
    assert list(diff_live(repository, snapshot)) == []
    assert restore(repository, snapshot, options=RestoreOptions(target, verify=True)).failures == ()
    assert_same(source, target)
    assert verify(repository).findings == ()
    empty = deep_place / "empty"
    empty.mkdir()
    mirrored = restore(repository, snap(repository, empty, source="e"), options=RestoreOptions(target, delete=True))
    assert (mirrored.failures, os.listdir(target)) == ((), [])


def test_a_directory_of_many_names(repository: Repository, tmp_path: Path) -> None:
    """A directory that is stored in several parts comes back whole, into an empty place and over itself."""
    source = tmp_path / "source"
    source.mkdir()
    fd = os.open(source, os.O_RDONLY)
    for number in range(5_000):
        trees.write(fd, b"%x" % (number * 7919), b"%d" % number, mtime_ns=trees.MTIME + number)
    os.close(fd)
    snapshot = snap(repository, source)
    restore(repository, snapshot, options=RestoreOptions(tmp_path / "target"))
    assert_same(source, tmp_path / "target")
    (tmp_path / "target" / "0").write_bytes(b"changed")
    (tmp_path / "target" / "extra").write_bytes(b"")
    result = restore(repository, snapshot, options=RestoreOptions(tmp_path / "target", delete=True))
    assert (result.counts[Action.REPLACE], result.removed) == (1, 1)
    assert_same(source, tmp_path / "target")


@pytest.mark.slow
def test_large_files_in_bounded_memory(tmp_path: Path) -> None:
    """A file of 350 MB goes in and out of processes that may have 200 MB of memory of their own."""
    source = tmp_path / "source"
    source.mkdir()
    chance = random.Random("large")
    with (source / "large").open("wb") as file:
        for _ in range(7):
            file.write(chance.randbytes(25_000_000))
            file.write(bytes(25_000_000))
    limit = "200"
    for arguments in (
        ["init", "-q"],
        ["snapshot", str(source), "-q"],
        ["restore", "latest", "--target", str(tmp_path / "target"), "--verify", "-q"],
        ["verify", "-q"],
    ):
        command = [sys.executable, "-c", _LIMIT, limit, "--repo", str(tmp_path / "repository"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert_same(source, tmp_path / "target", without=frozenset(("data",)))
