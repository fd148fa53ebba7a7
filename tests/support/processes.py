"""The processes that this one has started."""

from __future__ import annotations

from pathlib import Path


def children() -> set[int]:
    """Those that run, and dead ones that nobody waited for; other tests may have left some."""
    tasks = Path("/proc/self/task").iterdir()
    return {int(pid) for task in tasks for pid in (task / "children").read_text().split()}
