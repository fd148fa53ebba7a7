"""What a repository's blocks hold, counted, for operations that do not know blocks."""

from __future__ import annotations

from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.objects import census as objects_census
from icc_store.objects.census import Census, Form, Sample, Tally

__all__ = ["Census", "Form", "Sample", "Tally", "take_census"]


def take_census(repository: Repository, *, monitor: Monitor = SILENT) -> Census:
    """Count what all blocks of the repository hold; see `objects.census`."""
    return objects_census.take_census(repository.objects, repository.header.repository, monitor=monitor)
