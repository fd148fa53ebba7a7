"""How much of each scenario to run."""

from dataclasses import dataclass, replace

SEED = 20250601


@dataclass(frozen=True)
class Plan:
    """Sizes and repetitions of one benchmark."""

    runs: int = 3
    entities: tuple[int, ...] = (5_000, 100_000)
    days: int = 30
    startup_runs: int = 21
    binary_bytes: int = 2 << 30
    binary_edits: int = 20
    tiny_files: int = 200_000
    big_runs: int = 1
    """Repetitions of the scenarios that write gigabytes or very many files."""


FULL = Plan()
QUICK = Plan(
    runs=1, entities=(2_000,), days=14, startup_runs=7, binary_bytes=128 << 20, binary_edits=8, tiny_files=5_000
)


def choose(*, quick: bool, entities: int | None, days: int | None, runs: int | None) -> Plan:
    """Return the full or quick plan with what the caller said otherwise."""
    plan = QUICK if quick else FULL
    if entities is not None:
        plan = replace(plan, entities=(entities,))
    if days is not None:
        plan = replace(plan, days=days)
    if runs is not None:
        plan = replace(plan, runs=runs, big_runs=runs)
    return plan
