"""A look over a whole snapshot of a memory: counts, what is wrong in it, and the hash that stands for all its files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from icc_store.entities.checksums import sums_of_directory
from icc_store.entities.findings import Finding
from icc_store.entities.layout import ENTITY_TYPES, INDEX_NAME, Area, place_of, places_in
from icc_store.entities.profiles import Profile
from icc_store.ids import ObjectId
from icc_store.limits import MAX_COMPARED_FILE, MAX_RECORD_FILE
from icc_store.model.content import content_bytes, plain_bytes, whole_content
from icc_store.model.entry import CHUNK, LIST, NAME, SIZE, Wire, entry_from_wire
from icc_store.model.paths import display, join
from icc_store.model.tree import Objects
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.memory.file_facts import Check, Fact
from icc_store.operations.memory.path_order import Batch, FactsOf, batches_by_path

if TYPE_CHECKING:
    from icc_store.entities.cross_check import CrossCheck

_SAMPLES = 32
_SETTINGS = b"config/settings.json"
_COMPARED = frozenset((Area.INDEX, Area.RELATIONSHIP))


@dataclass(frozen=True)
class Survey:
    """What a snapshot of a memory holds."""

    files: int = 0
    """Regular files."""
    entities: dict[str, int] = field(default_factory=dict)
    """Entities by the type that their folder stands for, broken ones included."""
    digest: bytes = b""
    """SHA-256 of SHA256SUMS."""
    system_version: str = ""
    """What the memory's settings give as `version`."""
    findings: tuple[Finding, ...] = ()
    samples: tuple[tuple[bytes, Wire], ...] = ()
    """Paths and entries of some sound entities, spread evenly."""


def survey(
    objects: Objects,
    root: ObjectId,
    profile: Profile,
    *,
    facts_of: FactsOf | None = None,
    whole: bool = True,
    sums: bool = True,
    monitor: Monitor = SILENT,
) -> Survey:
    """Look over a tree. Files of which `facts_of` knows nothing are read from the repository.

    What is not `whole` is not compared with itself: an index lists what a selection leaves out. Without `sums` there is
    no digest: somebody else makes it (`digest_of`).

    Raises ObjectMissing, BlockDamaged.
    """
    monitor.phase("check")
    look = _IccLook(objects, whole=whole) if profile.is_icc else _Look()
    listing = hashlib.sha256()
    files = 0
    for batch in batches_by_path(objects, root, facts_of):
        facts, names = _facts(objects, batch, look.check), [wire[NAME] for wire in batch.wires]
        if sums:
            listing.update(sums_of_directory(batch.directory, names, [digest for digest, _ in facts]))
        look.at(batch, names, facts)
        files += len(names)
        monitor.advance(len(names), 0, batch.directory)
    return Survey(
        files=files,
        entities=look.entities,
        digest=listing.digest() if sums else b"",
        system_version=look.system_version(),
        findings=tuple(look.findings()),
        samples=tuple(look.samples),
    )


def digest_of(objects: Objects, root: ObjectId, facts_of: FactsOf) -> bytes:
    """The hash that stands for all files: that of a survey, and nothing else. Raises ObjectMissing, BlockDamaged."""
    listing = hashlib.sha256()
    for batch in batches_by_path(objects, root, facts_of):
        facts = _facts(objects, batch, None)
        names = [wire[NAME] for wire in batch.wires]
        listing.update(sums_of_directory(batch.directory, names, [digest for digest, _ in facts]))
    return listing.digest()


def _facts(objects: Objects, batch: Batch, check: Check | None) -> list[Fact]:
    if batch.facts is not None:
        return batch.facts
    return [read_facts(objects, join(batch.directory, wire[NAME]), wire, check) for wire in batch.wires]


def read_facts(objects: Objects, path: bytes, wire: Wire, check: Check | None) -> Fact:
    """The facts of a stored file, from its bytes. Raises ObjectMissing, BlockDamaged."""
    pieces = plain_bytes(content_bytes(objects, wire.get(CHUNK), wire.get(LIST)))
    if check is not None and LIST not in wire:
        data = b"".join(pieces)
        return hashlib.sha256(data).digest(), check(path, data)
    hasher = hashlib.sha256()
    for piece in pieces:
        hasher.update(piece)
    return hasher.digest(), None


class _Look:
    """Of a memory whose files say nothing more to us than their names."""

    check: Check | None = None

    def __init__(self) -> None:
        self.entities: dict[str, int] = {}
        self.samples: list[tuple[bytes, Wire]] = []

    def at(self, batch: Batch, names: list[bytes], facts: list[Fact]) -> None:
        """Some files."""

    def findings(self) -> Iterator[Finding]:
        """What is wrong, once all files were seen."""
        return iter(())

    def system_version(self) -> str:
        """The version that the memory says it has."""
        return ""


