"""`icc-store restore`: a snapshot, or parts of it, back onto the disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from icc_store.cli import restore_report
from icc_store.cli.command import Command, snapshot_argument, source_option
from icc_store.cli.context import Context
from icc_store.errors import UsageError
from icc_store.operations.resolve import resolve, stored_path
from icc_store.operations.restore_plan import Overwrite, RestoreOptions, RestorePlan, Times

if TYPE_CHECKING:
    from icc_store.model.record import Snapshot
    from icc_store.model.repository import Repository
    from icc_store.operations.memory.restore import MemoryPlan
    from icc_store.operations.restore_steps import PlannedStep

DOCUMENT = restore_report.DOCUMENT
_FOR_MEMORIES = ("types", "entities", "created_after", "created_before", "path_map", "rebuild_indexes")
"""Options that are about entities, or the configuration of a memory."""


@click.command(
    cls=Command,
    examples=(
        "icc-store restore latest --target back     all of it, into another directory",
        "icc-store restore friday notes/todo.md     one file, back where it was",
        "icc-store restore latest --delete --dry-run",
        "icc-store restore friday --types Learning,Pattern --created-after 2026-10-01",
        "icc-store restore latest -t ~/.claude/memory --map /home/ada=/home/bob",
    ),
)
@snapshot_argument
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@click.option("-t", "--target", metavar="DIR", help="Restore to this directory, and not to where it was.")
@click.option(
    "--delete/--no-delete",
    default=None,
    help="Remove what the snapshot does not have, but nothing it left out. The default for all of a memory, "
    "with --safety.",
)
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
@click.option(
    "--mtime",
    type=click.Choice([one.value for one in Times]),
    default=Times.ORIGINAL.value,
    help="The time that written files get: their own, or that of the restore, so that tools see them again.",
)
@click.option(
    "--safety/--no-safety",
    default=None,
    help="All or nothing: check the snapshot first, copy what is there, and put that back when anything fails. "
    "The default where a memory is, or was.",
)
@click.option("--types", metavar="TYPE,...", multiple=True, help="Of a memory, only entities of these types.")
@click.option("--entities", metavar="ID,...", multiple=True, help="Of a memory, only these entities.")
@click.option("--created-after", default="", metavar="DATE", help="Of a memory, only entities created then or later.")
@click.option("--created-before", default="", metavar="DATE", help="Of a memory, only entities created earlier.")
@click.option(
    "--map", "path_map", metavar="OLD=NEW", multiple=True, help="Rewrite a path in the configuration of a memory."
)
@click.option(
    "--rebuild-indexes/--no-rebuild-indexes",
    default=None,
    help="Make the indexes of a memory anew. The default when entities were chosen.",
)
@source_option
@click.pass_obj
def command(
    context: Context, /, snapshot: str, paths: tuple[str, ...], *, source: str | None, dry_run: bool, **given: Any
) -> None:
    """Restore SNAP, or each PATH in it, to DIR; without --target, to where it was, after a question.

    What is there already with the same size and time stays as it is. Of a snapshot of one directory the contents
    stand directly in DIR, of several paths under their stored paths. Whatever cuts a restore short, the files that are
    there are whole, and the same command goes on from there.

    A memory becomes what it was: every file is compared and read back, and `icc-store rollback` undoes it. Chosen
    entities are merged into what is there. Every snapshot is complete, also one taken with --incremental.
    """
    from icc_store.operations.memory.manifest import is_memory, is_of_a_tool
    from icc_store.operations.memory.restore import is_safe_by_default

    target = given["target"]
    about = os.fsencode(os.path.abspath(target or paths[0])) if target or paths else None
    if not (target or given["yes"] or dry_run):
        restore_report.check_can_ask(context)
    with context.open(readonly=True) as repository:
        found = resolve(repository, snapshot, source=source, path=about, monitor=context.monitor)
        request = _Request(context, found, paths, given, dry_run=dry_run, memory=is_memory(repository, found))
        safely = given["safety"]
        if safely is None:
            known = request.memory or (not paths and is_of_a_tool(found))
            safely = known and is_safe_by_default(repository, found, Path(target) if target else None)
        if dry_run or not safely:
            request.run(repository, safely=safely)
            return
    with context.open() as repository:
        request.run(repository, safely=True)


class _Request:
    """What the user asked for."""

    def __init__(
        self,
        context: Context,
        snapshot: Snapshot,
        paths: tuple[str, ...],
        given: dict[str, Any],
        *,
        dry_run: bool,
        memory: bool,
    ) -> None:
        self.memory = memory
        self._context = context
        self._snapshot = snapshot
        self._given = given
        self._dry_run = dry_run
        self._asks = given["target"] is None and not given["yes"]
        self._options = RestoreOptions(
            target=Path(given["target"]) if given["target"] else None,
            paths=tuple(stored_path(snapshot.record, path) for path in paths),
            delete=bool(given["delete"]),
            overwrite=Overwrite(given["overwrite"]),
            times=Times(given["mtime"]),
            verify=given["verify"],
            numeric_ids=given["numeric_ids"],
        )
        if not memory:
            for name in _FOR_MEMORIES:
                if given[name] not in (None, (), ""):
                    option = "--map" if name == "path_map" else f"--{name.replace('_', '-')}"
                    raise UsageError(f"{option} is for memories of the icc layout, and the snapshot is of none")

    def run(self, repository: Repository, *, safely: bool) -> None:
        """Plan, ask, do, and print."""
        if self.memory:
            self._restore_memory(repository, safely=safely)
            return
        from icc_store.operations.restore_planner import plan_restore

        monitor, clock = self._context.monitor, self._context.clock
        plan = plan_restore(repository, self._snapshot, options=self._options, monitor=monitor)
        if not self._agreed(repository, plan):
            return
        if safely:
            from icc_store.operations.restore_safety import restore_safely

            done = restore_safely(repository, plan, monitor=monitor, clock=clock)
            restore_report.emit_result(
                self._context, "restore", self._snapshot, done.files, done.files.failures, safety=done.safety
            )
            return
        from icc_store.operations.restore import execute

        result = execute(repository, plan, monitor=monitor, clock=clock)
        restore_report.emit_result(self._context, "restore", self._snapshot, result, result.failures)
        restore_report.raise_for(result.failures)

    def _restore_memory(self, repository: Repository, *, safely: bool) -> None:
        from icc_store.operations.memory.restore import plan_memory_restore, restore_memory

        monitor, clock = self._context.monitor, self._context.clock
        plan = plan_memory_restore(
            repository, self._snapshot, options=self._memory_options(safely=safely), monitor=monitor
        )
        if not self._agreed(repository, plan.files, plan):
            return
        done = restore_memory(repository, plan, monitor=monitor, clock=clock)
        restore_report.emit_result(
            self._context, "restore", self._snapshot, done.files, done.failures, safety=done.safety, memory=done
        )
        restore_report.raise_for(done.failures)

    def _memory_options(self, *, safely: bool) -> Any:
        from icc_store.entities.path_map import parse_path_map
        from icc_store.entities.select import Selection
        from icc_store.operations.memory.restore import MemoryRestoreOptions
        from icc_store.operations.memory.restore_choice import Choice

        given = self._given
        selection = Selection(
            types=_listed(given["types"]),
            created_after=given["created_after"],
            created_before=given["created_before"],
        )
        return MemoryRestoreOptions(
            files=self._options,
            delete=given["delete"],
            choice=Choice(selection, _listed(given["entities"])),
            path_map=parse_path_map(given["path_map"]),
            rebuild_indexes=given["rebuild_indexes"],
            safely=safely,
        )

    def _agreed(self, repository: Repository, plan: RestorePlan, memory: MemoryPlan | None = None) -> bool:
        """Show a dry run and say no; or ask where somebody has to be asked."""
        from icc_store.operations.restore_databases import refuse_if_in_use

        self._context.monitor.finish()
        elsewhere = memory.elsewhere if memory is not None else ()
        if self._dry_run:
            from icc_store.operations.restore_steps import planned_steps

            steps = chain(planned_steps(repository, plan), _removals(plan, elsewhere))
            restore_report.emit_plan(self._context, "restore", plan, steps, elsewhere=len(elsewhere))
            self._context.output.warnings([(failure.path, failure.message) for failure in plan.failures])
            refuse_if_in_use(plan)
            restore_report.raise_for(plan.failures, dry_run=True)
            return False
        refuse_if_in_use(plan)
        if self._asks and (plan.totals.changes or elsewhere):
            restore_report.ask(self._context, plan, elsewhere=len(elsewhere))
        return True


def _removals(plan: RestorePlan, paths: tuple[bytes, ...]) -> Iterator[PlannedStep]:
    from icc_store.operations.restore_steps import PlannedStep

    for path in paths:
        size = os.lstat(os.path.join(os.fsencode(plan.target), path)).st_size
        yield PlannedStep(path, None, stat.S_IFREG, size)


def _listed(texts: tuple[str, ...]) -> tuple[str, ...]:
    """What was given one by one, or separated by commas."""
    return tuple(dict.fromkeys(word.strip() for text in texts for word in text.split(",") if word.strip()))
