"""What an error of LMDB means: a full disk, damage, or something else that went wrong.

LMDB says "Input/output error" for a disk with no room left, since its last write came out short, and for a page
number that damage made up. Which of the two it was is asked of the file system.
"""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import lmdb

from icc_store.errors import BusyError, DamageError, DiskFull, IccStoreError, ReadOnlyRepository
from icc_store.limits import MAP_SIZE, MAP_SIZE_FLOOR

MIN_ROOM = 1 << 20
"""Bytes: with less than this left a disk counts as full. What a commit that failed has written stays in the file."""

_OF_DAMAGE = (
    lmdb.BadDbiError,
    lmdb.BadTxnError,
    lmdb.BadValsizeError,
    lmdb.CorruptedError,
    lmdb.CursorFullError,
    lmdb.IncompatibleError,
    lmdb.InvalidError,
    lmdb.InvalidParameterError,
    lmdb.KeyExistsError,
    lmdb.MapResizedError,
    lmdb.NotFoundError,
    lmdb.PageFullError,
    lmdb.PageNotFoundError,
    lmdb.ProblemError,
    lmdb.TxnFullError,
    lmdb.VersionMismatchError,
)
"""What LMDB says of a file that is not as it wrote it. Our own use of it gives rise to none of these."""

_FULL = tuple(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_TOO_MANY_OPEN = tuple(os.strerror(number) for number in (errno.EMFILE, errno.ENFILE))
_FORBIDDEN = tuple(os.strerror(number) for number in (errno.EACCES, errno.EPERM))


def room_left(file: Path) -> int:
    """By how many bytes this file may grow: what the disk has, and what the process's limits allow."""
    disk = os.statvfs(file.parent)
    free = disk.f_bavail * disk.f_frsize
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if limit == resource.RLIM_INFINITY or not file.exists():
        return free
    return min(free, limit - file.stat().st_size)


def meaning(error: lmdb.Error, file: Path, *, before: str = "") -> IccStoreError:
    """The error of our own for what LMDB says of the database in `file`; `before` is what went wrong last."""
    where, what = file.parent, str(error)
    if isinstance(error, lmdb.ReadonlyError):
        return not_writable(where)
    if isinstance(error, lmdb.ReadersFullError):
        return BusyError(f"too many processes read {where} at once", hint="try again when some of them are done")
    if isinstance(error, lmdb.DiskError) or what.endswith(_FULL):
        return _full(where)
    if what.endswith(_TOO_MANY_OPEN):
        return IccStoreError(f"{where} cannot be opened: {what}", hint="raise `ulimit -n`, or close other programs")
    if what.endswith(_FORBIDDEN):
        return IccStoreError(f"{where} cannot be opened: {what}", hint="check its permissions")
    if isinstance(error, lmdb.PanicError):  # LMDB closes itself to a process after a commit whose last write failed
        why = f": {before}" if before else ""
        return IccStoreError(f"{where} was closed, since a write to it failed{why}", hint="run the command again")
    if isinstance(error, _OF_DAMAGE):
        return DamageError(f"LMDB cannot read {where}: {what}", hint="run `icc-store verify`")
    if isinstance(error, lmdb.MemoryError) and _may_have_any_address(file):
        return DamageError(f"{file} asks for more address space than there is", hint="run `icc-store verify`")
    if isinstance(error, lmdb.MemoryError) or (isinstance(error, lmdb.MapFullError) and _is_large(file)):
        return IccStoreError(
            f"{where} needs more address space than this process may have: {what}", hint="raise `ulimit -v`"
        )
    if room_left(file) < MIN_ROOM:
        return _full(where)
    return DamageError(
        f"LMDB failed on {where}: {what}", hint="the disk fails, or the database is damaged: run `icc-store verify`"
    )


def not_writable(where: Path) -> ReadOnlyRepository:
    """The error for writing to what can only be read."""
    return ReadOnlyRepository(
        f"the repository {where} cannot be written to", hint="check its permissions; it can be read and restored"
    )


def _may_have_any_address(file: Path) -> bool:
    """Whether nothing forbids this process the address space for a file of this size: then the file lies about it."""
    return resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY and file.stat().st_size < MAP_SIZE


def _is_large(file: Path) -> bool:
    """Whether the map may really be full; a map that a small file has filled is the work of damaged page numbers."""
    return file.stat().st_size >= MAP_SIZE_FLOOR // 2


def _full(where: Path) -> DiskFull:
    return DiskFull(f"the disk of {where} is full", hint="free some space; nothing that was committed is lost")
