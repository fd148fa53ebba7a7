"""Which snapshots stay: golden tables, and what holds for every policy."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icc_store.clock import DAY_NS, HOUR_NS, SECOND_NS
from icc_store.errors import UsageError
from icc_store.ids import ObjectId
from icc_store.model.record import Snapshot, SnapshotClass, SnapshotRecord
from icc_store.operations.retention import (
    Decision,
    Period,
    RetentionPolicy,
    Rule,
    decide,
    decide_by_source,
    default_policy,
    explicit_policy,
    format_duration,
    parse_duration,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "retention"
NOW = 1_795_000_000 * SECOND_NS


def taken(
    seq: int,
    time_ns: int,
    *,
    kind: str = "full",
    source: str = "home",
    tags: tuple[str, ...] = (),
    pinned: bool = False,
    suspect: str = "",
    forgotten_ns: int | None = None,
) -> Snapshot:
    identity = ObjectId(seq.to_bytes(32))
    record = SnapshotRecord(seq, time_ns, identity, source, "host", SnapshotClass(kind))
    return Snapshot(identity, record, tags=tags, pinned=pinned, suspect=suspect, forgotten_ns=forgotten_ns)


def kept(decisions: tuple[Decision, ...]) -> list[int]:
    return [one.snapshot.record.seq for one in decisions if one.keep]


# ------------------------------------------------------------------------------------ golden tables


def judge(table: str) -> str:
    """The same table with its last column, the decisions, worked out anew."""
    lines = table.splitlines()
    settings = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
    zone = ZoneInfo(settings["zone"])
    flags = {
        name: value if name == "keep_within" else value.split(",") if name == "keep_tags" else int(value)
        for name, _, value in (word.partition("=") for word in settings["policy"].split()[1:])
    }
    make = {"default": default_policy, "explicit": explicit_policy}[settings["policy"].split()[0]]
    snapshots = []
    for line in lines:
        if not line.startswith("#"):
            seq, when, kind, source, marks, *_ = (cell.strip() for cell in line.split("|"))
            marked = marks.split()
            snapshots.append(
                taken(
                    int(seq),
                    nanoseconds(when, zone),
                    kind=kind,
                    source=source,
                    tags=tuple(mark.removeprefix("#") for mark in marked if mark.startswith("#")),
                    pinned="pinned" in marked,
                    suspect="damaged" if "suspect" in marked else "",
                )
            )
    decisions = decide(snapshots, make(**flags), now_ns=nanoseconds(settings["now"], zone), zone=zone)
    said = {one.snapshot.record.seq: ("keep" if one.keep else "go", "; ".join(one.reasons)) for one in decisions}
    out = []
    for line in lines:
        if not line.startswith("#"):
            left = line.split("|")[:5]
            keep, why = said[int(left[0])]
            line = "|".join(left) + f"| {keep:4} | {why}"
        out.append(line)
    return "\n".join(out) + "\n"


def nanoseconds(text: str, zone: ZoneInfo) -> int:
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        when = when.replace(tzinfo=zone)
    return int(when.timestamp()) * SECOND_NS


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.txt")), ids=lambda path: path.stem)
def test_golden_table(path: Path) -> None:
    """Every decision and every reason in the table is what it always was."""
    table = path.read_text()
    assert judge(table) == table


def test_there_are_golden_tables() -> None:
    """The tables that the test above reads are really there."""
    assert len(list(GOLDEN.glob("*.txt"))) >= 4


# ------------------------------------------------------------------------------------ what always holds

SPAN = 400 * 24

snapshot_lists = st.lists(
    st.builds(
        lambda hours, kind, source, tags, pinned, suspect: (hours, kind, source, tags, pinned, suspect),
        st.one_of(st.integers(-200, SPAN), st.integers(0, 30), st.integers(0, SPAN // 24).map(lambda day: day * 24)),
        st.sampled_from(["full", "full", "full", "selective", "safety", "import"]),
        st.sampled_from(["home", "work"]),
        st.lists(st.sampled_from(["keep", "x"]), max_size=2, unique=True).map(tuple),
        st.booleans().flatmap(lambda one: st.just(one) if not one else st.booleans()),
        st.sampled_from(["", "", "", "damaged"]),
    ),
    max_size=40,
).map(
    lambda rows: [
        taken(seq, NOW - hours * HOUR_NS, kind=kind, source=source, tags=tags, pinned=pinned, suspect=suspect)
        for seq, (hours, kind, source, tags, pinned, suspect) in enumerate(rows, 1)
    ]
)
rules = st.builds(
    Rule,
    st.sampled_from(Period),
    st.none() | st.integers(1, 12),
    st.none() | st.integers(1, SPAN).map(lambda hours: hours * HOUR_NS),
)
policies = st.one_of(
    st.just(default_policy()),
    st.builds(RetentionPolicy, st.lists(rules, max_size=5).map(tuple), st.sampled_from([(), ("keep",)])),
)
zones = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns"]).map(
    ZoneInfo
)


@given(snapshot_lists, policies, zones)
def test_twice_is_once(snapshots: list[Snapshot], policy: RetentionPolicy, zone: ZoneInfo) -> None:
    """Applying a policy to what it kept removes nothing more."""
    first = [one.snapshot for one in decide(snapshots, policy, now_ns=NOW, zone=zone) if one.keep]
    assert kept(decide(first, policy, now_ns=NOW, zone=zone)) == [one.record.seq for one in first]


@given(snapshot_lists, policies, zones, st.randoms(use_true_random=False))
def test_order_of_the_input_does_not_count(
    snapshots: list[Snapshot], policy: RetentionPolicy, zone: ZoneInfo, chance: random.Random
) -> None:
    """However the snapshots are listed, the decisions are the same."""
    shuffled = list(snapshots)
    chance.shuffle(shuffled)
    assert decide(shuffled, policy, now_ns=NOW, zone=zone) == decide(snapshots, policy, now_ns=NOW, zone=zone)


@given(snapshot_lists, policies, zones)
def test_what_never_goes(snapshots: list[Snapshot], policy: RetentionPolicy, zone: ZoneInfo) -> None:
    """Pinned, tagged, selective and imported ones, young safety copies, and the last of a source and class stay."""
    stay = set(kept(decide(snapshots, policy, now_ns=NOW, zone=zone)))
    last: dict[str, int] = {}
    last_good: dict[str, int] = {}
    last_safety: dict[str, int] = {}
    for one in snapshots:
        record = one.record
        if record.kind is SnapshotClass.SAFETY:
            last_safety[record.source] = record.seq
        if record.kind is SnapshotClass.FULL:
            last[record.source] = record.seq
            if not one.suspect:
                last_good[record.source] = record.seq
        young = record.kind is SnapshotClass.SAFETY and NOW - record.time_ns < DAY_NS
        asked_for = record.kind in {SnapshotClass.SELECTIVE, SnapshotClass.IMPORT}
        if one.pinned or young or asked_for or set(one.tags) & set(policy.keep_tags):
            assert record.seq in stay
    assert stay >= set(last.values()) | set(last_good.values()) | set(last_safety.values())


@given(snapshot_lists, st.lists(policies, max_size=3), zones)
def test_a_policy_is_a_union(snapshots: list[Snapshot], chosen: list[RetentionPolicy], zone: ZoneInfo) -> None:
    """More rules keep what each of them keeps, no more and no less."""
    union = RetentionPolicy(
        tuple(rule for policy in chosen for rule in policy.rules),
        tuple(tag for policy in chosen for tag in policy.keep_tags),
    )
    parts = [set(kept(decide(snapshots, policy, now_ns=NOW, zone=zone))) for policy in [*chosen, RetentionPolicy()]]
    assert set(kept(decide(snapshots, union, now_ns=NOW, zone=zone))) == set.union(*parts)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.integers(1, 4), zones)
def test_thinning_step_by_step_is_thinning_at_once(gaps: list[int], step: int, zone: ZoneInfo) -> None:
    """A policy of time, applied all along the way, ends with what it would have kept of everything."""
    policy = RetentionPolicy(default_policy().rules[1:])
    snapshots, living, when = [], [], NOW - sum(gaps) * HOUR_NS
    for seq, gap in enumerate(gaps, 1):
        when += gap * HOUR_NS
        snapshots.append(taken(seq, when))
        living.append(snapshots[-1])
        if seq % step == 0:
            living = [one.snapshot for one in decide(living, policy, now_ns=when, zone=zone) if one.keep]
    at_once = set(kept(decide(snapshots, policy, now_ns=NOW, zone=zone)))
    assert set(kept(decide(living, policy, now_ns=NOW, zone=zone))) == at_once


# ------------------------------------------------------------------------------------ single cases


def test_every_decision_has_a_reason() -> None:
    """Keep or go, each decision says why."""
    decisions = decide([taken(1, NOW - 900 * DAY_NS), taken(2, NOW)], RetentionPolicy(), now_ns=NOW)
    assert [(one.keep, one.reasons) for one in decisions] == [
        (False, ("not selected by any rule",)),
        (True, ("last of its source",)),
    ]


def test_what_goes_is_told_by_each_rule_why() -> None:
    """Beside the verdict stands, for every rule of the policy, why it does not keep the snapshot; else nothing."""
    policy = RetentionPolicy(
        (
            Rule(Period.SNAPSHOT, count=1),
            Rule(Period.SNAPSHOT, within_ns=DAY_NS),
            Rule(Period.HOUR, within_ns=7 * DAY_NS),
            Rule(Period.DAY, count=1),
            Rule(Period.WEEK),
        )
    )
    two_days_ago = NOW - 2 * DAY_NS
    taken_then = [taken(1, two_days_ago - 30 * SECOND_NS), taken(2, two_days_ago), taken(3, NOW)]
    oldest, second, newest = decide(taken_then, policy, now_ns=NOW, zone=UTC)
    assert (second.keep, newest.keep, newest.against) == (True, True, ())
    assert oldest.against == (
        "not among the newest 1",
        "older than 24h",
        f"hourly 2026-11-16 11h: {'0' * 12} stays",
        "not among the daily 1",
        f"weekly 2026-W47: {'0' * 12} stays",
    )


def test_each_source_may_have_a_policy_of_its_own() -> None:
    """A source goes by its own policy, others by the common one; where there is none, they are not looked at."""
    snapshots = [taken(seq, NOW, source="home" if seq % 2 else "work") for seq in range(1, 9)]
    mine = {"home": explicit_policy(keep_last=2)}
    common = explicit_policy(keep_last=1)
    assert kept(decide_by_source(snapshots, mine, others=common, now_ns=NOW, zone=UTC)) == [5, 7, 8]
    alone = decide_by_source(snapshots, mine, now_ns=NOW, zone=UTC)
    assert [one.snapshot.record.seq for one in alone] == [1, 3, 5, 7]


def test_after_a_long_pause_the_floor_is_still_there() -> None:
    """A machine that was off for three years loses no more than what is above the floor."""
    old = [taken(seq, NOW - (1200 - seq) * DAY_NS) for seq in range(1, 31)]
    assert kept(decide(old, default_policy(), now_ns=NOW, zone=UTC)) == list(range(21, 31))


def test_fifty_snapshots_a_day_do_not_push_out_last_week() -> None:
    """With fifty snapshots a day for two weeks, each of the days before keeps one."""
    snapshots = [taken(seq, NOW - 14 * DAY_NS + seq * DAY_NS // 50) for seq in range(1, 700)]
    days = {
        datetime.fromtimestamp(one.snapshot.record.time_ns // SECOND_NS, UTC).date()
        for one in decide(snapshots, default_policy(), now_ns=NOW, zone=UTC)
        if one.keep
    }
    assert len(days) == 15


def test_dates_in_the_future_count_as_now() -> None:
    """A snapshot of the year 2554 does not use up the newest days; it stands beside those of today."""
    snapshots = [taken(1, NOW - DAY_NS), taken(2, (1 << 64) - 1), taken(3, NOW)]
    assert kept(decide(snapshots, explicit_policy(keep_daily=2), now_ns=NOW, zone=UTC)) == [1, 3]


def test_impossible_dates_are_no_obstacle() -> None:
    """Clocks that stood at zero, or before it, do not stop the decision."""
    snapshots = [taken(1, 0), taken(2, -(1 << 63)), taken(3, NOW)]
    assert kept(decide(snapshots, explicit_policy(keep_yearly=3), now_ns=NOW, zone=ZoneInfo("Asia/Tokyo"))) == [1, 2, 3]


def test_forgotten_snapshots_are_not_looked_at() -> None:
    """A forgotten snapshot takes nobody's place and gets no decision."""
    snapshots = [taken(1, NOW - 2), taken(2, NOW - 1, forgotten_ns=NOW)]
    assert kept(decide(snapshots, explicit_policy(keep_last=1), now_ns=NOW)) == [1]


