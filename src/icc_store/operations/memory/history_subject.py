"""What a history is about: the entity or file that was named by its path, by the stem of its file, or by its id."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from icc_store.entities.json_text import compact_json
from icc_store.entities.profiles import Profile, RecordFormat
from icc_store.errors import AmbiguousPath, DamageError, PathNotInSnapshot
from icc_store.limits import MAX_RECORD_FILE
from icc_store.model.entry import CHUNK, LIST, NAME, SUBTREE, Entry, Wire, entry_from_wire
from icc_store.model.paths import display, join
from icc_store.model.record import Snapshot
from icc_store.model.tree import Objects
from icc_store.model.walk import lookup
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.memory.stored_records import (
    as_records,
    content_key,
    read_stored,
    stored_bytes,
)
from icc_store.operations.resolve import stored_path
from icc_store.operations.tree_search import TreeSearch

_ENDINGS = (".json", ".md", ".jsonl")
_LISTED = 5
_COMPARED = 5000
"""Names that are compared with one that is not found: half a second of difflib."""


@dataclass(frozen=True)
class Subject:
    """An entity or a file, as it stands in one snapshot of a timeline."""

    path: bytes
    entry: Entry
    form: RecordFormat | None
    """How its file holds records; None for a file that is not known to hold any."""
    id: str
    """The id of the record that is meant; empty for a file that holds none."""
    at: int
    """The place of that snapshot in the timeline."""


def find_subject(
    objects: Objects, snapshots: Sequence[Snapshot], what: str, profile: Profile, *, monitor: Monitor = SILENT
) -> Subject:
    """The subject of that name in the newest snapshot that has it: by path, else by file stem, else by id.

    Raises PathNotInSnapshot naming what is near, AmbiguousPath naming the candidates, UsageError for a path with `..`.
    """
    monitor.phase("search")
    found = _by_path(objects, snapshots, what) or _by_stem(objects, snapshots, what, profile)
    if found is None:
        found = _IdSearch(objects, profile, what).newest(snapshots)
    path, entry, at = found
    return Subject(path, entry, profile.record_format(path), _record_id(objects, path, entry, profile, what), at)


_Place = tuple[bytes, Entry, int]
"""Path, what is there, and the place of the snapshot in the timeline."""


def _newest_first(snapshots: Sequence[Snapshot]) -> list[tuple[int, Snapshot]]:
    """The snapshots with their places, without those that hold what the one before holds."""
    kept = [
        (at, snapshot)
        for at, snapshot in enumerate(snapshots)
        if at + 1 == len(snapshots) or snapshots[at + 1].record.root != snapshot.record.root
    ]
    return kept[::-1]


def _by_path(objects: Objects, snapshots: Sequence[Snapshot], what: str) -> _Place | None:
    for at, snapshot in _newest_first(snapshots):
        for ending in ("", *_ENDINGS):  # a note's id is its path without one
            try:
                found = lookup(objects, snapshot.record, stored_path(snapshot.record, what + ending))
            except PathNotInSnapshot:
                continue
            if found.entry.is_file:
                return found.path, found.entry, at
    return None


def _by_stem(objects: Objects, snapshots: Sequence[Snapshot], what: str, profile: Profile) -> _Place | None:
    wanted = {f"{what}{ending}".encode("utf-8", "surrogateescape") for ending in _ENDINGS}

    def look(wire: Wire, _: int) -> tuple[int, Wire | None]:
        return 0, wire if wire[NAME] in wanted and SUBTREE not in wire else None

    search = TreeSearch(objects, look)
    for at, snapshot in _newest_first(snapshots):
        found = [(path, entry_from_wire(wire)) for path, wire in search.tree(snapshot.record.root, 0)]
        files = [(path, entry) for path, entry in found if entry.is_file]
        if len(files) > 1:  # where names deceive, the ids in the files decide
            files = [one for one in files if _record_id(objects, *one, profile, what) == what] or files
        if files:
            return *_only(files, what), at
    return None


def _only(files: Sequence[tuple[bytes, Entry]], what: str) -> tuple[bytes, Entry]:
    """The one file there is. Raises AmbiguousPath."""
    if len(files) > 1:
        more = f" and {len(files) - _LISTED} more" if len(files) > _LISTED else ""
        shown = ", ".join(display(path) for path, _ in files[:_LISTED])
        raise AmbiguousPath(f"{len(files)} files are {what!r}: {shown}{more}", hint="name one by its path")
    return files[0]


def _record_id(objects: Objects, path: bytes, entry: Entry, profile: Profile, what: str) -> str:
    """The id of the record in this file that is meant: the only one, or the one of that name; else none."""
    form = profile.record_format(path)
    if form is None:
        return ""
    if form is RecordFormat.JSON_LINES:
        return "" if _names(path, what) else what
    records = read_stored(objects, path, entry, form).records
    return records[0].id if records else display(path.rpartition(b"/")[2]).removesuffix(".json")


def _names(path: bytes, what: str) -> bool:
    """Whether that is a name for the whole file."""
    return any(path.endswith(f"{what}{ending}".encode("utf-8", "surrogateescape")) for ending in ("", *_ENDINGS))


class _IdSearch:
    """Looks into every file that holds records, each content once, for a record of this id."""

    def __init__(self, objects: Objects, profile: Profile, what: str) -> None:
        self._objects = objects
        self._profile = profile
        self._what = what
        self._written = {what.encode("utf-8", "surrogateescape"), compact_json(what)[1:-1].encode()}
        self._known: dict[bytes, bool] = {}
        self._names: dict[str, None] = {}

    def newest(self, snapshots: Sequence[Snapshot]) -> _Place:
        """Where it is in the newest snapshot that has it. Raises PathNotInSnapshot, AmbiguousPath."""
        search = TreeSearch(self._objects, self._look)
        for at, snapshot in _newest_first(snapshots):
            found = search.tree(snapshot.record.root, b"")
            if found:
                return *_only(found, self._what), at
        count = f"{len(snapshots)} snapshot{'s' * (len(snapshots) != 1)}"
        near = self._near()
        raise PathNotInSnapshot(
            f"no entity or file is called {self._what!r} in {count} of source {snapshots[-1].record.source!r}",
            hint=f"near: {', '.join(near)}"
            if near
            else "`icc-store find` lists paths, `icc-store search` looks into them",
        )

    def _look(self, wire: Wire, parent: bytes) -> tuple[bytes, Entry | None]:
        path = join(parent, wire[NAME])
        if CHUNK not in wire and LIST not in wire:
            return path, None
        form = self._profile.record_format(path)
        if form is None:
            return path, None
        self._names[display(wire[NAME]).rpartition(".")[0]] = None
        entry = entry_from_wire(wire)
        key = content_key(entry)
        if key not in self._known:
            self._known[key] = entry.size <= MAX_RECORD_FILE and self._holds(path, entry, form)
        return path, entry if self._known[key] else None

    def _holds(self, path: bytes, entry: Entry, form: RecordFormat) -> bool:
        try:
            data = stored_bytes(self._objects, entry)
        except DamageError:
            return False
        # The id of a relation is made of three fields, so it stands nowhere as it is.
        if (
            form is not RecordFormat.JSON_LINES
            and not any(text in data for text in self._written)
            and b"\\" not in data
        ):
            return False
        return any(record.id == self._what for record in as_records(path, data, form).records)

    def _near(self) -> list[str]:
        words = set(re.split(r"[-_./]", self._what.lower()))
        alike = [name for name in self._names if words & set(re.split(r"[-_./]", name.lower()))]
        return get_close_matches(self._what, (alike or list(self._names))[:_COMPARED], n=3)
