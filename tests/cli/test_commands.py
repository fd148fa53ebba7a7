"""The commands that look and annotate: what they print, as text and as JSON."""

from __future__ import annotations

import importlib
import os
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from icc_store.cli.main import module_name
from icc_store.model.record import Subject
from icc_store.opening import create_repository, open_repository
from tests.support.program import Program, finish


def fields_fit(value: Any, described: Any, where: str = "") -> list[str]:
    """Fields of a document that docs/cli.md does not describe."""
    if isinstance(value, list):
        return [miss for one in value for miss in fields_fit(one, described, where)]
    if not isinstance(value, dict) or not isinstance(described, Mapping):
        return []
    return [
        miss
        for name, one in value.items()
        for miss in (
            fields_fit(one, described[name], f"{where}.{name}")
            if name in described
            else []
            if name.removesuffix("_b64") in described
            else [f"{where}.{name}"]
        )
    ]


@pytest.mark.parametrize(
    ("arguments", "required"),
    [
        (("list",), {"snapshots", "total", "repository"}),
        (("show", "first"), {"snapshot", "counters", "warnings", "annotations"}),
        (("ls", "first", "-R"), {"snapshot", "path", "entries"}),
        (("find", "**/*"), {"pattern", "versions", "searched", "damaged"}),
        (("stats",), {"steps", "kinds", "snapshots", "blocks"}),
        (("completion", "fish"), {"shell", "script"}),
        (("tag", "first", "a"), {"snapshots"}),
        (("pin", "first"), {"snapshots"}),
        (("note", "first", "text"), {"snapshots"}),
        (("snapshot", "here"), {"id", "seq", "time", "source", "class", "root"}),
    ],
)
def test_documents_are_as_described(
    program: Program, tmp_path: Path, arguments: tuple[str, ...], required: set[str]
) -> None:
    """`--json` prints one document with schema and command, and no field that docs/cli.md leaves out."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "file").write_text("x")
    arguments = tuple(str(tmp_path / one) if one == "here" else one for one in arguments)
    document = program.good("--json", *arguments).document
    assert document.pop("schema") == 1
    assert document.pop("command") == arguments[0]
    assert required <= set(document)
    described = importlib.import_module(f"icc_store.cli.commands.{module_name(arguments[0])}").DOCUMENT
    assert fields_fit(document, described) == []


def test_list_rows(look: Program) -> None:
    """Rows have id, seq, time, source, class and root, and more; the order is that of commits."""
    rows = look.good("list", "--json-lines").rows
    assert [row["seq"] for row in rows] == [1, 2, 3]
    assert rows == look.good("list", "--json").document["snapshots"]
    first = rows[0]
    assert first["time"] == "2026-11-01T12:00:00.000000000Z"
    assert (first["source"], first["class"], first["name"], first["tags"]) == ("home", "full", "first", ["good"])
    assert len(first["id"]) == len(first["root"]) == 64
    assert first["size"] == 5015
    assert first["files"] == 5


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ((), [1, 2, 3]),
        (("--last", "1"), [3]),
        (("--source", "home"), [1, 2]),
        (("--source", "home", "--last", "1"), [2]),
        (("--tag", "good"), [1]),
        (("--tag", "good", "--tag", "bad"), []),
        (("--name", "first"), [1]),
        (("--name", "nothing"), []),
    ],
)
def test_list_filters(look: Program, filters: tuple[str, ...], numbers: list[int]) -> None:
    """Filters are combined, and `--last` counts what fits the others."""
    assert [row["seq"] for row in look.good("list", "--json-lines", *filters).rows] == numbers


def test_list_as_a_table(look: Program) -> None:
    """The table is aligned, fits 80 columns, and leaves out columns that say nothing."""
    lines = look.good("list", COLUMNS="80").out.splitlines()
    assert len(lines) == 4
    assert max(map(len, lines)) <= 80
    assert "CLASS" not in lines[0]
    assert "SOURCE" in lines[0]
    start = lines[0].index("TIME")
    assert [line[start : start + 16] for line in lines[1:]] == [f"2026-11-01 {hour}:00" for hour in (12, 13, 14)]


def test_list_of_forgotten_ones(program: Program) -> None:
    """Forgotten snapshots are listed with `--all` only, and the list says that there are some."""
    with open_repository(program.repository) as repository:
        repository.annotate(repository.snapshots()[1].id, Subject.FORGOTTEN, value=True)
    assert "1 forgotten snapshot not listed" in program.good("list").out
    assert "forgotten" in program.good("list", "--all").out
    assert [row["seq"] for row in program.good("list", "--json-lines").rows] == [1, 3]
    rows = program.good("list", "--json-lines", "--all").rows
    assert rows[1]["forgotten"]


def test_an_empty_repository(tmp_path: Path) -> None:
    """Without a snapshot, list, find and stats work and say so."""
    create_repository(tmp_path / "new")
    program = Program(tmp_path / "new")
    assert "no snapshot yet" in program.good("list").out
    assert program.good("list", "--json").document["snapshots"] == []
    assert program.good("list", "--json-lines").out == ""
    assert "nothing matches" in program.good("find", "x").out
    assert "0 snapshots" in program.good("stats").out
    assert program("show", "latest").code == 4


def test_show(look: Program) -> None:
    """Everything about a snapshot, warnings with their files."""
    text = look.good("show", "latest", "--source", "home").out
    assert "/home/ada/notes" in text
    assert "d/secret: permission denied" in text
    document = look.good("show", "2026-11-01", "--source", "home", "--json").document
    assert document["warnings"] == [{"path": "d/secret", "message": "permission denied"}]
    assert document["snapshot"]["paths"] == ["/home/ada/notes"]
    assert document["counters"]["files"] == 6


def test_ls(look: Program) -> None:
    """Names in byte order, directories with a slash; below a path; everything with -R; one file alone."""
    assert look.good("ls", "first").out.splitlines() == ["a.md", "bad\\xff\\x1b", "d/", "empty", "link"]
    assert look.good("ls", "first", "d").out.splitlines() == ["b.json", "e/"]
    assert look.good("ls", "first", "/home/ada/notes/d/").out.splitlines() == ["b.json", "e/"]
    assert look.good("ls", "first", "d", "-R").out.splitlines() == ["d/b.json", "d/e/", "d/e/f.txt"]
    assert look.good("ls", "first", "d/b.json").out.splitlines() == ["b.json"]


def test_a_path_decides_the_source(look: Program) -> None:
    """`latest` of several sources is clear where the absolute path was read by one of them only."""
    assert "large" in look.good("ls", "latest", "/home/ada/notes").out
    assert look.good("cat", "latest", "/home/ada/notes/a.md").out == "hello again\n"
    assert look("ls", "latest", "a.md").code == 4


def test_ls_long(look: Program) -> None:
    """Mode, owners by name, size, time, name, and where a link points."""
    lines = look.good("ls", "-l", "first").out.splitlines()
    assert lines[0].split() == ["-rw-r--r--", "ada", "users", "6", "B", "2023-11-14", "22:13", "a.md"]
    assert lines[-1].endswith("link -> a.md")
    assert lines[-1].startswith("lrwxrwxrwx")


def test_ls_rows(look: Program) -> None:
    """Names that are not UTF-8 come with all their bytes; rows as lines are the rows of the document."""
    rows = look.good("ls", "first", "--json-lines").rows
    assert rows == look.good("ls", "first", "--json").document["entries"]
    by_path = {row["path"]: row for row in rows}
    odd = by_path["bad\\xff\x1b"]
    assert odd["path_b64"] == "YmFk/xs="
    assert by_path["a.md"]["mode"] == "0644"
    assert by_path["a.md"]["user"] == "ada"
    assert "path_b64" not in by_path["a.md"]
    assert (by_path["link"]["type"], by_path["link"]["target"]) == ("symlink", "a.md")
    assert by_path["d"]["type"] == "directory"
    assert by_path["empty"]["content"] is None


def test_cat(look: Program, kept: Path) -> None:
    """Bytes come as they are, of small files, large ones and empty ones."""
    assert look.good("cat", "first", "a.md").out == "hello\n"
    assert look.good("cat", "first", "empty").out == ""
    assert look.good("cat", "first", os.fsdecode(b"bad\xff\x1b")).out == "1"
    done = subprocess.run(
        look.command("cat", "latest~0", "large", "--source", "home"), env=look.environ, capture_output=True, check=True
    )
    assert done.stdout == bytes(range(256)) * 12_000


def test_find(look: Program) -> None:
    """Each version of a path once, with the snapshots that have it."""
    rows = look.good("find", "a.md", "--json-lines").rows
    assert [(row["size"], [one["seq"] for one in row["snapshots"]]) for row in rows] == [(6, [1, 3]), (12, [2])]
    text = look.good("find", "*.md").out.splitlines()
    assert text[0] == "a.md"
    assert len(text) == 3
    assert "2 snapshots" in text[1]
    assert [row["path"] for row in look.good("find", "d/**/*.txt", "--json-lines").rows] == ["d/e/f.txt"]
    assert look.good("find", "A.MD", "--json-lines").rows == []
    assert len(look.good("find", "-i", "A.MD", "--source", "other", "--json-lines").rows) == 1


def test_annotations(program: Program) -> None:
    """Tags, pins and notes are there afterwards, can be taken away, and say when nothing changed."""
    program.good("tag", "first", "b", "c")
    program.good("tag", "first", "good", "c", "--remove")
    program.good("pin", "first")
    program.good("note", "first", "what it is about")
    row = program.good("list", "--json-lines").rows[0]
    assert (row["tags"], row["pinned"], row["note"]) == (["b"], True, "what it is about")
    assert "as before" in program.good("pin", "first").out
    assert program.good("-q", "pin", "first", "--off").out == ""
    assert program.good("note", "first", "", "--json").document["snapshots"][0]["note"] == ""
    assert program.good("list", "--json-lines").rows[0]["pinned"] is False
    assert program("tag", "first", "a,b").code == 2


def test_init(tmp_path: Path) -> None:
    """`init` makes a repository in a missing or empty directory, and nowhere else."""
    program = Program(tmp_path / "deep" / "repository")
    assert "made a repository" in program.good("init").out
    assert stat.S_IMODE((tmp_path / "deep" / "repository").stat().st_mode) == 0o700
    again = program("init")
    assert (again.code, again.err.count("\n")) == (1, 1)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("")
    assert program("init", tmp_path / "full").code == 1
    assert program("init", tmp_path / "full" / "x").code == 1
    (tmp_path / "empty").mkdir()
    assert program.good("init", tmp_path / "empty", "--json").document["path"] == str(tmp_path / "empty")


def test_init_in_the_default_place(tmp_path: Path) -> None:
    """Without --repo, `init` makes the default repository: beside the memory where there is one."""
    program = Program(tmp_path)
    command = [part for part in program.command("init") if part not in ("--repo", str(tmp_path))]
    home = tmp_path / "home"
    home.mkdir()
    assert finish(command, program.environ | {"HOME": str(home)}).code == 0
    assert (home / ".local/share/icc-store/store/repository.json").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(look: Program, shell: str) -> None:
    """Each shell gets a script that asks the program."""
    assert "_ICC_STORE_COMPLETE" in look.good("completion", shell).out


@pytest.mark.parametrize(
    ("words", "expected"), [("icc-store sn", "plain,snapshot"), ("icc-store list --la", "plain,--last")]
)
def test_completion(look: Program, words: str, expected: str) -> None:
    """Commands and their options are completed."""
    command = [part for part in look.command() if part not in ("--repo", str(look.repository))]
    asked = {"_ICC_STORE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    assert expected in finish(command, look.environ | asked).out.splitlines()


def test_a_default_repository_is_made_at_first_use(tmp_path: Path) -> None:
    """`snapshot` makes the default repository and says so; what only looks never does."""
    program = Program(tmp_path)
    home, notes = tmp_path / "home", tmp_path / "notes"
    home.mkdir()
    notes.mkdir()
    environ = program.environ | {"HOME": str(home)}
    bare = [part for part in program.command() if part not in ("--repo", str(tmp_path))]
    assert finish([*bare, "list"], environ).code == 4
    assert not (home / ".local").exists()
    done = finish([*bare, "snapshot", str(notes)], environ)
    assert done.code == 0
    assert "made a new repository at" in done.err
    assert finish([*bare, "snapshot", str(notes)], environ).err == ""
    assert finish([*bare, "--repo", str(tmp_path / "typo"), "snapshot", str(notes)], environ).code == 4
    assert not (tmp_path / "typo").exists()


def test_several_of_a_name(program: Program, tmp_path: Path) -> None:
    """Where a name has several snapshots, stderr says which one is meant."""
    for _ in range(2):
        program.good("snapshot", tmp_path, "--name", "twice", "--source", "s", "--exclude", "repository")
    done = program("show", "twice")
    assert done.code == 0
    assert "2 snapshots are called twice" in done.err


def test_damage_on_the_way(program: Program) -> None:
    """A block that cannot be read: stats counts the others, says so, and ends with 6; the document is whole."""
    with open_repository(program.repository) as repository, repository.store.write() as txn:
        number = txn.append_block(b"no block")
    done = program("stats", "--json")
    assert done.code == 6
    assert done.document["damaged"][0]["block"] == number
    assert "icc-store verify" in done.err
    assert program("stats").code == 6
