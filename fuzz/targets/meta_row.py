"""Small rows that a repository keeps about itself: what they say, or nothing."""

from __future__ import annotations

from pathlib import Path

from fuzz.structure import MSGPACK
from icc_store.clock import FixedClock
from icc_store.codec.serial import pack
from icc_store.errors import DamageError
from icc_store.model.checkup import all_verified_ns, damaged_counters, next_to_verify, removals_so_far
from icc_store.model.cleanup_turn import is_due
from icc_store.model.header import Header
from icc_store.model.maintenance import copied_up_to, stale_seen
from icc_store.model.optimized import read_optimized
from icc_store.model.repository import Repository, counter_key, next_number
from icc_store.model.upkeep import known_copies, tried_ns
from icc_store.store.memory_store import MemoryStore
from icc_store.store.protocol import Table

ALLOWED = (DamageError,)
FORMS = (MSGPACK,)

_KEYS = (
    *(b"verified", b"verify cursor", b"optimized", b"cleaned", b"copy x", b"tried gc", b"gc epoch"),
    *(b"copied " + bytes(16), counter_key(Table.SNAPSHOTS), counter_key(Table.ANNOTATIONS)),
)


def fuzz_one(data: bytes) -> None:
    """Every row is these bytes. What cannot be read says nothing, and numbers are numbers."""
    repository = Repository(Path("nowhere"), Header(bytes(16), bytes(16)), MemoryStore(), clock=FixedClock(1))
    with repository.store.write() as writing:
        for key in _KEYS:
            writing.put(Table.META, key, data)
        writing.put(Table.SEEN, bytes(16), data)
    repository.objects.forget()
    txn = repository.objects.transaction
    for copy in known_copies(repository):
        str(copy.path).encode("utf-8", "surrogateescape")
    numbers = (next_to_verify(repository), all_verified_ns(repository), tried_ns(repository, "gc"))
    if not all(type(number) is int for number in (*numbers, copied_up_to(repository, bytes(16)))):
        raise AssertionError("a number is none")
    optimized = read_optimized(txn)
    optimized.covers(7)
    is_due(repository, 1)
    removals_so_far(repository)
    damaged_counters(txn)
    stale_seen(txn, lambda _: False)
    with repository.store.write() as writing:
        next_number(writing, Table.SNAPSHOTS)


SEEDS = [pack([1, 2]), pack([1, b"/a", True]), pack([9, True, 1, 2, 5, 7]), (7).to_bytes(8), pack([b"", b"m"])]
