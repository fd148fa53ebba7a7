"""What `restore --delete` removes: what a directory holds and the snapshot does not.

Some things the snapshot does not have, and yet they stay: what its own exclusion rules left out, what could not be
read when it was taken, sockets, other file systems mounted there, and the repository, wherever it is. A directory that
holds any of these stays too, and only the rest of it goes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass

from icc_store.errors import IccStoreError
from icc_store.fs.directory_stack import DirectoryStack
from icc_store.fs.excludes import Excludes, Rule
from icc_store.fs.nesting import Nested
from icc_store.model.paths import is_within, join
from icc_store.model.record import SnapshotRecord
from icc_store.operations.restore_databases import DatabasesInUse
from icc_store.operations.restore_plan import DirectoryPlan, Removal, Totals

_ALL_WARNINGS = 1000
"""A record lists no more files that could not be read; the others are not known."""


@dataclass
class _Survey:
    """What stands below a name. Sizes are bytes of regular files."""

    files: int = 0
    size: int = 0
    keeps: bool = False
    """Something in it must stay."""


class Removals:
    """Decides what goes, for one snapshot and one target."""

    def __init__(
        self,
        record: SnapshotRecord,
        repository: tuple[int, int],
        totals: Totals,
        databases: DatabasesInUse,
        spare: tuple[bytes, ...] = (),
    ) -> None:
        """`repository` is the device and inode of its directory, `spare` are stored paths that stay in any case."""
        self._excludes = Excludes.from_record(record.exclusions)
        self._unread = frozenset(path for path, _ in record.warnings)
        self._complete = len(record.warnings) < _ALL_WARNINGS
        self._repository = repository
        self._totals = totals
        self._databases = databases
        self._spare = frozenset(spare)

    def check(self) -> None:
        """Raise IccStoreError when too many files could not be read to know them all."""
        if not self._complete:
            raise IccStoreError(
                f"more than {_ALL_WARNINGS} files could not be read when this snapshot was taken, so --delete could "
                "remove files that are nowhere else",
                hint="restore without --delete",
            )

    def plan(self, stack: DirectoryStack, path: bytes, names: Iterable[bytes], plan: DirectoryPlan) -> Nested[None]:
        """Plan the removal of these names in the current directory, whose stored path is `path`."""
        if any(is_within(path, spared) for spared in self._spare):
            return
        rule = self._excludes.within(path, stack.fd)
        for name in sorted(names):
            try:
                status = os.stat(name, dir_fd=stack.fd, follow_symlinks=False)
            except FileNotFoundError:
                continue
            if self._stays(rule, path, name, status, os.fstat(stack.fd).st_dev):
                continue
            if stat.S_ISREG(status.st_mode):
                self._databases.look(stack.fd, path, name)
            survey = self.survey(stack, join(path, name), name, status)
            if not survey.keeps:
                self.remove(plan, name, status, survey)
                continue
            stack.descend(name)
            extra = DirectoryPlan(bytearray())
            plan.extras.append((name, extra))
            inside = [os.fsencode(one) for one in os.listdir(stack.fd)]
            yield self.plan(stack, join(path, name), inside, extra)
            os.close(stack.ascend())

    def remove(self, plan: DirectoryPlan, name: bytes, status: os.stat_result, survey: _Survey) -> None:
        """Put a removal into the plan."""
        plan.removals.append(Removal(name, survey.files, survey.size, stat.S_ISDIR(status.st_mode)))
        self._totals.removed_files += survey.files
        self._totals.removed_size += survey.size

    def survey(self, stack: DirectoryStack, path: bytes, name: bytes, status: os.stat_result) -> _Survey:
        """What stands at a name of the current directory and below it. What cannot be looked at must stay."""
        found = _Survey()
        if not stat.S_ISDIR(status.st_mode):
            found.files, found.size = 1, status.st_size if stat.S_ISREG(status.st_mode) else 0
            return found
        depth = stack.depth
        waiting: list[tuple[bytes, list[bytes], Rule | None]] = []
        below: bytes | None = name
        try:
            while True:
                if below is not None:
                    path = join(waiting[-1][0], below) if waiting else path
                    stack.descend(below)
                    names = [os.fsencode(one) for one in os.listdir(stack.fd)]
                    waiting.append((path, names, self._excludes.within(path, stack.fd)))
                below = self._look(stack, found, waiting[-1], status.st_dev)
                if below is None:
                    waiting.pop()
                    os.close(stack.ascend())
                    if not waiting:
                        return found
        except OSError:
            found.keeps = True
        finally:
            while stack.depth > depth:
                os.close(stack.ascend())
        return found

    def _look(
        self, stack: DirectoryStack, found: _Survey, directory: tuple[bytes, list[bytes], Rule | None], device: int
    ) -> bytes | None:
        """Count the names left of a directory up to the next subdirectory, and return that."""
        path, names, rule = directory
        while names:
            name = names.pop()
            status = os.stat(name, dir_fd=stack.fd, follow_symlinks=False)
            if self._stays(rule, path, name, status, device):
                found.keeps = True
            elif stat.S_ISDIR(status.st_mode):
                return name
            else:
                found.files += 1
                if stat.S_ISREG(status.st_mode):
                    found.size += status.st_size
                    self._databases.look(stack.fd, path, name)
        return None

    def _stays(self, rule: Rule | None, path: bytes, name: bytes, status: os.stat_result, device: int) -> bool:
        if stat.S_ISSOCK(status.st_mode) or status.st_dev != device:
            return True
        if (status.st_dev, status.st_ino) == self._repository:
            return True
        if self._spare and join(path, name) in self._spare:
            return True
        if rule is not None and rule(name, status.st_mode, status.st_size):
            return True
        return bool(self._unread) and join(path, name) in self._unread
