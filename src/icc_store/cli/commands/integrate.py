"""`icc-store integrate`: slash commands for an agent."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator
from pathlib import Path

import click

from icc_store.cli import units
from icc_store.cli.command import Command
from icc_store.cli.context import Context
from icc_store.cli.output import path_fields
from icc_store.config import home_directory
from icc_store.errors import PartialResult
from icc_store.operations.integrate import Action, Integration, integrate, plan_integration

DOCUMENT = {
    "directory": "where the agent looks for commands",
    "dry_run": "whether this is only the plan",
    "steps": "path, action (install, update, replace, keep, remove or refuse) and reason of each file",
}

_AGENTS = ("claude-code",)
_DONE = {
    Action.INSTALL: "installed",
    Action.UPDATE: "updated",
    Action.REPLACE: "replaced",
    Action.REMOVE: "removed",
    Action.KEEP: "as it should be",
    Action.REFUSE: "left alone",
}


@click.command(
    cls=Command,
    examples=(
        "icc-store integrate claude-code",
        "icc-store integrate claude-code --dry-run",
        "icc-store integrate claude-code --remove",
    ),
)
@click.argument("agent", type=click.Choice(_AGENTS))
@click.option("--remove", is_flag=True, help="Take them away again.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be done; do nothing.")
@click.option("--force", is_flag=True, help="Also files that were changed since they were installed.")
@click.pass_obj
def command(context: Context, *, agent: str, remove: bool, dry_run: bool, force: bool) -> None:
    """Install the slash commands /icc-memory-backup and /icc-memory-restore, or bring them up to date.

    They go to `commands/` in ~/.claude, or in CLAUDE_CONFIG_DIR. A file that was changed, or is not ours, is left alone
    without --force, and one that is not ours is never removed; the exit code is 3 then.
    """
    plan = plan_integration(_commands(agent), _directory(context), remove=remove, force=force)
    if not dry_run:
        integrate(plan)
    document = {
        **path_fields(bytes(plan.directory), "directory"),
        "dry_run": dry_run,
        "steps": [
            path_fields(bytes(step.path)) | {"action": step.action.value, "reason": step.reason} for step in plan.steps
        ],
    }
    context.output.emit("integrate", document, lambda: _lines(plan, dry_run=dry_run), summary=True)
    context.output.warnings([(bytes(step.path), f"{step.reason}, and stays") for step in plan.refused])
    if plan.refused:
        hint = "--force replaces what stands in the way" if not remove else "--force removes what was changed"
        raise PartialResult(f"{units.plural(len(plan.refused), 'file')} left alone", hint=hint)


def _commands(agent: str) -> dict[str, bytes]:
    """The files that come with the program, by name."""
    folder = importlib.resources.files("icc_store") / "integrations" / agent / "commands"
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def _directory(context: Context) -> Path:
    moved = context.environ.get("CLAUDE_CONFIG_DIR")
    return (Path(moved) if moved else home_directory(context.environ) / ".claude") / "commands"


def _lines(plan: Integration, *, dry_run: bool) -> Iterator[str]:
    for step in plan.steps:
        is_change = step.action not in {Action.KEEP, Action.REFUSE}
        verb = f"would {step.action.value}" if dry_run and is_change else _DONE[step.action]
        reason = f" ({step.reason})" if step.reason else ""
        yield f"{verb}: {step.path}{reason}"
