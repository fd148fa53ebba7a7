"""When the restore of a memory fails, the memory is byte for byte what it was, and the safety copy stays."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from icc_store.clock import FixedClock
from icc_store.entities.path_map import PathMap
from icc_store.errors import DamageError, DiskFull, Interrupted, TargetError
from icc_store.model.content import list_pieces
from icc_store.model.record import SnapshotClass
from icc_store.model.walk import lookup
from icc_store.monitor import SILENT, Monitor
from icc_store.opening import create_repository, open_repository
from icc_store.operations.memory.restore import MemoryRestoreOptions, plan_memory_restore, restore_memory
from icc_store.operations.restore_plan import RestoreOptions
from icc_store.operations.restore_safety import put_back, take_safety_copy
from icc_store.operations.snapshot import take_snapshot
from icc_store.operations.snapshot_options import SnapshotOptions
from tests.fs.roles import IS_ROOT, NOBODY, as_ordinary_user
from tests.support import damage
from tests.support.compare import assert_same, facts
from tests.support.live import NOW, on_disk, put
from tests.support.memory_restores import ALPHA, BETA, FILES, STORE, Memory, remember, without_backups, write
from tests.support.ordinary import open_place
from tests.support.shelf import noise


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    top = tmp_path / "memory"
    write(top, FILES)
    create_repository(top / STORE)
    with open_repository(top / STORE, clock=FixedClock(NOW)) as repository:
        yield remember(repository, top)


class Saboteur(Monitor):
    """Does something, once, when a phase begins, or when the files of a directory are written and not yet read back."""

    def __init__(self, when: str, action: Callable[[], object]) -> None:
        self.phases: list[str] = []
        self._when = when
        self._action = action

    def phase(self, name: str) -> None:
        self.phases.append(name)
        if name == self._when and self.phases.count(name) == 1:
            self._action()

    def advance(self, files: int, size: int, path: bytes) -> None:
        if path.decode() == self._when and self.phases[-1] == "restore" and files:
            self._when = ""
            self._action()


def sabotaged(memory: Memory, when: str, action: Callable[[], object], **given: Any) -> Saboteur:
    """Restore the memory, and do something at one moment of it."""
    plan = plan_memory_restore(memory.repository, memory.snapshot, options=MemoryRestoreOptions(**given))
    saboteur = Saboteur(when, action)
    restore_memory(memory.repository, plan, monitor=saboteur, clock=memory.repository.clock)
    return saboteur


def interrupt() -> None:
    raise KeyboardInterrupt("SIGTERM")


# ---------------------------------------------------------------- before anything is touched


def test_damage_is_found_before_anything_is_touched(memory: Memory) -> None:
    """The message names the damaged file, no safety copy was needed, and the snapshot is suspect from then on."""
    memory.spoil()
    entry = lookup(memory.repository.objects, memory.snapshot.record, ALPHA.encode()).entry
    damage.lose(memory.repository, entry.chunk)
    before = without_backups(memory.top)
    with pytest.raises(DamageError, match=r"Learning-alpha.*nothing was restored"):
        memory.restore()
    with pytest.raises(DamageError, match="Learning-alpha"):
        memory.restore(types=("Pattern",))
    assert without_backups(memory.top) == before
    assert memory.safety_copies() == []
    assert memory.repository.snapshot(memory.snapshot.id).suspect


def test_what_is_not_damaged_can_be_had_all_the_same(memory: Memory) -> None:
    """Without a safety copy the rest is restored, and the damaged file is listed."""
    memory.spoil()
    damage.lose(
        memory.repository, lookup(memory.repository.objects, memory.snapshot.record, ALPHA.encode()).entry.chunk
    )
    result = memory.restore(safely=False)
    assert [(failure.path, failure.damage) for failure in result.failures] == [(ALPHA.encode(), True)]
    assert {name: data for name, data in on_disk(memory.top).items() if name in FILES} == {
        name: data for name, data in FILES.items() if name != ALPHA
    }
    assert result.safety is None
    assert result.entities == {"Learning": 2, "Pattern": 1, "Project": 1}


def test_a_manifest_that_contradicts_the_files(memory: Memory) -> None:
    """Files that do not have the hash of their manifest are not restored as if they had."""
    memory.spoil()
    before = without_backups(memory.top)
    manifest = memory.snapshot.record.manifest
    assert manifest is not None
    record = replace(memory.snapshot.record, manifest=manifest | {4: bytes(32)})
    memory.snapshot = replace(memory.snapshot, record=record)
    with pytest.raises(DamageError, match="integrity hash"):
        memory.restore()
    assert without_backups(memory.top) == before


def test_what_is_in_the_way_is_seen_beforehand(memory: Memory) -> None:
    """What the plan says cannot be restored ends it before the safety copy."""
    memory.spoil()
    write(memory.top, {f"{ALPHA}/in the way": b"x"})
    before = without_backups(memory.top)
    with pytest.raises(TargetError, match="a directory is in the way"):
        memory.restore(delete=False)
    assert without_backups(memory.top) == before
    assert memory.safety_copies() == []


# ---------------------------------------------------------------- in the middle

PHASES = ("restore", "sync", "index", "validate")


@pytest.mark.parametrize("phase", PHASES)
def test_interrupted_between_two_steps(memory: Memory, phase: str) -> None:
    """Whenever the restore is interrupted, the former state is put back, said, and the safety copy kept."""
    memory.spoil()
    before = without_backups(memory.top)
    with pytest.raises(Interrupted, match=r"interrupted by SIGTERM; .* is again as it was before \(safety copy"):
        sabotaged(memory, phase, interrupt, rebuild_indexes=True)
    assert without_backups(memory.top) == before
    assert [one.record.kind for one in memory.repository.snapshots()][-1] is SnapshotClass.SAFETY


def test_those_were_all_steps(memory: Memory) -> None:
    """The phases at which the test above interrupts are all that follow the safety copy."""
    memory.spoil()
    phases = sabotaged(memory, "", interrupt, rebuild_indexes=True).phases
    assert tuple(phases[-len(PHASES) :]) == PHASES
    assert phases[-len(PHASES) - 1] == "commit"


@pytest.mark.parametrize("path", [ALPHA, BETA, "config/settings.json"])
def test_a_difference_after_the_restore(memory: Memory, path: str) -> None:
    """What was changed behind the restore's back, written or kept, is seen when it is read back; all is put back."""
    memory.spoil()
    before = without_backups(memory.top)
    with pytest.raises(TargetError, match=f"{path}: what was read back is not what the snapshot holds"):
        sabotaged(memory, os.path.dirname(path), lambda: put(memory.top / path, b"somebody else's"))
    assert without_backups(memory.top) == before


