"""A snapshot as every command prints it: one row of a table, or one object of JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from icc_store.cli.output import Document
from icc_store.cli.table import Column, table
from icc_store.cli.units import local_time, number, size, utc_time
from icc_store.model.record import Snapshot, SnapshotClass
from icc_store.operations.resolve import SHORT_ID

ROW = {
    "id": "the snapshot's id, 64 hex digits",
    "seq": "its number: the order of commits",
    "time": "when it was taken, UTC, RFC 3339",
    "source": "the label that parents, retention and `latest` go by",
    "class": "full, selective, safety or import",
    "root": "the id of its root tree: equal for equal contents",
    "name": "its name, empty without one",
    "tags": "its tags now, a list",
    "note": "its note now",
    "pinned": "whether retention must keep it",
    "forgotten": "when it was forgotten (1970 when it was purged), or null",
    "suspect": "what verify found wrong with it, else empty",
    "files": "regular files in it",
    "size": "their bytes",
    "added": "bytes that it added to the repository",
}
"""The fields of a snapshot in JSON, wherever one stands."""

BRIEF = {"id": "the snapshot's id", "seq": "its number", "time": "when it was taken", "name": "its name"}
"""The fields of a snapshot in JSON where it only says when something was."""

_COLUMNS = (
    Column("ID"),
    Column("TIME"),
    Column("NAME", flexible=True),
    Column("TAGS", flexible=True),
    Column("SOURCE", flexible=True, keeps_end=True),
    Column("CLASS"),
    Column("FILES", right=True),
    Column("SIZE", right=True),
    Column("ADDED", right=True),
    Column("STATE"),
)


def snapshot_fields(snapshot: Snapshot) -> Document:
    """The fields of `ROW`."""
    record = snapshot.record
    return {
        "id": snapshot.id.hex(),
        "seq": record.seq,
        "time": utc_time(record.time_ns),
        "source": record.source,
        "class": str(record.kind),
        "root": record.root.hex(),
        "name": record.name,
        "tags": list(snapshot.tags),
        "note": snapshot.note,
        "pinned": snapshot.pinned,
        "forgotten": None if snapshot.forgotten_ns is None else utc_time(snapshot.forgotten_ns),
        "suspect": snapshot.suspect,
        "files": record.counters.files,
        "size": record.counters.size,
        "added": record.counters.added_stored,
    }


def brief_fields(snapshot: Snapshot) -> Document:
    """The fields of `BRIEF`."""
    record = snapshot.record
    return {"id": snapshot.id.hex(), "seq": record.seq, "time": utc_time(record.time_ns), "name": record.name}


def snapshot_table(snapshots: Iterable[Snapshot], width: int | None) -> Iterator[str]:
    """A table of snapshots. Sources are shown where there are several, classes where one is not full."""
    snapshots = list(snapshots)
    sources = {one.record.source for one in snapshots}
    machines = {source.partition(":")[0] if ":" in source else "" for source in sources}
    machine = f"{machines.pop()}:" if len(machines) == 1 else ""  # the same for all of them, so it says nothing
    return table(_COLUMNS, (_row(one, machine if len(sources) > 1 else None) for one in snapshots), width)


def short_id(snapshot: Snapshot) -> str:
    """As many digits of its id as people are shown."""
    return snapshot.id.hex()[:SHORT_ID]


def described(snapshot: Snapshot) -> str:
    """A snapshot in a sentence: `1a2b3c4d "friday" of 2026-11-01 10:00:00`."""
    name = f' "{snapshot.record.name}"' if snapshot.record.name else ""
    return f"{short_id(snapshot)}{name} of {local_time(snapshot.record.time_ns)}"


def state(snapshot: Snapshot) -> str:
    """What is special about it, in words."""
    words = [
        ("pinned", snapshot.pinned),
        ("forgotten", snapshot.forgotten_ns is not None),
        ("suspect", snapshot.suspect),
        ("drill failed", snapshot.drill_failure),
    ]
    return ", ".join(word for word, true in words if true)


def _row(snapshot: Snapshot, machine: str | None) -> list[str]:
    """`machine` is what all sources begin with; None where there is but one source."""
    record = snapshot.record
    return [
        short_id(snapshot),
        local_time(record.time_ns)[:16],
        record.name,
        ", ".join(snapshot.tags),
        "" if machine is None else record.source.removeprefix(machine),
        "" if record.kind == SnapshotClass.FULL else str(record.kind),
        number(record.counters.files),
        size(record.counters.size),
        size(record.counters.added_stored),
        state(snapshot),
    ]
