"""`icc-store restore`: a snapshot, or parts of it, back onto the disk."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from icc_store.cli import units
from icc_store.cli.command import Command, snapshot_argument, source_option
from icc_store.cli.context import Context
from icc_store.cli.entry_fields import type_name
from icc_store.cli.output import Document, path_fields
from icc_store.cli.snapshot_fields import ROW as SNAPSHOT
from icc_store.cli.snapshot_fields import described, snapshot_fields
from icc_store.errors import DamageError, IccStoreError, PartialResult, UsageError
from icc_store.model.paths import display
from icc_store.operations.resolve import resolve, stored_path
from icc_store.operations.restore_plan import Action, Overwrite, RestoreOptions

if TYPE_CHECKING:
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
    "checked": "files read back with --verify, else null",
    "duration_ns": "how long it took; null for a plan",
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


@click.command(
    cls=Command,
    examples=(
        "icc-store restore latest --target back     all of it, into another directory",
        "icc-store restore friday notes/todo.md     one file, back where it was",
        "icc-store restore latest --delete --dry-run",
    ),
)
@snapshot_argument
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@click.option("-t", "--target", metavar="DIR", help="Restore to this directory, and not to where it was.")
@click.option("--delete", is_flag=True, help="Remove what the snapshot does not have, but nothing it left out.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be done; do nothing.")
@click.option(
    "--overwrite",
    type=click.Choice([one.value for one in Overwrite]),
    default=Overwrite.CHANGED.value,
    help="Which files that are there are written: never any, those of another size or time (the default), all.",
)
@click.option("--verify", is_flag=True, help="Read everything back and compare.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--numeric-ids", is_flag=True, help="Owners by number, whatever their names.")
@source_option
@click.pass_obj
def command(
    context: Context,
    /,
    snapshot: str,
    paths: tuple[str, ...],
    *,
    target: str | None,
    delete: bool,
    dry_run: bool,
    overwrite: str,
    verify: bool,
    yes: bool,
    numeric_ids: bool,
    source: str | None,
) -> None:
    """Restore SNAP, or each PATH in it, to DIR; without --target, to where it was, after a question.

    What is there already with the same size and time stays as it is. Of a snapshot of one directory the contents
    stand directly in DIR, of several paths under their stored paths.
    """
    from icc_store.operations.restore import execute
    from icc_store.operations.restore_planner import plan_restore

    about = os.fsencode(os.path.abspath(target or paths[0])) if target or paths else None
    with context.open(readonly=True) as repository:
        found = resolve(repository, snapshot, source=source, path=about, monitor=context.monitor)
        options = RestoreOptions(
            target=Path(target) if target else None,
            paths=tuple(stored_path(found.record, path) for path in paths),
            delete=delete,
            overwrite=Overwrite(overwrite),
            verify=verify,
            numeric_ids=numeric_ids,
        )
        if target is None and not (yes or dry_run):
            _check_can_ask(context)
        plan = plan_restore(repository, found, options=options, monitor=context.monitor)
        context.monitor.finish()
        if dry_run:
            from icc_store.operations.restore_steps import planned_steps

            _emit_plan(context, plan, planned_steps(repository, plan))
            failures: tuple[Failure, ...] = plan.failures
        else:
            if target is None and not yes and plan.totals.changes:
                _ask(context, plan)
            result = execute(repository, plan, monitor=context.monitor, clock=context.clock)
            context.monitor.finish()
            document = {"snapshot": snapshot_fields(found), **_fields(result)}
            context.output.emit("restore", document, lambda: _lines(result, described(found)), summary=True)
            failures = result.failures
    context.output.warnings([(failure.path, failure.message) for failure in failures])
    _raise_for(failures, dry_run=dry_run)


def _raise_for(failures: tuple[Failure, ...], *, dry_run: bool) -> None:
    if not failures:
        return
    what = f"{units.plural(len(failures), 'path')} {'cannot be' if dry_run else 'could not be'} restored"
    if any(failure.damage for failure in failures):
        raise DamageError(f"{what}, some because the repository is damaged", hint="run `icc-store verify`")
    raise PartialResult(f"{what}; the rest is there" if not dry_run else what)


# ------------------------------------------------------------------ the question


def _check_can_ask(context: Context) -> None:
    if context.settings.json or not sys.stdin.isatty():
        raise UsageError(
            "restoring to where the files were asks first, and there is nobody to ask",
            hint="say --yes, or restore to another directory with --target",
        )


def _ask(context: Context, plan: RestorePlan) -> None:
    context.stderr.write("".join(f"{line}\n" for line in _plan_summary(plan)))
    if not click.confirm("go on?", err=True):
        raise IccStoreError("nothing was restored")


# ------------------------------------------------------------------ output


def _emit_plan(context: Context, plan: RestorePlan, steps: Iterator[PlannedStep]) -> None:
    def as_text(rows: Iterable[PlannedStep]) -> Iterator[str]:
        for step in rows:
            length = units.size(step.size) if type_name(step.mode) == "file" or step.action is None else ""
            slash = "/" if type_name(step.mode) == "directory" else ""
            yield f"{_VERBS[step.action]:8}{length:>9}  {display(step.path)}{slash}"
        yield from _plan_summary(plan)

    head = {
        "snapshot": snapshot_fields(plan.snapshot),
        **path_fields(bytes(plan.target.absolute()), "target"),
        "dry_run": True,
        "counts": _count_fields(plan.totals.counts),
        "size": plan.totals.size,
        "removed": plan.totals.removed_files,
        "failures": [_failure_fields(failure) for failure in plan.failures],
        "skipped": {},
        "checked": None,
        "duration_ns": None,
    }
    context.output.emit_rows("restore", steps, as_json=_step_fields, as_text=as_text, key="steps", head=head)


def _plan_summary(plan: RestorePlan) -> Iterator[str]:
    totals, target = plan.totals, display(bytes(plan.target.absolute()))
    if not totals.changes:
        yield f"nothing to do: {target} is as the snapshot says"
        return
    yield f"restoring {described(plan.snapshot)} to {target} would {_doings(totals.counts, totals.size)}"
    if totals.removed_files:
        yield f"  and remove {units.plural(totals.removed_files, 'file')} of {units.size(totals.removed_size)}"


def _doings(counts: dict[Action, int], size: int) -> str:
    words = [
        f"{verb} {units.number(counts[action])}"
        for action, verb in ((Action.MAKE, "make"), (Action.REPLACE, "replace"), (Action.UPDATE, "update"))
        if counts[action]
    ]
    if counts[Action.LINK]:
        words.append(f"link {units.number(counts[Action.LINK])}")
    return f"{', '.join(words) or 'write nothing'} ({units.size(size)}), keep {units.number(counts[Action.KEEP])}"


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


def _fields(result: RestoreResult) -> Document:
    return path_fields(bytes(result.target.absolute()), "target") | {
        "dry_run": False,
        "counts": _count_fields(result.counts),
        "size": result.size,
        "removed": result.removed,
        "failures": [_failure_fields(failure) for failure in result.failures],
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
