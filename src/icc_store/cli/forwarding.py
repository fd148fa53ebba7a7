"""Running one command as another: with its arguments, its output and its exit code."""

from __future__ import annotations

from collections.abc import Sequence

import click


def run_as(name: str, arguments: Sequence[str]) -> None:
    """Run the command `name` as if it had been typed with these arguments. Raises whatever it raises."""
    from icc_store.cli.main import load  # it imports commands, and so this module

    command = load(name)
    with command.make_context(name, list(arguments), parent=click.get_current_context()) as context:
        command.invoke(context)
