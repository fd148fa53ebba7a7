"""What a check found."""

from __future__ import annotations

from enum import StrEnum

from icc_store.errors import BlockDamaged, IccStoreError, ObjectMissing
from icc_store.ids import KEY_SIZE, ObjectId
from icc_store.quick_dataclass import dataclass, field

SHOWN_FILES = 20
"""Files named by one finding; the others are counted."""


class Severity(StrEnum):
    """How bad a finding is."""

    DAMAGE = "damage"
    """Something that was stored cannot be read back, or not all of it."""
    INCONSISTENCY = "inconsistency"
    """Something that is derived from what is stored does not agree with it. Nothing is lost."""


@dataclass(frozen=True)
class AffectedFile:
    """A path of a snapshot that cannot be restored as it was; an empty path is all of it."""

    snapshot: ObjectId
    path: bytes


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    severity: Severity
    what: str
    block: int | None = None
    objects: int = 0
    """How many objects it concerns, where those are counted."""
    files: tuple[AffectedFile, ...] = ()
    """Files of snapshots that need one of them, the first few."""
    files_total: int = 0


def reason(error: Exception) -> str:
    """What an error says, without the advice."""
    return error.message if isinstance(error, IccStoreError) else str(error)


def of_database(error: Exception) -> bool:
    """Whether an error says that the database is broken, and not something stored in it."""
    return not isinstance(error, BlockDamaged | ObjectMissing | ValueError)


@dataclass
class Draft:
    """A finding in the making. Objects are named by the first 16 bytes of their ids."""

    severity: Severity
    what: str
    block: int | None = None
    noun: str = ""
    """What the objects are, where the finding begins with their number."""
    keys: set[bytes] = field(default_factory=set)
    rows: list[bytes] = field(default_factory=list)
    """Index rows that must go so that the objects are stored again."""
    in_database: bool = False
    """The database itself is broken there: writing to it could make that worse."""
    in_use: bool = True
    """False of a damaged block that the index does not speak of."""
    files: list[AffectedFile] = field(default_factory=list)
    files_total: int = 0

    def is_about(self, record: ObjectId) -> bool:
        """Whether it may be about this record: it is about no record by itself, or about this one."""
        return not self.keys or record[:KEY_SIZE] in self.keys

    def concern(self, snapshot: ObjectId, path: bytes) -> None:
        """Note a file that cannot be restored because of this."""
        self.files_total += 1
        if len(self.files) < SHOWN_FILES:
            self.files.append(AffectedFile(snapshot, path))

    def finish(self) -> Finding:
        """The finding."""
        count = len(self.keys)
        what = f"{count:,} {self.noun}{'s' if count != 1 else ''} {self.what}" if self.noun else self.what
        return Finding(self.severity, what, self.block, count, tuple(self.files), self.files_total)
