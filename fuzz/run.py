"""Runs the fuzz targets: `python -m fuzz.run --seconds 60`.

A target is a module in fuzz/targets with

    def fuzz_one(data: bytes) -> None      feeds the parser; anything may come in
    SEEDS: list[bytes]                     valid inputs to start from, at least one
    ALLOWED: tuple[type[BaseException], ...]   what a parser may raise about bytes it does not like

Any other exception, an input that takes longer than 10 s, one that needs more than 4 GiB, and a crash of the whole
process are findings: the input is saved under fuzz/crashes and the run exits with 1. Saved inputs are tried first
by the next run, so a mended one shows.

The engine is atheris where it is installed. Else it is a seeded mutation loop: an input whose exception comes from
a line that none came from before is kept, and later inputs are made from those that were kept. Each target runs in a
process of its own, which leaves the input it is at in shared memory, so a crash is caught too.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import mmap
import os
import pkgutil
import random
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from fuzz import mutation

ROOT = Path(__file__).resolve().parent.parent
CRASHES = ROOT / "fuzz" / "crashes"
INPUT_SECONDS = 10
MEMORY_LIMIT = 4 << 30
MAX_INPUT = 1 << 20
MAX_POOL = 1000


@dataclass(frozen=True)
class Target:
    """One parser under test."""

    name: str
    fuzz_one: Callable[[bytes], None]
    seeds: list[bytes]
    allowed: tuple[type[BaseException], ...]


class TooSlow(Exception):
    """One input took longer than INPUT_SECONDS."""


def target_names() -> list[str]:
    """The modules of fuzz/targets, in order."""
    return sorted(info.name for info in pkgutil.iter_modules([str(ROOT / "fuzz" / "targets")]))


def load(name: str) -> Target:
    """The target in fuzz/targets/`name`.py."""
    module = importlib.import_module(f"fuzz.targets.{name}")
    target = Target(name, module.fuzz_one, list(module.SEEDS), tuple(module.ALLOWED))
    if not target.seeds:
        raise SystemExit(f"fuzz/targets/{name}.py has no seeds")
    return target


# ---------------------------------------------------------------- in the process of one target


def run_target(target: Target, seconds: float, seed: int, current: mmap.mmap) -> int:
    """Feed `target` for `seconds`. Returns how many inputs; an unexpected exception comes out as it is."""
    chance = random.Random(f"{target.name} {seed}")
    pool = list(target.seeds)
    outcomes: set[object] = set()
    saved = sorted(CRASHES.glob(f"{target.name}-*")) if CRASHES.is_dir() else []
    first = [path.read_bytes() for path in saved] + pool
    deadline = time.monotonic() + seconds
    count = 0
    while count < len(first) or time.monotonic() < deadline:
        data = first[count] if count < len(first) else mutation.mutate(chance, pool)[:MAX_INPUT]
        current[: 8 + len(data)] = (len(data) + 1).to_bytes(8, "little") + data
        outcome = feed(target, data)
        if outcome not in outcomes:
            outcomes.add(outcome)
            if len(pool) < MAX_POOL:
                pool.append(data)
        count += 1
    return count


def feed(target: Target, data: bytes) -> object:
    """Give one input to the parser. Returns where it ended: nothing, or the line that raised an allowed error."""
    signal.setitimer(signal.ITIMER_REAL, INPUT_SECONDS)
    try:
        target.fuzz_one(data)
    except target.allowed as error:
        step = error.__traceback__
        while step is not None and step.tb_next is not None:
            step = step.tb_next
        return type(error), step and (step.tb_frame.f_code, step.tb_lineno)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return None


def child(name: str, seconds: float, seed: int, scratch: Path) -> int:
    """The whole life of a target's process with the built-in engine."""
    target = load(name)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    signal.signal(signal.SIGALRM, _too_slow)
    with scratch.open("r+b") as file, mmap.mmap(file.fileno(), MAX_INPUT + 8) as current:
        start = time.monotonic()
        try:
            count = run_target(target, seconds, seed, current)
        except KeyboardInterrupt:
            current[:8] = bytes(8)
            return 130
        except BaseException:  # noqa: BLE001 - whatever a parser lets out, SystemExit too, is the finding
            traceback.print_exc()
            return 1
        current[:8] = bytes(8)
    rate = count / (time.monotonic() - start)
    used = time.process_time()
    print(f"{name}: {count:,} inputs, {rate:,.0f} a second, {used:.0f} s of CPU, none unexpected", flush=True)
    return 0


