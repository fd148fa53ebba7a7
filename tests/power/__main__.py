"""The power failures of whole runs, as many as wanted: `python -m tests.power --states 3000`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.power.disk import Disk
from tests.power.recording import compiler, record_life
from tests.power.replay import replay, states

DEATHS = 3


def main() -> int:
    """Record and replay runs, each from another seed, until there were enough states. Exit code 1 for any failure."""
    parser = argparse.ArgumentParser(prog="python -m tests.power", description=__doc__)
    parser.add_argument("--states", type=int, default=3000, help="different states to try at least")
    parser.add_argument("--seed", type=int, default=1, help="of the first run")
    given = parser.parse_args()
    if compiler() is None:
        print("power: a C compiler is needed to record what a process writes")
        return 2
    tried: Counter[str] = Counter()
    events, failures, seed = 0, [], given.seed
    while tried.total() < given.states:
        with tempfile.TemporaryDirectory(prefix="icc-store-power-") as place:
            life = record_life(Path(place), seed=seed, deaths=DEATHS)
        found = states(life.events, Disk(life), seed=seed)
        report = replay(found, seed=seed, next_runs=0.25)
        events += len(life.events)
        tried += report.states
        failures += [f"seed {seed}, {failure}" for failure in report.failures]
        print(f"power: seed {seed}: {report.states.total():,} states, {len(report.failures)} failures", flush=True)
        seed += 1
    print("\n".join(failures[:40]))
    print(f"power: {seed - given.seed} runs of {events:,} events, {tried.total():,} different states after a failure")
    for fate, count in tried.most_common():
        print(f"  {count:6,} {fate}")
    print(f"power: {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
