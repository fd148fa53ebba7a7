"""Doing work in a child process, so that a crash of liblmdb over a damaged page is something that can be told.

What the child says to its monitor comes through the pipe that its result comes through, and is shown by this process.
"""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from icc_store.errors import DamageError
from icc_store.monitor import Monitor
from icc_store.operations.relay import Relay
from icc_store.store.sacrifice import Give, Sacrifice

if TYPE_CHECKING:
    from icc_store.clock import Clock

T = TypeVar("T")
_TOLD, _RESULT, _ERROR = b"told", b"result", b"error"


class ChildCrashed(DamageError):
    """The child died of what it read."""


def in_child(work: Callable[[Monitor], T], monitor: Monitor, clock: Clock) -> T:
    """What `work` returns or raises. It must be something that can be pickled, as everything here is ours.

    Raises ChildCrashed when it ended the process that did it, Interrupted and WorkerKilled when somebody else did.
    """

    def child(_position: int, _at: Callable[[int], None], give: Give) -> None:
        relay = Relay(lambda name, arguments: give(_TOLD, pickle.dumps((name, arguments))), clock)
        try:
            answer: tuple[bytes, Any] = (_RESULT, work(relay))
        except Exception as error:  # noqa: BLE001 - raised again by the parent, which knows what to do with it
            error.add_note("".join(traceback.format_exception(error)))
            answer = (_ERROR, error)
        relay.flush()
        give(answer[0], pickle.dumps(answer[1]))

    children = Sacrifice(child, children=1)
    for kind, data in children.rows():
        value = pickle.loads(data)  # noqa: S301 - our own child wrote it
        if kind == _TOLD:
            name, arguments = value
            getattr(monitor, name)(*arguments)
        elif kind == _ERROR:
            raise value
        else:
            result: T = value
            return result
    raise ChildCrashed("; ".join(children.problems), hint="run `icc-store repair --dry-run`")
