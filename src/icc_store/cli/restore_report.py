"""What a restore or a rollback would do and did: as lines for people, as JSON, as an exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from icc_store.cli import units
from icc_store.cli.context import Context
from icc_store.cli.entry_fields import type_name
from icc_store.cli.harmless import harmless
from icc_store.cli.memory_report import finding_fields
from icc_store.cli.output import Document, path_fields, paths_fields
from icc_store.cli.snapshot_fields import ROW as SNAPSHOT
from icc_store.cli.snapshot_fields import described, short_id, snapshot_fields
from icc_store.errors import DamageError, IccStoreError, PartialResult, UsageError
from icc_store.model.paths import display
from icc_store.operations.restore_plan import Action

if TYPE_CHECKING:
    from icc_store.model.record import Snapshot
    from icc_store.operations.memory.restore import MemoryRestoreResult
    from icc_store.operations.restore import RestoreResult
    from icc_store.operations.restore_plan import Failure, RestorePlan
    from icc_store.operations.restore_steps import PlannedStep

DOCUMENT = {
    "snapshot": SNAPSHOT,
    "target": "the directory restored to",
    "dry_run": "whether this is only the plan",
    "counts": "entries by what was done: keep, leave, make, replace, update, link, blocked, refused, broken",
    "size": "bytes of files written",
    "removed": "names removed; in a plan, files removed",
    "failures": "path, message and damage (whether the repository is damaged there) of what was not restored",
    "skipped": "files whose ownership, xattrs or modes could not be given: how many",
    "checked": "files and links read back: of a memory, and with --verify; else null",
    "duration_ns": "how long it took; null for a plan",
    "safety": "the id of the safety copy that was taken, or null",
    "memory": {
        "entities": "entities that were brought back, by type; `memory` is null of what is none, and in a plan",
        "integrity_hash": "of all files that came back, and equal to that of the snapshot; null of a part of it",
        "moved": "paths that entities are gone from, since they were restored to another one",
        "mapped": "how many paths were rewritten in configuration files",
        "rebuilt": "index files that were made anew",
        "present": "entities that the memory has now, by type",
        "findings": "severity, path, field and message of what validation finds in the memory now",
        "errors_in_backup": "errors that validation finds in the snapshot; null without a safety copy",
    },
    "steps": "with --dry-run: path, action (or remove), type and size of every step",
}

_VERBS = {
    Action.MAKE: "make",
    Action.REPLACE: "replace",
    Action.UPDATE: "update",
    Action.LINK: "link",
    Action.LEAVE: "leave",
    Action.BLOCKED: "blocked",
    Action.REFUSED: "refused",
    Action.BROKEN: "broken",
    None: "remove",
}


def raise_for(failures: Sequence[Failure], *, dry_run: bool = False) -> None:
    """Raise DamageError or PartialResult where something was not restored."""
    if not failures:
        return
    what = f"{units.plural(len(failures), 'path')} {'cannot be' if dry_run else 'could not be'} restored"
    if any(failure.damage for failure in failures):
        raise DamageError(f"{what}, some because the repository is damaged", hint="run `icc-store verify`")
    raise PartialResult(f"{what}; the rest is there" if not dry_run else what)


# ------------------------------------------------------------------ the question


def check_can_ask(context: Context) -> None:
    """Raise UsageError when nobody can answer a question."""
    if context.settings.json or not sys.stdin.isatty():
        raise UsageError(
            "restoring to where the files were asks first, and there is nobody to ask",
            hint="say --yes, or restore to another directory with --target",
        )


def ask(context: Context, plan: RestorePlan, *, elsewhere: int = 0) -> None:
    """Say what a plan would do, and raise IccStoreError unless the answer is yes."""
    context.monitor.finish()
    context.stderr.write("".join(f"{harmless(line)}\n" for line in _plan_summary(plan, elsewhere)))
    if not click.confirm("go on?", err=True):
        raise IccStoreError("nothing was restored")


# ------------------------------------------------------------------ a plan


def emit_plan(
    context: Context, command: str, plan: RestorePlan, steps: Iterator[PlannedStep], *, elsewhere: int = 0
) -> None:
    """Print what would be done. `elsewhere`: how many of the steps at the end remove an entity from another path."""

    def as_text(rows: Iterable[PlannedStep]) -> Iterator[str]:
        for step in rows:
            length = units.size(step.size) if type_name(step.mode) == "file" or step.action is None else ""
            slash = "/" if type_name(step.mode) == "directory" else ""
            yield f"{_VERBS[step.action]:8}{length:>9}  {display(step.path)}{slash}"
        yield from _plan_summary(plan, elsewhere)

    head = {
        "snapshot": snapshot_fields(plan.snapshot),
        **path_fields(bytes(plan.target.absolute()), "target"),
        "dry_run": True,
        "counts": _count_fields(plan.totals.counts),
        "size": plan.totals.size,
        "removed": plan.totals.removed_files + elsewhere,
        "failures": [_failure_fields(failure) for failure in plan.failures],
        "skipped": {},
        "checked": None,
        "duration_ns": None,
        "safety": None,
        "memory": None,
    }
    context.output.emit_rows(command, steps, as_json=_step_fields, as_text=as_text, key="steps", head=head)


def _plan_summary(plan: RestorePlan, elsewhere: int) -> Iterator[str]:
    totals, target = plan.totals, display(bytes(plan.target.absolute()))
    if not (totals.changes or elsewhere):
        yield f"nothing to do: {target} is as the snapshot says"
        return
    yield f"restoring {described(plan.snapshot)} to {target} would {_doings(totals.counts, totals.size)}"
    if totals.removed_files:
        yield f"  and remove {units.plural(totals.removed_files, 'file')} of {units.size(totals.removed_size)}"
    if elsewhere:
        yield f"  and move {units.plural(elsewhere, 'entity', 'entities')} from another path"


def _doings(counts: dict[Action, int], size: int) -> str:
    words = [
        f"{verb} {units.number(counts[action])}"
        for action, verb in ((Action.MAKE, "make"), (Action.REPLACE, "replace"), (Action.UPDATE, "update"))
        if counts[action]
    ]
    if counts[Action.LINK]:
        words.append(f"link {units.number(counts[Action.LINK])}")
    return f"{', '.join(words) or 'write nothing'} ({units.size(size)}), keep {units.number(counts[Action.KEEP])}"


# ------------------------------------------------------------------ a result


def emit_result(
    context: Context,
    command: str,
    snapshot: Snapshot,
    result: RestoreResult,
    failures: Sequence[Failure],
    *,
    safety: Snapshot | None = None,
    memory: MemoryRestoreResult | None = None,
) -> None:
    """Print what was done."""
    context.monitor.finish()
    document = {
        "snapshot": snapshot_fields(snapshot),
        **_fields(result, failures),
        "safety": safety.id.hex() if safety is not None else None,
        "memory": None if memory is None else _memory_fields(memory),
    }

    def lines() -> Iterator[str]:
        yield from _lines(result, described(snapshot))
        if memory is not None:
            yield from _memory_lines(memory)
        if safety is not None:
            yield f"  what was there before is safety copy {short_id(safety)}: `icc-store rollback` brings it back"

    context.output.emit(command, document, lines, summary=True)
    context.output.warnings([(failure.path, failure.message) for failure in failures])


def _lines(result: RestoreResult, snapshot: str) -> Iterator[str]:
    counts = result.counts
    written = counts[Action.MAKE] + counts[Action.REPLACE] + counts[Action.LINK]
    yield f"restored {snapshot} to {display(bytes(result.target.absolute()))} in {units.duration(result.duration_ns)}"
    yield f"  {units.number(written)} written ({units.size(result.size)}), {units.number(counts[Action.KEEP])} kept"
    if counts[Action.UPDATE]:
        yield f"  {units.number(counts[Action.UPDATE])} given other metadata"
    if counts[Action.LEAVE]:
        yield f"  {units.number(counts[Action.LEAVE])} left as they are, since nothing is overwritten"
    if result.removed:
        yield f"  {units.plural(result.removed, 'name')} removed"
    if result.skipped.ownership:
        yield f"  owners of {units.plural(result.skipped.ownership, 'path')} not given back: only root may do that"
    if result.skipped.xattrs:
        yield f"  extended attributes of {units.plural(result.skipped.xattrs, 'path')} could not be given back"
    if result.skipped.modes:
        yield f"  modes of {units.plural(result.skipped.modes, 'path')} could not be given back"
    if result.checked is not None:
        yield f"  {units.plural(result.checked, 'path')} read back and compared"


def _memory_lines(memory: MemoryRestoreResult) -> Iterator[str]:
    kinds = ", ".join(f"{units.number(count)} {kind}" for kind, count in memory.entities.items() if count)
    if kinds:
        yield f"  entities: {kinds}"
    if memory.digest is not None:
        yield "  together they have the integrity hash of the snapshot"
    if memory.moved:
        yield f"  {units.plural(len(memory.moved), 'entity', 'entities')} moved from another path"
    if memory.mapped:
        yield f"  {units.plural(memory.mapped, 'path')} rewritten in the configuration"
    if memory.rebuilt:
        yield f"  {units.plural(len(memory.rebuilt), 'index file')} made anew"
    errors = sum(finding.severity == "error" for finding in memory.findings)
    if memory.findings:
        found = f"{units.plural(errors, 'error')} and {units.plural(len(memory.findings) - errors, 'warning')}"
        yield f"  the memory has {found} now: `icc-store validate` lists them"


def _memory_fields(memory: MemoryRestoreResult) -> Document:
    errors = sum(finding.severity == "error" for finding in memory.backup_findings or ())
    return {
        "entities": memory.entities,
        "integrity_hash": None if memory.digest is None else f"sha256:{memory.digest.hex()}",
        **paths_fields(memory.moved, "moved"),
        "mapped": memory.mapped,
        **paths_fields(memory.rebuilt, "rebuilt"),
        "present": memory.present,
        "findings": [finding_fields(finding) for finding in memory.findings],
        "errors_in_backup": None if memory.backup_findings is None else errors,
    }


def _fields(result: RestoreResult, failures: Sequence[Failure]) -> Document:
    return path_fields(bytes(result.target.absolute()), "target") | {
        "dry_run": False,
        "counts": _count_fields(result.counts),
        "size": result.size,
        "removed": result.removed,
        "failures": [_failure_fields(failure) for failure in failures],
        "skipped": vars(result.skipped),
        "checked": result.checked,
        "duration_ns": result.duration_ns,
    }


def _count_fields(counts: dict[Action, int]) -> Document:
    return {action.name.lower(): count for action, count in counts.items() if action is not Action.PASS}


def _failure_fields(failure: Failure) -> Document:
    return path_fields(failure.path) | {"message": failure.message, "damage": failure.damage}


def _step_fields(step: PlannedStep) -> Document:
    return path_fields(step.path) | {
        "action": _VERBS[step.action],
        "type": type_name(step.mode),
        "size": step.size,
    }
