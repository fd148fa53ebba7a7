"""What forget and undelete print: the snapshots they changed, and those that were so already."""

from __future__ import annotations

from collections.abc import Iterator

from icc_store.cli.context import Context
from icc_store.cli.snapshot_fields import ROW, described, snapshot_fields
from icc_store.operations.forget import ForgetResult

DOCUMENT = {
    "dry_run": "whether nothing was changed",
    "changed": ROW,
    "unchanged": ROW,
}


def emit_forgotten(context: Context, command: str, done: ForgetResult, state: str, *, dry_run: bool) -> None:
    """Print what became of each snapshot; `state` is the word for it."""

    def lines() -> Iterator[str]:
        for one in done.changed:
            yield f"{described(one)}: {state}"
        for one in done.unchanged:
            yield f"{described(one)}: as before"

    document = {
        "dry_run": dry_run,
        "changed": [snapshot_fields(one) for one in done.changed],
        "unchanged": [snapshot_fields(one) for one in done.unchanged],
    }
    context.output.emit(command, document, lines, summary=not dry_run)
