"""What is read of a repository while it is looked into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from icc_store.ids import Kind, ObjectId
from icc_store.model.repository import Repository


class Reads:
    """Objects that were read, in order."""

    def __init__(self) -> None:
        self.ids: list[tuple[int, ObjectId]] = []

    def of(self, kind: Kind) -> list[ObjectId]:
        """Those of one kind."""
        return [identity for one, identity in self.ids if one == kind]

    def again(self, kind: Kind) -> list[ObjectId]:
        """Those of one kind that were read more than once."""
        return [identity for identity, count in Counter(self.of(kind)).items() if count > 1]


@contextmanager
def reads(repository: Repository) -> Iterator[Reads]:
    """Notes in the body every object that is read."""
    found = Reads()
    get = repository.objects.get

    def noting(identity: ObjectId, kind: int) -> bytes:
        found.ids.append((kind, identity))
        return get(identity, kind)

    repository.objects.get = noting  # type: ignore[method-assign]
    try:
        yield found
    finally:
        repository.objects.get = get  # type: ignore[method-assign]
