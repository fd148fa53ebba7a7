"""Taking a snapshot: scan, store what is new, commit the record last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.codec.hashing import fingerprint
from icc_store.errors import IccStoreError, SourceError
from icc_store.fs.excludes import Excludes, stored_below
from icc_store.fs.identity import default_source, host_name
from icc_store.fs.live_copies import SqliteCopies
from icc_store.fs.locations import never_stored
from icc_store.fs.mounts import clock_of
from icc_store.fs.scan_state import ScanCounters, ScanOptions
from icc_store.fs.scanner import Scanner
from icc_store.limits import DEFAULT_LEVEL, RACY_NS
from icc_store.model.closure import closure_is_stored
from icc_store.model.record import Counters, Snapshot, SnapshotClass, SnapshotRecord
from icc_store.model.repository import CollectedMeanwhile, Rehearsal, Repository, Run
from icc_store.model.tree import find_entry
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.snapshot_roots import Roots, absolute_paths, is_single_directory, scan_roots, store_stdin
from icc_store.version import VERSION

_TRIES = 5


@dataclass(frozen=True)
class SnapshotOptions:
    """How to take a snapshot. Empty `source` and `host`: this machine's."""

    name: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    source: str = ""
    host: str = ""
    kind: SnapshotClass = SnapshotClass.FULL
    exclude: tuple[str, ...] = ()
    exclude_caches: bool = False
    exclude_larger_than: int | None = None
    one_file_system: bool = False
    as_path: bytes = b""
    home: Path | None = None
    """The user's home, where the default memory is, whose own backups are never part of a snapshot."""
    stdin_name: bytes = b""
    rehash: bool = False
    skip_if_unchanged: bool = False
    dry_run: bool = False
    level: int = DEFAULT_LEVEL
    threads: int | None = None


@dataclass(frozen=True)
class SnapshotResult:
    """What came of it. `snapshot` is None after a rehearsal, and when nothing had changed and that was asked for."""

    snapshot: Snapshot | None
    parent: Snapshot | None
    counters: Counters
    problems: tuple[tuple[bytes, str], ...]
    """Stored paths of what could not be read, and why."""
    unchanged: bool
    """Whether the tree is the very same as the parent's."""
    new_objects: int


def take_snapshot(
    repository: Repository,
    paths: Sequence[Path],
    *,
    options: SnapshotOptions = SnapshotOptions(),
    stream: BinaryIO | None = None,
    monitor: Monitor = SILENT,
    clock: Clock = SYSTEM_CLOCK,
) -> SnapshotResult:
    """Store the paths, or one stream under the name `options.stdin_name`, and commit a snapshot of them.

    Raises SourceError when a path does not exist or nothing is named; files that cannot be read are in the result.
    """
    if not paths and stream is None:
        raise SourceError("nothing to back up was named", hint="name at least one path")
    where = absolute_paths(paths)
    task = _Task(repository, where, options, monitor, clock, stream=stream)
    if options.dry_run:
        return task.rehearse(repository.rehearsal())
    with repository.adding(level=options.level, threads=options.threads) as run:
        return task.run(run)


