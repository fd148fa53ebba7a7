"""Every operation that writes, on a real small file system that has no room for what it wants to write."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.live import fill, on_disk
from tests.support.program import Program
from tests.support.shelf import noise
from tests.support.small_disk import small_disk

KEPT = {"a": b"a\n", "kept": noise(1, 400_000)}
NEW = {"new": noise(2, 2_500_000)}
ROOM = 700_000
"""Bytes: enough for commits and locks, too little for what is new."""

COMMANDS = {
    "snapshot": ("snapshot", "{top}/source"),
    "import": ("import", "{top}/new.tar"),
    "copy": ("copy", "{disk}/second"),
    "restore": ("restore", "large", "--target", "{disk}/back"),
    "export": ("export", "large", "--tar", "{disk}/large.tar"),
    "gc --compact": ("gc", "--keep-last", "9", "--compact"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_no_room(tmp_path: Path, name: str) -> None:
    """It says that the disk is full, nothing that was committed is lost, and with room it completes."""
    source, first = tmp_path / "source", Program(tmp_path / "repository")
    fill(source, KEPT)
    first.good("init")
    first.good("snapshot", source, "--name", "first", "-q")
    if name not in {"snapshot", "import"}:
        fill(source, KEPT | NEW)
        first.good("snapshot", source, "--name", "large", "-q")
    fill(source, KEPT | NEW | {"newer": noise(3, 2_500_000)})
    subprocess.run(["tar", "-cf", tmp_path / "new.tar", "-C", source, "."], check=True)
    taken = sum(path.stat().st_blocks * 512 for path in first.repository.rglob("*"))
    with small_disk(tmp_path / "disk", taken + ROOM) as disk:
        program = Program(disk / "repository")
        shutil.copytree(first.repository, program.repository)
        command = [part.format(top=tmp_path, disk=disk) for part in COMMANDS[name]]
        done = program(*command)
        if os.path.ismount(disk) or done.code:  # a bound on each file's size does not stop what writes many small ones
            assert done.code in {1, 3}, done
            assert any(words in done.err for words in ("full", "no space", "no room")), done.err
        assert program("verify").code == 0
        program.good("restore", "first", "--target", tmp_path / "back", "-q")
        assert on_disk(tmp_path / "back") == KEPT
        if os.path.ismount(disk):
            subprocess.run(["mount", "-o", "remount,size=60m", disk], check=True)
            assert program(*command, *(("--overwrite", "always") if name == "restore" else ())).code == 0
