"""Who starts programs by the clock on this machine, for this user, and what they are to start."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from icc_store.cli.context import Context
from icc_store.config import REPOSITORY_VARIABLE, config_path

if TYPE_CHECKING:
    from icc_store.fs.timetable import Timetable

_CARRIED = ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")


def timetables(context: Context) -> list[Timetable]:
    """The timetables that may be there, the better one first."""
    from icc_store.fs.crontab import Crontab
    from icc_store.fs.systemd_timers import SystemdTimers

    units = config_path(context.environ).parent.parent / "systemd" / "user"
    return [SystemdTimers(units, context.environ), Crontab(context.environ)]


def program_command() -> list[str]:
    """The words that run this program, with an absolute path."""
    script = Path(sys.argv[0]).absolute()
    if script.name.startswith("icc-store") and os.access(script, os.X_OK):
        return [str(script)]
    return [sys.executable, "-m", "icc_store"]


def carried_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that decide what this program does, and that a timer would not have by itself."""
    found = {name: environ[name] for name in _CARRIED if environ.get(name)}
    if environ.get("HOME") and environ["HOME"] != pwd.getpwuid(os.getuid()).pw_dir:
        found["HOME"] = environ["HOME"]
    ours = (name for name in sorted(environ) if name.startswith("ICC_STORE_") and name != REPOSITORY_VARIABLE)
    return found | {name: environ[name] for name in ours if environ[name]}
