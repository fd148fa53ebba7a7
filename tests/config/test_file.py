"""What `config.toml` may say, and where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from icc_store.config import Config, config_path, read_config
from icc_store.errors import ConfigError
from tests.config.homes import environ, write


def test_what_the_file_may_say(home: Path) -> None:
    """Repository, source and host; a path below the home may be written with a tilde."""
    assert read_config(environ(home)) == Config(config_path(environ(home)))
    write(home, 'repository = "~/store"\nsource = "notes"\nhost = "box"\n')
    config = read_config(environ(home))
    assert (config.repository, config.source, config.host) == (home / "store", "notes", "box")


def test_the_settings_of_a_memory(home: Path) -> None:
    """Every key that a memory's own JSON may hold, under the same name beside the others."""
    write(home, 'source = "notes"\nmax_backups_kept = 3\nmin_relevance_score = 1\ntemp_directory = "~/tmp"\n')
    config = read_config(environ(home))
    assert config.memory == {"max_backups_kept": 3, "min_relevance_score": 1, "temp_directory": "~/tmp"}
    assert config.source == "notes"


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
        ("max_backups_kept = " + "9" * 5000, "is not TOML: Exceeds the limit"),
        ("max_backups_kept = " + "[" * 5000, "is nested too deeply"),
        ("max_backup_kept = 3", r"unknown key 'max_backup_kept' \(did you mean max_backups_kept\?\)"),
        ("colour = 'red'", r"unknown key 'colour' \(known keys: repository, .*temp_directory\)"),
        ("[memory]\nmax_backups_kept = 3", "unknown key 'memory'"),
        ("max_backups_kept = '3'", "max_backups_kept must be a whole number from 1 to 1000000, not '3'"),
        ("max_backups_kept = 0", "max_backups_kept must be a whole number from 1"),
        ("max_backups_kept = true", "max_backups_kept must be a whole number"),
        ("max_backups_kept = 3.0", "max_backups_kept must be a whole number"),
        ("min_relevance_score = 1.1", "min_relevance_score must be a number from 0 to 1, not 1.1"),
        ("min_relevance_score = nan", "min_relevance_score must be a number from 0 to 1, not nan"),
        ("automatic_cleanup = 1", "automatic_cleanup must be true or false, not 1"),
        ("compression_level = 10", "compression_level must be a whole number from 1 to 9"),
        ("temp_directory = 'tmp'", "temp_directory must be an absolute path or one that starts with ~/"),
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
