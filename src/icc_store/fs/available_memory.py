"""How much memory a run may use: small machines and containers get smaller batches, and so more commits."""

from __future__ import annotations

from pathlib import Path

from icc_store.limits import BATCH_BYTES, KIB, MIB

_SHARE = 64
"""A run holds about ten times a batch: what waits, what is being compressed, what LMDB has not written yet."""

_SMALLEST = MIB


def batch_bytes(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Stored bytes to be committed at once: a 64th of the memory that is available, and never more than is useful."""
    available = _available(proc / "meminfo")
    limit, used = _number(cgroup / "memory.max"), _number(cgroup / "memory.current")
    if limit is not None and used is not None:
        available = min(available, max(limit - used, 0)) if available is not None else limit - used
    if available is None:
        return BATCH_BYTES
    return min(max(available // _SHARE, _SMALLEST), BATCH_BYTES)


def _available(meminfo: Path) -> int | None:
    """Bytes that new processes can have without swapping, as the kernel says."""
    try:
        for line in meminfo.read_text(encoding="ascii", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name == "MemAvailable":
                return int(value.split()[0]) * KIB
    except (OSError, ValueError, IndexError):
        pass
    return None


def _number(path: Path) -> int | None:
    """The number in a file; None where there is none, or it says `max`."""
    try:
        return int(path.read_text(encoding="ascii", errors="replace"))
    except (OSError, ValueError):
        return None
