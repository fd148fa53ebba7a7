"""What a scan takes of another one that scans the same tree from its other end (fs/backward_scan.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from icc_store.codec.hashing import fingerprint
from icc_store.fs.scan_state import FoundPart


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
