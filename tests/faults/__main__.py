"""Kill and fail the program at every call it makes, and print what that came to: what `make test-crash` runs.

python -m tests.faults                       every operation, every fault, every call
python -m tests.faults --kill                only killing
python -m tests.faults --operation gc --points 20
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter

from tests.faults.operations import OPERATIONS
from tests.faults.shim import FAILURES, KILLED, build
from tests.faults.sweep import Outcome, Task, sweep

HEADLINE = f"{'operation':34} {'fault':20} {'points':>6} {'survived':>8} {'wrong':>5}  calls"


def line(one: Outcome) -> str:
    """An operation and a fault: points, at which call a run survived, points with something wrong, what was struck."""
    calls = ", ".join(f"{name} {count}" for name, count in sorted(one.struck.items()))
    survived = one.survived or "-"
    return f"{one.operation:34} {one.fault:20} {len(one.points):6} {survived:>8} {wrong(one):5}  {calls}"


def wrong(one: Outcome) -> int:
    """At how many points something is wrong."""
    return sum(1 for point in one.points if point.complaints)


def gaps(outcomes: list[Outcome]) -> list[str]:
    """Calls that a run makes and that were never struck."""
    made: Counter[tuple[str, str]] = Counter()
    struck: Counter[tuple[str, str]] = Counter()
    for one in outcomes:
        made.update({(one.fault, call): count for call, count in one.calls.items()})
        struck.update({(one.fault, call): count for call, count in one.struck.items()})
    return [f"{fault}: {call}, made {made[fault, call]} times" for fault, call in made if not struck[fault, call]]


def summary(outcomes: list[Outcome], seconds: float) -> str:
    """The sums, one line for each fault."""
    lines = []
    for fault in dict.fromkeys(one.fault for one in outcomes):
        ours = [one for one in outcomes if one.fault == fault]
        points = sum(len(one.points) for one in ours)
        struck: Counter[str] = sum((one.struck for one in ours), Counter())
        lines.append(f"{fault:20} {points:6} points, {len(struck)} kinds of call")
    total = sum(len(one.points) for one in outcomes)
    bad = sum(map(wrong, outcomes))
    lines.append(f"{'all':20} {total:6} points, {bad} of them wrong, {seconds:.0f} s")
    return "\n".join(lines)


def main() -> int:
    """Run what is asked for. Returns 1 when anything is wrong or was never struck."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="fail at every call")
    parser.add_argument("--kill", action="store_true", help="only killing")
    parser.add_argument("--fail", action="store_true", help="only failing")
    parser.add_argument("--operation", action="append", help="only this one; may be given several times")
    parser.add_argument("--points", type=int, help="at most so many of each operation and fault")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    faults = [*(() if options.fail else (KILLED,)), *(() if options.kill else FAILURES)]
    chosen = [one.name for one in OPERATIONS if not options.operation or one.name in options.operation]
    tasks = [Task(name, fault, options.points) for name in chosen for fault in faults]
    print(HEADLINE)
    began, outcomes = time.monotonic(), []
    for outcome in sweep(tasks, jobs=options.jobs, library=build()):
        outcomes.append(outcome)
        print("\n".join([line(outcome), *(f"WRONG: {each}" for each in outcome.complaints)]), flush=True)
    never = gaps(outcomes) if options.points is None else []
    print("\ncalls that were never struck: " + ("; ".join(never) or "none"))
    print("\n" + summary(outcomes, time.monotonic() - began))
    return 1 if never or any(one.complaints for one in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