def test_a_file_that_vanished_after_the_restore(memory: Memory) -> None:
    """An entity that is no longer there when it is to be read back undoes the restore."""
    memory.spoil()
    before = without_backups(memory.top)
    with pytest.raises(TargetError, match=r"cannot be read back: No such file"):
        sabotaged(memory, os.path.dirname(ALPHA), (memory.top / ALPHA).unlink)
    assert without_backups(memory.top) == before


# ---------------------------------------------------------------- where nothing was


LARGE = "config/large"
"""A file in several blocks."""


@pytest.fixture
def known(tmp_path: Path) -> Iterator[Memory]:
    """A memory whose snapshot left facts of every file, so that none is read before it is restored."""
    top = tmp_path / "known"
    write(top, FILES | {LARGE: noise(1, 3_000_000)})
    create_repository(top / STORE)
    with open_repository(top / STORE, clock=FixedClock(NOW)) as repository:
        options = SnapshotOptions(profile="icc")
        taken = take_snapshot(repository, [top], options=options, clock=repository.clock).snapshot
        assert taken is not None
        yield Memory(top, repository, taken)


@pytest.mark.parametrize("is_there", [False, True])
def test_damage_leaves_an_empty_place_as_it_was(known: Memory, tmp_path: Path, is_there: bool) -> None:
    """The first to meet the damage is who writes the files; all of them go, the damaged one is named and remembered."""
    objects, record = known.repository.objects, known.snapshot.record
    pieces = list_pieces(objects, lookup(objects, record, LARGE.encode()).entry.content_list or record.root)
    damage.damage_block(known.repository, damage.block_of(known.repository, next(iter(pieces)).id))
    target = tmp_path / "new"
    if is_there:
        target.mkdir()
    with pytest.raises(DamageError, match=r"config/large cannot be brought back; nothing was restored"):
        known.restore(files=RestoreOptions(target))
    assert target.exists() is is_there
    assert not is_there or list(target.iterdir()) == []
    assert known.repository.snapshot(known.snapshot.id).suspect


