"""Which snapshots stay and which may go, and why. Pure: a policy, snapshots and the hour in, decisions out.

A policy is a union of rules: a snapshot stays when any of them selects it. Rules look at the full snapshots of one
source at a time, newest commit first, whatever their clocks said; a date in the future counts as now. Of a calendar
period (an hour, day, week, month or year of local time) the newest snapshot stays, so that a day's choice is also that
of its last hour and thinning out step by step ends where thinning out at once would.

Whatever the policy says:

- a pinned snapshot stays, and so does one with a tag that the policy keeps;
- the last full snapshot of a source stays, and the last one that nothing was found wrong with;
- selective and imported snapshots stay: somebody asked for each of them, and forgets it by name;
- a safety copy stays for a day, and the newest one of a source until a newer one takes its place.

Applying a policy twice removes nothing more than applying it once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from enum import StrEnum

from icc_store.clock import DAY_NS, HOUR_NS, SECOND_NS
from icc_store.errors import UsageError
from icc_store.model.record import Snapshot, SnapshotClass
from icc_store.quick_dataclass import dataclass

WEEK_NS = 7 * DAY_NS
YEAR_NS = 365 * DAY_NS
SAFETY_NS = DAY_NS
"""A safety copy is there to undo a restore; nobody notices a bad restore within the hour, but within a day. The last
restore of a source can be undone for as long as nothing was restored after it."""

USUAL_BACKUPS_KEPT = 10
USUAL_RETENTION_DAYS = 90
_UNITS = {"y": YEAR_NS, "w": WEEK_NS, "d": DAY_NS, "h": HOUR_NS}
_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?")
_NO_END = 1000 * YEAR_NS
_SHOWN = 12


class Period(StrEnum):
    """What a rule keeps one snapshot of. `SNAPSHOT`: each is a period of its own."""

    SNAPSHOT = "newest"
    HOUR = "hourly"
    DAY = "daily"
    WEEK = "weekly"
    MONTH = "monthly"
    YEAR = "yearly"


@dataclass(frozen=True)
class Rule:
    """Keep the newest snapshot of each period: of the newest `count` periods, and only up to an age of `within_ns`."""

    period: Period
    count: int | None = None
    within_ns: int | None = None


@dataclass(frozen=True)
class RetentionPolicy:
    """The union of some rules. Snapshots with one of `keep_tags` stay in any case."""

    rules: tuple[Rule, ...] = ()
    keep_tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """What becomes of one snapshot. `reasons` is never empty."""

    snapshot: Snapshot
    keep: bool
    reasons: tuple[str, ...]
    against: tuple[str, ...] = ()
    """Of a snapshot that goes: for each rule, why it does not keep it."""


def default_policy(
    *, max_backups_kept: int = USUAL_BACKUPS_KEPT, backup_retention_days: int = USUAL_RETENTION_DAYS
) -> RetentionPolicy:
    """What holds when nobody says otherwise: all of a day, then ever fewer; the newest ten are a floor."""
    days = backup_retention_days * DAY_NS
    return RetentionPolicy(
        (
            Rule(Period.SNAPSHOT, count=max_backups_kept),
            Rule(Period.SNAPSHOT, within_ns=DAY_NS),
            Rule(Period.HOUR, within_ns=7 * DAY_NS),
            Rule(Period.DAY, within_ns=days),
            Rule(Period.WEEK, within_ns=days + 26 * WEEK_NS),
        )
    )


def explicit_policy(
    *,
    keep_last: int = 0,
    keep_hourly: int = 0,
    keep_daily: int = 0,
    keep_weekly: int = 0,
    keep_monthly: int = 0,
    keep_yearly: int = 0,
    keep_within: str = "",
    keep_tags: Iterable[str] = (),
) -> RetentionPolicy:
    """The policy that flags spell out; a count of 0 is no rule. Raises UsageError for a count or duration that is not.

    `keep_within` is a duration as `parse_duration` reads it.
    """
    counts = zip(Period, (keep_last, keep_hourly, keep_daily, keep_weekly, keep_monthly, keep_yearly), strict=True)
    rules = []
    for period, count in counts:
        if count < 0:
            raise UsageError(f"cannot keep {count} snapshots", hint="a count is 0 or more")
        if count:
            rules.append(Rule(period, count=count))
    if keep_within:
        rules.append(Rule(Period.SNAPSHOT, within_ns=parse_duration(keep_within)))
    return RetentionPolicy(tuple(rules), tuple(keep_tags))


def parse_duration(text: str) -> int:
    """Nanoseconds of a duration like `3d12h`: years of 365 days, weeks, days, hours. Raises UsageError."""
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise UsageError(f"{text!r} is not a duration", hint="write 3d12h, 2w or 1y; the units are y, w, d and h")
    total = sum(int(count) * unit for count, unit in zip(match.groups("0"), _UNITS.values(), strict=True))
    if total > _NO_END:
        raise UsageError(f"{text!r} is too long a duration", hint="1000y is the longest")
    return total


def format_duration(ns: int) -> str:
    """A duration as `parse_duration` reads it, in days and hours: `3d12h`."""
    days, hours = ns // DAY_NS, ns % DAY_NS // HOUR_NS
    if days > 1 and not hours:
        return f"{days}d"
    return f"{days}d{hours}h" if days > 1 else f"{ns // HOUR_NS}h"


def decide(
    snapshots: Iterable[Snapshot], policy: RetentionPolicy, *, now_ns: int, zone: tzinfo | None = None
) -> tuple[Decision, ...]:
    """What becomes of each snapshot, in the order of their commits.

    Forgotten snapshots are not looked at. `zone` says where days begin; None is the local time of the machine.
    """
    living = sorted((one for one in snapshots if one.forgotten_ns is None), key=lambda one: one.record.seq)
    reasons: dict[int, list[str]] = {one.record.seq: _protections(one, policy, now_ns) for one in living}
    sources: dict[str, list[Snapshot]] = {}
    safety: dict[str, Snapshot] = {}
    for one in reversed(living):
        if one.record.kind is SnapshotClass.FULL:
            sources.setdefault(one.record.source, []).append(one)
        elif one.record.kind is SnapshotClass.SAFETY:
            safety.setdefault(one.record.source, one)
    for newest in safety.values():
        reasons[newest.record.seq].append("newest safety copy of its source")
    against: dict[int, list[str]] = {one.record.seq: [] for one in living}
    for newest_first in sources.values():
        _protect_last(newest_first, reasons)
        for rule in policy.rules:
            for one, selected, said in _apply(rule, newest_first, now_ns, zone):
                (reasons if selected else against)[one.record.seq].append(said)
    return tuple(_decision(one, reasons[one.record.seq], against[one.record.seq]) for one in living)


def decide_by_source(
    snapshots: Iterable[Snapshot],
    policies: Mapping[str, RetentionPolicy],
    *,
    others: RetentionPolicy | None = None,
    now_ns: int,
    zone: tzinfo | None = None,
) -> tuple[Decision, ...]:
    """The same where each source has a policy of its own. Sources without one go by `others`, or are left out."""
    by_source: dict[str, list[Snapshot]] = {}
    for one in snapshots:
        by_source.setdefault(one.record.source, []).append(one)
    decisions: list[Decision] = []
    for source, members in by_source.items():
        policy = policies.get(source, others)
        if policy is not None:
            decisions += decide(members, policy, now_ns=now_ns, zone=zone)
    return tuple(sorted(decisions, key=lambda one: one.snapshot.record.seq))


def _decision(snapshot: Snapshot, why: list[str], against: list[str]) -> Decision:
    if why:
        return Decision(snapshot, True, tuple(dict.fromkeys(why)))
    return Decision(snapshot, False, ("not selected by any rule",), tuple(against))


def _protections(snapshot: Snapshot, policy: RetentionPolicy, now_ns: int) -> list[str]:
    """Reasons to stay that do not depend on other snapshots."""
    why = ["pinned"] if snapshot.pinned else []
    why += [f"tag {tag}" for tag in snapshot.tags if tag in policy.keep_tags]
    age = now_ns - _time(snapshot, now_ns)
    match snapshot.record.kind:
        case SnapshotClass.SELECTIVE | SnapshotClass.IMPORT as kind:
            why.append(f"{kind} snapshots go by name only")
        case SnapshotClass.SAFETY:
            if age < SAFETY_NS:
                why.append(f"safety copy, within {format_duration(SAFETY_NS)}")
            why += [
                f"within {format_duration(rule.within_ns)}"
                for rule in policy.rules
                if rule.period is Period.SNAPSHOT and rule.within_ns is not None and age < rule.within_ns
            ]
        case SnapshotClass.FULL:
            pass
    return why


def _protect_last(newest_first: list[Snapshot], reasons: dict[int, list[str]]) -> None:
    reasons[newest_first[0].record.seq].append("last of its source")
    for one in newest_first:
        if not one.suspect:
            if one is not newest_first[0]:
                reasons[one.record.seq].append("last of its source that is not suspect")
            return


def _apply(
    rule: Rule, newest_first: list[Snapshot], now_ns: int, zone: tzinfo | None
) -> Iterator[tuple[Snapshot, bool, str]]:
    """Each snapshot, whether the rule selects it, and the reason why or why not."""
    met: dict[tuple[int, ...], Snapshot] = {}
    for one in newest_first:
        time_ns = _time(one, now_ns)
        if rule.within_ns is not None and now_ns - time_ns >= rule.within_ns:
            of = "" if rule.period is Period.SNAPSHOT else f"{rule.period}: "
            yield one, False, f"{of}older than {format_duration(rule.within_ns)}"
            continue
        if rule.period is Period.SNAPSHOT:
            key: tuple[int, ...] = (one.record.seq,)
            said = f"within {format_duration(rule.within_ns)}" if rule.within_ns else f"newest {rule.count}"
        else:
            key, label = _BUCKETS[rule.period](datetime.fromtimestamp(time_ns // SECOND_NS, UTC).astimezone(zone))
            said = f"{rule.period} {label}"
        if key in met:
            yield one, False, f"{said}: {met[key].id.hex()[:_SHOWN]} stays"
        elif rule.count is not None and len(met) >= rule.count:
            yield one, False, f"not among the {rule.period} {rule.count}"
        else:
            met[key] = one
            yield one, True, said


def _time(snapshot: Snapshot, now_ns: int) -> int:
    return min(snapshot.record.time_ns, now_ns)


def _hour(local: datetime) -> tuple[tuple[int, ...], str]:
    """The hour that a clock set back shows twice is two hours: the offset tells them apart."""
    offset = local.utcoffset()
    seconds = int(offset.total_seconds()) if offset is not None else 0
    return (local.toordinal(), local.hour, seconds), f"{local:%Y-%m-%d %H}h"


def _week(local: datetime) -> tuple[tuple[int, ...], str]:
    week = local.isocalendar()
    return (week.year, week.week), f"{week.year}-W{week.week:02}"


_BUCKETS: dict[Period, Callable[[datetime], tuple[tuple[int, ...], str]]] = {
    Period.HOUR: _hour,
    Period.DAY: lambda local: ((local.toordinal(),), f"{local:%Y-%m-%d}"),
    Period.WEEK: _week,
    Period.MONTH: lambda local: ((local.year, local.month), f"{local:%Y-%m}"),
    Period.YEAR: lambda local: ((local.year,), f"{local:%Y}"),
}
"""The key and the label of the period that a local time falls into."""
