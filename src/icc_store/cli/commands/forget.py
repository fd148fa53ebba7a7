"""`icc-store forget`: snapshots that are no longer wanted."""

from __future__ import annotations

import click

from icc_store.cli.command import Command, source_option
from icc_store.cli.context import Context
from icc_store.cli.forgotten import DOCUMENT as FORGOTTEN
from icc_store.cli.forgotten import emit_forgotten
from icc_store.operations.forget import ForgetOptions, forget
from icc_store.operations.resolve import resolve

DOCUMENT = FORGOTTEN


@click.command(
    cls=Command,
    examples=(
        "icc-store forget friday",
        "icc-store forget 1a2b3c4d 5e6f7a8b --dry-run",
        "icc-store forget friday --purge   without a day to undelete it",
    ),
)
@click.argument("snapshots", nargs=-1, required=True, metavar="SNAP...")
@click.option("--purge", is_flag=True, help="The next gc may remove it; the last full one of a source too.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be forgotten; change nothing.")
@source_option
@click.pass_obj
def command(context: Context, *, snapshots: tuple[str, ...], purge: bool, dry_run: bool, source: str | None) -> None:
    """Forget each SNAP: all of them, or none when one of them must stay.

    A forgotten snapshot is no longer listed. `undelete` brings it back until gc removes it, a day later at the
    soonest. The last full snapshot of a source goes only with --purge, a pinned one not at all.
    """
    with context.open() as repository:
        found = [
            resolve(repository, one, source=source, forgotten=purge, monitor=context.monitor).id for one in snapshots
        ]
        done = forget(repository, found, options=ForgetOptions(purge=purge, dry_run=dry_run))
    verb = "purged" if purge else "forgotten"
    emit_forgotten(context, "forget", done, f"would be {verb}" if dry_run else verb, dry_run=dry_run)
