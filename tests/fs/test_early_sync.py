"""Syncing beside the work: it happens, it ends with the body, and its failures are left to the sync at the end."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from icc_store.fs import early_sync
from icc_store.fs.early_sync import EarlySync


def test_it_syncs_while_the_body_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file system is synced again and again in the body, and no longer afterwards."""
    synced = threading.Semaphore(0)
    monkeypatch.setattr(early_sync, "_INTERVAL", 0.001)
    monkeypatch.setattr(early_sync, "sync_file_system", lambda fd: synced.release())
    before = threading.active_count()
    with EarlySync(tmp_path):
        for _ in range(3):
            assert synced.acquire(timeout=10)
    assert threading.active_count() == before


@pytest.mark.parametrize("name", ["", "missing"])
def test_failures_are_left_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A disk that fails, or a directory that has gone, does not disturb the body."""
    failed = threading.Event()

    def fail(fd: int) -> None:
        failed.set()
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(early_sync, "_INTERVAL", 0.001)
    monkeypatch.setattr(early_sync, "sync_file_system", fail)
    with EarlySync(tmp_path / name):
        assert failed.wait(10 if not name else 0.05) == (not name)
