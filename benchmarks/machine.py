"""What the figures were measured on."""

import os
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.peers import Peer


def describe(peers: Iterable[Peer], work: Path) -> dict[str, Any]:
    """Return facts about the machine, the programs compared and the project's commit."""
    return {
        "cores": os.cpu_count(),
        "cpu": _cpu_model(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "file_system": _file_system(work),
        "load_at_start": round(os.getloadavg()[0], 2),
        "versions": {peer.name: peer.version() for peer in peers},
        "commit": commit(),
    }


def commit() -> str:
    """Return the abbreviated commit of the project, marked where the tree differs from it."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude", "*"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.processor() or "unknown"


def _file_system(work: Path) -> str:
    done = subprocess.run(["stat", "-f", "-c", "%T", work], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
