"""A drill restores all of a snapshot, says truly whether it came back, and leaves nothing behind but its word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.errors import DiskFull
from icc_store.model.record import SnapshotClass, Subject
from icc_store.model.repository import Repository
from icc_store.model.tree import find_entry
from icc_store.monitor import Monitor
from icc_store.opening import create_repository, open_repository
from icc_store.operations.drill import DrillResult, drill, newest_of_each_source
from icc_store.operations.memory.manifest import keep_notes, manifest_of, notes_of
from icc_store.operations.verify import verify
from tests.support.damage import block_of, damage_block
from tests.support.live import NOW, fill, snap
from tests.support.memories import MEMORY
from tests.support.restoring import FILES
from tests.support.shelf import noise
from tests.support.snapshots import take


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


def test_what_is_whole_passes(repository: Repository, tmp_path: Path, place: Path, clock: FixedClock) -> None:
    """Every path is read back, the place is empty again, and the snapshot remembers when."""
    fill(tmp_path / "source", FILES)
    snapshot = snap(repository, tmp_path / "source")
    clock.sleep(5)
    result = drill(repository, snapshot, place, clock=clock)
    assert (result.failure, result.failures) == ("", ())
    assert (result.files, result.size) == (len(FILES), sum(map(len, FILES.values())))
    assert list(place.iterdir()) == []
    now = repository.snapshot(snapshot.id)
    assert (now.drilled_ns, now.drill_failure, now.suspect) == (NOW + 5 * 10**9, "", "")


def test_a_memory_is_compared_with_its_manifest(repository: Repository, tmp_path: Path, place: Path) -> None:
    """The hash of what was restored, taken from the disk alone, is that of the manifest."""
    fill(tmp_path / "memory", MEMORY)
    snapshot = snap(repository, tmp_path / "memory")
    manifest = manifest_of(snapshot)
    assert manifest is not None
    result = drill(repository, snapshot, place)
    assert result.failure == ""
    assert result.hash_found == result.hash_expected == manifest["integrity_hash"]
    assert result.errors == 0


def test_a_memory_that_was_broken_comes_back_broken(repository: Repository, tmp_path: Path, place: Path) -> None:
    """What was wrong in it when it was stored is told, and no failure of the drill."""
    fill(tmp_path / "memory", MEMORY | {"entities/Learning/2025/06/Learning-x-20250603.json": b"{cut"})
    result = drill(repository, snap(repository, tmp_path / "memory"), place)
    assert (result.failure, result.errors) == ("", 1)


def test_other_counts_are_a_failure(repository: Repository, tmp_path: Path, place: Path) -> None:
    """Where the manifest counts other entities than came back, the drill has failed and says both."""
    fill(tmp_path / "memory", MEMORY)
    snapshot = snap(repository, tmp_path / "memory")
    keep_notes(repository, snapshot, {**(notes_of(snapshot) or {}), "entities": {"Learning": 7}})
    wrong = repository.snapshot(snapshot.id)
    assert "'Learning': 7" in drill(repository, wrong, place).failure


def test_another_hash_is_a_failure(repository: Repository, tmp_path: Path, place: Path) -> None:
    """Where the manifest speaks of other files than those that came back, the drill has failed and says both."""
    fill(tmp_path / "memory", MEMORY)
    snapshot = snap(repository, tmp_path / "memory")
    fill(tmp_path / "memory", MEMORY | {"config/settings.json": b"{}"})
    other = snap(repository, tmp_path / "memory")
    wrong = replace(snapshot, record=replace(snapshot.record, manifest=other.record.manifest))
    result = drill(repository, wrong, place)
    assert result.hash_expected in result.failure
    assert result.hash_found in result.failure
    assert repository.snapshot(snapshot.id).drill_failure == result.failure


def test_damage_is_a_failure(repository: Repository, tmp_path: Path, place: Path) -> None:
    """A file that does not come back is named, and the snapshot is suspect until it is found whole."""
    fill(tmp_path / "source", {"bad": noise(1, 400_000), "good": noise(2, 400_000)})
    snapshot = snap(repository, tmp_path / "source")
    found = find_entry(repository.objects, snapshot.record.root, b"bad")
    assert found is not None
    number = block_of(repository, found[0].chunk)
    damage_block(repository, number, share=0.9)
    result = drill(repository, snapshot, place)
    assert [failure.path for failure in result.failures] == [b"bad"]
    now = repository.snapshot(snapshot.id)
    assert now.drill_failure.startswith("bad: ")
    assert now.suspect
    assert list(place.iterdir()) == []
    damage_block(repository, number, share=0.9)  # the same bit once more: as it was
    repository.objects.forget()
    assert verify(repository).findings == ()
    assert repository.snapshot(snapshot.id).suspect == ""


def test_the_next_drill_takes_the_word_back(repository: Repository, tmp_path: Path, place: Path) -> None:
    """The newest drill counts."""
    fill(tmp_path / "source", FILES)
    snapshot = snap(repository, tmp_path / "source")
    repository.annotate(snapshot.id, Subject.DRILLED, "a disk was full")
    assert repository.snapshot(snapshot.id).drill_failure == "a disk was full"
    drill(repository, snapshot, place)
    assert repository.snapshot(snapshot.id).drill_failure == ""


class Stops(Monitor):
    """Ctrl-C in the phase of this name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def phase(self, name: str) -> None:
        if name == self.name:
            raise KeyboardInterrupt