class _IccLook(_Look):
    """Of entities, indexes and relationships: counted, and compared with each other."""

    def __init__(self, objects: Objects, *, whole: bool) -> None:
        super().__init__()
        self._whole = whole
        from icc_store.entities.cross_check import CrossCheck  # what parses JSON takes 25 ms to import
        from icc_store.entities.json_text import parse_json  # as above
        from icc_store.entities.validate import CLEAN, check_to_wire, facts_from_wire  # as above

        self.check = check_to_wire
        self._parse = parse_json
        self.entities = dict.fromkeys(ENTITY_TYPES, 0)
        self._objects = objects
        self._cross: CrossCheck = CrossCheck()
        self._clean, self._from_wire = CLEAN, facts_from_wire
        self._found: list[Finding] = []
        self._compared: dict[bytes, Wire] = {}
        self._step, self._sound = 1, 0

    def at(self, batch: Batch, names: list[bytes], facts: list[Fact]) -> None:
        directory = batch.directory
        inside, _ = places_in(directory)
        others: Iterable[tuple[Wire, Fact]] = zip(batch.wires, facts, strict=True)
        if inside.area is Area.ENTITY:
            sound = batch.wires
            if not _are_sound(names, facts):
                others = list(others)
                sound = [wire for wire, fact in others if _are_sound([wire[NAME]], [fact])]
            if sound:
                self._count(inside.type, len(sound))
                self._cross.add_sound(directory, names if sound is batch.wires else [wire[NAME] for wire in sound])
                self._sample(directory, sound)
            if len(sound) == len(names):
                return
            taken = {wire[NAME] for wire in sound}
            others = [each for each in others if each[0][NAME] not in taken]
        for wire, (_, note) in others:
            self._look_at(join(directory, wire[NAME]), wire, note)

    def _look_at(self, path: bytes, wire: Wire, note: Any) -> None:
        place = place_of(path)
        found = self._clean if note is None else self._from_wire(path, note)
        self._found.extend(found.findings)
        if place.area in _COMPARED and wire[SIZE] > MAX_COMPARED_FILE:
            return
        self._cross.add(path, found)
        if place.area is Area.ENTITY:
            self._count(place.type, 1)
        elif place.area in _COMPARED or (path == _SETTINGS and wire[SIZE] <= MAX_RECORD_FILE):
            self._compared[path] = wire

    def _count(self, kind: str, number: int) -> None:
        self.entities[kind] = self.entities.get(kind, 0) + number

    def findings(self) -> Iterator[Finding]:
        yield from self._found
        if self._whole:
            yield from self._cross.findings(self._read)

    def system_version(self) -> str:
        try:
            settings = self._parse(self._read(_SETTINGS)) if _SETTINGS in self._compared else {}
        except ValueError:
            return ""
        return str(settings.get("version", "")) if isinstance(settings, dict) else ""

    def _read(self, path: bytes) -> bytes:
        wire = self._compared[path]
        return whole_content(self._objects, wire.get(CHUNK), wire.get(LIST))

    def _sample(self, directory: bytes, wires: list[Wire]) -> None:
        """Every entity at first; with each time there are too many, every second of them."""
        chosen = wires[-self._sound % self._step :: self._step]
        self._sound += len(wires)
        self.samples += [(join(directory, wire[NAME]), wire) for wire in chosen if wire[SIZE] <= MAX_RECORD_FILE]
        while len(self.samples) > 2 * _SAMPLES:
            del self.samples[1::2]
            self._step *= 2


def _are_sound(names: list[bytes], facts: list[Fact]) -> bool:
    """Whether all of these files of a directory of entities are entities of which there is nothing to say."""
    # As one text with NUL between the names, which no name has: a tenth of the time.
    text = b"\0%b\0" % b"\0".join(names)
    return (
        text.count(b".json\0") == len(names)
        and b"\0." not in text
        and b"\0%b\0" % INDEX_NAME not in text
        and [note for _, note in facts].count(None) == len(facts)
    )


def unreadable_samples(objects: Objects, samples: tuple[tuple[bytes, Wire], ...]) -> list[str]:
    """Read each sample back and parse it; what is wrong with those that are not what they were."""
    from icc_store.entities.json_text import NotJson, parse_json  # as above

    problems = []
    for path, wire in samples:
        entry = entry_from_wire(wire)
        data = whole_content(objects, entry.chunk, entry.content_list)
        try:
            if len(data) != entry.size or not isinstance(parse_json(data), dict):
                problems.append(f"{display(path)}: what was read back is not what was stored")
        except NotJson as error:
            problems.append(f"{display(path)}: what was read back is not JSON: {error}")
    return problems
