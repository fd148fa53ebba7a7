"""Making the plan of a restore: the snapshot's trees against what the target holds."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from icc_store.errors import DamageError, TargetError, UsageError
from icc_store.fs.directory_stack import DirectoryStack
from icc_store.fs.leftovers import of_the_dead
from icc_store.fs.nesting import Nested, run_nested
from icc_store.fs.sqlite_source import companions, is_sqlite
from icc_store.fs.writer import TEMPORARY
from icc_store.ids import ObjectId
from icc_store.model.content import content_bytes
from icc_store.model.entry import FLAG_SQLITE_COPY, HARD_LINK, NAME, SIZE, SUBTREE, Entry, Wire, entry_from_wire
from icc_store.model.extent import PathBound, refuse_too_deep
from icc_store.model.paths import join
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.model.tree import Owners, tree_parts
from icc_store.model.walk import lookup
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.live_files import LiveFiles
from icc_store.operations.placement import Scope, placement_of
from icc_store.operations.restore_databases import DatabasesInUse
from icc_store.operations.restore_plan import (
    ENTERED,
    PROBLEMS,
    RESTORE_ALL,
    Action,
    DirectoryPlan,
    Failure,
    LinkLeaders,
    Overwrite,
    RestoreOptions,
    RestorePlan,
    Times,
    Totals,
)
from icc_store.operations.restore_removals import Removals

_COMPANION_ENDS = (b"-wal", b"-shm", b"-journal")
_OVERWRITING = frozenset((Action.MAKE, Action.REPLACE, Action.LINK))
"""A missing file may still be the log of a database that is there."""

_AS_STORED = frozenset((Action.MAKE, Action.REPLACE, Action.KEEP, Action.UPDATE))
"""What leaves a file with the contents that the snapshot has."""


def plan_restore(
    repository: Repository,
    snapshot: Snapshot,
    *,
    options: RestoreOptions = RESTORE_ALL,
    monitor: Monitor = SILENT,
) -> RestorePlan:
    """Decide what a restore will do. Nothing is touched.

    Raises UsageError when there is no target, TargetError when the target cannot be one, PathNotInSnapshot, and
    EndlessTree.
    """
    placement = placement_of(repository.objects, snapshot.record)
    target = options.target or placement.root
    if target is None:
        raise UsageError("this snapshot does not belong to a directory of this machine", hint="name one with --target")
    _check_target(repository.path, target)
    for path in options.paths:
        lookup(repository.objects, snapshot.record, path)
    scope = Scope(options.paths, placement.whole)
    monitor.phase("plan")
    planner = _Planner(repository, snapshot, options, scope, monitor)
    root = planner.run(target)
    return RestorePlan(
        snapshot,
        target,
        options,
        placement,
        scope,
        root,
        planner.totals,
        tuple(planner.failures),
        tuple(sorted(planner.databases.found.items())),
    )


def _check_target(repository: Path, target: Path) -> None:
    real, ours = Path(os.path.realpath(target)), Path(os.path.realpath(repository))
    if real == ours or real.is_relative_to(ours):
        raise TargetError(f"{target} is in the repository", hint="restore to a directory outside of it")
    if os.path.lexists(target) and not target.is_dir():
        raise TargetError(f"{target} is not a directory", hint="name a directory, which may be missing")


class _Planner:
    def __init__(
        self, repository: Repository, snapshot: Snapshot, options: RestoreOptions, scope: Scope, monitor: Monitor
    ) -> None:
        self.totals = Totals()
        self.failures: list[Failure] = []
        self._objects = repository.objects
        self._record = snapshot.record
        self._bound = PathBound(self._objects, snapshot.record.root)
        self._options = options
        self._scope = scope
        self._monitor = monitor
        status = repository.path.stat()
        self._repository = (status.st_dev, status.st_ino)
        self._live = LiveFiles(self._objects, numeric_ids=options.numeric_ids)
        self._links = LinkLeaders(scope)
        self.databases = DatabasesInUse()
        self._removals = Removals(self._record, self._repository, self.totals, self.databases, options.spare)
        self._kept: dict[tuple[int, int], bytes] = {}
        """Files with several names that stay: device and inode, and the first of those names."""

    def run(self, target: Path) -> DirectoryPlan:
        plan = DirectoryPlan()
        if self._options.delete:
            self._removals.check()
        if not target.exists():
            run_nested(self._fresh(b"", self._record.root))
            return plan
        try:
            fd = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise TargetError(f"cannot restore to {target}: {error.strerror}") from error
        stack = DirectoryStack(fd)
        try:
            run_nested(self._existing(stack, plan, b"", self._record.root))
        finally:
            stack.close()
            os.close(fd)
        return plan

    # ------------------------------------------------------------------ where nothing is there

    def _fresh(self, path: bytes, tree: ObjectId) -> Nested[None]:
        """Count what is made in a directory that is missing. Entries stay maps: this is all a first restore plans."""
        counts, scope = self.totals.counts, self._scope
        everything = scope.takes(path)
        try:
            refuse_too_deep(path)
            for _, part in tree_parts(self._objects, tree):
                self._bound.met(len(part.entries))
                for wire in part.entries:
                    below = join(path, wire[NAME])
                    if not (everything or scope.leads(below)):
                        continue
                    if SUBTREE in wire:
                        counts[Action.MAKE] += everything or scope.takes(below)
                        yield self._fresh(below, wire[SUBTREE])
                    elif HARD_LINK in wire:
                        counts[Action.LINK] += 1
                    else:
                        counts[Action.MAKE] += 1
                        self.totals.size += wire.get(SIZE, 0)
        except DamageError as error:
            self._fail(path, error)

    def _fail(self, path: bytes, error: DamageError) -> None:
        self.failures.append(Failure(path, error.message, damage=True))

    # ------------------------------------------------------------------ where something is there

    def _existing(self, stack: DirectoryStack, plan: DirectoryPlan, path: bytes, tree: ObjectId) -> Nested[None]:
        """Plan the directory that the stack stands in. Directories come first, as when the snapshot was taken."""
        plan.actions = actions = bytearray()
        here = _Here({os.fsencode(name) for name in os.listdir(stack.fd)}, plan, path)
        databases = {name[: -len(end)] for end in _COMPANION_ENDS for name in here.names if name.endswith(end)}
        restored: list[tuple[Wire, Action]] = []
        stored: set[bytes] = set()
        try:
            refuse_too_deep(path)
            for _, part in tree_parts(self._objects, tree):
                start = len(actions)
                actions.extend(bytes(len(part.entries)))
                stored.update(wire[NAME] for wire in part.entries)
                for number, wire in enumerate(part.entries, start):
                    if SUBTREE in wire:
                        actions[number] = self._action(stack, here, wire, part.owners)
                        if actions[number] in ENTERED:
                            actions[number] = yield from self._below(stack, here, wire, Action(actions[number]))
                for number, wire in enumerate(part.entries, start):
                    if SUBTREE not in wire:
                        action = actions[number] = self._action(stack, here, wire, part.owners)
                        if action in _OVERWRITING:
                            self.databases.look(stack.fd, path, wire[NAME])
                        if wire[NAME] in databases and action in _AS_STORED:
                            restored.append((wire, action))
                self._monitor.advance(len(part.entries), 0, path)
            for wire, action in restored:
                self._remove_companions(stack, here, here.names - stored, wire, action)
        except DamageError as error:
            self._fail(path, error)
            return  # what else the tree holds is not known, so nothing is removed
        extra = here.names - stored
        unfinished = {name for name in extra if TEMPORARY.fullmatch(name)}
        for name in of_the_dead(stack.fd, unfinished, TEMPORARY):
            self._remove(stack, here, name)
        if self._options.delete and self._scope.owns(path):
            gone = {removal.name for removal in plan.removals}
            yield self._removals.plan(stack, path, extra - unfinished - gone, plan)

    def _below(
        self, stack: DirectoryStack, here: _Here, wire: Wire, action: Action
    ) -> Generator[Nested[None], None, Action]:
        """Plan a subdirectory that is gone into. Returns what is to be done about it, now that it was tried."""
        path = join(here.path, wire[NAME])
        child = DirectoryPlan()
        if action in {Action.KEEP, Action.UPDATE}:
            try:
                stack.descend(wire[NAME])
            except OSError as error:
                if self._never or self._options.delete or not isinstance(error, PermissionError):
                    return self._problem(Action.BLOCKED, path, f"cannot be looked into: {error.strerror}")
                # The writer may change its mode. Until then nobody knows what is in it, so all of it is written.
            else:
                here.plan.below.append(child)
                yield self._existing(stack, child, path, wire[SUBTREE])
                os.close(stack.ascend())
                return action
        here.plan.below.append(child)
        yield self._fresh(path, wire[SUBTREE])
        return action

    def _action(self, stack: DirectoryStack, here: _Here, wire: Wire, owners: Owners) -> Action:
        """What is to be done about one entry, counted."""
        path = join(here.path, wire[NAME])
        if not self._scope.leads(path):
            return Action.PASS
        try:
            entry = entry_from_wire(wire)
            decide = self._directory if entry.is_directory else self._file
            action = decide(stack, here, path, entry, owners)
        except DamageError as error:
            self._fail(path, error)
            action = Action.BROKEN
        if action in {Action.LEAVE, *PROBLEMS}:
            self._links.spoil(path)
        if self._scope.takes(path):
            self.totals.counts[action] += 1
            if action in {Action.MAKE, Action.REPLACE}:
                self.totals.size += wire.get(SIZE, 0)
        return action

    def _directory(self, stack: DirectoryStack, here: _Here, path: bytes, entry: Entry, owners: Owners) -> Action:
        status = here.status(stack, entry.name)
        if status is None:
            return Action.MAKE
        if not stat.S_ISDIR(status.st_mode):
            return Action.LEAVE if self._options.overwrite is Overwrite.NEVER else Action.REPLACE
        if (status.st_dev, status.st_ino) == self._repository:
            return self._problem(Action.REFUSED, path, "it is the repository itself, which is never written to")
        if self._never or not self._scope.owns(path):
            return Action.KEEP
        return Action.UPDATE if self._differences(stack.fd, entry, owners, status) else Action.KEEP

    def _differences(self, dir_fd: int, entry: Entry, owners: Owners, status: os.stat_result) -> set[str]:
        """What differs beside the contents and is to be put right."""
        found = set(self._live.differences(dir_fd, entry, owners, status, restorable=True))
        return found - {"mtime"} if self._options.times is Times.NOW else found

    @property
    def _never(self) -> bool:
        return self._options.overwrite is Overwrite.NEVER

    def _file(self, stack: DirectoryStack, here: _Here, path: bytes, entry: Entry, owners: Owners) -> Action:
        status = here.status(stack, entry.name)
        if status is None:
            return self._made_or_linked(path, entry, Action.MAKE)
        if self._never:
            return Action.LEAVE
        if stat.S_ISDIR(status.st_mode):
            return self._in_the_way(stack, here, path, entry, status)
        action = Action.REPLACE
        if self._options.overwrite is Overwrite.CHANGED:
            try:
                action = self._compared(stack.fd, entry, owners, status)
            except OSError:
                action = Action.REPLACE  # it cannot be read, or has just gone
        if status.st_nlink > 1 and action is Action.UPDATE:
            action = Action.REPLACE  # its other names, perhaps outside of the target, keep what they have
        if action is Action.KEEP and (status.st_nlink > 1 or entry.hard_link is not None):
            return self._kept_link(path, entry, status)
        if action is Action.UPDATE and entry.hard_link is None:
            return action
        return action if action is Action.KEEP else self._made_or_linked(path, entry, Action.REPLACE)

    def _compared(self, dir_fd: int, entry: Entry, owners: Owners, status: os.stat_result) -> Action:
        """KEEP, UPDATE or REPLACE, by the entry and what has its name."""
        if stat.S_IFMT(entry.mode) != stat.S_IFMT(status.st_mode):
            return Action.REPLACE
        differences = self._differences(dir_fd, entry, owners, status)
        if entry.is_file:
            if entry.size != status.st_size:
                return Action.REPLACE
            doubtful = self._options.compare or entry.mtime_ns != status.st_mtime_ns
            if doubtful and not self._live.same_content(dir_fd, entry):
                return Action.REPLACE
        if "target" in differences or "device" in differences:
            return Action.REPLACE
        return Action.UPDATE if differences else Action.KEEP

    def _made_or_linked(self, path: bytes, entry: Entry, otherwise: Action) -> Action:
        if entry.hard_link is None:
            return otherwise
        if self._links.leader(entry.hard_link) is not None:
            return Action.LINK
        self._links.lead(entry.hard_link, path)
        return otherwise

    def _kept_link(self, path: bytes, entry: Entry, status: os.stat_result) -> Action:
        """Whether a file that has several names may stay one of them."""
        inode = (status.st_dev, status.st_ino)
        leader = self._links.leader(entry.hard_link) if entry.hard_link is not None else None
        if leader is not None:
            return Action.KEEP if self._kept.get(inode) == leader else Action.LINK
        if entry.hard_link is not None:
            self._links.lead(entry.hard_link, path)
        return Action.KEEP if self._kept.setdefault(inode, path) == path else Action.REPLACE

    def _in_the_way(
        self, stack: DirectoryStack, here: _Here, path: bytes, entry: Entry, status: os.stat_result
    ) -> Action:
        """A directory stands where a file is to be. An empty one goes; any other only with --delete."""
        survey = self._removals.survey(stack, path, entry.name, status)
        ours = (status.st_dev, status.st_ino) == self._repository
        mounted = status.st_dev != os.fstat(stack.fd).st_dev
        if survey.keeps or ours or mounted:
            return self._problem(Action.BLOCKED, path, "a directory is in the way that holds what must stay")
        mirrors = self._options.delete and self._scope.owns(here.path)
        if not mirrors and (survey.files or not _is_empty(stack, entry.name)):
            return self._problem(Action.BLOCKED, path, "a directory is in the way (--delete removes it)")
        self._removals.remove(here.plan, entry.name, status, survey)
        return self._made_or_linked(path, entry, Action.REPLACE)

    def _problem(self, action: Action, path: bytes, message: str) -> Action:
        self.failures.append(Failure(path, message))
        return action

    def _remove_companions(
        self, stack: DirectoryStack, here: _Here, extra: set[bytes], wire: Wire, action: Action
    ) -> None:
        """Remove logs that SQLite would apply to a database they do not belong to.

        A database that stays may have one too: what was committed since can be in its log alone.
        """
        entry = entry_from_wire(wire)
        stale = [name for name in companions(entry.name) if name in extra]
        if not stale or not entry.is_file:
            return
        if action in {Action.KEEP, Action.UPDATE}:
            sizes = {name: os.stat(name, dir_fd=stack.fd, follow_symlinks=False).st_size for name in stale}
            if not any(size for name, size in sizes.items() if not name.endswith(b"-shm")):
                return
        if not entry.flags & FLAG_SQLITE_COPY:
            head = next(content_bytes(self._objects, entry.chunk, entry.content_list), b"")
            if not isinstance(head, bytes) or not is_sqlite(head):
                return
        for name in stale:
            status = os.stat(name, dir_fd=stack.fd, follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                self.databases.look(stack.fd, here.path, name)
                self._remove(stack, here, name)

    def _remove(self, stack: DirectoryStack, here: _Here, name: bytes) -> None:
        """Plan that a name of the current directory goes."""
        status = os.stat(name, dir_fd=stack.fd, follow_symlinks=False)
        survey = self._removals.survey(stack, join(here.path, name), name, status)
        self._removals.remove(here.plan, name, status, survey)


@dataclass(slots=True)
class _Here:
    """The directory that is being planned."""

    names: set[bytes]
    """What is in it."""
    plan: DirectoryPlan
    path: bytes

    def status(self, stack: DirectoryStack, name: bytes) -> os.stat_result | None:
        """The status of a name in the current directory, or None when nothing has it."""
        if name not in self.names:
            return None
        try:
            return os.stat(name, dir_fd=stack.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None


def _is_empty(stack: DirectoryStack, name: bytes) -> bool:
    stack.descend(name)
    try:
        return not os.listdir(stack.fd)
    finally:
        os.close(stack.ascend())
