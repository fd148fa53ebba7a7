"""States of a real repository: this project's own, evenly spaced over its history."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class HistoryUnavailable(Exception):
    """There is no history to be had: the project is not a git repository, or one without its past."""


def commits(count: int, repository: Path = ROOT) -> list[str]:
    """Return `count` commits, or all there are, from the first to the one checked out, evenly spaced."""
    listing = _git(repository, "rev-list", "--first-parent", "--reverse", "HEAD")
    known = listing.decode().split()
    if len(known) < 2:
        raise HistoryUnavailable(f"{repository} has no history")
    return evenly(known, count)


def evenly(items: list[str], count: int) -> list[str]:
    """Choose `count` of the items, at least two, the first and the last among them; all where there are no more."""
    if count >= len(items):
        return items
    step = (len(items) - 1) / (max(count, 2) - 1)
    return [items[round(number * step)] for number in range(max(count, 2))]


class Checkout:
    """Shows one commit after the other in a directory, changing only the files that differ.

    A changed file has the time of the commit that it is shown for, so the same commits make the same files. `scratch`
    is an empty directory for git's index; the repository itself is only read.
    """

    def __init__(self, scratch: Path, repository: Path = ROOT) -> None:
        self._index = scratch / "index"
        self._repository = repository
        self._shown: str | None = None

    def show(self, source: Path, commit: str) -> None:
        """Turn `source`, which is missing or shows the commit before, into `commit`."""
        source.mkdir(exist_ok=True)
        self._git("--work-tree", str(source), "read-tree", "-u", "--reset", commit)
        seconds = int(self._git("show", "--no-patch", "--format=%ct", commit))
        for path in self._changed(self._shown, commit):
            os.utime(source / path, (seconds, seconds), follow_symlinks=False)
        self._git("--work-tree", str(source), "update-index", "--refresh")  # else git writes all of them anew next time
        self._shown = commit

    def _changed(self, before: str | None, after: str) -> Iterator[str]:
        if before is None:
            listing = self._git("ls-tree", "-r", "-z", "--name-only", after)
        else:
            listing = self._git("diff-tree", "-r", "-z", "--name-only", "--diff-filter=d", before, after)
        return (os.fsdecode(name) for name in listing.split(b"\0") if name)

    def _git(self, *argv: str) -> bytes:
        return _git(self._repository, *argv, index=self._index)


def _git(repository: Path, *argv: str, index: Path | None = None) -> bytes:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    if index is not None:
        environment["GIT_INDEX_FILE"] = str(index)
    try:
        done = subprocess.run(["git", "-C", repository, *argv], env=environment, capture_output=True, check=False)
    except FileNotFoundError as missing:
        raise HistoryUnavailable("git is not installed") from missing
    if done.returncode:
        raise HistoryUnavailable(done.stderr.decode(errors="replace").strip())
    return done.stdout
