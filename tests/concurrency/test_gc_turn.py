"""gc among many who write: it gets its turn, and nobody waits for it for long."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from icc_store.errors import IccStoreError
from icc_store.opening import USE_LOCK, create_repository, open_repository
from icc_store.operations.forget import ForgetOptions, forget
from icc_store.operations.gc import GcOptions, collect
from tests.support.labour import CONTEXT, check_all, impatient_snapshots, snapshot_of
from tests.support.live import KEEP_ALL, fill, snap

WRITERS = 8
SECONDS = float(os.environ.get("ICC_STORE_TEST_STRESS_SECONDS", "6"))
"""`ICC_STORE_TEST_STRESS_SECONDS=300 pytest tests/concurrency -s` for minutes of it, and what that came to."""

PATIENCE = 10.0
"""What a snapshot waits for others, all together; it fails when that does not suffice."""


@pytest.mark.slow
def test_gc_while_eight_take_snapshots(tmp_path: Path) -> None:
    """gc is done within a minute though eight processes never stop to write, and none of them waits for long."""
    path = tmp_path / "r"
    create_repository(path)
    for number in range(1, 7):
        snapshot_of(path, tmp_path / "old", "old", number)
    pipes, processes = [], []
    for number in range(WRITERS):
        here, there = CONTEXT.Pipe()
        arguments = (there, path, tmp_path / f"top {number}", f"s{number}", SECONDS + 60, PATIENCE)
        process = CONTEXT.Process(target=impatient_snapshots, args=arguments)
        process.start()
        pipes.append(here)
        processes.append(process)
    assert [here.recv() for here in pipes] == ["started"] * WRITERS
    until, rounds = time.monotonic() + SECONDS, 0
    longest = 0.0
    while rounds == 0 or time.monotonic() < until:
        began = time.monotonic()
        with open_repository(path) as repository:
            old = [one for one in repository.snapshots() if one.record.source == "old"]
            forget(repository, [one.id for one in old[:1]], options=ForgetOptions(purge=True))
            done = collect(repository, options=GcOptions(policy=KEEP_ALL, undelete_hours=0))
        assert len(done.removed) == min(1, len(old))
        longest = max(longest, time.monotonic() - began)
        rounds += 1
    for here in pipes:
        here.send("enough")
    ended = [here.recv() if here.poll(60) else "it hangs" for here in pipes]
    for process in processes:
        process.join(10)
    assert [each for each in ended if not isinstance(each, int)] == []
    assert min(ended) >= 1
    assert longest < 60, f"gc took {longest:.1f} s"
    with open_repository(path) as repository:
        assert len(check_all(repository)) >= sum(ended)
    print(f"{sum(ended)} snapshots by {WRITERS} processes, {rounds} collections, the longest {longest:.1f} s")


_COMPACT = """
import sys
from pathlib import Path
from icc_store.opening import open_repository
with open_repository(Path(sys.argv[1]), exclusive=True, timeout=0) as repository:
    repository.compact()
"""


def test_nothing_is_committed_into_a_replaced_file(tmp_path: Path) -> None:
    """A process that had the repository open while its file was replaced is told so, and what it had is not lost."""
    path = tmp_path / "r"
    create_repository(path)
    fill(tmp_path / "source", {"a": b"1" * 5000})
    with open_repository(path) as repository:
        first = snap(repository, tmp_path / "source").id
        (path / USE_LOCK).unlink()  # by hand, so that the compaction does not see that the repository is in use
        environ = os.environ | {"PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
        subprocess.run([sys.executable, "-c", _COMPACT, str(path)], env=environ, check=True)
        fill(tmp_path / "source", {"a": b"2" * 5000})
        with pytest.raises(IccStoreError, match="was replaced while it was open"):
            snap(repository, tmp_path / "source")
    with open_repository(path) as repository:
        assert [one.id for one in repository.snapshots()] == [first]
        snap(repository, tmp_path / "source")
        assert len(repository.snapshots()) == 2
