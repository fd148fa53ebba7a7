"""The states that operations begin in: each function makes one on a stage."""

from __future__ import annotations

import random
import shutil
import tarfile
from pathlib import Path

from icc_store.clock import FixedClock
from icc_store.opening import open_repository
from icc_store.operations.snapshot import SnapshotOptions, take_snapshot
from tests.faults.stage import Stage
from tests.support.databases import make_database
from tests.support.live import OLD, fill
from tests.support.memory_restores import FILES as MEMORY
from tests.support.shelf import noise, words

LONG_AGO = 1_700_000_000_000_000_000
DAY = 86_400.0
THINNED_OUT = tuple(f"between {number}" for number in range(6))


def notes(stage: Stage, number: int) -> Path:
    """A directory, a little different for each number."""
    chance = random.Random(number)
    top = stage.top / "notes"
    files = {f"d{each}/entity": words(each, 1500) + b"%d" % (number * each) for each in range(3)}
    files |= {f"file {each}": noise(chance.randrange(60), 5000) for each in range(3)}
    files |= {"large": noise(number, 150_000), "index": b"row\n" * number * 30}
    fill(top, files, mtime_ns=OLD + number)
    if number > 2 and not (top / "link").is_symlink():
        (top / "link").symlink_to("large")
    return top


def empty(_stage: Stage) -> None:
    """Nothing is there."""


def three(stage: Stage) -> None:
    """A repository with three snapshots of a directory, which has changed since."""
    stage.good("init")
    for number, name in enumerate(("one", "two", "three"), 1):
        stage.snapshot(notes(stage, number), name)
    notes(stage, 4)


def forgotten(stage: Stage) -> None:
    """The same with two snapshots forgotten for good: what only they hold is garbage, and half of the file."""
    three(stage)
    stage.good("forget", "one", "two", "--purge")


def thinned(stage: Stage) -> None:
    """Many small changes, of which all snapshots but the first and the last are forgotten for good."""
    stage.good("init")
    for name in ("one", *THINNED_OUT, "three"):
        salt = len(stage.snapshots)
        fill(
            stage.top / "notes",
            {f"entity {each}": words(each, 1500) + noise(100 * salt + each, 60) for each in range(6)},
        )
        stage.snapshot(stage.top / "notes", name)
    stage.good("forget", *THINNED_OUT, "--purge")


def loose(stage: Stage) -> None:
    """A repository with freed pages, too few for gc to give them back by itself."""
    three(stage)
    stage.good("forget", "one", "--purge")
    stage.good("gc", "--keep-last", "9", "--now")
    del stage.snapshots["one"]


def copied(stage: Stage) -> None:
    """A repository with an older copy."""
    three(stage)
    stage.good("copy", stage.top / "second")
    stage.snapshot(notes(stage, 5), "four")


def archived(stage: Stage) -> None:
    """A repository, and a tar archive of what is in no snapshot of it."""
    three(stage)
    with tarfile.open(stage.top / "notes.tar", "w") as tar:
        tar.add(stage.top / "notes", ".")


def restored(stage: Stage) -> None:
    """An older state in another directory, with a file of somebody else's."""
    three(stage)
    stage.good("restore", "one", "--target", stage.top / "back")
    (stage.top / "back/file 1").write_bytes(b"changed\n")
    (stage.top / "back/of somebody").write_bytes(b"kept\n")
    shutil.copytree(stage.top / "back", stage.plain / "before", symlinks=True)


def memory(stage: Stage) -> None:
    """A memory with its repository inside, spoilt after its snapshot."""
    top = stage.top / "memory"
    fill(top, MEMORY)
    stage.good("init")
    stage.snapshot(top, "whole")
    first, second, *_ = sorted(name for name in MEMORY if "Learning" in name)
    (top / first).unlink()
    (top / second).write_bytes(b'{"id": "Learn')
    (top / "entities/Learning/new").write_bytes(b"{}")
    stage.remember(top, "spoilt")
    del stage.snapshots["spoilt"]


def rolled(stage: Stage) -> None:
    """The same after a restore."""
    memory(stage)
    stage.good("restore", "whole", "--yes")


def aged(stage: Stage) -> None:
    """A memory whose settings keep three snapshots, with six that are older."""
    top = stage.top / "memory"
    fill(top, MEMORY | {"config/settings.json": b'{"max_backups_kept": 3, "backup_retention_days": 1}'})
    stage.good("init")

    for number in range(6):
        _take_long_ago(stage, top, f"old {number}", day=number)


def overdue(stage: Stage) -> None:
    """A repository with two snapshots of long ago, of a directory that has changed since."""
    stage.good("init")
    for number, name in enumerate(("one", "two"), 1):
        _take_long_ago(stage, notes(stage, number), name, day=number)
    notes(stage, 3)


def _take_long_ago(stage: Stage, top: Path, name: str, *, day: int) -> None:
    def take() -> None:
        clock = FixedClock(LONG_AGO)
        clock.sleep(day * DAY)
        with open_repository(stage.repository, clock=clock) as repository:
            take_snapshot(repository, [top], options=SnapshotOptions(source="mine", name=name), clock=clock)

    stage.isolated(take)
    stage.remember(top, name)


def undeletable(stage: Stage) -> None:
    """The same with two snapshots forgotten, which can be brought back."""
    three(stage)
    stage.good("forget", "one", "two")


def without_indexes(stage: Stage) -> None:
    """A sound memory whose index says nothing of what is in it."""
    top = stage.top / "memory"
    fill(top, MEMORY | {"indexes/tag-index.json": b"{}"})
    stage.good("init")
    stage.snapshot(top, "whole")


def huge(stage: Stage) -> None:
    """More to be stored than one transaction takes."""
    three(stage)
    for number in range(3):
        (stage.top / f"notes/huge {number}").write_bytes(noise(100 + number, 6_000_000))


def with_database(stage: Stage) -> None:
    """The directory has a database in it."""
    three(stage)
    make_database(stage.top / "notes/db.sqlite", wal=True)


def exported(stage: Stage) -> None:
    """A memory, and an unpacked backup of it."""
    memory(stage)
    stage.good("export", "whole", "--directory", stage.top / "out of it")
    (found,) = (stage.top / "out of it").iterdir()
    found.rename(stage.top / "backup")
