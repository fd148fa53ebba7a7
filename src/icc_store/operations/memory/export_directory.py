"""The backup of a memory unpacked: written beside its place under a hidden name, synced, then given its own."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.errors import DiskFull, TargetError
from icc_store.fs.durability import sync_file_system
from icc_store.fs.leftovers import of_the_dead
from icc_store.fs.new_file import open_parent, unfinished, write_all
from icc_store.fs.removal import remove
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.model.walk import root_of
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.memory.export import Backup
from icc_store.operations.restore import restore
from icc_store.operations.restore_plan import RestoreOptions

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))


def export_directory(
    repository: Repository,
    snapshot: Snapshot,
    *,
    backup: Backup,
    parent: Path,
    replace: bool = False,
    monitor: Monitor = SILENT,
    clock: Clock = SYSTEM_CLOCK,
) -> tuple[tuple[bytes, str], ...]:
    """Write the backup into a directory of its name in `parent`, made when it is missing.

    It appears whole or not at all. Returns paths of what could not be written as it was, and why. Raises TargetError,
    also when one of that name is there and not to be replaced; DiskFull.
    """
    with _in_place_of(parent / backup.name, replace=replace) as temporary:
        result = restore(repository, snapshot, options=RestoreOptions(target=temporary), monitor=monitor, clock=clock)
        problems = {failure.path: failure.message for failure in result.failures}
        mtime_ns = root_of(snapshot.record).entry.mtime_ns
        for path in _add_own_files(temporary, backup, mtime_ns):
            problems[path] = "the backup's own stands in its place"
    return tuple(problems.items())


@contextmanager
def _in_place_of(target: Path, *, replace: bool) -> Iterator[Path]:
    """A directory to fill in the body. When that ends well it gets the target's name, else it goes."""
    temporary, former = unfinished(target), target.with_name(f".{target.name}.{os.urandom(6).hex()}.former")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _undo_the_dead(target)
        parent = open_parent(target)
    except OSError as error:
        raise TargetError(f"{target.parent} cannot be used: {error.strerror}") from error
    try:
        _refuse_existing(target, replace=replace)
        yield temporary
        sync_file_system(parent)
        _refuse_existing(target, replace=replace)
        if os.path.lexists(target):
            target.rename(former)
        temporary.rename(target)
        os.fsync(parent)
        remove(parent, os.fsencode(former.name))
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(f"no room for {target}: {error.strerror}", hint="nothing was written") from error
        raise TargetError(f"{target} cannot be written: {error.strerror}") from error
    finally:
        if os.path.lexists(former) and not os.path.lexists(target):
            former.rename(target)
        if os.path.lexists(temporary):
            remove(parent, os.fsencode(temporary.name))
        os.close(parent)


def _refuse_existing(target: Path, *, replace: bool) -> None:
    if os.path.lexists(target) and not replace:
        raise TargetError(f"{target} is there already", hint="use --force to replace it")


def _undo_the_dead(target: Path) -> None:
    """Where an export was killed while it replaced the target: what was there before is there again, or goes."""
    parent = os.open(target.parent, _DIRECTORY & ~os.O_NOFOLLOW)
    try:
        name = os.fsencode(target.name)
        pattern = re.compile(rb"\." + re.escape(name) + rb"\.[0-9a-f]{12}\.former")
        for former in of_the_dead(parent, map(os.fsencode, os.listdir(parent)), pattern):
            if os.path.lexists(target):
                remove(parent, former)
            else:
                os.rename(former, name, src_dir_fd=parent, dst_dir_fd=parent)
    finally:
        os.close(parent)


def _add_own_files(directory: Path, backup: Backup, mtime_ns: int) -> Iterator[bytes]:
    """Write listing and manifest, then give the directory its time back. Yields names that were there already."""
    fd = os.open(directory, _DIRECTORY)
    try:
        mode = os.fstat(fd).st_mode & 0o7777
        os.fchmod(fd, mode | 0o300)
        for name, data in backup.own_files:
            if os.path.lexists(os.path.join(os.fsencode(directory), name)):
                yield name
                remove(fd, name)
            file = os.open(name, _CREATE, 0o600, dir_fd=fd)
            try:
                write_all(file, data)
            finally:
                os.close(file)
        os.fchmod(fd, mode)
        os.utime(fd, ns=(mtime_ns, mtime_ns))
    finally:
        os.close(fd)
