"""Snapshots of large directories, which another process scans from the other end."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from icc_store.fs.backward_scan import BackwardScan
from icc_store.limits import SECOND_SCAN_NAMES
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.operations import snapshot as snapshots
from icc_store.operations.memory.manifest import manifest_of
from icc_store.operations.snapshot import SnapshotOptions, SnapshotResult, take_snapshot
from tests.support.entities import entity_file
from tests.support.live import OLD, contents, fill

DIRECTORIES = ("entities/Knowledge/2025/06", "entities/Knowledge/2025/07", "entities/Knowledge/2025/08")
PER_DIRECTORY = SECOND_SCAN_NAMES + 50


class Told(Monitor):
    """What is told."""

    def __init__(self) -> None:
        self.warnings: list[tuple[bytes, str]] = []

    def warning(self, path: bytes, message: str) -> None:
        self.warnings.append((path, message))


class Forks:
    """The processes that are forked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pids: list[int] = []
        self.at_once: Callable[[int], object] = lambda _pid: None
        """What is done right after each, before its parent goes on."""
        fork = os.fork

        def noted() -> int:
            pid = fork()
            if pid:
                self.pids.append(pid)
                self.at_once(pid)
            return pid

        monkeypatch.setattr(os, "fork", noted)

    def are_gone(self) -> bool:
        """Whether none is left, not even as a dead one that nobody waited for."""
        return not any(Path(f"/proc/{pid}").exists() for pid in self.pids)


def wait_for_its_end(pid: int) -> None:
    """So that the second scan has all of a tree, and the first one takes it over.

    Where its pipe is too small for that, which the system may decide, it waits for the first one.
    """
    for _ in range(2000):
        if Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] == "Z":
            break
        time.sleep(0.005)


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> Forks:
    """Where a second scan pays for the few files here as well."""
    monkeypatch.setattr(snapshots, "SECOND_SCAN_FILES", PER_DIRECTORY)
    return Forks(monkeypatch)


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    """Three directories that are worth it; one entity is broken, and two are the same in two of them."""
    top = tmp_path / "memory"
    files = {"config/settings.json": b'{"version": "2.0"}\n'}
    for place, directory in enumerate(DIRECTORIES):
        for number in range(PER_DIRECTORY):
            path, data = entity_file(f"fact{place}x{number}-20250603")
            files[f"{directory}/{Path(path).name}"] = data if number != 70 else b"{"
        files[f"{directory}/same.json"] = b'{"id": "same"}'
    fill(top, files)
    return top


def take(
    repository: Repository,
    memory: Path,
    source: str,
    *,
    threads: int = 2,
    profile: str = "icc",
    monitor: Monitor = SILENT,
) -> SnapshotResult:
    options = SnapshotOptions(source=source, host="here", profile=profile, threads=threads)
    return take_snapshot(repository, [memory], options=options, monitor=monitor, clock=repository.clock)


def require_same(repository: Repository, one: SnapshotResult, other: SnapshotResult) -> None:
    assert one.snapshot is not None
    assert other.snapshot is not None
    assert one.snapshot.record.root == other.snapshot.record.root
    assert one.findings == other.findings
    assert one.notes == other.notes
    assert one.problems == other.problems
    fields = ("files", "directories", "others", "size", "new_files", "changed_files", "unchanged_files")
    assert [getattr(one.counters, name) for name in fields] == [getattr(other.counters, name) for name in fields]
    assert contents(repository, one.snapshot) == contents(repository, other.snapshot)


def change(memory: Path) -> None:
    """A day's work: contents, a new file, one that goes, and one that is only touched."""
    for directory in DIRECTORIES:
        folder = memory / directory
        file = folder / "fact0x100-20250603.json"
        some = sorted(folder.iterdir())
        some[5].write_bytes(some[5].read_bytes().replace(b"2025", b"2024"))
        some[6].unlink()
        file.write_bytes(b'{"id": "new"}')
        for each in (some[5], file, some[7]):
            os.utime(each, ns=(OLD + 10**9, OLD + 10**9))


@pytest.mark.parametrize("at_once", [wait_for_its_end, lambda _pid: None], ids=["all", "half"])
@pytest.mark.parametrize("profile", ["icc", "claude-code", "generic"])
def test_it_makes_no_difference(
    repository: Repository, memory: Path, forks: Forks, profile: str, at_once: Callable[[int], object]
) -> None:
    """The same tree, digest, findings and counters as by one process: at first, without changes and after some."""
    forks.at_once = at_once
    for step in range(3):
        if step == 2:
            change(memory)
        known = len(forks.pids)
        both = take(repository, memory, "both", profile=profile)
        assert len(forks.pids) > known
        alone = take(repository, memory, "alone", threads=1, profile=profile)
        require_same(repository, both, alone)
        if profile != "generic":
            assert both.snapshot is not None
            assert manifest_of(both.snapshot) is not None
    assert forks.are_gone()


