"""Whether giving freed bytes back pays, and doing it then: what `gc` and `run-due` do at their end.

LMDB never shortens its file. What gc frees is filled by new snapshots, but large blocks need pages in a row, and pages
of small ones stay half empty when their neighbours go. Compaction writes all that is left into a new file: as long as
that takes a few seconds at most, nobody has to ask for it.
"""

from __future__ import annotations

from icc_store.errors import DiskFull
from icc_store.limits import KIB, MAX_COMPACTED_UNASKED
from icc_store.model.repository import Repository

_WORTH = 0.2
"""The share of the file that must be free."""

_SMALLEST = 256 * KIB
"""Fewer bytes than this nobody misses."""


def compaction_pays(repository: Repository) -> bool:
    """Whether so much is free that it is worth writing the rest anew."""
    free = repository.reusable_bytes()
    size = repository.store.file_bytes()
    return free >= max(_SMALLEST, _WORTH * size) and size - free <= MAX_COMPACTED_UNASKED


def compact_if_it_pays(repository: Repository) -> int:
    """Compact a repository that is open exclusively; returns the bytes given back, 0 also where there is no room."""
    if not compaction_pays(repository):
        return 0
    try:
        return repository.compact()
    except DiskFull:
        return 0  # it needs a second copy of what is left; nobody has asked for it, and nothing is lost without
