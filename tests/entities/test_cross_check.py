"""What is wrong between the files of an icc memory."""

from __future__ import annotations

from typing import Any

import pytest

from icc_store.entities.cross_check import CrossCheck
from icc_store.entities.findings import Finding, Severity
from icc_store.entities.validate import check_file
from icc_store.limits import MAX_FINDINGS_OF_A_FILE
from tests.support.entities import Fields, entity, place, text

ERROR, WARNING = Severity.ERROR, Severity.WARNING
CONTENT, TAGS, DATES = (f"indexes/{name}-index.json".encode() for name in ("content", "tag", "date"))
LEARNINGS = b"entities/Learning/index.json"
LINKS = b"relationships/learning-to-pattern.json"

ONE, TWO = entity(stem="one-20250603"), entity(stem="two-20250604")
PATTERN, PROJECT = entity("Pattern"), entity("Project", learnings=[ONE["id"]])


def _index(**fields: Any) -> Fields:
    return {"version": "1.0", **fields}


def sound() -> dict[bytes, Any]:
    """A small memory in which all files agree."""
    entities = [ONE, TWO, PATTERN, PROJECT]
    ids = [one["id"] for one in entities]
    return {place(one): one for one in entities} | {
        CONTENT: _index(entity_count=4, index={"terms": {"cache": ids}, "entities": {one: {} for one in ids}}),
        TAGS: _index(
            tag_count=1, index={"tags": {"cache": ids[:2]}, "entity_tags": {one: ["cache"] for one in ids[:2]}}
        ),
        DATES: _index(date_range={}, index={"by_year": {}, "by_month": {}, "by_day": {"2025-06-03": ids}}),
        LEARNINGS: _index(count=2, entities=[{"id": ONE["id"]}, {"id": TWO["id"]}]),
        LINKS: _index(relationship_type="learning-to-pattern", relationships={ONE["id"]: [PATTERN["id"]]}),
        b"config/settings.json": {},
        b"entities/Pattern/2025/06/.keep": "",
    }


def findings(files: dict[bytes, Any]) -> list[Finding]:
    """What is wrong between files; text and bytes stand for themselves."""
    data = {path: value if isinstance(value, bytes) else text(value) for path, value in files.items()}
    check = CrossCheck()
    for path, content in data.items():
        check.add(path, check_file(path, content))
    return check.findings(data.__getitem__)


def _moved(files: dict[bytes, Any], old: bytes, new: bytes) -> dict[bytes, Any]:
    files[new] = files.pop(old)
    return files


def test_a_memory_whose_files_agree_is_sound() -> None:
    """Nothing is found in a memory where indexes list what there is and links lead somewhere."""
    assert findings(sound()) == []


