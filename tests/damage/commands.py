"""Every command on a damaged repository: it ends in order, says what to do, and restores nothing wrong."""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from icc_store.errors import DamageError, NeedsAttention, PartialResult, Unhealthy
from icc_store.opening import open_repository
from tests.support.forked import forked
from tests.support.live import Contents, contents, on_disk
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
    ("cat", "latest", "new"),
    ("export", "latest", "--tar", "out.tar"),
    ("copy", "second"),
    ("tag", "latest", "seen"),
    ("forget", "latest~1"),
    ("optimize",),
    ("drill",),
    ("health",),
    ("verify",),
)
_MADE = ("back", "out.tar", "second")


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
        subprocess.run(["rm", "-rf", *(folder / name for name in _MADE)], check=True)
        done = forked(("--repo", "r", *command), environ, folder)
        judge(command, done, others, advice)
        met += done.code != 0
        for files in given_back(folder, done, command):
            if done.code == 0 and command[0] != "cat":
                assert files in known, (command, done)
            for path, data in files.items():
                assert any(one.get(path) == data for one in known), (command, done, path)
    return met


def given_back(folder: Path, done: Done, command: tuple[str, ...]) -> Iterator[Contents]:
    """What a command made of the repository, wherever it put that."""
    if command[0] == "cat" and done.code == 0:
        yield {command[-1]: done.out.encode()}
    if (folder / "back").exists():
        yield on_disk(folder / "back")
    if (folder / "out.tar").exists():
        with tarfile.open(folder / "out.tar") as archive:
            members = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
            yield {name.removeprefix("./"): opened.read() for name, opened in members.items() if opened is not None}
    if (folder / "second").exists() and done.code == 0:
        with open_repository(folder / "second") as repository:
            for snapshot in repository.snapshots(forgotten=True):
                yield contents(repository, snapshot)


def judge(command: tuple[str, ...], done: Done, others: Sequence[int] = (), advice: str = "icc-store verify") -> None:
    """Whether a command ended as it may: nobody is left alone with a traceback."""
    allowed = {0, DamageError.exit_code, *others}
    if command[0] in ("restore", "export"):
        allowed.add(PartialResult.exit_code)
    if command[0] == "health":
        allowed |= {NeedsAttention.exit_code, Unhealthy.exit_code}
    assert done.code in allowed, (command, done)
    assert "internal error" not in done.err, (command, done)
    assert "Traceback" not in done.err, (command, done)
    if done.code == DamageError.exit_code:
        assert command[0] == "verify" or advice in done.err, (command, done)
