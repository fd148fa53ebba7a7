"""How an operation tells the outside what it is doing. By default nobody listens.

An operation calls these methods; whoever draws a progress bar or writes JSON lines overrides them.
They are called from the thread that runs the operation and must return quickly.
"""

from __future__ import annotations


class Monitor:
    """Listens to an operation and does nothing."""

    def phase(self, name: str) -> None:
        """A new phase begins, for example "scan", "write", "mark"."""

    def advance(self, files: int, size: int, path: bytes) -> None:
        """`files` more files and `size` more bytes are done; `path` is the last one."""

    def warning(self, path: bytes, message: str) -> None:
        """Something about one file went wrong; the operation goes on."""

    def note(self, message: str) -> None:
        """Something a user may want to know, about no file in particular."""

    def waiting(self, holder: str) -> None:
        """The operation waits for a lock; `holder` says for whom."""


SILENT = Monitor()
