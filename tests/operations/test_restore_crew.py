"""Restoring so much that several processes do it: what comes back, what cannot, and what ends it."""

from __future__ import annotations

import errno
import os
import random
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from icc_store.errors import WorkerKilled
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.model.walk import lookup
from icc_store.monitor import Monitor
from icc_store.opening import create_repository, open_repository
from icc_store.operations.restore import restore
from icc_store.operations.restore_plan import Action, RestoreOptions
from tests.support.compare import assert_same
from tests.support.damage import lose
from tests.support.live import new_clock, snap, within
from tests.support.processes import children
from tests.support.rich_tree import make_rich_tree

_DIRECTORIES, _FILES = 40, 130
"""Together more than a single process restores."""


class Counter(Monitor):
    """Counts what it hears of."""

    def __init__(self) -> None:
        self.files = self.size = 0
        self.warnings: list[bytes] = []

    def advance(self, files: int, size: int, path: bytes) -> None:
        self.files += files
        self.size += size

    def warning(self, path: bytes, message: str) -> None:
        self.warnings.append(path)


class Killer(Monitor):
    """Sends a signal to a child that began after this was made, or to ourselves, when the first files are there."""

    def __init__(self, number: signal.Signals, *, ourselves: bool) -> None:
        self._before = children()
        self._number: signal.Signals | None = number
        self._ourselves = ourselves

    def advance(self, files: int, size: int, path: bytes) -> None:
        if files and b"part" in path and self._number is not None:
            number, self._number = self._number, None
            os.kill(os.getpid() if self._ourselves else min(children() - self._before), number)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thousands of files in many directories, a file of every sort, and hard links to files far away."""
    top = tmp_path_factory.mktemp("large") / "source"
    make_rich_tree(top / "rich")
    for number in range(_DIRECTORIES):
        directory = top / f"part {number % 5}" / f"part {number}"
        directory.mkdir(parents=True)
        for name in range(_FILES):
            (directory / f"file {name}").write_bytes(b"%d of %d\n" % (name, number) * (name % 7))
    (top / "part 2" / "part 2" / "large").write_bytes(random.Random(7).randbytes(2_500_000))
    (top / "zz links").mkdir()
    os.link(top / "part 1" / "part 1" / "file 5", top / "zz links" / "another name")
    for directory in (top / "part 3" / "part 3", top / "part 3"):
        directory.chmod(0o500)
    return top


@pytest.fixture(scope="module")
def stored(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one snapshot of it."""
    path = tmp_path_factory.mktemp("stored") / "repository"
    create_repository(path)
    with open_repository(path, clock=new_clock()) as repository:
        snap(repository, source)
    return path


@pytest.fixture
def repository(stored: Path) -> Iterator[Repository]:
    with open_repository(stored, clock=new_clock()) as opened:
        yield opened


@pytest.fixture
def snapshot(repository: Repository) -> Snapshot:
    return repository.snapshots()[-1]


def test_all_comes_back(repository: Repository, snapshot: Snapshot, source: Path, tmp_path: Path) -> None:
    """Contents, metadata, hard links over all processes; everything is counted, and read back, once."""
    counter = Counter()
    before = children()
    with within(60):
        options = RestoreOptions(tmp_path / "back", read_back=True)
        result = restore(repository, snapshot, options=options, monitor=counter)
    assert_same(source, tmp_path / "back")
    assert result.failures == ()
    walked = list(os.walk(source))
    names = sum(len(folders) + len(files) for _, folders, files in walked)
    assert result.counts[Action.MAKE] + result.counts[Action.LINK] == names
    assert result.checked == names - (len(walked) - 1)
    links = [tmp_path / "back" / "part 1" / "part 1" / "file 5", tmp_path / "back" / "zz links" / "another name"]
    assert links[0].samefile(links[1])
    assert counter.size == result.size
    assert children() == before


def test_one_process_does_it_where_no_other_can_be(
    repository: Repository, snapshot: Snapshot, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit on processes is no reason to restore nothing."""

    def refused() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "fork", refused)
    descriptors = len(os.listdir("/proc/self/fd"))
    result = restore(repository, snapshot, options=RestoreOptions(tmp_path / "back"))
    assert result.failures == ()
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert_same(source, tmp_path / "back")


def test_the_repository_can_be_used_afterwards(repository: Repository, snapshot: Snapshot, tmp_path: Path) -> None:
    """It was closed for a moment, so that each process opens it for itself."""
    restore(repository, snapshot, options=RestoreOptions(tmp_path / "back"))
    assert repository.snapshots() == [snapshot]
    (tmp_path / "small").write_bytes(b"x")
    assert len(repository.snapshots()) == 1
    with repository.store.write() as txn:
        assert txn.last_block()


def test_what_is_damaged_costs_itself(source: Path, tmp_path: Path) -> None:
    """A file and a directory that other processes cannot read are told once; all others are there."""
    create_repository(tmp_path / "repository")
    with open_repository(tmp_path / "repository", clock=new_clock()) as repository:
        snapshot = snap(repository, source)
        lose(repository, lookup(repository.objects, snapshot.record, b"part 2/part 2/large").entry.content_list)
        lose(repository, lookup(repository.objects, snapshot.record, b"part 4/part 4").entry.subtree)
        counter = Counter()
        result = restore(repository, snapshot, options=RestoreOptions(tmp_path / "back"), monitor=counter)
    failed = {failure.path: failure.damage for failure in result.failures}
    assert failed == {b"part 2/part 2/large": True, b"part 4/part 4": True}
    assert len(result.failures) == 2
    assert sorted(counter.warnings) == sorted(failed)
    assert not (tmp_path / "back/part 2/part 2/large").exists()
    assert len(list((tmp_path / "back/part 2/part 2").iterdir())) == _FILES
    assert len(list((tmp_path / "back/part 4").iterdir())) == _DIRECTORIES // 5


@pytest.mark.parametrize(
    ("number", "ourselves", "kind"),
    [(signal.SIGKILL, False, WorkerKilled), (signal.SIGINT, True, KeyboardInterrupt)],
)
def test_whoever_is_stopped(
    number: signal.Signals,
    ourselves: bool,
    kind: type[BaseException],
    repository: Repository,
    snapshot: Snapshot,
    source: Path,
    tmp_path: Path,
) -> None:
    """A killed child and Ctrl-C end the restore and every process; what is unfinished has no rights; the next one
    makes it whole."""
    target = tmp_path / "back"
    before = children()
    with within(60), pytest.raises(kind):
        restore(repository, snapshot, options=RestoreOptions(target), monitor=Killer(number, ourselves=ourselves))
    assert children() == before
    unfinished = [path for path in target.rglob("*") if not stat.S_IMODE(path.lstat().st_mode)]
    assert len(unfinished) <= (0 if ourselves else 1)
    whole = [path for path in target.rglob("file *") if path not in unfinished]
    assert 0 < len(whole) < _DIRECTORIES * _FILES
    assert all(path.read_bytes() == (source / path.relative_to(target)).read_bytes() for path in whole)
    restore(repository, snapshot, options=RestoreOptions(target))
    assert_same(source, target)
