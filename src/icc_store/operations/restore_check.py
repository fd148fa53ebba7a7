"""Reading back what was restored, against content ids: each file once it is written, or all of them at the end.

At the end they are read from the disk, as far as the system allows; at once, most often from what it keeps in memory.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from icc_store.errors import DamageError
from icc_store.fs.directory_stack import DirectoryStack
from icc_store.fs.nesting import Nested, run_nested
from icc_store.ids import ObjectId
from icc_store.model.entry import NAME, SIZE, SUBTREE, Entry, Wire, entry_from_wire
from icc_store.model.paths import join
from icc_store.model.repository import Repository
from icc_store.model.tree import Objects, tree_parts
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.live_files import LiveFiles
from icc_store.operations.restore_plan import ENTERED, Action, DirectoryPlan, Failure, RestorePlan

UNCHECKED = frozenset((Action.PASS, Action.LEAVE, Action.BLOCKED, Action.REFUSED, Action.BROKEN))
"""What has nothing to be read back."""


def check_restored(
    repository: Repository, plan: RestorePlan, failed: Iterable[bytes], *, monitor: Monitor = SILENT
) -> tuple[int, list[Failure]]:
    """How many files and links are what the snapshot says, and those that are not. `failed` are known already."""
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


class FileCheck:
    """Compares files and links on the disk with their entries."""

    def __init__(self, objects: Objects, *, from_disk: bool = False) -> None:
        """With `from_disk`, what the system keeps of a file in memory is dropped first, as far as it can be."""
        self._live = LiveFiles(objects)
        self._from_disk = from_disk

    def wrong(self, dir_fd: int, directory: bytes, wire: Wire) -> Failure | None:
        """What is wrong with the one of this entry in an open directory, of which the stored path is given."""
        try:
            if not self._from_disk and self._live.is_chunk(dir_fd, wire):
                return None
            entry = entry_from_wire(wire)
            status = os.stat(entry.name, dir_fd=dir_fd, follow_symlinks=False)
            if self._is_right(dir_fd, entry, status):
                return None
        except DamageError as error:
            return Failure(join(directory, wire[NAME]), error.message, damage=True)
        except OSError as error:
            return Failure(join(directory, wire[NAME]), f"cannot be read back: {error.strerror}")
        return Failure(join(directory, wire[NAME]), "what was read back is not what the snapshot holds")

    def _is_right(self, dir_fd: int, entry: Entry, status: os.stat_result) -> bool:
        if stat.S_IFMT(entry.mode) != stat.S_IFMT(status.st_mode):
            return False
        if entry.is_symlink:
            return os.readlink(entry.name, dir_fd=dir_fd) == entry.target
        return not entry.is_file or self._live.same_content(dir_fd, entry, from_disk=self._from_disk)


class _Check:
    def __init__(self, repository: Repository, plan: RestorePlan, failed: frozenset[bytes], monitor: Monitor) -> None:
        self.checked = 0
        self.wrong: list[Failure] = []
        self._objects = repository.objects
        self._files = FileCheck(self._objects, from_disk=True)
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
                    if action in UNCHECKED or here in self._failed or not self._scope.leads(here):
                        continue
                    if SUBTREE in wire:
                        yield self._subdirectory(stack, here, wire, child)
                    else:
                        self._file(stack.fd, path, wire)
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

    def _file(self, dir_fd: int, directory: bytes, wire: Wire) -> None:
        wrong = self._files.wrong(dir_fd, directory, wire)
        if wrong is None:
            self.checked += 1
            self._monitor.advance(1, wire.get(SIZE, 0), directory)
        elif wrong.damage:
            self.wrong.append(wrong)
        else:
            self._note(wrong.path, wrong.message)

    def _note(self, path: bytes, message: str) -> None:
        self.wrong.append(Failure(path, message))
        self._monitor.warning(path, message)
