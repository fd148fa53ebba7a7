"""Backups as the memory system expects them, checked with coreutils and both tars."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from icc_store.clock import FixedClock
from icc_store.entities.checksums import parse_sums
from icc_store.errors import Interrupted, TargetError, UsageError
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.model.walk import lookup
from icc_store.monitor import Monitor
from icc_store.operations.memory.export import Backup, backup_of
from icc_store.operations.memory.export_directory import export_directory
from icc_store.operations.snapshot import SnapshotOptions, take_snapshot
from icc_store.operations.tar_export import ExportOptions, ExportResult, export_tar
from tests.support.compare import assert_same
from tests.support.damage import lose
from tests.support.memories import make_memory, make_odd_memory
from tests.support.snapshots import take

NOON = 1_793_534_400_123_456_789
NAME = "backup-20261101-120000"
"""2026-11-01 12:00:00 UTC."""

TWELVE = {
    "backup_id", "created_at", "backup_name", "system_version", "total_entities", "entities_by_type", "total_size_mb",
    "compressed_size_mb", "integrity_hash", "backup_duration_ms", "files_backed_up", "validation_passed",
}  # fmt: skip


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOON)


@pytest.fixture
def odd(tmp_path: Path, repository: Repository) -> Snapshot:
    """The snapshot of a memory with odd names, links and holes."""
    return snapshot_of(repository, make_odd_memory(tmp_path / "memory"), name="odd")


def snapshot_of(repository: Repository, top: Path, **options: Any) -> Snapshot:
    made = take_snapshot(repository, [top], options=SnapshotOptions(**options), clock=repository.clock).snapshot
    assert made is not None
    return made


def archive(repository: Repository, snapshot: Snapshot, **options: Any) -> tuple[bytes, ExportResult]:
    out = io.BytesIO()
    given = ExportOptions(wrapping=backup_of(repository, snapshot).wrapping, **options)
    result = export_tar(repository, snapshot.record, target=out.write, options=given)
    return out.getvalue(), result


def unpack(data: bytes, target: Path, tool: str = "tar") -> Path:
    """What a tar program makes of an archive; it must have nothing to say."""
    target.mkdir()
    command = [tool, "-xpf", "-", "-C", str(target)]
    done = subprocess.run(command, input=data, capture_output=True, check=False, env=os.environ | {"LC_ALL": "C.UTF-8"})
    assert (done.returncode, done.stderr) == (0, b"")
    return target / NAME


def assert_proven(top: Path) -> dict[str, Any]:
    """coreutils find the directory to be what its listing and its manifest say. Returns the manifest."""
    done = subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=top, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    manifest: dict[str, Any] = json.loads((top / "manifest.json").read_text())
    assert manifest.keys() == TWELVE | {"icc_store"}
    printed = subprocess.run(["sha256sum", "SHA256SUMS"], cwd=top, capture_output=True, check=True).stdout
    assert manifest["integrity_hash"] == f"sha256:{printed.split()[0].decode()}"
    return manifest


def without_own_files(top: Path) -> Path:
    """The memory in an unpacked backup, with the time of its directory kept."""
    times = os.stat(top)
    for name in ("manifest.json", "SHA256SUMS"):
        (top / name).unlink()
    os.utime(top, ns=(times.st_atime_ns, times.st_mtime_ns))
    return top


# ------------------------------------------------------------------------------------ what is in it


@pytest.mark.parametrize("tool", ["tar", "bsdtar"])
def test_an_unpacked_archive_is_proven_by_coreutils(
    tmp_path: Path, repository: Repository, odd: Snapshot, tool: str
) -> None:
    """`sha256sum -c` passes on every file with whatever name, and the manifest has the hash of the listing."""
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")
    top = unpack(archive(repository, odd)[0], tmp_path / "out", tool)
    manifest = assert_proven(top)
    assert (manifest["backup_id"], manifest["backup_name"]) == (NAME, "odd")
    listed = {path for path, _ in parse_sums((top / "SHA256SUMS").read_bytes())}
    files = [path for path in top.rglob("*") if path.is_file() and not path.is_symlink()]
    assert listed == {os.fsencode(path.relative_to(top)) for path in files} - {b"manifest.json", b"SHA256SUMS"}
    assert manifest["files_backed_up"] == len(listed)
    assert_same(tmp_path / "memory", without_own_files(top), without=frozenset(("data",)))


def test_the_listing_is_what_coreutils_print(tmp_path: Path, repository: Repository, odd: Snapshot) -> None:
    """The very bytes that `find | LC_ALL=C sort | sha256sum` give for the memory."""
    script = "find . -type f -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 sha256sum --"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path / "memory", capture_output=True, check=True)
    assert backup_of(repository, odd).listing == done.stdout


def test_a_generated_memory(tmp_path: Path, repository: Repository) -> None:
    """250 entities: counted by type, areas under the backup's directory, nothing else beside it."""
    snapshot = snapshot_of(repository, make_memory(tmp_path / "memory", 250))
    data, result = archive(repository, snapshot)
    assert result.problems == ()
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        names = opened.getnames()
    assert {name.split("/")[0] for name in names} == {NAME}
    below = {name.split("/")[1] for name in names if "/" in name}
    assert below == {"entities", "relationships", "indexes", "config", "manifest.json", "SHA256SUMS"}
    manifest = assert_proven(unpack(data, tmp_path / "out"))
    assert manifest["total_entities"] == 250
    assert sum(manifest["entities_by_type"].values()) == 250
    assert manifest["created_at"] == "2026-11-01T12:00:00Z"


