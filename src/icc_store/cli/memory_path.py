"""What is backed up when no path is given: the memory of this machine's agent."""

from __future__ import annotations

from pathlib import Path

from icc_store.cli.context import Context
from icc_store.config import home_directory, memory_directory
from icc_store.errors import SourceError


def memory_path(context: Context) -> Path:
    """The default memory. Raises SourceError naming the other memories of this machine when it is not there."""
    memory = memory_directory(context.environ)
    if memory.is_dir():
        return memory
    from icc_store.operations.memory.places import known_memories

    known = known_memories(home_directory(context.environ), context.environ)
    if not known:
        raise SourceError(f"{memory} does not exist", hint="name what to back up: `icc-store snapshot PATH`")
    commands = "; ".join(f"{profile.title}: `icc-store snapshot {path}`" for profile, path in known)
    raise SourceError(f"{memory} does not exist; this machine has {commands}", hint="choose one of these")
