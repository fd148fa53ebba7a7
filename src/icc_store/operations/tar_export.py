"""Write a snapshot, or parts of it, as a tar archive: the bare tree, or wrapped in a directory with files of its own.

The plain bytes of the archive depend on the snapshot and the chosen paths alone: members come in the order of a walk,
and no time but theirs is in it. Nothing is held in memory but one chunk and the names of hard links.

What is damaged in the repository does not stop the export: a file whose content is gone is left out, a piece in the
middle of one stands as zeros, and both are listed in the result.
"""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from icc_store.codec.archive_stream import ArchiveFormat, ArchiveWriter, format_of_name
from icc_store.codec.chunking import parameters_for
from icc_store.codec.pax import NS
from icc_store.codec.tar_header import LINK, REGULAR
from icc_store.codec.tar_member import END, Extents, Member, encode_member, padding
from icc_store.errors import (
    BlockDamaged,
    DamageError,
    DiskFull,
    IccStoreError,
    PathNotInSnapshot,
    TargetError,
    UsageError,
)
from icc_store.fs.new_file import NewFile, is_special, write_all
from icc_store.ids import Kind, ObjectId
from icc_store.limits import MAX_EXTENTS, WHOLE_FILE_SIZE
from icc_store.model.attributes import attributes_of
from icc_store.model.content import HOLE, Piece, list_pieces, plain_bytes, read_list
from icc_store.model.entry import HARD_LINK, NAME, Entry, Wire
from icc_store.model.paths import display, is_within, join, parts
from icc_store.model.record import SnapshotRecord
from icc_store.model.repository import Repository
from icc_store.model.tar_comment import Remarks, size_cut_with
from icc_store.model.tar_entries import link_of, member_of
from icc_store.model.walk import Found, lookup, root_of, walk
from icc_store.monitor import SILENT, Monitor

_RECORD_SIZE = 20 * 512
"""Archives are filled up to this, as tar always has: some readers complain about others."""

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))


@dataclass(frozen=True)
class Wrapping:
    """A directory that everything stands in, and files right in it that are not of the snapshot; they come first."""

    directory: bytes
    files: tuple[tuple[bytes, bytes], ...] = ()
    """Names and contents."""

    def displaces(self, path: bytes) -> bool:
        """Whether what the snapshot has at a path cannot be in the archive, since one of the files stands there."""
        return path.partition(b"/")[0] in (name for name, _ in self.files)


@dataclass(frozen=True)
class ExportOptions:
    """What to export and how. No `paths`: all of it. No `form`: what the file's name says, else a plain tar."""

    paths: tuple[bytes, ...] = ()
    form: ArchiveFormat | None = None
    force: bool = False
    threads: int = 1
    wrapping: Wrapping | None = None


@dataclass(frozen=True)
class ExportResult:
    """What was written. Sizes are bytes; `size` is that of the files, holes included."""

    form: ArchiveFormat
    files: int
    directories: int
    others: int
    links: int
    """Members that are one more name of another."""
    size: int
    plain_size: int
    written_size: int
    problems: tuple[tuple[bytes, str], ...]


Sink = Callable[[bytes], object]
"""Takes all of the bytes it is given; for an export that goes to no file of its own."""


def export_tar(
    repository: Repository,
    record: SnapshotRecord,
    *,
    target: Path | Sink,
    options: ExportOptions = ExportOptions(),
    monitor: Monitor = SILENT,
) -> ExportResult:
    """Write the archive to a file, which appears when it is whole, or into a sink.

    Raises PathNotInSnapshot, UsageError for a file name that says no format, TargetError, DiskFull.
    """
    monitor.phase("export")
    export = _Export(repository, record, options, monitor)
    if not isinstance(target, Path):
        return export.run(target, options.form or ArchiveFormat.TAR, options.threads)
    form = options.form or format_of_name(target.name)
    if form is None:
        raise UsageError(f"{target.name} says no format", hint="name it .tar, .tar.gz or .tar.zst, or use --format")
    if target.resolve().is_relative_to(repository.path.resolve()):
        raise TargetError(f"{target} is inside the repository", hint="write the archive somewhere else")
    try:
        if is_special(target):
            with target.open("wb", buffering=0) as device:
                return export.run(lambda data: write_all(device.fileno(), data), form, options.threads)
        with NewFile(target, replace=options.force) as file:
            result = export.run(file.write, form, options.threads)
            file.finish()
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(f"no room for {target}: {error.strerror}", hint="nothing was written") from error
        raise TargetError(f"{target} cannot be written: {error.strerror}") from error
    return result


