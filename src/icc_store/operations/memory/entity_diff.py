"""What changed in a memory: entities that came, went, changed or moved, and which of their fields.

Only files whose contents differ are read: the trees are merged (model/merge.py), and of each pair of files the records
are matched by id. What one side alone has is kept, without its contents, until the end: an id that left one path and
came to another has moved. Notes have no id but their path, so they count as moved when their bytes are the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from icc_store.entities.changes import FieldChange, compare
from icc_store.entities.layout import place_of
from icc_store.entities.profiles import Profile, RecordFormat
from icc_store.entities.record import Record
from icc_store.errors import PathNotInSnapshot
from icc_store.model.entry import Entry
from icc_store.model.merge import merge
from icc_store.model.paths import display
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.model.tree import Objects
from icc_store.model.walk import root_of
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.changes import EVERYTHING, DiffOptions
from icc_store.operations.diff import is_held
from icc_store.operations.memory.manifest import profile_of
from icc_store.operations.memory.stored_records import Reading, by_id, content_key, read_stored
from icc_store.operations.placement import Scope


class EntityChangeKind(StrEnum):
    """How an entity changed."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"
    """The same id at another path, changed or not."""


@dataclass(frozen=True, slots=True)
class EntityChange:
    """One entity that differs. `type` is empty where none is known."""

    id: str
    type: str
    kind: EntityChangeKind
    path: bytes
    """Where it is; where it was when it is gone."""
    moved_from: bytes | None = None
    fields: tuple[FieldChange, ...] = ()
    """What changed in an entity that is on both sides; nothing when it was only written in another form."""
    problem: str = ""
    """Why its fields cannot be told."""
    damaged: bool = False
    """Whether that is the repository's fault."""


@dataclass(frozen=True)
class EntityDiff:
    """All that changed, in the order of paths."""

    changes: tuple[EntityChange, ...]

    def counts(self) -> dict[str, Counter[EntityChangeKind]]:
        """How many of each change, by type."""
        found: dict[str, Counter[EntityChangeKind]] = {}
        for change in sorted(self.changes, key=lambda one: one.type):
            found.setdefault(change.type, Counter())[change.kind] += 1
        return found


@dataclass(frozen=True, slots=True)
class Contents:
    """A file on one side. `key` is equal for equal bytes, None where that is not known."""

    key: bytes | None
    read: Callable[[], Reading]


@dataclass(frozen=True, slots=True)
class FilePair:
    """A file whose contents differ, or that only one side has."""

    path: bytes
    form: RecordFormat
    before: Contents | None
    after: Contents | None


def entity_diff(
    repository: Repository,
    snapshots: tuple[Snapshot, Snapshot],
    *,
    options: DiffOptions = EVERYTHING,
    monitor: Monitor = SILENT,
) -> EntityDiff:
    """What changed in the memory from the first snapshot to the second. Of the options, only `paths` counts.

    Raises PathNotInSnapshot for a path that neither has, DamageError when a directory cannot be read.
    """
    left, right = (snapshot.record for snapshot in snapshots)
    for path in options.paths:
        if not (is_held(repository.objects, left, path) or is_held(repository.objects, right, path)):
            raise PathNotInSnapshot(f"neither snapshot holds {display(path)}", hint="see `icc-store ls`")
    monitor.phase("compare")
    profile = profile_of(repository, snapshots[1])
    return pair_up(_file_pairs(repository.objects, snapshots, profile, Scope(options.paths, (b"",))), monitor=monitor)


def _file_pairs(
    objects: Objects, snapshots: tuple[Snapshot, Snapshot], profile: Profile, scope: Scope
) -> Iterator[FilePair]:
    left, right = (root_of(snapshot.record) for snapshot in snapshots)
    for pair in merge(objects, left, right, descend=lambda pair: scope.leads(pair.path)):
        before = pair.left.entry if pair.left is not None and pair.left.entry.is_file else None
        after = pair.right.entry if pair.right is not None and pair.right.entry.is_file else None
        if (before is None and after is None) or not scope.takes(pair.path):
            continue
        if before is not None and after is not None and content_key(before) == content_key(after):
            continue
        form = profile.record_format(pair.path)
        if form is not None:
            yield FilePair(
                pair.path,
                form,
                stored_contents(objects, pair.path, before, form),
                stored_contents(objects, pair.path, after, form),
            )