@pytest.mark.parametrize("moment", ["restore", "sync", os.path.dirname(BETA)])
def test_an_interruption_leaves_an_empty_place_as_it_was(known: Memory, tmp_path: Path, moment: str) -> None:
    """Whoever is interrupted takes back what is there by then, and nothing else."""
    target = tmp_path / "new"
    plan = plan_memory_restore(
        known.repository, known.snapshot, options=MemoryRestoreOptions(files=RestoreOptions(target))
    )

    def somebody_else_writes() -> None:
        put(target / "notes", b"somebody else's")
        interrupt()

    with pytest.raises(Interrupted, match=r"interrupted by SIGTERM; nothing was restored$"):
        restore_memory(known.repository, plan, monitor=Saboteur(moment, interrupt), clock=known.repository.clock)
    assert not target.exists()
    with pytest.raises(Interrupted):
        restore_memory(
            known.repository, plan, monitor=Saboteur(moment, somebody_else_writes), clock=known.repository.clock
        )
    assert on_disk(target) == {"notes": b"somebody else's"}


def test_what_differs_leaves_an_empty_place_as_it_was(known: Memory, tmp_path: Path) -> None:
    """A file that is not what was written to it is seen there too."""
    target = tmp_path / "new"
    plan = plan_memory_restore(
        known.repository, known.snapshot, options=MemoryRestoreOptions(files=RestoreOptions(target))
    )
    saboteur = Saboteur(os.path.dirname(BETA), lambda: put(target / BETA, FILES[BETA].swapcase()))
    with pytest.raises(TargetError, match=f"{BETA}: what was read back is not what the snapshot holds"):
        restore_memory(known.repository, plan, monitor=saboteur, clock=known.repository.clock)
    assert not target.exists()


def test_names_that_cannot_be_rewritten(memory: Memory) -> None:
    """A map that would make one field of two undoes the restore."""
    memory.spoil()
    before = without_backups(memory.top)
    with pytest.raises(TargetError, match="cannot be rewritten"):
        memory.restore(path_map=PathMap((("other", "home"),)))
    assert without_backups(memory.top) == before


def test_a_mistake_of_our_own(memory: Memory) -> None:
    """Whatever ends a restore, foreseen or not, the former state is put back."""
    memory.spoil()
    before = without_backups(memory.top)

    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        sabotaged(memory, "validate", fail, path_map=PathMap((("/home/ada", "/home/eve"),)))
    assert without_backups(memory.top) == before


# ---------------------------------------------------------------- what cannot be written


def restore_over_what_belongs_to_others(place: Path) -> None:
    here = place.absolute()
    target = here.parent / "memory"
    write(here / "source", FILES)
    create_repository(here / "repository")
    with open_repository(here / "repository", clock=FixedClock(NOW)) as repository:
        memory = remember(repository, here / "source")
        before = facts(target)
        with pytest.raises(
            TargetError, match=r"config/settings\.json: Permission denied; .* is again as it was before"
        ):
            memory.restore(files=RestoreOptions(target))
        assert facts(target) == before
        assert len(memory.safety_copies()) == 1


