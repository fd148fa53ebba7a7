"""Every command on a damaged repository: it ends in order, says what to do, and restores nothing wrong."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from icc_store.errors import DamageError, PartialResult
from tests.support.forked import forked
from tests.support.live import Contents, on_disk
from tests.support.program import Done

COMMANDS = (
    ("list",),
    ("show", "latest"),
    ("ls", "latest"),
    ("restore", "latest", "--target", "back"),
    ("snapshot", "source"),
    ("gc",),
    ("stats",),
    ("find", "new*"),
    ("diff", "latest~1", "latest"),
    ("verify",),
)


def each_command(
    folder: Path,
    harm: Callable[[Path], None],
    known: Sequence[Contents],
    *,
    others: Sequence[int] = (),
    advice: str = "icc-store verify",
) -> int:
    """Run every command in `folder`, on the repository `r` that `harm` damages anew before each.

    `known` is what a snapshot may restore, `others` are exit codes that this damage may lead to besides, `advice` is
    what a command must say. Returns how many commands met the damage.
    """
    environ = {"HOME": str(folder), "PATH": os.environ["PATH"]}
    met = 0
    for command in COMMANDS:
        harm(folder / "r")
        shutil.rmtree(folder / "back", ignore_errors=True)
        done = forked(("--repo", "r", *command), environ, folder)
        judge(command, done, others, advice)
        met += done.code != 0
        if (folder / "back").exists():
            restored = on_disk(folder / "back")
            if done.code == 0:
                assert restored in known, (command, done)
            for path, data in restored.items():
                assert any(files.get(path) == data for files in known), (command, done, path)
    return met


def judge(command: tuple[str, ...], done: Done, others: Sequence[int] = (), advice: str = "icc-store verify") -> None:
    """Whether a command ended as it may: nobody is left alone with a traceback."""
    allowed = {0, DamageError.exit_code, *others}
    if command[0] == "restore":
        allowed.add(PartialResult.exit_code)
    assert done.code in allowed, (command, done)
    assert "internal error" not in done.err, (command, done)
    assert "Traceback" not in done.err, (command, done)
    if done.code == DamageError.exit_code:
        assert command[0] == "verify" or advice in done.err, (command, done)
