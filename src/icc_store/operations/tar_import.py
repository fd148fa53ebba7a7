"""Make a snapshot of a tar archive: what `export` wrote comes back as the very same tree.

Contents go into the repository as they come; entries wait until the archive has ended well, so that a broken one
leaves no snapshot. Names that would lead out of a directory are refused with the whole archive: one that holds such a
name was made to deceive, or for another purpose than to be kept. The backup of a memory is unwrapped, and proven by
its listing.
"""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.codec.archive_stream import ArchiveReader
from icc_store.codec.serial import pack
from icc_store.codec.tar_header import DIRECTORY, LINK, REGULAR
from icc_store.codec.tar_member import Member
from icc_store.codec.tar_reader import TarReader
from icc_store.errors import ArchiveError, IccStoreError, SourceError
from icc_store.fs.identity import host_name
from icc_store.ids import Kind
from icc_store.limits import DEFAULT_LEVEL, INLINE_XATTRS, MAX_IMPORTED_NAME, WHOLE_FILE_SIZE
from icc_store.model.closure import closure_is_stored
from icc_store.model.content import whole_content
from icc_store.model.content_writer import store_stream
from icc_store.model.entry import CHUNK, GID, HARD_LINK, LIST, NAME, SIZE, UID, Entry, Wire, in_order
from icc_store.model.paths import parts
from icc_store.model.record import Counters, Snapshot, SnapshotClass, SnapshotRecord
from icc_store.model.repository import CollectedMeanwhile, Repository, Run
from icc_store.model.tar_comment import Remarks, parse_remarks
from icc_store.model.tar_entries import add_acls, entry_of
from icc_store.model.tree_builder import Placed, TreeBuilder, shown
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.memory.backup_papers import TOO_LARGE, Papers, Warnings, memory_in, papers_of, settle
from icc_store.operations.tar_import_content import MemberContent
from icc_store.version import VERSION

_TRIES = 5


@dataclass(frozen=True)
class ImportOptions:
    """What the snapshot is to say of itself. Empty `source`: after the archive's name; empty `host`: this machine."""

    name: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    source: str = ""
    host: str = ""
    level: int = DEFAULT_LEVEL
    threads: int | None = None


PLAINLY = ImportOptions()


@dataclass(frozen=True)
class ImportResult:
    """The snapshot, and what could not be taken as the archive has it: paths and messages."""

    snapshot: Snapshot
    warnings: Warnings
    problems: Warnings = ()
    """Files of a backup that are not what its listing says, or are missing."""
    checked: int | None = None
    """Files of a backup that are; None where there was no listing."""
    below: bytes = b""
    """The directories around a memory that were taken off."""


def import_tar(
    repository: Repository,
    archive: Path | BinaryIO,
    *,
    options: ImportOptions = PLAINLY,
    monitor: Monitor = SILENT,
    clock: Clock = SYSTEM_CLOCK,
) -> ImportResult:
    """Make a snapshot of class import from an archive: plain, in gzip or in zstd.

    Raises SourceError when it cannot be read; ArchiveError, naming the member, when it is no tar, is cut off or
    broken, holds names that would lead out of it, or one name for two kinds of things.
    """
    monitor.phase("import")
    if isinstance(archive, Path):
        try:
            stream: BinaryIO = archive.open("rb", buffering=0)
        except OSError as error:
            raise SourceError(f"{archive} cannot be read: {error.strerror}", hint="nothing was stored") from error
        with stream:
            return _import(repository, str(archive), stream, options, monitor=monitor, clock=clock)
    return _import(repository, "stdin", archive, options, monitor=monitor, clock=clock)


def _import(
    repository: Repository, name: str, stream: BinaryIO, options: ImportOptions, *, monitor: Monitor, clock: Clock
) -> ImportResult:
    with repository.adding(level=options.level, threads=options.threads) as run:
        task = _Import(run, name, options, monitor, clock)
        snapshot = task.run(stream)
    warnings = tuple(task.warnings.items())
    if task.below is None:
        return ImportResult(snapshot, warnings)
    proof = settle(repository, snapshot, task.papers, monitor=monitor)
    settled = repository.snapshot(snapshot.id)
    return ImportResult(settled, warnings + proof.warnings, proof.problems, proof.checked, task.below)


