"""Where the time goes: `python -m benchmarks.micro [--profile OPERATION]`.

Without `--profile`, times the floors on an agent memory. With it, runs one operation of icc-store under
cProfile and prints its most expensive functions; what worker threads do is not in that profile.
"""

import argparse
import os
import pstats
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks import floors
from benchmarks.corpora import memory
from benchmarks.measure import Command, run, run_all
from benchmarks.peers.icc_store import IccStore
from benchmarks.peers.protocol import Steps
from benchmarks.plan import SEED
from benchmarks.report import table
from benchmarks.scenarios.contest import warm
from benchmarks.scenarios.memory import day_zero
from benchmarks.workspace import Workspace, copy_tree, default_directory

PROFILES = ("first", "unchanged", "day", "restore", "verify", "list")
_SHOWN = 35

_COMPILED = {
    "walk + stat, find": 'find "$1" -size -1c',
    "+ read, tar": 'tar -C "$1" -cf - . | cat > /dev/null',
    "+ BLAKE3, b3sum": 'find "$1" -type f -print0 | xargs -0 b3sum --num-threads 1',
    "+ zstd 3, tar": 'tar -C "$1" -cf - . | zstd -3 -q > /dev/null',
    "create + write + times, cp": 'cp -a "$1" "$2"',
}
"""Shell scripts that get the memory and a missing directory as arguments."""


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
    warm(source)
    try:
        if options.profile:
            _profile(workspace, source, options.profile, options.sort)
        else:
            print(_floors(workspace, source, options.repeat))
    finally:
        workspace.empty()
    return 0


def _floors(workspace: Workspace, source: Path, repeat: int) -> str:
    python: dict[str, Callable[[], None]] = {
        "walk + stat, os.scandir": partial(floors.walk_scandir, source),
        "walk + stat, os.listdir on descriptors": partial(floors.walk_descriptors, source),
        "+ read": partial(floors.read_all, source),
        "+ BLAKE3": partial(floors.read_and_hash, source),
        "+ zstd 3 in 1 MiB blocks, 1 thread": partial(floors.read_hash_compress, source, threads=1),
        "+ zstd 3 in 1 MiB blocks, 2 threads": partial(floors.read_hash_compress, source, threads=2),
        "create + write + times": partial(_create, workspace, source),
    }
    rows = [[f"Python: {name}", _best(step, repeat)] for name, step in python.items()]
    rows += [
        [f"C: {name}", _best(partial(_shell, workspace, source, text), repeat)] for name, text in _COMPILED.items()
    ]
    files = sum(len(names) for _, _, names in os.walk(source))
    return table([f"floor, {files:,} files", "best wall"], rows)


def _best(step: Callable[[], None], repeat: int) -> str:
    times = []
    for _ in range(repeat):
        os.sync()
        begun = time.perf_counter()
        step()
        times.append(time.perf_counter() - begun)
    return f"{min(times) * 1000:.1f} ms"


def _create(workspace: Workspace, source: Path) -> None:
    target = workspace.fresh("created")
    floors.create_all(source, target / "tree")
    workspace.discard(target)


def _shell(workspace: Workspace, source: Path, script: str) -> None:
    target = workspace.fresh("created")
    done = run(Command(["sh", "-c", script, "sh", str(source), str(target / "tree")], os.environ), sample_memory=False)
    workspace.discard(target)
    if not done.ok:
        raise RuntimeError(f"{script}: {done.stderr}")


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
    warm(source)
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


def _must(steps: Steps) -> None:
    done = run_all(steps, sample_memory=False)
    if not done.ok:
        raise RuntimeError(f"exit status {done.status}: {done.stderr}")


if __name__ == "__main__":
    sys.exit(main())
