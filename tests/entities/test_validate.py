"""The rules for each file of an icc memory."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icc_store.entities import validate
from icc_store.entities.findings import Severity
from icc_store.entities.validate import CLEAN, check_file, facts_from_wire, facts_to_wire
from icc_store.limits import MAX_FINDINGS_OF_A_FILE
from tests.support.entities import Fields, entity, place, text, without

ERROR, WARNING = Severity.ERROR, Severity.WARNING
LEARNING, PATTERN, PROJECT, KNOWLEDGE = (entity(kind) for kind in ("Learning", "Pattern", "Project", "Knowledge"))
KINDS = (LEARNING, PATTERN, PROJECT, KNOWLEDGE)
RELATIONSHIPS: Fields = {
    "version": "1.0",
    "created_at": "2025-06-01T00:00:00Z",
    "relationship_type": "learning-to-pattern",
    "relationships": {},
    "statistics": {},
}
CONTENT: Fields = {"version": "1.0", "entity_count": 0, "index": {"terms": {}, "entities": {}, "statistics": {}}}
TAGS: Fields = {"version": "1.0", "tag_count": 0, "index": {"tags": {}, "entity_tags": {}, "statistics": {}}}
DATES: Fields = {
    "version": "1.0",
    "date_range": {"earliest": None, "latest": None},
    "index": {"by_year": {}, "by_month": {}, "by_day": {}, "statistics": {}},
}
LISTED: Fields = {"version": "1.0", "type": "Learning", "count": 0, "entities": []}
SOUND = {
    b"relationships/learning-to-pattern.json": RELATIONSHIPS,
    b"indexes/content-index.json": CONTENT,
    b"indexes/tag-index.json": TAGS,
    b"indexes/date-index.json": DATES,
    b"indexes/other-index.json": {},
    b"entities/Learning/index.json": LISTED,
    b"config/settings.json": {"version": "1.0", "unknown": [1]},
}

SPECIFIC_FIELDS = [
    *((LEARNING, name) for name in ("context", "observations", "patterns", "prevention", "application_count")),
    *((LEARNING, f"context.{name}") for name in ("task_id", "role", "error_type")),
    *((PATTERN, name) for name in ("pattern_type", "context", "pattern_description", "implementation")),
    *((PATTERN, name) for name in ("conditions", "outcomes", "reuse_count", "success_rate")),
    *((PATTERN, f"context.{name}") for name in ("domain", "application")),
    *((PROJECT, name) for name in ("project_name", "context", "observations", "current_state", "learnings")),
    *((PROJECT, f"context.{name}") for name in ("system_type", "architecture", "primary_languages", "key_concepts")),
    *((PROJECT, f"current_state.{name}") for name in ("active_epic", "active_bugs", "workflow_phase")),
]

BROKEN_ENTITIES: list[tuple[bytes, Fields, Severity, str, str]] = [
    # missing what every entity has
    *((place(LEARNING), without(LEARNING, name), ERROR, name, "missing") for name in ("id", "type", "created_at")),
    *((place(LEARNING), LEARNING | {name: None}, ERROR, name, "missing") for name in ("id", "type", "created_at")),
    *((place(LEARNING), LEARNING | {name: 7}, ERROR, name, "7; expected a") for name in ("id", "type", "created_at")),
    (place(LEARNING), LEARNING | {"created_at": "yesterday"}, ERROR, "created_at", "2025-06-01T12:00:00Z"),
    (place(LEARNING), LEARNING | {"created_at": "2025-06-31T00:00:00Z"}, ERROR, "created_at", "another form"),
    (place(LEARNING), LEARNING | {"created_at": "2025-06-03T08:00:00"}, WARNING, "created_at", "time zone"),
    # id, type and place
    (place(LEARNING), LEARNING | {"type": "Rumour"}, ERROR, "type", "Learning, Pattern, Project, Knowledge"),
    (b"entities/Learning/P-1.json", LEARNING | {"id": "P-1"}, ERROR, "id", "expected Learning-..."),
    (b"entities/Learning/Learning-2.json", LEARNING, ERROR, "id", "in a file called Learning-2.json"),
    (b"entities/Pattern/Learning-one-20250603.json", LEARNING, ERROR, "type", "expected in entities/Learning/"),
    (b"entities/Gossip/Learning-one-20250603.json", LEARNING, ERROR, "type", "in entities/Gossip/"),
    (b"entities/Learning-one-20250603.json", LEARNING, ERROR, "type", "in entities/ itself"),
    (
        b"entities/Learning/2025/07/Learning-one-20250603.json",
        LEARNING,
        WARNING,
        "created_at",
        "created in 2025/06, but the file stands in 2025/07",
    ),
    (b"entities/Pattern/archive/2024/06/Pattern-one-20250603.json", PATTERN, WARNING, "created_at", "2024/06"),
    # scores, counters, lists
    *(
        (place(PATTERN), PATTERN | {name: value}, ERROR, name, "expected a number from 0 to 1")
        for name in ("relevance_score", "success_rate")
        for value in (-0.01, 1.01, 7, "0.5", True, [])
    ),
    *(
        (place(fields), fields | {name: value}, ERROR, name, "expected a whole number, 0 or more")
        for fields, name in ((LEARNING, "application_count"), (PATTERN, "reuse_count"), (KNOWLEDGE, "access_count"))
        for value in (-1, 2.5, 3.0, "3", False, {})
    ),
    *(
        (place(fields), fields | {name: ["a", 5, "b", None]}, ERROR, f"{name}[1]", "5 and 1 more of the list")
        for fields, name in (
            *((LEARNING, name) for name in ("tags", "observations", "patterns", "prevention")),
            *((PATTERN, name) for name in ("implementation", "conditions", "outcomes")),
            (PROJECT, "learnings"),
            (KNOWLEDGE, "tags"),
        )
    ),
    (place(KNOWLEDGE), KNOWLEDGE | {"tags": "cache"}, ERROR, "tags", "expected a list of texts"),
    (
        place(PROJECT),
        PROJECT | {"current_state": PROJECT["current_state"] | {"active_bugs": [1]}},
        ERROR,
        "current_state.active_bugs[0]",
        "expected a text",
    ),
    # warnings
    *((place(fields), without(fields, name), WARNING, name, "missing") for fields, name in SPECIFIC_FIELDS),
    (place(LEARNING), LEARNING | {"mood": 3}, WARNING, "mood", "not a field"),
    (place(LEARNING), LEARNING | {"success_rate": 0.5}, WARNING, "success_rate", "not a field"),
    (place(KNOWLEDGE), KNOWLEDGE | {"context": []}, WARNING, "context", "a list; expected an object"),
    (place(KNOWLEDGE), KNOWLEDGE | {"updated_at": "now"}, WARNING, "updated_at", "expected a time"),
    (place(KNOWLEDGE), KNOWLEDGE | {"archived": "yes"}, WARNING, "archived", "expected true or false"),
    (place(PATTERN), PATTERN | {"pattern_type": "luck"}, WARNING, "pattern_type", "one of success, error, process"),
]

BROKEN_FILES: list[tuple[bytes, bytes, Severity, str, str]] = [
    (place(LEARNING), text(LEARNING)[:300], ERROR, "", "not JSON: Input data was truncated"),
    (place(LEARNING), b"", ERROR, "", "not JSON: the file is empty"),
    (place(LEARNING), bytes(100), ERROR, "", "not JSON"),
    (place(LEARNING), text(LEARNING).replace(b"stale", b"st\xff\xfe"), ERROR, "", "not JSON"),
    (place(LEARNING), b"[" * 100_000, ERROR, "", "nested too deeply"),
    (place(LEARNING), b"[]", ERROR, "", "expected an entity"),
    (b"entities/Learning/2025/06/.Learning-1.json.x7Qz", b"{", WARNING, "", "temporary file"),
    (b"indexes/content-index.json.tmp", b"{", WARNING, "", "temporary file"),
    *((path, text(value)[:-5], ERROR, "", "not JSON") for path, value in SOUND.items() if value),
    *((path, b"[]", ERROR, "", "not an object") for path in SOUND),
    (b"indexes/content-index.json", text(CONTENT).replace(b'"1.0"', b'"\xff"'), ERROR, "", "not JSON"),
    (b"indexes/content-index.json", text(without(CONTENT, "entity_count")), WARNING, "entity_count", "missing"),
    (b"indexes/content-index.json", text(CONTENT | {"entity_count": -1}), ERROR, "entity_count", "0 or more"),
    (b"indexes/content-index.json", text(without(CONTENT, "index")), WARNING, "index", "missing"),
    (b"indexes/content-index.json", text(without(CONTENT, "index.terms")), WARNING, "index.terms", "missing"),
    (b"indexes/content-index.json", text(CONTENT | {"index": [1]}), WARNING, "index", "expected an object"),
    (b"indexes/tag-index.json", text(without(TAGS, "index.entity_tags")), WARNING, "index.entity_tags", "missing"),
    (b"indexes/date-index.json", text(without(DATES, "index.by_day")), WARNING, "index.by_day", "missing"),
    (b"indexes/date-index.json", text(without(DATES, "date_range")), WARNING, "date_range", "missing"),
    (b"entities/Learning/index.json", text(without(LISTED, "count")), WARNING, "count", "missing"),
    (b"entities/Learning/index.json", text(LISTED | {"entities": {}}), WARNING, "entities", "expected a list"),
    *(
        (b"relationships/knowledge-links.json", text(without(RELATIONSHIPS, name)), WARNING, name, "missing")
        for name in ("version", "relationship_type", "relationships")
    ),
    (b"relationships/x.json", text(RELATIONSHIPS | {"relationships": []}), WARNING, "relationships", "an object"),
    (b"relationships/x.json", text(RELATIONSHIPS | {"statistics": 1}), WARNING, "statistics", "an object"),
]


@pytest.mark.parametrize(
    ("path", "data", "severity", "field", "message"),
    [*BROKEN_FILES, *((path, text(value), *rest) for path, value, *rest in BROKEN_ENTITIES)],
)
def test_every_rule_has_its_finding(path: bytes, data: bytes, severity: Severity, field: str, message: str) -> None:
    """A broken file gets one finding: the right severity, at the right field, saying what was expected."""
    found = check_file(path, data).findings
    assert [(one.severity, one.path, one.field) for one in found] == [(severity, path, field)], found
    assert message in found[0].message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *SOUND.items(),
        *((place(fields), fields) for fields in KINDS),
        (b"entities/Knowledge/archive/x/Knowledge-one-20250603.json", KNOWLEDGE | {"archived": True}),
        (place(LEARNING), LEARNING | {"context": LEARNING["context"] | {"more": [1, {}]}}),
        (place(LEARNING), LEARNING | {"relevance_score": 1, "tags": None, "last_accessed": "2025-07-01T00:00:00.5Z"}),
        (place(LEARNING), LEARNING | {"updated_at": "2025-07-01T00:00:00+02:00", "access_count": 10**30}),
        (place(LEARNING), LEARNING | {"type": "TaskLearning"}),
        (
            b"entities/TaskLearning/TaskLearning-1.json",
            LEARNING | {"type": "TaskLearning", "id": "TaskLearning-1"},
        ),
        (b"README.md", "# Not of the memory system"),
        (b"notes/x.json", 7),
    ],
)
def test_a_sound_file_has_nothing_to_remember(path: bytes, value: Any) -> None:
    """Nothing is found in what the memory system writes, nor in what is none of its files."""
    assert check_file(path, text(value)) is CLEAN


def test_findings_give_away_no_text() -> None:
    """A value that is wrong is named by its kind: a report may be shown to anybody."""
    secret = "tok-5f1dd0c7"
    broken = LEARNING | {"created_at": secret, "tags": secret, "type": secret, "relevance_score": secret}
    found = check_file(place(LEARNING), text(broken)).findings
    assert len(found) == 4
    assert not any(secret in one.message for one in found)


def test_what_other_files_have_to_know_is_remembered() -> None:
    """An id other than the file's name, and the learnings of a project, of sound and of broken files."""
    learnings = ["Learning-1", "Learning-2"]
    assert check_file(place(PROJECT), text(PROJECT | {"learnings": learnings})).refs == tuple(learnings)
    broken = check_file(place(PROJECT), text(PROJECT | {"learnings": [*learnings, 3], "id": "Project-2"}))
    assert (broken.id, broken.refs) == ("Project-2", tuple(learnings))
    assert check_file(place(LEARNING), text(LEARNING | {"": learnings, "learnings": learnings})).refs == ()


