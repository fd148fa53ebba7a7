"""`icc-store copy`: a second repository."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from icc_store.cli import units
from icc_store.cli.command import Command
from icc_store.cli.context import Context
from icc_store.cli.output import path_fields

if TYPE_CHECKING:
    from icc_store.operations.copy import CopyResult

DOCUMENT = {
    "path": "the directory of the copy",
    "snapshots": "snapshot records copied",
    "annotations": "annotations copied",
    "blocks": "blocks copied",
    "size": "bytes of those blocks",
}


@click.command(
    cls=Command, examples=("icc-store copy /mnt/disk/store", "icc-store --repo ~/store copy /mnt/disk/store")
)
@click.argument("destination", metavar="DEST")
@click.pass_obj
def command(context: Context, /, destination: str) -> None:
    """Bring a second repository at DEST up to date; it is made when it is missing.

    Others may write to either meanwhile. Every block is checked before it is copied. A copy has the same repository
    id and an instance id of its own. It never loses what the first repository lost; `gc` there removes what is
    forgotten.
    """
    from icc_store.opening import create_copy, open_repository
    from icc_store.operations.copy import copy_repository

    path = Path(destination)
    with context.open() as source:
        create_copy(path, source.header)
        with open_repository(path, monitor=context.monitor, clock=context.clock) as target:
            result = copy_repository(source, target, monitor=context.monitor)
    context.monitor.finish()
    document: dict[str, Any] = path_fields(bytes(path.absolute())) | vars(result)
    context.output.emit("copy", document, lambda: [_line(result, path)], summary=True)


def _line(result: CopyResult, path: Path) -> str:
    snapshots = units.plural(result.snapshots, "snapshot")
    return f"copied {snapshots} to {path}: {units.plural(result.blocks, 'new block')} of {units.size(result.size)}"
