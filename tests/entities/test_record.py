"""Files read as records: entities, notes, lines of a memory.jsonl."""

from __future__ import annotations

import random

import pytest

from icc_store.entities.changes import compare
from icc_store.entities.profiles import RecordFormat
from icc_store.entities.record import PREAMBLE, Lines, Record, RecordError, read_records
from icc_store.limits import MAX_RECORD_DEPTH


def note(text: str) -> Record:
    (found,) = read_records(RecordFormat.MARKDOWN, b"notes/n.md", text.encode())
    return found


def test_an_entity_has_the_id_it_says() -> None:
    """Id and type are the fields of that name; without them the file's stem, and nothing."""
    path = b"entities/Learning/2025/06/Learning-a.json"
    (one,) = read_records(RecordFormat.ENTITY, path, b'{"id": "Learning-b", "type": "Learning", "n": 1}')
    assert (one.id, one.type, one.fields["n"]) == ("Learning-b", "Learning", 1)
    (other,) = read_records(RecordFormat.ENTITY, path, b'{"id": 7}')
    assert (other.id, other.type) == ("Learning-a", "")


def test_a_note_is_front_matter_and_sections() -> None:
    """Front matter gives fields, headings give sections; fences may hold what looks like a heading."""
    found = note("---\ntype: idea\n---\nbefore\n\n# One\n\na\n```\n# no heading\n```\n## One\nb\n")
    assert found.id == "notes/n"
    assert found.type == "idea"
    assert found.fields == {
        "type": "idea",
        PREAMBLE: ["before"],
        "section One": ["a", "```", "# no heading", "```"],
        "section One (2)": ["b"],
    }
    assert isinstance(found.fields[PREAMBLE], Lines)


def test_lines_of_a_memory_server() -> None:
    """Entities are named by their name, relations by both ends."""
    data = (
        b'{"type":"entity","name":"Ada","entityType":"person","observations":["x"]}\n\n'
        b'{"type":"relation","from":"Ada","to":"Bob","relationType":"knows"}\n'
    )
    records = read_records(RecordFormat.JSON_LINES, b"memory.jsonl", data)
    assert [(one.id, one.type) for one in records] == [("Ada", "person"), ("Ada -knows-> Bob", "relation")]


@pytest.mark.parametrize(
    ("form", "data", "said"),
    [
        (RecordFormat.ENTITY, b'{"id": "a', "not JSON"),
        (RecordFormat.ENTITY, b"[1]", "not a JSON object"),
        (RecordFormat.ENTITY, b"\xff", "not JSON"),
        (RecordFormat.ENTITY, b'{"a":' + b"[" * MAX_RECORD_DEPTH + b"]" * MAX_RECORD_DEPTH + b"}", "nested too deeply"),
        (RecordFormat.ENTITY, b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested too deeply"),
        (RecordFormat.JSON_LINES, b'{"name":"a"}\n{"name"\n', "line 2: not JSON"),
        (RecordFormat.MARKDOWN, b"---\n[1, 2]\n---\n", "not a mapping"),
        (RecordFormat.MARKDOWN, b"\xff\xfe", "codec"),
    ],
)
def test_what_is_no_record(form: RecordFormat, data: bytes, said: str) -> None:
    """A file that is not what it should be says why, and nothing else is raised."""
    with pytest.raises(RecordError, match=said):
        read_records(form, b"x", data)


def test_depth_that_is_allowed() -> None:
    """Many brackets are no depth: only those within each other count."""
    depth = MAX_RECORD_DEPTH - 1
    nested = b'{"a":' + b"[" * depth + b"]" * depth + b', "b": [' + b"{}," * 100 + b"{}]}"
    (found,) = read_records(RecordFormat.ENTITY, b"x.json", nested)
    assert len(found.fields["b"]) == 101


def test_fields_by_dotted_path() -> None:
    """Maps are gone into, lists are not; empty maps stay, and no two fields share a name."""
    one = Record("x", "", {"a": {"b": {"c": 1}, "d": [{"e": 2}]}, "empty": {}, "f.g": 3, "f": {"g": 4}})
    assert one.flat() == {"a.b.c": 1, "a.d": [{"e": 2}], "empty": {}, "f.g": 3, "f.g'": 4}


@pytest.mark.parametrize("form", list(RecordFormat))
def test_mutated_files(form: RecordFormat) -> None:
    """Bytes changed at random are records, which can be compared, or a RecordError; nothing else happens."""
    rng = random.Random(form.value)
    seeds = (
        b'{"id": "Learning-a", "tags": ["x", {"y": [1.5e3]}], "context": {"n": null, "t": true}}',
        b'---\nid: a\ntags: [x, "y"]\nwhen: 2025-06-01\nmap: {k: &a 1}\n---\n# One\ntext\n```\n# no\n```\n',
        b'{"type":"relation","from":"a","to":"b","relationType":"c"}\n{"name":"a","observations":["x"]}\n',
    )
    read = 0
    for _ in range(400):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(4)):
            at = rng.randrange(len(data))
            data[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3)) or rng.choice([b"*a", b"[", b"{", b'"'])
        try:
            for one in read_records(form, b"d/x.json", bytes(data)):
                compare(one, Record("x", "", {"tags": ["x"]}))
                read += 1
        except RecordError:
            pass
    assert read > 20
