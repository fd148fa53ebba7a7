"""Index files made anew from the entities."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.corpora.memory import advance_day, build
from icc_store.entities.cross_check import CrossCheck
from icc_store.entities.findings import Finding
from icc_store.entities.indexes import CONTENT, DATES, TAGS, is_derived, rebuild
from icc_store.entities.layout import Area, place_of
from icc_store.entities.validate import check_file
from tests.support.entities import Fields, entity, place, text

LEARNINGS = b"entities/Learning/index.json"
NOW = "2025-07-01T00:00:00Z"
ONE = entity(stem="one-20250603", tags=["cache", "timeout"])
TWO = entity(stem="two-20250504", created_at="2025-05-04T00:00:00Z", tags=["cache"])
PATTERN = entity("Pattern", tags=[])


def indexes(*entities: Fields, existing: dict[bytes, bytes] | None = None) -> dict[bytes, Any]:
    """The rebuilt indexes, parsed."""
    made = rebuild([(place(one), one) for one in entities], existing or {}, NOW)
    return {path: json.loads(data) for path, data in made.items()}


def findings(entities: Sequence[Fields], made: dict[bytes, bytes]) -> list[Finding]:
    """What validation finds in entities with these indexes."""
    files = {place(one): text(one) for one in entities} | made
    check = CrossCheck()
    found: list[Finding] = []
    for path, data in files.items():
        facts = check_file(path, data)
        found += facts.findings
        check.add(path, facts)
    return found + check.findings(files.__getitem__)


def test_all_indexes_are_made_where_there_are_none() -> None:
    """Terms, tags and dates lead to ids, ids back to them, and every number is right."""
    made = indexes(TWO, ONE, PATTERN)
    ids = [TWO["id"], ONE["id"], PATTERN["id"]]
    assert made.keys() == {CONTENT, TAGS, DATES, LEARNINGS, b"entities/Pattern/index.json"}
    content = made[CONTENT]
    assert list(content) == ["version", "created_at", "last_updated", "entity_count", "index"]
    assert content["entity_count"] == 3
    assert list(content["index"]["entities"]) == ids
    assert content["index"]["entities"][ONE["id"]]["path"] == place(ONE).decode()
    assert content["index"]["terms"]["cache"] == ids
    terms = {term for row in content["index"]["entities"].values() for term in row["terms"]}
    assert content["index"]["statistics"] == {"total_terms": len(terms), "total_entities": 3}
    tags = made[TAGS]
    assert tags["tag_count"] == 2
    assert tags["index"]["tags"] == {"cache": ids[:2], "timeout": [ONE["id"]]}
    assert tags["index"]["entity_tags"] == {TWO["id"]: ["cache"], ONE["id"]: ["cache", "timeout"]}
    assert tags["index"]["statistics"] == {"most_used": ["cache", "timeout"]}
    dates = made[DATES]
    assert dates["date_range"] == {"earliest": TWO["created_at"], "latest": ONE["created_at"]}
    assert dates["index"]["by_year"] == {"2025": ids}
    assert dates["index"]["by_month"] == {"2025-05": ids[:1], "2025-06": ids[1:]}
    assert dates["index"]["by_day"] == {"2025-05-04": ids[:1], "2025-06-03": ids[1:]}
    assert dates["index"]["statistics"] == {"days": 2, "entities": 3}
    assert made[LEARNINGS] == {
        "version": "1.0",
        "type": "Learning",
        "last_updated": NOW,
        "count": 2,
        "entities": [
            {
                "id": one["id"],
                "created_at": one["created_at"],
                "relevance_score": 0.5,
                "summary": "the cache was stale",
            }
            for one in (TWO, ONE)
        ],
    }


def test_what_is_made_is_sound() -> None:
    """Validation finds nothing in rebuilt indexes, of no entities as well."""
    for entities in ([], [ONE], [ONE, TWO, PATTERN]):
        assert findings(entities, rebuild([(place(one), one) for one in entities], {}, NOW)) == []


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated memory some days old."""
    root = tmp_path_factory.mktemp("indexes") / "memory"
    build(root, 120, seed=3)
    for day in range(1, 20):
        advance_day(root, day, seed=3)
    return root


