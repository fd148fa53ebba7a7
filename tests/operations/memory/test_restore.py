"""Restoring a memory: all of it, or chosen entities merged into what is there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.entities.path_map import parse_path_map
from icc_store.errors import PathNotInSnapshot, ReadOnlyRepository, UsageError
from icc_store.model.record import SnapshotClass
from icc_store.monitor import Monitor
from icc_store.opening import create_repository, open_repository
from icc_store.operations.memory.manifest import is_memory, manifest_of
from icc_store.operations.memory.restore import MemoryRestoreOptions, plan_memory_restore
from icc_store.operations.memory.restore_choice import Choice
from icc_store.operations.memory.validate import validate_directory
from icc_store.operations.restore_plan import Overwrite, RestoreOptions, Times
from tests.support.compare import facts
from tests.support.entities import entity, place, text
from tests.support.live import NOW, OLD, contents, put, snap
from tests.support.memories import make_odd_memory
from tests.support.memory_restores import (
    ALPHA,
    BETA,
    FILES,
    GAMMA,
    LEARNINGS,
    PATTERN,
    SETTINGS,
    STORE,
    Memory,
    remember,
    without_backups,
    write,
)
from tests.support.ordinary import ordinarily

CONTENT = "indexes/content-index.json"
ARCHIVED = "entities/Learning/archive/" + os.path.basename(GAMMA)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    top = tmp_path / "memory"
    write(top, FILES)
    write(top, {"backups/older.tar.gz": b"not ours", "safety/x/y": b"not ours either"})
    create_repository(top / STORE)
    with open_repository(top / STORE, clock=FixedClock(NOW)) as repository:
        yield remember(repository, top)


def live(memory: Memory) -> dict[str, bytes]:
    """The files of the memory, its own backups apart."""
    return {
        os.fsdecode(path): (memory.top / os.fsdecode(path)).read_bytes()
        for path, known in without_backups(memory.top).items()
        if known["type"] == "-" and not path.startswith(b"safety/")
    }


# ---------------------------------------------------------------- all of it


def test_a_complete_restore_is_the_state_of_the_snapshot(memory: Memory) -> None:
    """Lost, changed, moved, new and broken files are as they were, and the hash of all is that of the manifest."""
    before = without_backups(memory.top)
    memory.spoil()
    result = memory.restore()
    assert without_backups(memory.top) == before
    assert result.entities == {"Learning": 3, "Pattern": 1, "Project": 1}
    manifest = manifest_of(memory.snapshot)
    assert manifest is not None
    assert result.digest is not None
    assert f"sha256:{result.digest.hex()}" == manifest["integrity_hash"]
    assert result.entities == {kind: number for kind, number in manifest["entities_by_type"].items() if number}
    assert result.present == result.entities
    assert result.failures == ()
    assert result.findings == result.backup_findings


def test_a_complete_restore_leaves_the_backups_of_a_memory(memory: Memory) -> None:
    """The repository, other backups and safety copies in the memory stay, though the snapshot does not have them."""
    others = [memory.top / name for name in ("backups/older.tar.gz", "safety/x/y")]
    memory.spoil()
    memory.restore()
    assert [path.read_bytes() for path in others] == [b"not ours", b"not ours either"]
    assert contents(memory.repository, memory.snapshot) == FILES
    shutil.rmtree(memory.top / "entities")  # then nothing says any longer that this is a memory
    memory.restore()
    assert live(memory) == FILES
    assert [path.read_bytes() for path in others] == [b"not ours", b"not ours either"]


def test_an_archive_of_a_memory_restored_over_one_leaves_its_backups(memory: Memory, tmp_path: Path) -> None:
    """A snapshot that knows nothing of what a memory keeps for itself does not make it go."""
    write(tmp_path / "elsewhere", {ALPHA: FILES[ALPHA]})
    snapshot = snap(memory.repository, tmp_path / "elsewhere", kind=SnapshotClass.IMPORT)
    Memory(memory.top, memory.repository, snapshot).restore(files=RestoreOptions(memory.top))
    assert live(memory) == {ALPHA: FILES[ALPHA]}
    assert (memory.top / "backups/older.tar.gz").exists()
    assert memory.repository.snapshots()


def test_same_size_and_time_deceive_nobody(memory: Memory) -> None:
    """A file that was damaged without a change of size and time is found by its contents, and restored."""
    put(memory.top / ALPHA, FILES[ALPHA].replace(b"stale", b"STALE"))
    assert (memory.top / ALPHA).stat().st_mtime_ns == OLD
    memory.restore()
    assert live(memory) == FILES


def test_a_restore_takes_a_copy_of_what_was_there(memory: Memory) -> None:
    """The copy is of the class safety, of the memory's own source, and holds every file as it was before."""
    memory.spoil()
    spoilt = live(memory)
    result = memory.restore()
    assert result.safety is not None
    assert result.safety.record.kind is SnapshotClass.SAFETY
    assert result.safety.record.source == memory.snapshot.record.source
    assert result.safety.record.name == f"before-restore-{memory.snapshot.id.hex()[:8]}"
    assert contents(memory.repository, result.safety) == spoilt


