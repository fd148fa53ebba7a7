"""The engine that sees which lines of icc_store an input reached: atheris, which is libFuzzer for Python.

What reaches something new is kept in a directory and is where the next run begins. Half of the inputs are changed by
libFuzzer, and half by what they say, where the target knows a form for them.
"""

from __future__ import annotations

import importlib
import io
import random
import re
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuzz import structure
from fuzz.target import INPUT_SECONDS, MEMORY_LIMIT, Target, bound_process, feed, load

_STATE = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)")
_UNITS = re.compile(r"^stat::number_of_executed_units: (\d+)", re.MULTILINE)
_DONE = re.compile(r"^#(\d+)\s", re.MULTILINE)


@dataclass(frozen=True)
class Tally:
    """What a run came to: inputs, edges of icc_store's code that were reached, features (edges by how often), kept."""

    inputs: int = 0
    edges: int = 0
    features: int = 0
    kept: int = 0


@dataclass(frozen=True)
class Places:
    """Directories: what is kept, what was found, and one that goes after the run."""

    corpus: Path
    findings: Path
    scratch: Path


def run(name: str, seconds: float, seed: int, places: Places) -> int:
    """The whole life of a target's process. atheris ends it, and saves the input that a finding was made with."""
    atheris: Any = importlib.import_module("atheris")  # there is no wheel of it for every machine
    with redirect_stderr(io.StringIO()), atheris.instrument_imports(include=["icc_store"]):  # it names each module
        target = load(name)
    bound_process()
    places.corpus.mkdir(parents=True, exist_ok=True)
    seeds = places.scratch / "seeds"
    seeds.mkdir()
    for number, data in enumerate(target.seeds):
        (seeds / str(number)).write_bytes(data)

    def fuzz_one(data: bytes) -> None:
        feed(target, data)

    bounds = [f"-max_total_time={max(1, int(seconds))}", f"-timeout={INPUT_SECONDS}"]
    bounds += [f"-rss_limit_mb={MEMORY_LIMIT >> 20}", f"-seed={seed + 1}", "-print_final_stats=1"]
    bounds.append(f"-artifact_prefix={places.findings}/")
    if target.words:
        words = places.scratch / "words"
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
        bounds.append(f"-dict={words}")
    inputs = [str(each) for each in (places.corpus, seeds, places.findings)]
    mutator = {"custom_mutator": _mutator(target, atheris)} if target.forms else {}
    atheris.Setup([name, *bounds, *inputs], fuzz_one, **mutator)
    atheris.Fuzz()
    return 0


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def _mutator(target: Target, atheris: Any) -> Any:
    """What changes an input. `Mutate` is put into atheris only when it begins."""

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        made = structure.mutate(chance, data, target.forms, target.seeds) if chance.random() < 0.5 else None
        return made if made is not None and len(made) <= most else bytes(atheris.Mutate(data, most))

    return mutate


def tally(output: str) -> Tally:
    """What libFuzzer printed, in numbers."""
    units = _UNITS.findall(output) or _DONE.findall(output) or ["0"]
    edges, features, kept = (_STATE.findall(output) or [("0", "0", "0")])[-1]
    return Tally(int(units[-1]), int(edges), int(features), int(kept))