def _files(memory: Path) -> tuple[list[tuple[bytes, Any]], dict[bytes, bytes]]:
    """The entities and the indexes of a memory."""
    files = {str(path.relative_to(memory)).encode(): path.read_bytes() for path in sorted(memory.rglob("*.json"))}
    entities = [(path, json.loads(data)) for path, data in files.items() if place_of(path).area is Area.ENTITY]
    return entities, {path: data for path, data in files.items() if is_derived(path)}


def test_right_indexes_stay_byte_for_byte(memory: Path) -> None:
    """What the memory system wrote is not touched where it is right, in whatever order its names stand."""
    entities, existing = _files(memory)
    assert len(existing) == 7
    assert rebuild(reversed(entities), existing, NOW) == existing


def test_made_from_nothing_they_hold_what_the_memory_system_wrote(memory: Path) -> None:
    """Tags, dates, counts and rows agree with the memory system's own; terms and summaries are ours."""
    entities, existing = _files(memory)
    made = rebuild(entities, {}, NOW)
    assert made.keys() == existing.keys()
    theirs, ours = ({path: json.loads(data) for path, data in files.items()} for files in (existing, made))
    for path, value in theirs.items():
        assert list(ours[path]) == list(value)
    assert ours[CONTENT]["entity_count"] == theirs[CONTENT]["entity_count"]
    assert ours[CONTENT]["index"]["entities"].keys() == theirs[CONTENT]["index"]["entities"].keys()
    assert ours[TAGS]["tag_count"] == theirs[TAGS]["tag_count"]
    assert ours[TAGS]["index"]["statistics"] == theirs[TAGS]["index"]["statistics"]
    assert ours[DATES]["date_range"] == theirs[DATES]["date_range"]
    for path, name in ((TAGS, "tags"), (DATES, "by_year"), (DATES, "by_month"), (DATES, "by_day")):
        of_ours, of_theirs = ours[path]["index"][name], theirs[path]["index"][name]
        assert {key: sorted(ids) for key, ids in of_ours.items()} == {
            key: sorted(ids) for key, ids in of_theirs.items()
        }
    rows, wanted = (sorted(one[LEARNINGS]["entities"], key=lambda row: row["id"]) for one in (ours, theirs))
    assert [row | {"summary": ""} for row in rows] == [row | {"summary": ""} for row in wanted]


def test_only_what_drifted_changes(memory: Path) -> None:
    """One entity more, one fewer, one moved: the other rows keep terms, summaries and order."""
    entities, existing = _files(memory)
    fields = dict(entities)
    gone = next(path for path in fields if b"Learning" in path)
    moved = next(path for path in fields if b"Pattern" in path)
    lost = fields.pop(gone)["id"]
    now_at = b"entities/Pattern/archive/" + moved.rpartition(b"/")[2]
    fields[now_at] = fields.pop(moved)
    fields[place(ONE)] = ONE
    made = rebuild(fields.items(), existing, NOW)
    changed = {path for path in made if made[path] != existing[path]}
    assert changed == {CONTENT, TAGS, DATES, LEARNINGS}
    old, new = (json.loads(files[CONTENT])["index"]["entities"] for files in (existing, made))
    assert [one for one in new if one in old] == [one for one in old if one in new]
    assert list(new)[-1] == ONE["id"]
    assert lost not in new
    pattern = fields[now_at]["id"]
    assert new[pattern] == old[pattern] | {"path": now_at.decode()}
    assert all(new[one] == old[one] for one in new if one in old and one != pattern)
    assert json.loads(made[CONTENT])["last_updated"] == NOW
    assert json.loads(made[CONTENT])["created_at"] == json.loads(existing[CONTENT])["created_at"]