def test_what_changes_nothing_takes_no_copy(memory: Memory) -> None:
    """Restoring what is there already takes no safety copy, so that the one before can still be rolled back to."""
    assert memory.restore().safety is None
    assert memory.safety_copies() == []


def test_where_nothing_is_there_is_nothing_to_copy(memory: Memory, tmp_path: Path) -> None:
    """Into a missing directory all is restored, checked, and no copy is taken."""
    result = memory.restore(files=RestoreOptions(tmp_path / "new"))
    assert result.safety is None
    assert result.digest is not None
    assert facts(tmp_path / "new").keys() == {path for path in without_backups(memory.top) if path[:6] != b"safety"}


def test_a_repository_that_can_only_be_read_is_enough(memory: Memory, tmp_path: Path) -> None:
    """From a medium that cannot be written to a memory comes back whole; over another one it needs --no-safety."""
    write(tmp_path / "other", {BETA: b"{}"})
    memory.repository.store.close()
    with open_repository(memory.top / STORE, readonly=True, clock=FixedClock(NOW)) as repository:
        copy = Memory(memory.top, repository, memory.snapshot)
        assert copy.restore(files=RestoreOptions(tmp_path / "new")).digest is not None
        with pytest.raises(ReadOnlyRepository, match=r"no safety copy of .*nothing was restored") as told:
            copy.restore(files=RestoreOptions(tmp_path / "other"))
        assert "--no-safety" in str(told.value)
        assert (tmp_path / "other" / BETA).read_bytes() == b"{}"
        copy.restore(files=RestoreOptions(tmp_path / "other"), safely=False)
        assert (tmp_path / "other" / BETA).read_bytes() == FILES[BETA]


def test_a_directory_of_other_things_is_not_mirrored(memory: Memory, tmp_path: Path) -> None:
    """Restored into a directory that is no memory, nothing of it goes and nothing of it is copied."""
    write(tmp_path / "home", {"work/thesis": b"the only copy"})
    result = memory.restore(files=RestoreOptions(tmp_path / "home"))
    assert result.safety is None
    assert (tmp_path / "home/work/thesis").exists()
    assert (tmp_path / "home" / ALPHA).read_bytes() == FILES[ALPHA]


def test_what_is_to_stay_stays(memory: Memory) -> None:
    """Without deletion, and with nothing overwritten, a restore adds what is missing."""
    memory.spoil()
    changed = (memory.top / BETA).read_bytes()
    result = memory.restore(delete=False, files=RestoreOptions(overwrite=Overwrite.NEVER))
    assert live(memory).keys() >= FILES.keys() | {ARCHIVED}
    assert (memory.top / BETA).read_bytes() == changed
    assert result.digest is None


def test_paths_are_merged(memory: Memory) -> None:
    """A path that is named comes back, with a safety copy; nothing else changes, and indexes stay as they are."""
    memory.spoil()
    before = live(memory)
    result = memory.restore(files=RestoreOptions(paths=(b"config",)))
    assert live(memory) == before | {"config/settings.json": SETTINGS}
    assert result.safety is not None
    assert result.rebuilt == ()


