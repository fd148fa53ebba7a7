"""What is run while calls fail: each operation with the state it begins in, and how to see that it was done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults import beginnings, ends, parity
from tests.faults.stage import Stage


def _anything(_stage: Stage) -> None:
    """No more is promised than for every operation."""


@dataclass(frozen=True)
class Operation:
    """One command with its circumstances. All functions raise AssertionError with what is wrong."""

    name: str
    prepare: Callable[[Stage], None]
    arguments: tuple[str, ...]
    """Of the command line; `{top}` stands for the stage's directory."""
    effect: Callable[[Stage], None]
    """What holds when the command has said that it is done."""
    promise: Callable[[Stage], None] = _anything
    """What holds whenever the command ends, beside what holds for all of them."""
    going: frozenset[str] = frozenset()
    """Snapshots that it removes."""
    repository: str = "store"
    once: bool = False
    """Whether it is refused, or does something else, when it is already done."""
    mends: bool = False
    """Whether it begins with damage, which is still there when it was cut short."""

    def command(self, stage: Stage) -> list[str]:
        """The arguments of the command line."""
        return [argument.replace("{top}", str(stage.top)) for argument in self.arguments]


def _newest_with_parity(stage: Stage) -> None:
    ends.newest(stage, "new")
    parity.brings_everything_back(stage)


_OLD_ONES = frozenset(("one", "two"))
_IN_MEMORY = "memory/backups/store"

OPERATIONS = (
    Operation("init", beginnings.empty, ("init",), ends.listed, once=True),
    Operation(
        "snapshot",
        beginnings.three,
        ("snapshot", "{top}/notes", "--name", "new"),
        lambda stage: ends.newest(stage, "new"),
    ),
    Operation(
        "snapshot of a memory, cleaning up",
        beginnings.aged,
        ("snapshot", "{top}/memory", "--source", "mine", "--name", "new"),
        lambda stage: ends.newest(stage, "new"),
        repository=_IN_MEMORY,
    ),
    Operation("pin", beginnings.three, ("pin", "three"), ends.annotated),
    Operation(
        "forget", beginnings.three, ("forget", "one", "--purge"), lambda stage: ends.listed(stage, "two", "three")
    ),
    Operation(
        "undelete",
        beginnings.undeletable,
        ("undelete", "one", "two"),
        lambda stage: ends.listed(stage, "one", "two", "three"),
        once=True,
    ),
    Operation("note", beginnings.three, ("note", "three", "as it was"), ends.noted),
    Operation(
        "validate --fix-indexes",
        beginnings.without_indexes,
        ("validate", "{top}/memory", "--fix-indexes"),
        ends.indexes_are_kept_and_new,
        repository=_IN_MEMORY,
        once=True,
    ),
    Operation(
        "gc",
        beginnings.forgotten,
        ("gc", "--keep-last", "9", "--now"),
        lambda stage: ends.listed(stage, "three"),
        going=_OLD_ONES,
    ),
    Operation(
        "gc that writes anew",
        beginnings.thinned,
        ("gc", "--keep-last", "9", "--now"),
        lambda stage: ends.listed(stage, "one", "three"),
        going=frozenset(beginnings.THINNED_OUT),
    ),
    Operation("gc --compact", beginnings.loose, ("gc", "--keep-last", "9", "--compact"), ends.shrunk),
    Operation("copy", beginnings.three, ("copy", "{top}/second"), ends.second_is_up_to_date, ends.second_is_whole),
    Operation(
        "copy again", beginnings.copied, ("copy", "{top}/second"), ends.second_is_up_to_date, ends.second_is_whole
    ),
    Operation("import", beginnings.archived, ("import", "{top}/notes.tar", "--name", "new"), ends.imported),
    Operation(
        "export",
        beginnings.three,
        ("export", "three", "--tar", "{top}/three.tar", "--force"),
        ends.exported,
        ends.archive_is_whole_or_absent,
    ),
    Operation(
        "restore", beginnings.three, ("restore", "three", "--target", "{top}/back", "--overwrite", "always"), ends.back
    ),
    Operation(
        "restore over",
        beginnings.restored,
        ("restore", "three", "--target", "{top}/back"),
        ends.back_beside,
        ends.of_somebody_stays,
    ),
    Operation(
        "restore of a memory",
        beginnings.memory,
        ("restore", "whole", "--yes"),
        lambda stage: ends.memory_is(stage, "whole"),
        ends.spoilt_is_somewhere,
        repository=_IN_MEMORY,
    ),
    Operation(
        "rollback",
        beginnings.rolled,
        ("rollback", "{top}/memory", "--yes"),
        lambda stage: ends.memory_is(stage, "spoilt"),
        ends.spoilt_is_somewhere,
        repository=_IN_MEMORY,
        once=True,
    ),
    Operation(
        "snapshot in three transactions",
        beginnings.huge,
        ("snapshot", "{top}/notes", "--name", "new"),
        lambda stage: ends.newest(stage, "new"),
    ),
    Operation(
        "snapshot with a database",
        beginnings.with_database,
        ("snapshot", "{top}/notes", "--name", "new"),
        ends.newest_has_the_database,
    ),
    Operation(
        "restore --safety --delete",
        beginnings.restored,
        ("restore", "three", "--target", "{top}/back", "--safety", "--delete", "--yes"),
        ends.like_the_snapshot,
        ends.before_is_somewhere,
    ),
    Operation(
        "export of a memory",
        beginnings.memory,
        ("export", "whole", "--directory", "{top}/backups", "--force"),
        ends.unpacked,
        ends.unpacked_is_right,
        repository=_IN_MEMORY,
    ),
    Operation(
        "import of a memory",
        beginnings.exported,
        ("import", "{top}/backup", "--name", "new"),
        ends.memory_imported,
        repository=_IN_MEMORY,
    ),
    Operation("run-due", beginnings.overdue, ("run-due", "{top}/notes"), ends.newest_is_the_directory, once=True),
    Operation("verify", beginnings.three, ("verify",), lambda stage: ends.listed(stage, "one", "two", "three")),
    Operation("init --parity", beginnings.empty, ("init", "--parity", "5%"), parity.brings_everything_back, once=True),
    Operation("parity", beginnings.three, ("parity", "5%"), parity.brings_everything_back),
    Operation("parity for another share", parity.large, ("parity", "10%"), parity.brings_everything_back),
    Operation("parity off", parity.three, ("parity", "off"), parity.is_off),
    Operation(
        "snapshot with parity",
        parity.three,
        ("snapshot", "{top}/notes", "--name", "new"),
        _newest_with_parity,
    ),
    Operation(
        "snapshot with new sums",
        parity.large,
        ("snapshot", "{top}/notes", "--name", "new"),
        _newest_with_parity,
    ),
    Operation(
        "gc with parity",
        parity.forgotten,
        ("gc", "--keep-last", "9", "--now"),
        parity.brings_everything_back,
        going=_OLD_ONES,
    ),
    Operation(
        "gc --compact with parity", parity.loose, ("gc", "--keep-last", "9", "--compact"), parity.brings_everything_back
    ),
    Operation("repair with parity", parity.damaged, ("repair",), parity.all_is_back, mends=True),
)
BY_NAME = {operation.name: operation for operation in OPERATIONS}
