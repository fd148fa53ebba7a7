"""Putting blocks that were made for size in the place of old copies, and noting which blocks those are."""

from __future__ import annotations

from collections.abc import Sequence

from icc_store.model.maintenance import WriteTransaction
from icc_store.model.optimized import read_optimized, write_optimized
from icc_store.model.repository import Repository
from icc_store.operations.gc_switch import Switched, replace_copies
from icc_store.operations.optimize_encode import NewBlock


def switch_to(repository: Repository, blocks: Sequence[NewBlock]) -> list[NewBlock]:
    """Commit these blocks. Returns those that were: others hold something that gc has removed meanwhile."""
    switch = replace_copies(repository, blocks, note=_note)
    return [switched.block for switched in switch.done]


def _note(txn: WriteTransaction, done: Sequence[Switched]) -> None:
    state = read_optimized(txn)
    for switched in done:
        state = state.with_block(switched.number)
    write_optimized(txn, state)
