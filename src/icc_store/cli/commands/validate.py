"""`icc-store validate`: check the files of a memory by the rules of its layout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from icc_store.cli import units
from icc_store.cli.command import Command, source_option
from icc_store.cli.context import Context
from icc_store.cli.memory_path import memory_path
from icc_store.cli.memory_report import finding_fields
from icc_store.cli.output import Document, path_fields
from icc_store.entities.findings import named
from icc_store.errors import PartialResult, UsageError
from icc_store.model.paths import display

if TYPE_CHECKING:
    from icc_store.operations.memory.fix_indexes import FixResult
    from icc_store.operations.memory.validate import ValidationResult

_SHOWN_IDS = 5

DOCUMENT = {
    "profile": "the kind of memory",
    "files": "how many files were looked at",
    "entities": "entities, or other records, by type",
    "errors": "how many of the findings are errors",
    "warnings": "how many are warnings",
    "findings": {
        "severity": "error: the memory system cannot use it as it is; warning: worth a look",
        "path": "the file or folder",
        "field": "where in the file, or empty",
        "message": "what is wrong and what was expected",
    },
    "fixed": "with --fix-indexes: before and after, the ids of both snapshots or null; indexes, with path, state "
    "(drifted, broken or missing), added and removed ids. Else null",
}


@click.command(
    cls=Command,
    examples=(
        "icc-store validate                   the memory of this machine's agent",
        "icc-store validate ~/memory --json",
        "icc-store validate --snapshot latest",
        "icc-store validate --fix-indexes     rebuild the indexes, between two snapshots",
    ),
)
@click.argument("path", required=False, metavar="[PATH]")
@click.option("--profile", default="", metavar="NAME", help="The kind of memory, if not what it looks like.")
@click.option("--snapshot", metavar="SNAP", help="Validate the memory in this snapshot.")
@click.option("--fix-indexes", is_flag=True, help="Rebuild index files; a snapshot keeps the old ones.")
@source_option
@click.pass_obj
def command(
    context: Context, *, path: str | None, profile: str, snapshot: str | None, fix_indexes: bool, source: str | None
) -> None:
    """Check the memory in PATH: every entity, index, relationship and setting, and whether they fit together.

    Without PATH, it is this machine's agent memory. Nothing is changed but by --fix-indexes, which takes a snapshot
    before and after. The exit code is 0 when nothing worse than warnings was found, and 3 when there are errors.
    """
    if snapshot is not None and (path or fix_indexes):
        raise UsageError("--snapshot validates what is stored; it takes no PATH and no --fix-indexes")
    if source is not None and snapshot is None and not fix_indexes:
        raise UsageError("--source goes with --snapshot or --fix-indexes")
    fixed = None
    if snapshot is not None:
        result = _stored(context, snapshot, source, profile)
    else:
        where = Path(path) if path else memory_path(context)
        fixed = _fix(context, where, profile, source) if fix_indexes else None
        result = _live(context, where, profile)
    context.monitor.finish()
    context.output.emit("validate", _document(result, fixed), lambda: _lines(result, fixed))
    problems = [*fixed.before.problems, *fixed.after.problems] if fixed and fixed.before and fixed.after else []
    context.output.warnings(problems)
    if result.errors:
        raise PartialResult(f"{units.plural(result.errors, 'error')} in the memory; every other file is sound")
    if problems:
        raise PartialResult(f"{units.plural(len(problems), 'file')} could not be read; the rest is stored")


def _stored(context: Context, spec: str, source: str | None, profile: str) -> ValidationResult:
    from icc_store.operations.memory.validate import validate_snapshot
    from icc_store.operations.resolve import resolve

    with context.open(readonly=True) as repository:
        found = resolve(repository, spec, source=source, monitor=context.monitor)
        return validate_snapshot(repository, found, profile, monitor=context.monitor)


def _live(context: Context, path: Path, profile: str) -> ValidationResult:
    from icc_store.operations.memory.validate import validate_directory

    return validate_directory(path, profile, monitor=context.monitor)


def _fix(context: Context, path: Path, profile: str, source: str | None) -> FixResult:
    from icc_store.cli.usual_snapshot import usual_options
    from icc_store.operations.memory.fix_indexes import fix_indexes
    from icc_store.operations.memory.validate import choose_memory

    choose_memory(path, profile)  # before a repository is made for it
    options = replace(usual_options(context, path, source), profile=profile)
    with context.open_or_make() as repository:
        return fix_indexes(repository, path, options=options, monitor=context.monitor, clock=context.clock)


def _lines(result: ValidationResult, fixed: FixResult | None) -> Iterator[str]:
    if fixed is not None:
        yield from _fix_lines(fixed)
    for path, findings in groupby(result.findings, key=lambda finding: finding.path):
        yield display(path)
        for finding in findings:
            field = f"{display(finding.field.encode())}: " if finding.field else ""
            yield f"  {finding.severity}: {field}{display(finding.message.encode())}"
    total = sum(result.entities.values())
    kinds = ", ".join(
        f"{units.number(count)} {kind or 'of no type'}" for kind, count in result.entities.items() if count
    )
    counted = f", {units.plural(total, 'entity', 'entities')}: {kinds}" if total else ""
    found = "no findings"
    if result.findings:
        found = f"{units.plural(result.errors, 'error')}, {units.plural(result.warnings, 'warning')}"
    yield f"{result.profile.name} memory: {units.plural(result.files, 'file')}{counted}; {found}"


def _fix_lines(fixed: FixResult) -> Iterator[str]:
    if not fixed.changes:
        yield "the index files are right; nothing was changed and no snapshot taken"
        return
    for change in fixed.changes:
        yield f"rebuilt {display(change.path)}, which was {change.state}"
        for verb, ids in (("added", change.added), ("removed", change.removed)):
            if ids:
                more = f" and {units.number(len(ids) - _SHOWN_IDS)} more" if len(ids) > _SHOWN_IDS else ""
                yield f"  {verb} {', '.join(map(named, ids[:_SHOWN_IDS]))}{more}"
    for taken, what in ((fixed.before, "the old index files"), (fixed.after, "the new ones")):
        if taken is not None and taken.snapshot is not None:
            yield f"snapshot {taken.snapshot.id.hex()[:12]} {taken.snapshot.record.name!r} has {what}"


def _document(result: ValidationResult, fixed: FixResult | None) -> Document:
    return {
        "profile": result.profile.name,
        "files": result.files,
        "entities": result.entities,
        "errors": result.errors,
        "warnings": result.warnings,
        "findings": [finding_fields(finding) for finding in result.findings],
        "fixed": None if fixed is None else _fix_document(fixed),
    }


def _fix_document(fixed: FixResult) -> dict[str, Any]:
    taken = {"before": fixed.before, "after": fixed.after}
    ids = {name: one.snapshot.id.hex() if one and one.snapshot else None for name, one in taken.items()}
    rows = [
        path_fields(change.path)
        | {"state": change.state, "added": [*map(named, change.added)], "removed": [*map(named, change.removed)]}
        for change in fixed.changes
    ]
    return {**ids, "indexes": rows}
