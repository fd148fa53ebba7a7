"""`icc-store optimize`: write what has become cold anew, for size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from icc_store.cli import units
from icc_store.cli.command import Command
from icc_store.cli.context import Context
from icc_store.limits import COLD_LEVEL

if TYPE_CHECKING:
    from icc_store.operations.optimize import OptimizeResult

DOCUMENT = {
    "dry_run": "whether nothing was changed",
    "due": "whether there was anything that no run before had looked at",
    "complete": "whether everything has been looked at now",
    "objects": "objects that were written anew",
    "blocks": "blocks that they are in now",
    "bytes_before": "stored bytes of these objects before",
    "bytes_after": "stored bytes of these objects now",
    "reusable": "bytes of the database file that new snapshots can fill",
    "given_back": "bytes given back to the disk by --compact",
}


@click.command(
    cls=Command,
    examples=(
        "icc-store optimize --dry-run         what it would save; takes as long",
        "icc-store optimize --compact         and give freed bytes back to the disk",
        "icc-store optimize --level 12        twice as fast, a few percent larger",
    ),
)
@click.option("--level", type=click.IntRange(min=1, max=22), default=COLD_LEVEL, show_default=True, help="zstd level.")
@click.option("--compact", is_flag=True, help="Shrink the database file; nobody else may use it meanwhile.")
@click.option("-n", "--dry-run", is_flag=True, help="Do the work and store nothing of it.")
@click.pass_obj
def command(context: Context, /, level: int, *, compact: bool, dry_run: bool) -> None:
    """Write what is stored anew, for size: all versions of a file together.

    Nothing is removed and nothing else changes: every snapshot stays as it is, and is proven while it is read. It can
    be stopped at any time; what is done stays done, and the next run goes on. Snapshots can be taken meanwhile, but
    for --compact. `gc` does this by itself when it pays.
    """
    from icc_store.operations.optimize import OptimizeOptions, optimize

    compact = compact and not dry_run
    with context.open(exclusive=compact) as repository:
        options = OptimizeOptions(level=level, dry_run=dry_run)
        result = optimize(repository, options=options, monitor=context.monitor, clock=context.clock)
        if result.blocks and not dry_run and repository.header.has_parity:
            from icc_store.operations.parity import renew

            renew(repository, everything=compact, monitor=context.monitor)
        given_back = repository.compact() if compact else 0
    context.monitor.finish()
    context.output.emit("optimize", _document(result, given_back), lambda: _lines(result, given_back, compact=compact))


def _document(result: OptimizeResult, given_back: int) -> dict[str, Any]:
    fields = vars(result)
    return {name: fields[name] for name in DOCUMENT if name in fields} | {"given_back": given_back}


def _lines(result: OptimizeResult, given_back: int, *, compact: bool) -> Iterator[str]:
    if not result.due:
        yield "nothing was added since it was last optimized"
    else:
        would, became = ("would be ", "would become") if result.dry_run else ("", "became")
        share = f" ({result.bytes_after / result.bytes_before:.0%})" if result.bytes_before else ""
        yield (
            f"{units.plural(result.objects, 'object')} {would}written anew: {units.size(result.bytes_before)} {became} "
            f"{units.size(result.bytes_after)}{share}"
        )
    if not result.dry_run:
        hint = "" if compact or not result.reusable else " (--compact gives them back to the disk)"
        yield f"{units.size(given_back)} given back, {units.size(0 if compact else result.reusable)} reusable{hint}"