class _Task:
    """One snapshot on its way."""

    def __init__(
        self,
        repository: Repository,
        paths: list[Path],
        options: SnapshotOptions,
        monitor: Monitor,
        clock: Clock,
        *,
        stream: BinaryIO | None,
    ) -> None:
        self._repository = repository
        self._paths = paths
        self._options = options
        self._monitor = monitor
        self._clock = clock
        self._stream = stream
        self._streamed: Roots | None = None
        self._started = clock.monotonic()
        self._time_ns = clock.now_ns()
        self._host = options.host or host_name()
        self._source = options.source or default_source(paths or [Path(f"stdin:{options.stdin_name!r}")])
        self._excludes = self._rules()
        self._parent = repository.latest(self._source, self._host)

    def rehearse(self, rehearsal: Rehearsal) -> SnapshotResult:
        scanner, roots = self._scan(rehearsal, rehash=self._options.rehash)
        counters = self._counters(scanner, rehearsal.new_bytes, 0)
        return self._result(None, scanner, roots, counters, rehearsal.new_objects)

    def run(self, run: Run) -> SnapshotResult:
        rehash = self._options.rehash
        for _ in range(_TRIES):
            try:
                scanner, roots = self._scan(run, rehash=rehash)
                if self._options.skip_if_unchanged and self._is_unchanged(roots):
                    return self._result(None, scanner, roots, self._counters(scanner, 0, 0), 0)
                snapshot = self._commit(run, scanner, roots)
                if snapshot is not None:
                    counters = snapshot.record.counters
                    return self._result(snapshot, scanner, roots, counters, run.writer.counters.objects)
            except CollectedMeanwhile:
                pass
            rehash = True  # gc took something this snapshot refers to: read everything, and store it again
        raise IccStoreError("gc kept removing what this snapshot refers to", hint="run the command again")

    def _commit(self, run: Run, scanner: Scanner, roots: Roots) -> Snapshot | None:
        """The committed snapshot, or None when something it refers to was collected meanwhile."""
        self._monitor.phase("commit")

        def build(seq: int) -> SnapshotRecord:
            added = run.writer.counters
            return SnapshotRecord(
                seq=seq,
                time_ns=self._time_ns,
                root=roots.tree,
                source=self._source,
                host=self._host,
                kind=self._options.kind,
                name=self._options.name,
                tags=tuple(dict.fromkeys(self._options.tags)),
                note=self._options.note,
                parent=self._parent.id if self._parent else None,
                paths=tuple(bytes(path) for path in self._paths),
                root_entry=roots.root_entry,
                exclusions=self._excludes.to_record(),
                counters=self._counters(scanner, added.plain_bytes, added.stored_bytes),
                warnings=tuple(scanner.problems.items())[:1000],
                program=VERSION,
            )

        for _ in range(_TRIES):
            try:
                return run.commit(build)
            except CollectedMeanwhile:
                run.accept_epoch()
                if not closure_is_stored(run.objects, run.writer, roots.tree):
                    return None
        return None

    def _scan(self, run: Run | Rehearsal, *, rehash: bool) -> tuple[Scanner, Roots]:
        self._monitor.phase("scan")
        options = ScanOptions(
            label=fingerprint(self._host.encode(), b"\0", self._source.encode("utf-8", "surrogateescape")),
            excludes=self._excludes,
            one_file_system=self._options.one_file_system,
            rehash=rehash,
            turn=run.turn,
            racy_from_ns=self._file_system_time() - RACY_NS,
        )
        scanner = Scanner(run, options, SqliteCopies(self._repository.path), self._monitor)
        if self._stream is None:
            return scanner, scan_roots(scanner, self._paths, self._options.as_path)
        if self._streamed is not None:  # a stream cannot be read twice
            raise IccStoreError("gc removed what this snapshot refers to", hint="run the command again")
        earlier = None
        if self._parent is not None:
            found = find_entry(run.objects, self._parent.record.root, self._options.stdin_name)
            earlier = found[0].to_wire() if found else None
        self._streamed = store_stdin(scanner, self._stream, self._options.stdin_name, earlier, self._time_ns)
        return scanner, self._streamed

    def _file_system_time(self) -> int:
        try:
            return clock_of(self._repository.path)
        except OSError:
            if self._options.dry_run:
                return self._clock.now_ns()  # a rehearsal leaves nothing behind that could be wrong
            raise

    def _rules(self) -> Excludes:
        """The user's exclusions, and what is never part of a snapshot: the repository, and a memory's own backups."""
        options = self._options
        never: list[bytes] = []
        single = is_single_directory(self._paths, options.as_path)
        for path in self._paths:
            prefix = options.as_path
            if not single and len(self._paths) > 1:
                prefix = b"/".join(filter(None, (options.as_path, bytes(path).lstrip(b"/"))))
            left_out = [*stored_below(path, [self._repository.path]), *never_stored(path, options.home)]
            never += [b"/".join(filter(None, (prefix, below))) for below in left_out]
        return Excludes(
            options.exclude, caches=options.exclude_caches, larger_than=options.exclude_larger_than, never=never
        )

    def _is_unchanged(self, roots: Roots) -> bool:
        parent = self._parent
        return parent is not None and parent.record.root == roots.tree and parent.record.root_entry == roots.root_entry

    def _counters(self, scanner: Scanner, added_plain: int, added_stored: int) -> Counters:
        seen: ScanCounters = scanner.counters
        return Counters(
            **vars(seen),
            read_bytes=scanner.files.read_bytes,
            added_plain=added_plain,
            added_stored=added_stored,
            duration_ns=int((self._clock.monotonic() - self._started) * 1e9),
        )

    def _result(
        self, snapshot: Snapshot | None, scanner: Scanner, roots: Roots, counters: Counters, new_objects: int
    ) -> SnapshotResult:
        return SnapshotResult(
            snapshot, self._parent, counters, tuple(scanner.problems.items()), self._is_unchanged(roots), new_objects
        )
