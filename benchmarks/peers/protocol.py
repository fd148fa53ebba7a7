"""What the harness asks of a backup program."""

import os
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.compare import Fidelity
from benchmarks.measure import Command

Steps = Sequence[Command]
"""Commands that together are one operation; none where the program has no such operation."""


@dataclass(frozen=True)
class Size:
    """Bytes of a repository: what its files hold, and what they take on the disk."""

    apparent: int
    allocated: int


class Peer(ABC):
    """One backup program with one repository below `home`.

    A peer only describes commands; running and measuring them is the harness's part. Labels name
    snapshots and are given in the order in which the snapshots are taken.
    """

    name: str
    program: str
    fidelity = Fidelity.METADATA

    def __init__(self, home: Path) -> None:
        self.home = home
        self.repository = home / "repository"
        self.labels: list[str] = []

    def missing(self) -> bool:
        """Return whether the program is not installed."""
        return shutil.which(self.program) is None

    def version(self) -> str:
        """Return the program's own account of its version."""
        return first_line([self.program, "--version"])

    def environment(self) -> dict[str, str]:
        """Return a complete environment with a private home and cache, and no user configuration."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }

    def command(
        self,
        *argv: str | Path,
        cwd: Path | None = None,
        stdout: Path | None = None,
        warnings: frozenset[int] = frozenset(),
    ) -> Command:
        """Return one command in this peer's environment."""
        return Command([str(word) for word in argv], self.environment(), cwd or self.home, stdout, warnings)

    def size(self) -> Size:
        """Measure the repository, without caches kept elsewhere."""
        return disk_usage(self.repository)

    @abstractmethod
    def init(self) -> Steps:
        """Create the repository."""

    @abstractmethod
    def snapshot(self, source: Path, label: str) -> Steps:
        """Store the present state of `source` under `label`."""

    @abstractmethod
    def restore(self, target: Path) -> Steps:
        """Bring the newest snapshot back into the empty directory `target`."""

    @abstractmethod
    def one_file(self, label: str, path: str, output: Path) -> Steps:
        """Write the contents of one file of snapshot `label` to `output`."""

    @abstractmethod
    def verify(self) -> Steps:
        """Read and check all data."""

    def help(self) -> Steps:
        """Start, say what there is, and end."""
        return [self.command(self.program, "--help")]

    def diff(self, older: str, newer: str) -> Steps:
        """Compare two snapshots."""
        return ()

    def diff_entities(self, older: str, newer: str, output: Path) -> Steps:
        """Write to `output` which entities of a memory differ between two snapshots, and how."""
        return ()

    def history(self, path: str, output: Path) -> Steps:
        """Write the versions of one file in all snapshots, with what changed, through renames."""
        return ()

    def blame(self, path: str, output: Path) -> Steps:
        """Write for each line of a file the snapshot that it is from."""
        return ()

    def search(self, text: str, output: Path) -> Steps:
        """Write which entities contain a text, in whatever snapshot; capital and small letters are alike."""
        return ()

    def list(self) -> Steps:
        """List the snapshots."""
        return ()

    def prune(self, keep: int) -> Steps:
        """Remove all but the newest `keep` snapshots and give up what only they used."""
        return ()

    def optimize(self) -> Steps:
        """Rewrite the repository for size, where the program can."""
        return ()


def first_line(argv: Sequence[str]) -> str:
    """Run a program and return the first line that it prints."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().partition("\n")[0]


def disk_usage(root: Path) -> Size:
    """Add up the regular files below `root`, each inode once."""
    seen: set[tuple[int, int]] = set()
    apparent = allocated = 0
    for status in _file_stats(root):
        if (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            apparent += status.st_size
            allocated += status.st_blocks * 512
    return Size(apparent, allocated)


def _file_stats(root: Path) -> Iterable[os.stat_result]:
    for directory, _, files in os.walk(root):
        for name in files:
            yield os.lstat(os.path.join(directory, name))
