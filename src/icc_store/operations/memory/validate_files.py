"""What validation does with each file of a memory, live or stored, and what it knows once it has seen all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from icc_store.entities.cross_check import CrossCheck
from icc_store.entities.findings import Finding, bounded, error, named, warning
from icc_store.entities.json_text import NotJson, parse_json
from icc_store.entities.layout import ENTITY_TYPES, Area, place_of
from icc_store.entities.profiles import Profile, RecordFormat
from icc_store.entities.record import RecordError, read_records
from icc_store.entities.validate import check_file
from icc_store.errors import DamageError
from icc_store.limits import MAX_INDEX_FILE, MAX_RECORD_FILE

Pieces = Callable[[], Iterable[bytes]]
"""Gives the bytes of a file, in order. Raises OSError or DamageError, also on the way."""

_LISTS = frozenset((Area.INDEX, Area.RELATIONSHIP))
"""What has a row for every entity, and so may be large."""

CANNOT_BE_READ = (OSError, DamageError)


class FileChecks:
    """Takes the files of a memory of any profile. `entities` counts records by type, broken ones included."""

    def __init__(self, profile: Profile) -> None:
        self.files = 0
        self.entities: Counter[str] = Counter()
        self.findings: list[Finding] = []
        self._profile = profile

    def file(self, path: bytes, size: int, pieces: Pieces) -> None:
        """Check a regular file. One that cannot be read is a finding."""
        self.files += 1
        try:
            self.findings += bounded(list(self._check(path, size, pieces)))
        except CANNOT_BE_READ as reason:
            self.unreadable(path, reason)

    def unreadable(self, path: bytes, reason: Exception) -> None:
        """A file or directory that cannot be read."""
        why = reason.strerror if isinstance(reason, OSError) else str(reason)
        self.findings.append(error(path, "", f"cannot be read: {why}"))

    def finish(self, read: Callable[[bytes], bytes]) -> None:
        """All files were seen; `read` gives the content of one once more."""

    def _check(self, path: bytes, size: int, pieces: Pieces) -> Iterator[Finding]:
        if path.endswith(b".jsonl"):
            yield from self._check_lines(path, pieces())
            return
        form = self._profile.record_format(path)
        if form is None or size > MAX_RECORD_FILE:
            yield from _only_opened(pieces)
            return
        try:
            for record in read_records(form, path, b"".join(pieces())):
                self.entities[record.type and named(record.type)] += 1
        except RecordError as reason:
            yield warning(path, "", str(reason))

    def _check_lines(self, path: bytes, pieces: Iterable[bytes]) -> Iterator[Finding]:
        """JSON lines, of which a transcript may have gigabytes. The last may be half of one that is being written."""
        are_records = self._profile.record_format(path) is RecordFormat.JSON_LINES
        for number, (line, ended) in enumerate(_lines(pieces), 1):
            if not line.strip():
                continue
            try:
                value = parse_json(line)
            except NotJson as reason:
                if ended:
                    yield warning(path, f"line {number}", f"not JSON: {reason}")
                continue
            if not isinstance(value, dict):
                yield warning(path, f"line {number}", "not a JSON object")
            elif are_records:
                kind = value.get("type") if value.get("type") == "relation" else value.get("entityType")
                self.entities[named(kind) if isinstance(kind, str) and kind else ""] += 1


class IccFileChecks(FileChecks):
    """Of a memory whose entities, indexes, relationships and configuration have rules."""

    def __init__(self, profile: Profile) -> None:
        super().__init__(profile)
        self.entities.update(dict.fromkeys(ENTITY_TYPES, 0))
        self._cross = CrossCheck()

    def finish(self, read: Callable[[bytes], bytes]) -> None:
        def read_again(path: bytes) -> bytes:
            try:
                return read(path)
            except CANNOT_BE_READ:
                return b"{}"  # it was there a moment ago; what it was is told already

        self.findings += self._cross.findings(read_again)

    def _check(self, path: bytes, size: int, pieces: Pieces) -> Iterator[Finding]:
        place = place_of(path)
        if place.area is Area.ENTITY:
            self.entities[place.type] += 1
        if size > (MAX_INDEX_FILE if place.area in _LISTS else MAX_RECORD_FILE):
            yield error(path, "", "too large to be a file of the memory system")
            return
        if place.area in {Area.OTHER, Area.LEFTOVER} and not path.startswith(b"entities/"):
            yield from _only_opened(pieces)
            facts = check_file(path, b"")
        else:
            facts = check_file(path, b"".join(pieces()))
        self._cross.add(path, facts)
        yield from facts.findings


def make_checks(profile: Profile) -> FileChecks:
    """The checks for a profile."""
    return IccFileChecks(profile) if profile.is_icc else FileChecks(profile)


def _only_opened(pieces: Pieces) -> Iterator[Finding]:
    """Nothing is wrong with a file that nothing is known of, if it can be read at all."""
    next(iter(pieces()), None)
    return iter(())


def _lines(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Lines without their ends, and whether they have one."""
    begun: list[bytes] = []
    for piece in pieces:
        first, *others = piece.split(b"\n")
        begun.append(first)
        if others:
            yield b"".join(begun), True
            yield from ((line, True) for line in others[:-1])
            begun = [others[-1]]
    if any(begun):
        yield b"".join(begun), False
