"""`icc-store parity`: what brings damaged blocks back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from icc_store.cli.command import Command
from icc_store.cli.context import Context
from icc_store.cli.output import Document
from icc_store.cli.shares import percent, permille_of
from icc_store.cli.units import plural, size
from icc_store.errors import NeedsAttention

if TYPE_CHECKING:
    from icc_store.operations.parity import ParityStatus

DOCUMENT = {
    "on": "whether the repository has parity; if not, nothing else is here",
    "share": "the damage it is made for, as a number between 0 and 1",
    "groups": "how many files of sums there are",
    "covered": "blocks that the sums are of",
    "copied": "newer blocks, of which there are second copies",
    "uncovered": "blocks of which there is neither; the next command that writes, or `parity`, sees to them",
    "removed": "blocks in the sums that are no longer in the database",
    "sums": "how many sums there are, 4,096 bytes each",
    "damaged_sums": "how many of them are damaged",
    "damaged_lists": "how many pages of their lists are damaged, of which half would be enough",
    "unreadable": "names of parity files that are too damaged to be of use",
    "size": "bytes of all parity files",
}

_STATUS, _OFF = "status", "off"


@click.command(
    cls=Command,
    examples=(
        "icc-store parity 5%       bring back up to 5% of damage from now on",
        "icc-store parity          what there is, and whether it is whole",
        "icc-store parity off      remove it",
    ),
)
@click.argument("what", required=False, default=_STATUS, metavar="[SHARE|off|status]")
@click.pass_obj
def command(context: Context, what: str) -> None:
    """Keep what brings damaged blocks back, or say what there is of it.

    With parity, `repair` brings everything back as long as no more than SHARE of the pages of database and parity
    together are damaged, wherever they are; of the newest blocks, which are kept twice until there are enough of them,
    as long as no page of both copies is. It takes a little more than SHARE of what is stored, at least 200 KiB, and
    is kept in `parity/` beside the database. Naming a SHARE again makes all of it anew. A copy of the repository has
    parity of its own, or none.
    """
    from icc_store.operations.parity import renew, status, turn_off, turn_on

    if what == _STATUS:
        with context.open(readonly=True) as repository:
            found = status(repository) if repository.header.has_parity else None
    elif what == _OFF:
        with context.open(exclusive=True) as repository:
            turn_off(repository)
        found = None
    else:
        permille = permille_of(what)
        with context.open(exclusive=True) as repository:
            if not repository.header.has_parity:
                turn_on(repository, permille)
        with context.open() as repository:
            renew(repository, permille=permille, everything=True, monitor=context.monitor)
            found = status(repository)
    context.monitor.finish()
    document: Document = {"on": False} if found is None else _document(found)
    context.output.emit("parity", document, lambda: _lines(found))
    if found is not None and not found.whole:
        raise NeedsAttention("parity is not whole", hint="run `icc-store verify`, then `icc-store parity SHARE` again")


def _document(found: ParityStatus) -> Document:
    counts = ("groups", "covered", "copied", "uncovered", "removed", "sums", "damaged_sums", "damaged_lists", "size")
    document: Document = {"on": True, "share": found.permille / 1000, "unreadable": list(found.unreadable)}
    return document | {name: getattr(found, name) for name in counts}


def _lines(found: ParityStatus | None) -> Iterator[str]:
    if found is None:
        yield "no parity: `icc-store parity 5%` makes it"
        return
    yield f"parity for {percent(found.permille)} of damage, {size(found.size)}"
    yield (
        f"{plural(found.covered, 'block')} in {plural(found.sums, 'sum')} of {plural(found.groups, 'group')}"
        f", {plural(found.copied, 'newer block')} kept twice"
    )
    if found.removed:
        yield f"{plural(found.removed, 'block')} in the sums are no longer in the repository"
    if found.uncovered:
        yield f"{plural(found.uncovered, 'block')} not covered yet"
    if found.damaged_sums:
        yield f"{plural(found.damaged_sums, 'sum')} damaged"
    if found.damaged_lists:
        yield f"{plural(found.damaged_lists, 'page')} of lists damaged"
    for name in found.unreadable:
        yield f"damaged: {name}"
