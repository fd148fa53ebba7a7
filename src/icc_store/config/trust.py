"""Whether a place that a memory's own file names may hold the backups.

An agent writes that file, so whoever can talk to the agent may have written it. A place that somebody else owns or may
write to would give the memory away, and would have liblmdb open a file of theirs. What the user says on the command
line, in the environment or in `config.toml` is not judged.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from icc_store.errors import ConfigError


def refuse_foreign(place: Path, said_by: str) -> None:
    """Raise ConfigError where a place, or what stands nearest above it, is not this user's alone."""
    for one in (place, *place.parents):
        try:
            status = one.stat()
        except FileNotFoundError:
            continue
        except OSError:
            return  # opening it will say why
        owners = {os.geteuid()} if one == place else {os.geteuid(), 0}
        may_be_replaced = status.st_mode & stat.S_IWOTH and (one == place or not status.st_mode & stat.S_ISVTX)
        if status.st_uid not in owners or may_be_replaced:
            raise ConfigError(
                f"{said_by} names {place} for backups, where others than this user may write ({one})",
                hint="set backup_directory to a directory of your own, or say --repo, or `repository` in config.toml",
            )
        return
