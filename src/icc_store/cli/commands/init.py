"""`icc-store init`: make a repository."""

from __future__ import annotations

from pathlib import Path

import click

from icc_store.cli.command import Command
from icc_store.cli.context import Context
from icc_store.cli.output import path_fields

DOCUMENT = {
    "path": "the directory of the repository",
    "repository": "its id: 32 hex digits, the same in every copy",
    "instance": "the id of this copy",
}


@click.command(cls=Command, examples=("icc-store --repo /backup/store init", "icc-store init ~/store"))
@click.argument("directory", required=False)
@click.pass_obj
def command(context: Context, directory: str | None) -> None:
    """Make a repository in DIRECTORY, in the one that --repo names, or in the default place.

    The directory must be missing or empty.
    """
    from icc_store.model.header import read_header
    from icc_store.opening import create_repository

    path = Path(directory) if directory else context.repository.path
    create_repository(path)
    header = read_header(path)
    document = path_fields(bytes(path.absolute()))
    document |= {"repository": header.repository.hex(), "instance": header.instance.hex()}
    context.output.emit("init", document, lambda: [f"made a repository at {path}"], summary=True)