CASES: dict[str, tuple[dict[bytes, Any], bytes, str, Severity, str]] = {
    "one id in two files": (
        {b"entities/Learning/archive/Learning-one-20250603.json": ONE},
        b"entities/Learning/archive/Learning-one-20250603.json",
        "id",
        ERROR,
        "another file as well: entities/Learning/2025/06/Learning-one-20250603.json",
    ),
    "one id in two files that are called otherwise": (
        {b"entities/Learning/2025/06/Learning-one-20250603-2.json": ONE},
        b"entities/Learning/2025/06/Learning-one-20250603-2.json",
        "id",
        ERROR,
        "another file as well: entities/Learning/2025/06/Learning-one-20250603.json",
    ),
    "a project's learning that is not there": (
        {place(PROJECT): PROJECT | {"learnings": [ONE["id"], "Learning-gone"]}},
        place(PROJECT),
        "learnings",
        WARNING,
        "1 entity (Learning-gone) is not in this memory",
    ),
    "a link to nowhere": (
        {LINKS: _index(relationship_type="x", relationships={ONE["id"]: ["Pattern-gone", PATTERN["id"]]})},
        LINKS,
        f"relationships.{ONE['id']}",
        WARNING,
        "1 entity (Pattern-gone) is not in this memory",
    ),
    "a link from nowhere": (
        {LINKS: _index(relationship_type="x", relationships={"Learning-gone": [PATTERN["id"]]})},
        LINKS,
        "relationships.Learning-gone",
        WARNING,
        "Learning-gone is not in this memory",
    ),
    "a link written as an object": (
        {LINKS: _index(relationship_type="x", relationships={ONE["id"]: {"target": "Pattern-gone", "weight": 1}})},
        LINKS,
        f"relationships.{ONE['id']}",
        WARNING,
        "(Pattern-gone)",
    ),
    "an index that says another number": (
        {LEARNINGS: sound()[LEARNINGS] | {"count": 3}},
        LEARNINGS,
        "count",
        WARNING,
        "says 3; the memory has 2",
    ),
    "a content index that says another number": (
        {CONTENT: sound()[CONTENT] | {"entity_count": 250}},
        CONTENT,
        "entity_count",
        WARNING,
        "says 250; the memory has 4",
    ),
    "a tag index that says another number": (
        {TAGS: sound()[TAGS] | {"tag_count": 9}},
        TAGS,
        "tag_count",
        WARNING,
        "says 9; this index lists 1",
    ),
    "an index that lacks an entity": (
        {LEARNINGS: sound()[LEARNINGS] | {"entities": [ONE["id"]]}},
        LEARNINGS,
        "entities",
        WARNING,
        f"1 entity ({TWO['id']}) is not in this index",
    ),
    "a date index that lacks entities": (
        {DATES: _index(date_range={}, index={"by_year": {}, "by_month": {}, "by_day": {}})},
        DATES,
        "index.by_day",
        WARNING,
        "4 entities (",
    ),
    "a tag index that lists what is gone": (
        {TAGS: _index(tag_count=0, index={"tags": {}, "entity_tags": {"Learning-gone": []}})},
        TAGS,
        "index.entity_tags",
        WARNING,
        "1 entity (Learning-gone) is not in the memory, but in this index",
    ),
    "an unknown folder": ({b"notes/a/x.md": ""}, b"notes", "", WARNING, "it has 1 file"),
    "an unknown folder of entities": ({b"entities/Gossip/x.md": ""}, b"entities/Gossip", "", WARNING, "not a folder"),
    "an unknown folder of a type": (
        {b"entities/Pattern/luck/x.md": ""},
        b"entities/Pattern/luck",
        "",
        WARNING,
        "not a folder",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_rule_between_files_has_its_finding(case: str) -> None:
    """One thing changed in a sound memory gives one finding, at the file and field, saying what was expected."""
    files, path, field, severity, message = CASES[case]
    found = findings(sound() | files)
    assert [(one.severity, one.path, one.field) for one in found] == [(severity, path, field)], found
    assert message in found[0].message


def test_entities_that_come_and_go_show_in_every_index() -> None:
    """An entity more than an index knows and one fewer: both are named, though the numbers agree."""
    files = sound()
    three = entity(stem="three-20250605")
    del files[place(TWO)]
    files[place(three)] = three
    found = {(one.path, one.field): one.message for one in findings(files)}
    assert found.keys() == {
        (CONTENT, "index.entities"),
        (DATES, "index.by_day"),
        (LEARNINGS, "entities"),
        (TAGS, "index.entity_tags"),
    }
    messages = [one.message for one in findings(files) if one.path == LEARNINGS]
    assert messages == [
        f"1 entity ({TWO['id']}) is not in the memory, but in this index",
        f"1 entity ({three['id']}) is not in this index",
    ]


def test_a_file_that_cannot_be_read_may_be_in_an_index_or_not() -> None:
    """A truncated entity is an error of its own, and not one more of every index, whether they list it or not."""
    files = sound() | {place(TWO): text(TWO)[:100]}
    assert findings(files) == []
    files[LEARNINGS] = _index(count=1, entities=[ONE["id"]])
    assert findings(files) == []


def test_an_index_that_was_too_large_to_check_is_read_here() -> None:
    """A half-written index of which nothing was said before is an error; one that was reported is not so again."""
    data = {path: text(value) for path, value in sound().items()}
    half = data[CONTENT][: len(data[CONTENT]) // 2]
    for known in (True, False):
        check = CrossCheck()
        for path, content in data.items():
            check.add(path, check_file(path, half if known and path == CONTENT else content))
        found = check.findings((data | {CONTENT: half}).__getitem__)
        assert [(one.severity, one.path) for one in found] == ([] if known else [(ERROR, CONTENT)])


def test_many_links_to_nowhere_are_bounded() -> None:
    """A file of relationships that lost all its targets does not fill the report."""
    links = {f"Learning-{number}": [] for number in range(1000)}
    found = findings(sound() | {LINKS: _index(relationship_type="x", relationships=links)})
    assert len(found) == MAX_FINDINGS_OF_A_FILE + 1
    assert found[-1].message == f"and {1000 - MAX_FINDINGS_OF_A_FILE} more findings in this file"


def test_an_index_in_a_form_of_its_own_is_left_alone() -> None:
    """What cannot be read as a list of entities is not compared; its count still is."""
    assert findings(sound() | {LEARNINGS: _index(count=2, entities="all of them")}) == []
    found = findings(sound() | {LEARNINGS: _index(count=5, entities="all of them")})
    assert [one.field for one in found] == ["count"]
