"""`icc-store tag`: tags of a snapshot."""

from __future__ import annotations

import click

from icc_store.cli.annotated import DOCUMENT as ANNOTATED
from icc_store.cli.annotated import emit_annotated
from icc_store.cli.command import Command, snapshot_argument, source_option
from icc_store.cli.context import Context
from icc_store.operations.annotate import TagOptions, tag
from icc_store.operations.resolve import resolve

DOCUMENT = ANNOTATED


@click.command(cls=Command, examples=("icc-store tag latest good", "icc-store tag friday good before-upgrade --remove"))
@snapshot_argument
@click.argument("tags", nargs=-1, required=True, metavar="TAG...")
@click.option("--remove", is_flag=True, help="Take these tags away instead.")
@source_option
@click.pass_obj
def command(context: Context, *, snapshot: str, tags: tuple[str, ...], remove: bool, source: str | None) -> None:
    """Add each TAG to SNAP, or remove it."""
    options = TagOptions(remove=tags) if remove else TagOptions(add=tags)
    with context.open() as repository:
        found = resolve(repository, snapshot, source=source, monitor=context.monitor)
        done = tag(repository, [found.id], options)
    emit_annotated(context, "tag", done, lambda one: f"tags: {', '.join(one.tags) or 'none'}")
