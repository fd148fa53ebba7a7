"""The user's config.toml, and the JSON in which a memory has its settings."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from fuzz.structure import JSON
from icc_store.config import Config, read_config, settings_for
from icc_store.errors import ConfigError

ALLOWED = (ConfigError,)
FORMS = (JSON,)
WORDS = (
    *(b"max_backups_kept", b"backup_directory", b"temp_directory", b"compression_level"),
    *(b"= ", b"[[", b'"""', b"1e999"),
)

_PLACE = tempfile.TemporaryDirectory()
_HOME = Path(_PLACE.name)
_ENVIRON = {"HOME": str(_HOME), "XDG_CONFIG_HOME": str(_HOME)}
_MEMORY = _HOME / "memory"
for _folder in (_HOME / "icc-store", _MEMORY / "entities", _MEMORY / "config"):
    _folder.mkdir(parents=True)


def fuzz_one(data: bytes) -> None:
    """A memory's file never stops anything; all values can be used and printed."""
    (_MEMORY / "config" / "settings.json").write_bytes(data)
    settings = settings_for(_MEMORY, _ENVIRON, Config(_HOME / "none"))
    for path in (settings.backups, settings.temporary):
        os.path.lexists(path)
        os.fsencode(path)
    for problem in settings.problems:
        str(problem).encode("utf-8", "backslashreplace")
    _ = settings.level, settings.threads, settings.min_free_bytes, settings.max_backup_bytes
    (_HOME / "icc-store" / "config.toml").write_bytes(data)
    config = read_config(_ENVIRON)
    settings_for(None, _ENVIRON, config)


SEEDS = [
    b'{"version": "2.0", "max_backups_kept": 5, "backup_directory": "~/backups", "min_relevance_score": 0.5}',
    b'{"temp_directory": "/\\ud800", "compression_level": 1e9, "parallel_threads": true, "x": [[[[1]]]]}',
    b'{"max_backups_kept": ' + b"9" * 5000 + b"}",
    b'{"max_backups_kept": ' + b"[" * 900 + b"]" * 900 + b"}",
    b'repository = "~/store"\nmax_backups_kept = 20\nbackup_directory = "/a"\nautomatic_cleanup = false\n',
    b"max_backups_kept = " + b"9" * 5000,
    b"max_backups_kept = " + b"[" * 900 + b"]" * 900,
    b"[a.b.c]\nx = 1979-05-27T07:32:00Z\n",
]
