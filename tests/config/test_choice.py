"""Which repository is meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from icc_store.config import choose_repository, config_path, read_config
from icc_store.errors import UsageError
from tests.config.homes import environ, write


def something_in(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "repository.json").write_text("{}")
    return path


def choice(home: Path, option: str | None = None, **more: str) -> tuple[Path, bool]:
    chosen = choose_repository(option, environ(home, **more), read_config(environ(home, **more)))
    return chosen.path, chosen.made_at_first_use


def test_the_order_of_places(home: Path) -> None:
    """The option wins over the environment, that over the file, and that over the defaults."""
    write(home, f'repository = "{home}/from-file"\n')
    something_in(home / ".claude/memory/backups/store")
    assert choice(home, "option", ICC_STORE_REPO="/variable") == (Path("option"), False)
    assert choice(home, ICC_STORE_REPO="/variable") == (Path("/variable"), False)
    assert choice(home, ICC_STORE_REPO="") == (home / "from-file", False)


def test_the_existing_default_is_used(home: Path) -> None:
    """One of the two default places has a repository: that is the one, also beside a memory that has none."""
    apart = something_in(home / ".local/share/icc-store/store")
    (home / ".claude/memory").mkdir(parents=True)
    assert choice(home) == (apart, False)


def test_two_defaults_are_one_too_many(home: Path) -> None:
    """Both are there: the command asks which one."""
    something_in(home / ".local/share/icc-store/store")
    something_in(home / ".claude/memory/backups/store")
    with pytest.raises(UsageError, match="two repositories"):
        choice(home)
    assert choice(home, "this") == (Path("this"), False)


def test_a_default_is_made_beside_the_memory(home: Path) -> None:
    """Neither is there: made at first use, beside the memory where there is one, else in the XDG place."""
    assert choice(home) == (home / ".local/share/icc-store/store", True)
    assert choice(home, XDG_DATA_HOME=f"{home}/data") == (home / "data/icc-store/store", True)
    assert choice(home, XDG_DATA_HOME="relative") == (home / ".local/share/icc-store/store", True)
    (home / ".claude/memory").mkdir(parents=True)
    assert choice(home) == (home / ".claude/memory/backups/store", True)


def test_an_empty_directory_is_no_repository_and_anything_else_is_not_passed_over(home: Path) -> None:
    """A default place that is empty counts as free; one with files in it, or a file, is opened and found wanting."""
    place = home / ".local/share/icc-store/store"
    place.mkdir(parents=True)
    assert choice(home) == (place, True)
    (place / "data.mdb").write_text("no header beside it")
    assert choice(home) == (place, False)
    beside = home / ".claude/memory/backups/store"
    beside.parent.mkdir(parents=True)
    beside.write_text("a file")
    with pytest.raises(UsageError, match="two repositories"):
        choice(home)


def settings_say(home: Path, directory: str) -> None:
    """A memory whose own settings name a backup directory."""
    memory = home / ".claude/memory"
    (memory / "entities").mkdir(parents=True)
    (memory / "config").mkdir()
    (memory / "config/settings.json").write_text(json.dumps({"backup_directory": directory}))


def test_the_default_one_is_in_the_backup_directory(home: Path) -> None:
    """Whoever sets `backup_directory` moves the default repository with it: it is `store` in there."""
    settings_say(home, "~/safe")
    assert choice(home) == (home / "safe/store", True)
    something_in(home / "safe/store")
    assert choice(home) == (home / "safe/store", False)
    assert choice(home, ICC_STORE_BACKUP_DIRECTORY="/mnt/backups") == (Path("/mnt/backups/store"), True)
    write(home, f'backup_directory = "{home}/file"\n')
    assert choice(home) == (home / "file/store", True)


def test_who_says_where_the_repository_is(home: Path) -> None:
    """The choice names its origin: the command line, a variable, a file, or the default."""

    def origin(option: str | None = None, **more: str) -> str:
        return choose_repository(option, environ(home, **more), read_config(environ(home))).origin

    assert origin() == "default"
    settings_say(home, "~/safe")
    assert origin() == str(home / ".claude/memory/config/settings.json")
    write(home, 'repository = "/x"\n')
    assert origin() == str(config_path(environ(home)))
    assert origin(ICC_STORE_REPO="/y") == "environment (ICC_STORE_REPO)"
    assert origin("z") == "command line"


def test_broken_settings_of_a_memory_hide_no_repository(home: Path) -> None:
    """What a memory says badly counts as not said: the repository in the usual place is found."""
    settings_say(home, "relative")
    store = something_in(home / ".claude/memory/backups/store")
    assert choice(home) == (store, False)
