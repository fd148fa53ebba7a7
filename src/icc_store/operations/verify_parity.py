"""Whether parity would be of use: its files are read and checked. Blocks that it does not cover yet are no finding."""

from __future__ import annotations

from collections.abc import Iterator

from icc_store.model.repository import Repository
from icc_store.operations.parity import status
from icc_store.operations.verify_findings import Draft, Severity


def check_parity(repository: Repository) -> Iterator[Draft]:
    """What is damaged of a repository's parity. The next run that makes it anew, or `icc-store parity`, mends it."""
    if repository.store.newest is None:
        return
    found = status(repository)
    for name in found.unreadable:
        yield Draft(Severity.INCONSISTENCY, f"parity: {name} is damaged; `icc-store parity SHARE` makes it anew")
    if found.damaged_sums:
        what = f"parity: {found.damaged_sums:,} of {found.sums:,} sums are damaged"
        yield Draft(Severity.INCONSISTENCY, f"{what}; `icc-store parity SHARE` makes them anew")