def test_a_file_full_of_mistakes_is_not_a_report_full_of_them() -> None:
    """Findings of one file are bounded; the last says how many more there are, and counts as an error if one is."""
    many = LEARNING | {f"x{number}": number for number in range(MAX_FINDINGS_OF_A_FILE + 5)}
    found = check_file(place(LEARNING), text(many)).findings
    assert len(found) == MAX_FINDINGS_OF_A_FILE + 1
    assert (found[-1].severity, found[-1].message) == (WARNING, "and 5 more findings in this file")


def test_a_file_that_cannot_be_parsed_is_not_readable() -> None:
    """Indexes need not list what nobody can read; a file with a mistake in a field can be read."""
    assert not check_file(place(LEARNING), b"{").is_readable
    assert check_file(place(LEARNING), text(LEARNING | {"tags": 1})).is_readable


def test_facts_are_the_same_when_they_come_back() -> None:
    """What is kept of a file from one run to the next brings back all of it; of a sound file, the very same object."""
    for data in (b"{", text(PROJECT | {"learnings": ["Learning-1", 2], "id": "P", "unknown": 1}), text(PROJECT)):
        facts = check_file(place(PROJECT), data)
        assert facts_from_wire(place(PROJECT), facts_to_wire(facts)) == facts
    assert facts_to_wire(CLEAN) is None
    assert facts_from_wire(b"x", None) is CLEAN


