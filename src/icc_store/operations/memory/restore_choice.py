"""Which entities of a memory's snapshot a restore brings back: by type, by time, by id.

What is chosen is merged into what is there. An entity that lies at another path now (it was moved to the archive since,
or back) is the same entity: it goes from there when it is restored, since no memory may have one id in two files.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from icc_store.entities.layout import Area, entity_id, place_of
from icc_store.entities.profiles import RecordFormat
from icc_store.entities.record import Record, RecordError, read_records
from icc_store.entities.select import Selection
from icc_store.errors import DamageError, PathNotInSnapshot
from icc_store.model.content import whole_content
from icc_store.model.entry import CHUNK, LIST, Wire
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.operations.memory.live import entity_files
from icc_store.operations.memory.path_order import files_by_path

_NAMED = 5
_EVERY_ENTITY = Selection()


@dataclass(frozen=True)
class Choice:
    """An entity must fit the selection and, where there are any, have one of the ids."""

    selection: Selection = _EVERY_ENTITY
    ids: tuple[str, ...] = ()

    @property
    def is_everything(self) -> bool:
        """Whether nothing was chosen, so that all is restored."""
        return self.selection.is_everything and not self.ids

    def describe(self) -> str:
        """One line for people."""
        said = [] if self.selection.is_everything else [self.selection.describe()]
        return " and ".join(said + ([f"id in {', '.join(self.ids)}"] if self.ids else []))


EVERYTHING = Choice()


def chosen_paths(repository: Repository, snapshot: Snapshot, choice: Choice) -> tuple[bytes, ...]:
    """Stored paths of the entities that a choice takes.

    Raises PathNotInSnapshot for an id that the snapshot does not have, and when nothing fits at all; DamageError.
    """
    found: list[bytes] = []
    missing = set(choice.ids)
    for path, wire, _ in files_by_path(repository.objects, snapshot.record.root):
        if place_of(path).area is not Area.ENTITY:
            continue
        record = None
        names = {entity_id(path)}
        if choice.ids and names.isdisjoint(choice.ids) and missing:
            record = _record(repository, path, wire)  # its id may be another than its name says
            names.add(record.id)
        if choice.ids and names.isdisjoint(choice.ids):
            continue
        missing -= names
        if not choice.selection.is_everything:
            record = record or _record(repository, path, wire)
            if not choice.selection.matches(record, place_of(path).archived):
                continue
        found.append(path)
    if missing:
        named = ", ".join(sorted(missing)[:_NAMED])
        raise PathNotInSnapshot(f"the snapshot has no entity {named}", hint="`icc-store find` looks in all snapshots")
    if not found:
        raise PathNotInSnapshot(f"no entity of the snapshot fits: {choice.describe()}")
    return tuple(found)


def _record(repository: Repository, path: bytes, wire: Wire) -> Record:
    """What can be said of an entity; of a broken or damaged one, what its path says."""
    try:
        data = whole_content(repository.objects, wire.get(CHUNK), wire.get(LIST))
        return read_records(RecordFormat.ENTITY, path, data)[0]
    except (RecordError, DamageError):
        return Record(entity_id(path), place_of(path).type, {})


def lying_elsewhere(target: Path, chosen: Iterable[bytes]) -> tuple[bytes, ...]:
    """Stored paths in the live memory that hold, under another path, one of the entities at the chosen ones."""
    chosen = frozenset(chosen)
    names = {os.path.basename(path) for path in chosen}
    return tuple(path for path in entity_files(target) if os.path.basename(path) in names and path not in chosen)
