"""`icc-store memory-backup`: what `/icc-memory-backup` runs."""

from __future__ import annotations

import click

from icc_store.cli.command import Command
from icc_store.cli.commands import snapshot
from icc_store.cli.forwarding import run_as

DOCUMENT = snapshot.DOCUMENT


@click.command(
    cls=Command,
    examples=(
        "icc-store memory-backup system-migration-prep",
        "icc-store memory-backup --incremental daily-backup",
        "icc-store memory-backup --config-only pre-settings-change",
        "icc-store memory-backup --high-relevance-only important-patterns",
    ),
)
@click.argument("words", nargs=-1, metavar="[NAME]")
@click.option("--incremental", is_flag=True, help="As of `snapshot`.")
@click.option("--config-only", is_flag=True, help="As of `snapshot`.")
@click.option("--high-relevance-only", is_flag=True, help="As of `snapshot`.")
def command(*, words: tuple[str, ...], incremental: bool, config_only: bool, high_relevance_only: bool) -> None:
    """Take a snapshot of this machine's agent memory, under NAME.

    It is `icc-store snapshot --name NAME` with the arguments in the form that people type after `/icc-memory-backup`.
    NAME may be several words.
    """
    given = {
        "--incremental": incremental,
        "--config-only": config_only,
        "--high-relevance-only": high_relevance_only,
    }
    name = [f"--name={' '.join(words)}"] if words else []
    run_as("snapshot", [*name, *(option for option, wanted in given.items() if wanted)])
