"""Paths that match a pattern, in all snapshots.

A pattern is matched name by name. One without a slash fits a name anywhere; one with a slash fits whole stored paths,
and `**` in it stands for any directories. So what is left of the pattern in a directory is a set of places in it, and
what matches below depends on nothing but that set and the directory's tree: both together are searched once, however
many snapshots and paths lead there. Unchanged directories of a long history cost nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import translate

from icc_store.errors import DamageError, UsageError
from icc_store.ids import Kind, ObjectId
from icc_store.limits import MAX_TREE_DEPTH
from icc_store.model.entry import NAME, SUBTREE, Entry, entry_from_wire
from icc_store.model.paths import join
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.model.tree import Objects, TreePart, parse_tree
from icc_store.monitor import SILENT, Monitor

Places = int
"""Where in the pattern's names a directory stands: one bit for each place."""

Match = tuple[bytes, Entry]
"""Path from the directory that was searched, and what is there."""


@dataclass(frozen=True)
class FindOptions:
    """Where to look and how exactly."""

    source: str | None = None
    ignore_case: bool = False


@dataclass(frozen=True)
class Version:
    """One path as it stood, unchanged, in some snapshots: in the order they were committed."""

    path: bytes
    entry: Entry
    snapshots: tuple[Snapshot, ...]


@dataclass(frozen=True)
class Findings:
    """What was found, by path and then by age; and the directories that could not be read, with the reason."""

    versions: tuple[Version, ...]
    searched: int
    """How many snapshots were looked into."""
    damaged: tuple[tuple[bytes, str], ...] = ()


def find(
    repository: Repository, pattern: str, options: FindOptions = FindOptions(), *, monitor: Monitor = SILENT
) -> Findings:
    """Every version of every path that matches the pattern. Raises UsageError for a pattern that is none."""
    search = _Search(repository.objects, Pattern(pattern, ignore_case=options.ignore_case))
    snapshots = [one for one in repository.snapshots() if options.source in (None, one.record.source)]
    versions: dict[tuple[object, ...], tuple[bytes, Entry, list[Snapshot]]] = {}
    for snapshot in snapshots:
        for path, entry in search.tree(snapshot.record.root):
            versions.setdefault(_version(path, entry), (path, entry, []))[2].append(snapshot)
        monitor.advance(1, 0, b"")
    found = [Version(path, entry, tuple(where)) for path, entry, where in versions.values()]
    found.sort(key=lambda one: (one.path.split(b"/"), one.snapshots[0].record.seq))
    return Findings(tuple(found), len(snapshots), tuple(search.damaged))


class Pattern:
    """A glob, name by name. Raises UsageError for one that can match nothing."""

    def __init__(self, pattern: str, *, ignore_case: bool = False) -> None:
        names = [name for name in pattern.split("/") if name not in ("", ".")]
        if not names or ".." in names:
            raise UsageError(f"{pattern!r} is no pattern for paths", hint="for example '*.md' or 'notes/**/*.json'")
        if "/" not in pattern.rstrip("/"):
            names.insert(0, "**")
        flags = re.IGNORECASE if ignore_case else 0
        self._names: list[Callable[[str], object] | None] = [
            None if name == "**" else re.compile(translate(name), flags).match for name in names
        ]
        self._end = 1 << len(names)
        self.start = self._closed(1)

    def step(self, places: Places, name: bytes) -> tuple[Places, bool]:
        """Where a name leads from these places, and whether the whole path matches with it."""
        text = name.decode("utf-8", "surrogateescape")
        last = len(self._names) - 1
        reached = 0
        for place, matches in enumerate(self._names):
            if not places >> place & 1:
                continue
            if matches is None:
                reached |= 1 << place | (self._end if place == last else 0)
            elif matches(text):
                reached |= 1 << (place + 1)
        return self._closed(reached & ~self._end), bool(reached & self._end)

    def _closed(self, places: Places) -> Places:
        """`**` may stand for no directory: then the place behind it is reached as well."""
        for place, matches in enumerate(self._names[:-1]):
            if matches is None and places >> place & 1:
                places |= 1 << (place + 1)
        return places


_Key = tuple[ObjectId, Places]


class _Level:
    """A tree that is being searched: what matches so far, and what is below it and not searched yet."""

    def __init__(self, key: _Key) -> None:
        self.key = key
        self.matches: list[Match] = []
        self.below: list[tuple[bytes, _Key]] = []
        """Name (empty for a part of the same directory) and key of what is to be searched."""


class _Search:
    """Searches trees for one pattern and remembers the result for each. Not recursive: paths may be very long."""

    def __init__(self, objects: Objects, pattern: Pattern) -> None:
        self._objects = objects
        self._pattern = pattern
        self._known: dict[_Key, tuple[Match, ...]] = {}
        self.damaged: list[tuple[bytes, str]] = []

    def tree(self, root: ObjectId) -> tuple[Match, ...]:
        """What matches below this root."""
        top = (root, self._pattern.start)
        levels = [self._open(top, [])]
        while levels:
            level = levels[-1]
            if not level.below:
                self._known[level.key] = tuple(level.matches)
                levels.pop()
                continue
            name, key = level.below[-1]
            known = self._known.get(key)
            if known is None:
                levels.append(self._open(key, levels))
                continue
            level.below.pop()
            level.matches += [(name + b"/" + path, entry) for path, entry in known] if name else known
        return self._known[top]

    def _open(self, key: _Key, above: list[_Level]) -> _Level:
        tree, places = key
        level = _Level(key)
        try:
            if len(above) > 2 * MAX_TREE_DEPTH:
                raise DamageError("it is deeper than any directory can be")
            parsed = parse_tree(self._objects.get(tree, Kind.TREE))
            if isinstance(parsed, TreePart):
                self._look(parsed, places, level)
            else:
                level.below = [(b"", (part, places)) for _, part in parsed]
        except DamageError as error:
            path = b""
            for one in above:
                path = join(path, one.below[-1][0]) if one.below[-1][0] else path
            self.damaged.append((path, error.message))
        return level

    def _look(self, part: TreePart, places: Places, level: _Level) -> None:
        step = self._pattern.step
        for wire in part.entries:
            name = wire[NAME]
            onwards, matches = step(places, name)
            if matches:
                level.matches.append((name, entry_from_wire(wire)))
            if onwards and SUBTREE in wire:
                level.below.append((name, (wire[SUBTREE], onwards)))


def _version(path: bytes, entry: Entry) -> tuple[object, ...]:
    """Equal for two entries that show the same version of a path. A directory's times and contents do not count."""
    if entry.is_directory:
        return path, entry.mode
    return path, entry.mode, entry.size, entry.mtime_ns, entry.chunk, entry.content_list, entry.target
