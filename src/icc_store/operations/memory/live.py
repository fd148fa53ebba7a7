"""The files of a live memory: found, read, and replaced one by one."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from icc_store.entities.layout import NEVER_IN_A_MEMORY, Area, place_of
from icc_store.errors import TargetError
from icc_store.fs.leftovers import of_the_dead
from icc_store.fs.metadata import MetadataReader
from icc_store.fs.writer import TEMPORARY, TreeWriter
from icc_store.model.entry import Entry
from icc_store.model.paths import display, join, parts
from icc_store.model.tree import Owners

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW_FILE = stat.S_IFREG | 0o644
_ENTITIES = b"entities"


def memory_files(target: Path) -> Iterator[bytes]:
    """Stored paths of the regular files of a live memory, without its own backups, in no order. Raises OSError."""
    return _files(target, [name for name in os.listdir(os.fsencode(target)) if name not in NEVER_IN_A_MEMORY])


def entity_files(target: Path) -> Iterator[bytes]:
    """The same of its entities alone; none where it has no such directory."""
    inside = os.path.lexists(target / os.fsdecode(_ENTITIES))
    return (path for path in _files(target, [_ENTITIES] if inside else []) if place_of(path).area is Area.ENTITY)


def _files(target: Path, names: Iterable[bytes]) -> Iterator[bytes]:
    top = os.fsencode(target)
    waiting = list(names)
    while waiting:
        path = waiting.pop()
        mode = os.lstat(join(top, path)).st_mode
        if stat.S_ISREG(mode):
            yield path
        elif stat.S_ISDIR(mode):
            waiting += [join(path, name) for name in os.listdir(join(top, path))]


def read_live(target: Path, path: bytes, most: int) -> bytes:
    """The content of a live file. Raises OSError, also for one of more than `most` bytes."""
    fd = os.open(join(os.fsencode(target), path), _READ)
    with open(fd, "rb") as file:
        size = os.fstat(fd).st_size
        if size > most:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), display(path))
        return file.read(size)


def replace_live(target: Path, contents: Mapping[bytes, bytes], *, now_ns: int) -> None:
    """Write these files, each whole or not at all; they keep owner, mode and attributes and get this time.

    What earlier runs that were killed left unfinished beside them is removed.
    Raises TargetError where one cannot be written.
    """
    with TreeWriter(target, numeric_ids=True) as writer:
        for path, data in sorted(contents.items()):
            *above, name = parts(path)
            try:
                for directory in above:
                    writer.enter(directory)
                _remove_unfinished(writer)
                writer.write_file(_entry(writer, name, now_ns), Owners(), (data,))
                for _ in above:
                    writer.leave()
            except OSError as error:
                raise TargetError(f"{display(path)} cannot be written: {error.strerror}") from error
        writer.finish()


def _remove_unfinished(writer: TreeWriter) -> None:
    """What killed processes left unfinished in the current directory, in which nothing was written yet."""
    for name in of_the_dead(writer.directory_fd, writer.listdir(), TEMPORARY):
        with suppress(OSError):  # it is in nobody's way
            writer.remove(name)


def _entry(writer: TreeWriter, name: bytes, now_ns: int) -> Entry:
    """What the file at hand is to be: as it is but for its time; a missing one belongs to this user."""
    try:
        status = writer.lstat(name)
        entry = MetadataReader().fill_entry(writer.directory_fd, name, status)
    except FileNotFoundError:
        return Entry(name, _NEW_FILE, os.geteuid(), os.getegid(), mtime_ns=now_ns)
    if not entry.is_file:
        return Entry(name, _NEW_FILE, os.geteuid(), os.getegid(), mtime_ns=now_ns)
    entry.mtime_ns = now_ns
    return entry
