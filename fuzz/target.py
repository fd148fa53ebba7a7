"""What a fuzz target is, how it is loaded, and how one input is given to it.

A target is a module in fuzz/targets with

    def fuzz_one(data: bytes) -> None      feeds the parser; anything may come in
    SEEDS: list[bytes]                     valid inputs to start from, at least one
    ALLOWED: tuple[type[BaseException], ...]   what a parser may raise about bytes it does not like

and where it helps

    FORMS: tuple[Form, ...]                ways to take an input apart, so that changes are made to what it says
    WORDS: tuple[bytes, ...]               what the parser knows by name

Any other exception, an input that takes 10 s of CPU, one that needs more than 4 GiB, and a crash are findings.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import pkgutil
import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from fuzz.structure import Form

TARGETS = Path(__file__).resolve().parent / "targets"
INPUT_CPU_SECONDS = 10
"""Of the processor, so that other work on the machine makes no findings."""
INPUT_SECONDS = 120
"""By the clock: what waits for something takes no CPU."""
MEMORY_LIMIT = 4 << 30


@dataclass(frozen=True)
class Target:
    """One parser under test."""

    name: str
    fuzz_one: Callable[[bytes], None]
    seeds: list[bytes]
    allowed: tuple[type[BaseException], ...]
    forms: tuple[Form, ...] = ()
    words: tuple[bytes, ...] = ()


class TooSlow(Exception):
    """One input took too long."""


def target_names() -> list[str]:
    """The modules of fuzz/targets, in order."""
    return sorted(info.name for info in pkgutil.iter_modules([str(TARGETS)]))


def load(name: str) -> Target:
    """The target in fuzz/targets/`name`.py."""
    module = importlib.import_module(f"fuzz.targets.{name}")
    forms, words = getattr(module, "FORMS", ()), getattr(module, "WORDS", ())
    target = Target(name, module.fuzz_one, list(module.SEEDS), tuple(module.ALLOWED), tuple(forms), tuple(words))
    if not target.seeds:
        raise SystemExit(f"fuzz/targets/{name}.py has no seeds")
    return target


def code_of(name: str) -> str:
    """A digest of the target and of the modules of icc_store that it names: the code that its runs are counted for."""
    source = (TARGETS / f"{name}.py").read_bytes()
    digest = hashlib.sha256(source)
    named = sorted(
        f"{node.module}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and f"{node.module}".startswith("icc_store.")
    )
    for module in named:
        spec = importlib.util.find_spec(module)
        if spec is not None and spec.origin is not None:
            digest.update(Path(spec.origin).read_bytes())
    return digest.hexdigest()[:16]


def bound_process() -> None:
    """Set the limits of memory and time for the process of a target."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    signal.signal(signal.SIGPROF, _too_slow)


def feed(target: Target, data: bytes) -> object:
    """Give one input to the parser. Returns where it ended: nothing, or the line that raised an allowed error."""
    signal.setitimer(signal.ITIMER_PROF, INPUT_CPU_SECONDS)
    try:
        target.fuzz_one(data)
    except target.allowed as error:
        step = error.__traceback__
        while step is not None and step.tb_next is not None:
            step = step.tb_next
        return type(error), step and (step.tb_frame.f_code, step.tb_lineno)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return None


def _too_slow(_number: int, _frame: FrameType | None) -> None:
    raise TooSlow(f"one input took longer than {INPUT_CPU_SECONDS} s of CPU")
