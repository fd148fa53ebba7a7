"""Restoring a snapshot, or parts of it: plan, then do what the plan says.

Contents are read in the order in which a snapshot stores them (of each tree part, first what is below its directories,
then its files), so every block is decoded once. One bad file never stops a restore: it is listed, and the rest goes on.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.errors import DamageError, DiskFull, TargetError
from icc_store.fs.early_sync import EarlySync
from icc_store.fs.nesting import Nested, run_nested
from icc_store.fs.writer import TreeWriter
from icc_store.ids import ObjectId
from icc_store.model.attributes import attributes_of
from icc_store.model.content import content_bytes
from icc_store.model.entry import HARD_LINK, NAME, SUBTREE, Entry, Wire, entry_from_wire
from icc_store.model.extent import refuse_too_deep
from icc_store.model.neighbours import NeighbourReader
from icc_store.model.paths import join, parts
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.model.tree import Owners, tree_parts
from icc_store.model.walk import root_of
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.restore_check import check_restored
from icc_store.operations.restore_databases import refuse_if_in_use
from icc_store.operations.restore_plan import (
    ENTERED,
    RESTORE_ALL,
    WRITES,
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

_MANY = 5_000
"""Files from which on the disk is asked to begin before all is written."""

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))
_NOTHING_THERE = DirectoryPlan()
_NOT_NAMES = frozenset((b"", b".", b".."))
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
    """Files that were read back, when that was asked for."""
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
        run = _Run(repository, plan, writer, monitor, clock.now_ns())
        run.all()
        skipped = Skipped(writer.skipped.ownership, writer.skipped.xattrs, writer.skipped.modes)
    checked = None
    if plan.options.verify:
        checked, wrong = check_restored(repository, plan, [failure.path for failure in run.failures], monitor=monitor)
        run.failures += wrong
    duration = int((clock.monotonic() - started) * 1e9)
    return RestoreResult(
        plan.target, run.counts, run.size, run.removed, tuple(run.failures), skipped, checked, duration
    )


class _Run:
    """One plan while it is carried out. The writer stands in the directory that is at hand."""

    def __init__(
        self, repository: Repository, plan: RestorePlan, writer: TreeWriter, monitor: Monitor, now_ns: int
    ) -> None:
        self._time_ns = now_ns if plan.options.times is Times.NOW else None
        self.counts = dict.fromkeys(Action, 0)
        self.size = 0
        self.removed = 0
        self.failures: list[Failure] = []
        self._objects = repository.objects
        self._chunk = NeighbourReader(repository.objects).chunk
        self._plan = plan
        self._foreseen = {one.path: one.message for one in plan.failures}
        self._writer = writer
        self._monitor = monitor
        self._scope = plan.scope
        self._links = LinkLeaders(plan.scope)

    def all(self) -> None:
        plan, top = self._plan, root_of(self._plan.snapshot.record)
        self._monitor.phase("restore")
        with EarlySync(plan.target) if plan.totals.changes > _MANY else nullcontext():
            run_nested(self._directory(b"", plan.snapshot.record.root, plan.root))
        existed = plan.root.actions is not None
        keeps = existed and plan.options.overwrite is Overwrite.NEVER
        described = plan.snapshot.record.root_entry is not None and self._scope.owns(b"") and not keeps
        self._monitor.phase("sync")
        try:
            self._writer.finish(self._complete(b"", top.entry) if described else None, top.owners)
        except OSError as error:
            self._stop_if_full(error)
            raise TargetError(f"{plan.target}: not everything reached the disk: {error.strerror}") from error

    # ------------------------------------------------------------------ directories

    def _directory(self, path: bytes, tree: ObjectId, plan: DirectoryPlan) -> Nested[None]:
        """Restore the directory that the writer is in."""
        if plan.removals or plan.extras:
            yield self._removals(path, plan)
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
                    if SUBTREE in wire and action != Action.PASS:
                        child = _NOTHING_THERE
                        if action in ENTERED and actions is not None:
                            child = next(below, _NOTHING_THERE)
                        yield self._subdirectory(path, wire, owners, Action(action), child)
                self._files(path, [pair for pair in zip(entries, todo, strict=True) if SUBTREE not in pair[0]], owners)
        except DamageError as error:
            self._fail(path, error.message, damage=True)

    def _if_missing(self, path: bytes, wire: Wire) -> Action:
        """What is done in a directory that was missing, of which only parts were asked for."""
        return Action.MAKE if self._scope.leads(join(path, wire[NAME])) else Action.PASS

    def _subdirectory(
        self, path: bytes, wire: Wire, owners: Owners, action: Action, plan: DirectoryPlan
    ) -> Nested[None]:
        path = join(path, wire[NAME])
        if action not in ENTERED:
            self._undone(path, action)
            return
        try:
            entry = entry_from_wire(wire)
            made = self._writer.enter(entry.name, replace=action is Action.REPLACE)
        except DamageError as error:
            self._fail(path, error.message, damage=True)
            return
        except OSError as error:
            self._fail_os(path, error)
            return
        if entry.subtree is not None:
            yield self._directory(path, entry.subtree, plan)
        keeps = self._plan.options.overwrite is Overwrite.NEVER or not self._scope.owns(path)
        try:
            if made or not keeps:
                self._writer.leave(self._complete(path, entry), owners)
            else:
                self._writer.leave()
            if self._scope.takes(path):
                self.counts[action] += 1
        except OSError as error:
            self._fail_os(path, error)

    def _removals(self, path: bytes, plan: DirectoryPlan) -> Nested[None]:
        for removal in plan.removals:
            try:
                self._writer.remove(removal.name)
                self.removed += 1
            except OSError as error:
                self._fail_os(join(path, removal.name), error)
        for name, extra in plan.extras:
            try:
                self._writer.enter(name)
            except OSError as error:
                self._fail_os(join(path, name), error)
                continue
            yield self._removals(join(path, name), extra)
            self._writer.leave()

    # ------------------------------------------------------------------ files

    def _files(self, path: bytes, todo: list[tuple[Wire, int]], owners: Owners) -> None:
        """Restore all files of one tree part in a row."""
        size, done = self.size, 0
        for wire, action in todo:
            if action == Action.PASS:
                continue
            done += 1
            below = join(path, wire[NAME])
            if action in WRITES:
                self._file(below, wire, owners, Action(action))
            elif action == Action.KEEP:
                self.counts[Action.KEEP] += 1
                group = wire.get(HARD_LINK)
                if group is not None and self._links.leader(group) is None:
                    self._links.lead(group, below)
            else:
                self._undone(below, Action(action))
        self._monitor.advance(done, self.size - size, path)

    def _file(self, path: bytes, wire: Wire, owners: Owners, action: Action) -> None:
        try:
            entry = entry_from_wire(wire)
            if self._time_ns is not None:
                entry.mtime_ns = self._time_ns
            if entry.xattrs_id is not None:
                entry.xattrs = attributes_of(self._objects, entry)
            group = entry.hard_link
            if group is not None and self._linked(entry, group):
                action = Action.LINK
            else:
                if action is not Action.UPDATE or not self._writer.update(entry, owners):
                    self._write(entry, owners)
                if group is not None:
                    self._links.lead(group, path)
                    action = Action.MAKE if action is Action.LINK else action
            self.counts[action] += 1
        except DamageError as error:
            self._fail(path, error.message, damage=True)
        except OSError as error:
            self._fail_os(path, error)

    def _write(self, entry: Entry, owners: Owners) -> None:
        if entry.is_file:
            content: Iterable[bytes | int]
            if entry.chunk is not None:
                content = (self._chunk(entry.chunk),)
            else:
                content = content_bytes(self._objects, None, entry.content_list)
            self.size += self._writer.write_file(entry, owners, content)
        elif entry.is_symlink:
            self._writer.symlink(entry, owners)
        else:
            self._writer.special(entry, owners)

    def _linked(self, entry: Entry, group: bytes) -> bool:
        """Make a file another name of the first of its group. False when that cannot be: it is written then."""
        leader = self._links.leader(group)
        if leader is None or not _NOT_NAMES.isdisjoint(parts(leader)):
            return False
        try:
            self._writer.link(entry.name, leader)
        except OSError:
            return False
        return True

    # ------------------------------------------------------------------ what goes wrong

    def _complete(self, path: bytes, entry: Entry) -> Entry:
        """The entry of the directory that the writer is in, with its extended attributes; with none if damaged."""
        if self._time_ns is not None:
            entry.mtime_ns = os.fstat(self._writer.directory_fd).st_mtime_ns
        if entry.xattrs_id is not None:
            try:
                entry.xattrs = attributes_of(self._objects, entry)
            except DamageError as error:
                self._fail(path, error.message, damage=True)
        return entry

    def _undone(self, path: bytes, action: Action) -> None:
        """Note that nothing is done about an entry, and why when that is a problem."""
        if self._scope.takes(path):
            self.counts[action] += 1
        self._links.spoil(path)
        if action is Action.BROKEN:
            self._fail(path, "its entry is damaged", damage=True)
        elif action in _UNDONE:
            self._fail(path, self._foreseen[path])

    def _fail(self, path: bytes, message: str, *, damage: bool = False) -> None:
        self.failures.append(Failure(path, message, damage))
        self._links.spoil(path)
        self._monitor.warning(path, message)

    def _fail_os(self, path: bytes, error: OSError) -> None:
        self._stop_if_full(error)
        self._fail(path, error.strerror or str(error))

    def _stop_if_full(self, error: OSError) -> None:
        if error.errno in _FULL:
            done = sum(self.counts[action] for action in WRITES)
            wanted = sum(self._plan.totals.counts[action] for action in WRITES)
            raise DiskFull(
                f"the disk of {self._plan.target} is full: {done:,} of {wanted:,} entries are restored, each whole",
                hint="free some space and restore again: what is there already is not written anew",
            ) from error
