"""What tag, pin and note print: the snapshots as they stand afterwards."""

from __future__ import annotations

from collections.abc import Callable

from icc_store.cli.context import Context
from icc_store.cli.snapshot_fields import ROW, described, snapshot_fields
from icc_store.model.record import Snapshot
from icc_store.operations.annotate import Annotated

DOCUMENT = {"snapshots": ROW | {"changed": "whether the command changed something about it"}}


def emit_annotated(context: Context, command: str, done: Annotated, state: Callable[[Snapshot], str]) -> None:
    """Print each snapshot with what is said about it now."""
    rows = [snapshot_fields(one) | {"changed": one.id in done.changed} for one in done.snapshots]
    context.output.emit(
        command,
        {"snapshots": rows},
        lambda: (
            f"{described(one)}: {state(one)}{'' if one.id in done.changed else ' (as before)'}"
            for one in done.snapshots
        ),
        summary=True,
    )
