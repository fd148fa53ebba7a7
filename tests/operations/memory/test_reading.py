"""Snapshots of large new directories, which another process reads ahead."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from icc_store.limits import READ_AHEAD_FILES
from icc_store.model.repository import Repository
from icc_store.monitor import Monitor
from icc_store.operations.memory.manifest import manifest_of
from icc_store.operations.snapshot import SnapshotOptions, take_snapshot
from tests.support.entities import entity_file
from tests.support.live import contents, fill
from tests.support.processes import children

DIRECTORIES = ("entities/Knowledge/2025/06", "entities/Knowledge/2025/07", "entities/Knowledge/2025/08")


class Onlooker(Monitor):
    """Gives the process that reads ahead the time to be there, and may send it a signal."""

    def __init__(self, send: int = 0) -> None:
        self._others = children()
        self._send = send
        self.seen: set[int] = set()

    def advance(self, files: int, size: int, path: bytes) -> None:
        for process in children() - self._others - self.seen:
            self.seen.add(process)
            while process in children() and _is_busy(process):
                time.sleep(0.01)
            if self._send:
                os.kill(process, self._send)


def _is_busy(process: int) -> bool:
    """Whether it still starts: once it is there, it sleeps until it is asked."""
    states = []
    for _ in range(5):
        states.append(Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0])
        time.sleep(0.01)
    return set(states) != {"S"}


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three directories that are worth it; one entity is broken."""
    top = tmp_path_factory.mktemp("large") / "memory"
    files = {"config/settings.json": b'{"version": "2.0"}\n'}
    for place, directory in enumerate(DIRECTORIES):
        for number in range(READ_AHEAD_FILES + 50):
            path, data = entity_file(f"fact{place}x{number}-20250603")
            files[f"{directory}/{Path(path).name}"] = data if number != 70 else b"{"
    fill(top, files)
    return top


@pytest.mark.parametrize("profile", ["icc", "claude-code", "generic"])
def test_it_makes_no_difference(repository: Repository, memory: Path, profile: str) -> None:
    """The same tree, the same digest and the same findings as where nobody reads ahead."""
    alone = take_snapshot(repository, [memory], options=SnapshotOptions(source="alone", profile=profile, threads=1))
    onlooker = Onlooker()
    both = take_snapshot(
        repository, [memory], options=SnapshotOptions(source="both", profile=profile, threads=2), monitor=onlooker
    )
    assert alone.snapshot is not None
    assert both.snapshot is not None
    assert len(onlooker.seen) == 1
    assert both.snapshot.record.root == alone.snapshot.record.root
    assert both.findings == alone.findings
    assert both.counters.read_bytes == alone.counters.read_bytes
    assert contents(repository, both.snapshot) == contents(repository, alone.snapshot)
    if profile != "generic":
        assert both.notes == alone.notes
        assert manifest_of(both.snapshot) is not None
    assert children() <= onlooker._others


def test_nobody_reads_ahead_where_one_thread_is_wanted(repository: Repository, memory: Path) -> None:
    """`threads=1` is one."""
    onlooker = Onlooker()
    take_snapshot(repository, [memory], options=SnapshotOptions(threads=1), monitor=onlooker)
    assert not onlooker.seen


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_snapshot_is_whole_without_it(repository: Repository, memory: Path, number: signal.Signals) -> None:
    """Whatever becomes of the process."""
    onlooker = Onlooker(send=number)
    result = take_snapshot(repository, [memory], options=SnapshotOptions(threads=2), monitor=onlooker)
    assert onlooker.seen
    assert result.snapshot is not None
    assert not result.problems
    assert len(contents(repository, result.snapshot)) == 3 * (READ_AHEAD_FILES + 50) + 1
    assert children() <= onlooker._others
