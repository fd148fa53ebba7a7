"""What is run while calls fail: each operation with the state it begins in, and how to see that it was done."""

from __future__ import annotations

import os
import random
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from icc_store.clock import FixedClock
from icc_store.fs.writer import TEMPORARY_PREFIX
from icc_store.opening import open_repository
from icc_store.operations.snapshot import SnapshotOptions, take_snapshot
from tests.faults.stage import Stage
from tests.support.compare import differences, facts
from tests.support.live import OLD, contents, fill, on_disk
from tests.support.memory_restores import FILES as MEMORY
from tests.support.shelf import noise, words

LONG_AGO = 1_700_000_000_000_000_000
DAY = 86_400.0


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

    def command(self, stage: Stage) -> list[str]:
        """The arguments of the command line."""
        return [argument.replace("{top}", str(stage.top)) for argument in self.arguments]


# ---------------------------------------------------------------- beginnings


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


def _empty(_stage: Stage) -> None:
    """Nothing is there."""


def _three(stage: Stage) -> None:
    """A repository with three snapshots of a directory, which has changed since."""
    stage.good("init")
    for number, name in enumerate(("one", "two", "three"), 1):
        stage.snapshot(notes(stage, number), name)
    notes(stage, 4)


def _forgotten(stage: Stage) -> None:
    """The same with two snapshots forgotten for good: what only they hold is garbage."""
    _three(stage)
    stage.good("forget", "one", "two", "--purge")


def _loose(stage: Stage) -> None:
    """A repository with freed pages."""
    _forgotten(stage)
    stage.good("gc", "--keep-last", "9", "--now")
    del stage.snapshots["one"], stage.snapshots["two"]


def _copied(stage: Stage) -> None:
    """A repository with an older copy."""
    _three(stage)
    stage.good("copy", stage.top / "second")
    stage.snapshot(notes(stage, 5), "four")


def _archived(stage: Stage) -> None:
    """A repository, and a tar archive of what is in no snapshot of it."""
    _three(stage)
    with tarfile.open(stage.top / "notes.tar", "w") as tar:
        tar.add(stage.top / "notes", ".")


def _restored(stage: Stage) -> None:
    """An older state in another directory, with a file of somebody else's."""
    _three(stage)
    stage.good("restore", "one", "--target", stage.top / "back")
    (stage.top / "back/file 1").write_bytes(b"changed\n")
    (stage.top / "back/of somebody").write_bytes(b"kept\n")


def _memory(stage: Stage) -> None:
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


def _rolled(stage: Stage) -> None:
    """The same after a restore."""
    _memory(stage)
    stage.good("restore", "whole", "--yes")


def _aged(stage: Stage) -> None:
    """A memory whose settings keep three snapshots, with six that are older."""
    top = stage.top / "memory"
    fill(top, MEMORY | {"config/settings.json": b'{"max_backups_kept": 3, "backup_retention_days": 1}'})
    stage.good("init")

    def take() -> None:
        clock = FixedClock(LONG_AGO)
        for number in range(6):
            with open_repository(stage.repository, clock=clock) as repository:
                options = SnapshotOptions(source="mine", name=f"old {number}")
                take_snapshot(repository, [top], options=options, clock=clock)
            clock.sleep(DAY)

    stage.isolated(take)
    for number in range(6):
        stage.remember(top, f"old {number}")


# ---------------------------------------------------------------- ends


def _newest(stage: Stage, name: str) -> None:
    """The newest snapshot has this name and holds what the directory holds."""
    with open_repository(stage.repository) as repository:
        newest = repository.snapshots()[-1]
        assert newest.record.name == name, newest.record.name
        top = stage.top / ("memory" if stage.repository.parent.name == "backups" else "notes")
        assert contents(repository, newest) == _without_backups(on_disk(top))


def _listed(stage: Stage, *names: str) -> None:
    """Exactly these snapshots are listed."""
    with open_repository(stage.repository) as repository:
        assert [one.record.name for one in repository.snapshots()] == list(names)


def _shrunk(stage: Stage) -> None:
    """Nothing is left that could be given back to the disk but some pages."""
    with open_repository(stage.repository) as repository:
        assert repository.reusable_bytes() < 100_000


def _second_is_up_to_date(stage: Stage) -> None:
    with open_repository(stage.top / "second") as second:
        found = {one.record.name: contents(second, one) for one in second.snapshots()}
    assert found == stage.snapshots


def _second_is_whole(stage: Stage) -> None:
    """What a copy has is as it was, once it is a repository."""
    if not (stage.top / "second/repository.json").exists():
        return
    with open_repository(stage.top / "second") as second:
        for one in second.snapshots():
            assert contents(second, one) == stage.snapshots[one.record.name], one.record.name


def _annotated(stage: Stage) -> None:
    with open_repository(stage.repository) as repository:
        three = repository.snapshots()[-1]
        assert three.pinned


