"""A restore, and another process that puts links in the place of its directories all the while."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.program import Program

_SWAP = """
import os, sys
target, outside = sys.argv[1:]
names = ["d0", "d1", "d1/e"]
print("at it", flush=True)
turn = 0
while True:
    turn += 1
    path = os.path.join(target, names[turn % len(names)])
    aside = f"{target}/aside{turn}"
    for step in (
        lambda: os.rename(path, aside),
        lambda: os.symlink(outside, path),
        lambda: os.unlink(path),
        lambda: os.rename(aside, path),
    ):
        try:
            step()
        except OSError:
            pass
"""


@pytest.mark.slow
def test_nothing_outside_is_touched(tmp_path: Path) -> None:
    """Whatever becomes of the target, no file outside is made, written, removed or given another mode."""
    source, target, outside = tmp_path / "source", tmp_path / "target", tmp_path / "outside"
    names = [f"{folder}/f{number}" for folder in ("d0", "d1", "d1/e", "d1/e/g") for number in range(40)]
    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(name.encode() * 50)
    for directory in ("", "e", "g"):
        (outside / directory).mkdir()
    for name in ("f1", "e/f1", "stranger"):
        (outside / name).write_bytes(b"precious")
        (outside / name).chmod(0o640)
    before = {path: (path.stat().st_mode, path.stat().st_mtime_ns) for path in outside.rglob("*")}
    program = Program(tmp_path / "store")
    program.good("init")
    program.good("snapshot", source)
    command = [sys.executable, "-c", _SWAP, str(target), str(outside)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as swapper:
        assert swapper.stdout is not None
        swapper.stdout.readline()
        try:
            for turn in range(12):
                option = ("--delete", "--overwrite=always") if turn % 2 else ("--delete", "--verify")
                done = program("restore", "latest", "--target", target, "--yes", *option)
                assert done.code in {0, 1, 3}, done
                assert "Traceback" not in done.err
                assert "internal error" not in done.err, done
        finally:
            swapper.kill()
    after = {path: (path.stat().st_mode, path.stat().st_mtime_ns) for path in outside.rglob("*")}
    assert after == before
    assert all(path.is_dir() or path.read_bytes() == b"precious" for path in after)
    assert stat.S_ISDIR(os.lstat(outside).st_mode)
