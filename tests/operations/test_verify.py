"""Verify on repositories that are whole, and on what it leaves in them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.ids import Kind
from icc_store.limits import MIB
from icc_store.model.checkup import next_to_verify, verified_ns
from icc_store.model.repository import Repository
from icc_store.monitor import Monitor
from icc_store.opening import open_repository
from icc_store.operations.forget import ForgetOptions, forget
from icc_store.operations.verify import VerifyOptions, verify
from icc_store.operations.verify_index import RowsByBlock
from tests.support.live import clean, fill, snap
from tests.support.shelf import noise, words

STRUCTURE = VerifyOptions(structure=True)
DAY = 86_400


def versions(repository: Repository, source: Path, count: int = 4) -> None:
    """Snapshots of a tree that changes: deltas, lists, several blocks."""
    chance = random.Random("versions")
    files = {f"d{number % 7}/{number}": words(number, 3000) for number in range(60)}
    files["large"] = noise(1, 4 * MIB)
    for version in range(count):
        for name in chance.sample(sorted(files), 12):
            data = files[name]
            files[name] = data[: len(data) // 2] + b"%d" % version + data[len(data) // 2 :]
        fill(source, files)
        snap(repository, source)


def test_a_whole_repository(repository: Repository, tmp_path: Path) -> None:
    """Nothing is found in a repository with deltas, lists and several versions; everything was counted."""
    versions(repository, tmp_path / "source")
    result = verify(repository)
    assert result.findings == ()
    assert (result.complete, result.damaged, result.disowned, result.snapshots) == (True, False, 0, 4)
    assert result.objects > 100
    assert result.plain_bytes > 4 * MIB
    assert result.stored_bytes > 4 * MIB
    assert result.trees > 8
    assert result.references > result.trees


def test_an_empty_repository(repository: Repository) -> None:
    """There is nothing wrong with nothing, in whatever way it is checked."""
    for options in (VerifyOptions(), STRUCTURE, VerifyOptions(sample=0.1)):
        assert verify(repository, options=options).findings == ()


def test_one_snapshot(repository: Repository, tmp_path: Path) -> None:
    """One snapshot reads what it needs, all of it, and not what only others need."""
    source = tmp_path / "source"
    fill(source, {"a": noise(1, MIB)})
    first = snap(repository, source)
    fill(source, {"b": noise(2, 100_000)})
    second = snap(repository, source)
    assert MIB <= verify(repository, first).plain_bytes < MIB + 10_000
    assert 100_000 <= verify(repository, second).plain_bytes < 110_000


def test_the_structure_reads_no_contents(repository: Repository, tmp_path: Path) -> None:
    """Only records, trees and lists are read, and everything they refer to is looked up."""
    versions(repository, tmp_path / "source")
    result = verify(repository, options=STRUCTURE)
    assert (result.findings, result.complete) == ((), False)
    assert result.plain_bytes < MIB
    assert result.references == verify(repository).references


def test_samples_go_round(repository: Repository, tmp_path: Path) -> None:
    """Each sample goes on where the one before ended, so that some samples together read every block."""
    versions(repository, tmp_path / "source")
    count = len(list(repository.objects.transaction.blocks()))
    read = 0
    begins = []
    for _ in range(3):
        begins.append(next_to_verify(repository))
        result = verify(repository, options=VerifyOptions(sample=0.34))
        assert result.findings == ()
        read += result.blocks
    assert begins == sorted(set(begins))
    assert read >= count
    assert verify(repository, options=VerifyOptions(sample=1.0)).blocks >= count


def test_when_it_was_verified(repository: Repository, tmp_path: Path, clock: FixedClock) -> None:
    """A full check is noted in one row for all snapshots, one of a snapshot with it, and neither twice a day."""
    fill(tmp_path / "source", {"a": b"1"})
    first, second = snap(repository, tmp_path / "source"), snap(repository, tmp_path / "source")
    assert verified_ns(repository, first) is None
    verify(repository, second)
    assert verified_ns(repository, repository.snapshot(first.id)) is None
    assert verified_ns(repository, repository.snapshot(second.id)) == clock.now_ns()
    clock.sleep(60)
    verify(repository)
    assert verified_ns(repository, repository.snapshot(first.id)) == clock.now_ns()
    before = repository.objects.transaction.sequence
    clock.sleep(60)
    verify(repository, second)
    verify(repository)
    assert repository.objects.transaction.sequence == before
    clock.sleep(DAY)
    verify(repository, second)
    assert verified_ns(repository, repository.snapshot(second.id)) == clock.now_ns()
    third = snap(repository, tmp_path / "source")
    assert verified_ns(repository, third) is None


def test_a_repository_that_cannot_be_written_to(repository: Repository, tmp_path: Path) -> None:
    """Reading is enough to verify; then nothing is noted, and that is said and no failure."""

    class Listener(Monitor):
        def __init__(self) -> None:
            self.notes: list[str] = []

        def note(self, message: str) -> None:
            self.notes.append(message)

    fill(tmp_path / "source", {"a": b"1"})
    snapshot = snap(repository, tmp_path / "source")
    path = repository.path
    repository.store.close()  # type: ignore[attr-defined]
    listener = Listener()
    with open_repository(path, readonly=True) as reading:
        assert verify(reading, monitor=listener).findings == ()
        assert verified_ns(reading, snapshot) is None
    assert len(listener.notes) == 1
    assert "cannot be written to" in listener.notes[0]


def test_after_gc(repository: Repository, tmp_path: Path) -> None:
    """What gc leaves is whole: bases of dead deltas may be gone, moved blocks and trimmed rows are no findings."""
    versions(repository, tmp_path / "source", count=6)
    snapshots = repository.snapshots()
    forget(repository, [one.id for one in snapshots[1:-1]], options=ForgetOptions(purge=True))
    clean(repository)
    for options in (VerifyOptions(), STRUCTURE, VerifyOptions(sample=0.5)):
        assert verify(repository, options=options).findings == ()


def test_others_may_work_meanwhile(repository: Repository, tmp_path: Path) -> None:
    """A snapshot taken and a gc run while blocks are read are no findings."""
    versions(repository, tmp_path / "source")
    path, snapshots = repository.path, repository.snapshots()

    class Busy(Monitor):
        """Works on the repository at the first block that is read."""

        done = False

        def advance(self, files: int, size: int, path: bytes) -> None:
            if not self.done:
                self.done = True
                forget(repository, [one.id for one in snapshots[:2]], options=ForgetOptions(purge=True))
                clean(repository)
                fill(tmp_path / "source", {"other": noise(9, 300_000)})
                snap(repository, tmp_path / "source")

    result = verify(repository, options=VerifyOptions(threads=1), monitor=Busy())
    assert result.findings == ()
    assert len(repository.snapshots()) == 3
    assert path.exists()


def test_rows_are_given_out_by_block_in_bounded_portions(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few rows are held at once, every block gets its own, and what is left belongs to no block."""
    versions(repository, tmp_path / "source", count=2)
    txn = repository.objects.transaction
    numbers = [number for number, _ in txn.blocks()]
    everything = sorted(txn.rows())
    for limit in (1, 30, 10**6):
        monkeypatch.setattr("icc_store.operations.verify_index._ROWS_AT_ONCE", limit)
        monkeypatch.setattr("icc_store.operations.verify_index._ROWS_PER_VIEW", limit + 1)
        rows = RowsByBlock(repository, 1, numbers[-1] + 1)
        taken = {number: rows.take(number) for number in numbers[1:]}
        left = dict(rows.without_block())
        assert list(left) == numbers[:1]
        assert sorted(row for part in (*taken.values(), *left.values()) for row in part) == everything


def test_records_stand_among_the_blocks(repository: Repository, tmp_path: Path) -> None:
    """Every snapshot record and annotation is met when all blocks are read, so none can be lost from its table."""
    fill(tmp_path / "source", {"a": b"1"})
    snapshot = snap(repository, tmp_path / "source")
    assert repository.objects.get(snapshot.id, Kind.SNAPSHOT)
    assert verify(repository).blocks == len(list(repository.objects.transaction.blocks()))