def test_what_it_left_is_known_to_the_next_run(
    repository: Repository, memory: Path, forks: Forks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is read again of what it has stored."""
    monkeypatch.setattr(snapshots, "RACY_NS", 0)
    forks.at_once = wait_for_its_end
    take(repository, memory, "home")
    again = take(repository, memory, "home", threads=1)
    assert again.counters.unchanged_files == again.counters.files
    assert again.counters.read_bytes == 0


def test_what_is_out_of_the_ordinary_is_stored_as_by_one(repository: Repository, memory: Path, forks: Forks) -> None:
    """Second names, links, pipes, directories beside files: wherever they stand, and told once."""
    folder = memory / DIRECTORIES[2]
    os.link(folder / "same.json", folder / "second.json")
    os.link(folder / "same.json", memory / DIRECTORIES[0] / "first.json")
    (folder / "link.json").symlink_to("same.json")
    os.mkfifo(memory / DIRECTORIES[1] / "pipe")
    (folder / "below").mkdir()
    (folder / "below" / "deeper.json").write_bytes(b"{}")
    (memory / DIRECTORIES[1] / "old.json.tmp").write_bytes(b"left behind")
    forks.at_once = wait_for_its_end
    told = Told()
    both = take(repository, memory, "both", monitor=told)
    require_same(repository, both, take(repository, memory, "alone", threads=1))
    assert forks.pids
    assert len(told.warnings) == len(set(told.warnings))


def test_one_directory_is_shared_as_well(repository: Repository, tmp_path: Path, forks: Forks) -> None:
    """Part by part, from both of its ends, also where a name in it is left out."""
    top = tmp_path / "flat"
    fill(top, {f"file{number:05}": b"%d " % number * 9 for number in range(6000)} | {"file02500.core": b"left out"})
    both = take(repository, top, "both", profile="generic")
    require_same(repository, both, take(repository, top, "alone", threads=1, profile="generic"))
    assert len(forks.pids) == 1


def test_a_file_that_comes_meanwhile_is_stored(repository: Repository, memory: Path, forks: Forks) -> None:
    """What the second scan saw of a directory does not count when the first one sees other names in it."""

    def wait_and_add(pid: int) -> None:
        wait_for_its_end(pid)
        (memory / DIRECTORIES[1] / "late.json").write_bytes(b"late")

    forks.at_once = wait_and_add
    result = take(repository, memory, "home", profile="generic")
    assert result.snapshot is not None
    assert contents(repository, result.snapshot)[f"{DIRECTORIES[1]}/late.json"] == b"late"


def test_nobody_else_scans_where_one_thread_is_wanted(repository: Repository, memory: Path, forks: Forks) -> None:
    """`threads=1` is one."""
    take(repository, memory, "home", threads=1)
    assert not forks.pids


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_snapshot_is_whole_without_it(
    repository: Repository, memory: Path, forks: Forks, number: signal.Signals
) -> None:
    """Whatever becomes of the process."""
    forks.at_once = lambda pid: len(forks.pids) == 1 and os.kill(pid, number)
    result = take(repository, memory, "home")
    assert forks.pids
    assert result.snapshot is not None
    assert not result.problems
    assert result.notes is not None
    assert result.notes["passed"]
    assert len(contents(repository, result.snapshot)) == 3 * (PER_DIRECTORY + 1) + 1
    assert forks.are_gone()


def test_the_snapshot_is_whole_when_it_runs_out_of_memory(
    repository: Repository, memory: Path, forks: Forks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the process meets, not only errors of ours and the system's."""

    def broken(_scan: BackwardScan, _fd: int, _stored: bytes) -> None:
        raise MemoryError

    monkeypatch.setattr(BackwardScan, "scan", broken)
    forks.at_once = wait_for_its_end
    both = take(repository, memory, "both", profile="generic")
    assert forks.pids
    require_same(repository, both, take(repository, memory, "alone", threads=1, profile="generic"))
    assert forks.are_gone()


def test_a_reading_back_that_is_killed_is_done_again(repository: Repository, memory: Path, forks: Forks) -> None:
    """The child that reads back what was stored, while its parent compares the files."""
    forks.at_once = lambda pid: len(forks.pids) == 2 and os.kill(pid, signal.SIGKILL)
    result = take(repository, memory, "both")
    assert len(forks.pids) == 2
    require_same(repository, result, take(repository, memory, "alone", threads=1))
    assert forks.are_gone()


def test_where_no_process_can_be_forked_one_does_all(
    repository: Repository, memory: Path, forks: Forks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit on processes is no reason for having no snapshot."""

    def refused() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "fork", refused)
    descriptors = len(os.listdir("/proc/self/fd"))
    both = take(repository, memory, "both")
    assert len(os.listdir("/proc/self/fd")) == descriptors
    require_same(repository, both, take(repository, memory, "alone", threads=1))
    assert not forks.pids
