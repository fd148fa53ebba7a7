"""durability: the one sync at the end."""

from __future__ import annotations

import os

import pytest

from icc_store.fs.durability import sync_file_system
from tests.fs.conftest import Place


def test_sync_of_an_open_directory(place: Place) -> None:
    """A directory's file system is synced; a descriptor that is none is an OSError, not silence."""
    (place.path / "f").write_bytes(b"x")
    sync_file_system(place.fd)
    closed = os.dup(place.fd)
    os.close(closed)
    with pytest.raises(OSError, match="Bad file descriptor"):
        sync_file_system(closed)
