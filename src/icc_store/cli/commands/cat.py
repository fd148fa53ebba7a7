"""`icc-store cat`: a file of a snapshot on stdout."""

from __future__ import annotations

import os

import click

from icc_store.cli.command import Command, snapshot_argument, source_option
from icc_store.cli.context import Context
from icc_store.errors import UsageError
from icc_store.operations.contents import read_file
from icc_store.operations.resolve import resolve, stored_path

DOCUMENT: dict[str, str] = {}


@click.command(
    cls=Command,
    examples=("icc-store cat latest notes/todo.md", "icc-store cat latest~3 index.json | jq .version"),
)
@snapshot_argument
@click.argument("path")
@source_option
@click.pass_obj
def command(context: Context, *, snapshot: str, path: str, source: str | None) -> None:
    """Write the file at PATH in SNAP to stdout, byte for byte.

    PATH is a path in the snapshot, or the absolute one that it was read from.
    """
    if context.settings.json:
        raise UsageError("cat writes the file itself, not JSON", hint="`icc-store ls SNAP PATH --json` describes it")
    with context.open(readonly=True) as repository:
        found = resolve(repository, snapshot, source=source, path=os.fsencode(path), monitor=context.monitor)
        context.output.write_bytes(read_file(repository, found.record, stored_path(found.record, path)))
