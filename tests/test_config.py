"""Which repository is meant, and what the configuration file may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from icc_store.config import Config, choose_repository, config_path, read_config
from icc_store.errors import ConfigError, UsageError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def environ(home: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(home), **more}


def write(home: Path, text: str) -> None:
    path = config_path(environ(home))
    path.parent.mkdir(parents=True)
    path.write_text(text)


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


def test_what_the_file_may_say(home: Path) -> None:
    """Repository, source and host; a path below the home may be written with a tilde."""
    assert read_config(environ(home)) == Config(config_path(environ(home)))
    write(home, 'repository = "~/store"\nsource = "notes"\nhost = "box"\n')
    config = read_config(environ(home))
    assert (config.repository, config.source, config.host) == (home / "store", "notes", "box")


def test_the_file_is_looked_for_where_xdg_says(home: Path) -> None:
    """XDG_CONFIG_HOME moves it; a relative one is ignored."""
    assert config_path(environ(home, XDG_CONFIG_HOME="/etc/xdg")) == Path("/etc/xdg/icc-store/config.toml")
    assert config_path(environ(home, XDG_CONFIG_HOME="xdg")) == home / ".config/icc-store/config.toml"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("repositry = '/x'", "unknown key 'repositry'"),
        ("repository = 3", "repository must be a text"),
        ("repository = ''", "repository must be a text"),
        ("repository = 'store'", "absolute"),
        ("source = ['a']", "source must be a text"),
        ("host = true", "host must be a text"),
        ("[repository]\npath = '/x'", "repository must be a text"),
        ("source = ", "not TOML"),
        ("source = '\\xff'", "not TOML"),
    ],
)
def test_a_wrong_file(home: Path, text: str, says: str) -> None:
    """Whatever is wrong in it, the message names the file and the key."""
    path = config_path(environ(home))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"source = '\xff'" if "xff" in text else text.encode())
    with pytest.raises(ConfigError, match=says) as error:
        read_config(environ(home))
    assert str(path) in str(error.value)


def test_a_file_that_cannot_be_read(home: Path) -> None:
    """A directory in its place is an error that names it."""
    config_path(environ(home)).mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config(environ(home))