@pytest.mark.skipif(not IS_ROOT, reason="only root can make files that belong to somebody else")
def test_a_file_that_cannot_be_replaced() -> None:
    """One file in a directory of somebody else's undoes the whole restore."""
    with open_place() as place:
        write(place / "memory", {ALPHA: b"other", "config/settings.json": b"{}", "entities/Learning/new.json": b"new"})
        for path in [place / "memory", *(place / "memory").rglob("*")]:
            os.chmod(path, 0o755 if path.is_dir() else 0o644)
            os.chown(path, 0 if "config" in path.parts else NOBODY, NOBODY)
        as_ordinary_user(restore_over_what_belongs_to_others, place)


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """A file system of its own of this size; the test is skipped where nobody may make one."""
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", place], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.mark.skipif(not IS_ROOT, reason="only root may mount the small disk this needs")
def test_a_full_disk(tmp_path: Path) -> None:
    """A restore that needs more room than there is leaves no trace, even where the old files only just fit."""
    large = {f"entities/Learning/large {number}": noise(number, 300_000) for number in range(4)}
    write(tmp_path / "source", FILES | large)
    create_repository(tmp_path / "repository")
    with open_repository(tmp_path / "repository", clock=FixedClock(NOW)) as repository:
        memory = remember(repository, tmp_path / "source")
        with small_disk(tmp_path / "small", "1m") as small:
            write(small, {"entities/Learning/large 3": noise(9, 200_000), "config/settings.json": noise(8, 320_000)})
            write(small, {"entities/zzz": noise(7, 200_000)})
            before = facts(small)
            with pytest.raises(
                DiskFull,
                match=r"is full; .* is again as it was before .safety copy \w+. .free some space and restore again.$",
            ):
                memory.restore(files=RestoreOptions(small))
            assert facts(small) == before
            assert len(memory.safety_copies()) == 1
            subprocess.run(["mount", "-o", "remount,size=16m", small], check=True)
            memory.restore(files=RestoreOptions(small))
            assert_same(tmp_path / "source", small)


@pytest.mark.skipif(not IS_ROOT, reason="only root may mount the small disk this needs")
def test_a_full_disk_that_was_empty(known: Memory, tmp_path: Path) -> None:
    """Nothing is left on a disk that was empty and is too small."""
    write(known.top, {f"config/large {number}": noise(number, 300_000) for number in range(4)})
    full = remember(known.repository, known.top)
    with small_disk(tmp_path / "small", "1m") as small:
        with pytest.raises(DiskFull, match=r"is full; nothing was restored .free some space and restore again.$"):
            full.restore(files=RestoreOptions(small))
        assert list(small.iterdir()) == []


def test_room_is_made_before_the_former_state_comes_back(memory: Memory) -> None:
    """Putting back on a full disk removes what differs first, and then writes what was there."""
    memory.spoil()
    before = without_backups(memory.top)
    plan = plan_memory_restore(memory.repository, memory.snapshot)
    copy = take_safety_copy(memory.repository, plan.files, monitor=SILENT, clock=memory.repository.clock)
    memory.restore()
    full = iter((DiskFull("full"),))

    class Full(Monitor):
        def phase(self, name: str) -> None:
            if name == "restore":
                for error in full:
                    raise error

    put_back(memory.repository, copy, plan.files, monitor=Full(), clock=memory.repository.clock)
    assert without_backups(memory.top) == before


def test_what_cannot_be_put_back_is_said(memory: Memory) -> None:
    """When putting back fails as well, the message says both, and rollback does it later."""
    memory.spoil()
    before = without_backups(memory.top)

    def end_twice() -> None:
        copy = memory.safety_copies()[0]
        damage.lose(memory.repository, lookup(memory.repository.objects, copy.record, BETA.encode()).entry.chunk)
        interrupt()

    plan = plan_memory_restore(memory.repository, memory.snapshot)
    with pytest.raises(TargetError, match="could not be put back") as told:
        restore_memory(memory.repository, plan, monitor=Saboteur("sync", end_twice), clock=memory.repository.clock)
    assert told.value.hint is not None
    assert "icc-store rollback" in told.value.hint
    left = without_backups(memory.top)
    assert {path for path in before.keys() | left.keys() if before.get(path) != left.get(path)} == {BETA.encode()}
