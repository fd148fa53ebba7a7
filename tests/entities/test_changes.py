"""Which fields differ between two versions of a record, and how."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from icc_store.entities.changes import FieldChange, FieldChangeKind, compare, identity
from icc_store.entities.profiles import RecordFormat
from icc_store.entities.record import Record, read_records


def record(**fields: Any) -> Record:
    return Record("Learning-a-20250601", "Learning", fields)


def only(old: dict[str, Any], new: dict[str, Any]) -> FieldChange:
    """The one field that differs."""
    (change,) = compare(record(**old), record(**new))
    return change


def test_a_scalar_changes_from_one_value_to_another() -> None:
    """A score that fell is one change with both values."""
    change = only({"relevance_score": 0.7, "id": "x"}, {"relevance_score": 0.41, "id": "x"})
    assert change == FieldChange("relevance_score", FieldChangeKind.CHANGED, 0.7, 0.41)


def test_nested_fields_have_dotted_paths() -> None:
    """A field within maps is named by the way to it; what stands beside it is not mentioned."""
    old = {"current_state": {"phase": {"name": "plan"}, "epic": "E1"}}
    new = {"current_state": {"phase": {"name": "build"}, "epic": "E1"}}
    assert only(old, new) == FieldChange("current_state.phase.name", FieldChangeKind.CHANGED, "plan", "build")


def test_a_list_gains_and_loses_items() -> None:
    """Items are told by what came and what went, in order, wherever they stand; repeated ones are counted."""
    change = only({"tags": ["old", "a", "b"]}, {"tags": ["b", "security", "a", "a", "new"]})
    assert change.kind is FieldChangeKind.ITEMS
    assert (change.added, change.removed) == (("security", "a", "new"), ("old",))


def test_an_order_that_changed_is_told_of_by_itself() -> None:
    """The same items in another order are one change without items."""
    assert only({"tags": ["a", "b"]}, {"tags": ["b", "a"]}) == FieldChange("tags", FieldChangeKind.REORDERED)


def test_fields_that_come_and_go() -> None:
    """Changes stand in the order of the new record; then comes what only the old one has."""
    changes = compare(record(gone=1, same="s"), record(new=[1], same="s", other={"deep": None}))
    assert changes == [
        FieldChange("new", FieldChangeKind.ADDED, after=[1]),
        FieldChange("other.deep", FieldChangeKind.ADDED, after=None),
        FieldChange("gone", FieldChangeKind.REMOVED, before=1),
    ]


def test_a_record_that_came_or_went() -> None:
    """None stands for a record without fields."""
    one = record(id="x", context={"role": "tester"})
    assert [change.field for change in compare(None, one)] == ["id", "context.role"]
    assert {change.kind for change in compare(one, None)} == {FieldChangeKind.REMOVED}
    assert compare(None, None) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [(1, True), (0, False), (1, 1.0), ("1", 1), (None, False), ([], {}), ([1], [True]), ({"a": 1}, [1]), ("", None)],
)
def test_values_that_only_look_alike_differ(old: Any, new: Any) -> None:
    """What Python takes for equal, but JSON writes in another way, is a change."""
    assert compare(record(value=old), record(value=new))


@pytest.mark.parametrize("value", [0, "", None, True, [], {}, [1, [2, {"a": [3]}]], {"a": {"b": [{"c": 1}]}}])
def test_equal_values_differ_in_nothing(value: Any) -> None:
    """Any value is equal to itself, and so are maps whose keys stand in another order."""
    assert compare(record(a=value, b=1), record(b=1, a=value)) == []


def test_items_that_are_maps() -> None:
    """A map in a list is an item like any other: one that changed went and came."""
    change = only({"links": [{"to": "a", "n": 1}, {"to": "b"}]}, {"links": [{"n": 1, "to": "a"}, {"to": "c"}]})
    assert (change.added, change.removed) == (({"to": "c"},), ({"to": "b"},))


def test_sections_gain_and_lose_lines() -> None:
    """A note's sections are compared line by line, and its front matter field by field."""
    old = b"---\ntype: note\nscore: 1\n---\n# Setup\none\ntwo\n\n# Use\nx\n"
    new = b"---\ntype: note\nscore: 2\n---\n# Setup\none\nthree\nfour\nfive\n\n# Use\nx\n"
    before, after = (read_records(RecordFormat.MARKDOWN, b"n.md", data)[0] for data in (old, new))
    changes = compare(before, after)
    assert [(one.field, one.kind, len(one.added), len(one.removed)) for one in changes] == [
        ("score", FieldChangeKind.CHANGED, 0, 0),
        ("section Setup", FieldChangeKind.LINES, 3, 1),
    ]


def test_random_lists_agree_with_counting() -> None:
    """What came and went is the difference of the two as multisets, whatever the items."""
    rng = random.Random(7)
    pool: list[Any] = ["a", "b", 1, 1.0, True, None, [1], {"k": "v"}, "", 2]
    for _ in range(300):
        old, new = (rng.choices(pool, k=rng.randrange(8)) for _ in range(2))
        before, after = (Counter(identity(item) for item in items) for items in (old, new))
        changes = compare(record(items=old), record(items=new))
        if old == new and before == after:
            assert not changes
            continue
        (change,) = changes
        assert Counter(map(identity, change.added)) == after - before
        assert Counter(map(identity, change.removed)) == before - after
