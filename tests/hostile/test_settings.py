"""What somebody can do who writes a memory's own settings: ask for less, and be found out and undone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from icc_store.config import Config, read_config
from icc_store.config.retention import policies_for_cleanup, retention_by_source
from icc_store.opening import create_repository, open_repository
from icc_store.operations.annotate import pin
from icc_store.operations.cleanup import CleanupOptions, forget_by_policy
from icc_store.operations.forget import undelete
from tests.support.memories import MEMORY
from tests.support.program import Program
from tests.support.snapshots import take

HOUR = 3_600_000_000_000
LEAST = {"max_backups_kept": 1, "backup_retention_days": 1}


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    for name, data in MEMORY.items():
        path = tmp_path / "memory" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "memory"


def ask_for(memory: Path, **settings: object) -> None:
    (memory / "config" / "settings.json").write_text(json.dumps(settings))


def test_history_that_a_memory_wants_gone(tmp_path: Path, memory: Path) -> None:
    """The least retention forgets and removes nothing: all comes back for a day, and what is pinned never goes."""
    ask_for(memory, **LEAST)
    create_repository(tmp_path / "r")
    with open_repository(tmp_path / "r") as repository:
        now = repository.clock.now_ns()
        made = [
            take(repository, {"f": b"%d" % day}, time_ns=now - day * 24 * HOUR, paths=(bytes(memory),)).id
            for day in range(40, 0, -1)
        ]
        pin(repository, [made[5]])
        policies = policies_for_cleanup(retention_by_source(repository.snapshots(), {}, Config(tmp_path / "none")))
        done = forget_by_policy(repository, options=CleanupOptions(policies))
        assert len(done.forgotten) > 20
        assert made[5] in {one.id for one in repository.snapshots()}
        undelete(repository, [one.id for one in done.forgotten])
        assert {one.id for one in repository.snapshots()} == set(made)


def test_what_the_user_has_said_is_not_the_memorys_to_change(tmp_path: Path, memory: Path) -> None:
    """A line in config.toml outranks the memory, so that no agent shortens how long backups are kept."""
    ask_for(memory, **LEAST)
    (tmp_path / "icc-store").mkdir()
    (tmp_path / "icc-store" / "config.toml").write_text("max_backups_kept = 50\nbackup_retention_days = 400\n")
    config = read_config({"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)})
    create_repository(tmp_path / "r")
    with open_repository(tmp_path / "r") as repository:
        now = repository.clock.now_ns()
        for day in range(40, 0, -1):
            take(repository, {"f": b"%d" % day}, time_ns=now - day * 24 * HOUR, paths=(bytes(memory),))
        policies = policies_for_cleanup(retention_by_source(repository.snapshots(), {}, config))
        assert forget_by_policy(repository, options=CleanupOptions(policies)).forgotten == ()


def test_a_memory_that_wants_entities_left_out(tmp_path: Path, memory: Path) -> None:
    """Its snapshots say that they are selective, and never take the place of a full one."""
    program = Program(tmp_path / "r")
    program.good("init")
    program.good("snapshot", memory)
    ask_for(memory, include_low_relevance=False, min_relevance_score=1.0)
    done = program("snapshot", memory)
    assert done.code == 0, done
    kinds = [one["class"] for one in program.good("--json", "list").document["snapshots"]]
    assert sorted(kinds) == ["full", "selective"]


def test_a_place_for_temporary_files(tmp_path: Path, memory: Path) -> None:
    """A drill restores only where nobody else may write, and leaves nothing there, wherever the memory sends it."""
    program = Program(tmp_path / "r")
    program.good("init")
    (tmp_path / "place").mkdir(mode=0o700)
    (tmp_path / "place" / "authorized_keys").write_text("mine")
    ask_for(memory, temp_directory=str(tmp_path / "place"))
    program.good("snapshot", memory)
    assert program("drill").code == 0
    assert [path.name for path in (tmp_path / "place").iterdir()] == ["authorized_keys"]
    (tmp_path / "place").chmod(0o777)
    done = program("drill")
    assert done.code != 0
    assert "others may write" in done.err
