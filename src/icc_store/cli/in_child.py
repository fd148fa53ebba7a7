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
from icc_store.store.sacrifice import Give, Sacrifice

if TYPE_CHECKING:
    from icc_store.clock import Clock

T = TypeVar("T")
_TOLD, _RESULT, _ERROR = b"told", b"result", b"error"
_INTERVAL = 0.05
"""Seconds between two reports on how far the work has come."""


class ChildCrashed(DamageError):
    """The child died of what it read."""


def in_child(work: Callable[[Monitor], T], monitor: Monitor, clock: Clock) -> T:
    """What `work` returns or raises. It must be something that can be pickled, as everything here is ours.

    Raises ChildCrashed when it ended the process that did it, Interrupted and WorkerKilled when somebody else did.
    """

    def child(_position: int, _at: Callable[[int], None], give: Give) -> None:
        relay = _Relay(give, clock)
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


class _Relay(Monitor):
    """Sends what it hears to the parent."""

    def __init__(self, give: Give, clock: Clock) -> None:
        self._give = give
        self._clock = clock
        self._next = 0.0
        self._files = self._size = 0
        self._path = b""

    def phase(self, name: str) -> None:
        self._tell("phase", name)

    def advance(self, files: int, size: int, path: bytes) -> None:
        self._files += files
        self._size += size
        self._path = path or self._path
        now = self._clock.monotonic()
        if now >= self._next:
            self._next = now + _INTERVAL
            self.flush()

    def warning(self, path: bytes, message: str) -> None:
        self._tell("warning", path, message)

    def note(self, message: str) -> None:
        self._tell("note", message)

    def waiting(self, holder: str) -> None:
        self._tell("waiting", holder)

    def flush(self) -> None:
        """Say how far the work has come since that was said last."""
        if self._files or self._size:
            files, size, self._files, self._size = self._files, self._size, 0, 0
            self._give(_TOLD, pickle.dumps(("advance", (files, size, self._path))))

    def _tell(self, name: str, *arguments: Any) -> None:
        self.flush()
        self._give(_TOLD, pickle.dumps((name, arguments)))
