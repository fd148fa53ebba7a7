"""The file memory of an agent, built whole and then changed day by day.

Layout: `entities/<Type>/...` with one JSON file per entity, an index per type, three indexes across
types, relationship files and configuration. A day brings a few new entities, counters bumped by use,
and now and then a merge, a move to the archive, a deletion, or a decay that touches every score.
Whatever stores an entity rewrites the indexes.
"""

import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.corpora import indexes
from benchmarks.corpora.entities import COUNTERS, TYPES, EntityMaker, Fields, Record, iso
from benchmarks.corpora.files import TimedWriter
from benchmarks.corpora.indexes import Catalogue
from benchmarks.corpora.pretty import pretty
from benchmarks.corpora.vocabulary import Writer, symbol_names

DAY_ZERO = datetime(2025, 6, 1, tzinfo=UTC)
DECAY_EVERY = 14
_SYMBOLS = 12_000


@dataclass
class DayChanges:
    """Paths that one day changed, relative to the memory; `decayed` counts scores lowered."""

    added: list[str] = field(default_factory=list)
    bumped: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    decayed: int = 0

    def summary(self) -> str:
        """Say in one line what happened."""
        counts = [(name, len(getattr(self, name))) for name in ("added", "bumped", "moved", "removed")]
        return ", ".join(f"{count} {name}" for name, count in (*counts, ("decayed", self.decayed)) if count)


