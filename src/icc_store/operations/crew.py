"""Child processes that share work: jobs go out to whoever is free, and what came of them comes back.

Python runs one thread at a time, so work that is half Python and half system calls gets a second core only in a second
process. A crew is forked while its repository is closed, and each child opens that for itself (Repository.closed).

The children take jobs from one queue, a socket that keeps messages apart; descriptors travel with them. Each answers
through a pipe of its own, so that the end of a pipe tells who died. Whoever stops the parent stops them: they are told
to end when it fails, when it dies the kernel tells them, and they leave no half file either way.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import select
import signal
import socket
import struct
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any, NoReturn, Protocol, Self

from icc_store.errors import DamageError, IccStoreError, Interrupted, WorkerKilled
from icc_store.limits import MAX_JOB, MAX_JOB_DESCRIPTORS, RELAY_PIPE_BYTES
from icc_store.operations import freed_memory

_OPEN_JOBS = 3
"""Jobs for each child that were given and are not done: one at work, and no waiting for the next."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_DEATH_SIGNAL = 1
_HEAD = struct.Struct("<BI")
_TOLD, _DONE, _RESULT, _ERROR = range(4)


@dataclass(frozen=True)
class Job:
    """What is to be done, and the open descriptors that come with it. Whoever has done it closes them."""

    what: Any
    descriptors: Sequence[int]


Tell = Callable[[Any], None]
"""Says something to the parent at once."""

Work = Callable[[Iterator[Job], Tell], Any]
"""What a child does: takes jobs until there are none, and returns its result."""


class _Child:
    """A child as its parent sees it."""

    def __init__(self, pid: int, answers: int) -> None:
        self.pid = pid
        self.answers = answers
        self.result: Any = None
        self.ended = False

    def read(self) -> tuple[int, Any] | None:
        """Its next answer, or None when there will be none."""
        head = _read(self.answers, _HEAD.size)
        if head is None:
            return None
        kind, size = _HEAD.unpack(head)
        data = _read(self.answers, size)
        return None if data is None else (kind, pickle.loads(data))  # noqa: S301 - our own child wrote it

    def reap(self) -> int:
        """Wait for its end; returns the exit code, or the signal as a negative number."""
        os.close(self.answers)
        _, status = os.waitpid(self.pid, 0)
        self.ended = True
        return os.waitstatus_to_exitcode(status)


