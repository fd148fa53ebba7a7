"""No room for a snapshot: nothing is lost, what would help is known, and cleaning up once may be enough."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.errors import DiskFull
from icc_store.fs.excludes import Excludes
from icc_store.limits import MIB
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.opening import create_repository, open_repository
from icc_store.operations.cleanup import CleanupOptions
from icc_store.operations.forget import forget
from icc_store.operations.gc import GcOptions
from icc_store.operations.retention import explicit_policy
from icc_store.operations.room import RoomKeeper
from icc_store.operations.space import clean_up_and_retry, is_full, room_report
from icc_store.operations.verify import verify
from tests.support.live import DAY, contents, fill, snap
from tests.support.shelf import noise
from tests.support.small_disk import bounded_files, small_disk
from tests.support.troubled import Notes

SIZE = 6 * MIB
KEEP_ONE = CleanupOptions({"home": explicit_policy(keep_last=1)})


@pytest.fixture(params=[small_disk, bounded_files], ids=["disk", "limit"])
def repository(request: pytest.FixtureRequest, tmp_path: Path, clock: FixedClock) -> Iterator[Repository]:
    """A repository that cannot grow beyond SIZE."""
    make: Callable[..., object] = request.param
    with make(tmp_path / "disk", SIZE) as place:  # type: ignore[attr-defined]
        create_repository(place / "r")
        with open_repository(place / "r", clock=clock) as opened:
            yield opened


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"


def some(repository: Repository, source: Path, seed: int, size: int = 1_500_000) -> Snapshot:
    """A snapshot of a file of its own, next to a small one."""
    fill(source, {"large": noise(seed, size), "small": b"s"})
    return snap(repository, source)


def test_a_full_disk_is_said_to_be_one(repository: Repository, source: Path) -> None:
    """LMDB says "Input/output error"; the error is DiskFull, what was stored stays whole, and less still fits."""
    first = some(repository, source, 1)
    fill(source, {str(number): noise(number + 2, SIZE // 2) for number in range(4)})
    with pytest.raises(DiskFull, match="is full"):
        snap(repository, source)
    repository.objects.forget()
    assert [one.id for one in repository.snapshots()] == [first.id]
    assert verify(repository).findings == ()
    second = some(repository, source, 1)
    assert contents(repository, second)["large"] == noise(1, 1_500_000)


def test_cleaning_up_makes_room(repository: Repository, source: Path, clock: FixedClock) -> None:
    """What was forgotten a day ago goes, what retention forgets now waits, and the snapshot is taken after all."""
    old = [some(repository, source, number) for number in range(3)]
    forget(repository, [old[0].id, old[1].id])
    clock.sleep(2 * DAY)
    tries: list[int] = []

    def take() -> Snapshot:
        tries.append(1)
        return some(repository, source, 9, 2_500_000)

    with pytest.raises(DiskFull) as failed:
        take()
    notes = Notes()
    made = clean_up_and_retry(repository, failed.value, take, options=KEEP_ONE, monitor=notes, clock=clock)
    assert len(tries) == 2
    assert contents(repository, made)["large"] == noise(9, 2_500_000)
    assert [one.id for one in repository.snapshots(forgotten=True)] == [old[2].id, made.id]
    assert any("2 removed for good" in line for line in notes.said)
    assert verify(repository).findings == ()


def test_retention_and_no_more(repository: Repository, source: Path, clock: FixedClock) -> None:
    """What the rules forget now can be brought back; sources without rules are left alone; one more try is all."""
    old = [some(repository, source, number) for number in range(3)]
    other = snap(repository, source, source="other")
    tries: list[int] = []

    def take() -> Snapshot:
        tries.append(1)
        return some(repository, source, 9, 2_500_000)

    with pytest.raises(DiskFull) as failed:
        take()
    with pytest.raises(DiskFull):
        clean_up_and_retry(repository, failed.value, take, options=KEEP_ONE, clock=clock)
    assert len(tries) == 2
    repository.objects.forget()
    assert [one.id for one in repository.snapshots(forgotten=True)] == [*(one.id for one in old), other.id]
    assert [one.id for one in repository.snapshots()] == [old[2].id, other.id]
    assert contents(repository, old[0])["large"] == noise(0, 1_500_000)


def test_what_would_help(tmp_path: Path, clock: FixedClock) -> None:
    """What gc frees now and without the day of grace, what is free already, and what a memory's selections take."""
    create_repository(tmp_path / "r")
    memory = tmp_path / "memory"
    entity = '{"id": "Learning-%d", "type": "Learning", "relevance_score": %s, "content": "%s"}'
    files = {"config/settings.json": b"{}" * 500, "indexes/tag-index.json": b'{"index": {}}'}
    for number in range(20):
        score = "0.9" if number % 4 == 0 else "0.2"
        files[f"entities/Learning/Learning-{number}.json"] = (entity % (number, score, "x" * 10_000)).encode()
    with open_repository(tmp_path / "r", clock=clock) as repository:
        old = [some(repository, tmp_path / "source", number) for number in range(4)]
        forget(repository, [old[0].id])
        clock.sleep(2 * DAY)
        fill(memory, files)
        gc = GcOptions(policy=explicit_policy(keep_last=2))
        report = room_report(repository, [memory], gc=gc, clock=clock)
        assert report.free > 0
        assert report.reusable >= 0
        assert report.by_gc is not None
        assert report.by_gc_now is not None
        assert 1_400_000 < report.by_gc < 1_600_000
        assert 2_900_000 < report.by_gc_now < 3_200_000
        assert report.config_only is not None
        assert report.high_relevance is not None
        assert 1000 <= report.config_only < 10_000
        assert 50_000 < report.high_relevance < 60_000
        assert len(repository.snapshots(forgotten=True)) == len(old)
        elsewhere = room_report(repository, [tmp_path / "source"], gc=gc, clock=clock)
        assert (elsewhere.config_only, elsewhere.high_relevance) == (None, None)
        gone = room_report(repository, [tmp_path / "nowhere"], gc=gc, clock=clock)
        assert gone.config_only is None


def test_what_was_freed_counts_as_free(tmp_path: Path) -> None:
    """Room to be kept free is kept, but bytes that are free within the database are filled first."""
    disk = os.statvfs(tmp_path)
    free = disk.f_bavail * disk.f_frsize
    full = RoomKeeper(tmp_path, free + 100 * MIB)
    with pytest.raises(DiskFull, match="to be kept free"):
        full.require(1)
    with pytest.raises(DiskFull, match="to be kept free"):
        full.require_for([tmp_path], Excludes(), 0)
    RoomKeeper(tmp_path, free + 100 * MIB, reusable=lambda: 300 * MIB).require(50 * MIB)


@pytest.mark.parametrize(
    ("error", "full"),
    [(DiskFull("x"), True), (OSError(28, "No space left on device"), True), (OSError(13, "denied"), False)],
)
def test_what_a_full_disk_says(error: Exception, full: bool) -> None:
    """The system says it in its own way, outside of the database."""
    assert is_full(error) is full
