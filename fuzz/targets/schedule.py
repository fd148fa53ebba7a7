"""Schedules as they are found in a crontab or a unit, where anybody may have changed them."""

from __future__ import annotations

import json

from fuzz.structure import JSON
from icc_store.errors import UsageError
from icc_store.fs.timetable import Job, Listed, Piece
from icc_store.operations.schedule import installed, parse_time

ALLOWED = (UsageError,)
FORMS = (JSON,)
WORDS = (b"daily", b"weekly", b"monthly", b"never", b"00:00")


class _Table:
    """A timetable with one job."""

    title = "table"

    def __init__(self, note: str) -> None:
        self._note = note

    def available(self) -> bool:
        return True

    def listed(self) -> list[Listed]:
        return [Listed("icc-store-0", self._note, "here", active=True)]

    def pieces(self, job: Job) -> list[Piece]:
        return []

    def holds(self, job: Job) -> bool:
        return False

    def install(self, job: Job) -> None: ...

    def remove(self, name: str) -> None: ...


def fuzz_one(data: bytes) -> None:
    """A schedule that cannot be understood is listed as such."""
    text = data.decode("utf-8", "replace")
    for found in installed([_Table(text)]):
        if found.schedule is not None:
            found.schedule.arguments()
    parse_time(text)


SEEDS = [
    json.dumps(
        {
            "repository": "/r",
            "paths": ["/a", "/b"],
            "daily": "03:00",
            "verify": "weekly",
            "drill": "monthly",
            "program": ["/bin/icc-store"],
            "environment": {"HOME": "/h"},
        }
    ).encode(),
    b"23:59",
    b"[" * 900,
]
