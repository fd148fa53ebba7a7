"""Restoring whatever a repository with right checksums says: nothing outside of the target is touched."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any

from fuzz.forging import forge, whole
from fuzz.structure import MSGPACK
from icc_store.codec.serial import pack, unpack
from icc_store.errors import IccStoreError
from icc_store.operations.restore import restore
from icc_store.operations.restore_plan import Overwrite, RestoreOptions

ALLOWED = (IccStoreError,)
FORMS = (MSGPACK,)
MOST_BYTES = 1 << 20
"""Of files that are written for one input; larger ones, and devices, are for other tests."""

_PLACE = tempfile.TemporaryDirectory()
_OUTSIDE = Path(_PLACE.name) / "outside"
_TARGET = Path(_PLACE.name) / "target"
_PRECIOUS = b"precious"


def fuzz_one(data: bytes) -> None:
    """Restore every snapshot twice, the second time over the first; the neighbour of the target stays as it was."""
    try:
        description = unpack(data)
        if not _is_small(description):
            return
        repository = forge(description, _OUTSIDE)  # as if it stood there
    except ValueError:
        return
    _prepare()
    try:
        for snapshot in repository.snapshots(forgotten=True):
            for delete in (False, True):
                options = RestoreOptions(_TARGET, overwrite=Overwrite.ALWAYS, delete=delete, numeric_ids=True)
                restore(repository, snapshot, options=options)
    finally:
        _compare()


def _is_small(description: Any) -> bool:
    """Whether nothing in it is a device, or large."""
    waiting = [description]
    for value in waiting:
        if isinstance(value, dict):
            mode, size = value.get(2), value.get(5)
            if isinstance(mode, int) and stat.S_IFMT(mode & 0xFFFF) in (stat.S_IFCHR, stat.S_IFBLK):
                return False
            if isinstance(size, int) and size > MOST_BYTES:
                return False
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return True


def _prepare() -> None:
    for path in (_TARGET, _OUTSIDE):
        if path.exists():
            shutil.rmtree(path)
    _OUTSIDE.mkdir(mode=0o750)
    (_OUTSIDE / "file").write_bytes(_PRECIOUS)
    (_OUTSIDE / "file").chmod(0o640)


def _compare() -> None:
    found = [(path.name, path.lstat().st_mode) for path in (_OUTSIDE, *_OUTSIDE.iterdir())]
    if found != [("outside", stat.S_IFDIR | 0o750), ("file", stat.S_IFREG | 0o640)]:
        raise AssertionError(f"outside of the target stand {found}")
    if (_OUTSIDE / "file").read_bytes() != _PRECIOUS or set(os.listdir(_PLACE.name)) - {"outside", "target"}:
        raise AssertionError("something outside of the target was written")


_OUT: dict[int, Any] = {1: b"link", 2: stat.S_IFLNK | 0o777, 3: 0, 4: 0, 6: 0, 10: b"../outside"}
_INTO: dict[int, Any] = {1: b"link", 2: stat.S_IFDIR | 0o700, 3: 0, 4: 0, 6: 0, 9: b"#1"}
_FILE: dict[int, Any] = {1: b"file", 2: stat.S_IFREG | 0o600, 3: 0, 4: 0, 5: 5, 6: 0, 7: b"#0"}
_RECORD: dict[int, Any] = whole()[8][1]


def _over_a_link() -> list[Any]:
    """A link out in one snapshot, and a directory with a file in its place in the next."""
    first, second = {1: [_OUT], 2: {}, 3: {}}, {1: [_INTO], 2: {}, 3: {}}
    objects = [[1, b"12345"], [3, {1: [_FILE], 2: {}, 3: {}}], [3, first], [3, second]]
    return [*objects, [4, _RECORD | {1: 5, 3: b"#2"}], [4, _RECORD | {1: 6, 3: b"#3"}]]


SEEDS = [pack(whole()), pack(_over_a_link())]
