"""What a command costs is told as it was."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from benchmarks.measure import Command, run, run_all

MB = 1 << 20
HOLD = "data = bytearray(60 << 20); import time, os; "


def python(text: str, **options: object) -> Command:
    return Command([sys.executable, "-c", text], os.environ, **options)  # type: ignore[arg-type]


def test_memory_is_what_the_process_had() -> None:
    """The peak of a process that holds 60 MB is that, and what the interpreter takes."""
    assert 60 * MB < run(python(HOLD + "time.sleep(0.2)")).peak_memory < 90 * MB


def test_shared_pages_count_once() -> None:
    """Three processes that share 60 MB take hardly more than one."""
    peak = run(python(HOLD + "children = os.fork() or os.fork(); time.sleep(0.5)")).peak_memory
    assert 60 * MB < peak < 100 * MB


def test_cpu_of_children_counts() -> None:
    """Seconds that a child computes are seconds of the command."""
    burn = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'sum(range(3 * 10**7))'])"
    assert run(python(burn)).cpu > 0.05


@pytest.mark.parametrize(("warnings", "status"), [(frozenset(), 3), (frozenset((3,)), 0)])
def test_warnings_are_no_failure(warnings: frozenset[int], status: int) -> None:
    """A status counts as a failure unless the command says that it is a warning."""
    assert run(python("raise SystemExit(3)", warnings=warnings)).status == status


def test_the_end_of_what_it_complained_about_is_kept() -> None:
    """Standard error is there for the report."""
    done = run(python("import sys; sys.exit('what went wrong')"))
    assert not done.ok
    assert "what went wrong" in done.stderr


def test_a_command_that_does_not_end_is_killed() -> None:
    """After its limit a command is killed, and has failed."""
    assert run(python("import time; time.sleep(60)"), limit=0.2).status < 0


def test_several_commands_are_one_operation(tmp_path: Path) -> None:
    """Their costs add up, and what follows a failure is not begun."""
    touch = [python(f"open('{name}', 'w')", cwd=tmp_path) for name in "ab"]
    assert run_all(touch).ok
    assert not run_all([python("raise SystemExit(1)"), python("open('c', 'w')", cwd=tmp_path)]).ok
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
