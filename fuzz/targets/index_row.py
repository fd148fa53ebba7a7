"""Rows of the index, and the file in `writers/` that says which blocks a running snapshot needs."""

from __future__ import annotations

import tempfile
from pathlib import Path

from fuzz import golden
from icc_store.errors import DamageError
from icc_store.objects.index import as_base_row, is_base_row, pack_row, unpack_row
from icc_store.store.writers import lowest_writer

ALLOWED = (DamageError,)

_PLACE = tempfile.TemporaryDirectory()


def fuzz_one(data: bytes) -> None:
    """A writer's record never stops gc; a row that parses is packed to the same again."""
    (Path(_PLACE.name) / "left").write_bytes(data)
    lowest_writer(Path(_PLACE.name))
    key, location = unpack_row(data)
    if pack_row(key, location.block, location.position, base_only=location.base_only) != data:
        raise AssertionError("a row changed when it was packed again")
    if is_base_row(data) != location.base_only or not is_base_row(as_base_row(data)):
        raise AssertionError("a row is taken for what it is not")


SEEDS = [*golden.index_rows(), b"12\n", b"-1\n", b"9" * 5000]
