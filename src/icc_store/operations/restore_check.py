"""Reading back what was restored: every file, from the disk as far as the system allows, against its content id."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from icc_store.errors import DamageError
from icc_store.fs.directory_stack import DirectoryStack
from icc_store.fs.nesting import Nested, run_nested
from icc_store.ids import ObjectId
from icc_store.model.entry import NAME, SUBTREE, Entry, Wire, entry_from_wire
from icc_store.model.paths import join
from icc_store.model.repository import Repository
from icc_store.model.tree import tree_parts
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.live_files import LiveFiles
from icc_store.operations.restore_plan import ENTERED, Action, DirectoryPlan, Failure, RestorePlan

_UNCHECKED = frozenset((Action.PASS, Action.LEAVE, Action.BLOCKED, Action.REFUSED, Action.BROKEN))


def check_restored(
    repository: Repository, plan: RestorePlan, failed: Iterable[bytes], *, monitor: Monitor = SILENT
) -> tuple[int, list[Failure]]:
    """How many files were read back, and those that are not what the snapshot says. `failed` are known already."""
    check = _Check(repository, plan, frozenset(failed), monitor)
    fd = os.open(plan.target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    stack = DirectoryStack(fd)
    monitor.phase("check")
    try:
        run_nested(check.directory(stack, b"", plan.snapshot.record.root, plan.root))
    finally:
        stack.close()
        os.close(fd)
    return check.checked, check.wrong


class _Check:
    def __init__(self, repository: Repository, plan: RestorePlan, failed: frozenset[bytes], monitor: Monitor) -> None:
        self.checked = 0
        self.wrong: list[Failure] = []
        self._objects = repository.objects
        self._live = LiveFiles(self._objects)
        self._scope = plan.scope
        self._failed = failed
        self._monitor = monitor

    def directory(self, stack: DirectoryStack, path: bytes, tree: ObjectId, plan: DirectoryPlan) -> Nested[None]:
        """Check the directory that the stack stands in, by the plan it was restored by."""
        position, below = 0, iter(plan.below)
        try:
            for _, part in tree_parts(self._objects, tree):
                for wire in part.entries:
                    action = Action.MAKE if plan.actions is None else Action(plan.actions[position])
                    position += 1
                    child = DirectoryPlan()
                    if SUBTREE in wire and action in ENTERED and plan.actions is not None:
                        child = next(below, child)
                    here = join(path, wire[NAME])
                    if action in _UNCHECKED or here in self._failed or not self._scope.leads(here):
                        continue
                    if SUBTREE in wire:
                        yield self._subdirectory(stack, here, wire, child)
                    else:
                        self._file(stack.fd, here, wire)
        except DamageError:
            pass  # the restore has said so

    def _subdirectory(self, stack: DirectoryStack, path: bytes, wire: Wire, plan: DirectoryPlan) -> Nested[None]:
        try:
            stack.descend(wire[NAME])
        except OSError as error:
            self._note(path, f"cannot be read back: {error.strerror}")
            return
        yield self.directory(stack, path, wire[SUBTREE], plan)
        os.close(stack.ascend())

    def _file(self, dir_fd: int, path: bytes, wire: Wire) -> None:
        try:
            entry = entry_from_wire(wire)
            status = os.stat(entry.name, dir_fd=dir_fd, follow_symlinks=False)
            if not self._is_right(dir_fd, entry, status):
                self._note(path, "what was read back is not what the snapshot holds")
            self.checked += 1
            self._monitor.advance(1, entry.size, path)
        except DamageError as error:
            self.wrong.append(Failure(path, error.message, damage=True))
        except OSError as error:
            self._note(path, f"cannot be read back: {error.strerror}")

    def _is_right(self, dir_fd: int, entry: Entry, status: os.stat_result) -> bool:
        if stat.S_IFMT(entry.mode) != stat.S_IFMT(status.st_mode):
            return False
        if entry.is_symlink:
            return os.readlink(entry.name, dir_fd=dir_fd) == entry.target
        return not entry.is_file or self._live.same_content(dir_fd, entry, from_disk=True)

    def _note(self, path: bytes, message: str) -> None:
        self.wrong.append(Failure(path, message))
        self._monitor.warning(path, message)
