"""Whose turn it is to clean up: once a day, whoever comes first. A row of META says when that was."""

from __future__ import annotations

from icc_store.clock import DAY_NS
from icc_store.model.numbers import number_at
from icc_store.model.repository import Repository
from icc_store.store.protocol import ReadTransaction, Table

_KEY = b"cleaned"
_SIZE = 8


def is_due(repository: Repository, now_ns: int) -> bool:
    """Whether the last cleanup was a day ago. One in the future was a clock gone wrong, and does not count."""
    return _is_due(repository.objects.transaction, now_ns)


def take_turn(repository: Repository, now_ns: int) -> bool:
    """Say that this process cleans up now. False when another one has said so within the day."""
    with repository.store.write() as txn:
        if not _is_due(txn, now_ns):
            return False
        txn.put(Table.META, _KEY, now_ns.to_bytes(_SIZE))
    repository.objects.renew()
    return True


def _is_due(txn: ReadTransaction, now_ns: int) -> bool:
    last = number_at(txn, _KEY)
    return not last <= now_ns < last + DAY_NS
