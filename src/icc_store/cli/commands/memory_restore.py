"""`icc-store memory-restore`: what `/icc-memory-restore` runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from icc_store.cli.command import Command
from icc_store.cli.commands import restore
from icc_store.cli.context import Context
from icc_store.cli.forwarding import run_as
from icc_store.config import memory_directory
from icc_store.errors import SnapshotNotFound, UsageError

DOCUMENT = restore.DOCUMENT

_FORWARDED = ("types", "entities", "created_after", "created_before", "map")


@click.command(
    cls=Command,
    examples=(
        "icc-store memory-restore --list",
        "icc-store memory-restore",
        "icc-store memory-restore daily-backup --types Learning,Pattern",
        "icc-store memory-restore 2026-11-01 --created-after 2026-10-01 --dry-run",
    ),
)
@click.argument("snapshot", default="latest", metavar="[SNAP]")
@click.option("--list", "listed", is_flag=True, help="List the snapshots, and restore nothing.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be done; do nothing.")
@click.option("--types", multiple=True, metavar="TYPE,...", help="As of `restore`.")
@click.option("--entities", multiple=True, metavar="ID,...", help="As of `restore`.")
@click.option("--created-after", multiple=True, metavar="DATE", help="As of `restore`.")
@click.option("--created-before", multiple=True, metavar="DATE", help="As of `restore`.")
@click.option("--map", multiple=True, metavar="OLD=NEW", help="As of `restore`.")
@click.pass_obj
def command(context: Context, /, snapshot: str, *, listed: bool, dry_run: bool, **given: Any) -> None:
    """Restore this machine's agent memory from SNAP, the newest where none is named, without a question.

    It is `icc-store restore SNAP --yes` to where the memory is, with the arguments in the form that people type after
    `/icc-memory-restore`. `icc-store rollback` undoes it. With --list, the document is that of `icc-store list`.
    """
    if listed:
        run_as("list", [])
        return
    memory = memory_directory(context.environ)
    options = [f"--{option.replace('_', '-')}={value}" for option in _FORWARDED for value in given[option]]
    if dry_run:
        options.append("--dry-run")
    identity = _of_a_memory(context, snapshot, memory)
    run_as("restore", [f"--target={memory}", "--yes", *options, "--", identity])


def _of_a_memory(context: Context, snapshot: str, memory: Path) -> str:
    """The id of the snapshot that is meant. Raises UsageError for one of something else, which would replace it."""
    from icc_store.fs.identity import default_source
    from icc_store.operations.memory.manifest import is_memory
    from icc_store.operations.resolve import is_relative, resolve

    with context.open(readonly=True) as repository:
        source = None
        if is_relative(snapshot):  # `latest` of anything but this memory would replace it by another
            source = context.config.source or default_source([memory.absolute()])
            if not any(each.record.source == source for each in repository.snapshots()):
                raise SnapshotNotFound(
                    f"there is no snapshot of {memory} in this repository",
                    hint="name one of another source by its name or id; --list shows them",
                )
        found = resolve(repository, snapshot, source=source, monitor=context.monitor)
        if not is_memory(repository, found):
            raise UsageError(
                f"snapshot {found.id.hex()[:12]} is of no memory", hint="`icc-store restore` restores anything"
            )
        return found.id.hex()
