"""Files of a memory, written by somebody who wants the program to hang, to swell or to die."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.bounded import Bounded, python
from tests.support.memories import MEMORY
from tests.support.program import Program

_READ = """
from icc_store.entities.changes import compare
from icc_store.entities.profiles import RecordFormat
from icc_store.entities.record import RecordError, read_records
from icc_store.entities.secrets import scan_text
from icc_store.entities.validate import check_file
from icc_store.operations.memory.search_text import Text
form, name, parts = ARGS
data = b"".join(text.encode() * times for text, times in parts)
path = name.encode()
check_file(path, data)
scan_text(path, data)
try:
    records = read_records(RecordFormat[form], path, data)
except RecordError as error:
    print("refused:", error)
else:
    for record in records:
        record.flat()
        compare(None, record)
        compare(record, record)
        Text("never there").passages(record)
    print("read")
"""

NOTES = {
    "brackets": [("---\na: ", 1), ("[", 200_000), ("\n---\n", 1)],
    "maps": [("---\na: ", 1), ("{a: ", 100_000), ("\n---\n", 1)],
    "dashes": [("---\n", 1), ("- ", 100_000), ("\n---\n", 1)],
    "question marks": [("---\n", 1), ("? ", 100_000), ("\n---\n", 1)],
    "aliases": [("---\na: &a [x, x]\n", 1), ("b: [*a, *a]\n", 1000), ("---\n", 1)],
    "base 60": [("---\na: 1", 1), (":59", 80_000), ("\n---\n", 1)],
    "digits": [("---\na: ", 1), ("9", 200_000), ("\n---\n", 1)],
    "front matter": [("---\n", 1), ("key: value\n", 300_000), ("---\n", 1)],
    "one heading": [("# a\n", 150_000)],
    "blank lines": [("\n", 5_000_000), ("x", 1)],
    "fences": [("```\n", 500_000)],
}


@pytest.mark.parametrize("name", NOTES)
def test_notes(name: str) -> None:
    """However deep, long or repeated, a note is read or refused soon and in little memory."""
    done = python(_READ, "MARKDOWN", "notes/a.md", NOTES[name])
    assert done.code == 0, done.err[-500:]
    assert done.out.startswith(("read", "refused"))


_NUMBER = 4_000_000
ENTITIES = {
    "lists": [("[", 1_000_000)],
    "maps": [('{"a":', 500_000)],
    "digits": [('{"id":', 1), ("9", _NUMBER), ("}", 1)],
    "exponent": [('{"relevance_score":1e', 1), ("9", _NUMBER), ("}", 1)],
    "wrong tags": [('{"id":"Learning-a","type":"Learning","tags":[1', 1), (",1", 1_000_000), ("]}", 1)],
    "one key": [('{"a":1', 1), (',"a":1', 500_000), ("}", 1)],
    "escapes": [('{"a":"', 1), ("\\u0041", 500_000), ('"}', 1)],
    "almost a password": [('{"a":"', 1), ("password is ", 300_000), ('"}', 1)],
    "almost a token": [('{"a":"', 1), ("eyJaaaaaaaaaaa.", 200_000), ('"}', 1)],
    "almost an address": [('{"a":"', 1), ("a://b:", 500_000), ('"}', 1)],
}


@pytest.mark.parametrize("name", ENTITIES)
def test_entities(name: str) -> None:
    """The same holds of JSON, for validation, the search for keys, and differences."""
    done = python(_READ, "ENTITY", "entities/Learning/2025/06/Learning-a-20250603.json", ENTITIES[name])
    assert done.code == 0, done.err[-500:]


def test_names_with_dots_that_collide() -> None:
    """One dotted path reached in thousands of ways takes time by their number, and not by its square."""
    source = """
from icc_store.entities.record import Record
def nested(names):
    if len(names) == 1:
        return {names[0]: 1}
    found = {".".join(names): 1}
    for at in range(1, len(names)):
        found[".".join(names[:at])] = nested(names[at:])
    return found
flat = Record("a", "", nested(["x"] * ARGS[0])).flat()
print(len(flat), flat.keys() >= {"x" + ".x" * (ARGS[0] - 1) + "'" * (each > 0) for each in range(2)})
"""
    done = python(source, 17)
    assert (done.code, done.out) == (0, f"{1 << 16} True\n"), done.err[-500:]


def test_through_the_program(tmp_path: Path) -> None:
    """A memory full of such files is stored whole; validation, differences and search end and say what is wrong."""
    memory = tmp_path / "memory"
    hostile = {
        "entities/Learning/2025/06/Learning-deep-20250603.json": b'{"a":' * 100_000,
        "entities/Learning/2025/06/Learning-long-20250603.json": b'{"id": "' + b"x" * 5_000_000 + b'"}',
        "notes/deep.md": b"---\na: " + b"[" * 100_000 + b"\n---\n",
        "indexes/tag-index.json": b"[" * 100_000,
        "config/settings.json": b'{"max_backups_kept": ' + b"[" * 900 + b"]" * 900 + b"}",
        "config/other.json": json.dumps({"backup_directory": "/\ud800", "temp_directory": "/a\0b"}).encode(),
    }
    for name, data in (MEMORY | hostile).items():
        path = memory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    Program(tmp_path / "store").good("init")
    program = Bounded(tmp_path / "store")
    first = program("snapshot", memory)
    assert first.code == 0, first
    assert "Traceback" not in first.err
    (memory / "notes" / "deep.md").write_bytes(b"# now sound\n")
    assert program("snapshot", memory).code == 0
    for command, codes in (
        (("validate", memory), {1, 3}),
        (("diff", "--entities", "latest~1", "latest"), {0, 3}),
        (("search", "sound"), {0, 3}),
        (("history", "Learning-fact1-20250603"), {0, 3}),
        (("config", memory), {1}),
        (("restore", "latest", "--target", tmp_path / "back"), {0, 3}),
    ):
        done = program(*command)
        assert done.code in codes, done
        assert "internal error" not in done.err, done
    for name, data in (MEMORY | hostile).items():
        if name != "notes/deep.md":
            assert (tmp_path / "back" / name).read_bytes() == data


@pytest.mark.slow
def test_files_that_fit_in_no_memory(tmp_path: Path) -> None:
    """Files larger than the machine's memory are stored, and said to be too large; none is read as a whole."""
    memory = tmp_path / "memory"
    large = (
        "entities/Learning/2025/06/Learning-large-20250603.json",
        "relationships/learning-to-pattern.json",
        "indexes/tag-index.json",
        "config/settings.json",
    )
    for name, data in MEMORY.items():
        path = memory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for name in large:
        (memory / name).parent.mkdir(parents=True, exist_ok=True)
        (memory / name).touch()
        os.truncate(memory / name, 600 << 20)
    Program(tmp_path / "store").good("init")
    program = Bounded(tmp_path / "store")
    for command, codes in (
        (("snapshot", memory), {0}),
        (("validate", memory), {3}),
        (("validate", memory, "--fix-indexes"), {1, 3}),
        (("validate", "--snapshot", "latest"), {3}),
        (("search", "sound"), {0, 3}),
        (("diff", "--entities", "latest"), {0, 1, 3}),
    ):
        done = program(*command)
        assert done.code in codes, done
        assert "not enough memory" not in done.err, done
    assert program("ls", "latest", "-R", "-l").out.count("600 MiB") == len(large)
