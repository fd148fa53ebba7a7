"""Which machine this is, as far as snapshots care."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

_MACHINE_ID = Path("/etc/machine-id")
_SHOWN = 8


def host_name() -> str:
    """The name people know this machine by."""
    return os.uname().nodename


def machine_label() -> str:
    """What tells this machine from others even when it is renamed: its id, or its name where it has none."""
    try:
        return _MACHINE_ID.read_text("ascii").strip()[:_SHOWN] or host_name()
    except (OSError, UnicodeDecodeError):
        return host_name()


def default_source(paths: Sequence[Path]) -> str:
    """The source that snapshots of these paths belong to when the user names none."""
    return f"{machine_label()}:{','.join(sorted(os.fspath(path) for path in paths))}"
