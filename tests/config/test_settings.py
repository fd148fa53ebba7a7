"""The settings that hold for a memory, and who says so."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from icc_store.config import config_path, read_config, settings_for
from icc_store.config.settings import ZSTD_LEVELS, Settings
from icc_store.errors import ConfigError
from icc_store.limits import DEFAULT_LEVEL, MIB, NO_COMPRESSION


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    (tmp_path / "memory" / "entities").mkdir(parents=True)
    (tmp_path / "memory" / "config").mkdir()
    return tmp_path / "memory"


def says(memory: Path, file: str = "settings.json", **values: object) -> Path:
    path = memory / "config" / file
    path.write_text(json.dumps(values))
    return path


def held(memory: Path | None, home: Path = Path("/home/ada"), **more: str) -> Settings:
    environ = {"HOME": str(home), **more}
    return settings_for(memory, environ, read_config(environ))


def test_defaults() -> None:
    """Nobody says anything: the defaults hold, with paths below the home directory, and none is called given."""
    settings = held(None)
    assert settings.backup_directory == "/home/ada/.claude/memory/backups"
    assert settings.temp_directory == "/home/ada/.cache/icc-store/tmp"
    assert (settings.max_backups_kept, settings.origin("max_backups_kept")) == (10, "default")
    assert not settings.is_given("max_backups_kept")
    assert held(None, XDG_CACHE_HOME="/var/cache").temp_directory == "/var/cache/icc-store/tmp"


def test_who_is_heard_first(memory: Path, tmp_path: Path) -> None:
    """The environment before config.toml, that before the memory's own JSON, that before the default."""
    own = says(memory, max_backups_kept=2, parallel_threads=2, min_free_space_mb=2)
    path = config_path({"HOME": str(tmp_path)})
    path.parent.mkdir(parents=True)
    path.write_text("max_backups_kept = 3\nparallel_threads = 3\n")
    settings = held(memory, tmp_path, ICC_STORE_MAX_BACKUPS_KEPT="4", ICC_STORE_BACKUP_RETENTION_DAYS="")
    assert (settings.max_backups_kept, settings.parallel_threads, settings.min_free_space_mb) == (4, 3, 2)
    assert settings.backup_retention_days == 90
    assert settings.origin("max_backups_kept") == "environment (ICC_STORE_MAX_BACKUPS_KEPT)"
    assert settings.origin("parallel_threads") == str(path)
    assert settings.origin("min_free_space_mb") == str(own)
    assert settings.origin("backup_retention_days") == "default"


def test_a_key_set_to_its_default_is_given(memory: Path) -> None:
    """Somebody who writes down the default has said so."""
    says(memory, include_low_relevance=True)
    assert held(memory).is_given("include_low_relevance")


def test_any_json_file_of_the_memorys_config_counts(memory: Path) -> None:
    """`settings.json` has the first word, then the others in the order of their names; hidden ones have none."""
    says(memory, max_backups_kept=1)
    says(memory, "a.json", max_backups_kept=2, parallel_threads=2)
    says(memory, "b.json", max_backups_kept=3, parallel_threads=3, compression_level=3)
    says(memory, ".hidden.json", automatic_cleanup=False)
    says(memory, "notes.txt", automatic_cleanup=False)
    settings = held(memory)
    assert (settings.max_backups_kept, settings.parallel_threads, settings.compression_level) == (1, 2, 3)
    assert settings.automatic_cleanup


def test_only_a_memory_is_asked(tmp_path: Path) -> None:
    """A directory without entities may have a config/settings.json of somebody else's: it is not looked at."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "settings.json").write_text('{"max_backups_kept": "?"}')
    settings = held(tmp_path)
    assert (settings.max_backups_kept, settings.problems) == (10, ())


def test_what_is_broken_in_a_memory_is_told_and_the_rest_holds(memory: Path) -> None:
    """Every problem names file, key and expectation; defaults stand for what is wrong, sound keys count."""
    own = says(memory, max_backups_kept="ten", parallel_threads=2)
    cut = memory / "config" / "rules.json"
    cut.write_text('{"rules": [')
    settings = held(memory)
    assert (settings.max_backups_kept, settings.parallel_threads) == (10, 2)
    assert [(problem.file, problem.key) for problem in settings.problems] == [(own, "max_backups_kept"), (cut, "")]
    assert str(settings.problems[0]) == f"{own}: max_backups_kept must be a whole number from 1 to 1000000, not 'ten'"


def test_nothing_in_its_place_holds_a_backup_up(memory: Path) -> None:
    """A pipe, a directory, a link to nowhere, a huge file where settings should be: problems, and no waiting."""
    os.mkfifo(memory / "config" / "a.json")
    (memory / "config" / "b.json").mkdir()
    (memory / "config" / "c.json").symlink_to("nowhere")
    (memory / "config" / "d.json").write_bytes(b" " * (MIB + 1))
    settings = held(memory)
    assert [problem.file.name for problem in settings.problems] == ["a.json", "b.json", "c.json", "d.json"]


def test_the_users_own_words_must_be_right() -> None:
    """A variable that holds the wrong thing is an error that names it and what was expected."""
    with pytest.raises(ConfigError, match=r"ICC_STORE_COMPRESSION_LEVEL: .* whole number from 1 to 9, not 'best'"):
        held(None, ICC_STORE_COMPRESSION_LEVEL="best")


def test_levels() -> None:
    """Each of the nine levels has a zstd level, rising; the default one is the project's own; none means none."""
    assert list(ZSTD_LEVELS) == list(range(1, 10))
    assert sorted(set(ZSTD_LEVELS.values())) == list(ZSTD_LEVELS.values())
    assert held(None).level == DEFAULT_LEVEL
    assert held(None, ICC_STORE_COMPRESSION_LEVEL="9").level == ZSTD_LEVELS[9]
    assert held(None, ICC_STORE_COMPRESSION_ENABLED="false").level == NO_COMPRESSION
    assert NO_COMPRESSION not in ZSTD_LEVELS.values()


def test_what_is_made_of_them() -> None:
    """Threads are no more than there are cores, directories are paths."""
    settings = held(None, ICC_STORE_PARALLEL_THREADS="256", ICC_STORE_TEMP_DIRECTORY="~/tmp")
    assert settings.threads == os.cpu_count()
    assert held(None, ICC_STORE_PARALLEL_THREADS="1").threads == 1
    assert settings.temporary == Path("/home/ada/tmp")
    assert settings.backups == Path("/home/ada/.claude/memory/backups")


def test_bounds_made_for_memories_bind_nobody_else(memory: Path) -> None:
    """500 MiB to be left free and a warning above 100 MiB are for memories; elsewhere they hold where somebody says so.

    Megabytes are MiB.
    """
    assert (held(memory).min_free_bytes, held(memory).max_backup_bytes) == (500 * MIB, 100 * MIB)
    assert (held(None).min_free_bytes, held(None).max_backup_bytes) == (0, None)
    asked = held(None, ICC_STORE_MIN_FREE_SPACE_MB="7", ICC_STORE_MAX_BACKUP_SIZE_MB="8")
    assert (asked.min_free_bytes, asked.max_backup_bytes) == (7 * MIB, 8 * MIB)
