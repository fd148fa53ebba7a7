"""All or nothing: a restore that copies what is there first, and puts it back when anything goes wrong.

The copy is a snapshot of its own class in the same repository. It stays whatever happens, for a day at least and until
a newer one takes its place, so that a restore that went well can be undone too, and one that was killed.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.errors import (
    DamageError,
    DiskFull,
    IccStoreError,
    Interrupted,
    ReadOnlyRepository,
    TargetError,
    UsageError,
)
from icc_store.fs.directory_stack import DirectoryStack
from icc_store.fs.identity import default_source
from icc_store.fs.removal import remove
from icc_store.model.entry import NAME
from icc_store.model.paths import display, parts
from icc_store.model.record import PURGE, Snapshot, SnapshotClass, Subject
from icc_store.model.repository import Repository
from icc_store.model.tree import tree_parts
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.resolve import SHORT_ID
from icc_store.operations.restore import RestoreResult, execute
from icc_store.operations.restore_databases import refuse_if_in_use
from icc_store.operations.restore_plan import Action, Failure, RestoreOptions, RestorePlan
from icc_store.operations.restore_planner import plan_restore
from icc_store.operations.restore_steps import planned_steps

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))
_NAMED = 3


@dataclass(frozen=True)
class SafeRestoreResult:
    """What a restore did, and the copy of what was there before; None when nothing was."""

    files: RestoreResult
    safety: Snapshot | None


def restore_safely(
    repository: Repository, plan: RestorePlan, *, monitor: Monitor = SILENT, clock: Clock = SYSTEM_CLOCK
) -> SafeRestoreResult:
    """Do all that a plan says, or leave everything as it was. All of the snapshot is read before anything is touched.

    Raises TargetError and DamageError for what cannot be restored: most often before anything is touched, else after
    it was put back. Raises UsageError for a snapshot of files here and there, which has no directory to be copied.
    """
    if plan.options.target is None and not plan.scope.is_whole(b""):
        raise UsageError(
            f"a safety copy is one of a whole directory, and the snapshot holds single things in {plan.target}",
            hint="leave --safety out, or name a directory with --target",
        )
    refuse_if_in_use(plan)
    require_all(plan.failures)
    require_undamaged(repository, plan.snapshot, monitor=monitor, clock=clock)
    changes = plan.totals.changes > 0
    with all_or_nothing(repository, plan, changes=changes, monitor=monitor, clock=clock) as copy:
        result = execute(repository, plan, monitor=monitor, clock=clock)
        require_all(result.failures)
    return SafeRestoreResult(result, copy)


def require_undamaged(repository: Repository, snapshot: Snapshot, *, monitor: Monitor, clock: Clock) -> None:
    """Raise DamageError, naming files, where a snapshot cannot be read whole; it is marked as suspect then."""
    from icc_store.operations.verify import verify  # slow to load, and a memory needs it for damage only

    result = verify(repository, snapshot, monitor=monitor, clock=clock)
    if not result.damaged:
        return
    paths = list(dict.fromkeys(display(file.path) or "all of it" for found in result.findings for file in found.files))
    total = max(len(paths), sum(finding.files_total for finding in result.findings))
    named = ", ".join(paths[:_NAMED]) or result.findings[0].what
    more = f" and {total - _NAMED} more" if total > _NAMED else ""
    raise DamageError(
        f"the snapshot is damaged: {named}{more} cannot be brought back; nothing was restored",
        hint="restore an older or a newer snapshot, or with --no-safety all but these",
    )


@contextmanager
def all_or_nothing(
    repository: Repository, plan: RestorePlan, *, changes: bool = True, monitor: Monitor, clock: Clock
) -> Iterator[Snapshot | None]:
    """Copy the target, then let the body change it. Whatever the body raises, the former state is put back first.

    Yields the copy, or None when there is nothing to lose: then the target is emptied again. A body that `changes`
    nothing takes no other copy's place.
    What is raised says what became of the target.
    """
    if not changes:
        yield None
        return
    copy = None
    if holds_anything(plan.target):
        copy = take_safety_copy(repository, plan, monitor=monitor, clock=clock)
    before = _Before(repository, plan, copy, existed=plan.target.exists())
    try:
        yield copy
    except BaseException as error:  # Ctrl-C and a request to end too: nobody is left with half a memory
        failed = _undo(before, error, monitor=monitor, clock=clock)
        if failed is error:
            raise
        raise failed from error


def take_safety_copy(repository: Repository, plan: RestorePlan, *, monitor: Monitor, clock: Clock) -> Snapshot:
    """A snapshot of everything in the target of a plan but what it spares. Every file is read.

    Raises TargetError when something there cannot be read, since it could not be put back.
    """
    from icc_store.operations.snapshot import take_snapshot  # slow to load, and there need not be anything to copy
    from icc_store.operations.snapshot_options import SnapshotOptions  # as above

    target = Path(os.path.abspath(plan.target))
    record = plan.snapshot.record
    options = SnapshotOptions(
        name=f"before-restore-{plan.snapshot.id.hex()[:SHORT_ID]}",
        source=record.source if record.paths == (os.fsencode(target),) else default_source([target]),
        kind=SnapshotClass.SAFETY,
        exclude=tuple(f"/{os.fsdecode(path)}/" for path in plan.options.spare),
        rehash=True,
    )
    try:
        result = take_snapshot(repository, [target], options=options, monitor=monitor, clock=clock)
    except (ReadOnlyRepository, DiskFull) as error:
        error.message = f"no safety copy of {target} can be taken: {error.message}; nothing was restored"
        error.hint = f"{error.hint}; restore with --no-safety when what is there now may go"
        raise
    if result.snapshot is None:
        raise TargetError(f"no safety copy of {target} could be taken; nothing was restored")
    if result.problems:
        repository.annotate(result.snapshot.id, Subject.FORGOTTEN, PURGE)
        path, message = result.problems[0]
        more = f" and {len(result.problems) - 1} more" if len(result.problems) > 1 else ""
        raise TargetError(
            f"no safety copy of {target} can be taken: {display(path)}{more}: {message}; nothing was restored",
            hint="make it readable, or restore with --no-safety",
        )
    return result.snapshot


def put_back(
    repository: Repository, copy: Snapshot, plan: RestorePlan, *, monitor: Monitor = SILENT, clock: Clock = SYSTEM_CLOCK
) -> None:
    """Make the target of a plan what its safety copy says. Raises TargetError, DiskFull, DamageError."""
    options = RestoreOptions(plan.target, delete=True, compare=True, spare=plan.options.spare)
    undo = plan_restore(repository, copy, options=options, monitor=monitor)
    try:
        result = execute(repository, undo, monitor=monitor, clock=clock)
    except DiskFull:
        # What the restore wrote takes the room. All of the former state was there at once, so it fits without that.
        _make_room(repository, plan_restore(repository, copy, options=options, monitor=monitor))
        undo = plan_restore(repository, copy, options=options, monitor=monitor)
        result = execute(repository, undo, monitor=monitor, clock=clock)
    require_all(result.failures)


def require_all(failures: Sequence[Failure]) -> None:
    """Raise DamageError or TargetError where there are failures."""
    if failures:
        named = "; ".join(f"{display(one.path) or 'the root'}: {one.message}" for one in failures[:_NAMED])
        more = f"; and {len(failures) - _NAMED} more" if len(failures) > _NAMED else ""
        damaged = any(one.damage for one in failures)
        raise (DamageError if damaged else TargetError)(
            f"not everything can be restored: {named}{more}",
            hint="run `icc-store verify`" if damaged else "--no-safety restores the rest",
        )


def holds_anything(target: Path) -> bool:
    """Whether a directory is there with anything in it. Raises TargetError when nobody can tell."""
    try:
        with os.scandir(target) as names:
            return next(names, None) is not None
    except FileNotFoundError:
        return False
    except OSError as error:
        raise TargetError(f"{target} cannot be looked into: {error.strerror}; nothing was restored") from error


@dataclass(frozen=True)
class _Before:
    """What a target was before a restore: what its safety copy says, or empty, or not there."""

    repository: Repository
    plan: RestorePlan
    copy: Snapshot | None
    existed: bool

    def bring_back(self, monitor: Monitor, clock: Clock) -> None:
        """Make it that again. Raises TargetError, DiskFull, DamageError."""
        target = self.plan.target
        monitor.phase("put back")
        if self.copy is not None:
            put_back(self.repository, self.copy, self.plan, monitor=monitor, clock=clock)
        elif target.exists():
            tree = tree_parts(self.repository.objects, self.plan.snapshot.record.root)
            remove_paths(target, [wire[NAME] for _, part in tree for wire in part.entries])
            if not self.existed and not holds_anything(target):
                target.rmdir()


def _undo(before: _Before, error: BaseException, *, monitor: Monitor, clock: Clock) -> BaseException:
    """Bring the former state back, and return the error that says so."""
    target, copy = before.plan.target, before.copy
    short = copy.id.hex()[:SHORT_ID] if copy is not None else ""
    try:
        before.bring_back(monitor, clock)
    except BaseException as second:  # noqa: BLE001 - whatever it is, the user must know how things stand
        if copy is None:
            return TargetError(
                f"{_said(error)}; then {target} could not be emptied again: {_said(second)}",
                hint="it holds a part of the snapshot, which the next restore completes",
            )
        return TargetError(
            f"{_said(error)}; then what was in {target} could not be put back: {_said(second)}",
            hint=f"`icc-store rollback` does that once the cause is gone; the safety copy is snapshot {short}",
        )
    state = f"{target} is again as it was before (safety copy {short})" if short else "nothing was restored"
    outcome = f"{_said(error)}; {state}"
    if isinstance(error, IccStoreError):
        error.message = outcome
        if isinstance(error, DiskFull):
            error.hint = "free some space and restore again"  # what was restored by then is gone again
        return error
    if isinstance(error, KeyboardInterrupt):
        return Interrupted(outcome)
    if isinstance(error, OSError):
        return (DiskFull if error.errno in _FULL else TargetError)(outcome)
    monitor.note(outcome)
    return error


def _said(error: BaseException) -> str:
    if isinstance(error, IccStoreError):
        return error.message
    if isinstance(error, KeyboardInterrupt):
        return f"interrupted{f' by {error}' if str(error) else ''}"
    if isinstance(error, OSError):
        where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        return f"{where}{error.strerror or error}"
    return f"{type(error).__name__}: {error}"


def _make_room(repository: Repository, undo: RestorePlan) -> None:
    """Remove from the target everything that is other than in the safety copy."""
    other = [step for step in planned_steps(repository, undo) if step.action in {None, Action.REPLACE, Action.LINK}]
    remove_paths(undo.target, [step.path for step in other])


def remove_paths(target: Path, paths: Iterable[bytes]) -> None:
    """Remove these stored paths from a target, through no symbolic link. Raises TargetError at the first that stays."""
    root = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for path in paths:
            *above, name = parts(path)
            stack = DirectoryStack(root)
            try:
                for directory in above:
                    stack.descend(directory, unlock=True)
                remove(stack.fd, name)
            except (FileNotFoundError, NotADirectoryError):
                pass  # it went with something above it
            except OSError as error:
                raise TargetError(f"{display(path)} cannot be removed: {error.strerror}") from error
            finally:
                stack.close()
    finally:
        os.close(root)
