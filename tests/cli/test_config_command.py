"""`icc-store config`: every value, who says so, and what is wrong."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from icc_store.config.settings import ZSTD_LEVELS
from icc_store.entities.settings import KEYS
from tests.support.program import Program


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    (tmp_path / "memory" / "entities").mkdir(parents=True)
    (tmp_path / "memory" / "config").mkdir()
    return tmp_path / "memory"


@pytest.fixture
def ours(tmp_path: Path) -> Program:
    return Program(tmp_path / "repository", os.environ | {"HOME": str(tmp_path / "home")})


def configure(program: Program, text: str) -> Path:
    path = Path(program.environ["HOME"], ".config/icc-store/config.toml")
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def by_key(document: dict[str, list[dict[str, object]]]) -> dict[object, tuple[object, object]]:
    return {row["key"]: (row["value"], row["origin"]) for row in document["settings"]}


def test_every_value_and_where_it_came_from(ours: Program, memory: Path) -> None:
    """All keys are there, each with its value and its origin: command line, variable, file, default."""
    own = memory / "config" / "settings.json"
    own.write_text('{"version": "1.0", "auto_cleanup_days": 180, "backup_retention_days": 30}')
    config = configure(ours, 'source = "mine"\nmax_backups_kept = 5\n')
    rows = by_key(ours.good("config", memory, "--json", ICC_STORE_COMPRESSION_LEVEL="9").document)
    assert list(rows) == ["repository", "source", "host", *KEYS]
    assert rows["repository"] == (str(ours.repository), "command line")
    assert rows["source"] == ("mine", str(config))
    assert rows["host"] == (None, "default")
    assert rows["backup_retention_days"] == (30, str(own))
    assert rows["max_backups_kept"] == (5, str(config))
    assert rows["compression_level"] == (9, "environment (ICC_STORE_COMPRESSION_LEVEL)")
    assert rows["automatic_cleanup"] == (True, "default")
    assert rows["temp_directory"] == (f"{ours.environ['HOME']}/.cache/icc-store/tmp", "default")


def test_as_a_table(ours: Program) -> None:
    """People get a table of keys, values and origins, and below it what the nine levels mean."""
    lines = ours.good("config").out.splitlines()
    assert lines[0].split() == ["key", "value", "origin"]
    assert "automatic_cleanup true default" in [" ".join(line.split()) for line in lines]
    assert lines[-3].split() == ["compression_level", *map(str, ZSTD_LEVELS)]
    assert lines[-2].split() == ["zstd", "level", *map(str, ZSTD_LEVELS.values())]
    assert lines[-1].startswith("new content is compressed at zstd level 3;")
    off = ours.good("config", ICC_STORE_COMPRESSION_ENABLED="false").out.splitlines()
    assert off[-1].startswith("compression_enabled is false: new content is stored as it is")


def test_what_is_wrong_in_the_memorys_own_files(ours: Program, memory: Path) -> None:
    """The table is printed, then the error: exit code 1, with file, key and what was expected; JSON has it too."""
    own = memory / "config" / "settings.json"
    own.write_text('{"compression_level": 11, "parallel_threads": 2}')
    done = ours("config", memory)
    assert done.code == 1
    assert f"{own}: compression_level must be a whole number from 1 to 9, not 11" in done.err
    document = ours("config", memory, "--json").document
    assert by_key(document)["compression_level"] == (6, "default")
    assert by_key(document)["parallel_threads"] == (2, str(own))
    assert [(one["file"], one["key"]) for one in document["problems"]] == [(str(own), "compression_level")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("max_backup_kept = 3", "unknown key 'max_backup_kept' (did you mean max_backups_kept?)"),
        ("max_backups_kept = 'ten'", "max_backups_kept must be a whole number from 1 to 1000000, not 'ten'"),
    ],
)
def test_what_is_wrong_in_the_users_own_file(ours: Program, text: str, says: str) -> None:
    """An unknown key, or one of the wrong type, ends it with exit code 1, naming the file and what was meant."""
    path = configure(ours, text)
    done = ours("config", "--json")
    assert done.code == 1
    assert json.loads(done.out)["error"]["class"] == "ConfigError"
    assert f"{path}: " in done.err
    assert says in done.err.replace("\n  ", " ").replace("hint: ", "") or says.partition(" (")[0] in done.err


def test_a_broken_file_of_the_memory_stops_no_snapshot(ours: Program, memory: Path) -> None:
    """The snapshot is taken with the defaults; a warning names file, key and expectation."""
    own = memory / "config" / "settings.json"
    own.write_text('{"compression_level": "best"}')
    assert ours("init").code == 0
    done = ours("snapshot", memory)
    assert done.code == 0
    assert f"{own}: compression_level must be a whole number from 1 to 9, not 'best'; the default stands" in done.err
    assert len(ours("list", "--json").document["snapshots"]) == 1
