"""What a selective snapshot leaves out: the live files of a memory, judged one by one before the snapshot is taken.

Nothing is left out that cannot be judged: an entity that cannot be read or parsed, that is a symbolic link, or that is
too large to be one, is kept. A directory of which nothing is kept is left out as one path.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from icc_store.entities.layout import ENTITY_TYPES, TOLERATED_TYPES, Area, place_of
from icc_store.entities.profiles import Profile, RecordFormat
from icc_store.entities.record import RecordError, read_records
from icc_store.entities.select import Selection
from icc_store.errors import SourceError, UsageError
from icc_store.fs.excludes import Excludes
from icc_store.fs.file_reader import FileReader
from icc_store.fs.live_walk import Entered, Left, Met, Unreadable, walk_live
from icc_store.limits import MAX_RECORD_FILE
from icc_store.monitor import SILENT, Monitor

_ALWAYS = (b"config", b"relationships", b"indexes")
"""Top directories of a memory that `--config-only` stores whole."""


@dataclass(frozen=True)
class LeftOut:
    """What a selection leaves out of a memory as it is now."""

    selection: Selection
    paths: tuple[bytes, ...]
    """Stored paths, each left out with all below it, in no particular order."""
    entities: int
    """Files that hold entities, or records of the profile."""
    kept: int
    """Those of them that are stored."""
    unjudged: int
    """Those of them that are stored because nobody can tell what is in them."""
    files: int
    """Files that are left out, entities and others."""
    size: int
    """Their bytes."""


def left_out(
    root: Path, selection: Selection, profile: Profile, excludes: Excludes, *, monitor: Monitor = SILENT
) -> LeftOut:
    """Judge every file of the memory in the directory `root`; what `excludes` leaves out is not looked at.

    Raises UsageError for a selection that means nothing in such a memory, SourceError when `root` cannot be read.
    """
    _check(selection, profile)
    try:
        fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            found = _Judge(selection, profile, excludes, monitor).judge(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise SourceError(
            f"{root} cannot be looked through: {error.strerror}", hint="check its permissions; nothing was stored"
        ) from error
    if not found.entities and not profile.is_icc:
        raise UsageError(
            f"{root} holds no records to select from: it was taken for {profile.title}",
            hint="--profile names another kind of memory, --exclude leaves out files by name",
        )
    return found


def _check(selection: Selection, profile: Profile) -> None:
    if not profile.is_icc:
        if selection.config_only:
            raise UsageError(
                f"--config-only is for memories of the icc layout, and this is {profile.title}",
                hint="--exclude leaves out files by name",
            )
        return
    known = (*ENTITY_TYPES, *TOLERATED_TYPES)
    for name in selection.types:
        if name not in known:
            raise UsageError(f"--types: there are no entities of type {name!r}", hint=f"types: {', '.join(known)}")


@dataclass(slots=True)
class _Directory:
    """A directory that is being judged."""

    first: int
    """How many paths were left out before it."""
    keeps: bool = False
    """Whether anything in it is stored."""


class _Judge:
    def __init__(self, selection: Selection, profile: Profile, excludes: Excludes, monitor: Monitor) -> None:
        self._selection = selection
        self._profile = profile
        self._excludes = excludes
        self._monitor = monitor
        self._reader = FileReader()
        self._way: list[_Directory] = []
        """The directories that the walk is in, from the root down."""
        self._paths: list[bytes] = []
        self._entities = self._kept = self._unjudged = self._files = self._size = 0

    def judge(self, fd: int) -> LeftOut:
        self._monitor.phase("select")
        for step in walk_live(fd, self._excludes):
            match step:
                case Entered():
                    self._way.append(_Directory(len(self._paths)))
                case Left(path):
                    self._leave(path, self._way.pop())
                case Unreadable():  # gone meanwhile, or for the scanner to tell of
                    self._way[-1].keeps = True
                case Met():
                    self._judge_file(step)
        return LeftOut(
            selection=self._selection,
            paths=tuple(self._paths),
            entities=self._entities,
            kept=self._kept,
            unjudged=self._unjudged,
            files=self._files,
            size=self._size,
        )

    def _leave(self, path: bytes, left: _Directory) -> None:
        """Back from a directory: when all in it is left out, it is left out itself."""
        if not self._way:
            return
        if not left.keeps and len(self._paths) > left.first:
            self._paths[left.first :] = [path]
        else:
            self._way[-1].keeps = True

    def _judge_file(self, file: Met) -> None:
        self._monitor.advance(1, 0, file.path)
        if self._takes(file):
            self._way[-1].keeps = True
        else:
            self._paths.append(file.path)
            self._files += 1
            self._size += file.status.st_size

    def _takes(self, file: Met) -> bool:
        """Whether a file, or something else that is no directory, is stored."""
        form = self._profile.record_format(file.path)
        if form is not None:
            self._entities += 1
        if self._selection.config_only:
            return file.path.split(b"/", 1)[0] in _ALWAYS or place_of(file.path).area is Area.INDEX
        if form is None:
            return True
        takes = self._judged(file, form)
        self._unjudged += takes is None
        self._kept += takes is not False
        return takes is not False

    def _judged(self, file: Met, form: RecordFormat) -> bool | None:
        """Whether the selection takes any record of a file; None when nobody can tell."""
        if not stat.S_ISREG(file.status.st_mode) or file.status.st_size > MAX_RECORD_FILE:
            return None
        try:
            data, _, _ = self._reader.read_small(file.directory_fd, file.name, file.status.st_size)
            records = read_records(form, file.path, data)
        except (OSError, RecordError):
            return None
        archived = b"archive" in file.path.split(b"/")[:-1]
        return any(self._selection.matches(record, archived) for record in records)
