"""Entries as a restore gets them, all of one owner and one time."""

from __future__ import annotations

import os
import stat

from icc_store.model.entry import Entry
from icc_store.model.tree import Owners

ME = (os.geteuid(), os.getegid())
OWNERS = Owners()
TIME = 1_234_567_890_123_456_789


def file(name: bytes, mode: int = 0o644) -> Entry:
    return Entry(name, stat.S_IFREG | mode, *ME, mtime_ns=TIME)


def directory(name: bytes, mode: int = 0o755) -> Entry:
    return Entry(name, stat.S_IFDIR | mode, *ME, mtime_ns=TIME)


def link(name: bytes, target: bytes) -> Entry:
    return Entry(name, stat.S_IFLNK | 0o777, *ME, mtime_ns=TIME, target=target)
