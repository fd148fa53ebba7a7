"""`icc-store config`: every setting, and who says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from icc_store.cli.command import Command
from icc_store.cli.context import Context
from icc_store.cli.output import Document, path_fields
from icc_store.cli.table import Column, table
from icc_store.config import memory_directory, settings_for
from icc_store.config.settings import DEFAULT, ZSTD_LEVELS
from icc_store.entities.settings import KEYS
from icc_store.errors import ConfigError
from icc_store.limits import NO_COMPRESSION

if TYPE_CHECKING:
    from icc_store.config.settings import Settings

DOCUMENT = {
    "memory": "the directory whose settings are shown",
    "config": "where the configuration file is, or would be",
    "settings": "key, value and origin of each: `command line`, `environment (NAME)`, a file, or `default`",
    "zstd_levels": "the zstd level of each compression_level",
    "level": "the zstd level that holds; 0: new content is stored as it is",
    "problems": "file, key and message of what is wrong in the memory's own settings",
}


class _Row(NamedTuple):
    key: str
    value: bool | int | float | str | None
    origin: str


@click.command(
    cls=Command,
    examples=(
        "icc-store config                    for the memory of this machine's agent",
        "icc-store config ~/notes            for another memory",
        "icc-store config --json | jq '.settings[] | select(.origin != \"default\")'",
    ),
)
@click.argument("path", required=False, metavar="[PATH]")
@click.pass_obj
def command(context: Context, *, path: str | None) -> None:
    """Show every setting that holds for the memory at PATH, and who says so.

    The first to set a key is heard: an option of a command, the environment (ICC_STORE_ and the key in capitals),
    config.toml, the JSON files in the memory's own config/, the default. Exits with 1 when one of the files holds
    something wrong; the message names file, key and what was expected.
    """
    memory = Path(path).absolute() if path else memory_directory(context.environ)
    settings = settings_for(memory, context.environ, context.config)
    rows = [*_places(context), *(_Row(key, getattr(settings, key), settings.origin(key)) for key in KEYS)]
    document = {
        **path_fields(bytes(memory), "memory"),
        **path_fields(bytes(context.config.path), "config"),
        "settings": [row._asdict() for row in rows],
        "zstd_levels": {str(given): level for given, level in ZSTD_LEVELS.items()},
        "level": settings.level,
        "problems": _problems(settings),
    }
    context.output.emit("config", document, lambda: _lines(rows, settings, context.output.width))
    if settings.problems:
        first, *more = settings.problems
        context.output.warnings([(b"", str(problem)) for problem in more])
        raise ConfigError(str(first), hint="a backup goes on with the default until that is put right")


def _places(context: Context) -> Iterator[_Row]:
    repository = context.repository
    yield _Row("repository", str(repository.path), repository.origin)
    config = context.config
    for key, value in (("source", config.source), ("host", config.host)):
        yield _Row(key, value, DEFAULT if value is None else str(config.path))


def _problems(settings: Settings) -> list[Document]:
    return [
        path_fields(bytes(problem.file), "file") | {"key": problem.key, "message": problem.message}
        for problem in settings.problems
    ]


def _lines(rows: list[_Row], settings: Settings, width: int | None) -> Iterator[str]:
    columns = (Column("key"), Column("value", flexible=True), Column("origin", flexible=True))
    yield from table(columns, ((row.key, _shown(row.value), row.origin) for row in rows), width)
    yield ""
    yield "compression_level  " + "  ".join(f"{given:>2}" for given in ZSTD_LEVELS)
    yield "zstd level         " + "  ".join(f"{level:>2}" for level in ZSTD_LEVELS.values())
    if settings.level == NO_COMPRESSION:
        yield "compression_enabled is false: new content is stored as it is; changed files still as differences"
    else:
        yield f"new content is compressed at zstd level {settings.level}; with compression_enabled = false it is not"


def _shown(value: bool | float | str | None) -> str:
    if value is None:
        return "(by machine and path)"
    return str(value).lower() if isinstance(value, bool) else str(value)
