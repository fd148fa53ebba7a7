"""Index files are made anew where they are not right, between two snapshots."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from benchmarks.corpora.memory import build
from icc_store.errors import SourceError
from icc_store.model.repository import Repository
from icc_store.opening import create_repository, open_repository
from icc_store.operations.memory.fix_indexes import FixResult, fix_indexes
from icc_store.operations.memory.validate import validate_directory
from icc_store.operations.snapshot_options import SnapshotOptions
from tests.support.entities import entity, place, text
from tests.support.live import NOW, contents, fill, new_clock, on_disk
from tests.support.ordinary import ordinarily

OPTIONS = SnapshotOptions(source="home", host="here")
CONTENT, TAGS = "indexes/content-index.json", "indexes/tag-index.json"


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    build(tmp_path / "memory", 40, seed=8)
    return tmp_path / "memory"


def _fix(repository: Repository, memory: Path) -> FixResult:
    return fix_indexes(repository, memory, options=OPTIONS, clock=repository.clock)


def test_nothing_to_fix_leaves_no_trace(repository: Repository, memory: Path) -> None:
    """Right indexes: no file is written and no snapshot taken."""
    before = {path: path.stat().st_ino for path in memory.rglob("*")}
    assert _fix(repository, memory) == FixResult(())
    assert {path: path.stat().st_ino for path in memory.rglob("*")} == before
    assert repository.snapshots() == []


def test_a_half_written_index_and_drift_are_repaired(repository: Repository, memory: Path) -> None:
    """A new entity, a lost one, half an index and a missing one: afterwards nothing is found, and both states are kept.

    Owner and mode stay, the time is now, nothing but indexes is touched, and what changed is told by id.
    """
    new = entity(stem="new-20250603")
    (memory / place(new).decode()).parent.mkdir(parents=True, exist_ok=True)
    (memory / place(new).decode()).write_bytes(text(new))
    lost = next((memory / "entities/Knowledge").rglob("Knowledge-*.json"))
    lost.unlink()
    tags = memory / TAGS
    tags.write_bytes(tags.read_bytes()[:1000])
    tags.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(tags, 1234, 4321)
    (memory / "entities/Pattern/index.json").unlink()
    old = on_disk(memory)
    status = tags.stat()

    result = _fix(repository, memory)

    now = on_disk(memory)
    states = {os.fsdecode(one.path): one.state for one in result.changes}
    assert states == {
        CONTENT: "drifted",
        TAGS: "broken",
        "indexes/date-index.json": "drifted",
        "entities/Learning/index.json": "drifted",
        "entities/Knowledge/index.json": "drifted",
        "entities/Pattern/index.json": "missing",
    }
    content = next(one for one in result.changes if os.fsdecode(one.path) == CONTENT)
    assert (content.added, content.removed) == ((new["id"],), (lost.stem,))
    assert {name for name in {*old, *now} if old.get(name) != now.get(name)} == set(states)
    assert [one for one in validate_directory(memory).findings if b"indexes" in one.path or one.field == "count"] == []
    after = tags.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (status.st_mode, status.st_uid, status.st_gid)
    assert after.st_mtime_ns == NOW
    assert result.before is not None
    assert result.before.snapshot is not None
    assert result.after is not None
    assert result.after.snapshot is not None
    assert contents(repository, result.before.snapshot) == old
    assert contents(repository, result.after.snapshot) == now
    assert [one.record.name for one in repository.snapshots()] == ["before-fix-indexes", "after-fix-indexes"]
    assert _fix(repository, memory).changes == ()


def test_a_memory_without_any_index_gets_all(repository: Repository, memory: Path) -> None:
    """Index files and their directory are made where there are none, and are sound."""
    indexes = {name: data for name, data in on_disk(memory).items() if "index" in name}
    wanted = {name for name, data in indexes.items() if json.loads(data).get("count") != 0}
    shutil.rmtree(memory / "indexes")
    for path in (memory / "entities").glob("*/index.json"):
        path.unlink()
    result = _fix(repository, memory)
    assert {os.fsdecode(one.path) for one in result.changes} == wanted
    assert validate_directory(memory).findings == ()
    assert json.loads((memory / CONTENT).read_bytes())["entity_count"] == 40


def test_a_broken_entity_does_not_stop_it(repository: Repository, memory: Path) -> None:
    """It keeps its rows where it has them; the indexes of the others are made right."""
    one, two = sorted((memory / "entities/Learning").rglob("Learning-*.json"))[:2]
    one.write_bytes(one.read_bytes()[:50])
    two.unlink()
    result = _fix(repository, memory)
    assert {removed for change in result.changes for removed in change.removed} == {two.stem}
    assert one.stem in json.loads((memory / CONTENT).read_bytes())["index"]["entities"]


def test_only_icc_memories_have_indexes(repository: Repository, tmp_path: Path) -> None:
    """Anything else is refused before a snapshot is taken."""
    fill(tmp_path / "notes", {"a.md": b"# A\n"})
    with pytest.raises(SourceError, match="not a memory that is known"):
        _fix(repository, tmp_path / "notes")
    with pytest.raises(SourceError, match="not a memory of the icc layout"):
        fix_indexes(repository, tmp_path / "notes", options=SnapshotOptions(profile="generic"))
    assert repository.snapshots() == []


def test_an_index_that_cannot_be_read_is_not_replaced() -> None:
    """What no snapshot can keep stays as it is, and the message says which file."""
    ordinarily(_forbidden)


def _forbidden(here: Path) -> None:
    fact = entity(stem="a-20250603")
    fill(here / "memory", {place(fact).decode(): text(fact), CONTENT: b"{}"})
    (here / "memory" / CONTENT).chmod(0)
    create_repository(here / "repository")
    with (
        open_repository(here / "repository", clock=new_clock()) as repository,
        pytest.raises(SourceError, match=f"{CONTENT} cannot be read"),
    ):
        _fix(repository, here / "memory")