def _starts(repository: Repository, record: SnapshotRecord, paths: tuple[bytes, ...]) -> list[Found]:
    """Where to walk from: the root, or each chosen path that is not below another, in order."""
    if not paths or b"" in paths:
        return [root_of(record)]
    chosen: list[bytes] = []
    for path in sorted(set(paths), key=parts):
        if not chosen or not is_within(path, chosen[-1]):
            chosen.append(path)
    return [lookup(repository.objects, record, path) for path in chosen]


@dataclass(slots=True)
class _Group:
    """A file with several names: the one in the archive, and what its entry says but for name and link."""

    path: bytes
    wire: Wire


class _Export:
    """One archive on its way."""

    def __init__(self, repository: Repository, record: SnapshotRecord, options: ExportOptions, monitor: Monitor):
        self._objects = repository.objects
        self._record = record
        self._wrapping = options.wrapping
        self._starts = _starts(repository, record, options.paths)
        self._whole = self._starts[0].path == b""
        self._monitor = monitor
        self._groups: dict[bytes, _Group] = {}
        """By the stored path of a file's first name."""
        self._left_out: set[bytes] = set()
        self._problems: dict[bytes, str] = {}
        self._counts = Counter[str]()

    def run(self, write: Sink, form: ArchiveFormat, threads: int) -> ExportResult:
        def pass_on(data: bytes) -> None:
            self._objects.renew()  # a pipe may be full for hours, and must not hold up the reuse of freed pages
            write(data)

        self._out = ArchiveWriter(pass_on, form, threads=threads)
        if self._wrapping is not None:
            self._wrap(self._wrapping)
        for start in self._starts:
            for found in walk(self._objects, start, failed=self._failed):
                if found.path or self._record.root_entry is not None:
                    self._add(found)
        self._out.write(END)
        self._out.write(bytes(-self._out.plain_size % _RECORD_SIZE))
        self._out.close()
        return ExportResult(
            form,
            self._counts["files"],
            self._counts["directories"],
            self._counts["others"],
            self._counts["links"],
            self._counts["size"],
            self._out.plain_size,
            self._out.written_size,
            tuple(self._problems.items()),
        )

    def _wrap(self, wrapping: Wrapping) -> None:
        """Write the directory when the snapshot knows its metadata, and the files."""
        root = root_of(self._record)
        if self._record.root_entry is not None:
            self._other(root, Remarks())
        user, group = (names.encode("utf-8", "surrogateescape") for names in _owners(root))
        for name, data in wrapping.files:
            member = Member(name, REGULAR, 0o644, root.entry.uid, root.entry.gid, user, group, len(data))
            member.mtime_ns = self._record.time_ns // NS * NS
            self._member(member)
            self._out.write(data)
            self._out.write(padding(len(data)))

    def _add(self, found: Found) -> None:
        """Write the member of what was found, or note why there is none."""
        entry = found.entry
        if self._wrapping is not None:
            if not found.path:
                return  # it was written before the files that stand in it
            if self._wrapping.displaces(found.path):
                self._left_out.add(found.path)
                if b"/" not in found.path:
                    self._problem(found.path, "the backup's own stands in its place; the bare tree has it")
                return
        if not entry.is_directory:
            group = self._group_of(found)
            if group is not None:
                self._link(found, group)
                return
        remarks = Remarks(flags=entry.flags, digest=entry.digest, kept=entry.kept)
        remarks.bare = self._wrapping is None and not self._out.plain_size
        if entry.hard_link is not None and self._whole:
            remarks.first_name = self._placed(entry.hard_link)
        try:
            if entry.is_file:
                self._file(found, remarks)
            else:
                self._other(found, remarks)
        except DamageError as error:
            self._failed(found, error)
            self._left_out.add(found.path)
            return
        if entry.hard_link is not None:
            self._groups.setdefault(entry.hard_link, _Group(found.path, _bare(entry)))

    def _other(self, found: Found, remarks: Remarks) -> None:
        member = member_of(found, self._attributes(found), remarks)
        if member is None:
            self._problems[found.path] = "tar has no type for it; it is left out"
            return
        self._member(member)
        self._counts["directories" if found.entry.is_directory else "others"] += 1
        self._monitor.advance(0, 0, found.path)

    # ------------------------------------------------------------------ hard links

    def _group_of(self, found: Found) -> _Group | None:
        """The file in the archive that this is one more name of."""
        entry = found.entry
        group = self._groups.get(entry.hard_link or found.path)
        if group is None and entry.hard_link is not None:
            group = self._written_before(entry.hard_link, found.path)
        return group if group is not None and group.wire == _bare(entry) else None

    def _written_before(self, first: bytes, path: bytes) -> _Group | None:
        """The first name of a file, when the walk passed it before `path` and it is in the archive."""
        if first in self._left_out or parts(first) >= parts(path):
            return None
        if not any(is_within(first, start.path) for start in self._starts):
            return None
        try:
            entry = lookup(self._objects, self._record, first).entry
        except (PathNotInSnapshot, DamageError):
            return None
        if entry.is_directory:
            return None
        group = self._groups[first] = _Group(first, _bare(entry))
        return group

    def _link(self, found: Found, group: _Group) -> None:
        member = link_of(found, group.path)
        if member is not None:
            self._member(member)
            self._counts["links"] += 1
            self._monitor.advance(1, 0, found.path)

    # ------------------------------------------------------------------ content

    def _file(self, found: Found, remarks: Remarks) -> None:
        """Write a regular file. Raises DamageError before anything of it is written."""
        entry = found.entry
        if entry.content_list is not None:
            self._large(found, entry.content_list, remarks)
        else:
            data = self._objects.get(entry.chunk, Kind.CHUNK) if entry.chunk is not None else b""
            _require_size(entry, len(data))
            self._header(found, remarks, None)
            self._out.write(data)
            self._out.write(padding(len(data)))
            self._monitor.advance(1, len(data), found.path)
        self._counts["files"] += 1
        self._counts["size"] += entry.size

    def _large(self, found: Found, content: ObjectId, remarks: Remarks) -> None:
        entry = found.entry
        extents, sparse = Extents(), False
        at = 0
        for piece in list_pieces(self._objects, content):
            if piece.id == HOLE:
                sparse = True
            elif len(extents) < MAX_EXTENTS:
                extents.add(at, piece.length)
            at += piece.length
        _require_size(entry, at)
        sparse = sparse and len(extents) < MAX_EXTENTS  # else holes stand as zeros
        chunker = read_list(self._objects, content).chunker
        if chunker != parameters_for(entry.size) or (not sparse and entry.size <= WHOLE_FILE_SIZE):
            remarks.cut_as = size_cut_with(chunker)
        self._header(found, remarks, extents if sparse else None)
        at = written = 0
        try:
            for piece in list_pieces(self._objects, content):
                if piece.id != HOLE or not sparse:
                    self._piece(found.path, piece, at)
                    written += piece.length
                at += piece.length
        except DamageError as error:  # it was readable just now, and the header has promised its bytes
            raise IccStoreError(f"{display(found.path)} was removed while it was written: {error.message}") from error
        self._out.write(padding(written))
        self._monitor.advance(1, 0, found.path)

    def _piece(self, path: bytes, piece: Piece, at: int) -> None:
        """Write a chunk or hole; a chunk that is damaged as zeros, since the header has promised its bytes."""
        content: Iterable[bytes | int] = (piece.length,)
        if piece.id != HOLE:
            try:
                data = self._objects.get(piece.id, Kind.CHUNK)
                if len(data) != piece.length:
                    raise BlockDamaged("a chunk is not as long as its content list says")
                content = (data,)
            except DamageError as error:
                where = f"{piece.length} bytes from {at} on are damaged and stand as zeros"
                self._problem(path, f"{where}: {error.message}")
        for data in plain_bytes(content):
            self._out.write(data)
            self._monitor.advance(0, len(data), path)

    def _header(self, found: Found, remarks: Remarks, extents: Extents | None) -> None:
        member = member_of(found, self._attributes(found), remarks, extents=extents)
        if member is not None:
            self._member(member)

    def _member(self, member: Member) -> None:
        member.path = self._placed(member.path)
        if member.typeflag == LINK:
            member.linkname = self._placed(member.linkname)
        self._out.write(encode_member(member))

    def _placed(self, path: bytes) -> bytes:
        """Where in the archive something stands."""
        if self._wrapping is None:
            return path
        return self._wrapping.directory if path == b"." else join(self._wrapping.directory, path)

    def _attributes(self, found: Found) -> dict[bytes, bytes]:
        try:
            return attributes_of(self._objects, found.entry)
        except DamageError as error:
            self._problem(found.path, f"its extended attributes are left out: {error.message}")
            return {}

    # ------------------------------------------------------------------ problems

    def _failed(self, found: Found, error: DamageError) -> None:
        what = "what is in it is left out" if found.entry.is_directory else "it is left out"
        self._problem(found.path, f"{what}: {error.message}")

    def _problem(self, path: bytes, message: str) -> None:
        if path not in self._problems:
            self._problems[path] = message
            self._monitor.warning(path, message)


def _owners(found: Found) -> tuple[str, str]:
    """The names of a file's user and group; empty where they are not known."""
    return found.owners.users.get(found.entry.uid, ""), found.owners.groups.get(found.entry.gid, "")


def _bare(entry: Entry) -> Wire:
    """What an entry says of the file itself, whichever of its names it stands for."""
    return {key: value for key, value in entry.to_wire().items() if key not in (NAME, HARD_LINK)}


def _require_size(entry: Entry, size: int) -> None:
    if size != entry.size:
        raise BlockDamaged(f"it has {size} bytes and should have {entry.size}")
