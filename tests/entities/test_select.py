"""Selections: which records each option takes, and what is said of them."""

from __future__ import annotations

from typing import Any

import pytest

from icc_store.entities.record import Record
from icc_store.entities.select import Selection, SelectionKind
from icc_store.errors import UsageError


def takes(selection: Selection, *, archived: bool = False, **fields: Any) -> bool:
    """Whether a selection takes an entity of these fields."""
    return selection.matches(Record("Learning-x-20250601", fields.get("type", ""), fields), archived)


def test_high_relevance_is_above_0_7() -> None:
    """A score of exactly 0.7 is not high, and neither is none."""
    high = Selection(high_relevance_only=True)
    assert takes(high, relevance_score=0.71)
    assert takes(high, relevance_score=1)
    for score in (0.7, 0.1, None, "0.9", True):
        assert not takes(high, relevance_score=score)
    assert not takes(high)


def test_min_relevance_is_reached_by_the_score_itself() -> None:
    """`min_relevance` takes the bound and what is above."""
    assert takes(Selection(min_relevance=0.4), relevance_score=0.4)
    assert not takes(Selection(min_relevance=0.4), relevance_score=0.39)
    assert takes(Selection(min_relevance=0.0), relevance_score=0)
    assert not takes(Selection(min_relevance=0.0))


def test_types_and_tags_are_any_of_those() -> None:
    """One of the types, and one of the tags, is enough; tags are also found in a text of tags."""
    chosen = Selection(types=("Learning", "Pattern"), tags=("audit", "cache"))
    assert takes(chosen, type="Pattern", tags=["web", "cache"])
    assert takes(chosen, type="Learning", tags="audit, web")
    assert not takes(chosen, type="Project", tags=["cache"])
    assert not takes(chosen, type="Pattern", tags=["caches"])
    assert not takes(chosen, type="Pattern")


def test_created_after_and_before_meet_at_the_start_of_a_day() -> None:
    """What was created at a bound is after it and not before it, so two selections share nothing and miss nothing."""
    after, before = Selection(created_after="2025-06-01"), Selection(created_before="2025-06-01")
    for time, is_after in (
        ("2025-05-31T23:59:59Z", False),
        ("2025-06-01", True),
        ("2025-06-01T00:00:00Z", True),
        ("2025-06-01T01:00:00+02:00", False),
        ("2025-06-01T10:00:00Z", True),
    ):
        assert takes(after, created_at=time) is is_after
        assert takes(before, created_at=time) is not is_after
    assert not takes(after)
    assert not takes(before)


def test_archived_before_looks_at_the_first_time_there_is() -> None:
    """Only what is archived is left out, by `archived_at`, else `updated_at`, else `created_at`; else it stays."""
    chosen = Selection(exclude_archived_before="2025-06-01")
    old, new = "2025-01-01T00:00:00Z", "2025-07-01T00:00:00Z"
    assert takes(chosen, created_at=old)
    assert not takes(chosen, archived=True, created_at=old)
    for fields, stays in (
        ({"created_at": old}, False),
        ({"created_at": old, "updated_at": new}, True),
        ({"created_at": old, "updated_at": new, "archived_at": old}, False),
        ({"created_at": old, "updated_at": old, "archived_at": new}, True),
        ({"created_at": old, "archived_at": "long ago"}, False),
        ({"created_at": "2025-06-01"}, True),
        ({}, True),
    ):
        assert takes(chosen, archived=True, **fields) is stays
        record = Record("x", "", fields | {"archived": True})
        assert chosen.matches(record, archived=False) is stays


def test_everything_that_is_asked_for_must_hold() -> None:
    """Options narrow each other down; an expression joins them, and may ask for `id`, `type` and `archived`."""
    chosen = Selection(min_relevance=0.5, types=("Learning",), where='"x" in id and not archived')
    assert takes(chosen, type="Learning", relevance_score=0.5)
    assert not takes(chosen, type="Learning", relevance_score=0.4)
    assert not takes(chosen, type="Learning", relevance_score=0.5, archived=True)
    assert not takes(Selection(where='"y" in id'), type="Learning")
    assert takes(Selection(), anything=1)
    assert not takes(Selection(config_only=True), relevance_score=1)


@pytest.mark.parametrize(
    ("selection", "kind", "words"),
    [
        (Selection(config_only=True), SelectionKind.CONFIG_ONLY, "configuration, relationships and indexes only"),
        (Selection(high_relevance_only=True), SelectionKind.HIGH_RELEVANCE, "relevance_score > 0.7"),
        (Selection(min_relevance=0.5), SelectionKind.GENERAL, "relevance_score >= 0.5"),
        (Selection(types=("Learning", "Pattern")), SelectionKind.GENERAL, 'type in ["Learning", "Pattern"]'),
        (Selection(tags=("a",)), SelectionKind.GENERAL, '"a" in tags'),
        (Selection(tags=("a", "b")), SelectionKind.GENERAL, '"a" in tags or "b" in tags'),
        (
            Selection(high_relevance_only=True, tags=("a", "b"), created_before="2025-06-01"),
            SelectionKind.GENERAL,
            'relevance_score > 0.7 and ("a" in tags or "b" in tags) and created_at < "2025-06-01"',
        ),
        (
            Selection(where="a=1 or b", exclude_archived_before="2025-06-01"),
            SelectionKind.GENERAL,
            "(a = 1 or b) and not archived before 2025-06-01",
        ),
        (Selection(exclude_archived_before="2025-06-01"), SelectionKind.GENERAL, "not archived before 2025-06-01"),
        (Selection(), SelectionKind.GENERAL, "everything"),
    ],
)
def test_what_is_said_of_a_selection(selection: Selection, kind: SelectionKind, words: str) -> None:
    """One line says it in the words of an expression, and plain values bring it back whole."""
    assert (selection.kind, selection.describe()) == (kind, words)
    record = selection.to_record()
    assert Selection.from_record(record) == selection
    assert selection.is_everything is (record == {})
    assert all(type(value) in {bool, float, str, list} for value in record.values())


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"created_after": "June"}, "--created-after: 'June' is no date"),
        ({"created_before": "20250601"}, "--created-before: '20250601' is no date"),
        ({"exclude_archived_before": "2025"}, "--exclude-archived-before: '2025' is no date"),
        ({"min_relevance": 1.5}, "--min-relevance: 1.5 is not a score from 0 to 1"),
        ({"min_relevance": float("nan")}, "not a score"),
        ({"config_only": True, "tags": ("a",)}, "--config-only stores no entities"),
        ({"where": "tags ="}, "the expression, column 7"),
    ],
)
def test_what_cannot_be_meant(fields: dict[str, Any], words: str) -> None:
    """A selection that makes no sense is refused when it is made."""
    with pytest.raises(UsageError) as caught:
        Selection(**fields)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "record",
    [{"colour": "red"}, {"types": "Learning"}, {"min_relevance": "1"}, {"where": "("}, {"config_only": 1}, {"kind": 1}],
)
def test_a_record_that_is_none(record: dict[str, Any]) -> None:
    """What this program does not know, or cannot use, is refused and never half understood."""
    with pytest.raises(ValueError, match=r".+"):
        Selection.from_record(record)