def _imported(stage: Stage) -> None:
    with open_repository(stage.repository) as repository:
        assert contents(repository, repository.snapshots()[-1]) == on_disk(stage.top / "notes")


def _exported(stage: Stage) -> None:
    with tarfile.open(stage.top / "three.tar") as tar:
        files = {one.name.removeprefix("./"): tar.extractfile(one) for one in tar.getmembers() if one.isreg()}
        assert {name: file.read() for name, file in files.items() if file} == stage.snapshots["three"]


def _archive_is_whole_or_absent(stage: Stage) -> None:
    if (stage.top / "three.tar").exists():
        _exported(stage)


def _back(stage: Stage) -> None:
    told = differences(stage.plain / "three", stage.top / "back")
    told = [each for each in told if os.fsdecode(TEMPORARY_PREFIX) not in each]  # a killed restore leaves one such file
    assert not told, told[:5]


def _of_somebody_stays(stage: Stage) -> None:
    """What is not the snapshot's is never touched; what is, has its old contents or its new ones."""
    assert (stage.top / "back/of somebody").read_bytes() == b"kept\n"


def _back_beside(stage: Stage) -> None:
    _of_somebody_stays(stage)
    assert stage.snapshots["three"].items() <= on_disk(stage.top / "back").items()


def _memory_is(stage: Stage, name: str) -> None:
    assert _without_backups(on_disk(stage.top / "memory")) == on_disk(stage.plain / name)
    left, right = facts(stage.top / "memory"), facts(stage.plain / name)
    assert {path: known["mode"] for path, known in left.items() if path.partition(b"/")[0] != b"backups"} == {
        path: known["mode"] for path, known in right.items()
    }


def _spoilt_is_somewhere(stage: Stage) -> None:
    """What was there before a restore still is, or a safety copy holds it."""
    before = on_disk(stage.plain / "spoilt")
    if _without_backups(on_disk(stage.top / "memory")) == before:
        return
    with open_repository(stage.repository) as repository:
        assert any(contents(repository, one) == before for one in repository.snapshots()), "lost what was there before"


def _cleaned(stage: Stage) -> None:
    _listed(stage, "old 4", "old 5", "new")


def _without_backups(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if not name.startswith("backups/")}


_OLD_ONES = frozenset(("one", "two"))
_IN_MEMORY = "memory/backups/store"

OPERATIONS = (
    Operation("init", _empty, ("init",), _listed, once=True),
    Operation("snapshot", _three, ("snapshot", "{top}/notes", "--name", "new"), lambda stage: _newest(stage, "new")),
    Operation(
        "snapshot of a memory, cleaning up",
        _aged,
        ("snapshot", "{top}/memory", "--source", "mine", "--name", "new"),
        lambda stage: _newest(stage, "new"),
        repository=_IN_MEMORY,
    ),
    Operation("pin", _three, ("pin", "three"), _annotated),
    Operation("forget", _three, ("forget", "one", "--purge"), lambda stage: _listed(stage, "two", "three")),
    Operation(
        "gc",
        _forgotten,
        ("gc", "--keep-last", "9", "--now"),
        lambda stage: _listed(stage, "three"),
        going=_OLD_ONES,
    ),
    Operation("gc --compact", _loose, ("gc", "--keep-last", "9", "--compact"), _shrunk),
    Operation("copy", _three, ("copy", "{top}/second"), _second_is_up_to_date, _second_is_whole),
    Operation("copy again", _copied, ("copy", "{top}/second"), _second_is_up_to_date, _second_is_whole),
    Operation("import", _archived, ("import", "{top}/notes.tar", "--name", "new"), _imported),
    Operation(
        "export",
        _three,
        ("export", "three", "--tar", "{top}/three.tar", "--force"),
        _exported,
        _archive_is_whole_or_absent,
    ),
    Operation("restore", _three, ("restore", "three", "--target", "{top}/back", "--overwrite", "always"), _back),
    Operation(
        "restore over", _restored, ("restore", "three", "--target", "{top}/back"), _back_beside, _of_somebody_stays
    ),
    Operation(
        "restore of a memory",
        _memory,
        ("restore", "whole", "--yes"),
        lambda stage: _memory_is(stage, "whole"),
        _spoilt_is_somewhere,
        repository=_IN_MEMORY,
    ),
    Operation(
        "rollback",
        _rolled,
        ("rollback", "{top}/memory", "--yes"),
        lambda stage: _memory_is(stage, "spoilt"),
        _spoilt_is_somewhere,
        repository=_IN_MEMORY,
        once=True,
    ),
    Operation("verify", _three, ("verify",), lambda stage: _listed(stage, "one", "two", "three")),
)
BY_NAME = {operation.name: operation for operation in OPERATIONS}