def test_fields_and_forms_of_an_index_are_kept() -> None:
    """Unknown fields stay; rows that are bare ids, rows with fewer fields and lists of terms stay what they are."""
    existing = {
        CONTENT: text({"version": 2, "mine": [1], "entity_count": 9, "index": {"entities": {ONE["id"]: ["mine"]}}}),
        TAGS: text({"index": {"tags": {}, "entity_tags": {PATTERN["id"]: []}, "statistics": {"mine": 1}}}),
        DATES: text({"date_range": {"mine": 1}, "index": {"statistics": {"days": 0}}}),
        LEARNINGS: text({"count": 0, "entities": ["Learning-gone", ONE["id"]]}),
        b"entities/Pattern/index.json": text({"entities": [{"id": PATTERN["id"], "mine": 2}]}),
        b"entities/Project/index.json": text({"count": 3, "entities": []}),
    }
    made = indexes(ONE, TWO, PATTERN, existing=existing)
    assert (made[CONTENT]["version"], made[CONTENT]["mine"], made[CONTENT]["entity_count"]) == (2, [1], 3)
    assert made[CONTENT]["index"]["entities"][ONE["id"]] == ["mine"]
    assert "cache" in made[CONTENT]["index"]["entities"][TWO["id"]]
    assert made[CONTENT]["index"]["terms"]["mine"] == [ONE["id"]]
    assert made[TAGS]["index"]["statistics"] == {"mine": 1}
    assert made[TAGS]["index"]["entity_tags"][PATTERN["id"]] == []
    assert made[DATES]["date_range"]["mine"] == 1
    assert made[DATES]["index"]["statistics"] == {"days": 2}
    assert (made[LEARNINGS]["count"], made[LEARNINGS]["entities"]) == (2, [ONE["id"], TWO["id"]])
    assert made[b"entities/Pattern/index.json"]["entities"] == [{"id": PATTERN["id"], "mine": 2}]
    assert made[b"entities/Project/index.json"]["count"] == 0


@pytest.mark.parametrize("broken", [b"", b'{"index": {"ent', b"[]", b"\0" * 50, b'{"index": 5, "entities": 7}'])
def test_a_broken_index_is_made_from_nothing(broken: bytes) -> None:
    """Half-written, empty, or of another kind: what comes out is sound."""
    entities = [ONE, TWO, PATTERN]
    existing = dict.fromkeys((CONTENT, TAGS, DATES, LEARNINGS), broken)
    made = rebuild([(place(one), one) for one in entities], existing, NOW)
    assert [one for one in findings(entities, made) if one.field != "version"] == []


def test_an_entity_that_cannot_be_read_keeps_its_rows_and_gets_none() -> None:
    """A truncated file may be whole again tomorrow: what indexes have of it stays, and nothing is made up."""
    entities = [ONE, TWO]
    before = rebuild([(place(one), one) for one in entities], {}, NOW)
    broken: list[tuple[bytes, Fields]] = [(place(ONE), ONE), (place(TWO), {}), (place(PATTERN), {})]
    made = rebuild(broken, before, NOW)
    assert {path: made[path] for path in before} == before | {DATES: made[DATES]}
    assert json.loads(made[DATES])["index"] == json.loads(before[DATES])["index"]
    assert PATTERN["id"].encode() not in b"".join(made.values())


def test_odd_entities_do_not_stop_it() -> None:
    """Fields of the wrong kind are left out of indexes; of two files with one id the first counts."""
    odd = entity("Knowledge", tags=[1, "cache"], created_at="soon", context=7, relevance_score="high")
    made = rebuild(
        [(place(odd), odd), (b"entities/Knowledge/archive/x.json", odd), (b"entities/Pattern/x.json", {"id": [1]})],
        {},
        NOW,
    )
    content = json.loads(made[CONTENT])["index"]["entities"]
    assert {identity: row["path"] for identity, row in content.items()} == {
        odd["id"]: place(odd).decode(),
        "x": "entities/Pattern/x.json",
    }
    assert json.loads(made[TAGS])["index"]["tags"] == {"cache": [odd["id"]]}
    assert json.loads(made[DATES])["date_range"] == {"earliest": None, "latest": None}
