"""All checks of the project, one after the other: what `make test` runs.

    python -m tools.check               everything
    python -m tools.check --only lint   lint, types and layers
    python -m tools.check --every       the tests on every supported Python of the machine

A failing check does not stop the others; the table at the end says what failed. The tests run on this Python and on the
newest one of the machine. Where the whole suite takes longer than FAST_ENOUGH seconds on the first one, the others
leave out what is marked slow.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools import make_venv, pythons

ROOT = Path(__file__).resolve().parent.parent
FAST_ENOUGH = 120
FUZZ_SECONDS = 2
WORKERS = max(2, min(len(os.sched_getaffinity(0)), 8))

LINT = {
    "lint": ["-m", "ruff", "check"],
    "format": ["-m", "ruff", "format", "--check"],
    "types": ["-m", "mypy"],
    "layers": ["-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-logo"],
}


@dataclass(frozen=True)
class Outcome:
    """What one check came to. A check that is not a test suite counts as one test."""

    name: str
    seconds: float
    passed: int
    failed: int
    skipped: int = 0


def lint() -> Iterator[Outcome]:
    """Style, types and the direction of imports."""
    for name, arguments in LINT.items():
        yield command(name, [sys.executable, *arguments])


def everything(*, every: bool) -> Iterator[Outcome]:
    """The cheap checks first, so that a slip shows early. `every` Python, or this one and the newest."""
    yield from lint()
    whole = tests("tests", Path(sys.executable))
    yield whole
    others = sorted((one for one in pythons.find() if one.minor != sys.version_info[:2]), key=lambda one: one.minor)
    others = others if every else others[-1:]
    selection = [] if whole.seconds <= FAST_ENOUGH else ["-m", "not slow"]
    for other in others:
        name = f"tests on {other.label}" + (" (not slow)" if selection else "")
        start = time.monotonic()
        try:
            python = make_venv.ensure(ROOT / ".venv-{}.{}".format(*other.minor), "dev", other)
        except make_venv.SetupError as error:
            print(f"check: {error}", file=sys.stderr)
            yield Outcome(name, time.monotonic() - start, passed=0, failed=1)
        else:
            yield tests(name, python, *selection)
    # The built-in engine: it begins at once, tries the same inputs each time, and is there on every machine. atheris
    # would take as long to make its instruments ready.
    fuzzing = ["-m", "fuzz.run", "--engine", "builtin", "--seconds", str(FUZZ_SECONDS)]
    yield command("fuzzing", [sys.executable, *fuzzing])
    yield command("wheel", [sys.executable, "-m", "tools.wheel_check"])


def command(name: str, arguments: list[str]) -> Outcome:
    """Run one check in the root of the project; it prints for itself."""
    _headline(name)
    start = time.monotonic()
    failed = subprocess.run(arguments, cwd=ROOT, check=False).returncode != 0
    return Outcome(name, time.monotonic() - start, passed=int(not failed), failed=int(failed))


def tests(name: str, python: Path, *selection: str) -> Outcome:
    """The test suite under one Python, counted from the report that pytest writes."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        arguments = ["-m", "pytest", "--numprocesses", str(WORKERS), "--quiet", f"--junit-xml={report}", *selection]
        whole = command(name, [str(python), *arguments])
        if not report.exists():
            return Outcome(name, whole.seconds, passed=0, failed=1)
        suites = list(ET.parse(report).getroot().iter("testsuite"))
    total, failures, errors, skipped = (
        sum(int(suite.get(key, 0)) for suite in suites) for key in ("tests", "failures", "errors", "skipped")
    )
    # pytest also fails where no test does: on a usage error, or when it collects nothing.
    failed = max(failures + errors, whole.failed)
    return Outcome(name, whole.seconds, max(0, total - failures - errors - skipped), failed, skipped)


def _headline(name: str) -> None:
    print(f"\n==> {name}", flush=True)


def summary(outcomes: list[Outcome]) -> str:
    """One line per check, and the sum."""
    width = max(len(one.name) for one in outcomes)
    lines = []
    for one in outcomes:
        skipped = f", {one.skipped} skipped" if one.skipped else ""
        verdict = "FAILED" if one.failed else "ok"
        lines.append(f"{one.name:{width}}  {verdict:6}  {one.seconds:6.1f} s  {one.passed} passed{skipped}")
    passed, failed = sum(one.passed for one in outcomes), sum(one.failed for one in outcomes)
    return "\n".join([*lines, "", f"{passed} passed, {failed} failed"])


def main() -> int:
    parser = argparse.ArgumentParser(description="run the checks of the project", prog="python -m tools.check")
    parser.add_argument("--only", choices=["lint"], help="only these")
    parser.add_argument("--every", action="store_true", help="tests on every supported Python of the machine")
    options = parser.parse_args()
    outcomes = list(lint() if options.only else everything(every=options.every))
    _headline("summary")
    print(summary(outcomes), flush=True)
    return 1 if any(one.failed for one in outcomes) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
