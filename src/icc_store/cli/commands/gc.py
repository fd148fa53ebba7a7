"""`icc-store gc`: apply the retention rules and free what nothing needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from icc_store.cli import units
from icc_store.cli.command import Command
from icc_store.cli.context import Context

if TYPE_CHECKING:
    from icc_store.model.repository import Repository
    from icc_store.operations.gc import GcResult
    from icc_store.operations.optimize import OptimizeResult
    from icc_store.operations.retention import Decision

DOCUMENT = {
    "dry_run": "whether nothing was changed",
    "decisions": "id, seq, time, source, keep, reasons and against of each snapshot that was not forgotten before; "
    "against: why each rule does not keep one that goes",
    "removed": "ids of the snapshots that are gone for good",
    "waiting": "ids of the forgotten snapshots that `undelete` still brings back",
    "sweep": "blocks_removed, blocks_rewritten, objects_removed, bytes_removed, bytes_rewritten, bytes_dead_kept",
    "renewed": "objects, wasted and bytes_written of what was written anew because too many bytes were there for "
    "nothing; null when that would not pay",
    "reusable": "bytes of the database file that new snapshots can fill",
    "optimized": "objects, bytes_before, bytes_after and complete of what `optimize` did; null when it was not due",
    "unreadable": "numbers of damaged blocks that nothing needs; they are left, and the exit code is 6",
    "given_back": "bytes given back to the disk",
}
_COUNTS = ("last", "hourly", "daily", "weekly", "monthly", "yearly")


def _keep_options(function: Any) -> Any:
    for period in reversed(_COUNTS):
        unit = "snapshots" if period == "last" else f"{period} ones"
        option = click.option(
            f"--keep-{period}", type=click.IntRange(min=0), default=0, metavar="N", help=f"Keep the newest N {unit}."
        )
        function = option(function)
    return function


@click.command(
    cls=Command,
    examples=(
        "icc-store gc --dry-run               what would go, and why",
        "icc-store gc --explain               the same as a table, rule by rule",
        "icc-store gc                         the default rules",
        "icc-store gc --keep-last 10 --keep-daily 30",
        "icc-store gc --compact               give freed bytes back to the disk",
        "icc-store gc --purge                 leave nothing of what is forgotten in the file",
    ),
)
@_keep_options
@click.option("--keep-within", default="", metavar="DURATION", help="Keep all of the last 12h, 30d, 1y6w ...")
@click.option("--keep-tag", "keep_tags", multiple=True, metavar="TAG", help="Keep snapshots with this tag.")
@click.option("--now", is_flag=True, help="Remove forgotten snapshots at once, without the day to undelete them.")
@click.option("--compact", is_flag=True, help="Shrink the database file; nobody else may use it meanwhile.")
@click.option("--purge", is_flag=True, help="Both --now and --compact: the bytes of what is forgotten are gone.")
@click.option("--no-optimize", is_flag=True, help="With --compact: do not `optimize`, even when it pays.")
@click.option("-n", "--dry-run", is_flag=True, help="Show the plan; change nothing.")
@click.option("--explain", is_flag=True, help="Show for each snapshot what every rule says; change nothing.")
@click.pass_obj
def command(context: Context, /, **given: Any) -> None:
    """Apply the retention rules and free what nothing needs.

    Without --keep options: the newest max_backups_kept (10), all of a day, hourly for a week, daily for
    backup_retention_days (90), weekly for 26 weeks beyond; each memory by its own settings, see `icc-store config`.
    Pinned snapshots and the last full one of each source always stay. What is forgotten can be brought back
    for a day.

    Where a fifth of the database file is free afterwards, and what is left can be written in seconds, the file is
    shrunk, unless another process has it open. --compact waits for that process, and always shrinks it. With it, once
    a week at most and for a minute at most, `optimize` runs if it would save a fifth or more.
    """
    from icc_store.opening import compact_if_alone
    from icc_store.operations.gc import UNDELETE_HOURS, GcOptions, collect
    from icc_store.operations.retention import explicit_policy

    counts = {f"keep_{period}": given[f"keep_{period}"] for period in _COUNTS}
    asked = any(counts.values()) or given["keep_within"] or given["keep_tags"]
    dry_run = given["dry_run"] or given["explain"]
    options = GcOptions(undelete_hours=0 if given["now"] or given["purge"] else UNDELETE_HOURS, dry_run=dry_run)
    compact = (given["compact"] or given["purge"]) and not dry_run
    with context.open(exclusive=compact) as repository:
        if asked:
            policy = explicit_policy(**counts, keep_within=given["keep_within"], keep_tags=given["keep_tags"])
            options = replace(options, policy=policy)
        else:
            from icc_store.cli.cleanup import gc_options

            options = gc_options(context, repository, options)
        result = collect(repository, options=options, monitor=context.monitor, clock=context.clock)
        # Without giving bytes back it would only make the file larger: what was written anew stays beside the old.
        optimized = _optimize(context, repository) if compact and not given["no_optimize"] else None
        if optimized is not None:
            result = replace(result, reusable=optimized.reusable)
        if compact and repository.header.has_parity:
            from icc_store.operations.parity import renew

            renew(repository, everything=True, monitor=context.monitor)  # nothing of what is gone stays in it
        given_back = repository.compact() if compact else 0
    if not compact and not dry_run and not result.unreadable:
        given_back = compact_if_alone(context.repository.path, monitor=context.monitor, clock=context.clock)
    if compact or given_back:
        result = replace(result, reusable=0)
    context.monitor.finish()

    def lines() -> Iterator[str]:
        if given["explain"]:
            from icc_store.cli.retention_table import retention_table

            yield from retention_table(result, context.clock.now_ns(), context.output.width)
        else:
            yield from map(_decision_line, result.decisions)
        if optimized is not None:
            before, after = units.size(optimized.bytes_before), units.size(optimized.bytes_after)
            yield f"{units.plural(optimized.objects, 'object')} written anew for size: {before} became {after}"
        yield from _lines(result, given_back)

    context.output.emit("gc", _document(result, optimized, given_back), lines)
    result.raise_for_damage()


def _optimize(context: Context, repository: Repository) -> OptimizeResult | None:
    """What `optimize` did, or None when it was not due or would not pay."""
    from icc_store.operations.optimize_due import optimize_if_it_pays

    return optimize_if_it_pays(repository, monitor=context.monitor, clock=context.clock)


def _document(result: GcResult, optimized: OptimizeResult | None, given_back: int) -> dict[str, Any]:
    return {
        "dry_run": result.dry_run,
        "decisions": [
            {
                "id": each.snapshot.id.hex(),
                "seq": each.snapshot.record.seq,
                "time": units.utc_time(each.snapshot.record.time_ns),
                "source": each.snapshot.record.source,
                "keep": each.keep,
                "reasons": list(each.reasons),
                "against": list(each.against),
            }
            for each in result.decisions
        ],
        "removed": [snapshot.id.hex() for snapshot in result.removed],
        "waiting": [snapshot.id.hex() for snapshot in result.waiting],
        "sweep": vars(result.sweep),
        "renewed": None if result.renewal is None else vars(result.renewal),
        "reusable": result.reusable,
        "optimized": None
        if optimized is None
        else {name: getattr(optimized, name) for name in ("objects", "bytes_before", "bytes_after", "complete")},
        "unreadable": list(result.unreadable),
        "given_back": given_back,
    }


def _lines(result: GcResult, given_back: int) -> Iterator[str]:
    would = "would be " if result.dry_run else ""
    going = sum(not decision.keep for decision in result.decisions)
    yield f"{units.plural(going, 'snapshot')} {would}forgotten, {len(result.removed)} {would}removed for good"
    if result.waiting:
        yield f"{units.plural(len(result.waiting), 'forgotten snapshot')} can still be brought back by `undelete`"
    sweep = result.sweep
    yield (
        f"{units.plural(sweep.objects_removed, 'object')} {would}removed: {units.size(sweep.bytes_removed)} in "
        f"{units.plural(sweep.blocks_removed, 'block')}, {units.number(sweep.blocks_rewritten)} rewritten"
    )
    if result.renewal is not None:
        anew = units.plural(result.renewal.objects, "object")
        yield f"{anew} written anew, since {units.size(result.renewal.wasted)} were there for nothing"
    if not result.dry_run:
        hint = " (--compact gives them back to the disk)" if result.reusable else ""
        yield f"{units.size(given_back)} given back, {units.size(result.reusable)} reusable{hint}"


def _decision_line(decision: Decision) -> str:
    record = decision.snapshot.record
    verb = "keep  " if decision.keep else "forget"
    name = f" {record.name}" if record.name else ""
    when = units.local_time(record.time_ns)
    return f"{verb} {decision.snapshot.id.hex()[:12]} {when}{name}: {', '.join(decision.reasons)}"
