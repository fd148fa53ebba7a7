"""What becomes of each snapshot and why, as a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from icc_store.cli import units
from icc_store.cli.table import Column, table
from icc_store.clock import SECOND_NS
from icc_store.operations.retention import YEAR_NS, format_duration

if TYPE_CHECKING:
    from icc_store.model.record import Snapshot
    from icc_store.operations.gc import GcResult

_COLUMNS = (
    Column("snapshot"),
    Column("age", right=True),
    Column("class"),
    Column("source", flexible=True),
    Column("decision"),
    Column("why"),
)
_SHOWN = 12


def retention_table(result: GcResult, now_ns: int, width: int | None) -> Iterator[str]:
    """The lines: every snapshot in the order of commits, forgotten ones as well. A reason is never cut short."""
    rows: list[tuple[int, tuple[str, ...]]] = []
    for decision in result.decisions:
        verdict, why = ("keep", decision.reasons) if decision.keep else ("forget", decision.against or decision.reasons)
        rows.append(_row(decision.snapshot, now_ns, verdict, ", ".join(why)))
    leaving = {decision.snapshot.id for decision in result.decisions}
    rows += [_row(one, now_ns, "remove", _since(one, now_ns)) for one in result.removed if one.id not in leaving]
    rows += [_row(one, now_ns, "wait", _since(one, now_ns)) for one in result.waiting if one.id not in leaving]
    yield from table(_COLUMNS, (row for _, row in sorted(rows)), width)


def _row(snapshot: Snapshot, now_ns: int, verdict: str, why: str) -> tuple[int, tuple[str, ...]]:
    record = snapshot.record
    name = f"{snapshot.id.hex()[:_SHOWN]} {record.name}".rstrip()
    age = _duration(now_ns - record.time_ns)
    return record.seq, (name, age, record.kind.value, record.source, verdict, why)


def _since(snapshot: Snapshot, now_ns: int) -> str:
    since = snapshot.forgotten_ns
    return f"forgotten {_duration(now_ns - since)} ago" if since else "purged"


def _duration(ns: int) -> str:
    """A date in the future counts as now, as it does for the rules."""
    ns = max(ns, 0)
    return units.duration(ns) if ns < 3600 * SECOND_NS or ns > 1000 * YEAR_NS else format_duration(ns)
