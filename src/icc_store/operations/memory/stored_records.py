"""Files of a memory read as records: entities, notes, lines of a `memory.jsonl`; and any other file, for its history.

A file that cannot be read as what it should be is no error: it is a reading without records that says why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from icc_store.entities.profiles import RecordFormat
from icc_store.entities.record import PREAMBLE, Lines, Record, RecordError, read_object, read_records
from icc_store.errors import DamageError
from icc_store.limits import MAX_RECORD_FILE
from icc_store.model.content import whole_content
from icc_store.model.entry import Entry
from icc_store.model.paths import display
from icc_store.model.tree import Objects

_BINARY_PROBE = 8192
TOO_LARGE = f"larger than {MAX_RECORD_FILE >> 20} MiB"


@dataclass(frozen=True, slots=True)
class Reading:
    """The records of a file, or why there are none."""

    records: tuple[Record, ...] = ()
    problem: str = ""
    damaged: bool = False
    """Whether the repository is at fault, and not the file."""


def content_key(entry: Entry) -> bytes:
    """Equal for files with equal contents; files that outgrew one chunk apart, which are stored anew."""
    return entry.chunk or entry.content_list or b""


def stored_bytes(objects: Objects, entry: Entry) -> bytes:
    """The content of a file that is not too large. Raises DamageError."""
    return whole_content(objects, entry.chunk, entry.content_list)


def read_stored(objects: Objects, path: bytes, entry: Entry, form: RecordFormat) -> Reading:
    """The records of a stored file."""
    if entry.size > MAX_RECORD_FILE:
        return Reading(problem=TOO_LARGE)
    try:
        return as_records(path, stored_bytes(objects, entry), form)
    except DamageError as error:
        return Reading(problem=f"damaged: {error.message}", damaged=True)


def as_records(path: bytes, data: bytes, form: RecordFormat) -> Reading:
    """The records in these bytes of a file."""
    try:
        return Reading(tuple(read_records(form, path, data)))
    except RecordError as error:
        return Reading(problem=f"not readable as an entity: {error}")


def as_fields(path: bytes, data: bytes) -> Reading:
    """One record of a file that is not known to hold any: the fields of a JSON object, else lines of text."""
    if path.endswith(b".json"):
        try:
            return Reading((Record(display(path), "", read_object(data)),))
        except RecordError:
            pass  # then it is text like any other
    return as_lines(path, data)


def as_lines(path: bytes, data: bytes) -> Reading:
    """One record of any file of text: its lines."""
    if b"\0" in data[:_BINARY_PROBE]:
        return Reading(problem="not text")
    lines = data.decode("utf-8", "backslashreplace").split("\n")
    if not lines[-1]:
        lines.pop()
    return Reading((Record(display(path), "", {PREAMBLE: Lines(lines)}),))


def by_id(records: Iterable[Record]) -> dict[str, Record]:
    """Records by id. One that comes again, which no memory should have, is numbered."""
    found: dict[str, Record] = {}
    repeated: Counter[str] = Counter()
    for record in records:
        identity = record.id
        while identity in found:
            repeated[record.id] += 1  # counted, since a hostile file has one id a hundred thousand times
            identity = f"{record.id} ({repeated[record.id] + 1})"
        found[identity] = record
    return found
