"""Reading the small files of a new directory in a second process, while the scan stores those before.

Opening, reading and hashing a file and looking at what it says takes about as long as storing it, and of Python's
threads only one at a time gets on with either. So where a great many files are new, a process reads them in the order
in which the scan will ask for them. What it cannot read, or finds changed, the scan reads itself and tells of it; so it
does with everything when that process is not there any more.
"""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence

from icc_store.codec.serial import pack, unpack
from icc_store.fs.file_reader import is_sparse
from icc_store.fs.reading_process import Found, receive, send, wanted_of
from icc_store.limits import READ_AHEAD_SIZE


class ReadAhead:
    """Asks the process, and takes what was read."""

    def __init__(self, module: str, *arguments: str) -> None:
        """Start the process, and do not wait for it: until it is there, the scan reads.

        `module` calls `serve` on the socket whose descriptor is the last of its arguments.
        """
        self._process: subprocess.Popen[bytes] | None = None
        self._is_there = False
        self._asked: deque[bytes] = deque()
        self._answers: Iterator[Found | None] = iter(())
        self._channel, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    (sys.executable, "-P", "-m", module, *arguments, str(theirs.fileno())),
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    process_group=0,  # Ctrl-C is for the scan to hear
                )
            except OSError:
                self.close()

    def close(self) -> None:
        """End the process. From now on everything is the scan's to read."""
        self._asked.clear()
        self._channel.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def ask(self, directory: int, path: bytes, names: Sequence[bytes], statuses: Sequence[os.stat_result]) -> bool:
        """Have the small ones of these files of an open directory read; they must be taken in this order.

        Returns whether they will be: not before the process is there.
        """
        wanted = [
            wanted_of(name, status)
            for name, status in zip(names, statuses, strict=True)
            if 0 < status.st_size <= READ_AHEAD_SIZE and stat.S_ISREG(status.st_mode) and not is_sparse(status)
        ]
        try:
            if self._process is None or not self._has_said_hello():
                return False
            while self._asked:  # of the directory before, what nobody took
                self._next()
            send(self._channel, pack([path, wanted]), directory)
        except (OSError, EOFError, ValueError):
            self.close()
            return False
        self._asked.extend(name for name, *_ in wanted)
        return True

    def take(self, name: bytes) -> Found | None:
        """The file, where it is the next of those asked for and was read as the scan saw it."""
        if not self._asked or self._asked[0] != name:
            return None
        try:
            return self._next()
        except (OSError, EOFError, ValueError):
            self.close()
            return None

    def _next(self) -> Found | None:
        self._asked.popleft()
        for answer in self._answers:
            return answer
        self._answers = iter(unpack(receive(self._channel)))
        return next(self._answers)

    def _has_said_hello(self) -> bool:
        if not self._is_there:
            try:
                self._channel.setblocking(False)
                receive(self._channel)
                self._is_there = True
            except BlockingIOError:
                pass
            finally:
                self._channel.setblocking(True)
        return self._is_there
