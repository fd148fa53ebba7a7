"""Damage a small repository in every way, and print what that came to: what `make test-damage` runs.

python -m tests.damage                    every byte, every kind of damage
python -m tests.damage --every 50         one byte of fifty
python -m tests.damage --snapshots 40     a repository of more than 64 blocks, which several processes verify
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path

from tests.damage.flips import flip_each, positions
from tests.damage.harms import harms
from tests.damage.matrix import Outcome, run
from tests.damage.stage import Stage, make_stage
from tests.support.forked import preload


def words(counts: Counter[str]) -> str:
    """Counts of what things came to."""
    return ", ".join(f"{number} {what}" for what, number in sorted(counts.items()) if number)


def line(kind: str, one: Outcome) -> str:
    """One kind of damage."""
    return (
        f"{kind:32} {one.harms:5} {one.commands:8} {len(one.wrong):5}  repair: {words(one.repairs)}; "
        f"salvage: {words(one.salvages)}; {one.files:,} files"
    )


def flip_at_once(stage: Stage, folder: Path, places: Sequence[tuple[str, int]]) -> tuple[Counter[str], list[str]]:
    """The same as `flip_each`, on every processor."""
    number = len(os.sched_getaffinity(0))
    came_to: Counter[str] = Counter()
    wrong: list[str] = []
    with ProcessPoolExecutor(number) as pool:
        shares = [
            pool.submit(flip_each, stage, folder / f"flips{share}", places[share::number]) for share in range(number)
        ]
        for done in shares:
            came_to += done.result()[0]
            wrong += done.result()[1]
    return came_to, wrong


def harm_share(
    stage: Stage, folder: Path, chance: random.Random, flips: int, share: int, number: int
) -> dict[str, Outcome]:
    """One of so many shares of all other damage. What is wrong is told as it comes, since all of it takes hours."""
    folder.mkdir()
    os.chdir(folder)
    chosen = islice(harms(stage, chance, flips=flips), share, None, number)
    return run(stage, folder, chosen, tell=lambda wrong: print(wrong, file=sys.stderr, flush=True))


def harm_at_once(stage: Stage, folder: Path, seed: int, flips: int) -> dict[str, Outcome]:
    """All other damage, on every processor. Returns what came of each kind."""
    number = len(os.sched_getaffinity(0))
    outcomes: dict[str, Outcome] = {}
    with ProcessPoolExecutor(number) as pool:
        shares = [
            pool.submit(harm_share, stage, folder / f"harms{share}", random.Random(seed), flips, share, number)
            for share in range(number)
        ]
        for done in shares:
            for kind, one in done.result().items():
                outcomes.setdefault(kind, Outcome()).add(one)
    return outcomes


def main() -> int:
    """Run it. Returns 1 when anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.damage", description="damage a repository in every way")
    parser.add_argument("--every", type=int, default=1, help="change only one byte of so many")
    parser.add_argument("--flips", type=int, default=100, help="single bits on which every command is tried")
    parser.add_argument("--snapshots", type=int, default=3, help="of the repository that is damaged")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.monotonic()
    preload()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as scratch:
        folder = Path(scratch)
        stage = make_stage(folder, options.snapshots)
        places = positions(stage)[:: options.every]
        came_to, wrong = flip_at_once(stage, folder, places)
        print(
            f"{len(places):,} bytes of {len(positions(stage)):,} changed: {words(came_to)}; {len(wrong)} wrong",
            flush=True,
        )
        for each in wrong:
            print(each, file=sys.stderr, flush=True)
        outcomes = harm_at_once(stage, folder, options.seed, options.flips)
    print(f"{'damage':32} {'times':>5} {'commands':>8} {'wrong':>5}  what came back")
    for kind, one in outcomes.items():
        print(line(kind, one))
        wrong += one.wrong
    total = len(places) + sum(one.harms for one in outcomes.values())
    print(f"{total:,} damages, {len(wrong)} wrong, {time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
