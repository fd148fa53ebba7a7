"""Entities, living or gone, that contain a text, and the snapshots in which they do.

Each tree of the history is searched once (operations/tree_search.py), and each content is read once, when the first
tree that names it is: in the order in which it was stored, more or less, so that neighbours are decoded together. The
newest snapshot comes first, because the names in it tell what is gone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum

from icc_store.entities.profiles import Profile, RecordFormat
from icc_store.errors import DamageError
from icc_store.limits import MAX_RECORD_FILE
from icc_store.model.entry import CHUNK, LIST, NAME, SUBTREE, Wire, entry_from_wire
from icc_store.model.paths import display, join
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.model.tree import Objects
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.memory.manifest import profile_of
from icc_store.operations.memory.search_text import Passage, Text
from icc_store.operations.memory.stored_records import (
    TOO_LARGE,
    as_lines,
    as_records,
    stored_bytes,
)
from icc_store.operations.memory.timeline import timeline
from icc_store.operations.tree_search import TreeSearch


@dataclass(frozen=True)
class SearchOptions:
    """Where to look and for what."""

    source: str | None = None
    deleted: bool = False
    """Only entities that the newest snapshot does not have."""
    regex: bool = False


class HitState(StrEnum):
    """What became of an entity."""

    PRESENT = "present"
    """The newest snapshot has it, with the text in it."""
    CHANGED = "changed"
    """The newest snapshot has it, without the text."""
    DELETED = "deleted"


@dataclass(frozen=True)
class Hit:
    """An entity that contains the text, or did."""

    id: str
    type: str
    path: bytes
    """Where it was in the last snapshot in which it contains the text."""
    state: HitState
    first: Snapshot
    """The first snapshot in which it contains the text."""
    last: Snapshot
    snapshots: int
    """In how many it does."""
    passages: tuple[Passage, ...]
    """Where it contains the text, in the last of them."""


@dataclass(frozen=True)
class SearchResult:
    """What was found, by id."""

    hits: tuple[Hit, ...]
    searched: int
    """How many snapshots were looked into."""
    unread: tuple[tuple[bytes, str], ...] = ()
    """Files that were not looked into, with the reason."""
    damaged: tuple[tuple[bytes, str], ...] = ()
    """Files and directories that the repository cannot give back."""


def search(
    repository: Repository, text: str, *, options: SearchOptions = SearchOptions(), monitor: Monitor = SILENT
) -> SearchResult:
    """Every entity of a source that contains the text. Raises UsageError for a text that is none."""
    wanted = Text(text, regex=options.regex)
    snapshots = timeline(repository, source=options.source, monitor=monitor)
    contents = _Contents(repository.objects, profile_of(repository, snapshots[-1]), wanted, monitor)
    trees = TreeSearch(repository.objects, contents.look)
    monitor.phase("search")
    trees.tree(snapshots[-1].record.root, b"")
    living = frozenset(contents.names or ())
    contents.names = None
    traces: dict[tuple[RecordFormat, str], _Trace] = {}
    for snapshot in snapshots:
        for path, found in trees.tree(snapshot.record.root, b""):
            for one in found:
                key = one.form, one.id
                if key in traces:
                    traces[key].see(snapshot, path, one)
                else:
                    traces[key] = _Trace(snapshot, snapshot, path, one)
    hits = [trace.hit(snapshots[-1], living) for trace in traces.values()]
    hits = [hit for hit in hits if not options.deleted or hit.state is HitState.DELETED]
    hits.sort(key=lambda hit: (hit.id, hit.type))
    return SearchResult(tuple(hits), len(snapshots), tuple(contents.unread), (*contents.damaged, *trees.damaged))


@dataclass(frozen=True, slots=True)
class _Found:
    """A record that contains the text."""

    form: RecordFormat
    id: str
    type: str
    passages: tuple[Passage, ...]


@dataclass(slots=True)
class _Trace:
    """The snapshots in which one entity contains the text."""

    first: Snapshot
    last: Snapshot
    path: bytes
    found: _Found
    count: int = 1

    def see(self, snapshot: Snapshot, path: bytes, found: _Found) -> None:
        """It does in this snapshot."""
        self.count += self.last is not snapshot
        self.last, self.path, self.found = snapshot, path, found

    def hit(self, newest: Snapshot, living: Collection[_Name]) -> Hit:
        """What is told of it."""
        found, last = self.found, self.last
        state = HitState.DELETED
        if last.id == newest.id:
            state = HitState.PRESENT
        elif (found.form, found.id) in living or (found.form, _stem(self.path)) in living:
            state = HitState.CHANGED
        return Hit(found.id, found.type, self.path, state, self.first, last, self.count, found.passages)


_Name = tuple[RecordFormat, str]


class _Contents:
    """Looks into files, each content once."""

    def __init__(self, objects: Objects, profile: Profile, text: Text, monitor: Monitor) -> None:
        self._objects = objects
        self._profile = profile
        self._text = text
        self._monitor = monitor
        self._known: dict[bytes, tuple[_Found, ...]] = {}
        self.names: set[_Name] | None = set()
        """What is there, as far as it was looked at; None once that is no longer wanted."""
        self.unread: list[tuple[bytes, str]] = []
        self.damaged: list[tuple[bytes, str]] = []

    def look(self, wire: Wire, parent: bytes) -> tuple[bytes | None, tuple[_Found, ...] | None]:
        """What an entry of a directory holds of the text, and the path to go on with below it."""
        if SUBTREE in wire:
            return join(parent, wire[NAME]), None
        key = wire.get(CHUNK) or wire.get(LIST)
        known = None if key is None else self._known.get(key)
        if key is None or (known == () and self.names is None):
            return None, None  # before anything else, since nearly all of a long history is known to be without it
        path = join(parent, wire[NAME])
        form = self._profile.record_format(path)
        if form is None:
            return None, None
        if self.names is not None and form is not RecordFormat.JSON_LINES:
            self.names.add((form, display(path).removesuffix(".md") if form is RecordFormat.MARKDOWN else _stem(path)))
        found = self._read(path, wire, form) if known is None else known
        self._known[key] = found
        if found and form is RecordFormat.MARKDOWN:
            found = (replace(found[0], id=display(path).removesuffix(".md")),)  # the path is all the id it has
        return None, found or None

    def _read(self, path: bytes, wire: Wire, form: RecordFormat) -> tuple[_Found, ...]:
        entry = entry_from_wire(wire)
        if entry.size > MAX_RECORD_FILE:
            self.unread.append((path, TOO_LARGE))
            return ()
        try:
            data = stored_bytes(self._objects, entry)
        except DamageError as error:
            self.damaged.append((path, error.message))
            return ()
        self._monitor.advance(1, len(data), path)
        lines = form is RecordFormat.JSON_LINES
        if not (self._text.may_be_in(data) or (lines and self.names is not None)):
            return ()
        records = as_records(path, data, form).records
        if lines and self.names is not None:
            self.names.update((form, record.id) for record in records)
        if not records:  # a broken entity may hold it all the same
            records = tuple(replace(record, id=_stem(path)) for record in as_lines(path, data).records)
        found = ((record, self._text.passages(record)) for record in records)
        return tuple(_Found(form, record.id, record.type, passages) for record, passages in found if passages)


def _stem(path: bytes) -> str:
    return display(path.rpartition(b"/")[2]).removesuffix(".json")