class Crew:
    """Some children at work. A context manager: whatever the body raises ends them."""

    def __init__(self, size: int, work: Work, hear: Callable[[Any], None]) -> None:
        """Begin with so many children. `hear` gets what they tell, in this process."""
        self._hear = hear
        self._open = 0
        receiving, self._queue = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._children: list[_Child] = []
        freed_memory.give_back()
        try:
            for _ in range(size):
                self._fork(work, receiving)
        except BaseException:  # whatever it is: those that have begun must not wait for work for ever
            self._stop()
            raise
        finally:
            receiving.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End those that are still there."""
        self._stop()

    def listen(self, *, wait: bool) -> bool:
        """Take in what is said, and with `wait` wait for something. False when all have ended. Raises as `give`."""
        if all(child.ended for child in self._children):
            return False
        self._listen(wait=wait)
        return True

    def give(self, what: Any, descriptors: Sequence[int] = ()) -> bool:
        """Let one of the children do this; they get copies of the descriptors. False when it is too large for that.

        Raises what a child raised; Interrupted, WorkerKilled or DamageError when one died.
        """
        message = pickle.dumps(what)
        if len(message) > MAX_JOB or len(descriptors) > MAX_JOB_DESCRIPTORS:
            return False
        while self._open >= _OPEN_JOBS * len(self._children):
            self._listen()
        while True:
            try:
                socket.send_fds(self._queue, [message], list(descriptors), socket.MSG_DONTWAIT)
            except BlockingIOError:
                self._listen(also=self._queue)
            else:
                self._open += 1
                return True

    def wait(self) -> None:
        """Until all that was given is done. Raises as `give` does."""
        while self._open:
            self._listen()

    def finish(self) -> list[Any]:
        """Wait for everything, and end. Returns the result of each child. Raises as `give` does."""
        self.wait()
        self._queue.close()
        while not all(child.ended for child in self._children):
            self._listen()
        return [child.result for child in self._children]

    def _listen(self, also: socket.socket | None = None, *, wait: bool = True) -> None:
        """Wait for something to be said, or for room in the queue where that is asked for, and take it in."""
        poll = select.poll()
        living = {child.answers: child for child in self._children if not child.ended}
        for descriptor in living:
            poll.register(descriptor, select.POLLIN)
        if also is not None:
            poll.register(also, select.POLLOUT)
        for descriptor, _ in poll.poll(None if wait else 0):
            if descriptor in living:
                self._take(living[descriptor])

    def _take(self, child: _Child) -> None:
        answer = child.read()
        if answer is None:
            raise _died(child.reap())
        kind, value = answer
        if kind == _TOLD:
            self._hear(value)
        elif kind == _DONE:
            self._open -= 1
        elif kind == _ERROR:
            raise value
        else:
            child.result = value
            child.reap()

    def _stop(self) -> None:
        """End those that are still there."""
        self._queue.close()
        for child in self._children:
            if not child.ended:
                os.kill(child.pid, signal.SIGTERM)
        for child in self._children:
            if not child.ended:
                child.reap()

    # ------------------------------------------------------------------ in the child

    def _fork(self, work: Work, receiving: socket.socket) -> None:
        answers, writing = os.pipe2(os.O_CLOEXEC)
        with suppress(OSError):  # whoever has many pipes gets small ones
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, RELAY_PIPE_BYTES)
        parent = os.getpid()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # no request may leave a child that nobody knows
        try:
            try:
                pid = os.fork()
            except OSError:
                os.close(answers)
                os.close(writing)
                raise
            if pid == 0:
                try:
                    self._queue.close()  # else nobody would see that the parent has gone
                    for number in _SIGNALS:
                        signal.signal(number, _leave)
                    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
                    _end_with(parent)
                    _serve(work, receiving, writing)
                finally:
                    os._exit(1)
            child = _Child(pid, answers)
            self._children.append(child)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(writing)


class Closable(Protocol):
    """A repository: no child may have it open from before it was forked."""

    def closed(self) -> AbstractContextManager[None]:
        """In the body it is closed."""


def hire(repository: Closable, size: int, work: Work, hear: Callable[[Any], None]) -> Crew | None:
    """A crew, forked while the repository is closed; None where there can be none, so that one process does all of it.

    That is so where the system has no more processes or descriptors, and where threads run: a child would have their
    locks and not them, and wait for ever for one that was held.
    """
    if threading.active_count() > 1:
        return None
    crew: Crew | None = None
    try:
        with repository.closed(), suppress(OSError):
            crew = Crew(size, work, hear)
    except BaseException:  # it could not be opened again, or nobody waited for that
        if crew is not None:
            crew.close()
        raise
    return crew


def _serve(work: Work, receiving: socket.socket, writing: int) -> NoReturn:
    """Work, answer, and end this process."""

    def tell(what: Any) -> None:
        _answer(writing, _TOLD, what)

    def jobs() -> Iterator[Job]:
        while True:
            message, descriptors, _, _ = socket.recv_fds(
                receiving, MAX_JOB, MAX_JOB_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
            )
            if not message:
                return
            yield Job(pickle.loads(message), descriptors)  # noqa: S301 - our own parent wrote it
            _answer(writing, _DONE, None)

    try:
        result = work(jobs(), tell)
    except Exception as error:  # noqa: BLE001 - raised again by the parent, which knows what to do with it
        error.add_note("".join(traceback.format_exception(error)))
        _answer(writing, _ERROR, error)
        os._exit(0)
    _answer(writing, _RESULT, result)
    os._exit(0)


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    """On the first signal: clean up, and do not let a second one disturb that."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _end_with(parent: int) -> None:
    """Have the kernel send this process a signal when its parent dies, however that may be."""
    import ctypes  # here, since it is slow to load, and only a child needs it

    try:
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, int(signal.SIGTERM))
    except (AttributeError, OSError):
        pass  # a system without it: the end of the queue says so after the job at hand
    if os.getppid() != parent:
        raise KeyboardInterrupt


def _answer(descriptor: int, kind: int, what: Any) -> None:
    data = pickle.dumps(what)
    view = memoryview(_HEAD.pack(kind, len(data)) + data)
    while view:
        view = view[os.write(descriptor, view) :]


def _read(descriptor: int, size: int) -> bytes | None:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = os.readv(descriptor, [view])
        if not count:
            return None
        view = view[count:]
    return bytes(data)


def _died(code: int) -> IccStoreError:
    """What the end of a child means that was not done."""
    if code >= 0 or -code in _SIGNALS:  # it was asked to, and has cleaned up
        return Interrupted("a process that did part of the work was asked to stop", hint="run it again")
    what = signal.Signals(-code).name
    if -code == signal.SIGKILL:
        return WorkerKilled(
            f"a process that did part of the work was killed ({what})",
            hint="by somebody, or by the system for lack of memory; that is no sign of damage, run it again",
        )
    return DamageError(f"a process that read the repository died of it ({what})", hint="run `icc-store verify`")
