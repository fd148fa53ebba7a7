"""How much of each scenario to run."""

from dataclasses import dataclass, replace

SEED = 20250601


@dataclass(frozen=True)
class Plan:
    """Sizes and repetitions of one benchmark."""

    runs: int = 3
    big_runs: int = 1
    """Repetitions of the scenarios that write gigabytes or very many files."""
    quick_runs: int = 5
    """Repetitions of an operation that takes milliseconds, in a scenario that is run once."""
    startup_runs: int = 21
    entities: tuple[int, ...] = (5_000, 100_000)
    days: int = 30
    binary_bytes: int = 2 << 30
    binary_edits: int = 20
    tiny_files: int = 200_000
    transcript_bytes: int = 500 << 20
    transcript_steps: int = 5
    database_bytes: int = 200 << 20
    database_steps: int = 5
    states: int = 60
    """Of the history of a repository."""
    many_files: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    snapshots: int = 1_000
    snapshot_entities: int = 1_000
    seconds: float | None = None
    """After which a scenario begins nothing more that it can do without."""


FULL = Plan()
QUICK = Plan(
    runs=1,
    quick_runs=3,
    startup_runs=7,
    entities=(2_000,),
    days=14,
    binary_bytes=128 << 20,
    binary_edits=8,
    tiny_files=5_000,
    transcript_bytes=16 << 20,
    transcript_steps=2,
    database_bytes=8 << 20,
    database_steps=2,
    states=12,
    many_files=(1_000, 10_000),
    snapshots=40,
)


def choose(*, quick: bool, entities: int | None, days: int | None, runs: int | None, minutes: float | None) -> Plan:
    """Return the full or quick plan with what the caller said otherwise."""
    plan = QUICK if quick else FULL
    if entities is not None:
        plan = replace(plan, entities=(entities,))
    if days is not None:
        plan = replace(plan, days=days)
    if runs is not None:
        plan = replace(plan, runs=runs, big_runs=runs)
    if minutes is not None:
        plan = replace(plan, seconds=minutes * 60)
    return plan
