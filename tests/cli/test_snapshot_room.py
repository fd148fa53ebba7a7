"""`icc-store snapshot` on a disk that is full: cleaned up by the rules, once more, and what would help is told."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from icc_store.limits import MIB
from tests.support.live import fill
from tests.support.program import Program
from tests.support.shelf import noise
from tests.support.small_disk import bounded_files, small_disk

SIZE = 6 * MIB


@pytest.fixture(params=[small_disk, bounded_files], ids=["disk", "limit"])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Program]:
    """The program, whose repository cannot grow beyond SIZE. What this process may not do, its children may not."""
    environ = os.environ | {"HOME": str(tmp_path / "home"), "XDG_STATE_HOME": str(tmp_path / "state")}
    with request.param(tmp_path / "disk", SIZE) as place:
        program = Program(place / "r", environ)
        program.good("init")
        yield program


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    """A small memory."""
    entity = '{"id": "Learning-%d", "type": "Learning", "title": "t", "content": "%s",'
    entity += ' "created_at": "2025-06-01T12:00:00Z", "relevance_score": 0.9, "tags": []}'
    files = {"config/settings.json": b'{"max_backups_kept": 3, "min_free_space_mb": 0}'}
    files |= {
        f"entities/Learning/Learning-{number}.json": (entity % (number, "x" * 500)).encode() for number in range(9)
    }
    fill(tmp_path / "memory", files)
    return tmp_path / "memory"


def add(memory: Path, seed: int, count: int) -> None:
    """Put `count` incompressible files of a MiB into the memory, and take those of before out."""
    for path in memory.glob("noise-*"):
        path.unlink()
    for number in range(count):
        (memory / f"noise-{number}").write_bytes(noise(100 * seed + number, MIB))


def stored(program: Program, memory: Path, *options: str) -> None:
    """Take a snapshot that must be made, whatever is said of the memory in it."""
    done = program("snapshot", memory, *options)
    assert done.code == 0, done


def test_what_would_help_is_told(program: Program, memory: Path) -> None:
    """One line that says the disk is full, what gc would free, and what a selection would take; nothing is lost."""
    (memory / "config/settings.json").write_text('{"automatic_cleanup": false, "min_free_space_mb": 0}')
    add(memory, 1, 2)
    stored(program, memory, "--name", "before")
    add(memory, 2, 8)
    done = program("--json", "snapshot", memory)
    assert done.code == 1
    error = json.loads(done.out)["error"]
    assert error["message"] == f"the disk of {program.repository} is full"
    for said in (
        "nothing that was committed is lost",
        "`icc-store gc` would make",
        "--config-only takes",
        "--high-rel",
    ):
        assert said in error["hint"], error
    assert "once more" not in done.err
    program.good("verify")
    assert len(program("list", "--json-lines").rows) == 1
    stored(program, memory, "--config-only", "--name", "small")


def test_cleaned_up_and_tried_again(program: Program, memory: Path) -> None:
    """What retention has forgotten before and what it forgets now is told; the second try stores the snapshot."""
    add(memory, 1, 4)
    stored(program, memory, "--name", "old")
    add(memory, 2, 0)
    stored(program, memory, "--name", "kept")
    program.good("forget", "old", "--purge")  # nobody has run gc since
    add(memory, 3, 4)
    done = program("snapshot", memory, "--name", "new")
    assert done.code == 0, done
    assert "cleaning up by the retention rules, then once more" in done.err
    assert "1 removed for good" in done.err
    assert [row["name"] for row in program("list", "--json-lines").rows] == ["kept", "new"]
    program.good("verify")


@pytest.mark.parametrize("command", ["hook", "run-due"])
def test_other_commands_that_take_snapshots_do_the_same(program: Program, memory: Path, command: str) -> None:
    """A hook and a timer clean up by the same rules, and try once more."""
    add(memory, 1, 4)
    stored(program, memory, "--name", "old")
    program.good("forget", "old", "--purge")
    add(memory, 3, 4)
    done = program(command, *(("pre-migrate",) if command == "hook" else ()), memory)
    assert done.code == 0, done
    assert "cleaning up by the retention rules, then once more" in done.err
    assert "1 removed for good" in done.err
    assert len(program("list", "--json-lines").rows) == 1


@pytest.mark.parametrize("command", ["hook", "run-due"])
def test_other_commands_tell_what_would_help(program: Program, memory: Path, command: str) -> None:
    """Where nothing is to be cleaned up, a hook and a timer say what would make room, as `snapshot` does."""
    (memory / "config/settings.json").write_text('{"automatic_cleanup": false, "min_free_space_mb": 0}')
    add(memory, 2, 8)
    done = program(command, *(("pre-migrate",) if command == "hook" else ()), memory)
    assert done.code == 1
    assert f"the disk of {program.repository} is full" in done.err
    assert "`icc-store gc` would make" in done.err
    assert "once more" not in done.err
    assert program("list", "--json-lines").rows == []


def test_only_what_is_asked_for(program: Program, memory: Path) -> None:
    """With `automatic_cleanup` off, nothing is removed for the sake of a new snapshot."""
    (memory / "config/settings.json").write_text('{"automatic_cleanup": false, "min_free_space_mb": 0}')
    add(memory, 1, 4)
    stored(program, memory, "--name", "old")
    add(memory, 2, 0)
    stored(program, memory, "--name", "kept")
    program.good("forget", "old", "--purge")
    add(memory, 3, 4)
    assert program("snapshot", memory).code == 1
    program.good("undelete", "old")


def test_room_that_is_to_be_kept_free(tmp_path: Path, memory: Path) -> None:
    """Less free than `min_free_space_mb` asks for is a full disk as well, and that setting is named."""
    (memory / "config/settings.json").write_text('{"automatic_cleanup": false, "min_free_space_mb": 1000000000}')
    program = Program(tmp_path / "r", os.environ | {"HOME": str(tmp_path / "home")})
    program.good("init")
    done = program("--json", "snapshot", memory)
    assert done.code == 1
    error = json.loads(done.out)["error"]
    assert "to be kept free" in error["message"]
    assert "lower min_free_space_mb" in error["hint"]
    assert "--config-only takes" in error["hint"]
    assert program("list", "--json-lines").rows == []