@pytest.mark.parametrize(
    "wire",
    [
        *([], [[]], [[], None], [[], None, [], 1], [None, None, []], [[[]], None, []], [[["error", "a"]], None, []]),
        *([[["none", "a", "b"]], None, []], [[["error", 1, "b"]], None, []], [[["error", "a", b"b"]], None, []]),
        *([[], 7, []], [[], None, 7], [[], None, [7]], [[], None, [["x"]]]),
    ],
    ids=repr,
)
def test_facts_that_are_none(wire: list[Any]) -> None:
    """What was kept of a file and cannot be understood is an error about that file, and never stops anything."""
    (found,) = facts_from_wire(b"x", wire).findings
    assert (found.severity, found.path) == (ERROR, b"x")
    assert "cannot be understood" in found.message


# ---------------------------------------------------------------- both passes

_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.integers()
    | st.floats(-1, 2)
    | st.text(max_size=5)
    | st.sampled_from(["2025-06-03T08:00:00Z", "2025-06-03", "2025-06-03T08:00:00", "success", "Learning-1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def _mutated(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A sound entity, some of it changed; or its text is cut or has a byte changed."""
    fields = deepcopy(draw(st.sampled_from(KINDS)))
    path = place(fields)
    for _ in range(draw(st.integers(0, 2))):
        inside = fields
        below = [name for name, value in fields.items() if isinstance(value, dict) and value]
        if below and draw(st.booleans()):
            inside = fields[draw(st.sampled_from(below))]
        name = draw(st.sampled_from([*inside, "access_count", "archived", "updated_at", "other"]))
        if draw(st.booleans()):
            inside.pop(name, None)
        else:
            inside[name] = draw(_VALUES)
    data = bytearray(text(fields))
    how = draw(st.sampled_from(["whole", "whole", "whole", "cut", "changed", "moved"]))
    if how == "cut":
        del data[draw(st.integers(0, len(data))) :]
    elif how == "changed":
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    elif how == "moved":
        folder = draw(st.sampled_from([b"Learning", b"Pattern", b"Learning/2025/06", b"Learning/2025/07", b"Other"]))
        path = b"entities/" + folder + b"/" + path.rpartition(b"/")[2]
    return path, bytes(data)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(_mutated())
def test_both_passes_agree(case: tuple[bytes, bytes]) -> None:
    """The quick look says sound if and only if the close one finds nothing, and then both remember the same."""
    path, data = case
    directory, _, name = path.rpartition(b"/")
    folder = validate._folder(directory)
    quick = folder.quick_look(name, data) if folder is not None else None
    close = validate._entity(path, data)
    assert (quick is not None) == (not close.findings), close
    assert quick is None or quick == close
