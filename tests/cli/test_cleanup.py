"""Settings at work in `snapshot` and `gc`: cleaning up, retention, compression, bounds, low relevance."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from icc_store.cli.cleanup import clean_up_after_snapshot
from icc_store.cli.context import Context
from icc_store.clock import FixedClock
from icc_store.opening import create_repository, open_repository
from icc_store.operations.snapshot import SnapshotOptions, take_snapshot
from tests.support.program import Done, Program, finish

DAY = 86_400.0
LONG_AGO = 1_700_000_000_000_000_000


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    folder = tmp_path / "memory" / "entities" / "Learning" / "2025" / "01"
    folder.mkdir(parents=True)
    for number, score in enumerate((0.1, 0.9)):
        name = f"Learning-x-2025010{number + 1}"
        entity = {"id": name, "type": "Learning", "created_at": "2025-01-01T00:00:00Z", "relevance_score": score}
        (folder / f"{name}.json").write_text(json.dumps(entity, indent=2))
    (tmp_path / "memory" / "config").mkdir()
    return tmp_path / "memory"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    create_repository(tmp_path / "repository")
    return Program(tmp_path / "repository", os.environ | {"HOME": str(tmp_path / "home")})


def settings(memory: Path, **values: object) -> Path:
    path = memory / "config" / "settings.json"
    path.write_text(json.dumps(values))
    return path


def history(program: Program, memory: Path, days: int) -> None:
    """A snapshot a day, years ago, all of one source."""
    clock = FixedClock(LONG_AGO)
    for _ in range(days):
        with open_repository(program.repository, clock=clock) as repository:
            take_snapshot(repository, [memory], options=SnapshotOptions(source="mine"), clock=clock)
        clock.sleep(DAY)


def living(program: Program) -> list[int]:
    return [row["seq"] for row in program.good("list", "--json").document["snapshots"]]


def snapshot(program: Program, memory: Path, *options: str, **environ: str) -> Done:
    done = program("snapshot", memory, "--source", "mine", *options, **environ)
    assert done.code == 0, done
    return done


def log_of(program: Program) -> Path:
    return Path(program.environ["HOME"], ".local/state/icc-store/cleanup.log")


def test_the_first_snapshot_of_a_day_cleans_up(program: Program, memory: Path) -> None:
    """What the memory's settings do not keep is forgotten, told and logged with reasons; later ones do nothing more."""
    settings(memory, max_backups_kept=3, backup_retention_days=1)
    history(program, memory, 6)
    done = snapshot(program, memory)
    assert living(program) == [5, 6, 7]
    assert f"cleaned up: 4 old snapshots forgotten; {log_of(program)} says why" in done.err
    lines = log_of(program).read_text().splitlines()
    assert [line.partition(f"{program.repository}: ")[2].split()[0] for line in lines] == [
        *["forget"] * 4,
        *["keep"] * 3,
        "4",
    ]
    assert "not among the newest 3, older than 24h, hourly: older than 7d" in lines[0]
    settings(memory, max_backups_kept=1)
    assert snapshot(program, memory).err == ""
    assert living(program) == [5, 6, 7, 8]


def test_it_only_forgets(program: Program, memory: Path) -> None:
    """Everything that was cleaned up is brought back by `undelete`."""
    settings(memory, max_backups_kept=1, backup_retention_days=1)
    history(program, memory, 3)
    snapshot(program, memory)
    assert living(program) == [4]
    forgotten = [row["id"] for row in program.good("list", "--all", "--json").document["snapshots"][:3]]
    program.good("undelete", *forgotten)
    assert living(program) == [1, 2, 3, 4]


@pytest.mark.parametrize("where", ["memory", "config.toml", "environment"])
def test_it_can_be_switched_off(program: Program, memory: Path, where: str) -> None:
    """`automatic_cleanup` false, wherever it is said: nothing is forgotten, and a dry run forgets nothing either."""
    settings(memory, max_backups_kept=1, automatic_cleanup=where != "memory")
    history(program, memory, 3)
    environ = {"ICC_STORE_AUTOMATIC_CLEANUP": "false"} if where == "environment" else {}
    if where == "config.toml":
        config = Path(program.environ["HOME"], ".config/icc-store/config.toml")
        config.parent.mkdir(parents=True)
        config.write_text("automatic_cleanup = false\n")
    snapshot(program, memory, **environ)
    assert living(program) == [1, 2, 3, 4]


