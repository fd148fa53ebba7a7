"""Every error of the project, in one tree. Each class carries the exit code the program ends with.

    IccStoreError                 1   failed
      UsageError                  2   wrong arguments
      PartialResult               3   done, but some files could not be read or restored
      NotFoundError               4   no such repository, snapshot or path
        RepositoryNotFound
        SnapshotNotFound
        AmbiguousSnapshot
        PathNotInSnapshot
        AmbiguousPath
      BusyError                   5   somebody else holds the repository
      DamageError                 6   stored bytes are not what they should be
        ObjectMissing
        BlockDamaged
        RepositoryRolledBack
      NeedsAttention                7   a check of health found something to see to
        Unhealthy                   8   ... that endangers the backups
      RepositoryExists, NotARepository, UnsupportedFormat, NetworkFileSystem,
      ReadOnlyRepository, DiskFull, WorkerKilled, EndlessTree, SourceError, TargetError,
      ArchiveError, ConfigError   1
      Interrupted               130   stopped by a signal

"Missing" and "broken" are different errors: a missing object may have moved and is looked up again,
a broken one never becomes right by itself.
"""

from __future__ import annotations

import errno
from typing import ClassVar

OF_THIS_PROCESS = frozenset((errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM))
"""What keeps us from looking at a file, and says nothing of what is in it."""


class IccStoreError(Exception):
    """Something failed; the message says what, to which file, and `hint` says what to do next."""

    exit_code: ClassVar[int] = 1
    meaning: ClassVar[str] = "failed: nothing was done, or what was done is said in the message"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(IccStoreError):
    """The arguments do not make sense together, or name something that cannot be meant."""

    exit_code = 2
    meaning = "wrong usage: an unknown option, or arguments that do not fit together"


class PartialResult(IccStoreError):
    """The operation finished, but some files were left out; they are listed in the result."""

    exit_code = 3
    meaning = "done, but some files could not be read or restored; they are listed"


class NotFoundError(IccStoreError):
    """What was named is not there."""

    exit_code = 4
    meaning = "no such repository, snapshot or path in a snapshot"


class RepositoryNotFound(NotFoundError):
    """There is no repository at the given place."""


class SnapshotNotFound(NotFoundError):
    """No snapshot answers to the given name."""


class AmbiguousSnapshot(NotFoundError):
    """More than one snapshot answers to the given name."""


class PathNotInSnapshot(NotFoundError):
    """The snapshot does not hold the given path."""


class AmbiguousPath(NotFoundError):
    """More than one file answers to the given name."""


class BusyError(IccStoreError):
    """Another process holds what this one needs, and the wait is over."""

    exit_code = 5
    meaning = "busy: another process holds the repository; the message says which"


class DamageError(IccStoreError):
    """Stored bytes are not what they should be."""

    exit_code = 6
    meaning = "damage found: run `icc-store verify`"

    def __init__(self, message: str, *, hint: str | None = "run `icc-store verify`") -> None:
        super().__init__(message, hint=hint)


class ObjectMissing(DamageError):
    """An object that a snapshot refers to is not in the index."""


class BlockDamaged(DamageError):
    """A block, or an object in it, is not what its checksum or id says."""


class RepositoryRolledBack(DamageError):
    """The database is older than the last commit that `head` remembers."""


class NeedsAttention(IccStoreError):
    """The backups are there, but something about them should be seen to."""

    exit_code = 7
    meaning = "health: something needs attention; it is listed with what to do"


class Unhealthy(NeedsAttention):
    """The backups cannot be relied on until something is done."""

    exit_code = 8
    meaning = "health: something is critical; it is listed with what to do"


class RepositoryExists(IccStoreError):
    """A repository is to be made where something already is."""


class NotARepository(IccStoreError):
    """The place holds something, but not a repository of ours."""


class UnsupportedFormat(IccStoreError):
    """The repository needs a newer program, or a feature this one does not have."""


class NetworkFileSystem(IccStoreError):
    """LMDB's memory map and locks cannot be trusted on this file system."""


class ReadOnlyRepository(IccStoreError):
    """The repository cannot be written to."""


class DiskFull(IccStoreError):
    """The file system of the repository or of the target has no room left."""


class WorkerKilled(IccStoreError):
    """A process that worked for this one was killed, by somebody or for lack of memory. The data may be sound."""


class EndlessTree(IccStoreError):
    """A tree stands for more paths than any file system holds; whoever visits each of them would never end."""


class SourceError(IccStoreError):
    """What is to be backed up cannot be used as a whole."""


class TargetError(IccStoreError):
    """The place to restore or export to cannot be used."""


class ArchiveError(IccStoreError):
    """A tar archive is not one, is cut off, or would write outside its root."""


class ConfigError(IccStoreError):
    """The configuration file cannot be used; the message names file and key."""


class Interrupted(IccStoreError):
    """The user or the system asked the process to stop."""

    exit_code = 130
    meaning = "interrupted: what was stored so far is kept and reused by the next run"
