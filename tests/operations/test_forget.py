"""Forgetting, purging and bringing back: on real repositories."""

from __future__ import annotations

import multiprocessing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.errors import BusyError, IccStoreError, SnapshotNotFound
from icc_store.ids import Kind, ObjectId
from icc_store.model.record import Snapshot, SnapshotClass, SnapshotRecord, Subject
from icc_store.model.repository import Repository
from icc_store.model.tree import Owners, pack_part
from icc_store.opening import create_repository, open_repository
from icc_store.operations.forget import ForgetOptions, forget, undelete

NOW = 1_790_000_000_000_000_000
PURGE = ForgetOptions(purge=True)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


def take(repository: Repository, *, source: str = "home", kind: SnapshotClass = SnapshotClass.FULL) -> Snapshot:
    """A snapshot of an empty directory."""
    with repository.adding() as run:
        root = run.writer.add(Kind.TREE, pack_part([], Owners()))
        return run.commit(lambda seq: SnapshotRecord(seq, repository.clock.now_ns(), root, source, "host", kind))


def living(repository: Repository) -> list[int]:
    return [one.record.seq for one in repository.snapshots()]


def test_forgetting_hides_and_undelete_brings_back(repository: Repository, clock: FixedClock) -> None:
    """A forgotten snapshot is not listed, knows since when, and comes back as it was."""
    first, second = take(repository), take(repository)
    clock.sleep(60)
    result = forget(repository, [first.id])
    assert [one.id for one in result.changed] == [first.id]
    assert result.unchanged == ()
    assert living(repository) == [second.record.seq]
    assert repository.snapshot(first.id).forgotten_ns == NOW + 60_000_000_000
    back = undelete(repository, [first.id])
    assert [one.id for one in back.changed] == [first.id]
    assert living(repository) == [1, 2]
    assert repository.snapshot(first.id).record == first.record


def test_twice_is_once(repository: Repository, clock: FixedClock) -> None:
    """Forgetting again does not start the time anew, and bringing back what is there changes nothing."""
    first, _ = take(repository), take(repository)
    forget(repository, [first.id, first.id])
    clock.sleep(3600)
    assert [one.id for one in forget(repository, [first.id]).unchanged] == [first.id]
    assert repository.snapshot(first.id).forgotten_ns == NOW
    assert len(repository.snapshot(first.id).annotations) == 1
    undelete(repository, [first.id])
    assert undelete(repository, [first.id]).changed == ()
    assert len(repository.snapshot(first.id).annotations) == 2


def test_a_dry_run_only_says_what_would_be(repository: Repository) -> None:
    """Nothing is written in a dry run."""
    first, _ = take(repository), take(repository)
    assert len(forget(repository, [first.id], options=ForgetOptions(dry_run=True)).changed) == 1
    assert living(repository) == [1, 2]
    forget(repository, [first.id])
    assert len(undelete(repository, [first.id], options=ForgetOptions(dry_run=True)).changed) == 1
    assert living(repository) == [2]


def test_the_last_full_snapshot_of_a_source_stays(repository: Repository) -> None:
    """Neither the only one nor all of them together can be forgotten; nothing of the request is done."""
    home = [take(repository), take(repository)]
    work = take(repository, source="work")
    with pytest.raises(IccStoreError, match="last full snapshot of 'work'") as caught:
        forget(repository, [home[0].id, work.id])
    assert "--purge" in str(caught.value)
    with pytest.raises(IccStoreError, match="last full snapshot of 'home'"):
        forget(repository, [one.id for one in home])
    assert living(repository) == [1, 2, 3]
    forget(repository, [home[0].id])
    with pytest.raises(IccStoreError, match="last full"):
        forget(repository, [home[1].id])


