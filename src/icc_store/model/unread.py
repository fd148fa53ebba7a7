"""What of the lists of snapshots and annotations could not be read, where all the rest was."""

from __future__ import annotations

from icc_store.errors import DamageError
from icc_store.ids import ObjectId
from icc_store.quick_dataclass import dataclass, field


@dataclass(frozen=True)
class LostRecord:
    """A listed snapshot of whose record no copy can be read."""

    seq: int
    """Its number: later snapshots have higher ones."""
    id: ObjectId
    error: DamageError


@dataclass
class Unread:
    """Who left something out has to tell of it."""

    snapshots: list[LostRecord] = field(default_factory=list)
    annotations: list[DamageError] = field(default_factory=list)

    @property
    def errors(self) -> list[DamageError]:
        """What is wrong with each of them."""
        return [lost.error for lost in self.snapshots] + self.annotations
