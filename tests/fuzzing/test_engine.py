"""The built-in engine finds what is planted for it, and what it finds can be tried again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fuzz import builtin

ROOT = Path(__file__).resolve().parents[2]
_RUN = """
import ctypes, os, sys
from pathlib import Path
from fuzz import builtin
from fuzz.target import Target

def fuzz_one(data):
    if len(data) != 7:
        raise ValueError("another length")
    if not data.startswith(b"sou"):
        {planted}

shared, findings = map(Path, sys.argv[1:])
sys.exit(builtin.run(Target("planted", fuzz_one, [b"sound.."], (ValueError,)), {seconds}, 1, shared, findings))
"""


def run(tmp_path: Path, planted: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
    """One run of a target in which this statement is reached by inputs that are rare."""
    (tmp_path / "shared").write_bytes(bytes(builtin.SHARED_SIZE))
    (tmp_path / "findings").mkdir(exist_ok=True)
    command = [sys.executable, "-c", _RUN.format(planted=planted, seconds=seconds)]
    places = [str(tmp_path / "shared"), str(tmp_path / "findings")]
    return subprocess.run([*command, *places], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)


@pytest.mark.parametrize(
    ("planted", "code", "said"),
    [
        ("raise KeyError('planted')", 1, "KeyError: 'planted'"),
        ("sys.exit(0)", 1, "SystemExit: 0"),
        ("bytearray(5 << 30)", 1, "MemoryError"),
        ("os.abort()", -6, ""),
        ("ctypes.string_at(8)", -11, ""),
    ],
)
def test_what_is_planted_is_found(tmp_path: Path, planted: str, code: int, said: str) -> None:
    """An exception that is not allowed, too much memory, and the end of the process: each leaves its input."""
    done = run(tmp_path, planted)
    assert done.returncode == code, done.stderr[-300:]
    assert said in done.stderr
    data = builtin.current_input(tmp_path / "shared")
    assert data is not None
    assert len(data) == 7
    assert not data.startswith(b"sou")


def test_what_was_found_is_tried_first(tmp_path: Path) -> None:
    """An input that was saved is the first that the next run gives to the parser, however short that run is."""
    run(tmp_path, "os.abort()")
    data = builtin.current_input(tmp_path / "shared")
    assert data is not None
    (tmp_path / "findings" / "saved").write_bytes(data)
    assert run(tmp_path, "os.abort()", seconds=0).returncode == -6


def test_errors_that_are_allowed_are_none(tmp_path: Path) -> None:
    """A run without findings counts its inputs, and says that it was at none when it ended."""
    done = run(tmp_path, "raise ValueError('refused')", seconds=0.2)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("inputs: ")
    assert builtin.current_input(tmp_path / "shared") is None
