"""What must hold when an operation has ended: each function raises AssertionError with what is wrong."""

from __future__ import annotations

import hashlib
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

from icc_store.opening import open_repository
from tests.faults.stage import Stage
from tests.support.compare import differences, facts
from tests.support.live import contents, on_disk


def newest(stage: Stage, name: str) -> None:
    """The newest snapshot has this name and holds what the directory holds."""
    with open_repository(stage.repository) as repository:
        newest = repository.snapshots()[-1]
        assert newest.record.name == name, newest.record.name
        top = stage.top / ("memory" if stage.repository.parent.name == "backups" else "notes")
        assert contents(repository, newest) == without_backups(on_disk(top))


def listed(stage: Stage, *names: str) -> None:
    """Exactly these snapshots are listed."""
    with open_repository(stage.repository) as repository:
        assert [one.record.name for one in repository.snapshots()] == list(names)


def shrunk(stage: Stage) -> None:
    """Nothing is left that could be given back to the disk but some pages."""
    with open_repository(stage.repository) as repository:
        assert repository.reusable_bytes() < 100_000


def second_is_up_to_date(stage: Stage) -> None:
    with open_repository(stage.top / "second") as second:
        found = {one.record.name: contents(second, one) for one in second.snapshots()}
    assert found == stage.snapshots


def second_is_whole(stage: Stage) -> None:
    """What a copy has is as it was, once it is a repository."""
    if not (stage.top / "second/repository.json").exists():
        return
    with open_repository(stage.top / "second") as second:
        for one in second.snapshots():
            assert contents(second, one) == stage.snapshots[one.record.name], one.record.name


def annotated(stage: Stage) -> None:
    with open_repository(stage.repository) as repository:
        three = repository.snapshots()[-1]
        assert three.pinned


def noted(stage: Stage) -> None:
    """The newest snapshot has the note."""
    with open_repository(stage.repository) as repository:
        assert repository.snapshots()[-1].note == "as it was"


def imported(stage: Stage) -> None:
    with open_repository(stage.repository) as repository:
        assert contents(repository, repository.snapshots()[-1]) == on_disk(stage.top / "notes")


def exported(stage: Stage) -> None:
    with tarfile.open(stage.top / "three.tar") as tar:
        files = {one.name.removeprefix("./"): tar.extractfile(one) for one in tar.getmembers() if one.isreg()}
        assert {name: file.read() for name, file in files.items() if file} == stage.snapshots["three"]


def archive_is_whole_or_absent(stage: Stage) -> None:
    if (stage.top / "three.tar").exists():
        exported(stage)


def back(stage: Stage) -> None:
    told = differences(stage.plain / "three", stage.top / "back")
    assert not told, told[:5]


def of_somebody_stays(stage: Stage) -> None:
    """What is not the snapshot's is never touched; what is, has its old contents or its new ones."""
    assert (stage.top / "back/of somebody").read_bytes() == b"kept\n"


def back_beside(stage: Stage) -> None:
    of_somebody_stays(stage)
    assert stage.snapshots["three"].items() <= on_disk(stage.top / "back").items()


def memory_is(stage: Stage, name: str) -> None:
    assert without_backups(on_disk(stage.top / "memory")) == on_disk(stage.plain / name)
    left, right = facts(stage.top / "memory"), facts(stage.plain / name)
    assert {path: known["mode"] for path, known in left.items() if path.partition(b"/")[0] != b"backups"} == {
        path: known["mode"] for path, known in right.items()
    }


def spoilt_is_somewhere(stage: Stage) -> None:
    """What was there before a restore still is, or a safety copy holds it."""
    before = on_disk(stage.plain / "spoilt")
    if without_backups(on_disk(stage.top / "memory")) == before:
        return
    with open_repository(stage.repository) as repository:
        assert any(contents(repository, one) == before for one in repository.snapshots()), "lost what was there before"


def cleaned(stage: Stage) -> None:
    listed(stage, "old 4", "old 5", "new")


def without_backups(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if not name.startswith("backups/")}


def newest_is_the_directory(stage: Stage) -> None:
    """Whatever its name, the newest snapshot holds what the directory holds."""
    with open_repository(stage.repository) as repository:
        assert contents(repository, repository.snapshots()[-1]) == on_disk(stage.top / "notes")


def newest_has_the_database(stage: Stage) -> None:
    """The newest snapshot has a database that can be read, and all the rest."""
    with open_repository(stage.repository) as repository:
        found = contents(repository, repository.snapshots()[-1])
    copy = stage.top.with_name("db.sqlite")
    copy.write_bytes(found.pop("db.sqlite"))
    with closing(sqlite3.connect(copy)) as database:
        assert database.execute("select x from t").fetchall() == [(1,)]
    copy.unlink()
    assert found.items() <= on_disk(stage.top / "notes").items()


def like_the_snapshot(stage: Stage) -> None:
    """The directory holds what the snapshot holds, and nothing else."""
    assert on_disk(stage.top / "back") == stage.snapshots["three"]


def before_is_somewhere(stage: Stage) -> None:
    """What was there before is there, or a safety copy holds it."""
    before = on_disk(stage.plain / "before")
    if on_disk(stage.top / "back") == before:
        return
    with open_repository(stage.repository) as repository:
        assert any(contents(repository, one) == before for one in repository.snapshots()), "lost what was there before"


def unpacked(stage: Stage) -> None:
    """The backup of a memory holds all of its files, and every checksum in it is right."""
    (found,) = _backups(stage)
    files = on_disk(found)
    assert {name: files.get(name) for name in stage.snapshots["whole"]} == stage.snapshots["whole"]
    for line in files["SHA256SUMS"].decode().splitlines():
        digest, _, name = line.partition("  ")
        assert hashlib.sha256(files[name]).hexdigest() == digest, name


def unpacked_is_right(stage: Stage) -> None:
    """Under the name of a backup there are only whole files; one that was cut short has a name that says so."""
    for found in _backups(stage):
        files, whole = on_disk(found), stage.snapshots["whole"]
        assert all(whole[name] == data for name, data in files.items() if name in whole)
        assert "SHA256SUMS" in files


def _backups(stage: Stage) -> list[Path]:
    return [one for one in (stage.top / "backups").glob("*") if not one.name.startswith(".")]


def indexes_are_kept_and_new(stage: Stage) -> None:
    """The newest snapshot holds the memory with its new indexes, and an older one those that were there."""
    top = stage.top / "memory"
    files = without_backups(on_disk(top))
    assert files != stage.snapshots["whole"]
    with open_repository(stage.repository) as repository:
        found = [contents(repository, one) for one in repository.snapshots()]
    assert found[-1] == files
    assert stage.snapshots["whole"] in found


def memory_imported(stage: Stage) -> None:
    """The newest snapshot holds the memory."""
    with open_repository(stage.repository) as repository:
        assert contents(repository, repository.snapshots()[-1]) == stage.snapshots["whole"]
