"""The least that a backup and a restore can cost: the same work without storing, comparing or checking anything.

In C where a compiler is found, in Python otherwise. The C library of BLAKE3 is rarely installed, so hashing is the
`blake3` package, which is compiled code, in a loop over bytes that are already in memory; its seconds are added.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import blake3

from benchmarks.floors import plain
from benchmarks.results import FloorSample
from benchmarks.workspace import Workspace

WALK = "walk + stat"
READ = "+ read"
HASH = "+ BLAKE3"
COMPRESS = "+ zstd 3"
CREATE = "create + write"

_SOURCE = Path(__file__).parent / "floor.c"
_PYTHON = (sys.executable, "-m", "benchmarks.floors.plain")
_BATCH = 64 << 20
"""Bytes that are held in memory while they are hashed."""


class Floors:
    """Measures the floors on a tree, in C where this machine can have that and it is wanted."""

    def __init__(self, workspace: Workspace, *, compiled: bool = True) -> None:
        self._workspace = workspace
        self._program = (_compile(workspace.root / "floor") if compiled else None) or _PYTHON

    @property
    def language(self) -> str:
        """Say what the floors are written in."""
        written = "Python" if self._program is _PYTHON else "C"
        return f"{written}; BLAKE3: its Python package, on bytes in memory"

    def measure(self, source: Path, run: int) -> list[FloorSample]:
        """Return what each step costs on `source`, each with what stands before it."""
        target = self._workspace.fresh("created") / "tree"
        walked = self.run("walk", source)
        read = self.run("read", source)
        hashing = hash_seconds(plain.pieces(source))
        compressed = self.run("zstd", source)
        created = self.run("create", source, target)
        self._workspace.discard(target.parent)
        costs = {
            WALK: walked,
            READ: read,
            HASH: _sum(read, hashing),
            COMPRESS: _sum(compressed, hashing),
            CREATE: created,
        }
        return [FloorSample(step, run, wall, cpu) for step, (wall, cpu) in costs.items()]

    def run(self, step: str, *paths: Path) -> tuple[float, float]:
        """Return wall and CPU seconds of one step of floor.c."""
        done = _output(self._program, step, paths)
        if done is None and self._program is not _PYTHON:
            done = _output(_PYTHON, step, paths)
        if done is None:
            raise RuntimeError(f"the floor {step} failed on {paths[0]}")
        wall, cpu = map(float, done.split())
        return wall, cpu


def hash_seconds(pieces: Iterable[bytes]) -> tuple[float, float]:
    """Return wall and CPU seconds of hashing, without those of getting the bytes."""
    wall = cpu = 0.0
    for batch in _batches(pieces):
        begun, used = time.perf_counter(), time.process_time()
        for data in batch:
            blake3.blake3(data).digest()
        wall += time.perf_counter() - begun
        cpu += time.process_time() - used
    return wall, cpu


def _batches(pieces: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for data in pieces:
        batch.append(data)
        size += len(data)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    yield batch


def _sum(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return one[0] + other[0], one[1] + other[1]


def _compile(program: Path) -> tuple[str, ...] | None:
    """Compile the C program; return its command, None where that cannot be done."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    command = [compiler, "-O2", "-o", str(program), str(_SOURCE), "-ldl"]
    done = subprocess.run(command, capture_output=True, check=False)
    return (str(program),) if done.returncode == 0 else None


def _output(program: Sequence[str], step: str, paths: Iterable[Path]) -> str | None:
    done = subprocess.run([*program, step, *map(str, paths)], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None
