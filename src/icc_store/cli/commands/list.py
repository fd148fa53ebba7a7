"""`icc-store list`: the snapshots of a repository."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from icc_store.cli.command import Command
from icc_store.cli.context import Context
from icc_store.cli.output import path_fields
from icc_store.cli.settings import json_lines_option
from icc_store.cli.snapshot_fields import ROW, short_id, snapshot_fields, snapshot_table
from icc_store.cli.units import plural
from icc_store.model.record import Snapshot
from icc_store.operations.listing import Listing, ListOptions, list_snapshots

DOCUMENT = {
    "repository": "the directory of the repository",
    "total": "how many snapshots it holds, listed or not",
    "total_forgotten": "how many of them are forgotten",
    "snapshots": ROW,
}


@click.command(
    cls=Command,
    examples=(
        "icc-store list --last 5",
        "icc-store list --tag good --source notes",
        "icc-store list --json | jq -r '.snapshots[-1].id'",
    ),
)
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only those with this tag; repeat it for more.")
@click.option("--source", metavar="NAME", help="Only those of this source.")
@click.option("--name", metavar="NAME", help="Only those of this name.")
@click.option("--last", type=click.IntRange(min=1), metavar="N", help="Only the newest N of what fits.")
@click.option("--all", "--forgotten", "forgotten", is_flag=True, help="Forgotten ones as well.")
@json_lines_option
@click.pass_obj
def command(
    context: Context, *, tags: tuple[str, ...], source: str | None, name: str | None, last: int | None, forgotten: bool
) -> None:
    """List the snapshots, the newest at the end."""
    options = ListOptions(tags, source, name, last, forgotten)
    with context.open(readonly=True) as repository:
        listing = list_snapshots(repository, options)
        head = path_fields(bytes(repository.path.absolute()), "repository")

    def as_text(snapshots: Iterable[Snapshot]) -> Iterator[str]:
        yield from snapshot_table(snapshots, context.output.width)
        yield from _foot(listing, options)

    context.output.emit_rows(
        "list",
        listing.snapshots,
        as_json=snapshot_fields,
        as_text=as_text,
        key="snapshots",
        head=head | {"total": listing.total, "total_forgotten": listing.forgotten},
    )


def _foot(listing: Listing, options: ListOptions) -> Iterator[str]:
    """What is wrong with those that are damaged, and a line on what is not listed."""
    for snapshot in listing.snapshots:
        if snapshot.suspect:
            yield f"suspect {short_id(snapshot)}: {snapshot.suspect}"
    if listing.total == 0:
        yield "no snapshot yet; `icc-store snapshot` takes one"
    elif not listing.snapshots:
        yield f"none of {plural(listing.total, 'snapshot')} fits"
    if listing.forgotten and not options.forgotten:
        yield f"({plural(listing.forgotten, 'forgotten snapshot')} not listed; --all lists them)"
