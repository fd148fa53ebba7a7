"""`icc-store pin`: snapshots that no retention rule may forget."""

from __future__ import annotations

import click

from icc_store.cli.annotated import DOCUMENT as ANNOTATED
from icc_store.cli.annotated import emit_annotated
from icc_store.cli.command import Command, source_option
from icc_store.cli.context import Context
from icc_store.operations.annotate import pin
from icc_store.operations.resolve import resolve

DOCUMENT = ANNOTATED


@click.command(cls=Command, examples=("icc-store pin friday", "icc-store pin friday --off"))
@click.argument("snapshots", nargs=-1, required=True, metavar="SNAP...")
@click.option("--off", "--remove", is_flag=True, help="Take the pin away.")
@source_option
@click.pass_obj
def command(context: Context, *, snapshots: tuple[str, ...], off: bool, source: str | None) -> None:
    """Keep each SNAP whatever the retention rules say."""
    with context.open() as repository:
        found = [resolve(repository, one, source=source, monitor=context.monitor).id for one in snapshots]
        done = pin(repository, found, on=not off)
    emit_annotated(context, "pin", done, lambda one: "pinned" if one.pinned else "not pinned")
