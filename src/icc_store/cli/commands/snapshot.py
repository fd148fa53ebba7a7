"""`icc-store snapshot`: take a snapshot."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from icc_store.cli import units
from icc_store.cli.command import Command
from icc_store.cli.context import Context
from icc_store.cli.memory_path import memory_path
from icc_store.cli.memory_report import (
    MEMORY,
    loss_warnings,
    memory_fields,
    memory_lines,
    memory_warnings,
    require_sound,
)
from icc_store.cli.output import warning_fields
from icc_store.cli.selection import (
    SELECTION,
    require_one_memory,
    selection_fields,
    selection_lines,
    selection_of,
    selection_options,
)
from icc_store.cli.since import SINCE, changes_since, since_fields, since_lines
from icc_store.cli.snapshot_room import with_room
from icc_store.cli.snapshot_settings import by_settings, size_warnings
from icc_store.config import home_directory
from icc_store.config.settings import memory_among
from icc_store.errors import PartialResult, UsageError

if TYPE_CHECKING:
    from icc_store.operations.changes import DiffSummary
    from icc_store.operations.snapshot import SnapshotOptions, SnapshotResult

DOCUMENT = {
    "id": "the snapshot's id, or null when none was made (--dry-run, --skip-if-unchanged)",
    "seq": "its number in the repository",
    "time": "when it was begun",
    "source": "its source",
    "class": "full or selective",
    "root": "the id of its root tree",
    "parent": "the id of the snapshot before it, or null",
    "unchanged": "whether its tree is the very same as the parent's",
    "counters": "files, directories, others, size, new_files, changed_files, unchanged_files, read_bytes, added_plain, "
    "added_stored, duration_ns",
    "fewer_files": "how many files fewer there are than in the parent",
    "problems": "path and message of each file that could not be read",
    "selection": SELECTION,
    "since": SINCE,
    "memory": MEMORY,
}
_PROFILES = "icc, claude-code, codex, gemini, basic-memory or generic"
_SIZE_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def _size(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    """A size with an optional unit: `500k`, `10M`, `2GiB`."""
    if text is None:
        return None
    lowered = text.lower().removesuffix("ib").removesuffix("b")
    digits, unit = (lowered[:-1], lowered[-1]) if lowered[-1:] in _SIZE_UNITS else (lowered, "")
    if not digits.isdecimal():
        raise click.BadParameter(f"{text!r} is not a size like 500K, 10M or 2G")
    return int(digits) * _SIZE_UNITS.get(unit, 1)


@click.command(
    cls=Command,
    may_be_empty=("note",),
    examples=(
        "icc-store snapshot",
        "icc-store snapshot ~/notes --name friday --tag weekly",
        "icc-store snapshot ~/project --exclude '*.tmp' --exclude node_modules/",
        "icc-store snapshot --incremental --name daily-backup",
        "icc-store snapshot --high-relevance-only --name important-patterns",
        "icc-store snapshot --where 'relevance_score >= 0.5 and \"security\" in tags'",
        "pg_dump db | icc-store snapshot --stdin --stdin-name db.sql",
    ),
)
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@click.option("--name", default="", help="A name to find it by.")
@click.option("--tag", "tags", multiple=True, help="A tag of the snapshot; may be given several times.")
@click.option("--note", default="", help="A note on it.")
@click.option("--source", metavar="NAME", help="What it is a snapshot of, for `latest` and retention.")
@click.option("--host", metavar="NAME", help="The machine it is of, if not this one.")
@click.option("--profile", metavar="NAME", help=f"The kind of memory it is of, whatever it looks like: {_PROFILES}.")
@click.option("--incremental", is_flag=True, help="Say what changed since the last full snapshot; there must be one.")
@selection_options
@click.option(
    "--scan-secrets", is_flag=True, help="Warn of new and changed text that looks like a key; with --rehash, of any."
)
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Leave out what matches; as in .gitignore.")
@click.option("--exclude-from", multiple=True, metavar="FILE", help="Patterns from a file, one a line.")
@click.option("--exclude-caches", is_flag=True, help="Leave out directories marked by CACHEDIR.TAG.")
@click.option("--exclude-larger-than", callback=_size, metavar="SIZE", help="Leave out larger files: 500K, 10M, 2G.")
@click.option("--one-file-system", is_flag=True, help="Do not enter other file systems.")
@click.option("--files-from", metavar="FILE", help="Paths from a file, separated by NUL; - for stdin.")
@click.option("--as-path", default="", metavar="PREFIX", help="Store everything below this path.")
@click.option("--rehash", is_flag=True, help="Read every file, whatever its times say.")
@click.option("--skip-if-unchanged", is_flag=True, help="Make no snapshot when nothing changed.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be stored; store nothing.")
@click.option("--stdin", is_flag=True, help="Store what comes on stdin.")
@click.option("--stdin-name", metavar="NAME", help="The file name that stdin is stored under.")
@click.pass_obj
def command(context: Context, /, paths: tuple[str, ...], **given: Any) -> None:
    """Take a snapshot of PATHs; without any, of this machine's agent memory.

    Every snapshot is complete and can be restored by itself, also with --incremental. Only options that choose entities
    of a memory (--config-only to --where) take one that is not: it is selective, is never `latest`, and holds the
    entities that meet all that was asked for.
    """
    from icc_store.model.cleanup_turn import is_due
    from icc_store.operations.snapshot import take_snapshot

    if given["stdin"] != bool(given["stdin_name"]):
        raise UsageError("--stdin and --stdin-name NAME go together")
    where = _paths(context, paths, given)
    settings = context.memory_settings(memory_among(path.absolute() for path in where))
    options = by_settings(_options(context, given, where), settings)
    stream = sys.stdin.buffer if given["stdin"] else None
    with context.open() if options.dry_run else context.open_or_make() as repository:
        monitor, clock = context.monitor, context.clock
        take = partial(take_snapshot, repository, where, options=options, stream=stream, monitor=monitor, clock=clock)
        may_clean_up = settings.automatic_cleanup and stream is None and not options.dry_run
        result = with_room(context, repository, where, options, take, clean_up=may_clean_up)
        changes = changes_since(repository, result, context.monitor)
        to_clean_up = not options.dry_run and settings.automatic_cleanup and is_due(repository, context.clock.now_ns())
    context.monitor.finish()
    context.output.emit("snapshot", _document(result, changes), lambda: _lines(result, changes, options), summary=True)
    context.output.warnings([*result.problems, *memory_warnings(result, verbose=context.settings.verbose > 0)])
    context.output.warnings([*size_warnings(result, settings), *loss_warnings(result)])
    if to_clean_up:
        from icc_store.cli.cleanup import clean_up_after_snapshot  # once a day

        clean_up_after_snapshot(context)
    require_sound(result)
    if result.problems:
        raise PartialResult(f"{units.plural(len(result.problems), 'file')} could not be read; the rest is stored")


def _paths(context: Context, paths: tuple[str, ...], given: dict[str, Any]) -> list[Path]:
    where = [Path(path) for path in paths]
    listed = given["files_from"]
    if given["stdin"]:
        if where or listed:
            raise UsageError("--stdin stores one stream; it takes no paths")
        return []
    if listed:
        data = sys.stdin.buffer.read() if listed == "-" else _read(listed)
        where += [Path(os.fsdecode(name)) for name in data.split(b"\0") if name]
        if not where:
            raise UsageError(f"{listed} names no paths", hint="separate them by NUL, as `find -print0` does")
    return where or [memory_path(context)]


def _check_together(options: SnapshotOptions, where: list[Path]) -> None:
    """Raises UsageError for options that would have no effect together."""
    if options.selection is not None:
        require_one_memory(options, where)
    if not options.scan_secrets:
        return
    if options.dry_run:
        raise UsageError("--scan-secrets looks at what is stored, and --dry-run stores nothing")
    from icc_store.entities.profiles import GENERIC
    from icc_store.operations.memory.profile_choice import choose_profile
    from icc_store.operations.snapshot_roots import is_single_directory

    single = is_single_directory(where, options.as_path)
    if choose_profile(where, options.profile, single=single) is GENERIC:
        raise UsageError(
            "--scan-secrets looks through a memory, and this is none that is known",
            hint=f"--profile NAME says which kind it is: {_PROFILES}",
        )


def _options(context: Context, given: dict[str, Any], where: list[Path]) -> SnapshotOptions:
    from icc_store.operations.snapshot import SnapshotOptions

    if given["name"]:
        from icc_store.operations.resolve import check_name

        check_name(given["name"])
    patterns = list(given["exclude"])
    for file in given["exclude_from"]:
        patterns += _read(file).decode("utf-8", "surrogateescape").splitlines()
    options = SnapshotOptions(
        name=given["name"],
        tags=given["tags"],
        note=given["note"],
        source=given["source"] or context.config.source or "",
        host=given["host"] or context.config.host or "",
        exclude=tuple(patterns),
        exclude_caches=given["exclude_caches"],
        exclude_larger_than=given["exclude_larger_than"],
        one_file_system=given["one_file_system"],
        as_path=_stored(given["as_path"], "--as-path"),
        profile=given["profile"] or "",
        selection=selection_of(given),
        incremental=given["incremental"],
        scan_secrets=given["scan_secrets"],
        home=home_directory(context.environ),
        stdin_name=_stored(given["stdin_name"] or "", "--stdin-name"),
        rehash=given["rehash"],
        skip_if_unchanged=given["skip_if_unchanged"],
        dry_run=given["dry_run"],
    )
    _check_together(options, where)
    return options


def _stored(text: str, option: str) -> bytes:
    from icc_store.model.paths import normalise

    try:
        path = normalise(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None
    if option == "--stdin-name" and b"/" in path:
        raise UsageError(f"--stdin-name is a file name, not a path: {text!r}")
    return path


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None


def _document(result: SnapshotResult, changes: DiffSummary | None) -> dict[str, Any]:
    made = result.snapshot
    return {
        "id": made.id.hex() if made else None,
        "seq": made.record.seq if made else None,
        "time": units.utc_time(made.record.time_ns) if made else None,
        "source": made.record.source if made else None,
        "class": made.record.kind.value if made else None,
        "root": made.record.root.hex() if made else None,
        "parent": result.parent.id.hex() if result.parent else None,
        "unchanged": result.unchanged,
        "counters": vars(result.counters),
        "fewer_files": result.fewer_files,
        "problems": warning_fields(result.problems),
        "selection": selection_fields(result.left_out),
        "since": since_fields(result.since, changes),
        "memory": memory_fields(result),
    }


def _lines(result: SnapshotResult, changes: DiffSummary | None, options: SnapshotOptions) -> Iterator[str]:
    counted = result.counters
    if result.snapshot is not None:
        name = f" {result.snapshot.record.name!r}" if result.snapshot.record.name else ""
        yield f"snapshot {result.snapshot.id.hex()[:12]}{name}"
    elif options.dry_run:
        yield "nothing was stored (dry run)"
    else:
        yield "nothing has changed; no snapshot was made"
    found = f"{units.number(counted.new_files)} new, {units.number(counted.changed_files)} changed"
    found += f", {units.number(counted.unchanged_files)} unchanged"
    if result.fewer_files:
        found += f"; {units.number(result.fewer_files)} fewer than before"
    yield f"  {units.plural(counted.files, 'file')} of {units.size(counted.size)}: {found}"
    verb = "would add" if options.dry_run else "added"
    stored = "" if options.dry_run else f", stored in {units.size(counted.added_stored)}"
    took = units.duration(counted.duration_ns)
    yield f"  {verb} {units.size(counted.added_plain)}{stored}, in {took}"
    yield from since_lines(result.since, changes)
    yield from selection_lines(result.left_out)
    yield from memory_lines(result)
