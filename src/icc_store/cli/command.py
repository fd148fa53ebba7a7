"""How every command looks: the global options anywhere, examples at the end of its help."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from icc_store.cli.settings import global_options
from icc_store.errors import UsageError


def _help(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        click.echo(context.get_help(), color=context.color)
        context.exit()


HELP_OPTION = click.Option(
    ["-h", "--help"],
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_help,
    help="Show this message and exit.",
)
"""What asks for help. The one that click makes looks for a translation of that sentence at every start: 1 ms."""


class Command(click.Command):
    """A command that also takes the global options and shows examples.

    An empty argument is most often a variable of a shell that is not set, and is refused; `may_be_empty` names the
    parameters for which it means something.
    """

    def __init__(
        self, *arguments: Any, examples: Sequence[str] = (), may_be_empty: Sequence[str] = (), **attributes: Any
    ) -> None:
        super().__init__(*arguments, **attributes)
        self.examples = tuple(examples)
        self._may_be_empty = frozenset(may_be_empty)

    def invoke(self, ctx: click.Context) -> Any:
        for parameter in self.params:
            name = str(parameter.name)
            typed = ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
            if typed and name not in self._may_be_empty:
                refuse_empty(parameter, ctx.params.get(name))
        return super().invoke(ctx)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        return HELP_OPTION

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *global_options(hidden=True)]

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_examples(formatter, self.examples)
        formatter.write("\nThe global options (icc-store --help) may stand here too.\n")


def refuse_empty(parameter: click.Parameter, value: Any) -> None:
    """Raise UsageError for an empty text, or one among several."""
    if value == "" or (isinstance(value, tuple) and "" in value):
        name = parameter.opts[-1] if isinstance(parameter, click.Option) else str(parameter.name).upper()
        raise UsageError(f"{name} is empty", hint="is a variable not set?")


def write_examples(formatter: click.HelpFormatter, examples: Sequence[str]) -> None:
    """The section with the examples, one a line, never wrapped."""
    if examples:
        with formatter.section("Examples"):
            formatter.indent()
            for example in examples:
                formatter.write(f"  {example}\n")
            formatter.dedent()


def snapshot_argument(function: Any) -> Any:
    """The argument SNAP of a command that works on one snapshot."""
    return click.argument("snapshot", metavar="SNAP")(function)


def source_option(function: Any) -> Any:
    """`--source`, which says whose `latest` is meant."""
    option = click.option(
        "--source", metavar="NAME", callback=_source, help="The source that `latest` is of: its name, or its directory."
    )
    return option(function)


def _source(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """The name that a directory of this machine has as a source, when it is given as a path."""
    if value is None or not value.startswith(("/", ".", "~")):
        return value
    from icc_store.fs.identity import default_source  # only for those who name a path

    return default_source([Path(os.path.abspath(os.path.expanduser(value)))])
