"""What a restore is going to do, decided before anything is touched.

The plan follows the snapshot's trees: for every directory that is there already it holds one byte per entry, in the
order of the tree, and what is to be removed; for a directory that is not there it holds nothing, because everything in
it is made. So the plan of a million files takes about as many bytes, and executing it reads the trees once more.
A dry run prints the plan, and the real run does what it says and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from pathlib import Path

from icc_store.model.record import Snapshot
from icc_store.operations.placement import Placement, Scope


class Overwrite(StrEnum):
    """What happens to files that are there already."""

    NEVER = "never"
    """They stay, whatever they hold."""
    CHANGED = "changed"
    """Those whose size or time differs are written anew, others stay."""
    ALWAYS = "always"
    """All are written anew."""


class Times(StrEnum):
    """What time a restored file gets."""

    ORIGINAL = "original"
    """The one it had when the snapshot was taken."""
    NOW = "now"
    """That of the restore, so that whoever looks at times sees it again. What is right already keeps its time."""


@dataclass(frozen=True)
class RestoreOptions:
    """How to restore.

    `target` None: to where the snapshot was taken of. `paths`: stored paths to restore, with all below; none: all.
    `compare`: contents count, also of files of the same size and time. `spare`: stored paths that `delete` leaves
    alone, with all below. `read_back` reads each file once it is there, `verify` everything from the disk at the end.
    `numeric_ids`: owners by number, whatever their names.
    """

    target: Path | None = None
    paths: tuple[bytes, ...] = ()
    delete: bool = False
    overwrite: Overwrite = Overwrite.CHANGED
    compare: bool = False
    spare: tuple[bytes, ...] = ()
    times: Times = Times.ORIGINAL
    read_back: bool = False
    verify: bool = False
    numeric_ids: bool = False


RESTORE_ALL = RestoreOptions()


class Action(IntEnum):
    """What is done about one entry."""

    PASS = 0
    """Nothing: it was not asked for."""
    KEEP = 1
    """Nothing: it is there as it should be."""
    LEAVE = 2
    """Nothing: something is there, and nothing is to be overwritten."""
    MAKE = 3
    """It is missing, and made."""
    REPLACE = 4
    """Something else has its name, and is replaced."""
    UPDATE = 5
    """Only its metadata differ, and are set."""
    LINK = 6
    """It becomes another name of a file that is restored as well."""
    BLOCKED = 7
    """A directory has its name that may not be removed: it cannot be restored."""
    REFUSED = 8
    """It is the repository itself, which a restore never touches."""
    BROKEN = 9
    """Its entry is damaged."""


PROBLEMS = frozenset((Action.BLOCKED, Action.REFUSED, Action.BROKEN))
WRITES = frozenset((Action.MAKE, Action.REPLACE, Action.UPDATE, Action.LINK))
ENTERED = frozenset((Action.KEEP, Action.UPDATE, Action.MAKE, Action.REPLACE))
"""What is done about a directory when something is to be done below it."""


@dataclass(frozen=True, slots=True)
class Removal:
    """A name that is removed, with all below it. `files` and `size` are what that is."""

    name: bytes
    files: int
    size: int
    is_directory: bool


@dataclass(slots=True)
class DirectoryPlan:
    """What is done in one directory."""

    actions: bytearray | None = None
    """One per entry of its tree; None: nothing is there, and everything that was asked for is made."""
    removals: list[Removal] = field(default_factory=list)
    below: list[DirectoryPlan] = field(default_factory=list)
    """Of each subdirectory that is entered, in the order of the tree."""
    extras: list[tuple[bytes, DirectoryPlan]] = field(default_factory=list)
    """Directories that the snapshot does not have and that stay, since something in them must; the rest of it goes."""


@dataclass
class Totals:
    """The sum of a plan. Sizes are bytes."""

    counts: dict[Action, int] = field(default_factory=lambda: dict.fromkeys(Action, 0))
    """Entries by what is done about them; directories that only are gone through do not count."""
    size: int = 0
    """Bytes of files to be written."""
    removed_files: int = 0
    removed_size: int = 0

    @property
    def changes(self) -> int:
        """How many names are written to or removed."""
        return sum(self.counts[action] for action in WRITES) + self.removed_files


@dataclass(frozen=True, slots=True)
class Failure:
    """A path that could not be restored, and why. `damage`: because the repository is damaged there."""

    path: bytes
    message: str
    damage: bool = False


@dataclass(frozen=True)
class RestorePlan:
    """Everything a restore will do."""

    snapshot: Snapshot
    target: Path
    options: RestoreOptions
    placement: Placement
    scope: Scope
    root: DirectoryPlan
    totals: Totals
    failures: tuple[Failure, ...]
    """What cannot be restored, as far as it shows beforehand."""
    in_use: tuple[tuple[bytes, str], ...] = ()
    """Stored paths of databases that somebody works with and that would be written over or removed, and who it is."""


class LinkLeaders:
    """Which file of each group of hard links the others are linked to: the first that is restored."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._leaders: dict[bytes, bytes] = {}
        self._spoilt: set[bytes] = set()

    def leader(self, group: bytes) -> bytes | None:
        """The stored path to link to, or None while no file of the group is as it should be."""
        leader = self._leaders.get(group, group)
        return leader if self._scope.takes(leader) and leader not in self._spoilt else None

    def lead(self, group: bytes, path: bytes) -> None:
        """From now on the others are linked to this one."""
        self._leaders[group] = path

    def spoil(self, path: bytes) -> None:
        """This path is not what the snapshot says; nothing is to be linked to it."""
        self._spoilt.add(path)