def test_nothing_goes_without_a_safety_copy(memory: Memory) -> None:
    """Restored without one, a memory keeps what the snapshot does not have, unless that is to be deleted."""
    memory.spoil()
    assert memory.restore(safely=False).safety is None
    assert ARCHIVED in live(memory)
    memory.restore(safely=False, delete=True)
    assert live(memory) == FILES


def test_findings_of_the_backup_stop_no_restore(memory: Memory) -> None:
    """A memory that was broken when it was backed up comes back byte for byte, and its findings are told again."""
    put(memory.top / BETA, b'{"id": "Learning-be')
    broken = remember(memory.repository, memory.top)
    before = without_backups(memory.top)
    memory.spoil()
    result = broken.restore()
    assert without_backups(memory.top) == before
    assert [one.path for one in result.findings if not one.field and one.severity == "error"] == [BETA.encode()]
    assert {*result.findings} == {*result.backup_findings}


class Phases(Monitor):
    """Remembers what a restore said that it does."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def phase(self, name: str) -> None:
        self.seen.append(name)


@pytest.mark.parametrize(
    ("into", "also", "again"),
    [
        ("memory", "", False),
        ("elsewhere", "", False),
        ("memory", "entities/Learning/x.json", True),
        ("elsewhere", "link", True),
        ("memory", "not stored", True),
    ],
)
def test_the_findings_are_those_of_validation(
    memory: Memory, tmp_path: Path, into: str, also: str, *, again: bool
) -> None:
    """They are known where the snapshot's files came back and nothing else is there; else all is looked at again."""
    put(memory.top / BETA, b'{"id": "Learning-be')
    write(memory.top, {"config/broken.json": b"{", "relationships/odd.json": b"[]", "strange/x": b""})
    if also == "link":
        (memory.top / "config/link.json").symlink_to("settings.json")
    exclude = ("strange/",) if also == "not stored" else ()
    broken = Memory(memory.top, memory.repository, snap(memory.repository, memory.top, exclude=exclude))
    memory.spoil()
    merged = also.endswith(".json")
    if merged:
        write(memory.top, {also: b"{"})
    phases, target = Phases(), tmp_path / into
    result = broken.restore(
        files=RestoreOptions(target=target), delete=False if merged else None, safely=True, monitor=phases
    )
    assert ("validate" in phases.seen) == again
    found = validate_directory(target, "icc")
    assert sorted(map(repr, result.findings)) == sorted(map(repr, found.findings))
    assert [one.path for one in result.findings] == [one.path for one in found.findings]
    assert BETA.encode() in {one.path for one in result.findings}
    assert result.present == {kind: number for kind, number in found.entities.items() if number}


def test_what_is_a_memory(memory: Memory, tmp_path: Path) -> None:
    """A snapshot of a directory of the layout is one of a memory, one of any other directory is not."""
    write(tmp_path / "notes", {"a.md": b"# a"})
    assert is_memory(memory.repository, memory.snapshot)
    assert not is_memory(memory.repository, snap(memory.repository, tmp_path / "notes"))
    assert not is_memory(memory.repository, snap(memory.repository, memory.top, tmp_path / "notes"))


def test_whatever_is_in_a_memory_comes_back(tmp_path: Path) -> None:
    """Names of any bytes, links, second names, holes and large files are as they were, and in the hash."""
    top = make_odd_memory(tmp_path / "odd")
    create_repository(tmp_path / "repository")
    with open_repository(tmp_path / "repository", clock=FixedClock(NOW)) as repository:
        memory = remember(repository, top)
        before = facts(top)
        shutil.rmtree(top / "entities/odd")
        (top / "config/link").unlink()
        (top / "config/link").mkdir()
        (top / "sparse").write_bytes(b"full")
        os.unlink(top / "a second name")
        (top / "entities/odd").symlink_to("/etc")
        assert memory.restore().digest is not None
        assert facts(top) == before


# ---------------------------------------------------------------- chosen entities