def child_atheris(name: str, seconds: float) -> int:
    """The same with atheris, which ends the process itself and writes the input it fell over."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["icc_store"]):
        target = load(name)

    def fuzz_one(data: bytes) -> None:
        try:
            target.fuzz_one(data)
        except target.allowed:
            return

    corpus = CRASHES / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds:
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    limits = [f"-max_total_time={int(seconds)}", f"-timeout={INPUT_SECONDS}", f"-rss_limit_mb={MEMORY_LIMIT >> 20}"]
    atheris.Setup([name, *limits, f"-artifact_prefix={CRASHES}/{name}-", str(corpus)], fuzz_one)
    atheris.Fuzz()
    return 0


def _too_slow(_number: int, _frame: FrameType | None) -> None:
    raise TooSlow(f"one input took longer than {INPUT_SECONDS} s")


# ---------------------------------------------------------------- in the process that the user started


def supervise(name: str, options: argparse.Namespace) -> bool:
    """Run one target in a process of its own. Returns whether all went well; a finding is saved and printed."""
    CRASHES.mkdir(parents=True, exist_ok=True)
    scratch = CRASHES / f".running-{name}-{os.getpid()}"
    scratch.write_bytes(bytes(MAX_INPUT + 8))
    command = [sys.executable, "-m", "fuzz.run", "--child", name, "--engine", options.engine, "--scratch", str(scratch)]
    command += ["--seconds", str(options.seconds), "--seed", str(options.seed)]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
        raw = scratch.read_bytes()
    finally:
        scratch.unlink()
    if not done.returncode:
        print(done.stdout.strip() or f"{name}: done", flush=True)
        return True
    print(f"{name}: UNEXPECTED (exit {done.returncode})\n{done.stdout}{done.stderr}", flush=True)
    size = int.from_bytes(raw[:8], "little") - 1  # 0 stands for no input at all
    if options.engine == "builtin" and size >= 0:
        data = raw[8 : 8 + size]
        path = CRASHES / f"{name}-{hashlib.sha256(data).hexdigest()[:16]}"
        path.write_bytes(data)
        print(f"{name}: the input is saved as {path.relative_to(ROOT)}", flush=True)
    return False


def main() -> int:
    parser = argparse.ArgumentParser(description="run the fuzz targets", prog="python -m fuzz.run")
    parser.add_argument("targets", nargs="*", help="names from fuzz/targets (default: all)")
    parser.add_argument("--seconds", type=float, default=60, help="how long, per target (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="of the built-in engine (default: 0)")
    engines = ("builtin", "atheris")
    installed = importlib.util.find_spec("atheris") is not None
    parser.add_argument("--engine", choices=engines, default=engines[installed], help="default: %(default)s")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child and options.engine == "atheris":
        return child_atheris(options.child, options.seconds)
    if options.child:
        return child(options.child, options.seconds, options.seed, options.scratch)
    names = options.targets or target_names()
    unknown = sorted(set(names) - set(target_names()))
    if unknown or not names:
        parser.error(f"no such target: {', '.join(unknown)}" if unknown else "there is no target in fuzz/targets")
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as workers:
        results = list(workers.map(lambda name: supervise(name, options), names))
    print(f"{sum(results)} of {len(results)} fuzz targets held")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
