"""Whether a snapshot has every entity that its source has: both are listed once more and compared.

An agent may write while the snapshot is taken. What stands in a directory that has changed since the scan began is
news for the next snapshot and no fault of this one.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from icc_store.entities.layout import INDEX_NAME, Area, is_leftover, place_of, places_in
from icc_store.fs.excludes import Excludes
from icc_store.ids import ObjectId
from icc_store.model.paths import join
from icc_store.model.tree import Objects
from icc_store.operations.memory.path_order import files_by_path
from icc_store.quick_dataclass import dataclass

_ENTITIES = b"entities"


@dataclass(frozen=True)
class Differences:
    """Stored paths of entities that only one side has."""

    missing: tuple[bytes, ...] = ()
    """On the disk, not in the snapshot."""
    gone: tuple[bytes, ...] = ()
    """In the snapshot, not on the disk."""


class Source:
    """The live memory, as it was when the scan began."""

    def __init__(self, root: Path, excludes: Excludes, since_ns: int) -> None:
        self._root = os.fsencode(root)
        self._excludes = excludes
        self._since_ns = since_ns
        self._unsettled: set[bytes] = set()

    def count(self) -> Counter[str]:
        """Entities by type, as their names say: a directory that is called like a file is taken for one.

        That is right but for the strangest memory, and costs 0.3 us a file where `entities` takes 4.
        """
        counted: Counter[str] = Counter()
        waiting = self._start()
        while waiting:
            directory = waiting.pop()
            try:
                names = os.listdir(join(self._root, directory))
            except OSError:
                continue
            inside, _ = places_in(directory)
            named = [name for name in names if name.endswith(b".json")]
            if inside.area is Area.ENTITY:
                hidden = sum(1 for name in named if name[:1] == b"." and is_leftover(name))
                counted[inside.type] += len(named) - hidden - (INDEX_NAME in names)
            if len(named) < len(names):
                waiting += self._directories(directory, names)
        return counted

    def entities(self) -> Iterator[bytes]:
        """Stored paths of the entities, in no order."""
        rule = self._excludes.within(b"")
        waiting = self._start() if rule is None or not rule(_ENTITIES, stat.S_IFDIR, 0) else []
        while waiting:
            directory = waiting.pop()
            try:
                names = self._names(directory)
            except OSError:
                self._unsettled.add(directory)
                continue
            for name, is_directory in names:
                path = join(directory, name)
                if is_directory:
                    waiting.append(path)
                elif place_of(path).area is Area.ENTITY:
                    yield path

    def _start(self) -> list[bytes]:
        return [] if self._excludes.leaves_out(_ENTITIES, is_directory=True) else [_ENTITIES]

    def _directories(self, directory: bytes, names: list[bytes]) -> Iterator[bytes]:
        """Stored paths of those that are directories, of names that are not like a file's."""
        for name in names:
            if not name.endswith(b".json"):
                path = join(directory, name)
                try:
                    if stat.S_ISDIR(os.lstat(join(self._root, path)).st_mode):
                        yield path
                except OSError:
                    continue

    def settled(self, path: bytes) -> bool:
        """Whether the directory of a stored path is as it was when the scan began."""
        directory = path.rpartition(b"/")[0]
        while directory:
            try:
                changed_ns = os.stat(join(self._root, directory)).st_mtime_ns
            except OSError:
                return False
            if changed_ns >= self._since_ns or directory in self._unsettled:
                return False
            directory = directory.rpartition(b"/")[0]
        return True

    def _names(self, directory: bytes) -> list[tuple[bytes, bool]]:
        """Regular files and directories that the scan would take, and which of them are directories."""
        rule = self._excludes.within(directory)
        found = []
        with os.scandir(join(self._root, directory)) as entries:
            for entry in entries:
                is_directory = entry.is_dir(follow_symlinks=False)
                if not is_directory and not entry.is_file(follow_symlinks=False):
                    continue
                if rule is not None:
                    size = entry.stat(follow_symlinks=False).st_size
                    if rule(entry.name, stat.S_IFDIR if is_directory else stat.S_IFREG, size):
                        continue
                found.append((entry.name, is_directory))
        return found


def differences(objects: Objects, root: ObjectId, source: Source, unreadable: Collection[bytes]) -> Differences:
    """Which entities a snapshot's tree and its source do not share; `unreadable` are known to be missing.

    Raises ObjectMissing, BlockDamaged.
    """
    stored = {path for path, _, _ in files_by_path(objects, root) if place_of(path).area is Area.ENTITY}
    live = set(source.entities())
    missing = sorted(path for path in live - stored if path not in unreadable and source.settled(path))
    gone = sorted(path for path in stored - live if source.settled(path))
    return Differences(tuple(missing), tuple(gone))
