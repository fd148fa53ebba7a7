"""What no file of an icc memory shows by itself: one id in two files, links to nowhere, indexes that have drifted.

Of each entity nothing is held but its id and the directory it stands in, which is one object for all files in it:
13 MB for 100,000 entities.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from icc_store.entities.findings import Finding, bounded, error, named, warning
from icc_store.entities.index_text import IndexSummary, summarise
from icc_store.entities.json_text import NotJson, parse_json
from icc_store.entities.layout import NEVER_IN_A_MEMORY, Area, entity_id, place_of
from icc_store.entities.schema import ENTITY_FIELDS, REFERENCES
from icc_store.entities.validate import CLEAN, FileFacts
from icc_store.model.paths import display, join

_NAMED = 5
"""How many ids a message names."""

_TOP_FOLDERS = frozenset((b"", b"entities", b"relationships", b"indexes", b"config", *NEVER_IN_A_MEMORY))
_FOLDERS = {
    b"Pattern": frozenset((b"success", b"error", b"process")),
    b"Project": frozenset((b"current",)),
    b"Knowledge": frozenset((b"by-domain",)),
}
"""Below the folder of a type, beside years and the archive."""

_YEAR_OR_ARCHIVE = re.compile(rb"\d{4}|archive")
_TARGET_FIELDS = ("id", "target", "target_id", "to")

Read = Callable[[bytes], bytes]


class CrossCheck:
    """Takes all files of a memory, one by one; then says what is wrong between them."""

    def __init__(self) -> None:
        self._homes: dict[str, bytes] = {}
        """Each id with the directory of its file."""
        self._renamed: dict[str, bytes] = {}
        """Paths of files that are not called like the id in them."""
        self._directories: dict[bytes, tuple[bytes, bytes]] = {}
        """Each directory with itself, the one object that stands for it, and with its unknown folder."""
        self._strange: dict[bytes, int] = {}
        """Unknown folders, with how many files each has."""
        self._twice: list[tuple[str, bytes]] = []
        self._unreadable: set[str] = set()
        self._undated: set[str] = set()
        self._refs: list[tuple[bytes, tuple[str, ...]]] = []
        self._indexes: list[bytes] = []
        self._relationships: list[bytes] = []

    def add(self, path: bytes, facts: FileFacts) -> None:
        """A regular file, and what `check_file` said of it."""
        directory = self._enter(path.rpartition(b"/")[0], 1)
        area = place_of(path).area
        if area is Area.ENTITY:
            self._add_entity(path, directory, facts)
        elif facts.is_readable and area is Area.INDEX:
            self._indexes.append(path)
        elif facts.is_readable and area is Area.RELATIONSHIP:
            self._relationships.append(path)

    def add_sound(self, directory: bytes, names: Sequence[bytes]) -> None:
        """The same for sound entities of one directory, called like their ids and with nothing to remember."""
        # As text with NUL between the names, which no name has: 0.1 us a file instead of 1.3.
        text = b"\0".join(names).decode("utf-8", "replace")
        ids = text.removesuffix(".json").split(".json\0")
        if self._homes.keys().isdisjoint(ids):
            self._homes.update(dict.fromkeys(ids, self._enter(directory, len(ids))))
            return
        for name in names:
            self.add(join(directory, name), CLEAN)

    def _enter(self, directory: bytes, files: int) -> bytes:
        """Count files of a directory; returns the one object that stands for it."""
        known = self._directories.get(directory)
        if known is None:
            known = self._directories[directory] = (directory, _strange_folder(directory))
        directory, strange = known
        if strange:
            self._strange[strange] = self._strange.get(strange, 0) + files
        return directory

    def findings(self, read: Read) -> list[Finding]:
        """What is wrong between the files. `read` gives the bytes of an index or of a file of relationships."""
        found = [
            error(
                path, "id", f"{named(identity)} is the id of another file as well: {display(self._path_of(identity))}"
            )
            for identity, path in self._twice
        ]
        for path, refs in self._refs:
            gone = [one for one in refs if one not in self._homes]
            if gone:
                field = REFERENCES[place_of(path).type]
                found.append(warning(path, field, f"{_named(gone)} not in this memory"))
        for path in sorted(self._relationships):
            found += bounded(list(self._check_relationships(path, read)))
        present: dict[str, set[str]] = {}
        for path in sorted(self._indexes):
            found += self._check_index(path, read, present)
        found += [
            warning(folder, "", f"not a folder of the memory system; it has {_plural(files, 'file', 'files')}")
            for folder, files in sorted(self._strange.items())
        ]
        return found

    def _add_entity(self, path: bytes, directory: bytes, facts: FileFacts) -> None:
        identity = facts.id
        if identity is None:
            identity = entity_id(path)
        if identity in self._homes:
            self._twice.append((identity, path))
            return
        self._homes[identity] = directory
        if facts.id is not None:
            self._renamed[identity] = path
        if not facts.is_readable:
            self._unreadable.add(identity)
        if not facts.is_dated:
            self._undated.add(identity)
        if facts.refs:
            self._refs.append((path, facts.refs))

    def _path_of(self, identity: str) -> bytes:
        return self._renamed.get(identity) or b"%s/%s.json" % (self._homes[identity], identity.encode())

    def _ids_of(self, kind: str) -> set[str]:
        """The ids below the folder of a type, all of them for an empty one."""
        if not kind:
            return set(self._homes)
        types = {one: place_of(one + b"/x.json").type for one in self._directories}
        return {identity for identity, directory in self._homes.items() if types[directory] == kind}

    def _check_relationships(self, path: bytes, read: Read) -> Iterator[Finding]:
        try:
            value = parse_json(read(path))
        except NotJson as reason:
            yield error(path, "", f"not JSON: {reason}")
            return
        links = value.get("relationships") if isinstance(value, dict) else None
        if not isinstance(links, dict):
            return
        unknown = self._unknown(links)
        for origin, targets in links.items() if unknown else ():
            field = f"relationships.{named(origin)}"
            if origin in unknown:
                yield warning(path, field, f"{named(origin)} is not in this memory")
            gone = [one for one in _targets(targets) if one in unknown]
            if gone:
                yield warning(path, field, f"{_named(gone)} not in this memory")

    def _unknown(self, links: dict[str, Any]) -> set[str]:
        """The ids that relationships lead from or to and no file has."""
        # All at once, since nearly all are known: half the time for a file with 100,000 of them.
        named = set(links)
        for targets in links.values():
            try:
                named.update(targets if type(targets) is list else _targets(targets))
            except TypeError:  # objects, which hold an id
                named.update(_targets(targets))
        return named.difference(self._homes)  # which goes through the few; `-` would go through all entities

    def _check_index(self, path: bytes, read: Read, ids: dict[str, set[str]]) -> Iterator[Finding]:
        try:
            index = summarise(path, read(path))
        except NotJson as reason:
            yield error(path, "", f"not JSON: {reason}")
            return
        if index is None:
            return
        if index.type not in ids:
            ids[index.type] = self._ids_of(index.type)
        present = ids[index.type]
        yield from self._check_count(path, index, present)
        if index.ids is None:
            return
        gone = index.ids - present
        if gone:
            yield warning(path, index.ids_field, f"{_named(gone)} not in the memory, but in this index")
        missing = present - index.ids - self._unreadable if index.complete else set()
        if index.by_date:
            missing -= self._undated
        if missing:
            yield warning(path, index.ids_field, f"{_named(missing)} not in this index")

    def _check_count(self, path: bytes, index: IndexSummary, present: set[str]) -> Iterator[Finding]:
        if index.count is None:
            return
        least = len(present - self._unreadable)  # whether a file that cannot be read is listed is left open
        if index.complete and not least <= index.count <= len(present):
            yield warning(path, index.count_field, f"says {index.count}; the memory has {len(present)}")
        elif index.counted not in {None, index.count}:
            yield warning(path, index.count_field, f"says {index.count}; this index lists {index.counted}")


def _strange_folder(directory: bytes) -> bytes:
    """The folder, itself or above, that the memory system does not know; empty where it knows all of them."""
    parts = directory.split(b"/", 3)
    if parts[0] not in _TOP_FOLDERS:
        return parts[0]
    if parts[0] != b"entities" or len(parts) == 1:
        return b""
    if parts[1].decode("utf-8", "replace") not in ENTITY_FIELDS:
        return b"/".join(parts[:2])
    if len(parts) == 2 or _YEAR_OR_ARCHIVE.fullmatch(parts[2]) or parts[2] in _FOLDERS.get(parts[1], ()):
        return b""
    return b"/".join(parts[:3])


def _targets(value: Any) -> Iterator[str]:
    """The ids that a relationship leads to: one, or a list of them, or of objects that hold one."""
    for one in value if isinstance(value, list) else (value,):
        if isinstance(one, dict):
            yield from (one[name] for name in _TARGET_FIELDS if isinstance(one.get(name), str))
        elif isinstance(one, str):
            yield one


def _named(ids: Collection[str]) -> str:
    """Some ids and their verb: `2 entities (a, b) are`."""
    some = ", ".join(map(named, sorted(ids)[:_NAMED]))
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return f"{_plural(len(ids), 'entity', 'entities')} ({some}{more}) {'is' if len(ids) == 1 else 'are'}"


def _plural(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