def build(target: Path, entities: int, seed: int) -> None:
    """Create in the missing directory `target` a memory of `entities` entities as it stands on day 0."""
    target.mkdir(mode=0o755, parents=True)
    memory = _Memory(target, {}, random.Random(f"build {seed}"), seed, DAY_ZERO)
    span = timedelta(days=min(1_000, max(60, entities // 8)))
    for number in range(entities):
        memory.now = DAY_ZERO - span + span * number / entities
        memory.store_new()
    memory.now = DAY_ZERO
    memory.write_configuration()
    memory.write_relationships()
    memory.write_indexes(TYPES)
    memory.files.finish()


def advance_day(target: Path, day: int, seed: int) -> DayChanges:
    """Change the memory at `target` as one day does; days count from 1."""
    rng = random.Random(f"day {day} {seed}")
    memory = _Memory(target, indexes.load_catalogue(target), rng, seed, DAY_ZERO + timedelta(days=day))
    changes = DayChanges()
    known = list(memory.catalogue)
    changes.added = [memory.store_new() for _ in range(rng.randint(0, 8))]
    if rng.random() < 0.2:
        changes.removed.append(memory.merge(*rng.sample(known, 2)))
    if rng.random() < 0.15:
        changes.moved = [memory.archive(identity) for identity in rng.sample(known, rng.randint(1, 5))]
    if rng.random() < 0.15:
        changes.removed.append(memory.delete(rng.choice(list(memory.catalogue))))
    if day % DECAY_EVERY == 0:
        changes.decayed = memory.decay()
    alive = list(memory.catalogue)
    changes.bumped = [memory.bump(identity) for identity in rng.sample(alive, min(len(alive), rng.randint(5, 20)))]
    if memory.dirty_types:
        memory.write_relationships()
        memory.write_indexes(sorted(memory.dirty_types))
    memory.files.finish()
    return changes


def use(target: Path, step: int, seed: int, entities: int = 20) -> list[str]:
    """Count one use of each of some entities, and change nothing else; return their paths."""
    rng = random.Random(f"use {step} {seed}")
    now = DAY_ZERO + timedelta(hours=step)
    memory = _Memory(target, indexes.load_catalogue(target), rng, seed, now)
    used = [memory.bump(identity) for identity in rng.sample(list(memory.catalogue), entities)]
    memory.files.finish()
    return used


class _Memory:
    """A memory on disk with its catalogue, and the operations that an agent does to it."""

    def __init__(self, root: Path, catalogue: Catalogue, rng: random.Random, seed: int, now: datetime) -> None:
        self.root = root
        self.catalogue = catalogue
        self.files = TimedWriter(root)
        self.now = now
        self.dirty_types: set[str] = set()
        self._new: set[str] = set()
        self._rng = rng
        writer = Writer(rng, symbol_names(random.Random(f"symbols {seed}"), _SYMBOLS))
        self._maker = EntityMaker(rng, writer, catalogue.__contains__)
        self._learnings = [record.id for record in catalogue.values() if record.type == "Learning"]

    def store_new(self) -> str:
        """Store one new entity and return its path."""
        record, fields = self._maker.make(self.now, self._learnings)
        self.catalogue[record.id] = record
        self._new.add(record.id)
        if record.type == "Learning":
            self._learnings.append(record.id)
        self._write_entity(record, fields)
        self.dirty_types.add(record.type)
        return record.path

    def bump(self, identity: str) -> str:
        """Count one use of an entity: a number and a timestamp change."""
        record = self.catalogue[identity]
        fields = self._read_entity(record)
        counter = COUNTERS.get(record.type, "access_count")
        fields[counter] = fields.get(counter, 0) + 1
        self._write_entity(record, fields)
        return record.path

    def decay(self) -> int:
        """Lower the relevance of every entity, the older ones as much as the newer ones."""
        for record in self.catalogue.values():
            fields = self._read_entity(record)
            record.score = fields["relevance_score"] = round(record.score * 0.97, 4)
            self._write_entity(record, fields, touch=False)
        self.dirty_types.update(TYPES)
        return len(self.catalogue)

    def merge(self, kept: str, absorbed: str) -> str:
        """Move what one entity observed into another and delete it; return the deleted path."""
        record, fields = self.catalogue[kept], self._read_entity(self.catalogue[kept])
        other = self._read_entity(self.catalogue[absorbed])
        fields["observations"] = fields.get("observations", []) + other.get("observations", [])
        fields["tags"] = record.tags = sorted({*record.tags, *other["tags"]})
        self._write_entity(record, fields)
        self.dirty_types.add(record.type)
        return self.delete(absorbed)

    def archive(self, identity: str) -> str:
        """Move an entity below its type's archive folder; return its new path."""
        record = self.catalogue[identity]
        head = f"entities/{record.type}/"
        if not record.path.startswith(f"{head}archive/"):
            new = f"{head}archive/{record.path.removeprefix(head)}"
            self.files.move(record.path, new, self._mtime_ns())
            record.path = new
            self.dirty_types.add(record.type)
        return record.path

    def delete(self, identity: str) -> str:
        """Delete an entity and return the path that it had."""
        record = self.catalogue.pop(identity)
        if record.type == "Learning":
            self._learnings.remove(identity)
        self.files.remove(record.path, self._mtime_ns())
        self.dirty_types.add(record.type)
        return record.path

    def write_indexes(self, kinds: tuple[str, ...] | list[str]) -> None:
        """Rewrite the indexes across types and those of `kinds`."""
        now = iso(self.now)
        self._write_json(indexes.CONTENT, indexes.content_index(self.catalogue, now))
        self._write_json(indexes.TAGS, indexes.tag_index(self.catalogue, now))
        self._write_json(indexes.DATES, indexes.date_index(self.catalogue, now))
        for kind in kinds:
            self._write_json(indexes.type_index_path(kind), indexes.type_index(kind, self.catalogue, now))

    def write_relationships(self) -> None:
        """Rewrite the relationship files: links stay, those to what is gone are dropped, new entities get some."""
        for name, (origin, target) in indexes.RELATIONSHIPS.items():
            old = indexes.load_links(self.root, name)
            targets = [record.id for record in self.catalogue.values() if record.type == target]
            links = {
                record.id: self._new_links(targets) if record.id in self._new else old.get(record.id, [])
                for record in self.catalogue.values()
                if record.type == origin
            }
            document = indexes.relationship_file(name, links, self.catalogue, iso(self.now))
            self._write_json(indexes.relationship_path(name), document)

    def _new_links(self, targets: list[str]) -> list[str]:
        if not targets or self._rng.random() > 0.4:
            return []
        return self._rng.sample(targets, min(len(targets), self._rng.randint(1, 3)))

    def write_configuration(self) -> None:
        """Write settings and clean-up rules."""
        settings = {
            "version": "1.0",
            "max_entities_per_type": 50_000,
            "auto_cleanup_days": 180,
            "backup_retention_days": 90,
            "relevance_threshold": 0.1,
        }
        rules = {"version": "1.0", "rules": [{"type": kind, "archive_below": 0.15} for kind in TYPES]}
        self._write_json("config/settings.json", settings)
        self._write_json("config/cleanup-rules.json", rules)

    def _read_entity(self, record: Record) -> Fields:
        fields: Fields = json.loads((self.root / record.path).read_bytes())
        return fields

    def _write_entity(self, record: Record, fields: Fields, *, touch: bool = True) -> None:
        if touch:
            fields["updated_at"] = iso(self.now)
        self._write_json(record.path, fields)

    def _write_json(self, path: str, document: Fields) -> None:
        self.files.write(path, f"{pretty(document)}\n".encode(), self._mtime_ns())

    def _mtime_ns(self) -> int:
        return int(self.now.timestamp()) * 1_000_000_000 + self._rng.randrange(1_000_000_000)