@pytest.mark.parametrize("phase", ["restore", "sync", "check", "hash"])
def test_an_interrupted_drill_leaves_nothing(repository: Repository, tmp_path: Path, place: Path, phase: str) -> None:
    """Whenever it is stopped, the temporary place is empty, and nothing is said about the snapshot."""
    fill(tmp_path / "memory", MEMORY)
    snapshot = snap(repository, tmp_path / "memory")
    with pytest.raises(KeyboardInterrupt):
        drill(repository, snapshot, place, monitor=Stops(phase))
    assert list(place.iterdir()) == []
    assert repository.snapshot(snapshot.id).drilled_ns is None


def test_a_disk_without_room_proves_nothing(repository: Repository, place: Path) -> None:
    """What could not be tried is an error, and no word against the snapshot."""
    snapshot = take(repository, {"a": b"a"})
    huge = replace(snapshot.record, counters=replace(snapshot.record.counters, size=1 << 62))
    with pytest.raises(DiskFull):
        drill(repository, replace(snapshot, record=huge), place)
    assert repository.snapshot(snapshot.id).drilled_ns is None


def test_a_repository_that_cannot_be_written_to_is_drilled(tmp_path: Path, place: Path) -> None:
    """Only the note about it is missing, and that is said."""
    create_repository(tmp_path / "repository")
    with open_repository(tmp_path / "repository") as repository:
        snapshot = take(repository, {"a": b"a"})
    notes: list[str] = []

    class Listens(Monitor):
        def note(self, message: str) -> None:
            notes.append(message)

    with open_repository(tmp_path / "repository", readonly=True) as repository:
        result: DrillResult = drill(repository, snapshot, place, monitor=Listens())
    assert result.failure == ""
    assert len(notes) == 1


def test_the_newest_full_one_of_each_source_is_meant(repository: Repository) -> None:
    """Selective, imported and safety snapshots are not what a restore would begin with."""
    take(repository, {"a": b"1"}, source="a")
    second = take(repository, {"a": b"2"}, source="a")
    other = take(repository, {"b": b"1"}, source="b")
    take(repository, {"a": b"3"}, source="a", kind=SnapshotClass.SAFETY)
    assert newest_of_each_source(repository) == [second, other]
    assert newest_of_each_source(repository, "b") == [other]
    assert newest_of_each_source(repository, "c") == []
