"""Writing corpus files with fixed times, so that a corpus is equal down to its metadata."""

import os
from pathlib import Path


class TimedWriter:
    """Writes files as a careful program does: a temporary file, then a rename over the old one.

    Times of changed directories are set by `finish`, once nothing in them changes any more.
    """

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._touched: dict[str, int] = {}

    def write(self, path: str, data: bytes, mtime_ns: int) -> None:
        """Replace or create the file at `path`, relative to the root."""
        folder, _, name = f"{self._root}/{path}".rpartition("/")
        self._touch(folder, mtime_ns)
        temporary = f"{folder}/.{name}.tmp"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            with open(descriptor, "wb", buffering=0, closefd=False) as file:
                file.write(data)
            os.utime(descriptor, ns=(mtime_ns, mtime_ns))
        finally:
            os.close(descriptor)
        os.rename(temporary, f"{folder}/{name}")

    def remove(self, path: str, mtime_ns: int) -> None:
        """Delete the file at `path`."""
        target = f"{self._root}/{path}"
        os.unlink(target)
        self._touch(os.path.dirname(target), mtime_ns)

    def move(self, old: str, new: str, mtime_ns: int) -> None:
        """Move a file to another directory."""
        source, target = f"{self._root}/{old}", f"{self._root}/{new}"
        self._touch(os.path.dirname(source), mtime_ns)
        self._touch(os.path.dirname(target), mtime_ns)
        os.rename(source, target)

    def finish(self) -> None:
        """Set the times of all directories that changed."""
        for folder, mtime_ns in self._touched.items():
            os.utime(folder, ns=(mtime_ns, mtime_ns))
        self._touched.clear()

    def _touch(self, folder: str, mtime_ns: int) -> None:
        """Note that an entry of `folder` changes, creating the directory where it is missing."""
        if folder not in self._touched and not os.path.isdir(folder):
            self._touch(os.path.dirname(folder), mtime_ns)
            os.mkdir(folder, 0o755)
        self._touched[folder] = mtime_ns
