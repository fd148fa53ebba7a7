"""Writes docs/cli.md from the program itself: its commands, their options and JSON documents, and the error classes.

python -m tools.generate_cli_docs            write it
python -m tools.generate_cli_docs --check    say, by the exit code, whether it is current
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from icc_store import errors
from icc_store.cli import main as program
from icc_store.cli.command import Command, write_examples
from icc_store.cli.entry_fields import ROW as PATH
from icc_store.cli.failures import exit_codes
from icc_store.cli.output import SCHEMA
from icc_store.cli.snapshot_fields import ROW as SNAPSHOT
from icc_store.errors import IccStoreError

TARGET = Path(__file__).resolve().parent.parent / "docs" / "cli.md"
WIDTH = 100
SHARED = (("a snapshot", SNAPSHOT), ("a path", PATH))
"""Objects that many documents hold, described once."""

INTRODUCTION = """\
# The command line

`make docs` writes this page from the program (`tools/generate_cli_docs.py`); a test fails when it is not current.

`icc-store [options] COMMAND ...`. The global options may stand before the command or after it.

Which snapshot: SNAP is, tried in this order, `latest` (`latest~2` is the third newest), a full id, the first six or
more digits of one, a name (the newest of that name), or a local time (`2026-11-01`, `2026-11-01T10:00`: the newest at
or before). `latest` and times look at full snapshots of one source; where there are several, `--source` says which.

Which repository: `--repo`, else `ICC_STORE_REPO`, else `repository` in `config.toml` (in `$XDG_CONFIG_HOME/icc-store`),
else `store` in the memory's `backup_directory` (`~/.claude/memory/backups`) or in `$XDG_DATA_HOME/icc-store`. Only a
default one is made at first use; any other needs `icc-store init`, so that a typo never starts an empty repository.

`config.toml` holds `repository` (an absolute path, or one that starts with `~/`), `source` and `host` (what `--source`
and `--host` of a snapshot are when they are not given), and the settings of a memory: see [settings](settings.md).
"""

JSON = """\
## JSON

With `--json`, a command prints one document on stdout. `schema` is {schema}; it grows when a field changes its meaning
or goes, not when one is added. `command` is the command's name. The other fields stand with each command below.

- A path is a text. Bytes of it that are not UTF-8 are written `\\xNN`, and then the field `path_b64` (for a field of
  another name: that name and `_b64`) has all its bytes in base64.
- A time is in UTC by RFC 3339 with nine digits after the point. Sizes are bytes.
- With `--json-lines`, `ls`, `find`, `list`, `diff`, `history`, `blame` and `search` print their rows alone, one JSON
  object per line.
- When a command fails, the document has `error` (`class`, `message`, `hint`, `exit_code`): alone, or after the fields
  that were printed before.
- With `--progress=json`, stderr has one JSON object per line whose `event` is `phase`, `progress`, `warning`, `note`
  or `waiting`.
"""


def generate() -> str:
    """The whole page."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield INTRODUCTION
    yield "## Exit codes"
    yield ""
    yield "| code | meaning | errors |"
    yield "|---|---|---|"
    for code, meaning in exit_codes().items():
        yield f"| {code} | {_cell(meaning)} | {', '.join(f'`{name}`' for name in _classes(code))} |"
    yield ""
    yield JSON.format(schema=SCHEMA)
    for what, fields in SHARED:
        yield f"The fields of {what}, wherever one stands:\n"
        yield from _table(_fields(fields, shared=False))
    yield "## Global options"
    yield ""
    yield _fenced(_help(program.cli, program.PROGRAM))
    for title, section in program.COMMANDS.items():
        yield f"## {title}\n"
        for name in section:
            yield from _command(name)


def _command(name: str) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    module = importlib.import_module(f"icc_store.cli.commands.{program.module_name(name)}")
    yield _fenced(_help(module.command, name, _context(program.cli, program.PROGRAM)))
    document = getattr(module, "DOCUMENT", None)
    if document:
        yield f"The document of `icc-store --json {name}`:\n"
        yield from _table(_fields(document))


def _table(fields: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield "| field | |"
    yield "|---|---|"
    yield from (f"| `{field}` | {_cell(text)} |" for field, text in fields)
    yield ""


def _fields(document: Mapping[str, Any], above: str = "", *, shared: bool = True) -> Iterator[tuple[str, str]]:
    """Every field by its dotted name. A list of objects has the fields of one of them."""
    for what, fields in SHARED if shared else ():
        if fields.items() <= document.items():
            yield f"{above}*", f"the fields of {what}"
            document = {name: text for name, text in document.items() if name not in fields}
    for name, what in document.items():
        if isinstance(what, Mapping):
            yield from _fields(what, f"{above}{name}.", shared=shared)
        else:
            yield above + name, str(what)


def _context(command: click.Command, name: str, parent: click.Context | None = None) -> click.Context:
    settings = {**command.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    return click.Context(command, info_name=name, parent=parent, **settings)


def _help(command: click.Command, name: str, parent: click.Context | None = None) -> str:
    """A command's help without the sections that this page has once for all."""
    context = _context(command, name, parent)
    formatter = context.make_formatter()
    command.format_usage(context, formatter)
    command.format_help_text(context, formatter)
    click.Command.format_options(command, context, formatter)
    write_examples(formatter, command.examples if isinstance(command, Command) else program.EXAMPLES)
    return formatter.getvalue()


def _classes(code: int) -> list[str]:
    return [
        name
        for name, one in vars(errors).items()
        if isinstance(one, type) and issubclass(one, IccStoreError) and one.exit_code == code
    ]


def _fenced(text: str) -> str:
    return "```text\n" + "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n```\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> int:
    parser = argparse.ArgumentParser(description="write docs/cli.md", prog="python -m tools.generate_cli_docs")
    parser.add_argument("--check", action="store_true", help="only say whether it is current")
    options = parser.parse_args()
    text = generate()
    if options.check:
        if not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text:
            print(f"{TARGET.relative_to(TARGET.parent.parent)} is not current; run `make docs`", file=sys.stderr)
            return 1
        return 0
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
