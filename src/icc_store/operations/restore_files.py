"""Restoring what stands in one directory beside its subdirectories: files, links and special files, and itself."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from icc_store.errors import DamageError, DiskFull
from icc_store.fs.directory_writer import DirectoryWriter, Nature
from icc_store.ids import ObjectId
from icc_store.model.attributes import attributes_of
from icc_store.model.content import content_bytes
from icc_store.model.entry import HARD_LINK, NAME, Entry, Wire, entry_from_wire
from icc_store.model.neighbours import NeighbourReader
from icc_store.model.paths import join, parts
from icc_store.model.repository import Repository
from icc_store.model.tree import Owners
from icc_store.monitor import Monitor
from icc_store.operations.restore_check import UNCHECKED, FileCheck
from icc_store.operations.restore_plan import WRITES, Action, Failure, LinkLeaders, RestorePlan

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))
_NOT_NAMES = frozenset((b"", b".", b".."))

Link = Callable[[bytes, bytes], None]
"""Makes a name in the current directory another one of the file with a stored path. Raises OSError."""


def link_nothing(name: bytes, _existing: bytes) -> None:
    """Where no file may become another name of one: it is written then."""
    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)


@dataclass
class Done:
    """What was done. Sizes are bytes."""

    counts: dict[Action, int] = field(default_factory=lambda: dict.fromkeys(Action, 0))
    size: int = 0
    checked: int = 0
    """Files and links that were read back and are as they should be."""
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True)
class Directory:
    """A directory that was made and is to be filled and settled. `path` is the stored one."""

    path: bytes
    tree: ObjectId
    entry: Entry
    owners: Owners
    action: Action
    nature: Nature


class FileRestorer:
    """Restores files in whatever directory a writer stands in, and keeps account."""

    def __init__(
        self,
        repository: Repository,
        plan: RestorePlan,
        links: LinkLeaders,
        monitor: Monitor,
        *,
        time_ns: int | None,
        link: Link = link_nothing,
    ) -> None:
        """`time_ns` is what files get for a time; None: their own."""
        self.done = Done()
        self._objects = repository.objects
        self._chunk = NeighbourReader(repository.objects).chunk
        self._plan = plan
        self._links = links
        self._monitor = monitor
        self._time_ns = time_ns
        self._link = link
        self._check = FileCheck(repository.objects) if plan.options.read_back else None

    def files(
        self,
        here: DirectoryWriter,
        path: bytes,
        todo: Sequence[tuple[Wire, int]],
        owners: Owners,
        undone: Callable[[bytes, Action], None],
    ) -> None:
        """Restore all files of one tree part in a row. `undone` hears of those about which nothing is done."""
        size, count = self.done.size, 0
        for wire, action in todo:
            if action == Action.PASS:
                continue
            count += 1
            below = join(path, wire[NAME])
            if action in WRITES:
                self._file(here, below, wire, owners, Action(action))
            elif action == Action.KEEP:
                self.done.counts[Action.KEEP] += 1
                group = wire.get(HARD_LINK)
                if group is not None and self._links.leader(group) is None:
                    self._links.lead(group, below)
            else:
                undone(below, Action(action))
        self._monitor.advance(count, self.done.size - size, path)
        if self._check is not None:
            self._read_back(here, path, todo, self._check)

    def _read_back(
        self, here: DirectoryWriter, path: bytes, todo: Sequence[tuple[Wire, int]], check: FileCheck
    ) -> None:
        """Read what now stands in a directory and was asked for."""
        known = {failure.path for failure in self.done.failures}
        for wire, action in todo:
            if action in UNCHECKED or (known and join(path, wire[NAME]) in known):
                continue
            wrong = check.wrong(here.fd, path, wire)
            if wrong is None:
                self.done.checked += 1
            else:
                self.note(wrong)

    def _file(self, here: DirectoryWriter, path: bytes, wire: Wire, owners: Owners, action: Action) -> None:
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
                if action is not Action.UPDATE or not here.update(entry, owners):
                    self._write(here, entry, owners)
                if group is not None:
                    self._links.lead(group, path)
                    action = Action.MAKE if action is Action.LINK else action
            self.done.counts[action] += 1
        except DamageError as error:
            self.fail(path, error.message, damage=True)
        except OSError as error:
            self.fail_os(path, error)

    def _write(self, here: DirectoryWriter, entry: Entry, owners: Owners) -> None:
        if entry.is_file:
            content: Iterable[bytes | int]
            if entry.chunk is not None:
                content = (self._chunk(entry.chunk),)
            else:
                content = content_bytes(self._objects, None, entry.content_list)
            self.done.size += here.write_file(entry, owners, content)
        elif entry.is_symlink:
            here.symlink(entry, owners)
        else:
            here.special(entry, owners)

    def _linked(self, entry: Entry, group: bytes) -> bool:
        """Make a file another name of the first of its group. False when that cannot be: it is written then."""
        leader = self._links.leader(group)
        if leader is None or not _NOT_NAMES.isdisjoint(parts(leader)):
            return False
        try:
            self._link(entry.name, leader)
        except OSError:
            return False
        return True

    def complete(self, here: DirectoryWriter, path: bytes, entry: Entry) -> Entry:
        """The entry of the directory itself, with its extended attributes; with none if damaged."""
        if self._time_ns is not None:
            entry.mtime_ns = os.fstat(here.fd).st_mtime_ns
        if entry.xattrs_id is not None:
            try:
                entry.xattrs = attributes_of(self._objects, entry)
            except DamageError as error:
                self.fail(path, error.message, damage=True)
        return entry

    # ------------------------------------------------------------------ what goes wrong

    def fail(self, path: bytes, message: str, *, damage: bool = False) -> None:
        """Note that a path could not be restored."""
        self.note(Failure(path, message, damage))

    def note(self, failure: Failure) -> None:
        """Note a failure, here or in another process; nothing is linked to that file."""
        self.done.failures.append(failure)
        self._links.spoil(failure.path)
        self._monitor.warning(failure.path, failure.message)

    def fail_os(self, path: bytes, error: OSError) -> None:
        """The same for an error of the system. Raises DiskFull for a disk that is full: it makes no sense to go on."""
        self.stop_if_full(error)
        self.fail(path, error.strerror or str(error))

    def stop_if_full(self, error: OSError) -> None:
        """Raise DiskFull where that is what an error says."""
        if error.errno in _FULL:
            raise self.full() from error

    def full(self) -> DiskFull:
        """What is to be said of a full disk by now."""
        done = sum(self.done.counts[action] for action in WRITES)
        wanted = sum(self._plan.totals.counts[action] for action in WRITES)
        return DiskFull(
            f"the disk of {self._plan.target} is full",
            hint=f"{done:,} of {wanted:,} entries are restored, each whole; free some space and restore again: "
            "what is there already is not written anew",
        )
