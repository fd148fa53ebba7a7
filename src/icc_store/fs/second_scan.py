"""What a scan takes of another one that scans the same tree from its other end (fs/backward_scan.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from icc_store.codec.hashing import fingerprint
from icc_store.fs.scan_state import ScanCounters
from icc_store.ids import Kind, ObjectId
from icc_store.quick_dataclass import dataclass


@dataclass(frozen=True)
class FoundPart:
    """A part of a directory that a second scan has stored; its chunks came before it."""

    names: int
    """How many names it has."""
    digest: bytes
    """Stands for these names."""
    tree: ObjectId
    objects: Sequence[tuple[Kind, bytes, Sequence[ObjectId]]]
    """What else is new in it, trees among it: kind, bytes and bases, in the order in which it was made.

    Empty once it is stored.
    """
    rows: dict[bytes, bytes]
    """What is to be left for the next run (fs/seen.py)."""
    counted: ScanCounters
    read_bytes: int
    facts: Any
    """What the watcher found out, if there is one."""


class SecondScan(Protocol):
    """The other scan, as seen from the one that counts."""

    def begin(self, place: bytes) -> FoundPart | None:
        """What begins at this place (fs/meeting.py), where the other scan has it or is at it; else it is ours now."""

    def listen(self) -> None:
        """Take in what the other scan has made, so that it need not wait."""

    def close(self) -> None:
        """End the other scan."""


def digest_of(names: Sequence[bytes]) -> bytes:
    """What stands for the names of a part."""
    return fingerprint(b"\0".join(names))
