"""The process that reads a large new directory ahead of its scan; `python -m`, with KIND and DESCRIPTOR.

What it finds out of a file depends on the kind of source: nothing, its SHA-256, or for a memory of the icc profile also
what validation says of it.
"""

from __future__ import annotations

import socket
import sys
from enum import StrEnum

from icc_store.entities.profiles import GENERIC, Profile
from icc_store.fs.read_ahead import ReadAhead
from icc_store.fs.reading_process import Look, serve
from icc_store.operations.memory.file_facts import make_look


class Reading(StrEnum):
    """What is found out of each file."""

    PLAIN = "plain"
    HASHED = "hashed"
    CHECKED = "checked"


def read_ahead(profile: Profile) -> ReadAhead:
    """Start the process, for a source of this profile."""
    kind = Reading.PLAIN if profile is GENERIC else Reading.CHECKED if profile.is_icc else Reading.HASHED
    return ReadAhead(__name__, kind)


def _look(kind: Reading) -> Look | None:
    if kind is Reading.PLAIN:
        return None
    if kind is Reading.HASHED:
        return make_look(None)
    from icc_store.entities.validate import check_to_wire  # 25 ms, which the scan must not pay for who started us

    return make_look(check_to_wire)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[2])), _look(Reading(sys.argv[1])))
