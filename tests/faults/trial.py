"""One run under one fault, and everything that has to hold after it."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from icc_store.cli.failures import exit_codes
from icc_store.errors import DamageError
from icc_store.opening import open_repository
from icc_store.operations.restore import RestoreOptions, restore
from icc_store.operations.verify import verify
from tests.faults.operations import Operation
from tests.faults.shim import Action, Fault
from tests.faults.stage import Ran, Stage
from tests.support.compare import differences
from tests.support.live import contents

_WORDS = {
    errno.ENOSPC: ("full", "no space", "no room"),
    errno.EIO: ("input/output error", "damage", "cannot be", "could not be"),
    errno.EMFILE: ("too many open files", "could not be read"),
    errno.EACCES: ("ermission", "cannot be", "could not be"),
}
"""What the message says about each error; one of them is enough."""

_NOT_GIVEN_BACK = "could not be given back"
"""What a restore says that has given back all contents, but not a mode, an owner or the like."""

_UNFINISHED = (".icc-restore-", ".icc-unfinished-")
"""How names begin that a killed process leaves, one at most, and the next run removes."""

_Look = Callable[[Stage, Operation, Ran], None]

_NEVER_SAID = ("Traceback", "internal error", "mistake in icc-store")


@dataclass(frozen=True)
class Point:
    """What became of one trial: the call that was struck, None where the run ended before it, and what is wrong."""

    number: int
    call: str | None
    path: str
    code: int
    message: str
    complaints: tuple[str, ...]


def attempt(stage: Stage, operation: Operation, fault: Fault, number: int) -> Point:
    """Run an operation from its beginning with a fault at one call, and judge what is left."""
    stage.reset()
    ran = stage.run(*operation.command(stage), fault=fault, at=number)
    struck = len(ran.calls) >= number
    complaints = [*_told(ran, fault, struck=struck)]
    for look in _looks(stage, ran, struck=struck):
        try:
            look(stage, operation, ran)
        except AssertionError as error:
            complaints.append(f"{look.__name__.strip('_')}: {error}")
            break
    call, path = ran.calls[number - 1] if struck else (None, "")
    return Point(number, call, path.replace(str(stage.top), ""), ran.code, ran.err, tuple(complaints))


def _looks(stage: Stage, ran: Ran, *, struck: bool) -> tuple[_Look, ...]:
    """What is to be looked at: nothing twice that an earlier look has shown to be as it always is."""
    if struck and ran.code > 0 and stage.untouched:
        return ()  # it failed before it changed anything, and has left what every run begins with
    if struck and ran.code == 0:
        return (_judge,)  # it is done, so there is nothing that another run would have to complete
    return (_judge, _next_run)


def _told(ran: Ran, fault: Fault, *, struck: bool) -> list[str]:
    """What is wrong with how the run ended and what it said."""
    if not struck:
        return [] if ran.code == 0 else [f"exit code {ran.code} without a fault: {ran.err}"]
    if fault.action is Action.DIE:
        return [] if ran.code == -9 else [f"not killed: {ran.code}"]
    told = (ran.out + ran.err).lower()  # what validate finds it prints
    wrong = [f"says {words!r}: {ran.err}" for words in _NEVER_SAID if words in ran.err]
    if ran.code not in exit_codes():
        wrong.append(f"ends with {ran.code}: {ran.err}")
    elif ran.code and not any(words in told for words in _WORDS[fault.error]):
        wrong.append(f"does not say that it was {errno.errorcode[fault.error]}: {ran.err!r}")
    if ran.code == DamageError.exit_code and fault.error != errno.EIO:
        wrong.append(f"{errno.errorcode[fault.error]} is taken for damage: {ran.err}")
    return wrong


def _judge(stage: Stage, operation: Operation, ran: Ran) -> None:
    """Nothing that was committed is lost, the repository is in order, and what was said to be done is done."""

    def look() -> None:
        if ran.code == 0 or (stage.snapshots and not operation.mends):
            look_into_repository(stage, going=operation.going)
        operation.promise(stage)
        if ran.code == 0 and _NOT_GIVEN_BACK not in ran.out:
            operation.effect(stage)
            nothing_is_left_behind(stage, operation)

    stage.isolated(look)


def look_into_repository(stage: Stage, *, going: frozenset[str]) -> None:
    """It opens, every snapshot of before holds what it held, the newest restores equal, and verify finds nothing."""
    with open_repository(stage.repository, timeout=5.0) as repository:
        found = {one.record.name: one for one in repository.snapshots(forgotten=True)}
        lost = stage.snapshots.keys() - going - found.keys()
        assert not lost, f"lost snapshots: {sorted(lost)}"
        for name in stage.snapshots.keys() & found.keys():
            assert contents(repository, found[name]) == stage.snapshots[name], f"{name} is not what it was"
        result = verify(repository)
        assert not result.findings, f"verify: {result.findings}"
        for name in list(stage.snapshots)[-1:]:
            target = stage.top.with_name("newest")
            restored = restore(repository, found[name], options=RestoreOptions(target))
            assert restored.failures == (), restored.failures
            told = differences(stage.plain / name, target)
            shutil.rmtree(target)
            assert not told, f"{name} restores differently: {told[:5]}"


def _next_run(stage: Stage, operation: Operation, ran: Ran) -> None:
    """The same operation, run again, completes, and leaves everything in order."""
    if ran.code == 0 and operation.once:
        return
    if operation.once and _is_done(stage, operation):
        return
    again = stage.run(*operation.command(stage))
    assert again.code == 0, f"exit code {again.code}: {again.err}"

    def look() -> None:
        look_into_repository(stage, going=operation.going)
        if not operation.once:
            operation.effect(stage)
        nothing_is_left_behind(stage, operation)

    stage.isolated(look)


def nothing_is_left_behind(stage: Stage, operation: Operation) -> None:
    """No temporary names, and after gc no records of writers."""
    left = [path for path in stage.top.rglob("*") if path.name.startswith(_UNFINISHED) or path.suffix == ".former"]
    if operation.name in {"gc", "gc --compact"}:
        left += (stage.repository / "writers").iterdir()
    assert not left, f"left behind: {left}"


def _is_done(stage: Stage, operation: Operation) -> bool:
    try:
        stage.isolated(lambda: operation.effect(stage))
    except AssertionError:
        return False
    return True
