"""Restoring a memory: what a restore of files is, and what a memory needs around it.

Where there is something to lose, the snapshot is checked before anything is touched, and what stands in the memory is
copied (operations/restore_safety.py). Whatever goes wrong afterwards brings the former state back: a file that cannot
be replaced, a full disk, an interruption, a difference between what was restored and what was backed up.

A complete restore makes the memory what the snapshot says: what the snapshot does not have goes, since an entity that
was moved since would otherwise be there twice, but never the memory's own backups. Chosen entities, and paths, are
merged into what is there; indexes are made anew after a choice, because they would not fit any longer. A snapshot that
is itself selective is always merged: it does not say what else belongs to the memory.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.entities.findings import Finding
from icc_store.entities.json_text import NotJson
from icc_store.entities.layout import NEVER_IN_A_MEMORY, Area, place_of
from icc_store.entities.path_map import NO_MAP, PathMap, TwoNamesBecomeOne, rewrite_paths
from icc_store.errors import DamageError, UsageError
from icc_store.limits import MAX_RECORD_FILE
from icc_store.model.record import Snapshot, SnapshotClass
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.memory.live import read_live, replace_live
from icc_store.operations.memory.path_order import files_by_path
from icc_store.operations.memory.places import has_memory_layout
from icc_store.operations.memory.restore_check import check_backup, look_of_backup, look_over, some_of
from icc_store.operations.memory.restore_choice import EVERYTHING, Choice, chosen_paths, lying_elsewhere
from icc_store.operations.memory.survey import Survey
from icc_store.operations.placement import placement_of
from icc_store.operations.restore import RestoreResult, execute
from icc_store.operations.restore_databases import refuse_if_in_use
from icc_store.operations.restore_plan import RESTORE_ALL, Failure, Overwrite, RestoreOptions, RestorePlan
from icc_store.operations.restore_planner import plan_restore
from icc_store.operations.restore_safety import (
    all_or_nothing,
    holds_anything,
    remove_paths,
    require_all,
    require_undamaged,
)

_NOTHING = Survey()


@dataclass(frozen=True)
class MemoryRestoreOptions:
    """How to restore a memory. What is None is decided by what is restored, and where to."""

    files: RestoreOptions = RESTORE_ALL
    """Target, paths, times and so on; whether anything is deleted is said here by `delete`."""
    delete: bool | None = None
    """Whether what the snapshot does not have goes. None: when all is restored, and a safety copy covers it."""
    choice: Choice = EVERYTHING
    path_map: PathMap = NO_MAP
    rebuild_indexes: bool | None = None
    """Whether indexes are made anew. None: after a choice of entities."""
    safely: bool | None = None
    """All or nothing, with a safety copy. None: when the target is a memory, or empty."""


@dataclass(frozen=True)
class MemoryPlan:
    """What the restore of a memory will do."""

    files: RestorePlan
    options: MemoryRestoreOptions
    safely: bool
    elsewhere: tuple[bytes, ...]
    """Live files that go because they hold, at another path, an entity that is restored."""
    rebuild_indexes: bool

    @property
    def is_complete(self) -> bool:
        """Whether everything in the snapshot is restored, and nothing that is there is left in its place."""
        return not self.files.options.paths and self.files.options.overwrite is not Overwrite.NEVER


@dataclass(frozen=True)
class MemoryRestoreResult:
    """What came of it."""

    files: RestoreResult
    failures: tuple[Failure, ...]
    """What was not restored, or is not what it should be; always empty of a restore with a safety copy."""
    safety: Snapshot | None
    """The copy of what was there before; None when nothing was, or it was not wanted."""
    entities: dict[str, int]
    """Entities that were brought back, by type."""
    digest: bytes | None
    """SHA-256 of the SHA256SUMS of what came back, which is that of the snapshot; None for a part of it."""
    moved: tuple[bytes, ...]
    """Paths that entities were removed from, since they were restored to another one."""
    mapped: int
    """Paths that were rewritten in configuration files."""
    rebuilt: tuple[bytes, ...]
    """Index files that were made anew."""
    present: dict[str, int]
    """Entities that the memory has now, by type."""
    findings: tuple[Finding, ...]
    """What is wrong with the memory now: found by validation, or in the snapshot where exactly that came back."""
    backup_findings: tuple[Finding, ...] | None
    """What it finds in the snapshot; None of a restore without a safety copy, which does not look."""


def plan_memory_restore(
    repository: Repository,
    snapshot: Snapshot,
    *,
    options: MemoryRestoreOptions = MemoryRestoreOptions(),
    monitor: Monitor = SILENT,
) -> MemoryPlan:
    """Decide what the restore of a memory will do. Nothing is touched.

    Raises UsageError for options that do not go together, PathNotInSnapshot, TargetError, DamageError.
    """
    _check(snapshot, options)
    files = options.files
    if not options.choice.is_everything:
        files = replace(files, paths=chosen_paths(repository, snapshot, options.choice))
    safely = is_safe_by_default(repository, snapshot, files.target) if options.safely is None else options.safely
    whole = not files.paths and snapshot.record.kind is not SnapshotClass.SELECTIVE
    delete = options.delete if options.delete is not None else safely and whole
    changed = files.overwrite is Overwrite.CHANGED
    files = replace(files, delete=delete, compare=changed, read_back=True, spare=(*files.spare, *NEVER_IN_A_MEMORY))
    plan = plan_restore(repository, snapshot, options=files, monitor=monitor)
    chosen = () if options.choice.is_everything else files.paths
    rebuild = options.rebuild_indexes
    return MemoryPlan(
        plan,
        options,
        safely,
        lying_elsewhere(plan.target, chosen) if chosen else (),
        bool(chosen) if rebuild is None else rebuild,
    )


def is_safe_by_default(repository: Repository, snapshot: Snapshot, target: Path | None) -> bool:
    """Whether a restore is all or nothing when nobody says: where a memory is, or was, or nothing is.

    Any other directory may hold whatever else, which nobody wants copied, and may go on holding it.
    """
    home = placement_of(repository.objects, snapshot.record).root
    if target is None or (home is not None and os.path.realpath(home) == os.path.realpath(target)):
        return True
    return has_memory_layout(target) or (not target.is_file() and not holds_anything(target))


def _check(snapshot: Snapshot, options: MemoryRestoreOptions) -> None:
    chosen = not options.choice.is_everything
    if chosen and options.files.paths:
        raise UsageError("entities are chosen by --types, --entities and dates, or paths are named, but not both")
    if chosen and options.delete:
        raise UsageError("chosen entities are merged into what is there", hint="leave --delete out")
    if chosen and options.path_map.pairs:
        raise UsageError("--map is about configuration, and only entities are chosen", hint="restore without a choice")
    if options.delete and snapshot.record.kind is SnapshotClass.SELECTIVE:
        raise UsageError("a selective snapshot does not say what else belongs to the memory", hint="leave --delete out")


def restore_memory(
    repository: Repository, plan: MemoryPlan, *, monitor: Monitor = SILENT, clock: Clock = SYSTEM_CLOCK
) -> MemoryRestoreResult:
    """Do what a plan says. With a safety copy: all of it, or nothing.

    Raises TargetError and DamageError, most often before anything is touched, else after everything was put back;
    without a safety copy DiskFull and TargetError where it makes no sense to go on.
    """
    refuse_if_in_use(plan.files)
    if not plan.safely:
        return _Restore(repository, plan, _NOTHING, monitor, clock).run(None)
    require_all(plan.files.failures)
    snapshot, empty = plan.files.snapshot, not holds_anything(plan.files.target)
    backup = check_backup(repository, snapshot, read=not empty, monitor=monitor, clock=clock)
    changes = plan.files.totals.changes > 0 or bool(plan.elsewhere or plan.options.path_map.pairs)
    changes = changes or plan.rebuild_indexes
    try:
        with all_or_nothing(repository, plan.files, changes=changes, monitor=monitor, clock=clock) as copy:
            return _Restore(repository, plan, backup, monitor, clock).run(copy)
    except DamageError:
        if empty:
            require_undamaged(repository, snapshot, monitor=monitor, clock=clock)  # names the files, and remembers it
        raise


class _Restore:
    """One restore on its way, step by step."""

    def __init__(
        self, repository: Repository, plan: MemoryPlan, backup: Survey, monitor: Monitor, clock: Clock
    ) -> None:
        self._repository = repository
        self._plan = plan
        self._backup = backup
        self._monitor = monitor
        self._clock = clock
        self._target = plan.files.target
        self._failures: list[Failure] = []

    def run(self, copy: Snapshot | None) -> MemoryRestoreResult:
        """Restore the files, then what follows from them, then look at all of it."""
        plan = self._plan
        result = execute(self._repository, plan.files, monitor=self._monitor, clock=self._clock)
        self._fail(result.failures)
        remove_paths(self._target, plan.elsewhere)
        whole = plan.safely and plan.is_complete
        mapped = self._map_paths()
        rebuilt = self._rebuild_indexes() if plan.rebuild_indexes else ()
        look = None
        if whole and not mapped and not rebuilt:
            look = look_of_backup(self._backup, self._target)
        present, findings = look or look_over(self._target, monitor=self._monitor)
        return MemoryRestoreResult(
            files=result,
            failures=tuple(self._failures),
            safety=copy,
            entities=some_of(self._backup.entities if whole else self._entities(result)),
            digest=self._backup.digest if whole else None,
            moved=plan.elsewhere,
            mapped=mapped,
            rebuilt=rebuilt,
            present=present,
            findings=findings,
            backup_findings=self._backup.findings if plan.safely else None,
        )

    def _fail(self, failures: Sequence[Failure]) -> None:
        """End a restore that is all or nothing; note the failures of any other."""
        if self._plan.safely:
            require_all(failures)
        self._failures += failures

    def _entities(self, result: RestoreResult) -> Counter[str]:
        """Entities that were asked for and are there, by type."""
        gone = frozenset(failure.path for failure in result.failures)
        return Counter(place_of(path).type for path in self._restored(Area.ENTITY) if path not in gone)

    def _restored(self, area: Area) -> list[bytes]:
        """Stored paths that were asked for, of one sort."""
        scope = self._plan.files.scope
        paths = (path for path, _, _ in files_by_path(self._repository.objects, self._plan.files.snapshot.record.root))
        return [path for path in paths if place_of(path).area is area and scope.takes(path)]

    # ------------------------------------------------------------------ what follows from the files

    def _map_paths(self) -> int:
        """Rewrite paths in the configuration that was restored. Returns how many."""
        path_map = self._plan.options.path_map
        if not path_map.pairs:
            return 0
        contents, total = {}, 0
        for path in self._restored(Area.CONFIG):
            try:
                data, count = rewrite_paths(read_live(self._target, path, MAX_RECORD_FILE), path_map)
            except (OSError, NotJson) as error:
                self._monitor.warning(path, f"its paths are not rewritten: {error}")
                continue
            except TwoNamesBecomeOne as error:
                self._fail([Failure(path, f"its paths cannot be rewritten: {error}")])
                continue
            if count:
                contents[path] = data
                total += count
        replace_live(self._target, contents, now_ns=self._clock.now_ns())
        return total

    def _rebuild_indexes(self) -> tuple[bytes, ...]:
        """Make the index files fit the entities that are there. Returns those that changed."""
        from icc_store.operations.memory.rebuilt_indexes import rebuilt_indexes  # here, since few restores need it

        self._monitor.phase("index")
        now_ns = self._clock.now_ns()
        try:
            contents = rebuilt_indexes(self._target, now_ns=now_ns).contents
        except OSError as error:
            path = os.path.relpath(os.fsencode(error.filename or self._target), os.fsencode(self._target))
            self._fail([Failure(path, f"cannot be read, so no index was made anew: {error.strerror}")])
            return ()
        replace_live(self._target, contents, now_ns=now_ns)
        return tuple(sorted(contents))
