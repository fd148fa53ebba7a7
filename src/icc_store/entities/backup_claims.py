"""What a backup's own manifest.json says of it, as far as somebody who takes the backup in needs to know.

Counts and sizes are made anew of what is there; only its name and its time cannot be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from icc_store.clock import SECOND_NS
from icc_store.entities.json_text import NotJson, parse_json
from icc_store.entities.moments import moment

_BACKUP_ID = r"backup-\d{8}-\d{6}"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Claims:
    """Of one backup. All empty: it says nothing."""

    name: str = ""
    time_ns: int | None = None
    """When it was taken, ns since 1970 UTC."""
    integrity_hash: str = ""
    profile: str = ""
    selective: bool = False
    """Whether something was left out of it on purpose."""


NO_CLAIMS = Claims()


def is_backup_id(name: str) -> bool:
    """Whether a name is one that a memory system gives its backups: `backup-YYYYMMDD-HHMMSS`."""
    return re.fullmatch(_BACKUP_ID, name) is not None


def read_claims(data: bytes) -> Claims | None:
    """What a file called manifest.json says; None when it is no backup's."""
    try:
        manifest = parse_json(data)
    except NotJson:
        return None
    if not isinstance(manifest, dict) or not is_backup_id(_text(manifest, "backup_id")):
        return None
    ours = manifest.get("icc_store")
    ours = ours if isinstance(ours, dict) else {}
    return Claims(
        _text(manifest, "backup_name"),
        _time(_text(manifest, "created_at"), ours.get("time_ns")),
        _text(manifest, "integrity_hash").lower(),
        _text(ours, "profile"),
        _text(ours, "class") == "selective",
    )


def _text(fields: dict[str, Any], key: str) -> str:
    value = fields.get(key)
    return value if isinstance(value, str) else ""


def _time(created_at: str, exact: object) -> int | None:
    """The time in ns; the exact one where it is of the same second."""
    taken = moment(created_at)
    if taken is None:
        return None
    ns = (taken - _EPOCH) // timedelta(microseconds=1) * 1000
    if type(exact) is int and exact // SECOND_NS == ns // SECOND_NS:
        return exact
    return ns if ns >= 0 else None
