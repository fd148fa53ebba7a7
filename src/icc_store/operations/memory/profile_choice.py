"""Which profile a snapshot of a directory is taken with."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from icc_store.entities.profiles import BY_NAME, GENERIC, Profile, recognise
from icc_store.errors import SourceError, UsageError


def choose_profile(paths: Sequence[Path], name: str, *, single: bool) -> Profile:
    """The profile of what is backed up; `single` says that the contents of one directory are.

    Raises UsageError for a name that is none or more than one directory, SourceError for a directory that cannot be
    listed or has nothing of the layout that was named.
    """
    if name:
        profile_named(name)
    if not single:
        if name and name != GENERIC.name:
            raise UsageError(f"--profile {name} is for the whole directory of a memory", hint="name that one directory")
        return GENERIC
    if name and name != "icc":
        return profile_named(name)
    try:
        found = recognise([os.fsencode(each) for each in os.listdir(paths[0])])
    except OSError as error:
        raise SourceError(f"{paths[0]} cannot be read: {error.strerror}", hint="nothing was stored") from error
    if name and not found.is_icc:
        raise SourceError(
            f"{paths[0]} is not a memory of the icc layout: it has no directory `entities`",
            hint="name another directory, or another --profile",
        )
    return found


def profile_named(name: str) -> Profile:
    """The profile of a name. Raises UsageError when there is none."""
    if name not in BY_NAME:
        raise UsageError(f"there is no profile {name!r}", hint=f"profiles: {', '.join(BY_NAME)}")
    return BY_NAME[name]
