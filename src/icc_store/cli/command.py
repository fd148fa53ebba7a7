"""How every command looks: the global options anywhere, examples at the end of its help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from icc_store.cli.settings import global_options


class Command(click.Command):
    """A command that also takes the global options and shows examples."""

    def __init__(self, *arguments: Any, examples: Sequence[str] = (), **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.examples = tuple(examples)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *global_options(hidden=True)]

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_examples(formatter, self.examples)
        formatter.write("\nThe global options (icc-store --help) may stand here too.\n")


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
    return click.option("--source", metavar="NAME", help="The source that `latest` is of.")(function)
