"""export and import of a memory, as processes: where backups go, what is said, exit codes."""

from __future__ import annotations

import importlib
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from icc_store.cli.main import module_name
from tests.support.memories import make_memory
from tests.support.program import Done, Program


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a memory where it usually is."""
    (tmp_path / "home" / ".claude").mkdir(parents=True)
    make_memory(tmp_path / "home" / ".claude" / "memory", 20)
    return tmp_path / "home"


@pytest.fixture
def program(home: Path, tmp_path: Path) -> Program:
    """The program on a repository with one snapshot of the memory, called friday."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("ICC_STORE", "XDG", "CLAUDE"))}
    made = Program(tmp_path / "repository", environ | {"HOME": str(home)})
    made.good("init")
    assert made("snapshot", "--name", "friday").code == 0
    return made


def described(command: str) -> set[str]:
    return {"schema", "command", *importlib.import_module(f"icc_store.cli.commands.{module_name(command)}").DOCUMENT}


def exported(program: Program, *arguments: str | Path) -> dict[str, Any]:
    document: dict[str, Any] = program.good("export", "friday", *arguments, "--json").document
    assert set(document) == described("export")
    return document


def test_without_a_file_it_goes_to_the_backup_directory(program: Program, home: Path) -> None:
    """Named as the manifest's backup_id; a second export leaves the first unless it is forced."""
    document = exported(program, "--tar")
    place = home / ".claude" / "memory" / "backups"
    assert document["file"] == str(place / f"{document['backup_id']}.tar.gz")
    assert [path.name for path in place.iterdir()] == [f"{document['backup_id']}.tar.gz"]
    with tarfile.open(document["file"], "r:gz") as archive:
        assert archive.getnames()[:2] == [document["backup_id"], f"{document['backup_id']}/manifest.json"]
    before = Path(document["file"]).read_bytes()
    assert program("export", "friday", "--tar").code == 1
    assert exported(program, "--tar", "--force")["integrity_hash"] == document["integrity_hash"]
    assert Path(document["file"]).read_bytes() == before


def test_the_settings_say_where_backups_are(program: Program, home: Path, tmp_path: Path) -> None:
    """`backup_directory` of the settings is where export goes without FILE and DIR."""
    config = home / ".config" / "icc-store"
    config.mkdir(parents=True)
    (config / "config.toml").write_text(f'backup_directory = "{tmp_path / "elsewhere"}"\n')
    tar, directory = exported(program, "--tar"), exported(program, "--directory")
    names = {f"{tar['backup_id']}.tar.gz", tar["backup_id"]}
    assert {path.name for path in (tmp_path / "elsewhere").iterdir()} == names
    assert directory["file"] == str(tmp_path / "elsewhere" / tar["backup_id"])


def test_unpacked(program: Program, tmp_path: Path) -> None:
    """`--directory DIR` makes the backup in DIR, as coreutils can check; import takes it."""
    document = exported(program, "--directory", tmp_path / "out")
    top = Path(document["file"])
    assert top.parent == tmp_path / "out"
    assert (document["format"], document["written_size"], document["links"]) == ("directory", None, None)
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=top, check=True)
    back = program.good("import", tmp_path / "out", "--json").document
    assert back["checked"] == document["files"] == back["counters"]["files"]


def test_there_and_back(program: Program, tmp_path: Path) -> None:
    """Root, name and time come back; the text says how many files were proven, the document has all fields."""
    exported(program, "--tar", tmp_path / "x.tar.zst")
    document = program.good("import", tmp_path / "x.tar.zst", "--json").document
    assert set(document) == described("import")
    first, second = program.good("list", "--json").document["snapshots"]
    assert [first[key] for key in ("root", "name", "time")] == [second[key] for key in ("root", "name", "time")]
    assert f"{first['files']} files proven by SHA256SUMS" in program.good("import", tmp_path / "x.tar.zst").out


def test_plain(program: Program, tmp_path: Path) -> None:
    """The bare tree has nothing of ours, and comes back as what it is; so has a part of a memory."""
    document = exported(program, "--tar", tmp_path / "x.tar", "--plain")
    assert (document["backup_id"], document["integrity_hash"]) == (None, None)
    with tarfile.open(tmp_path / "x.tar") as archive:
        assert archive.getnames()[0] == "."
        assert "manifest.json" not in archive.getnames()
    assert (
        program.good("import", tmp_path / "x.tar", "--json").document["snapshot"]["root"]
        == document["snapshot"]["root"]
    )
    program.good("export", "friday", "--tar", tmp_path / "part.tar", "config")
    with tarfile.open(tmp_path / "part.tar") as archive:
        assert archive.getnames()[0] == "config"


def test_to_a_pipe(program: Program, tmp_path: Path) -> None:
    """`export --tar - | sha256sum -c` works through any tar."""
    command = " ".join(program.command("export", "friday", "--tar", "-"))
    script = f"{command} | tar -xf - -C {tmp_path} && cd {tmp_path}/backup-* && sha256sum --quiet -c SHA256SUMS"
    subprocess.run(["bash", "-o", "pipefail", "-c", script], env=program.environ, check=True)


def test_a_damaged_backup(program: Program, tmp_path: Path) -> None:
    """It is imported as far as it goes; the files are named, the exit code is 3, and the manifest remembers."""
    top = Path(exported(program, "--directory", tmp_path)["file"])
    (top / "config" / "settings.json").write_text("{}")
    (top / "indexes" / "date-index.json").unlink()
    done = program("import", top, "--json")
    assert (done.code, [one["path"] for one in done.document["problems"]]) == (
        3,
        ["config/settings.json", "indexes/date-index.json"],
    )
    assert "config/settings.json: it is not what SHA256SUMS" in done.err
    assert (
        program("manifest", done.document["snapshot"]["id"], "--json").document["manifest"]["validation_passed"]
        is False
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("export", "friday"), "--tar [FILE] or --directory [DIR]"),
        (("export", "friday", "--tar", "x.tar", "--directory", "x"), "--tar [FILE] or --directory [DIR]"),
        (("export", "friday", "--directory", "x", "--plain"), "--directory writes the whole backup"),
        (("export", "friday", "config", "--directory", "x"), "--directory writes the whole backup"),
        (("export", "friday", "config", "--tar"), "name a file"),
        (("export", "friday", "--plain", "--tar"), "name a file"),
        (("export", "notes", "--tar"), "name a file"),
        (("export", "notes", "--directory", "x"), "of no memory"),
    ],
)
def test_what_makes_no_sense(program: Program, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    """Each has one line, exit code 2, and leaves nothing behind."""
    (tmp_path / "notes").mkdir()
    program.good("snapshot", tmp_path / "notes", "--name", "notes")
    done: Done = program(*arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert not Path("x").exists()
