"""Reading in a child process what may end the process that reads it.

liblmdb trusts its file: over some damaged pages it stops the whole process, where it should return an error. So a child
does the reading and hands over rows through a pipe; if it dies, what it has handed over by then is there, and the
reader knows how far it had come. A child that somebody else ends, or the system, has met no damage.
"""

from __future__ import annotations

import mmap
import os
import signal
import struct
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from icc_store.errors import Interrupted, WorkerKilled

Row = tuple[bytes, bytes]
Give = Callable[[bytes, bytes], None]
"""Hands over a key and a value."""

Work = Callable[[int, Callable[[int], None], Give], None]
"""What the child does: begins at a position, says each position before it is read, and gives rows."""

_SIZES = struct.Struct("<II")
_POSITION = struct.Struct("<Q")
_ERROR = 0xFFFF_FFFF
"""Stands for the size of the key where the text of an error follows."""

_REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What a user, or the system on its way down, says to a process that is to end."""


class Sacrifice:
    """Runs work in children, one after the other: where one dies, the next begins behind what killed it.

    Its rows raise Interrupted when a child was asked to end, WorkerKilled when it was killed from outside.
    """

    def __init__(self, work: Work, *, children: int = 1000) -> None:
        self.problems: list[str] = []
        self._work = work
        self._children = children

    def rows(self, position: int = 0) -> Iterator[Row]:
        """All rows that children could hand over, beginning at a position."""
        with mmap.mmap(-1, _POSITION.size) as shared:
            for _ in range(self._children):
                _POSITION.pack_into(shared, 0, position)
                problem, died = yield from self._child(position, shared)
                if problem:
                    self.problems.append(problem)
                if not died:
                    return
                position = _POSITION.unpack_from(shared)[0] + 1

    def _child(self, position: int, shared: mmap.mmap) -> Generator[Row, None, tuple[str, bool]]:
        """The rows of one child. Returns what was wrong, if anything, and whether it died of it."""
        reading, writing = os.pipe2(os.O_CLOEXEC)
        told = ""
        child, done = 0, False
        try:
            with _not_disturbed():
                child = os.fork()
                if child == 0:
                    os.close(reading)
                    self._be_the_child(position, shared, writing)
            os.close(writing)
            with os.fdopen(reading, "rb") as stream:
                while (head := stream.read(_SIZES.size)) and len(head) == _SIZES.size:
                    key_size, size = _SIZES.unpack(head)
                    if key_size == _ERROR:
                        told = stream.read(size).decode("utf-8", "replace")
                        break
                    row = _row(stream, key_size, size)
                    if row is None:
                        break
                    yield row
            done = True
        finally:
            if child and not done:
                os.kill(child, signal.SIGKILL)  # nobody wants to know any more, and it may be at it for hours
            _, status = os.waitpid(child, 0) if child else (0, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == 0:
            return told, False
        _refuse_what_others_did(-code)
        return f"reading ended the process that did it ({_cause(code)})", True

    def _be_the_child(self, position: int, shared: mmap.mmap, writing: int) -> None:
        """Do the work, hand over what it gives, and end this process in any case."""
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what a library says when it gives up is not for the user
            for number in _REQUESTS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    signal.signal(number, signal.SIG_DFL)  # so that the parent sees what it was
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _REQUESTS)

            def give(key: bytes, value: bytes) -> None:
                _write(writing, b"".join((_SIZES.pack(len(key), len(value)), key, value)))

            try:
                self._work(position, lambda at: _POSITION.pack_into(shared, 0, at), give)
            except Exception as error:  # noqa: BLE001 - there is nobody above: the parent is told
                text = str(error).encode()
                _write(writing, _SIZES.pack(_ERROR, len(text)) + text)
            os._exit(0)
        finally:
            os._exit(1)


def _row(stream: BinaryIO, key_size: int, size: int) -> Row | None:
    """One row, or None when its writer died in the middle of it."""
    data = stream.read(key_size + size)
    return (data[:key_size], data[key_size:]) if len(data) == key_size + size else None


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


@contextmanager
def _not_disturbed() -> Iterator[None]:
    """In the body no request to end is heard: it would leave a child that nobody knows of, or two parents."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _REQUESTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _refuse_what_others_did(number: int) -> None:
    """Raise when a signal that ended a child comes from no library."""
    if number in _REQUESTS:
        raise Interrupted(f"interrupted by {signal.Signals(number).name}", hint="run it again")
    if number == signal.SIGKILL:
        raise WorkerKilled(
            "the process that read the repository was killed (SIGKILL)",
            hint="by somebody, or by the system for lack of memory; that is no sign of damage, run it again",
        )


def _cause(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