def test_the_same_snapshot_gives_the_same_bytes(tmp_path: Path, repository: Repository, odd: Snapshot) -> None:
    """Twice, and once more after newer snapshots have made the scan's digests of this one go."""
    first, _ = archive(repository, odd)
    assert archive(repository, odd)[0] == first
    (tmp_path / "memory" / "config" / "settings.json").write_text("{}")
    (tmp_path / "memory" / "entities" / "odd" / "a").write_text("changed")
    snapshot_of(repository, tmp_path / "memory")
    assert archive(repository, odd)[0] == first


def test_symbolic_links_are_in_the_manifest(repository: Repository, odd: Snapshot) -> None:
    """SHA256SUMS cannot list them; the manifest does, with bytes that are not UTF-8 escaped."""
    assert backup_of(repository, odd).manifest["icc_store"]["symlinks"] == [
        {"path": "config/link", "target": "../entities"},
        {"path": "config/link to bytes", "target": "\\xff\n"},
    ]


def test_a_snapshot_without_a_manifest_gets_one(repository: Repository) -> None:
    """It is made of what is stored: counts, version, hash; twice the same."""
    entity = b'{"id": "Learning-x-20260101", "type": "Learning", "created_at": "2026-01-01T00:00:00Z"}'
    files = {"entities/Learning/2026/01/Learning-x-20260101.json": entity, "config/settings.json": b'{"version": "7"}'}
    snapshot = take(repository, files)
    assert snapshot.record.manifest is None
    backup = backup_of(repository, snapshot)
    assert backup.manifest["entities_by_type"]["Learning"] == backup.manifest["total_entities"] == 1
    assert backup.manifest["system_version"] == "7"
    assert backup.manifest["integrity_hash"] == f"sha256:{hashlib.sha256(backup.listing).hexdigest()}"
    assert backup_of(repository, snapshot) == backup


def test_what_is_no_memory_has_no_backup(repository: Repository) -> None:
    """A snapshot of anything else is refused, with what to do instead."""
    snapshot = take(repository, {"notes.md": b"1"})
    with pytest.raises(UsageError, match="of no memory"):
        backup_of(repository, snapshot)


def test_files_that_stand_where_the_backups_own_must(repository: Repository) -> None:
    """They are left out and named; what is one more name of one of them is there with its contents."""
    snapshot = take(repository, {"entities/x": b"1", "manifest.json": b"of another backup", "SHA256SUMS/x": b"2"})
    data, result = archive(repository, snapshot)
    assert [path for path, _ in result.problems] == [b"SHA256SUMS", b"manifest.json"]
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        assert sorted(opened.getnames()) == sorted(
            [f"{NAME}/manifest.json", f"{NAME}/SHA256SUMS", f"{NAME}/entities", f"{NAME}/entities/x"]
        )


# ------------------------------------------------------------------------------------ unpacked


def test_a_directory_is_the_unpacked_archive(tmp_path: Path, repository: Repository, odd: Snapshot) -> None:
    """It holds what tar makes of the archive, to the last time and byte; `sha256sum -c` passes."""
    backup = backup_of(repository, odd)
    assert export_directory(repository, odd, backup=backup, parent=tmp_path / "a" / "b") == ()
    top = tmp_path / "a" / "b" / NAME
    assert_proven(top)
    unpacked = unpack(archive(repository, odd)[0], tmp_path / "out")
    assert {name: (top / name).read_bytes() for name, _ in _own(backup)} == _own_bytes(unpacked)
    assert_same(tmp_path / "memory", without_own_files(top), without=frozenset(("data",)))
    assert os.listdir(tmp_path / "a" / "b") == [NAME]


def _own(backup: Backup) -> list[tuple[str, bytes]]:
    return [(os.fsdecode(name), data) for name, data in backup.own_files]


def _own_bytes(top: Path) -> dict[str, bytes]:
    return {name: (top / name).read_bytes() for name in ("manifest.json", "SHA256SUMS")}


