"""Where things stand in an "icc" memory, decided by stored paths alone.

    entities/<Type>/...                 one JSON file per entity; `<Type>/index.json` is an index
    relationships/ indexes/ config/     JSON files
    backups/ safety/                    of backup and restore: never part of a snapshot

Memories kept as Markdown have records too; which files those are, a profile says.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache

from icc_store.quick_dataclass import dataclass

ENTITY_TYPES = ("Learning", "Pattern", "Project", "Knowledge")
TOLERATED_TYPES = ("TaskLearning",)
USUAL_PLACE = ".claude/memory"
"""Where the memory of a user's agent is, below the home directory."""

NEVER_IN_A_MEMORY = (b"backups", b"safety")
INDEX_NAME = b"index.json"
_TEMPORARY = (b".tmp", b".temp", b".partial", b".swp", b"~")


class Area(StrEnum):
    """What a stored path of a memory is."""

    ENTITY = "entity"
    INDEX = "index"
    """Derived: an index of one type, or of all."""
    RELATIONSHIP = "relationship"
    CONFIG = "config"
    LEFTOVER = "leftover"
    """A temporary file that a writer left behind."""
    OTHER = "other"


@dataclass(frozen=True)
class Place:
    """What stands at a stored path. `type` is the entity type by its folder, empty outside of `entities`."""

    area: Area
    type: str = ""
    archived: bool = False


_OTHER = Place(Area.OTHER)
_AREAS = {b"indexes": Area.INDEX, b"relationships": Area.RELATIONSHIP, b"config": Area.CONFIG}


def place_of(path: bytes) -> Place:
    """What a file of an icc memory is, by its stored path."""
    directory, _, name = path.rpartition(b"/")
    if not name.endswith(b".json") or name[:1] == b".":
        if is_leftover(name):
            return Place(Area.LEFTOVER)
        if not name.endswith(b".json"):
            return _OTHER
    entity, index = places_in(directory)
    return index if name == INDEX_NAME else entity


@lru_cache(maxsize=4096)
def places_in(directory: bytes) -> tuple[Place, Place]:
    """What a `.json` file in a directory is, and what one is that is called `index.json`.

    Remembered, since all files of a directory ask the same.
    """
    top, *below = directory.split(b"/")
    if top != b"entities":
        area = _AREAS.get(top)
        place = _OTHER if area is None else Place(area)
        return place, place
    if not below:
        return _OTHER, Place(Area.INDEX)
    kind = below[0].decode("utf-8", "replace")
    return Place(Area.ENTITY, kind, b"archive" in below[1:]), Place(Area.INDEX, kind)


def is_leftover(name: bytes) -> bool:
    """Whether a name is that of a temporary file; `.name.json.x7Qz` is what a writer moves over `name.json`."""
    return name.endswith(_TEMPORARY) or (name.startswith(b".") and b".json." in name)


def entity_id(path: bytes) -> str:
    """The id that a file's name stands for: its stem."""
    return path.rpartition(b"/")[2].removesuffix(b".json").decode("utf-8", "replace")
