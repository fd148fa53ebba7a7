"""Who is shown the contents of files while a scan reads them, so that nothing has to be read twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from icc_store.ids import ObjectId
from icc_store.model.entry import Wire

Feed = Callable[[bytes | memoryview], object]
"""Takes the next bytes of a file."""


class Watcher(Protocol):
    """Learns something of every file and keeps it with the tree part that holds the file.

    A part counts as unchanged, and a file need not be read, only as long as the watcher still has what it learned.
    """

    def knows(self, tree: ObjectId) -> bool:
        """Whether it has what it learned of the files of this part."""

    def former(self, tree: ObjectId, wires: list[Wire]) -> bool:
        """The last run's part with files of the directory at hand; False when nothing is known of it."""

    def enter(self, directory: bytes) -> None:
        """What is shown from now on stands in this directory."""

    def whole(self, name: bytes, data: bytes) -> None:
        """A small file. When it had to be read again, the last time counts."""

    def stream(self, name: bytes) -> Feed:
        """A large file is about to be read: takes its bytes, holes included, in order."""

    def part(self, tree: ObjectId, wires: list[Wire]) -> None:
        """These entries of the directory at hand were stored as this part."""

    def hand_over(self) -> Any:
        """What it learned since the last time, as plain values, for the watcher of another process."""

    def take_over(self, learned: Any) -> None:
        """What that of another process learned."""