def test_a_safety_copy_goes_when_a_newer_one_took_its_place() -> None:
    """After a year the last safety copy of each source is still there, and only that one."""
    old = [taken(1, NOW - 700 * DAY_NS, kind="safety"), taken(2, NOW - 400 * DAY_NS, kind="safety")]
    assert kept(decide(old, default_policy(), now_ns=NOW)) == [2]
    newer = [*old, taken(3, NOW - DAY_NS // 2, kind="safety"), taken(4, NOW - DAY_NS // 4, kind="safety")]
    assert kept(decide(newer, default_policy(), now_ns=NOW)) == [3, 4]
    assert kept(decide([*newer, taken(5, NOW, kind="safety", source="work")], default_policy(), now_ns=NOW)) == [
        3,
        4,
        5,
    ]


def test_sources_do_not_compete() -> None:
    """Each source has its own newest ones."""
    snapshots = [taken(seq, NOW - 50 + seq, source=f"s{seq % 3}") for seq in range(1, 13)]
    assert kept(decide(snapshots, explicit_policy(keep_last=2), now_ns=NOW)) == list(range(7, 13))


def test_the_hour_that_happens_twice_is_two_hours() -> None:
    """When clocks are set back, 02:30 before and 02:30 after are snapshots of different hours."""
    first = int(datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()) * SECOND_NS
    snapshots = [taken(1, first), taken(2, first + HOUR_NS), taken(3, first + 2 * HOUR_NS)]
    berlin = ZoneInfo("Europe/Berlin")
    now = first + 3 * HOUR_NS
    assert kept(decide(snapshots, explicit_policy(keep_hourly=9), now_ns=now, zone=berlin)) == [1, 2, 3]
    assert kept(decide(snapshots, explicit_policy(keep_daily=9), now_ns=now, zone=berlin)) == [3]


def test_a_day_of_23_hours_is_one_day() -> None:
    """Days end at local midnight, on the days of a clock change too."""
    berlin = ZoneInfo("Europe/Berlin")
    midnight = datetime(2026, 3, 29, tzinfo=berlin)
    hours = [int(midnight.timestamp()) + hour * 3600 for hour in range(-1, 24)]
    snapshots = [taken(seq, hour * SECOND_NS) for seq, hour in enumerate(hours, 1)]
    days = [datetime.fromtimestamp(hours[seq - 1], berlin) for seq in kept(
        decide(snapshots, explicit_policy(keep_daily=9), now_ns=hours[-1] * SECOND_NS, zone=berlin)
    )]  # fmt: skip
    assert [f"{day:%d %H}" for day in days] == ["28 23", "29 23", "30 00"]


def test_without_a_zone_the_machine_says_where_days_begin() -> None:
    """Local time is the machine's, with the offset that held at the time of the snapshot."""
    winter = datetime(2026, 1, 15, 23, 30, tzinfo=UTC)
    snapshots = [
        taken(1, int(winter.timestamp()) * SECOND_NS),
        taken(2, int((winter + timedelta(hours=1)).timestamp()) * SECOND_NS),
    ]
    assert len(kept(decide(snapshots, explicit_policy(keep_daily=5), now_ns=NOW))) == 2
    assert len(kept(decide(snapshots, explicit_policy(keep_daily=5), now_ns=NOW, zone=ZoneInfo("Europe/Berlin")))) == 1


@pytest.mark.parametrize(
    ("text", "hours"), [("3d12h", 84), ("24h", 24), ("2w", 336), ("1y", 8760), ("0h", 0), ("1y2w3d4h", 9172)]
)
def test_durations(text: str, hours: int) -> None:
    """Years, weeks, days and hours, in this order."""
    assert parse_duration(text) == hours * HOUR_NS


@pytest.mark.parametrize("text", ["", "3", "d", "12h3d", "3m", "-1d", "1.5d", "9" * 30 + "y", "3d 12h"])
def test_what_is_not_a_duration_is_refused(text: str) -> None:
    """Anything else is refused with an example of what is meant."""
    with pytest.raises(UsageError, match="duration"):
        parse_duration(text)


@given(st.integers(1, 10_000))
def test_durations_print_as_they_are_read(hours: int) -> None:
    """What is printed is read back as the same duration."""
    assert parse_duration(format_duration(hours * HOUR_NS)) == hours * HOUR_NS


def test_a_negative_count_is_refused() -> None:
    """There is no keeping of fewer than none."""
    with pytest.raises(UsageError, match="-1"):
        explicit_policy(keep_daily=-1)