def test_chosen_by_id(memory: Memory) -> None:
    """Only that entity is written; everything else stays as it is, byte for byte."""
    memory.spoil()
    before = live(memory)
    result = memory.restore(ids=(LEARNINGS[1]["id"],), rebuild_indexes=False)
    assert live(memory) == before | {BETA: FILES[BETA]}
    assert result.entities == {"Learning": 1}
    assert result.digest is None


def test_chosen_by_type_and_time(memory: Memory) -> None:
    """What fits type and time of creation comes back, and nothing else."""
    for path in FILES:
        if path.startswith("entities/"):
            (memory.top / path).unlink()
    memory.restore(types=("Pattern",), rebuild_indexes=False)
    assert {path for path in live(memory) if path.startswith("entities/")} == {os.fsdecode(place(PATTERN))}
    memory.restore(types=("Learning",), created_after="2025-06-04", created_before="2025-06-05", rebuild_indexes=False)
    assert {path for path in live(memory) if path.startswith("entities/Learning/")} == {BETA}


def test_an_entity_that_moved_is_not_there_twice(memory: Memory) -> None:
    """An entity that lies in the archive by now goes from there when its former place gets it back."""
    memory.spoil()
    result = memory.restore(types=("Learning",))
    assert result.moved == (ARCHIVED.encode(),)
    assert GAMMA in live(memory)
    assert ARCHIVED not in live(memory)
    assert not [one for one in result.findings if "id" in one.message and one.severity == "error" and one.field == "id"]


def test_indexes_fit_after_a_choice(memory: Memory) -> None:
    """Indexes are made anew for what is in the memory now, and validation finds nothing wrong with them."""
    new = entity(stem="only-now-20250603")
    write(memory.top, {os.fsdecode(place(new)): text(new)})
    (memory.top / ALPHA).unlink()
    result = memory.restore(ids=(LEARNINGS[0]["id"],))
    assert b"indexes/tag-index.json" in result.rebuilt
    assert {one["id"] for one in (*LEARNINGS, PATTERN, new)} <= set(
        memory.load("indexes/tag-index.json")["index"]["tags"]["cache"]
    )
    assert result.findings == ()


def test_indexes_stay_as_they_were_in_a_complete_restore(memory: Memory) -> None:
    """A complete restore brings the indexes of the snapshot back; they are made anew only when that is asked for."""
    memory.spoil()
    assert memory.restore().rebuilt == ()
    assert memory.restore(rebuild_indexes=True).rebuilt
    assert (memory.top / "indexes/content-index.json").exists()


def test_an_index_that_cannot_be_read() -> None:
    """Chosen entities come back all the same without a safety copy, and the index is named as a failure."""
    ordinarily(_closed_index)


def _closed_index(here: Path) -> None:
    write(here / "memory", FILES | {CONTENT: b"{}"})
    create_repository(here / "repository")
    with open_repository(here / "repository", clock=FixedClock(NOW)) as repository:
        memory = remember(repository, here / "memory")
        (memory.top / ALPHA).unlink()
        (memory.top / CONTENT).chmod(0)
        result = memory.restore(ids=(LEARNINGS[0]["id"],), safely=False)
        assert [failure.path for failure in result.failures] == [CONTENT.encode()]
        assert result.rebuilt == ()
        assert (memory.top / ALPHA).read_bytes() == FILES[ALPHA]


def test_an_entity_that_cannot_be_read_stays_in_the_indexes() -> None:
    """Indexes are made anew though one entity is closed to us: it keeps its rows."""
    ordinarily(_closed_entity)