def test_other_classes_are_not_full_ones(repository: Repository) -> None:
    """Selective, safety and imported snapshots go, and do not stand in for a full one."""
    full = take(repository)
    others = [take(repository, kind=kind) for kind in SnapshotClass if kind is not SnapshotClass.FULL]
    with pytest.raises(IccStoreError, match="last full"):
        forget(repository, [full.id])
    forget(repository, [one.id for one in others])
    assert living(repository) == [full.record.seq]


def test_purging_takes_the_last_one_at_once(repository: Repository) -> None:
    """A purged snapshot may be collected at once; so may one that was forgotten before."""
    first, second = take(repository), take(repository)
    forget(repository, [first.id])
    result = forget(repository, [first.id, second.id], options=PURGE)
    assert len(result.changed) == 2
    assert [one.forgotten_ns for one in repository.snapshots(forgotten=True)] == [0, 0]
    assert forget(repository, [first.id], options=PURGE).changed == ()
    assert living(repository) == []
    undelete(repository, [second.id])
    assert living(repository) == [2]


@pytest.mark.parametrize("options", [ForgetOptions(), PURGE])
def test_a_pinned_snapshot_is_not_forgotten(repository: Repository, options: ForgetOptions) -> None:
    """A pin holds against forgetting and purging alike, until it is taken off."""
    first, second = take(repository), take(repository)
    repository.annotate(first.id, Subject.PIN, True)
    with pytest.raises(IccStoreError, match="is pinned"):
        forget(repository, [first.id, second.id], options=options)
    assert living(repository) == [1, 2]
    repository.annotate(first.id, Subject.PIN, False)
    forget(repository, [first.id], options=options)
    assert living(repository) == [2]


def test_an_unknown_snapshot_changes_nothing(repository: Repository) -> None:
    """One wrong id, and the others are left alone too."""
    first, _ = take(repository), take(repository)
    for operation in (forget, undelete):
        with pytest.raises(SnapshotNotFound):
            operation(repository, [first.id, ObjectId(bytes(32))])
    assert living(repository) == [1, 2]


def _forget_in_another_process(
    path: Path, identity: bytes, barrier: Barrier, results: multiprocessing.Queue[str]
) -> None:
    with open_repository(path) as repository:
        repository.snapshots()
        barrier.wait(timeout=30)
        try:
            forget(repository, [ObjectId(identity)])
        except (BusyError, IccStoreError) as error:
            results.put(type(error).__name__)
        else:
            results.put("forgotten")


def test_two_at_once_do_not_forget_the_last_two(tmp_path: Path) -> None:
    """Two processes that forget one half each, at the same time, never leave a source without a full snapshot."""
    path = tmp_path / "repository"
    create_repository(path)
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[str] = context.Queue()
    with open_repository(path) as repository:
        pair = [take(repository), take(repository)]
    for _ in range(3):
        barrier = context.Barrier(2)
        processes = [
            context.Process(target=_forget_in_another_process, args=(path, one.id, barrier, results)) for one in pair
        ]
        for process in processes:
            process.start()
        said = [results.get(timeout=60) for _ in processes]
        for process in processes:
            process.join(timeout=60)
        with open_repository(path) as repository:
            assert living(repository), said
            undelete(repository, [one.id for one in pair])


def test_who_finds_the_other_half_forgotten_takes_it_back(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking and writing another process forgets the rest: this one undoes its part and says so."""
    first, second = take(repository), take(repository)
    write = repository.annotate_all

    def late(facts: list[tuple[ObjectId, Subject, str | int | bool]]) -> None:
        monkeypatch.setattr(repository, "annotate_all", write)
        other = multiprocessing.get_context("spawn").Process(
            target=_forget_quietly, args=(repository.path, bytes(second.id))
        )
        other.start()
        other.join(timeout=60)
        write(facts)

    monkeypatch.setattr(repository, "annotate_all", late)
    with pytest.raises(BusyError, match="at the same time"):
        forget(repository, [first.id])
    assert living(repository) == [first.record.seq]


def _forget_quietly(path: Path, identity: bytes) -> None:
    with open_repository(path) as repository:
        forget(repository, [ObjectId(identity)])
