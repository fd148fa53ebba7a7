"""`icc-store rollback`: undo the last restore."""

from __future__ import annotations

from pathlib import Path

import click

from icc_store.cli import restore_report
from icc_store.cli.command import Command
from icc_store.cli.context import Context

DOCUMENT = restore_report.DOCUMENT | {
    "safety": "the id of the copy of what was there until now, or null",
    "memory": "null",
}


@click.command(
    cls=Command,
    examples=(
        "icc-store rollback --dry-run",
        "icc-store rollback --yes                  the last restore of this repository",
        "icc-store rollback ~/.claude/memory       the last restore to this directory",
    ),
)
@click.argument("directory", required=False, metavar="[DIR]")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be done; do nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def command(context: Context, /, directory: str | None, *, dry_run: bool, yes: bool) -> None:
    """Undo the last restore, or the last one to DIR: what was there before comes back, and nothing else stays.

    What is there now is copied first, so a second rollback undoes the first. A memory's own backups are not touched. A
    restore into a missing or empty directory took no copy, so there is nothing of it to roll back to.
    """
    from icc_store.operations.restore_databases import refuse_if_in_use
    from icc_store.operations.restore_safety import restore_safely
    from icc_store.operations.rollback import last_safety_copy, plan_rollback

    if not (yes or dry_run):
        restore_report.check_can_ask(context)
    with context.open(readonly=dry_run) as repository:
        copy = last_safety_copy(repository, Path(directory) if directory else None)
        plan = plan_rollback(repository, copy, monitor=context.monitor)
        context.monitor.finish()
        if dry_run:
            from icc_store.operations.restore_steps import planned_steps

            restore_report.emit_plan(context, "rollback", plan, planned_steps(repository, plan))
            context.output.warnings([(failure.path, failure.message) for failure in plan.failures])
            refuse_if_in_use(plan)
            restore_report.raise_for(plan.failures, dry_run=True)
            return
        refuse_if_in_use(plan)
        if plan.totals.changes and not yes:
            restore_report.ask(context, plan)
        done = restore_safely(repository, plan, monitor=context.monitor, clock=context.clock)
        restore_report.emit_result(context, "rollback", copy, done.files, done.files.failures, safety=done.safety)
