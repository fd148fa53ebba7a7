"""Where two scans of one tree are that come from its two ends, so that they meet and neither does what the other did.

Each writes down the place at which it begins before it looks at the other's. The memory is shared, and nobody locks it:
whoever reads a place that is just being written does at worst what the other does too.

A place is the way down to a directory and a name in it, with NUL between, so that places come in the order of a scan.
"""

from __future__ import annotations

from icc_store.limits import KIB

_SLOT = 8 * KIB
_LENGTH_SIZE = 4


class Side:
    """Which of the two scans."""

    FORWARD = 0
    BACKWARD = 1


def place_of(path: bytes, name: bytes) -> bytes:
    """The place of a name in the directory of that stored path."""
    return path.replace(b"/", b"\0") + b"\0" + name if path else name


class Meeting:
    """The two places. Forked, it stays one."""

    def __init__(self) -> None:
        import mmap  # only where there are two: every snapshot loads this module

        self._shared = mmap.mmap(-1, 2 * _SLOT)

    def begin(self, side: int, place: bytes) -> None:
        """One of them begins here."""
        start = side * _SLOT
        length = min(len(place), _SLOT - _LENGTH_SIZE)
        self._shared[start + _LENGTH_SIZE : start + _LENGTH_SIZE + length] = place[:length]
        self._shared[start : start + _LENGTH_SIZE] = length.to_bytes(_LENGTH_SIZE)

    def at(self, side: int) -> bytes:
        """Where one of them has begun last."""
        start = side * _SLOT
        length = int.from_bytes(self._shared[start : start + _LENGTH_SIZE])
        return self._shared[start + _LENGTH_SIZE : start + _LENGTH_SIZE + length]
