"""`icc-store show`: one snapshot in full."""

from __future__ import annotations

from collections.abc import Iterator

import click

from icc_store.cli.command import Command, snapshot_argument, source_option
from icc_store.cli.context import Context
from icc_store.cli.output import Document, paths_fields, warning_fields
from icc_store.cli.snapshot_fields import ROW, described, snapshot_fields, state
from icc_store.cli.table import pairs
from icc_store.cli.units import duration, local_time, number, plural, ratio, share, size, utc_time
from icc_store.entities.select import Selection
from icc_store.model.paths import display
from icc_store.model.record import Counters, Snapshot
from icc_store.operations.memory.manifest import manifest_of, notes_of
from icc_store.operations.resolve import resolve

DOCUMENT = {
    "snapshot": ROW
    | {
        "host": "the machine it was taken on",
        "parent": "the id of the snapshot it was compared with, or null",
        "paths": "what was backed up: absolute paths",
        "exclusions": "the rules for what was left out",
        "program": "the program that took it",
        "verified": "when it was verified last, or null",
        "drilled": "when a drill restored it last, or null",
        "drill_failure": "what that drill found wrong, else empty",
        "manifest": "the manifest of a memory, as `manifest` prints it, or null",
    },
    "counters": {
        "files": "regular files",
        "directories": "directories",
        "others": "symbolic links and special files",
        "size": "bytes of the files",
        "new_files": "files that the parent does not have",
        "changed_files": "files that differ from the parent's",
        "unchanged_files": "files that are as in the parent",
        "read_bytes": "bytes that were read",
        "added_plain": "bytes that were not stored before",
        "added_stored": "bytes that those take in the repository",
        "duration_ns": "how long it took, ns",
    },
    "warnings": {"path": "a file that something was wrong with", "message": "what"},
    "annotations": {"subject": "what it is about", "value": "what it says", "time": "when it was said", "seq": "order"},
}


@click.command(cls=Command, examples=("icc-store show latest", "icc-store show friday --json"))
@snapshot_argument
@source_option
@click.pass_obj
def command(context: Context, *, snapshot: str, source: str | None) -> None:
    """Show everything that is known about SNAP."""
    with context.open(readonly=True) as repository:
        found = resolve(repository, snapshot, source=source, monitor=context.monitor)
    context.output.emit("show", _document(found), lambda: _lines(found))


def _document(snapshot: Snapshot) -> Document:
    record = snapshot.record
    more: Document = {
        "host": record.host,
        "parent": record.parent.hex() if record.parent else None,
        **paths_fields(record.paths),
        "exclusions": _plain(record.exclusions),
        "program": record.program,
        "verified": None if snapshot.verified_ns is None else utc_time(snapshot.verified_ns),
        "drilled": None if snapshot.drilled_ns is None else utc_time(snapshot.drilled_ns),
        "drill_failure": snapshot.drill_failure,
        "manifest": manifest_of(snapshot),
    }
    return {
        "snapshot": snapshot_fields(snapshot) | more,
        "counters": {name: getattr(record.counters, name) for name in Counters.__dataclass_fields__},
        "warnings": warning_fields(record.warnings),
        "annotations": [
            {"subject": str(one.subject), "value": one.value, "time": utc_time(one.time_ns), "seq": one.seq}
            for one in snapshot.annotations
        ],
    }


def _plain(value: object) -> object:
    """A stored value with bytes as text, since JSON has none."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def _lines(snapshot: Snapshot) -> Iterator[str]:
    record, counters = snapshot.record, snapshot.record.counters
    yield f"snapshot {described(snapshot)}"
    yield from pairs(
        [
            ("id", snapshot.id.hex()),
            ("root", record.root.hex()),
            ("parent", record.parent.hex() if record.parent else ""),
            ("number", str(record.seq)),
            ("class", str(record.kind)),
            ("source", record.source),
            ("host", record.host),
            *(("path", display(path)) for path in record.paths),
            ("tags", ", ".join(snapshot.tags)),
            ("note", snapshot.note),
            ("state", state(snapshot)),
            ("forgotten", local_time(snapshot.forgotten_ns) if snapshot.forgotten_ns else ""),
            ("suspect", snapshot.suspect),
            ("verified", local_time(snapshot.verified_ns) if snapshot.verified_ns else ""),
            ("drilled", _drilled(snapshot)),
            ("left out", "; ".join(_rules(record.exclusions))),
            *_of_a_memory(snapshot),
            ("program", record.program),
            ("took", duration(counters.duration_ns) if counters.duration_ns else ""),
            *_counts(counters),
        ],
        indent="  ",
    )
    if record.warnings:
        yield f"  {plural(len(record.warnings), 'file')} with something wrong:"
        yield from (f"    {display(path)}: {message}" for path, message in record.warnings)


def _of_a_memory(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """What the manifest says, or why there is none."""
    notes = notes_of(snapshot) or {}
    yield "profile", notes.get("profile", "")
    if notes.get("selection"):
        selection = Selection.from_record(notes["selection"])
        yield "selected", f"{selection.describe()}; {plural(notes['left_out'], 'file')} left out"
    yield "no manifest", notes.get("error", "")
    manifest = manifest_of(snapshot)
    if manifest is None:
        return
    kinds = [f"{number(count)} {kind}" for kind, count in manifest["entities_by_type"].items() if count]
    yield "entities", ", ".join(kinds)
    found = manifest["icc_store"]["findings"]
    yield "found", f"{plural(found['errors'], 'error')}, {plural(found['warnings'], 'warning')} in the memory"
    yield "validated", "; ".join(manifest["icc_store"]["failures"]) or "everything is stored as it was"
    yield "integrity", manifest["integrity_hash"]


def _drilled(snapshot: Snapshot) -> str:
    """When a drill restored it, and what was wrong then."""
    if snapshot.drilled_ns is None:
        return ""
    failure = f", and failed: {snapshot.drill_failure}" if snapshot.drill_failure else ""
    return f"{local_time(snapshot.drilled_ns)}{failure}"


def _rules(exclusions: dict[str, object]) -> Iterator[str]:
    """The exclusion rules, those that say something."""
    for name, value in exclusions.items():
        if isinstance(value, list | tuple) and value:
            yield f"{name}: {', '.join(str(_plain(one)) for one in value)}"
        elif value is True:
            yield name
        elif value and not isinstance(value, list | tuple):
            yield f"{name}: {_plain(value)}"


def _counts(counters: Counters) -> list[tuple[str, str]]:
    smaller = f"{ratio(counters.added_plain, counters.added_stored)} smaller"
    compared = counters.new_files + counters.changed_files + counters.unchanged_files
    return [
        ("files", f"{number(counters.files)}, {size(counters.size)}"),
        (
            "compared",
            f"{number(counters.new_files)} new, {number(counters.changed_files)} changed, "
            f"{number(counters.unchanged_files)} unchanged"
            if compared
            else "",
        ),
        ("directories", number(counters.directories)),
        ("others", number(counters.others) if counters.others else ""),
        ("read", f"{size(counters.read_bytes)}, {share(counters.read_bytes, counters.size)} of the files"),
        (
            "added",
            f"{size(counters.added_stored)} for {size(counters.added_plain)} of new data ({smaller})",
        ),
    ]
