"""Following every snapshot down to its last chunk: trees and lists can be understood, and what they refer to is there.

Subtrees that several snapshots share are looked at once, and what they come to is kept: how deep they are, and how many
paths they stand for, since beyond the bounds of that nothing is restored. Only where something is wrong are snapshots
walked by path, and only down to that, to say which files of which snapshots are concerned.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise

from icc_store.errors import BlockDamaged, IccStoreError
from icc_store.fs.nesting import Nested, run_nested
from icc_store.ids import KEY_SIZE, Kind, ObjectId
from icc_store.limits import MAX_CONCERNED, MAX_PATHS, MAX_TREE_DEPTH, MAX_TREE_LEVELS
from icc_store.model.attributes import parse_attributes
from icc_store.model.content import HOLE, parse_list
from icc_store.model.entry import CHUNK, LIST, NAME, SIZE, SUBTREE, XATTRS_ID, Wire, entry_from_wire
from icc_store.model.neighbours import NeighbourReader
from icc_store.model.paths import display, join
from icc_store.model.record import SnapshotRecord
from icc_store.model.repository import Repository
from icc_store.model.tree import TreePart, parse_tree
from icc_store.monitor import Monitor
from icc_store.objects.index import is_base_row
from icc_store.operations.verify_findings import Draft, Severity, of_database, reason
from icc_store.operations.verify_lengths import IndexLookup, StatedLengths

_NAMED = 3
"""Files that the mark on a damaged snapshot names; `verify` names more of them."""

_FEW = 64
"""Entries of a tree that is hardly a part of a large directory: its names are looked up again where it is."""

_NOUNS = {Kind.CHUNK: "chunk", Kind.LIST: "content list", Kind.TREE: "tree", Kind.XATTRS: "set of attributes"}
_REFERENCES = ((CHUNK, Kind.CHUNK), (LIST, Kind.LIST), (XATTRS_ID, Kind.XATTRS))


@dataclass
class Concerned:
    """The files of one snapshot that cannot be read back."""

    total: int = 0
    first: list[bytes] = field(default_factory=list)
    """Stored paths of the first of them; a directory's stands for all in it."""

    def add(self, path: bytes) -> None:
        """Count one."""
        self.total += 1
        if len(self.first) < _NAMED:
            self.first.append(path)

    def __str__(self) -> str:
        if not self.first:
            return "not all of it can be read back"
        if not self.first[0]:
            return "its root directory cannot be read back"
        more = f" and {self.total - len(self.first):,} more" if self.total > len(self.first) else ""
        return f"{', '.join(display(path) for path in self.first)}{more} cannot be read back"


@dataclass(frozen=True, slots=True)
class _Shape:
    """What is known of a tree that was looked at."""

    wrong: bool
    """Whether anything in it or below is."""
    depth: int = 0
    """Directories above each other, itself among them."""
    levels: int = 0
    """Nodes above each other in this directory."""
    paths: int = 0

    def beside(self, part: _Shape) -> _Shape:
        """The shape of the node that holds both."""
        return _Shape(
            self.wrong or part.wrong,
            max(self.depth, part.depth),
            max(self.levels, part.levels + 1),
            min(self.paths + part.paths, MAX_PATHS + 1),
        )

    def above(self, below: _Shape) -> _Shape:
        """The shape of this directory with one in it."""
        return _Shape(
            self.wrong or below.wrong,
            max(self.depth, below.depth + 1),
            self.levels,
            min(self.paths + below.paths, MAX_PATHS + 1),
        )


_UNREADABLE = _Shape(wrong=True)


class Contents(enum.Enum):
    """How closely the contents of files are looked at."""

    THERE = enum.auto()
    """Whether the index has them."""
    LENGTHS = enum.auto()
    """Also whether chunks are as long as their list says, by the directories of blocks, which are proven elsewhere."""
    READ = enum.auto()
    """All of them are read."""


