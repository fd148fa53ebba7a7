"""Which retention holds for which source, by what stands where its snapshots were taken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from icc_store.config import read_config
from icc_store.config.retention import (
    SourceRetention,
    policies_for_cleanup,
    policies_for_gc,
    policy_of,
    retention_by_source,
)
from icc_store.errors import ConfigError
from icc_store.ids import ObjectId
from icc_store.model.record import Snapshot, SnapshotClass, SnapshotRecord
from icc_store.operations.retention import default_policy


def memory(path: Path, **settings: object) -> Path:
    (path / "entities").mkdir(parents=True)
    (path / "config").mkdir()
    (path / "config" / "settings.json").write_text(json.dumps(settings))
    return path


def taken(seq: int, source: str, *paths: Path, kind: str = "full") -> Snapshot:
    identity = ObjectId(seq.to_bytes(32))
    stored = tuple(bytes(path) for path in paths)
    return Snapshot(identity, SnapshotRecord(seq, 0, identity, source, "host", SnapshotClass(kind), paths=stored))


def found(*snapshots: Snapshot, **environ: str) -> dict[str, SourceRetention]:
    environ = {"HOME": "/nowhere"} | environ
    return retention_by_source(snapshots, environ, read_config(environ))


def test_each_memory_speaks_for_its_own_snapshots(tmp_path: Path) -> None:
    """Two memories in one repository: each is kept as its own settings say, and all else by the common ones."""
    short = memory(tmp_path / "short", max_backups_kept=2, backup_retention_days=7)
    long = memory(tmp_path / "long", max_backups_kept=50)
    policies = policies_for_gc(found(taken(1, "a", short), taken(2, "b", long), taken(3, "c", tmp_path)))
    assert policies == {
        "a": default_policy(max_backups_kept=2, backup_retention_days=7),
        "b": default_policy(max_backups_kept=50),
        "c": default_policy(),
    }
    assert policies_for_gc(found(taken(1, "a", short), ICC_STORE_MAX_BACKUPS_KEPT="9")) == {
        "a": default_policy(max_backups_kept=9, backup_retention_days=7)
    }


def test_the_newest_full_snapshot_says_where_the_source_is(tmp_path: Path) -> None:
    """A memory that moved is found where it is now; a selective snapshot of a part of it changes nothing."""
    old, new = memory(tmp_path / "old", max_backups_kept=2), memory(tmp_path / "new", max_backups_kept=3)
    snapshots = [taken(1, "a", old), taken(2, "a", new), taken(3, "a", new / "config", kind="selective")]
    assert found(*snapshots)["a"].settings.max_backups_kept == 3


def test_of_several_paths_the_memory_speaks(tmp_path: Path) -> None:
    """A source of two directories, one of them a memory, goes by that memory."""
    (tmp_path / "notes").mkdir()
    own = memory(tmp_path / "memory", max_backups_kept=2)
    assert found(taken(1, "a", tmp_path / "notes", own))["a"].settings.max_backups_kept == 2


def test_a_memory_that_says_no_is_not_cleaned_up(tmp_path: Path) -> None:
    """`automatic_cleanup` false holds for its own snapshots; gc, which somebody asks for, still goes by its figures."""
    no = memory(tmp_path / "no", automatic_cleanup=False, max_backups_kept=2)
    both = found(taken(1, "no", no), taken(2, "yes", memory(tmp_path / "yes")))
    assert policies_for_cleanup(both).keys() == {"yes"}
    assert policies_for_gc(both)["no"] == default_policy(max_backups_kept=2)
    assert policies_for_cleanup(found(taken(1, "yes", tmp_path), ICC_STORE_AUTOMATIC_CLEANUP="false")) == {}


def test_a_lost_source_is_not_cleaned_up(tmp_path: Path) -> None:
    """When the directory is gone its backups are all there is: they are left to gc. What came on stdin has no place."""
    both = found(taken(1, "lost", tmp_path / "lost"), taken(2, "stdin"))
    assert policies_for_cleanup(both).keys() == {"stdin"}
    assert policies_for_gc(both).keys() == {"lost", "stdin"}


@pytest.mark.parametrize("text", ['{"max_backups_kept": 50', '{"max_backups_kept": "fifty"}'])
def test_a_memory_whose_wish_cannot_be_read_keeps_all(tmp_path: Path, text: str) -> None:
    """Its settings are broken: nothing of it is cleaned up, and gc asks for them to be put right."""
    own = memory(tmp_path / "memory")
    (own / "config" / "settings.json").write_text(text)
    broken = found(taken(1, "a", own))
    assert policies_for_cleanup(broken) == {}
    with pytest.raises(ConfigError, match="not known how long the snapshots of 'a' are to be kept") as error:
        policies_for_gc(broken)
    assert str(own / "config" / "settings.json") in str(error.value)


def test_a_problem_elsewhere_in_the_settings_does_not_matter_here(tmp_path: Path) -> None:
    """A wrong number of threads says nothing about how long backups are kept."""
    own = memory(tmp_path / "memory", parallel_threads="many", max_backups_kept=3)
    assert policies_for_cleanup(found(taken(1, "a", own))) == {"a": default_policy(max_backups_kept=3)}


def test_the_default_settings_are_the_default_policy(tmp_path: Path) -> None:
    """Whoever sets nothing gets what docs and help describe."""
    assert policy_of(found(taken(1, "a", tmp_path))["a"].settings) == default_policy()
