"""A repository as operations see it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.codec.hashing import chunk_id
from icc_store.errors import DamageError, ReadOnlyRepository, SnapshotNotFound
from icc_store.ids import Kind, ObjectId
from icc_store.model.header import Features, new_header, read_header, write_header
from icc_store.model.record import SnapshotRecord, Subject
from icc_store.model.repository import CollectedMeanwhile, Repository, Run
from icc_store.opening import create_repository, open_repository
from icc_store.store.memory_store import MemoryStore
from icc_store.store.protocol import Table
from tests.support.snapshots import take


class HurriedClock(FixedClock):
    """Every look at it finds it a minute later, so that every view has grown old."""

    def monotonic(self) -> float:
        self.ns += 60 * 10**9
        return self.ns / 1e9


@pytest.fixture
def repository() -> Repository:
    return Repository(Path("nowhere"), new_header(), MemoryStore(), clock=FixedClock(time.time_ns()))


@pytest.fixture
def on_disk(tmp_path: Path) -> Iterator[Repository]:
    create_repository(tmp_path / "repository")
    with open_repository(tmp_path / "repository", clock=HurriedClock(1_700_000_000 * 10**9)) as opened:
        yield opened


def test_snapshots_come_in_the_order_of_their_commits(repository: Repository) -> None:
    """Numbers rise, also when the clock runs backwards."""
    ids = []
    for step in range(5):
        ids.append(take(repository, {"a": b"%d" % step}).id)
        repository.clock.ns -= 10**12  # type: ignore[attr-defined]
    assert [snapshot.id for snapshot in repository.snapshots()] == ids
    assert [snapshot.record.seq for snapshot in repository.snapshots()] == [1, 2, 3, 4, 5]


def test_a_list_longer_than_a_view_is_read(on_disk: Repository) -> None:
    """Views are renewed while many records and annotations are read, and nothing is lost or read twice."""
    snapshots = [take(on_disk, {"a": b"%d" % step}) for step in range(4)]
    for snapshot in snapshots:
        on_disk.annotate(snapshot.id, Subject.TAG, "kept")
    found = on_disk.snapshots()
    assert [snapshot.id for snapshot in found] == [snapshot.id for snapshot in snapshots]
    assert all(snapshot.tags == ("kept",) for snapshot in found)


def test_forgotten_snapshots_are_left_out_unless_asked_for(repository: Repository) -> None:
    """Forgetting hides, undeleting shows; by its id a snapshot is found in any case."""
    one, two = take(repository, {"a": b"1"}), take(repository, {"a": b"2"})
    repository.annotate(one.id, Subject.FORGOTTEN, True)
    assert [snapshot.id for snapshot in repository.snapshots()] == [two.id]
    assert len(repository.snapshots(forgotten=True)) == 2
    assert repository.snapshot(one.id).forgotten_ns is not None
    repository.annotate(one.id, Subject.FORGOTTEN, False)
    assert len(repository.snapshots()) == 2


def test_annotations_are_all_or_nothing(repository: Repository) -> None:
    """When one of several facts is about nothing, none is said."""
    one = take(repository, {"a": b"1"})
    with pytest.raises(SnapshotNotFound):
        repository.annotate_all([(one.id, Subject.TAG, "x"), (ObjectId(bytes(32)), Subject.TAG, "y")])
    assert repository.snapshot(one.id).tags == ()
    with pytest.raises(SnapshotNotFound):
        repository.snapshot(ObjectId(bytes(32)))


def test_a_damaged_record_is_read_from_its_copy(repository: Repository) -> None:
    """Losing the block of a record loses nothing; losing its copy as well is damage."""
    one = take(repository, {"a": b"1"})
    with repository.store.write() as txn:
        assert txn.delete_block(txn.last_block())
    repository.objects.forget()
    assert repository.record(one.id) == one.record
    assert [snapshot.id for snapshot in repository.snapshots()] == [one.id]
    with repository.store.write() as txn:
        txn.clear(Table.COPIES)
    repository.objects.forget()
    with pytest.raises(DamageError):
        repository.record(one.id)


def test_a_run_that_is_given_up_leaves_what_it_committed(repository: Repository) -> None:
    """There is no snapshot, and what was committed is found again by the next run."""

    def given_up(run: Run) -> None:
        run.writer.add(Kind.CHUNK, b"some bytes")
        run.writer.commit()
        run.remember(b"k" * 16, b"row")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), repository.adding() as run:
        given_up(run)
    assert repository.snapshots() == []
    with repository.adding() as run:
        assert run.writer.has(chunk_id(b"some bytes"))
        assert run.seen(b"k" * 16) is None


def test_rows_are_left_for_the_next_run_with_the_snapshot(repository: Repository) -> None:
    """What a run saw is written in the commit of its snapshot, and only then."""
    with repository.adding() as run:
        run.remember(b"k" * 16, b"row")
        assert run.seen(b"k" * 16) is None
        tree = run.writer.add(Kind.TREE, b"\x83\x01\x90\x02\x80\x03\x80")
        run.commit(lambda seq: take_record(tree, seq))
    with repository.adding() as run:
        assert run.seen(b"k" * 16) == b"row"


def test_gc_in_the_meantime_is_noticed(repository: Repository) -> None:
    """A run that began in another epoch does not commit before it has looked again."""
    with repository.adding() as run:
        tree = run.writer.add(Kind.TREE, b"\x83\x01\x90\x02\x80\x03\x80")
        with repository.store.write() as txn:
            txn.put(Table.META, b"gc epoch", (7).to_bytes(8))
        with pytest.raises(CollectedMeanwhile):
            run.commit(lambda seq: take_record(tree, seq))
        assert repository.snapshots() == []
        run.accept_epoch()
        assert run.commit(lambda seq: take_record(tree, seq)).record.seq == 1


def test_a_repository_with_unknown_features_is_only_read() -> None:
    """What a newer program must understand to write is not written by this one."""
    header = replace(new_header(), features=Features(read_only=("of-tomorrow",)))
    repository = Repository(Path("nowhere"), header, MemoryStore())
    with pytest.raises(ReadOnlyRepository), repository.adding():
        pass
    with pytest.raises(ReadOnlyRepository):
        repository.annotate(ObjectId(bytes(32)), Subject.TAG, "x")


def test_nothing_writes_where_a_feature_is_unknown(tmp_path: Path) -> None:
    """Such a repository is opened for reading, so that no way into it writes: neither runs nor maintenance."""
    create_repository(tmp_path / "repository")
    header = read_header(tmp_path / "repository")
    write_header(tmp_path / "repository", replace(header, features=Features(read_only=("of-tomorrow",))))
    with open_repository(tmp_path / "repository") as opened:
        assert opened.snapshots() == []
        with pytest.raises(ReadOnlyRepository), opened.store.write():
            pass


def take_record(tree: ObjectId, seq: int) -> SnapshotRecord:
    return SnapshotRecord(seq, 1, tree, "source", "host")
