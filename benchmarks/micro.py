"""Where the time goes: `python -m benchmarks.micro [--profile OPERATION]`.

Without `--profile`, times the floors on an agent memory. With it, runs one operation of icc-store under
cProfile and prints its most expensive functions; what worker threads do is not in that profile.
"""

import argparse
import os
import pstats
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.compare import read_tree
from benchmarks.corpora import memory
from benchmarks.floors import Floors
from benchmarks.measure import run_all
from benchmarks.peers.icc_store import IccStore
from benchmarks.peers.protocol import Steps
from benchmarks.plan import SEED
from benchmarks.report import seconds, table
from benchmarks.results import FloorSample
from benchmarks.scenarios.memory import day_zero
from benchmarks.workspace import Workspace, copy_tree, default_directory

PROFILES = ("first", "unchanged", "day", "restore", "verify", "list")
_SHOWN = 35


def main(arguments: Sequence[str] | None = None) -> int:
    """Time the floors, or profile one operation."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.micro", description="Floors and profiles.")
    parser.add_argument("--entities", type=int, default=5_000, metavar="N", help="entities of the agent memory")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="the best of N is shown")
    parser.add_argument("--profile", choices=PROFILES, help="profile this operation instead")
    parser.add_argument("--sort", choices=("tottime", "cumtime"), default="tottime", help="order of the profile")
    parser.add_argument("--work", type=Path, default=default_directory(), metavar="DIR")
    options = parser.parse_args(arguments)
    workspace = Workspace(options.work.absolute())
    source = day_zero(workspace, options.entities)
    _warm(workspace, source)
    try:
        if options.profile:
            _profile(workspace, source, options.profile, options.sort)
        else:
            print(_floors(workspace, source, options.repeat))
    finally:
        workspace.empty()
    return 0


def _floors(workspace: Workspace, source: Path, repeat: int) -> str:
    """Return a table of the floors, the best of `repeat` runs of each."""
    columns = []
    for compiled in (True, False):
        floors = Floors(workspace, compiled=compiled)
        columns.append([sample for run in range(repeat) for sample in floors.measure(source, run)])
    steps = dict.fromkeys(sample.step for sample in columns[0])
    rows = [[step, *(text for column in columns for text in _best(column, step))] for step in steps]
    files = sum(len(names) for _, _, names in os.walk(source))
    return table([f"floor, {files:,} files", "C wall", "C CPU", "Python wall", "Python CPU"], rows)


def _best(samples: Sequence[FloorSample], step: str) -> list[str]:
    own = [sample for sample in samples if sample.step == step]
    return [seconds(min(sample.wall for sample in own)), seconds(min(sample.cpu for sample in own))]


def _profile(workspace: Workspace, original: Path, operation: str, sort: str) -> None:
    """Do what must come before, then run one operation under cProfile and print the result."""
    home = workspace.fresh("profile")
    source = home / "source"
    copy_tree(original, source)
    peer = IccStore(home)
    _must(peer.init())
    if operation != "first":
        _must(peer.snapshot(source, "before"))
    if operation == "day":
        memory.advance_day(source, 1, SEED)
    _warm(workspace, source)
    asked = {
        "restore": lambda: peer.restore(home / "restored"),
        "verify": peer.verify,
        "list": peer.list,
    }.get(operation, lambda: peer.snapshot(source, "profiled"))()
    profile = home / "profile.out"
    module = [sys.executable, "-m", "cProfile", "-o", str(profile), "-m", "icc_store"]
    _must([replace(command, argv=[*module, *command.argv[1:]]) for command in asked])
    pstats.Stats(str(profile)).strip_dirs().sort_stats(sort).print_stats(_SHOWN)
    workspace.discard(home)


def _warm(workspace: Workspace, source: Path) -> None:
    workspace.settle()
    read_tree(source)


def _must(steps: Steps) -> None:
    done = run_all(steps, sample_memory=False)
    if not done.ok:
        raise RuntimeError(f"exit status {done.status}: {done.stderr}")


if __name__ == "__main__":
    sys.exit(main())
