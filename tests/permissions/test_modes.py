"""Who may read what the program makes: its owner, from the first instant on, whatever the umask.

Where strace is to be had, each call that makes a file or directory is looked at, those of liblmdb and of child
processes too; the modes that are left at the end are looked at in any case.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.memories import MEMORY
from tests.support.program import Program

_CALL = re.compile(
    r"\b(openat|open|creat|mkdir|mkdirat|mknod|mknodat|fchmod|fchmodat|fchmodat2|chmod)\((.*)\) += (-?\d+)"
)
_MODE = re.compile(r", (0[0-7]*)$")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_MAKING = "openat,open,creat,mkdir,mkdirat,mknod,mknodat"
_CHANGING = "fchmod,fchmodat,chmod"
_OPEN_TO_ALL = "import os, sys; os.umask(0); os.execv(sys.argv[1], sys.argv[1:])"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A memory with a database in use, and the directories that a user has anyway."""
    for name in ("state", "cache", "config", "data"):
        (tmp_path / name).mkdir(mode=0o700)
    for name, data in MEMORY.items():
        path = tmp_path / "memory" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    database = sqlite3.connect(tmp_path / "memory" / "live.db")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE t (x)")
    database.commit()
    database.execute("BEGIN IMMEDIATE")
    yield tmp_path
    database.close()


def calls(
    place: Path, *arguments: str | Path, also: str = "", codes: tuple[int, ...] = (0,)
) -> list[tuple[str, str, int]]:
    """Run the program with no umask at all. The calls that made or changed something: name, arguments, mode."""
    homes = {f"XDG_{name.upper()}_HOME": str(place / name) for name in ("state", "cache", "config", "data")}
    program = Program(place / "store", os.environ | homes | {"PYTHONDONTWRITEBYTECODE": "1"})
    log = place / "strace.log"
    tracer = shutil.which("strace")
    traced = [tracer, "-f", "-qq", "-e", f"trace={_MAKING}{also}", "-s", "500", "-o", str(log)] if tracer else []
    command = [*traced, sys.executable, "-c", _OPEN_TO_ALL, *program.command(*arguments)]
    done = subprocess.run(command, env=program.environ, capture_output=True, text=True, check=False)
    assert done.returncode in codes, done
    if not tracer:
        return []
    found = []
    for line in log.read_text("utf-8", "replace").splitlines():
        call = _CALL.search(line)
        mode = _MODE.search(call[2]) if call else None
        if call and mode and int(call[3]) >= 0:
            found.append((call[1], call[2], int(mode[1], 8)))
    log.unlink()
    return found


def shown_to_others(found: list[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    """Calls that let others in. SQLite makes its own in a private directory, and opens the files of a live database."""
    spared = ("/.icc-sqlite-", "/live.db", '"/dev/null"')
    return [one for one in found if one[2] & _OTHERS and not any(text in one[1] for text in spared)]


def open_to_others(*tops: Path) -> list[str]:
    """What others could look into now."""
    below = [path for top in tops for path in (top, *top.rglob("*"))]
    return [str(path) for path in below if not path.is_symlink() and path.stat().st_mode & _OTHERS]


def test_everything_is_made_private(place: Path) -> None:
    """Repository, copies, exports, logs, state and temporary files are 0600 and 0700 when they are made and after."""
    made: list[tuple[str, str, int]] = []
    for arguments in (
        ("init",),
        ("snapshot", place / "memory"),
        ("snapshot", place / "memory", "--rehash"),
        ("list",),
        ("verify",),
        ("drill",),
        ("export", "latest", "--tar", place / "out.tar.gz"),
        ("export", "latest", "--plain", "--tar", place / "plain.tar"),
        ("import", place / "plain.tar"),
        ("gc", "--now", "--keep-last", "1"),
        ("gc", "--compact"),
        ("copy", place / "copy"),
    ):
        made += calls(place, *arguments)
    assert shown_to_others(made) == []
    assert shutil.which("strace") is None or len(made) > 30
    assert open_to_others(place / "store", place / "copy", place / "state", place / "cache", place / "out.tar.gz") == []


def test_an_unpacked_export_has_the_modes_of_the_memory(place: Path) -> None:
    """Its own papers are private; the files have the modes they had, and only once they are whole."""
    calls(place, "init")
    calls(place, "snapshot", place / "memory")
    assert shown_to_others(calls(place, "export", "latest", "--directory", place / "unpacked")) == []
    papers = [path for path in (place / "unpacked").rglob("*") if path.name in {"manifest.json", "SHA256SUMS"}]
    assert len(papers) == 2
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in papers)


def test_a_restore_never_widens(place: Path) -> None:
    """Where every file is 0600 and every directory 0700, no call of a restore ever makes or gives more."""
    for path in (place / "memory", *(place / "memory").rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    calls(place, "init")
    calls(place, "snapshot", place / "memory")
    for again in range(2):
        found = calls(place, "restore", "latest", "--target", place / "back", "--yes", also=f",{_CHANGING}")
        assert shown_to_others(found) == [], again
        first = place / "back" / "config" / "settings.json"
        first.write_bytes(b"changed")
        first.chmod(0o644)  # as somebody else may have left it
    assert open_to_others(place / "back" / "entities") == []


def test_a_file_is_opened_up_last(place: Path) -> None:
    """A file that everybody may read is private until it has its contents."""
    (place / "memory" / "config" / "settings.json").chmod(0o644)
    calls(place, "init")
    calls(place, "snapshot", place / "memory")
    found = calls(place, "restore", "latest", "--target", place / "back", also=f",{_CHANGING}")
    assert shown_to_others([one for one in found if not one[0].startswith(("f", "chmod"))]) == []
    assert stat.S_IMODE((place / "back" / "config" / "settings.json").stat().st_mode) == 0o644
