"""Databases in use, for the scanner: their consistent copies instead of their files."""

from __future__ import annotations

import os
from pathlib import Path

from icc_store.fs.file_store import FileStore
from icc_store.fs.sqlite_source import NoLongerInUse, begins_like_sqlite, companions, consistent_copy, in_use
from icc_store.model.entry import FLAG_SQLITE_COPY, Wire

_COPY_SECONDS = 300.0
_SUFFIXES = companions(b"")


class SqliteCopies:
    """Stores live SQLite databases; knows which files are parts of one."""

    def __init__(self, temporary: Path, *, databases: tuple[bytes, ...] = ()) -> None:
        """Copies are made in `temporary`, which only its owner may read.

        Names with one of the endings `databases` are looked into though no companion stands beside them.
        """
        self._endings = databases
        self._temporary = temporary
        self._live: dict[tuple[int, bytes], bool] = {}

    def concerns(self, names: list[bytes]) -> frozenset[bytes]:
        """Names that may belong to a database in use: those with a companion beside them, and the companions."""
        found: set[bytes] = set()
        for name in names:
            if name.endswith(_SUFFIXES):
                main = name[: name.rindex(b"-")]
                found.update((name, main))
            elif self._endings and name.endswith(self._endings):
                found.add(name)
        return frozenset(found)

    def covered(self, directory: int, name: bytes) -> bool:
        """Whether the file is a companion of a live database, whose copy has all that is in it."""
        return name.endswith(_SUFFIXES) and self._is_live(directory, name[: name.rindex(b"-")])

    def store(
        self, files: FileStore, directory: int, name: bytes, status: os.stat_result, earlier: Wire | None
    ) -> Wire | None:
        """The entry of a live database; None when the file can simply be read. Raises OSError."""
        if not self._is_live(directory, name):
            return None
        try:
            with consistent_copy(directory, name, temp_dir=self._temporary, timeout=_COPY_SECONDS) as copy:
                return files.store_copy(name, status, copy.fileno(), earlier, flag=FLAG_SQLITE_COPY)
        except NoLongerInUse:
            self._live[directory, name] = False
            return None

    def _is_live(self, directory: int, name: bytes) -> bool:
        """Asked once per database and directory, so that its files are treated alike."""
        key = (directory, name)
        if key not in self._live:
            self._live[key] = begins_like_sqlite(directory, name) and in_use(directory, name)
        return self._live[key]

    def start_directory(self) -> None:
        """Forget what was found: descriptors are used again for other directories."""
        self._live.clear()