class _Import:
    """One archive on its way in."""

    def __init__(self, run: Run, name: str, options: ImportOptions, monitor: Monitor, clock: Clock) -> None:
        self._run = run
        self._name = name
        self._options = options
        self._monitor = monitor
        self._clock = clock
        self._started = clock.monotonic()
        self._builder = TreeBuilder(lambda data: run.writer.add(Kind.TREE, data))
        self._bare = False
        self.warnings: dict[bytes, str] = {}
        self.below: bytes | None = None
        """The directories around the memory; None when there is none."""
        self.papers = Papers()
        self._files = self._directories = self._others = self._size = self._read_bytes = 0

    def run(self, stream: BinaryIO) -> Snapshot:
        def read(size: int) -> bytes:
            try:
                return stream.read(size)
            except OSError as error:
                raise SourceError(f"{self._name} cannot be read: {error.strerror}", hint="nothing was made") from error

        reader: TarReader | None = None
        try:
            reader = TarReader(ArchiveReader(read).read)
            for member in reader:
                self._take(member, reader)
        except ValueError as error:
            if reader is None or not reader.path:
                raise ArchiveError(f"{self._name} is not a tar archive: {error}", hint="nothing was stored") from error
            where = f"at or after {shown(reader.path)}"
            raise ArchiveError(f"{self._name}, {where}: {error}", hint="no snapshot was made") from error
        if reader.trailing:
            self._warn(b"", f"{self._name} goes on after its end mark; what follows was not read")
        if not self._bare:
            self._unwrap()
        return self._commit()

    # ------------------------------------------------------------------ members

    def _take(self, member: Member, reader: TarReader) -> None:
        """Store what a member holds and place its entry. Raises ValueError."""
        path = _stored_path(member.path)
        if member.typeflag == LINK:
            linked = self._linked(path, _stored_path(member.linkname))
            self._builder.put(path, linked)
            self._files += SIZE in linked.wire
            self._others += SIZE not in linked.wire
            self._monitor.advance(1, 0, path)
            return
        remarks = parse_remarks(member.records.get(b"comment", b""))
        self._bare = self._bare or remarks.bare
        entry = entry_of(member, path.rpartition(b"/")[2])
        entry.flags, entry.digest, entry.kept = remarks.flags, remarks.digest, remarks.kept
        if remarks.first_name is not None:
            entry.hard_link = _stored_path(remarks.first_name)
        if member.typeflag == REGULAR:
            self._content(entry, member, reader, remarks)
            self._files += 1
            self._size += entry.size
        elif member.typeflag == DIRECTORY:
            self._directories += 1
        else:
            self._others += 1
        self._attributes(entry, member, path)
        self._builder.put(path, Placed(entry.to_wire(), _text(member.uname), _text(member.gname)))
        self._monitor.advance(member.typeflag == REGULAR, entry.size, path)

    def _linked(self, path: bytes, target: bytes) -> Placed:
        """The entry of one more name for what the archive has at `target` already."""
        placed = self._builder.get(target)
        if placed is None:
            raise ValueError(f"{shown(path)} is a hard link to {shown(target)}, which is no file before it")
        first = placed.wire.get(HARD_LINK, target)
        wire: Wire = {key: value for key, value in placed.wire.items() if key != HARD_LINK}
        wire[NAME] = path.rpartition(b"/")[2]
        if first != path:
            wire[HARD_LINK] = first
        return Placed(in_order(wire), placed.user, placed.group)

    def _content(self, entry: Entry, member: Member, reader: TarReader, remarks: Remarks) -> None:
        digest = hashlib.sha256() if remarks.digest is not None else None
        if not member.size:
            pass
        elif member.extents is None and member.size <= WHOLE_FILE_SIZE and remarks.cut_as is None:
            data = reader.read_whole()
            if digest is not None:
                digest.update(data)
            entry.chunk = self._run.writer.add(Kind.CHUNK, data)
            self._read_bytes += len(data)
        else:
            content = MemberContent(member, reader, None if digest is None else digest.update)
            size = member.size if remarks.cut_as is None else remarks.cut_as
            writer, objects = self._run.writer, self._run.objects
            entry.content_list, _ = store_stream(writer, objects, content.extents(), size=size, ahead=False)
            self._read_bytes += content.read_bytes
        entry.size = member.size
        if digest is not None and digest.digest() != remarks.digest:
            raise ValueError("a file is not what its digest says")

    def _attributes(self, entry: Entry, member: Member, path: bytes) -> None:
        try:
            attributes = add_acls(member, entry, _uid, _gid)
        except ValueError as error:
            self._warn(path, str(error))
            attributes = member.xattrs
        if attributes:
            packed = pack(attributes)
            if len(packed) <= INLINE_XATTRS:
                entry.xattrs = attributes
            else:
                entry.xattrs_id = self._run.writer.add(Kind.XATTRS, packed)

    def _warn(self, path: bytes, message: str) -> None:
        if path not in self.warnings:
            self.warnings[path] = message
            self._monitor.warning(path, message)

    # ------------------------------------------------------------------ the backup of a memory

    def _unwrap(self) -> None:
        """Make the memory in the archive, if there is one, the root, and take out what is the backup's own."""
        self.below = memory_in(self._builder.names)
        if self.below is None:
            return
        self._builder.enter(self.below)
        self._run.writer.commit()  # so that it can be read
        self.papers = papers_of(self._read)
        for path, message in self.papers.warnings:
            self._warn(path, message)
        for name in self.papers.own:
            placed = self._builder.get(name)
            if placed is not None:
                self._files -= 1
                self._size -= placed.wire[SIZE]
                self._builder.remove(name)

    def _read(self, name: bytes, limit: int) -> bytes | None:
        placed = self._builder.get(name)
        if placed is None or SIZE not in placed.wire:
            return None
        wire = placed.wire
        if wire[SIZE] > limit:
            return TOO_LARGE
        return whole_content(self._run.objects, wire.get(CHUNK), wire.get(LIST))

    # ------------------------------------------------------------------ the snapshot

    def _commit(self) -> Snapshot:
        self._monitor.phase("commit")
        run, options = self._run, self._options
        time_ns = self.papers.claims.time_ns
        top = self._builder.root()
        root = self._builder.finish()

        def build(seq: int) -> SnapshotRecord:
            return SnapshotRecord(
                seq=seq,
                time_ns=self._clock.now_ns() if time_ns is None else time_ns,
                root=root,
                source=options.source or f"import:{os.path.basename(self._name)}",
                host=options.host or host_name(),
                kind=SnapshotClass.IMPORT,
                name=options.name or self.papers.claims.name,
                tags=tuple(dict.fromkeys(options.tags)),
                note=options.note,
                root_entry=None if top is None else _root_entry(top),
                counters=self._counters(),
                warnings=tuple(self.warnings.items())[:1000],
                program=VERSION,
            )

        for _ in range(_TRIES):
            try:
                return run.commit(build)
            except CollectedMeanwhile:
                run.accept_epoch()
                if not closure_is_stored(run.objects, run.writer, root):
                    break
        raise IccStoreError("gc removed what this snapshot refers to", hint="run the command again")

    def _counters(self) -> Counters:
        added = self._run.writer.counters
        return Counters(
            files=self._files,
            directories=self._directories,
            others=self._others,
            size=self._size,
            new_files=self._files,
            read_bytes=self._read_bytes,
            added_plain=added.plain_bytes,
            added_stored=added.stored_bytes,
            duration_ns=int((self._clock.monotonic() - self._started) * 1e9),
        )


