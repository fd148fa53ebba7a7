"""Restoring a snapshot, or parts of it: plan, then do what the plan says.

Contents are read in the order in which a snapshot stores them (of each tree part, first what is below its directories,
then its files), so every block is decoded once. One bad file never stops a restore: it is listed, and the rest goes on.
Where much is to be made, other processes fill the directories that this one makes (restore_crew).
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.errors import DamageError, DiskFull, TargetError
from icc_store.fs.early_sync import EarlySync
from icc_store.fs.nesting import Nested, run_nested
from icc_store.fs.writer import TreeWriter
from icc_store.ids import ObjectId
from icc_store.model.entry import HARD_LINK, NAME, SUBTREE, Wire, entry_from_wire
from icc_store.model.extent import refuse_too_deep
from icc_store.model.paths import join
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.model.tree import Owners, tree_parts
from icc_store.model.walk import root_of
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.restore_check import check_restored
from icc_store.operations.restore_databases import refuse_if_in_use
from icc_store.operations.restore_files import Directory, FileRestorer
from icc_store.operations.restore_plan import (
    ENTERED,
    RESTORE_ALL,
    Action,
    DirectoryPlan,
    Failure,
    LinkLeaders,
    Overwrite,
    RestoreOptions,
    RestorePlan,
    Times,
)
from icc_store.operations.restore_planner import plan_restore
from icc_store.quick_dataclass import dataclass

if TYPE_CHECKING:
    from icc_store.operations.restore_crew import RestoreCrew

_MANY = 5_000
"""Files from which on other processes help, and the disk is asked to begin before all is written."""

_NOTHING_THERE = DirectoryPlan()
_UNDONE = frozenset((Action.BLOCKED, Action.REFUSED))


@dataclass(frozen=True)
class Skipped:
    """How many files could not be given what their entries say, by this user or on this file system."""

    ownership: int = 0
    xattrs: int = 0
    modes: int = 0


@dataclass(frozen=True)
class RestoreResult:
    """What a restore did. Sizes are bytes."""

    target: Path
    counts: dict[Action, int]
    """Entries by what was done about them."""
    size: int
    """Bytes of files that were written."""
    removed: int
    """Names that were removed; a directory with all below it is one."""
    failures: tuple[Failure, ...]
    skipped: Skipped
    checked: int | None
    """Files and links that were read back and are as they should be, when that was asked for."""
    duration_ns: int

    @property
    def damaged(self) -> bool:
        """Whether something could not be restored because the repository is damaged."""
        return any(failure.damage for failure in self.failures)


def restore(
    repository: Repository,
    snapshot: Snapshot,
    *,
    options: RestoreOptions = RESTORE_ALL,
    monitor: Monitor = SILENT,
    clock: Clock = SYSTEM_CLOCK,
) -> RestoreResult:
    """Restore a snapshot. What could not be restored is in the result.

    Raises UsageError, TargetError, PathNotInSnapshot and EndlessTree before anything is touched; DiskFull and
    TargetError when it makes no sense to go on.
    """
    plan = plan_restore(repository, snapshot, options=options, monitor=monitor)
    return execute(repository, plan, monitor=monitor, clock=clock)


def execute(
    repository: Repository, plan: RestorePlan, *, monitor: Monitor = SILENT, clock: Clock = SYSTEM_CLOCK
) -> RestoreResult:
    """Do what a plan says. Raises as `restore` does."""
    refuse_if_in_use(plan)
    started = clock.monotonic()
    with TreeWriter(plan.target, numeric_ids=plan.options.numeric_ids) as writer:
        owns_all = plan.scope.owns(b"")
        if plan.totals.changes and owns_all and not os.access(plan.target, os.W_OK | os.X_OK):
            raise TargetError(f"{plan.target} cannot be written to", hint="check its permissions, or choose another")
        run = _Run(repository, plan, writer, monitor, clock)
        run.all()
        skipped = Skipped(run.skipped.ownership, run.skipped.xattrs, run.skipped.modes)
    done = run.done
    checked = done.checked if plan.options.read_back else None
    if plan.options.verify:
        checked, wrong = check_restored(repository, plan, [failure.path for failure in done.failures], monitor=monitor)
        done.failures += wrong
    duration = int((clock.monotonic() - started) * 1e9)
    return RestoreResult(
        plan.target, done.counts, done.size, run.removed, tuple(done.failures), skipped, checked, duration
    )


class _Run:
    """One plan while it is carried out. The writer stands in the directory that is at hand."""

    def __init__(
        self, repository: Repository, plan: RestorePlan, writer: TreeWriter, monitor: Monitor, clock: Clock
    ) -> None:
        self.removed = 0
        self.skipped = writer.skipped
        self._repository = repository
        self._objects = repository.objects
        self._plan = plan
        self._foreseen = {one.path: one.message for one in plan.failures}
        self._writer = writer
        self._monitor = monitor
        self._clock = clock
        self._scope = plan.scope
        self._links = LinkLeaders(plan.scope)
        self._time_ns = clock.now_ns() if plan.options.times is Times.NOW else None
        self._files = FileRestorer(repository, plan, self._links, monitor, time_ns=self._time_ns, link=writer.link)
        self.done = self._files.done
        self._crew: RestoreCrew | None = None

    def all(self) -> None:
        plan, top = self._plan, root_of(self._plan.snapshot.record)
        self._monitor.phase("restore")
        try:
            self._everything()
        except DiskFull as error:
            raise self._files.full() from error  # whoever has met it does not know what others have done
        existed = plan.root.actions is not None
        keeps = existed and plan.options.overwrite is Overwrite.NEVER
        described = plan.snapshot.record.root_entry is not None and self._scope.owns(b"") and not keeps
        self._monitor.phase("sync")
        entry = self._files.complete(self._writer.here, b"", top.entry) if described else None
        try:
            self._writer.finish(entry, top.owners)
        except OSError as error:
            self._files.stop_if_full(error)
            raise TargetError(f"{plan.target}: not everything reached the disk: {error.strerror}") from error

    def _everything(self) -> None:
        plan = self._plan
        with ExitStack() as stack:
            if plan.totals.changes > _MANY:
                self._crew = stack.enter_context(self._make_crew())
                stack.enter_context(EarlySync(plan.target))
            run_nested(self._directory(b"", plan.snapshot.record.root, plan.root))
            if self._crew is not None:
                self._crew.finish()
                self.skipped.add(self._crew.skipped)

    def _make_crew(self) -> AbstractContextManager[RestoreCrew | None]:
        # Here, since few restores are so large.
        from icc_store.operations.restore_crew import Setting, restore_crew

        setting = Setting(self._plan, self._writer.umask, self._time_ns)
        return restore_crew(self._repository, setting, self._files, self._monitor, self._clock)

    # ------------------------------------------------------------------ directories

    def _directory(self, path: bytes, tree: ObjectId, plan: DirectoryPlan) -> Nested[int]:
        """Restore the directory that the writer is in. Returns how many files of it are left to the crew."""
        if plan.removals or plan.extras:
            yield self._removals(path, plan)
        done_below = False
        if self._crew is not None and path and self._is_new(path, plan):
            left: int = yield self._below(path, tree)
            if left >= 0:
                return left
            done_below = True
            self._crew.wait()  # files that others are linked to may be on their way
        actions, position = plan.actions, 0
        everything = self._scope.takes(path)
        below = iter(plan.below)
        try:
            refuse_too_deep(path)
            for _, part in tree_parts(self._objects, tree):
                entries, owners = part.entries, part.owners
                if actions is not None:
                    todo = list(actions[position : position + len(entries)])
                    position += len(entries)
                elif everything:
                    todo = [Action.MAKE] * len(entries)
                else:
                    todo = [self._if_missing(path, wire) for wire in entries]
                for wire, action in zip(entries, todo, strict=True):
                    if SUBTREE in wire and action != Action.PASS and not done_below:
                        child = _NOTHING_THERE
                        if action in ENTERED and actions is not None:
                            child = next(below, _NOTHING_THERE)
                        yield self._subdirectory(path, wire, owners, Action(action), child)
                files = [pair for pair in zip(entries, todo, strict=True) if SUBTREE not in pair[0]]
                self._files.files(self._writer.here, path, files, owners, self._undone)
        except DamageError as error:
            self._files.fail(path, error.message, damage=True)
        return 0

    def _is_new(self, path: bytes, plan: DirectoryPlan) -> bool:
        """Whether the directory was made just now, and all of it is asked for."""
        return plan.actions is None and self._writer.here.nature.made and self._scope.takes(path)

    def _below(self, path: bytes, tree: ObjectId) -> Nested[int]:
        """Restore what is below a new directory. Returns how many files stand in it; -1 when they are not for others.

        That is so where one is a hard link, or where the tree is damaged, which is told when it is read once more.
        """
        count, links = 0, False
        try:
            refuse_too_deep(path)
            for _, part in tree_parts(self._objects, tree):
                for wire in part.entries:
                    if SUBTREE in wire:
                        yield self._subdirectory(path, wire, part.owners, Action.MAKE, _NOTHING_THERE)
                    else:
                        count += 1
                        links |= HARD_LINK in wire
        except DamageError:
            return -1
        return -1 if links else count

    def _if_missing(self, path: bytes, wire: Wire) -> Action:
        """What is done in a directory that was missing, of which only parts were asked for."""
        return Action.MAKE if self._scope.leads(join(path, wire[NAME])) else Action.PASS

    def _subdirectory(
        self, path: bytes, wire: Wire, owners: Owners, action: Action, plan: DirectoryPlan
    ) -> Nested[int]:
        path = join(path, wire[NAME])
        if action not in ENTERED:
            self._undone(path, action)
            return 0
        try:
            entry = entry_from_wire(wire)
            made = self._writer.enter(entry.name, replace=action is Action.REPLACE)
        except DamageError as error:
            self._files.fail(path, error.message, damage=True)
            return 0
        except OSError as error:
            self._files.fail_os(path, error)
            return 0
        tree = entry.subtree
        if tree is not None:
            left: int = yield self._directory(path, tree, plan)
            if left and self._crew is not None:
                nature = self._writer.here.nature
                self._crew.fill(Directory(path, tree, entry, owners, action, nature), self._writer.hand_over(), left)
                return 0
        keeps = self._plan.options.overwrite is Overwrite.NEVER or not self._scope.owns(path)
        try:
            if made or not keeps:
                self._writer.leave(self._files.complete(self._writer.here, path, entry), owners)
            else:
                self._writer.leave()
            if self._scope.takes(path):
                self.done.counts[action] += 1
        except OSError as error:
            self._files.fail_os(path, error)
        return 0

    def _removals(self, path: bytes, plan: DirectoryPlan) -> Nested[int]:
        for removal in plan.removals:
            try:
                self._writer.remove(removal.name)
                self.removed += 1
            except OSError as error:
                self._files.fail_os(join(path, removal.name), error)
        for name, extra in plan.extras:
            try:
                self._writer.enter(name)
            except OSError as error:
                self._files.fail_os(join(path, name), error)
                continue
            yield self._removals(join(path, name), extra)
            self._writer.leave()
        return 0

    def _undone(self, path: bytes, action: Action) -> None:
        """Note that nothing is done about an entry, and why when that is a problem."""
        if self._scope.takes(path):
            self.done.counts[action] += 1
        self._links.spoil(path)
        if action is Action.BROKEN:
            self._files.fail(path, "its entry is damaged", damage=True)
        elif action in _UNDONE:
            self._files.fail(path, self._foreseen[path])