def test_a_dry_run_cleans_nothing_up(program: Program, memory: Path) -> None:
    """Nothing is stored, so nothing is forgotten, and the day's turn is not taken."""
    settings(memory, max_backups_kept=1)
    history(program, memory, 3)
    snapshot(program, memory, "--dry-run")
    assert living(program) == [1, 2, 3]
    snapshot(program, memory)
    assert living(program) == [4]


def test_other_sources_go_by_their_own_settings(program: Program, memory: Path, tmp_path: Path) -> None:
    """Cleaning up looks at all sources, and what one memory says binds no other."""
    settings(memory, max_backups_kept=1)
    history(program, memory, 3)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.md").write_text("a")
    assert program("snapshot", tmp_path / "notes", "--source", "notes").code == 0
    assert living(program) == [3, 4]


def test_a_log_that_cannot_be_written_is_no_failure(program: Program, memory: Path) -> None:
    """The log's directory is a file: a note on stderr, exit code 0, and what was to go is forgotten."""
    settings(memory, max_backups_kept=1)
    history(program, memory, 2)
    blocked = log_of(program).parent
    blocked.parent.mkdir(parents=True)
    blocked.write_text("")
    done = snapshot(program, memory)
    assert f"the log {log_of(program)} cannot be written" in done.err
    assert living(program) == [3]


def test_failing_to_clean_up_is_no_failure(tmp_path: Path) -> None:
    """The repository is gone by then, or anything else: a note says so, and no error reaches the snapshot."""
    stderr = io.StringIO()
    context = Context({"HOME": str(tmp_path), "ICC_STORE_REPO": str(tmp_path / "gone")}, io.StringIO(), stderr)
    clean_up_after_snapshot(context)
    assert stderr.getvalue().startswith(
        f"icc-store: snapshots were not cleaned up: there is no repository at {tmp_path}"
    )


REPORT = """
import os, sys
from icc_store.cli.main import run
code = run(sys.argv[1:], os.environ)
print(" ".join(sys.modules), file=sys.stderr)
sys.exit(code)
"""


def test_later_snapshots_of_a_day_pay_next_to_nothing(program: Program, memory: Path) -> None:
    """Whoever is not the first of the day does not even load what cleaning up needs."""

    def loaded() -> set[str]:
        command = [sys.executable, "-c", REPORT, "--repo", str(program.repository), "snapshot", str(memory)]
        return set(finish(command, program.environ).err.split())

    cleaning = {"icc_store.operations.cleanup", "icc_store.operations.retention", "icc_store.config.retention"}
    assert cleaning <= loaded()
    assert not cleaning & loaded()


def test_gc_goes_by_the_settings(program: Program, memory: Path) -> None:
    """Without --keep options gc keeps what the memory's settings say; with them, what they say."""
    settings(memory, max_backups_kept=2, automatic_cleanup=False)
    history(program, memory, 6)
    program.good("gc", "--keep-last", "4")
    assert living(program) == [3, 4, 5, 6]
    program.good("gc")
    assert living(program) == [5, 6]
    program.good("gc", ICC_STORE_MAX_BACKUPS_KEPT="1")
    assert living(program) == [6]


def test_gc_does_not_guess_what_broken_settings_say(program: Program, memory: Path) -> None:
    """The memory's settings are cut short: gc names the file and forgets nothing; --keep options still work."""
    history(program, memory, 3)
    broken = settings(memory)
    broken.write_text('{"max_backups_kept": 50')
    done = program("gc")
    assert done.code == 1
    assert str(broken) in done.err
    assert living(program) == [1, 2, 3]
    program.good("gc", "--keep-last", "1")
    assert living(program) == [3]


