"""Taking a snapshot: scan, store what is new, commit the record last."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.codec.hashing import fingerprint
from icc_store.entities.profiles import GENERIC
from icc_store.errors import IccStoreError, SourceError, UsageError
from icc_store.fs.available_memory import batch_bytes
from icc_store.fs.identity import default_source, host_name
from icc_store.fs.live_copies import SqliteCopies
from icc_store.fs.live_parts import StartSecond
from icc_store.fs.mounts import clock_of
from icc_store.fs.scan_state import Forgetful, ScanCounters, ScanOptions
from icc_store.fs.scanner import Scanner
from icc_store.limits import RACY_NS, SECOND_SCAN_FILES
from icc_store.model.closure import closure_is_stored
from icc_store.model.record import Counters, Snapshot, SnapshotClass, SnapshotRecord
from icc_store.model.repository import CollectedMeanwhile, Rehearsal, Repository, Run
from icc_store.model.tree import find_entry
from icc_store.monitor import SILENT, Monitor
from icc_store.operations import freed_memory
from icc_store.operations.memory.manifest import to_wire
from icc_store.operations.memory.profile_choice import choose_profile
from icc_store.operations.memory.snapshot import MemoryRun
from icc_store.operations.room import RoomKeeper
from icc_store.operations.snapshot_options import SnapshotOptions, SnapshotResult
from icc_store.operations.snapshot_roots import Roots, absolute_paths, is_single_directory, scan_roots, store_stdin
from icc_store.operations.snapshot_rules import rules_for
from icc_store.version import VERSION

if TYPE_CHECKING:
    from icc_store.operations.memory.manifest import Notes
    from icc_store.operations.memory.selection import LeftOut
    from icc_store.operations.second_scan import ForkedScan

__all__ = ("SnapshotOptions", "SnapshotResult", "take_snapshot")

_TRIES = 5

T = TypeVar("T")


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
    with repository.adding(level=options.level, threads=options.threads, monitor=monitor) as run:
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
        single = stream is None and is_single_directory(paths, options.as_path)
        self._profile = choose_profile(paths, options.profile, single=single)
        self._excludes = rules_for(repository.path, paths, options, self._profile, single=single)
        self._left_out = self._choose(single=single)
        self._parent = repository.latest(self._source, self._host)
        self._memory: MemoryRun | None = None
        self._notes: Notes | None = None
        if options.incremental and self._parent is None:
            raise SourceError(
                f"there is no full snapshot of {self._source} that an incremental one could follow",
                hint="take a full one: the same command without --incremental",
            )

    def rehearse(self, rehearsal: Rehearsal) -> SnapshotResult:
        scanner, roots = self._scan(rehearsal, rehash=self._options.rehash)
        counters = self._counters(scanner, rehearsal.new_bytes, 0)
        return self._result(None, scanner, roots, counters, rehearsal.new_objects)

    def run(self, run: Run) -> SnapshotResult:
        rehash = self._options.rehash
        run.writer.batch_bytes = batch_bytes()
        room = RoomKeeper(self._repository.path, self._options.min_free, reusable=self._repository.reusable_bytes)
        if self._profile is not GENERIC:
            room.require_for(self._paths, self._excludes, self._parent.record.counters.size if self._parent else 0)
        if self._options.min_free:
            run.writer.before_commit(room.require)
        for _ in range(_TRIES):
            try:
                scanner, roots = self._scan(run, rehash=rehash)
                freed_memory.give_back()
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
        if self._memory is not None:
            self._notes = self._conclude(run, self._memory, scanner, roots)
        elif self._left_out is not None:
            self._notes = {"profile": self._profile.name} | self._selected(self._left_out)
        self._monitor.phase("commit")

        def build(seq: int) -> SnapshotRecord:
            added = run.writer.counters
            return SnapshotRecord(
                seq=seq,
                time_ns=self._time_ns,
                root=roots.tree,
                source=self._source,
                host=self._host,
                kind=self._kind(),
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
                manifest=to_wire(self._notes) if self._notes is not None else None,
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
        now_ns = self._file_system_time()
        options = ScanOptions(
            label=fingerprint(self._host.encode(), b"\0", self._source.encode("utf-8", "surrogateescape")),
            excludes=self._excludes,
            one_file_system=self._options.one_file_system,
            rehash=rehash,
            turn=run.turn,
            racy_from_ns=now_ns - RACY_NS,
            is_large=self._parent is not None and self._parent.record.counters.files >= SECOND_SCAN_FILES,
        )
        self._memory = self._watch(run, now_ns)
        copies = SqliteCopies(self._repository.path, databases=self._profile.databases)
        scanner = Scanner(
            Forgetful(run) if self._left_out is not None else run,
            options,
            copies,
            self._monitor,
            watcher=self._memory.facts if self._memory is not None else None,
            start_second=self._second(run, options, copies),
        )
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

    def _works_alone(self) -> bool:
        """Whether all is done in one process: there is one processor or thread, or what files say is told at once."""
        threads = self._options.threads or os.cpu_count() or 1
        return threads < 2 or self._options.scan_secrets

    def _second(self, run: Run | Rehearsal, options: ScanOptions, copies: SqliteCopies) -> StartSecond | None:
        """What starts a second scan beside the one of this run; None where there is to be none."""
        if isinstance(run, Rehearsal) or self._works_alone():
            return None
        make_watcher = self._memory.second_watcher if self._memory is not None else lambda _run: None

        def start(fd: int, stored: bytes) -> ForkedScan | None:
            from icc_store.operations.second_scan import second_scan  # only where there is much to do

            root, level = (fd, stored), self._options.level
            return second_scan(self._repository, run, root, options, copies, level=level, make_watcher=make_watcher)

        return start

    def _beside(self, run: Run, work: Callable[[], T]) -> AbstractContextManager[Callable[[], T]]:
        from icc_store.operations.beside import beside  # only where there is much to do

        run.writer.rest()
        return beside(self._repository, work)

    def _watch(self, run: Run | Rehearsal, now_ns: int) -> MemoryRun | None:
        """Who looks at the files of a memory while they are scanned; nobody in a rehearsal."""
        if self._profile is GENERIC or isinstance(run, Rehearsal):
            if self._options.scan_secrets:
                raise UsageError("only a memory that is stored is searched for secrets", hint="name its --profile")
            return None
        return MemoryRun(
            run,
            self._paths[0],
            self._profile,
            self._excludes,
            since_ns=now_ns,
            whole=self._left_out is None,
            scan_secrets=self._options.scan_secrets,
            monitor=self._monitor,
        )

    def _conclude(self, run: Run, memory: MemoryRun, scanner: Scanner, roots: Roots) -> Notes:
        many = scanner.counters.files >= SECOND_SCAN_FILES and not self._works_alone()
        share = partial(self._beside, run) if many else None
        notes = memory.conclude(run, roots.tree, self._parent, scanner.problems.keys(), share=share)
        if self._left_out is None:
            memory.facts.keep()
        if self._options.incremental and self._parent is not None:
            notes["incremental"] = self._parent.id.hex()
        if self._left_out is not None:
            notes |= self._selected(self._left_out)
        if self._excludes.withheld:
            notes["withheld"] = [path.decode("utf-8", "backslashreplace") for path in sorted(self._excludes.withheld)]
        return notes

    @staticmethod
    def _selected(left_out: LeftOut) -> Notes:
        return {"selection": left_out.selection.to_record(), "left_out": left_out.files}

    def _choose(self, *, single: bool) -> LeftOut | None:
        """What a selection leaves out, and the rules that leave it out."""
        if self._options.selection is None:
            return None
        if not single or self._options.incremental:
            raise UsageError(
                "a selection is made in the directory of one memory, and is never incremental",
                hint="take a full snapshot of the rest",
            )
        from icc_store.operations.memory.selection import left_out  # only who selects pays for what parses entities

        chosen = left_out(self._paths[0], self._options.selection, self._profile, self._excludes)
        self._excludes = self._excludes.without(chosen.paths)
        return chosen

    def _kind(self) -> SnapshotClass:
        return self._options.kind if self._options.selection is None else SnapshotClass.SELECTIVE

    def _file_system_time(self) -> int:
        try:
            return clock_of(self._repository.path)
        except OSError:
            if self._options.dry_run:
                return self._clock.now_ns()  # a rehearsal leaves nothing behind that could be wrong
            raise

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
        memory = self._memory
        return SnapshotResult(
            snapshot,
            self._parent,
            counters,
            tuple(scanner.problems.items()),
            self._is_unchanged(roots),
            new_objects,
            profile=self._profile.name,
            notes=self._notes,
            findings=memory.findings if memory is not None else (),
            secrets=memory.secrets if memory is not None else (),
            withheld=tuple(sorted(self._excludes.withheld)),
            left_out=self._left_out,
            since=self._parent if self._options.incremental else None,
        )
