"""Long lives, and the space after years: `python -m tests.age --seconds 3600`, or `make test-age SECONDS=3600`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from tests.age.churn import live
from tests.age.life import grow_old
from tests.power.replay import quick_place

LONGEST_LIFE = 400
"""Days; then another life begins, from the next seed."""

YEAR = 365
ENTITIES = 60


def main() -> int:
    """Live until the time is over; then measure a year's space, of a repository that is let alone at times or never."""
    parser = argparse.ArgumentParser(prog="python -m tests.age", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long to live; the year comes on top")
    parser.add_argument("--seed", type=int, default=1, help="of the first life")
    parser.add_argument("--years", type=int, default=1, help="how many years to measure the space of")
    given = parser.parse_args()
    until = time.monotonic() + given.seconds
    seed, done = given.seed, Counter[str]()
    while time.monotonic() < until:
        with quick_place() as top:
            lived = grow_old(top, seed, days=LONGEST_LIFE, until=until)
        done += lived
        print(f"age: seed {seed}: {lived['days']:,} days, every snapshot is what it was", flush=True)
        seed += 1
    for name, count in sorted(done.items()):
        print(f"  {count:8,} {name}")
    for number in range(given.years):
        for alone in (True, False):
            with quick_place() as top:
                year = live(top, entities=ENTITIES, days=YEAR, seed=given.seed + number, alone=alone)
            print(
                f"age: seed {given.seed + number}, {year.days} days{'' if alone else ', always in use'}:"
                f" {year.snapshots} snapshots,"
                f" {year.churned.used:,} bytes in use, {year.ratio:.2f} times a fresh repository's {year.fresh.used:,};"
                f" files {year.churned.file:,} and {year.fresh.file:,}, {year.file_ratio:.2f} times",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
