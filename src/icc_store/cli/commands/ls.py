"""`icc-store ls`: what a snapshot holds."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import click

from icc_store.cli.command import Command, snapshot_argument, source_option
from icc_store.cli.context import Context
from icc_store.cli.entry_fields import ROW, entry_fields, long_line, shown_name
from icc_store.cli.output import path_fields
from icc_store.cli.settings import json_lines_option
from icc_store.cli.snapshot_fields import ROW as SNAPSHOT
from icc_store.cli.snapshot_fields import snapshot_fields
from icc_store.model.walk import Found
from icc_store.operations.contents import list_directory
from icc_store.operations.resolve import resolve, stored_path

DOCUMENT = {
    "snapshot": SNAPSHOT,
    "path": "the stored path that is listed, empty for the root",
    "entries": ROW | {"user": "name of the owner, where it was known", "group": "name of the group, likewise"},
}


@click.command(
    cls=Command,
    examples=("icc-store ls latest", "icc-store ls -lR friday notes", "icc-store ls latest ~/notes --json"),
)
@snapshot_argument
@click.argument("path", required=False, default="")
@click.option("-l", "--long", is_flag=True, help="With mode, owner, size and time.")
@click.option("-R", "--recursive", is_flag=True, help="Everything below as well, by its whole path.")
@source_option
@json_lines_option
@click.pass_obj
def command(context: Context, *, snapshot: str, path: str, long: bool, recursive: bool, source: str | None) -> None:
    """List what SNAP holds at PATH, or at its root.

    PATH is a path in the snapshot, or the absolute one that it was read from.
    """

    def as_text(entries: Iterable[Found]) -> Iterator[str]:
        for found in entries:
            name = found.path if recursive else found.entry.name or found.path
            yield long_line(name, found.entry, found.owners) if long else shown_name(name, found.entry)

    with context.open(readonly=True) as repository:
        found = resolve(repository, snapshot, source=source, path=os.fsencode(path), monitor=context.monitor)
        stored = stored_path(found.record, path)
        context.output.emit_rows(
            "ls",
            list_directory(repository, found.record, stored, recursive=recursive),
            as_json=_fields,
            as_text=as_text,
            key="entries",
            head={"snapshot": snapshot_fields(found)} | path_fields(stored),
        )


def _fields(found: Found) -> dict[str, object]:
    fields = entry_fields(found.path, found.entry)
    user, group = found.owners.users.get(found.entry.uid), found.owners.groups.get(found.entry.gid)
    return fields | {name: value for name, value in (("user", user), ("group", group)) if value}