def _closed_entity(here: Path) -> None:
    write(here / "memory", FILES)
    create_repository(here / "repository")
    with open_repository(here / "repository", clock=FixedClock(NOW)) as repository:
        memory = remember(repository, here / "memory")
        memory.restore(rebuild_indexes=True)
        (memory.top / ALPHA).unlink()
        (memory.top / BETA).chmod(0)
        memory.restore(ids=(LEARNINGS[0]["id"],), safely=False)
        rows = memory.load(CONTENT)["index"]["entities"]
        assert {LEARNINGS[0]["id"], LEARNINGS[1]["id"]} <= rows.keys()


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"ids": ("Learning-none-20250603",)}, PathNotInSnapshot, "no entity Learning-none-20250603"),
        ({"types": ("Knowledge",)}, PathNotInSnapshot, "no entity of the snapshot fits: type in"),
        ({"types": ("Pattern",), "files": RestoreOptions(paths=(b"config",))}, UsageError, "not both"),
        ({"types": ("Pattern",), "delete": True}, UsageError, "merged"),
        ({"ids": ("x",), "path_map": parse_path_map(("/a=/b",))}, UsageError, "--map"),
    ],
)
def test_choices_that_cannot_be(memory: Memory, given: dict[str, object], error: type[Exception], words: str) -> None:
    """What fits nothing, or does not go together, is refused before anything is touched."""
    memory.spoil()
    before = without_backups(memory.top)
    with pytest.raises(error, match=words):
        memory.restore(**given)
    assert without_backups(memory.top) == before
    assert memory.safety_copies() == []


def test_an_id_inside_counts_too(memory: Memory) -> None:
    """A file whose name is not its id is found by either."""
    odd = entity(stem="odd-20250603")
    path = "entities/Learning/2025/06/misnamed.json"
    write(memory.top, {path: text(odd)})
    again = remember(memory.repository, memory.top)
    for name in ("misnamed", odd["id"]):
        (memory.top / path).unlink()
        again.restore(ids=(name,))
        assert (memory.top / path).read_bytes() == text(odd)


def test_a_selective_snapshot_is_merged(memory: Memory) -> None:
    """A snapshot that holds a part of the memory does not make the other parts go, and may not be asked to."""
    part = snap(memory.repository, memory.top, kind=SnapshotClass.SELECTIVE, exclude=("/entities/Learning/",))
    (memory.top / place(PATTERN).decode()).unlink()
    selective = Memory(memory.top, memory.repository, part)
    selective.restore()
    assert live(memory) == FILES
    with pytest.raises(UsageError, match="selective"):
        selective.restore(delete=True)


# ---------------------------------------------------------------- paths and times


def test_paths_in_configuration_are_rewritten(memory: Memory) -> None:
    """Strings that are the path, or below it, are rewritten in config alone; the rest of the file keeps its bytes."""
    (memory.top / "config/settings.json").chmod(0o640)
    mapped = remember(memory.repository, memory.top)
    memory.spoil()
    result = mapped.restore(path_map=parse_path_map(("/home/ada=/srv/bob", "/nowhere=/there")))
    expected = (
        SETTINGS.replace(b'"/home/ada"', b'"/srv/bob"')
        .replace(b'"/home/ada/', b'"/srv/bob/')
        .replace(b'"store": "/home/ada', b'"store": "/srv/bob')
    )
    assert (memory.top / "config/settings.json").read_bytes() == expected
    assert (memory.top / "config/settings.json").stat().st_mode & 0o777 == 0o640
    assert result.mapped == 4
    assert live(memory) == FILES | {"config/settings.json": expected}


def test_what_was_written_may_have_the_time_of_the_restore(memory: Memory) -> None:
    """With `now`, a tool that looks at times sees the files that came back, and no others."""
    (memory.top / ALPHA).unlink()
    memory.restore(files=RestoreOptions(times=Times.NOW))
    assert (memory.top / ALPHA).stat().st_mtime_ns == NOW
    assert (memory.top / BETA).stat().st_mtime_ns == OLD
    assert live(memory) == FILES


def test_a_plan_touches_nothing(memory: Memory) -> None:
    """The plan of a restore tells what would go and changes nothing, not even the repository."""
    memory.spoil()
    before, kept = without_backups(memory.top), memory.repository.snapshots()
    plan = plan_memory_restore(memory.repository, memory.snapshot)
    assert plan.safely
    assert plan.files.totals.removed_files == 2
    chosen = MemoryRestoreOptions(choice=Choice(ids=(LEARNINGS[2]["id"],)))
    assert plan_memory_restore(memory.repository, memory.snapshot, options=chosen).elsewhere == (ARCHIVED.encode(),)
    assert without_backups(memory.top) == before
    assert memory.repository.snapshots() == kept