def test_gc_explain(program: Program, memory: Path) -> None:
    """A table of snapshot, age, decision and what each rule says; nothing is changed; JSON has the same reasons."""
    settings(memory, max_backups_kept=1, backup_retention_days=1)
    history(program, memory, 2)
    lines = program.good("gc", "--explain", COLUMNS="200").out.splitlines()
    assert lines[0].split() == ["snapshot", "age", "class", "source", "decision", "why"]
    assert "forget    not among the newest 1, older than 24h" in lines[1]
    assert "keep      last of its source, newest 1" in lines[2]
    assert lines[3].startswith("1 snapshot would be forgotten")
    decisions: list[dict[str, Any]] = program.good("gc", "--explain", "--json").document["decisions"]
    assert [one["keep"] for one in decisions] == [False, True]
    assert decisions[0]["against"][:2] == ["not among the newest 1", "older than 24h"]
    assert decisions[1]["against"] == []
    program.good("gc", "--keep-last", "1")
    waiting = program.good("gc", "--explain", COLUMNS="200").out.splitlines()[1]
    assert re.search(r" wait +forgotten \S+ \w+ ago$", waiting)
    assert living(program) == [2]


@pytest.fixture
def text(memory: Path) -> Path:
    path = memory / "entities" / "big.md"
    path.write_text("to be compressed " * 20_000)
    return path


def stored(program: Program, memory: Path, **environ: str) -> int:
    counted = snapshot(program, memory, "--json", **environ).document["counters"]
    return int(counted["added_stored"])


def test_compression_by_settings(program: Program, memory: Path, text: Path, tmp_path: Path) -> None:
    """Without compression new content takes its own size; with it much less; and both come back."""
    settings(memory, compression_enabled=False)
    assert stored(program, memory) > text.stat().st_size
    settings(memory, compression_level=9)
    text.write_text("something else " * 20_000)
    assert stored(program, memory) < text.stat().st_size / 10
    program.good("restore", "latest", "--target", tmp_path / "back")
    assert (tmp_path / "back" / "entities" / "big.md").read_bytes() == text.read_bytes()


def test_a_large_snapshot_is_told_and_stored(program: Program, memory: Path) -> None:
    """Above `max_backup_size_mb` a warning says so; everything is stored."""
    settings(memory, max_backup_size_mb=1)
    (memory / "entities" / "big.bin").write_bytes(os.urandom(1 << 20))
    done = snapshot(program, memory)
    assert "more than max_backup_size_mb = 1 (" in done.err
    assert "nothing was left out" in done.err
    assert "big.bin" in program.good("ls", "latest", "entities").out.splitlines()


def test_too_little_space_is_seen_before_anything_is_stored(program: Program, memory: Path) -> None:
    """A memory that asks for more free space than the disk has gets no snapshot, and is told which setting it was."""
    settings(memory, min_free_space_mb=1 << 40)
    done = program("snapshot", memory)
    assert done.code == 1
    assert "min_free_space_mb" in done.err
    assert living(program) == []


def test_low_relevance_is_left_out_only_where_that_is_said(program: Program, memory: Path) -> None:
    """A full backup is full. With `include_low_relevance` false it is selective, and leaves out low scores."""
    settings(memory, min_relevance_score=0.5)
    first = snapshot(program, memory, "--json").document
    assert (first["class"], first["counters"]["files"]) == ("full", 3)
    settings(memory, min_relevance_score=0.5, include_low_relevance=False)
    second = snapshot(program, memory, "--json").document
    assert (second["class"], second["counters"]["files"]) == ("selective", 2)
    found = program.good("ls", "--recursive", second["id"]).out
    assert "Learning-x-20250102.json" in found
    assert "Learning-x-20250101.json" not in found


def test_incremental_ones_can_be_ruled_out(program: Program, memory: Path) -> None:
    """`incremental_backup_enabled` false: `--incremental` is refused and the file that says so named."""
    said = settings(memory, incremental_backup_enabled=False)
    snapshot(program, memory)
    done = program("snapshot", memory, "--source", "mine", "--incremental")
    assert done.code == 2
    assert f"incremental_backup_enabled is false ({said})" in done.err
    settings(memory)
    snapshot(program, memory, "--incremental")


def test_what_the_command_line_selects_comes_first(program: Program, memory: Path) -> None:
    """With low relevance left out by settings, a score on the command line counts instead; other choices add to it."""
    settings(memory, include_low_relevance=False, min_relevance_score=0.5)

    def entities(*options: str) -> list[str]:
        made = snapshot(program, memory, "--json", *options).document["id"]
        listed = program.good("ls", "--recursive", made).out.split()
        return [line.rpartition("/")[2] for line in listed if "Learning-" in line]

    assert len(entities("--min-relevance", "0.05")) == 2
    assert entities("--types", "Learning") == ["Learning-x-20250102.json"]
