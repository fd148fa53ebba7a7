"""What a memory's own file may say of the place for backups."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from icc_store.config import choose_repository, read_config
from icc_store.config.trust import refuse_foreign
from icc_store.errors import ConfigError


def memory_naming(home: Path, place: Path) -> dict[str, str]:
    """The environment of a user whose memory says so."""
    config = home / ".claude" / "memory" / "config"
    config.mkdir(parents=True)
    (config.parent / "entities").mkdir()
    (config / "settings.json").write_text(json.dumps({"backup_directory": str(place)}))
    return {"HOME": str(home)}


def test_a_place_where_others_may_write(tmp_path: Path) -> None:
    """A repository where anybody may write is refused when the memory names it, and not when a user does."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    environ = memory_naming(tmp_path / "home", tmp_path / "shared")
    with pytest.raises(ConfigError, match="others than this user may write"):
        choose_repository(None, environ, read_config(environ))
    given = {**environ, "ICC_STORE_BACKUP_DIRECTORY": str(tmp_path / "shared")}
    assert choose_repository(None, given, read_config(given)).path == tmp_path / "shared" / "store"
    assert choose_repository("/r", environ, read_config(environ)).path == Path("/r")


def test_a_repository_of_somebody_else(tmp_path: Path) -> None:
    """In a directory like /tmp a new place is ours; one that somebody else has put there is refused."""
    tmp_path.chmod(0o1777)
    refuse_foreign(tmp_path / "new" / "store", "settings.json")
    (tmp_path / "store").mkdir()
    (tmp_path / "store").chmod(0o777)
    with pytest.raises(ConfigError):
        refuse_foreign(tmp_path / "store", "settings.json")
    (tmp_path / "store").chmod(0o700)
    refuse_foreign(tmp_path / "store", "settings.json")
    if os.geteuid() == 0:
        os.chown(tmp_path / "store", 12345, 12345)
        with pytest.raises(ConfigError, match="names"):
            refuse_foreign(tmp_path / "store", "settings.json")


def test_what_cannot_be_looked_at_is_left_to_opening(tmp_path: Path) -> None:
    """A way through a file says nothing of owners; whoever opens the repository tells what is wrong."""
    (tmp_path / "file").touch()
    refuse_foreign(tmp_path / "file" / "store", "settings.json")
