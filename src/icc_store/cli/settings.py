"""The global options: accepted before the command and after it, and kept in one place."""

from __future__ import annotations

from typing import Any

import click


class Settings:
    """What the global options say. No dataclass: making one costs every start half a millisecond."""

    def __init__(self) -> None:
        self.repo: str | None = None
        self.json = False
        self.json_lines = False
        self.quiet = False
        self.verbose = 0
        self.progress = "auto"


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if context.get_parameter_source(str(parameter.name)) is click.core.ParameterSource.COMMANDLINE:
        if value == "":
            raise click.BadParameter("it is empty; is a variable not set?", param=parameter)
        setattr(context.obj.settings, str(parameter.name), value)


def global_options(*, hidden: bool) -> list[click.Parameter]:
    """The options that every command understands. After a command they are not listed in its help."""
    return [
        _option("--repo", metavar="DIR", help="The repository to work on.", hidden=hidden),
        _option("--json", is_flag=True, help="Print one JSON document on stdout.", hidden=hidden),
        _option("-q", "--quiet", is_flag=True, help="Print no summary, note or progress.", hidden=hidden),
        _option("-v", "--verbose", count=True, help="Say more; show a traceback when it fails.", hidden=hidden),
        _option(
            "--progress",
            type=click.Choice(["auto", "json", "none"]),
            help="Progress on stderr: on a terminal only, as JSON lines, or never.",
            hidden=hidden,
        ),
    ]


def json_lines_option(function: Any) -> Any:
    """`--json-lines`, for commands that print rows."""
    option = click.option(
        "--json-lines", is_flag=True, expose_value=False, callback=_keep, help="Print one JSON object per line."
    )
    return option(function)


def _option(*names: str, **attributes: Any) -> click.Option:
    return click.Option(list(names), expose_value=False, callback=_keep, **attributes)