def stored_contents(objects: Objects, path: bytes, entry: Entry | None, form: RecordFormat) -> Contents | None:
    """A file as a snapshot has it."""
    if entry is None:
        return None
    return Contents(content_key(entry), lambda: read_stored(objects, path, entry, form))


def pair_up(pairs: Iterable[FilePair], *, monitor: Monitor = SILENT) -> EntityDiff:
    """The changes that these pairs of files are."""
    matching = _Matching()
    for pair in pairs:
        matching.add(pair)
        monitor.advance(1, 0, pair.path)
    return EntityDiff(tuple(sorted(matching.changes(), key=lambda one: (one.path.split(b"/"), one.id))))


@dataclass(frozen=True, slots=True)
class _Lone:
    """A record that the other side of its file does not have."""

    id: str
    type: str
    pair: FilePair
    contents: Contents


class _Matching:
    """Matches the records of two sides, file by file, and at the end across files."""

    def __init__(self) -> None:
        self._changes: list[EntityChange] = []
        self._gone: list[_Lone] = []
        self._new: list[_Lone] = []

    def add(self, pair: FilePair) -> None:
        """Match the records of one file."""
        before, after = (side.read() if side else Reading() for side in (pair.before, pair.after))
        problem = after if after.problem else before
        if problem.problem:
            self._changes.append(_unreadable(pair, problem, before.records or after.records))
            return
        old, new = by_id(before.records), by_id(after.records)
        for identity, record in new.items():
            if identity not in old:
                if pair.after is not None:
                    self._new.append(_Lone(identity, record.type, pair, pair.after))
                continue
            fields = tuple(compare(old[identity], record))
            if fields or pair.form is not RecordFormat.JSON_LINES:
                change = EntityChange(identity, record.type, EntityChangeKind.CHANGED, pair.path, fields=fields)
                self._changes.append(change)
        if pair.before is not None:
            gone = [(identity, record) for identity, record in old.items() if identity not in new]
            self._gone += [_Lone(identity, record.type, pair, pair.before) for identity, record in gone]

    def changes(self) -> list[EntityChange]:
        """Everything that was found."""
        where: dict[object, list[_Lone]] = {}
        for lone in reversed(self._gone):
            where.setdefault(_same(lone), []).append(lone)
        found, moved = list(self._changes), set()
        for lone in self._new:
            origin = where.get(_same(lone))
            if origin:
                found.append(_moved(origin[-1], lone))
                moved.add(id(origin.pop()))
            else:
                found.append(EntityChange(lone.id, lone.type, EntityChangeKind.ADDED, lone.pair.path))
        return found + [
            EntityChange(lone.id, lone.type, EntityChangeKind.REMOVED, lone.pair.path)
            for lone in self._gone
            if id(lone) not in moved
        ]


def _same(lone: _Lone) -> object:
    """Equal for the two ends of a move."""
    if lone.pair.form is RecordFormat.MARKDOWN:
        return lone.pair.form, lone.contents.key or lone.pair.path
    return lone.pair.form, lone.id


def _moved(before: _Lone, after: _Lone) -> EntityChange:
    """The change of an entity that has another path now."""
    fields: tuple[FieldChange, ...] = ()
    problem = Reading()
    if before.contents.key is None or before.contents.key != after.contents.key:
        old, new = before.contents.read(), after.contents.read()
        problem = new if new.problem else old
        if not problem.problem:
            fields = tuple(compare(by_id(old.records).get(before.id), by_id(new.records).get(after.id)))
    return EntityChange(
        after.id,
        after.type,
        EntityChangeKind.MOVED,
        after.pair.path,
        before.pair.path,
        fields,
        problem.problem,
        problem.damaged,
    )


def _unreadable(pair: FilePair, reading: Reading, records: tuple[Record, ...]) -> EntityChange:
    """A file that is not what it should be, on one side at least."""
    kind = EntityChangeKind.CHANGED
    if pair.before is None or pair.after is None:
        kind = EntityChangeKind.ADDED if pair.before is None else EntityChangeKind.REMOVED
    one = records[0] if len(records) == 1 else None
    name = display(pair.path.rpartition(b"/")[2])
    return EntityChange(
        one.id if one else name.removesuffix(".json") if pair.form is RecordFormat.ENTITY else display(pair.path),
        one.type if one else place_of(pair.path).type,
        kind,
        pair.path,
        problem=reading.problem,
        damaged=reading.damaged,
    )
