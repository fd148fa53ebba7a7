"""Very many tiny files, all in one directory or spread over many."""

import os
import random
from pathlib import Path

from benchmarks.corpora.files import TimedWriter

PER_DIRECTORY = 500
_BEGUN_NS = 1_748_736_000 * 1_000_000_000


def build_flat(target: Path, files: int, seed: int) -> None:
    """Create `files` files in the one missing directory `target`."""
    _build(target, [f"{number:07d}.txt" for number in range(files)], seed)


def build_spread(target: Path, files: int, seed: int) -> None:
    """Create `files` files below the missing directory `target`, 500 to a directory, two levels deep."""
    folders = [divmod(number // PER_DIRECTORY, 20) for number in range(files)]
    _build(target, [f"{a:03d}/{b:02d}/{number:07d}.txt" for number, (a, b) in enumerate(folders)], seed)


def rename_one(target: Path, seed: int) -> None:
    """Rename one file within its directory."""
    files = sorted(path for path in target.rglob("*.txt"))
    chosen = random.Random(f"rename {seed}").choice(files)
    chosen.rename(chosen.with_name(f"renamed-{chosen.name}"))


def _build(target: Path, names: list[str], seed: int) -> None:
    target.mkdir(parents=True)
    rng = random.Random(f"tiny {seed}")
    writer = TimedWriter(target)
    for number, name in enumerate(names):
        data = f"{number} {rng.getrandbits(64):016x} {'state ready ' * rng.randrange(12)}\n"
        writer.write(name, data.encode(), _BEGUN_NS + number * 1_000_003)
    writer.finish()
    os.utime(target, ns=(_BEGUN_NS, _BEGUN_NS))
