"""Directories that a benchmark works in: cached corpora, peers' homes, restored trees."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

SETTLE_SECONDS = 2.1
"""How long after a change a file is no longer taken for one that may still be changing."""

INODE_REST_SECONDS = 360
"""How long ext4 passes over the inodes of deleted files, which makes creating files many times slower."""

FEW_FILES = 500
"""So many inodes may be freed while something is measured."""


def default_directory() -> Path:
    """Return this user's own directory below the system's temporary one."""
    return Path(tempfile.gettempdir()) / f"icc-store-benchmarks-{os.getuid()}"


class Workspace:
    """One directory with everything a benchmark makes.

    Deleting many files while others are being timed would slow down whoever creates files next (see
    `INODE_REST_SECONDS`), so big trees are only moved aside, and deleted when all is measured.
    """

    def __init__(self, root: Path, *, settle_seconds: float = SETTLE_SECONDS) -> None:
        self.root = root
        self._settle_seconds = settle_seconds
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if root.is_symlink() or root.stat().st_uid != os.getuid():
            raise PermissionError(f"{root} belongs to someone else: name another directory with --work")
        self.cache = self._folder("corpora")
        self._discarded = self._folder("discarded")
        self._stamp = root / "emptied"

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        folder.mkdir(exist_ok=True)
        return folder

    def seconds_until_rested(self) -> float:
        """Return how long to wait until the deletions of the last run have no effect any more."""
        self.empty()
        deleted = self._stamp.stat().st_mtime if self._stamp.exists() else 0.0
        return max(0.0, deleted + INODE_REST_SECONDS - time.time())

    def cached(self, name: str, build: Callable[[Path], None]) -> Path:
        """Return the corpus `name`, built on first use."""
        final = self.cache / name
        if not final.exists():
            unfinished = self.cache / f"{name}.unfinished"
            self.discard(unfinished)
            build(unfinished)
            unfinished.rename(final)
        return final

    def fresh(self, name: str) -> Path:
        """Return a new empty directory."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.root))

    def discard(self, tree: Path) -> None:
        """Delete a tree of few files; put a larger one out of the way, to be deleted by `empty`."""
        if not os.path.lexists(tree):
            return
        if _has_few_files(tree):
            shutil.rmtree(tree)
        else:
            tree.rename(Path(tempfile.mkdtemp(dir=self._discarded)) / tree.name)

    def settle(self) -> None:
        """Let pending writes reach the disk and just-written files become old enough to be trusted."""
        os.sync()
        time.sleep(self._settle_seconds)

    def free_bytes(self) -> int:
        """Return how much room the file system has left."""
        return shutil.disk_usage(self.root).free

    def empty(self) -> None:
        """Delete what was discarded."""
        if any(self._discarded.iterdir()):
            shutil.rmtree(self._discarded)
            self._discarded.mkdir()
            self._stamp.touch()


def _has_few_files(tree: Path) -> bool:
    names = (name for _, folders, files in os.walk(tree) for name in (*folders, *files))
    return sum(1 for _ in islice(names, FEW_FILES)) < FEW_FILES


def copy_tree(source: Path, target: Path) -> None:
    """Copy a tree with all its metadata into the missing directory `target`."""
    subprocess.run(["cp", "--archive", "--reflink=auto", source, target], check=True)
