"""`icc-store undelete`: forgotten snapshots back in the list."""

from __future__ import annotations

import click

from icc_store.cli.command import Command, source_option
from icc_store.cli.context import Context
from icc_store.cli.forgotten import DOCUMENT as FORGOTTEN
from icc_store.cli.forgotten import emit_forgotten
from icc_store.operations.forget import ForgetOptions, undelete
from icc_store.operations.resolve import resolve

DOCUMENT = FORGOTTEN


@click.command(cls=Command, examples=("icc-store undelete friday", "icc-store list --forgotten   what can come back"))
@click.argument("snapshots", nargs=-1, required=True, metavar="SNAP...")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would come back; change nothing.")
@source_option
@click.pass_obj
def command(context: Context, *, snapshots: tuple[str, ...], dry_run: bool, source: str | None) -> None:
    """Bring each forgotten SNAP back, as long as gc has not removed it."""
    with context.open() as repository:
        found = [
            resolve(repository, one, source=source, forgotten=True, monitor=context.monitor).id for one in snapshots
        ]
        done = undelete(repository, found, options=ForgetOptions(dry_run=dry_run))
    emit_forgotten(context, "undelete", done, "would be back" if dry_run else "back", dry_run=dry_run)
