"""`icc-store note`: a note on a snapshot."""

from __future__ import annotations

import click

from icc_store.cli.annotated import DOCUMENT as ANNOTATED
from icc_store.cli.annotated import emit_annotated
from icc_store.cli.command import Command, snapshot_argument, source_option
from icc_store.cli.context import Context
from icc_store.operations.annotate import note
from icc_store.operations.resolve import resolve

DOCUMENT = ANNOTATED


@click.command(
    cls=Command,
    may_be_empty=("text",),
    examples=('icc-store note latest "before the upgrade"', 'icc-store note latest ""'),
)
@snapshot_argument
@click.argument("text")
@source_option
@click.pass_obj
def command(context: Context, *, snapshot: str, text: str, source: str | None) -> None:
    """Write TEXT on SNAP in place of the note it had; an empty TEXT removes it."""
    with context.open() as repository:
        found = resolve(repository, snapshot, source=source, monitor=context.monitor)
        done = note(repository, found.id, text)
    emit_annotated(context, "note", done, lambda one: f"note: {one.note}" if one.note else "no note")