def _stored_path(name: bytes) -> bytes:
    """The stored path of a member. Raises ValueError for one that would lead out of the directory it is put in."""
    if name.startswith(b"/"):
        raise ValueError(f"{shown(name)} is an absolute path")
    if b"\0" in name:
        raise ValueError(f"{shown(name)} has a zero byte in it")
    names = [part for part in parts(name) if part not in (b"", b".")]
    if b".." in names:
        raise ValueError(f"{shown(name)} leads out of the archive")
    if not name or max(map(len, names), default=0) > MAX_IMPORTED_NAME:
        raise ValueError(f"{shown(name) or 'an empty name'} is not a name that a file can have")
    return b"/".join(names)


def _root_entry(top: Placed) -> Wire:
    """As `model.walk.root_of` reads it."""
    uid, gid = top.wire[UID], top.wire[GID]
    users = {uid: top.user} if top.user else {}
    groups = {gid: top.group} if top.group else {}
    return {0: [users, groups]} | top.wire


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


@cache
def _uid(name: bytes) -> int | None:
    try:
        return pwd.getpwnam(_text(name)).pw_uid
    except (KeyError, ValueError):
        return None


@cache
def _gid(name: bytes) -> int | None:
    try:
        return grp.getgrnam(_text(name)).gr_gid
    except (KeyError, ValueError):
        return None
