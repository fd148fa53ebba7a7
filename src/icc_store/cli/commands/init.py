"""`icc-store init`: make a repository."""

from __future__ import annotations

from pathlib import Path

import click

from icc_store.cli.command import Command
from icc_store.cli.context import Context
from icc_store.cli.output import path_fields
from icc_store.cli.shares import permille_of

DOCUMENT = {
    "path": "the directory of the repository",
    "repository": "its id: 32 hex digits, the same in every copy",
    "instance": "the id of this copy",
    "parity": "the share of damage that can be brought back, as a number between 0 and 1; null without parity",
}


@click.command(
    cls=Command,
    examples=("icc-store --repo /backup/store init", "icc-store init ~/store", "icc-store init ~/store --parity 5%"),
)
@click.argument("directory", required=False)
@click.option("--parity", "share", metavar="SHARE", help="Keep what brings back this share of damage, as 5%.")
@click.pass_obj
def command(context: Context, directory: str | None, *, share: str | None) -> None:
    """Make a repository in DIRECTORY, in the one that --repo names, or in the default place.

    The directory must be missing or empty.
    """
    from icc_store.model.header import read_header
    from icc_store.opening import create_repository

    path = Path(directory) if directory else context.repository.path
    permille = None if share is None else permille_of(share)
    create_repository(path, permille=permille)
    header = read_header(path)
    document = path_fields(bytes(path.absolute()))
    document |= {"repository": header.repository.hex(), "instance": header.instance.hex()}
    document |= {"parity": None if permille is None else permille / 1000}
    context.output.emit("init", document, lambda: [f"made a repository at {path}"], summary=True)
