"""What changed since a snapshot: its tree against the directory it was taken of, as that is now.

A file is taken for unchanged when its size and time agree. Where the time differs the contents decide, and with
`content_check` always. What the snapshot's own rules leave out is not told of, nor is the repository.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from icc_store.errors import PathNotInSnapshot, SourceError
from icc_store.fs.directory_stack import DirectoryStack
from icc_store.fs.excludes import Excludes, Rule
from icc_store.fs.file_reader import FileReader
from icc_store.fs.metadata import read_link
from icc_store.limits import MAX_TEXT_SIZE
from icc_store.model.entry import FLAG_SQLITE_COPY, Entry
from icc_store.model.paths import display, join
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.model.tree import Owners, tree_entries
from icc_store.model.walk import Found, root_of, walk
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.changes import EVERYTHING, Change, ChangeKind, DiffOptions, Side, classify, side_of, text_of
from icc_store.operations.diff import is_held
from icc_store.operations.live_files import LiveFiles
from icc_store.operations.placement import Scope, live_root, placement_of
from icc_store.operations.stored_content import stored_text
from icc_store.operations.text_diff import TextDiff

_Stored = tuple[Entry, Owners]


def diff_live(
    repository: Repository,
    snapshot: Snapshot,
    *,
    options: DiffOptions = EVERYTHING,
    monitor: Monitor = SILENT,
) -> Iterator[Change]:
    """What changed since the snapshot, in the order of a listing. What cannot be read is one of the changes.

    Raises UsageError when the snapshot belongs to no directory of this machine, SourceError when that is gone,
    PathNotInSnapshot for a path that is neither in it nor there, DamageError at what cannot be read of the snapshot.
    """
    root = live_root(repository.objects, snapshot.record)
    for path in options.paths:
        live = os.path.join(os.fsencode(root), path)
        if not is_held(repository.objects, snapshot.record, path) and not os.path.lexists(live):
            raise PathNotInSnapshot(f"{display(path)} is neither in the snapshot nor in {root}")
    try:
        fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise SourceError(
            f"{root} cannot be compared: {error.strerror}", hint="compare with another snapshot instead"
        ) from error
    try:
        yield from _LiveDiff(repository, snapshot, options, monitor).run(fd)
    finally:
        os.close(fd)


@dataclass(slots=True)
class _Level:
    """A directory that is being compared."""

    path: bytes
    pairs: Iterator[tuple[bytes, _Stored | None, bool]]
    """Names in order: what is stored under each, and whether something is there."""
    rule: Rule | None


class _LiveDiff:
    def __init__(self, repository: Repository, snapshot: Snapshot, options: DiffOptions, monitor: Monitor) -> None:
        self._objects = repository.objects
        self._record = snapshot.record
        self._options = options
        self._monitor = monitor
        self._scope = Scope(options.paths, placement_of(self._objects, self._record).whole)
        self._excludes = Excludes.from_record(self._record.exclusions)
        self._live = LiveFiles(self._objects)
        self._reader = FileReader()
        status = repository.path.stat()
        self._repository = (status.st_dev, status.st_ino)
        self._device = 0

    def run(self, fd: int) -> Iterator[Change]:
        self._monitor.phase("compare")
        self._device = os.fstat(fd).st_dev
        stack = DirectoryStack(fd)
        try:
            top = root_of(self._record)
            if self._record.root_entry is not None and self._scope.takes(b""):
                yield from self._changed(fd, b"", (top.entry, top.owners), os.fstat(fd))
            levels = [self._level(stack.fd, b"", top.entry)]
            while levels:
                level = levels[-1]
                pair = next(level.pairs, None)
                if pair is None:
                    levels.pop()
                    if levels:
                        os.close(stack.ascend())
                    continue
                below = yield from self._name(stack, level, *pair)
                if below is not None:
                    levels.append(below)
        finally:
            stack.close()

    def _level(self, fd: int, path: bytes, entry: Entry | None) -> _Level:
        names = sorted(os.fsencode(name) for name in os.listdir(fd))
        stored = tree_entries(self._objects, entry.subtree) if entry is not None and entry.subtree else iter(())
        self._monitor.advance(len(names), 0, path)
        return _Level(path, _pairs(stored, names), self._excludes.within(path, fd))

    def _name(
        self, stack: DirectoryStack, level: _Level, name: bytes, stored: _Stored | None, is_there: bool
    ) -> Generator[Change, None, _Level | None]:
        """Compare one name. Returns the level below when it is a directory to go into."""
        path = join(level.path, name)
        if not self._scope.leads(path):
            return None
        status = _status(stack.fd, name) if is_there else None
        if status is None:
            if stored is not None:
                yield from self._gone(path, stored)
            return None
        is_directory = stat.S_ISDIR(status.st_mode)
        if is_directory and (status.st_dev, status.st_ino) == self._repository:
            return None
        if stored is None:
            if not self._scope.is_whole(path) or self._left_out(level, name, status):
                return None
            if self._scope.takes(path):
                yield self._added(stack.fd, path, name, status)
        else:
            if self._scope.takes(path):
                yield from self._changed(stack.fd, path, stored, status)
            if stored[0].is_directory and not is_directory:
                yield from self._gone(path, stored, itself=False)
        if not is_directory:
            return None
        entry = stored[0] if stored is not None and stored[0].is_directory else None
        if entry is not None and status.st_dev != self._device and self._is_empty(entry):
            self._monitor.note(f"another file system is mounted on {display(path)}; it is not looked at")
            return None
        try:
            stack.descend(name)
        except OSError as error:
            yield _unreadable(path, error)
            return None
        return self._level(stack.fd, path, entry)

    def _left_out(self, level: _Level, name: bytes, status: os.stat_result) -> bool:
        """Whether a snapshot would not have taken what is there."""
        if stat.S_ISSOCK(status.st_mode):
            return True
        return level.rule is not None and level.rule(name, status.st_mode, status.st_size)

    def _is_empty(self, directory: Entry) -> bool:
        return directory.subtree is None or next(tree_entries(self._objects, directory.subtree), None) is None

    def _gone(self, path: bytes, stored: _Stored, *, itself: bool = True) -> Iterator[Change]:
        """What was at a path and below it, and is no longer."""
        start = Found(path, *stored)
        for found in walk(self._objects, start, descend=lambda found: self._scope.leads(found.path)):
            if (itself or found is not start) and self._scope.takes(found.path):
                text = None
                if self._options.content and found.entry.is_file:
                    text = text_of(stored_text(self._objects, found.entry), b"")
                yield Change(found.path, ChangeKind.REMOVED, side_of(found.entry), None, text=text)

    def _added(self, dir_fd: int, path: bytes, name: bytes, status: os.stat_result) -> Change:
        try:
            text = None
            if self._options.content and stat.S_ISREG(status.st_mode):
                text = self._text(dir_fd, None, name, status)
            return Change(path, ChangeKind.ADDED, None, _side(dir_fd, name, status), text=text)
        except OSError as error:
            return _unreadable(path, error)

    def _changed(self, dir_fd: int, path: bytes, stored: _Stored, status: os.stat_result) -> Iterator[Change]:
        """The change of a path that is on both sides, if it is one."""
        entry, owners = stored
        what: tuple[str, ...] = ()
        try:
            if stat.S_IFMT(entry.mode) == stat.S_IFMT(status.st_mode):
                what = self._live.differences(dir_fd, entry, owners, status)
                if entry.is_file and not self._same_content(dir_fd, entry, status):
                    what = ("content", *what)
                if not what or (what == ("mtime",) and entry.is_directory and not self._options.directory_times):
                    return
            after = _side(dir_fd, entry.name, status)
            kind = classify(entry, after, what)
            text = None
            if self._options.content and kind is not ChangeKind.METADATA:
                text = self._text(dir_fd, entry, entry.name, status)
        except OSError as error:
            yield _unreadable(path, error)
            return
        yield Change(path, kind, side_of(entry), after, what, text)

    def _same_content(self, dir_fd: int, entry: Entry, status: os.stat_result) -> bool:
        same_time = entry.mtime_ns == status.st_mtime_ns and not self._options.content_check
        if entry.flags & FLAG_SQLITE_COPY and same_time:
            return True  # a copy of a live database has the rows of its log in it, so its size may be another
        if entry.size != status.st_size:
            return False
        return same_time or self._live.same_content(dir_fd, entry)

    def _text(self, dir_fd: int, entry: Entry | None, name: bytes, status: os.stat_result) -> TextDiff | None:
        """The line diff of what is stored and what is there."""
        if not (stat.S_ISREG(status.st_mode) or (entry is not None and entry.is_file)):
            return None
        after: bytes | None = b""
        if stat.S_ISREG(status.st_mode):
            after = None
            if status.st_size <= MAX_TEXT_SIZE:
                after = self._reader.read_small(dir_fd, name, status.st_size)[0]
        return text_of(stored_text(self._objects, entry), after)


def _status(dir_fd: int, name: bytes) -> os.stat_result | None:
    """The status of a name, or None when it has gone since it was listed."""
    try:
        return os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _side(dir_fd: int, name: bytes, status: os.stat_result) -> Side:
    is_file, is_link = stat.S_ISREG(status.st_mode), stat.S_ISLNK(status.st_mode)
    target = read_link(dir_fd, name) if is_link else None
    size = status.st_size if is_file else 0
    return Side(status.st_mode, size, status.st_mtime_ns, status.st_uid, status.st_gid, target)


def _unreadable(path: bytes, error: OSError) -> Change:
    return Change(path, ChangeKind.UNREADABLE, None, None, (error.strerror or str(error),))


def _pairs(stored: Iterator[_Stored], names: list[bytes]) -> Iterator[tuple[bytes, _Stored | None, bool]]:
    """The names on either side in order."""
    one = next(stored, None)
    for name in names:
        while one is not None and one[0].name < name:
            yield one[0].name, one, False
            one = next(stored, None)
        if one is not None and one[0].name == name:
            yield name, one, True
            one = next(stored, None)
        else:
            yield name, None, True
    while one is not None:
        yield one[0].name, one, False
        one = next(stored, None)