def test_a_directory_that_is_there_stays(tmp_path: Path, repository: Repository, odd: Snapshot) -> None:
    """It is replaced as a whole only when that is asked for."""
    backup = backup_of(repository, odd)
    there = tmp_path / NAME
    there.mkdir()
    (there / "mine").write_text("1")
    with pytest.raises(TargetError, match="is there already"):
        export_directory(repository, odd, backup=backup, parent=tmp_path)
    assert os.listdir(there) == ["mine"]
    assert export_directory(repository, odd, backup=backup, parent=tmp_path, replace=True) == ()
    assert_proven(there)
    assert not (there / "mine").exists()
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


@pytest.mark.parametrize("replace", [False, True])
def test_an_interrupted_directory_leaves_nothing(
    tmp_path: Path, repository: Repository, odd: Snapshot, replace: bool
) -> None:
    """What cannot be finished is taken away again, and what was there before is as it was."""

    class Stop(Monitor):
        def advance(self, files: int, size: int, path: bytes) -> None:
            raise Interrupted("stopped")

    backup = backup_of(repository, odd)
    if replace:
        (tmp_path / "out" / NAME).mkdir(parents=True)
    with pytest.raises(Interrupted):
        export_directory(repository, odd, backup=backup, parent=tmp_path / "out", replace=replace, monitor=Stop())
    assert [str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*")] == [NAME] * replace
    with pytest.raises(TargetError, match="in the repository"):
        export_directory(repository, odd, backup=backup, parent=repository.path)


def test_a_killed_replacement_is_undone(tmp_path: Path, repository: Repository, odd: Snapshot) -> None:
    """What an export had moved away when it was killed is there again for the next one; what it had done is gone."""
    backup = backup_of(repository, odd)
    (tmp_path / f".{NAME}.0123456789ab.former").mkdir()
    (tmp_path / f".{NAME}.0123456789ab.former/mine").write_text("1")
    (tmp_path / ".icc-unfinished-0123456789abcdef/deep").mkdir(parents=True)
    with pytest.raises(TargetError, match="is there already"):
        export_directory(repository, odd, backup=backup, parent=tmp_path)
    assert (tmp_path / NAME / "mine").read_text() == "1"
    (tmp_path / f".{NAME}.0123456789ab.former").mkdir()
    assert export_directory(repository, odd, backup=backup, parent=tmp_path, replace=True) == ()
    assert_proven(tmp_path / NAME)
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_links_do_not_lead_the_own_files_away(tmp_path: Path, repository: Repository) -> None:
    """A symbolic link in the memory with the name of the manifest is replaced and reported, never written through."""
    top = make_memory(tmp_path / "memory", 4)
    (tmp_path / "victim").write_text("mine")
    (top / "manifest.json").symlink_to(tmp_path / "victim")
    snapshot = snapshot_of(repository, top)
    backup = backup_of(repository, snapshot)
    problems = export_directory(repository, snapshot, backup=backup, parent=tmp_path / "out")
    assert [path for path, _ in problems] == [b"manifest.json"]
    assert (tmp_path / "victim").read_text() == "mine"
    assert_proven(tmp_path / "out" / NAME)


# ------------------------------------------------------------------------------------ damage


def test_damage_shows_in_the_check(tmp_path: Path, repository: Repository, odd: Snapshot) -> None:
    """A file whose digest is known from the scan stays listed: `sha256sum -c` names what is missing."""
    lose(repository, lookup(repository.objects, odd.record, b"entities/odd/a").entry.chunk)
    data, result = archive(repository, odd)
    assert [path for path, _ in result.problems] == [b"entities/odd/a"]
    top = unpack(data, tmp_path / "out")
    done = subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=top, capture_output=True, check=False)
    assert done.returncode == 1
    assert b"entities/odd/a: FAILED open or read" in done.stdout


def test_damage_without_known_digests(repository: Repository) -> None:
    """A file that can no longer be read is not listed, and the manifest says that validation did not pass."""
    snapshot = take(repository, {"entities/Learning/x.json": b"{}", "entities/Learning/y.json": b"[]"})
    lose(repository, lookup(repository.objects, snapshot.record, b"entities/Learning/x.json").entry.chunk)
    backup = backup_of(repository, snapshot)
    assert [path for path, _ in parse_sums(backup.listing)] == [b"entities/Learning/y.json"]
    assert b"entities/Learning/x.json" in dict(backup.problems)
    assert backup.manifest["validation_passed"] is False
    assert backup.manifest["total_entities"] == 2


def test_a_lost_directory(tmp_path: Path, repository: Repository, odd: Snapshot) -> None:
    """What can still be reached is exported; the directory is named."""
    lose(repository, lookup(repository.objects, odd.record, b"entities/odd").entry.subtree)
    backup = backup_of(repository, odd)
    assert b"entities/odd" in dict(backup.problems)
    assert backup.manifest["validation_passed"] is False
    data, result = archive(repository, odd)
    assert [path for path, _ in result.problems] == [b"entities/odd"]
    assert (unpack(data, tmp_path / "out") / "large").stat().st_size == 3_072_000
