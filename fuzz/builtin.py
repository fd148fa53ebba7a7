"""The engine that is always there: a seeded mutation loop.

An input whose exception comes from a line that none came from before is kept, and later inputs are made from those that
were kept. The input it is at stands in shared memory, so that whoever started the process can save it after a crash.
"""

from __future__ import annotations

import mmap
import random
import resource
import time
import traceback
from pathlib import Path

from fuzz import mutation, structure
from fuzz.target import INPUT_SECONDS, Target, bound_process, feed

MAX_INPUT = 1 << 20
MAX_POOL = 1000
SHARED_SIZE = MAX_INPUT + 8


def run(target: Target, seconds: float, seed: int, shared: Path, findings: Path) -> int:
    """The whole life of a target's process. Returns its exit code; an unexpected exception is printed."""
    bound_process()
    most = int(seconds) + INPUT_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (most, most))  # in C code no handler of signals runs
    with shared.open("r+b") as file, mmap.mmap(file.fileno(), SHARED_SIZE) as current:
        try:
            count, kept = _loop(target, seconds, seed, current, findings)
        except KeyboardInterrupt:
            current[:8] = bytes(8)
            return 130
        except BaseException:  # noqa: BLE001 - whatever a parser lets out, SystemExit too, is the finding
            traceback.print_exc()
            return 1
        current[:8] = bytes(8)
    print(f"inputs: {count} kept: {kept}", flush=True)
    return 0


def current_input(shared: Path) -> bytes | None:
    """The input that a process was at when it ended, if it was at one."""
    raw = shared.read_bytes()
    size = int.from_bytes(raw[:8], "little") - 1  # 0 stands for no input at all
    return raw[8 : 8 + size] if size >= 0 else None


def _loop(target: Target, seconds: float, seed: int, current: mmap.mmap, findings: Path) -> tuple[int, int]:
    """Feed `target` for `seconds`. Returns how many inputs it got, and how many were kept."""
    chance = random.Random(f"{target.name} {seed}")
    pool = list(target.seeds)
    outcomes: set[object] = set()
    first = [path.read_bytes()[:MAX_INPUT] for path in sorted(findings.glob("*"))] + pool
    deadline = time.monotonic() + seconds
    count = 0
    while count < len(first) or time.monotonic() < deadline:
        data = first[count] if count < len(first) else _next(chance, target, pool)
        current[: 8 + len(data)] = (len(data) + 1).to_bytes(8, "little") + data
        outcome = feed(target, data)
        if outcome not in outcomes:
            outcomes.add(outcome)
            if len(pool) < MAX_POOL:
                pool.append(data)
        count += 1
    return count, len(pool)


def _next(chance: random.Random, target: Target, pool: list[bytes]) -> bytes:
    made = None
    if target.forms and chance.random() < 0.5:
        made = structure.mutate(chance, chance.choice(pool), target.forms, pool)
    return (mutation.mutate(chance, pool, target.words) if made is None else made)[:MAX_INPUT]
