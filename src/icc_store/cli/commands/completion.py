"""`icc-store completion SHELL`: the script that makes the shell complete commands and options."""

from __future__ import annotations

import click

from icc_store.cli.command import Command
from icc_store.cli.context import Context

DOCUMENT = {"shell": "bash, zsh or fish", "script": "what the shell is to read"}


@click.command(
    cls=Command,
    examples=(
        'eval "$(icc-store completion bash)"    in ~/.bashrc',
        'eval "$(icc-store completion zsh)"     in ~/.zshrc',
        "icc-store completion fish > ~/.config/fish/completions/icc-store.fish",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_obj
def command(context: Context, shell: str) -> None:
    """Print the shell completion for bash, zsh or fish."""
    from click.shell_completion import get_completion_class

    from icc_store.cli.main import COMPLETION_VARIABLE, PROGRAM, cli

    found = get_completion_class(shell)
    script = found(cli, {}, PROGRAM, COMPLETION_VARIABLE).source() if found is not None else ""
    context.output.emit("completion", {"shell": shell, "script": script}, script.splitlines)
