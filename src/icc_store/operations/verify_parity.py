"""Whether parity would be of use: its files are read and checked. Blocks that it is still to cover are no finding."""

from __future__ import annotations

from collections.abc import Iterator

from icc_store.model.repository import Repository
from icc_store.operations.parity import ParityStatus, status
from icc_store.operations.verify_findings import Draft, Severity


def check_parity(repository: Repository) -> list[Draft]:
    """What is damaged of a repository's parity."""
    if repository.store.newest is None:
        return []
    found = list(_wrong_in(status(repository)))
    if found:
        found = list(_wrong_in(status(repository)))  # another process may have been making it anew just then
    return [Draft(Severity.INCONSISTENCY, f"parity: {what}") for what in found]


def _wrong_in(found: ParityStatus) -> Iterator[str]:
    for name in found.unreadable:
        yield f"{name} is damaged"
    if found.damaged_sums:
        yield f"{found.damaged_sums:,} of {found.sums:,} sums are damaged"
    if found.damaged_lists:
        yield f"{found.damaged_lists:,} pages of its lists are damaged"
    if found.missing:
        yield f"{found.missing:,} blocks that it should cover are not in it"
