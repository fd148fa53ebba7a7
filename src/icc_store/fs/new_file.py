"""A file that appears whole or not at all: written under a temporary name, synced, then given its own."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from icc_store.errors import TargetError
from icc_store.fs.leftovers import hold, of_the_dead
from icc_store.fs.removal import remove

_UNFINISHED = re.compile(rb"\.icc-unfinished-[0-9a-f]{16}")
"""The names of what has not got its own yet: what a killed process leaves behind, and the next one here removes."""

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class NewFile:
    """A context manager. Leaving it without `finish` leaves nothing behind."""

    def __init__(self, path: Path, *, replace: bool) -> None:
        """Begin the file. Raises TargetError when it cannot be made, or is there and not to be replaced."""
        self._path = path
        self._replace = replace
        self._temporary = unfinished(path)
        if path.is_dir():
            raise TargetError(f"{path} is a directory", hint="name a file")
        self._refuse_existing()
        try:
            self._parent = open_parent(path)
            try:
                self._fd = os.open(self._temporary, _CREATE, 0o600)  # its sources may show what it holds to nobody else
            except OSError:
                os.close(self._parent)
                raise
        except OSError as error:
            raise TargetError(f"{path} cannot be written: {error.strerror}") from error
        self._done = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not self._done:
                self._temporary.unlink(missing_ok=True)
                os.close(self._fd)
        finally:
            os.close(self._parent)

    def write(self, data: bytes) -> None:
        """Write all of it. Raises OSError."""
        write_all(self._fd, data)

    def finish(self) -> None:
        """Make it last and give it its name. Raises OSError, TargetError when somebody made the file meanwhile."""
        os.fsync(self._fd)
        if self._replace or not self._linked():
            self._refuse_existing()
            self._temporary.rename(self._path)
        self._done = True
        os.close(self._fd)  # one that fails has closed: it must not be tried again
        os.fsync(self._parent)

    def _linked(self) -> bool:
        """Give the file its name as a second one, which never replaces anything. False where that cannot be done."""
        try:
            os.link(self._temporary, self._path)
        except FileExistsError:
            self._refuse_existing()
            return False
        except OSError:  # a file system without hard links
            return False
        self._temporary.unlink()
        return True

    def _refuse_existing(self) -> None:
        if not self._replace and os.path.lexists(self._path):
            raise TargetError(f"{self._path} is there already", hint="use --force to replace it")


def unfinished(path: Path) -> Path:
    """A name beside `path` for what is to have that name when it is complete."""
    return path.with_name(f".icc-unfinished-{os.urandom(8).hex()}")


def open_parent(path: Path) -> int:
    """A descriptor of the directory that `path` is to be in; as long as it is open, unfinished names may be made there.

    What killed processes left there unfinished is removed. Raises OSError when the directory cannot be opened.
    """
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in of_the_dead(parent, map(os.fsencode, os.listdir(parent)), _UNFINISHED):
            with suppress(OSError):  # it is in nobody's way
                remove(parent, name)
        hold(parent)
    except OSError:
        os.close(parent)
        raise
    return parent


def write_all(fd: int, data: bytes) -> None:
    """Write all of it to a descriptor. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def is_special(path: Path) -> bool:
    """Whether a FIFO or device is there: something to write into, never to replace."""
    return path.is_fifo() or path.is_char_device() or path.is_block_device()