class TreeCheck:
    """Checks what snapshots refer to. `known` says for damaged objects (first 16 bytes of the id) what is wrong."""

    def __init__(
        self, repository: Repository, monitor: Monitor, known: dict[bytes, Draft], *, contents: Contents
    ) -> None:
        self.trees = 0
        self.references = 0
        self.read_bytes = 0
        self.drafts: list[Draft] = []
        self.concerned: dict[ObjectId, Concerned] = {}
        """By snapshot, what `name_files` has found."""
        self._repository = repository
        self._objects = repository.objects
        self._chunk = NeighbourReader(repository.objects).chunk
        self._index = IndexLookup(repository.objects)
        self._stated = StatedLengths(repository.objects, self._index)
        self._monitor = monitor
        self._wrong = known
        self._contents = contents
        self._trees: dict[ObjectId, _Shape] = {}
        self._spans: dict[ObjectId, tuple[bytes, bytes]] = {}
        """The first and the last name in each part of a large directory."""
        self._lists: dict[bytes, tuple[int, int]] = {}
        """Level and size of each content list."""
        self._groups: dict[tuple[Kind, str], Draft] = {}
        self._checked: set[bytes] = set()
        """Lists, and contents that were read."""
        self._concerned = 0

    def check(self, record: SnapshotRecord) -> bool:
        """Follow one snapshot. Says whether all it refers to is as it should be."""
        for key, kind in _REFERENCES:
            if record.root_entry is not None and key in record.root_entry:
                self._content(kind, record.root_entry[key])
        run_nested(self._tree(record.root))
        shape = self._trees[record.root]
        root_is_wrong = record.root_entry is not None and self._is_concerned(record.root_entry)
        return not (shape.wrong or root_is_wrong or shape.depth > MAX_TREE_DEPTH or shape.paths > MAX_PATHS)

    # ------------------------------------------------------------------ following references

    def _tree(self, identity: ObjectId) -> Nested[None]:
        """Look at a tree and all below it, unless that was done."""
        if identity in self._trees:
            return
        self._trees[identity] = _UNREADABLE  # until it is known better: a tree that contains itself is wrong
        data = self._get(Kind.TREE, identity)
        if data is None:
            return
        self.trees += 1
        try:
            parsed = parse_tree(data)
            if isinstance(parsed, TreePart):
                shape = _Shape(wrong=False, depth=1, paths=len(parsed.entries))
                self._index.expect({wire[CHUNK][:KEY_SIZE] for wire in parsed.entries if CHUNK in wire})
                stated = self._stated.of_expected() if self._contents is Contents.LENGTHS else {}
                for wire in parsed.entries:
                    if self._entry(wire, stated):
                        shape = replace(shape, wrong=True)
                    below = wire.get(SUBTREE)
                    if below is not None:
                        yield self._tree(below)
                        shape = shape.above(self._trees[below])
                if len(parsed.entries) > _FEW:
                    self._spans[identity] = (parsed.entries[0][NAME], parsed.entries[-1][NAME])
                self._monitor.advance(len(parsed.entries), 0, b"")
            else:
                shape = _Shape(wrong=False)
                for _, part in parsed:
                    yield self._tree(part)
                    shape = shape.beside(self._trees[part])
                if not shape.wrong:
                    self._check_node(identity, parsed, shape.levels)
        except (IccStoreError, ValueError) as error:
            self._note(Kind.TREE, identity, f"cannot be understood: {reason(error)}")
            return
        self._trees[identity] = shape

    def _check_node(self, identity: ObjectId, parts: list[tuple[bytes, ObjectId]], levels: int) -> None:
        """Whether a restore can follow a node of which all parts are as they should be. Raises BlockDamaged."""
        if levels > MAX_TREE_LEVELS:
            raise BlockDamaged("it has too many levels")
        spans = [self._span(part) for _, part in parts]
        if any(span[0] != first for span, (first, _) in zip(spans, parts, strict=True)):
            raise BlockDamaged("a part does not begin with the name that it stands under")
        if any(left[1] >= right[0] for left, right in pairwise(spans)):
            raise BlockDamaged("its parts are not in order")
        self._spans[identity] = (spans[0][0], spans[-1][1])

    def _span(self, part: ObjectId) -> tuple[bytes, bytes]:
        known = self._spans.get(part)
        if known is None:
            parsed = parse_tree(self._objects.get(part, Kind.TREE))
            if not isinstance(parsed, TreePart) or not parsed.entries:
                raise BlockDamaged("a part is empty")
            known = self._spans[part] = (parsed.entries[0][NAME], parsed.entries[-1][NAME])
        return known

    def _entry(self, wire: Wire, stated: dict[bytes, int]) -> bool:
        """Look at what an entry refers to beside a subtree. Says whether something is wrong with it.

        `stated` are lengths of chunks that are there, by the first bytes of their ids.
        """
        entry_from_wire(wire)
        if CHUNK in wire and XATTRS_ID not in wire:
            key = wire[CHUNK][:KEY_SIZE]
            if stated.get(key) == wire.get(SIZE, 0) and key not in self._wrong:
                self.references += 1
                return False
        wrong = False
        for key, kind in _REFERENCES:
            if key in wire:
                wrong |= self._content(kind, wire[key])
        return wrong or self._is_of_other_length(wire)

    def _is_of_other_length(self, wire: Wire) -> bool:
        """Whether the contents of a file are known to be longer or shorter than its entry says."""
        if CHUNK in wire:
            known = self._known(wire[CHUNK], -1)
        else:
            known = self._lists.get(wire[LIST][:KEY_SIZE]) if LIST in wire else None
        return known is not None and known[1] != wire.get(SIZE, 0)

    def _content(self, kind: Kind, identity: ObjectId, *, level: int | None = None) -> bool:
        """Look at a chunk, attribute object or list, which has this level if it stands in another one.

        Says whether something is wrong with it.
        """
        key = identity[:KEY_SIZE]
        self.references += 1
        if kind in (Kind.LIST, Kind.XATTRS) or self._contents is Contents.READ:
            if key not in self._checked:
                self._checked.add(key)
                data = self._get(kind, identity)
                if data is not None:
                    self._look_into(kind, identity, data, level)
            return key in self._wrong
        if key not in self._wrong and not self._is_indexed(key):
            self._note(kind, identity, "missing from the index")
        return key in self._wrong

    def _look_into(self, kind: Kind, identity: ObjectId, data: bytes, level: int | None) -> None:
        if kind == Kind.LIST:
            self._list(identity, data, level)
        elif kind == Kind.CHUNK:
            self._lists[identity[:KEY_SIZE]] = (-1, len(data))
        else:
            try:
                parse_attributes(data)
            except ValueError as error:
                self._note(kind, identity, f"cannot be understood: {error}")

    def _list(self, identity: ObjectId, data: bytes, level: int | None) -> None:
        """Look at what a content list holds; when any of it is wrong, so is the list."""
        key = identity[:KEY_SIZE]
        try:
            part = parse_list(data)
        except (IccStoreError, ValueError) as error:
            self._note(Kind.LIST, identity, f"cannot be understood: {reason(error)}")
            return
        self._lists[key] = (part.level, part.size)
        if level is not None and part.level != level:
            self._checked.discard(key)  # wrong there, and perhaps not elsewhere: levels fall, so this ends
            return
        kind = Kind.LIST if part.level else Kind.CHUNK
        for child, length in zip(part.ids, part.lengths, strict=True):
            if child == HOLE and not part.level:
                continue
            below = child[:KEY_SIZE]
            if self._content(kind, child, level=part.level - 1):
                self._wrong.setdefault(key, self._wrong[below])
            elif self._known(child, part.level - 1) not in (None, (part.level - 1, length)):
                self._note(Kind.LIST, identity, "not what the lists or chunks in it say")

    def _known(self, identity: ObjectId, level: int) -> tuple[int, int] | None:
        """Level and size of what stands in a list, of a chunk -1; None where that is not known."""
        if level < 0 and self._contents is Contents.LENGTHS:
            length = self._stated.of(identity)
            return None if length is None else (-1, length)
        return self._lists.get(identity[:KEY_SIZE])

    def _is_indexed(self, key: bytes) -> bool:
        try:
            row = self._index.row(key)
            return row is not None and not is_base_row(row)
        except Exception:  # noqa: BLE001 - over a damaged page LMDB raises errors of its own
            self._objects.renew()
            return False

    def _get(self, kind: Kind, identity: ObjectId) -> bytes | None:
        """The object, or None when it cannot be read, which is noted."""
        try:
            if not self._is_indexed(identity[:KEY_SIZE]):
                self._note(kind, identity, "missing from the index")
                return None
            data = self._chunk(identity) if kind == Kind.CHUNK else self._objects.get(identity, kind)
            self.read_bytes += len(data)
            return data
        except Exception as error:  # noqa: BLE001 - over a damaged page LMDB raises errors of its own
            self._objects.renew()
            self._note(kind, identity, f"cannot be read: {reason(error)}")
            self._wrong[identity[:KEY_SIZE]].in_database |= of_database(error)
            return None

    def _note(self, kind: Kind, identity: ObjectId, what: str) -> None:
        key = identity[:KEY_SIZE]
        if key not in self._wrong:
            draft = self._wrong[key] = self._group(kind, what)
            draft.keys.add(key)

    def _group(self, kind: Kind, what: str) -> Draft:
        """The finding about all objects of a kind with which the same is wrong."""
        draft = self._groups.get((kind, what))
        if draft is None:
            draft = self._groups[kind, what] = Draft(Severity.DAMAGE, what, noun=_NOUNS[kind])
            self.drafts.append(draft)
        return draft

    # ------------------------------------------------------------------ naming files

    def name_files(self, snapshot: ObjectId, record: SnapshotRecord) -> None:
        """Tell the findings which files of a snapshot they concern."""
        self.concerned[snapshot] = Concerned()
        if record.root_entry is not None and self._is_concerned(record.root_entry):
            self._concern(record.root_entry, snapshot, b"")
        if self._trees[record.root].paths > MAX_PATHS:
            self._concern_path(f"stands for more than {MAX_PATHS:,} paths", snapshot, b"", record.root)
        run_nested(self._name_below(snapshot, b"", record.root))

    def _name_below(self, snapshot: ObjectId, path: bytes, tree: ObjectId) -> Nested[None]:
        shape = self._trees.get(tree, _UNREADABLE)
        here = path.count(b"/") + 1 if path else 0
        too_deep = here + shape.depth > MAX_TREE_DEPTH
        if not (shape.wrong or too_deep) or self._concerned > MAX_CONCERNED:
            return
        draft = self._wrong.get(tree[:KEY_SIZE])
        if draft is not None:
            self._concerned += 1
            draft.concern(snapshot, path)
            self.concerned[snapshot].add(path)
            return
        if here >= MAX_TREE_DEPTH:
            self._concern_path(f"deeper than the {MAX_TREE_DEPTH:,} that are followed", snapshot, path, tree)
            return
        try:
            parsed = parse_tree(self._objects.get(tree, Kind.TREE))
        except IccStoreError:
            return  # it has changed since it was checked: gc removed the snapshot
        if not isinstance(parsed, TreePart):
            for _, part in parsed:
                yield self._name_below(snapshot, path, part)
            return
        for wire in parsed.entries:
            self._concern(wire, snapshot, join(path, wire[NAME]))
            below = wire.get(SUBTREE)
            if below is not None:
                yield self._name_below(snapshot, join(path, wire[NAME]), below)

    def _concern_path(self, what: str, snapshot: ObjectId, path: bytes, tree: ObjectId) -> None:
        """Tell of a tree that is wrong at this path, and may be right elsewhere."""
        draft = self._group(Kind.TREE, what)
        draft.keys.add(tree[:KEY_SIZE])
        self._concerned += 1
        draft.concern(snapshot, path)
        self.concerned[snapshot].add(path)

    def _is_concerned(self, wire: Wire) -> bool:
        return any(key in wire and wire[key][:KEY_SIZE] in self._wrong for key, _ in _REFERENCES)

    def _concern(self, wire: Wire, snapshot: ObjectId, path: bytes) -> None:
        drafts = {id(draft): draft for draft in self._drafts_of(wire)}
        if drafts:
            self.concerned[snapshot].add(path)
        for draft in drafts.values():
            self._concerned += 1
            draft.concern(snapshot, path)

    def _drafts_of(self, wire: Wire) -> Iterable[Draft]:
        for key, _ in _REFERENCES:
            draft = self._wrong.get(wire[key][:KEY_SIZE]) if key in wire else None
            if draft is not None:
                yield draft
        if self._is_of_other_length(wire):
            draft = self._group(Kind.CHUNK, "not as long as the entry of the file says")
            draft.keys.add(wire[CHUNK if CHUNK in wire else LIST][:KEY_SIZE])
            yield draft
