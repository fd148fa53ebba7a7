"""Paths that match a pattern, in all snapshots.

A pattern is matched name by name. One without a slash fits a name anywhere; one with a slash fits whole stored paths,
and `**` in it stands for any directories. So what is left of the pattern in a directory is a set of places in it, and
a directory's tree is searched once for each such set (operations/tree_search.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import translate

from icc_store.errors import UsageError
from icc_store.model.entry import NAME, Entry, Wire, entry_from_wire
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.tree_search import TreeSearch

Places = int
"""Where in the pattern's names a directory stands: one bit for each place."""


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
    glob = Pattern(pattern, ignore_case=options.ignore_case)

    def look(wire: Wire, places: Places) -> tuple[Places | None, Entry | None]:
        onwards, fits = glob.step(places, wire[NAME])
        return onwards or None, entry_from_wire(wire) if fits else None

    search = TreeSearch(repository.objects, look)
    snapshots = [one for one in repository.snapshots() if options.source in (None, one.record.source)]
    versions: dict[tuple[object, ...], tuple[bytes, Entry, list[Snapshot]]] = {}
    for snapshot in snapshots:
        for path, entry in search.tree(snapshot.record.root, glob.start):
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


def _version(path: bytes, entry: Entry) -> tuple[object, ...]:
    """Equal for two entries that show the same version of a path. A directory's times and contents do not count."""
    if entry.is_directory:
        return path, entry.mode
    return path, entry.mode, entry.size, entry.mtime_ns, entry.chunk, entry.content_list, entry.target
