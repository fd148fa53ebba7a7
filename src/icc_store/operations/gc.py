"""gc: forget what no rule keeps, then remove for good what was forgotten long enough ago and nothing else needs.

Plan first: `plan_gc` decides and counts without changing anything; `collect` does the same work and carries it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.errors import DamageError, SnapshotNotFound
from icc_store.ids import ObjectId
from icc_store.limits import BLOCK_CACHE_BYTES, FRAME_CACHE_BYTES, GC_BLOCK_CACHE_BYTES
from icc_store.model.maintenance import annotation_ids, bump_epoch, gc_epoch, remove_snapshots, snapshot_ids
from icc_store.model.record import Snapshot, Subject
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.gc_damage import naming_snapshots
from icc_store.operations.gc_mark import Marks
from icc_store.operations.gc_renew import RenewalResult, renew_if_it_pays
from icc_store.operations.gc_sweep import Sweep, SweepCounters
from icc_store.operations.retention import Decision, RetentionPolicy, decide_by_source, default_policy
from icc_store.quick_dataclass import dataclass, field

UNDELETE_HOURS = 24
_HOUR_NS = 3_600_000_000_000
_SHOWN = 10
"""Numbers of blocks in a message."""


@dataclass(frozen=True)
class GcOptions:
    """What to keep and how soon to let go."""

    policy: RetentionPolicy | None = None
    """What holds for sources that have no policy of their own. None: the default policy."""
    policies: Mapping[str, RetentionPolicy] = field(default_factory=dict)
    """Policies of single sources: a memory says itself how long its backups are kept."""
    undelete_hours: int = UNDELETE_HOURS
    """For how long a forgotten snapshot can still be brought back."""
    time_zone: tzinfo | None = None
    renew: bool = True
    """Write anew what it pays to write anew. Not where something better follows, or where there is no room for it."""
    dry_run: bool = False


@dataclass(frozen=True)
class GcResult:
    """What was decided and done. Bytes are stored bytes."""

    decisions: tuple[Decision, ...]
    removed: tuple[Snapshot, ...]
    """Forgotten long enough ago: gone for good."""
    waiting: tuple[Snapshot, ...]
    """Forgotten, and still to be had by `undelete`."""
    sweep: SweepCounters
    renewal: RenewalResult | None
    """What was written anew because too much stood beside it that nothing needs; None when it would not pay."""
    reusable: int
    """Bytes of the database file that new snapshots can fill."""
    dry_run: bool
    unreadable: tuple[int, ...] = ()
    """Damaged blocks that nothing needs. They stay, and with them the bytes of what was removed."""

    def raise_for_damage(self) -> None:
        """Raise DamageError when there are such blocks: all else is done by then."""
        if self.unreadable:
            numbers = ", ".join(map(str, self.unreadable[:_SHOWN])) + (", ..." if self.unreadable[_SHOWN:] else "")
            raise DamageError(
                f"damaged blocks that nothing needs were left: {numbers}; all else was done",
                hint="run `icc-store verify`, which looks for more damage and clears them away",
            )


def collect(
    repository: Repository,
    *,
    options: GcOptions = GcOptions(),
    monitor: Monitor = SILENT,
    clock: Clock = SYSTEM_CLOCK,
) -> GcResult:
    """Apply retention, remove what is due, free what nothing needs.

    Raises DamageError before anything is removed when something that is needed is missing or damaged; it names the
    snapshots. Damaged blocks that nothing needs are left, and named in the result.
    """
    repository.objects.keep(FRAME_CACHE_BYTES, GC_BLOCK_CACHE_BYTES)
    try:
        return _collect(repository, options, monitor, clock)
    finally:
        repository.objects.keep(FRAME_CACHE_BYTES, BLOCK_CACHE_BYTES)


def _collect(repository: Repository, options: GcOptions, monitor: Monitor, clock: Clock) -> GcResult:
    now = clock.now_ns()
    policy = options.policy or default_policy()
    decisions = decide_by_source(
        repository.snapshots(), options.policies, others=policy, now_ns=now, zone=options.time_zone
    )
    leaving = [decision.snapshot for decision in decisions if not decision.keep]
    removed, waiting = _due(repository, leaving, options, now)
    monitor.phase("mark")
    renewal = None
    task = _Collection(repository, removed, monitor)  # whatever is missing shows here, before anything has changed
    if options.dry_run:
        counters = task.sweep.plan()
    else:
        _forget(repository, leaving)
        removed = _remove(repository, options, now, task.marks)
        task.spare_all_but(removed)
        counters = task.sweep.run()
        renewal = task.renew(clock) if options.renew and not task.sweep.unreadable.numbers else None
    return GcResult(
        decisions,
        tuple(removed),
        tuple(waiting),
        counters,
        renewal,
        repository.store.reusable_bytes(),
        options.dry_run,
        tuple(sorted(task.sweep.unreadable.numbers)),
    )


class _Collection:
    """Marks and sweep of one run."""

    def __init__(self, repository: Repository, going: list[Snapshot], monitor: Monitor) -> None:
        self._repository = repository
        self.spare_all_but(going)
        self.marks = Marks(repository.objects, monitor)
        self.refresh()
        self.sweep = Sweep(repository, self.marks, self.refresh, monitor)
        self._monitor = monitor

    def spare_all_but(self, going: list[Snapshot]) -> None:
        """Say which snapshots are on their way out; what is looked at next marks what all others need."""
        self._gone = {snapshot.id for snapshot in going}

    def renew(self, clock: Clock) -> RenewalResult | None:
        """Write anew what it pays to, and sweep what that leaves. Bytes move; nothing goes that anybody could have."""
        self.refresh()
        renewal = renew_if_it_pays(self._repository, self.marks, monitor=self._monitor, clock=clock)
        if renewal is not None:
            self.sweep.run()
        return renewal

    def refresh(self) -> list[ObjectId]:
        """Mark what snapshots need that were not there when last looked, and what living runs write against.

        Another gc may have moved what was marked, or be at it: then all marks are made anew.
        Returns the ids of the snapshots that are marked now, and of those on their way out.
        """
        while True:
            self._repository.objects.renew()
            txn = self._repository.objects.transaction
            known, last, epoch = snapshot_ids(txn), txn.last_block(), gc_epoch(txn)
            if epoch != self.marks.epoch:
                self.marks.clear(epoch)
                self._marked: set[ObjectId] = set()
            lowest = self._repository.store.lowest_writer()  # after the view: who begins now has written none of these
            try:
                if lowest is not None:
                    self.marks.hold(range(lowest, last + 1))
                fresh = [identity for identity in known if identity not in self._marked and identity not in self._gone]
                self.marks.mark_trees([self._repository.record(one).root for one in fresh])
                self.marks.mark_bases()
                self._marked.update(fresh)
            except DamageError as error:
                self._repository.objects.forget()
                if gc_epoch(self._repository.objects.transaction) == epoch:
                    raise naming_snapshots(error, self._repository, self._gone) from error
            else:
                return known


def _forget(repository: Repository, leaving: list[Snapshot]) -> None:
    """Forget these, but for those that another gc has removed meanwhile."""
    while leaving:
        try:
            repository.annotate_all([(snapshot.id, Subject.FORGOTTEN, True) for snapshot in leaving])
        except SnapshotNotFound:
            repository.objects.renew()
            known = set(snapshot_ids(repository.objects.transaction))
            leaving = [snapshot for snapshot in leaving if snapshot.id in known]
        else:
            return


def _due(
    repository: Repository, leaving: list[Snapshot], options: GcOptions, now: int
) -> tuple[list[Snapshot], list[Snapshot]]:
    """Forgotten snapshots whose time is over, and those still waiting; `leaving` are forgotten from now on."""
    at_once = options.undelete_hours <= 0
    limit = now - options.undelete_hours * _HOUR_NS
    over: list[Snapshot] = []
    waiting: list[Snapshot] = []
    for snapshot in repository.snapshots(forgotten=True):
        if snapshot.forgotten_ns is not None:
            (over if at_once or snapshot.forgotten_ns <= limit else waiting).append(snapshot)
    (over if at_once else waiting).extend(leaving)
    return over, waiting


def _remove(repository: Repository, options: GcOptions, now: int, marks: Marks) -> list[Snapshot]:
    """Remove the records that are due; decided on what the transaction itself sees, so an undelete is never lost."""
    while True:
        repository.objects.renew()
        notes = annotation_ids(repository.objects.transaction)
        due, _ = _due(repository, [], options, now)
        if not due:
            return []
        with repository.store.write() as txn:
            epochs = bump_epoch(txn) if annotation_ids(txn) == notes else None
            if epochs is not None:
                remove_snapshots(repository, txn, {snapshot.id for snapshot in due})
        repository.objects.renew()
        if epochs is not None:
            marks.went_on(*epochs)
            return due
