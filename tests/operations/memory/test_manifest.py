"""What is said of a memory's manifest, when a repository says something else of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from icc_store.ids import ObjectId
from icc_store.model.record import Annotation, Snapshot, SnapshotRecord, Subject, combine
from icc_store.operations.memory.manifest import manifest_of, notes_of, to_wire

_ID = ObjectId(bytes(range(32)))
_SOUND: dict[str, Any] = {
    "profile": "icc",
    "version": "2.0",
    "entities": {"Learning": 3, "Pattern": 0, "Project": 1, "Knowledge": 0, "Other": 2},
    "digest": bytes(32),
    "passed": True,
    "findings": [1, 2],
}
_WRONG: list[dict[int, Any]] = [
    *({3: value} for value in ([], [1], [1, 2, 3], [1] * 6, [1, 2, 3, 4, 5], [1, 2, 3, "4"], [1, 2, 3, 4, {"a": "b"}])),
    *({3: value} for value in ({}, 7, None)),
    *({1: 7}, {2: []}, {4: "text"}, {5: 1}, {6: [1]}, {6: [1, 2, 3]}, {7: "text"}, {7: [1]}, {8: None}, {9: 7}),
    *({10: 7}, {10: {"a": {}}}, {10: {"a": float("nan")}}, {10: {"a": float("inf")}}, {11: "1"}, {12: [7]}),
]
_NO_JSON: list[dict[int, Any]] = [{3: [1, 2, 3, 4, {7: 1}]}, {10: {7: 1}}, {12: [b"a"]}]


def _in_record(wire: Any) -> Snapshot:
    return combine(_ID, SnapshotRecord(1, 2, _ID, "", "", manifest=wire), ())


def _in_annotation(text: str) -> Snapshot:
    return combine(_ID, SnapshotRecord(1, 2, _ID, "", ""), [Annotation(_ID, Subject.MANIFEST, text, 1, 1)])


def test_notes_come_back() -> None:
    """What is kept in a record, and in an annotation as JSON, is what was noted."""
    assert notes_of(_in_record(to_wire(_SOUND))) == _SOUND
    assert notes_of(_in_annotation(json.dumps(to_wire(_SOUND), default=bytes.hex))) == _SOUND


@pytest.mark.parametrize("wrong", [*_WRONG, *_NO_JSON], ids=repr)
def test_notes_that_are_none(wrong: dict[int, Any]) -> None:
    """Values of a wrong type, in a record or an annotation, make notes that say so, and whatever comes out is JSON."""
    wire = to_wire(_SOUND) | wrong
    _not_understood(_in_record(wire))
    if wrong not in _NO_JSON:
        _not_understood(_in_annotation(json.dumps(wire, default=bytes.hex)))


def _not_understood(snapshot: Snapshot) -> None:
    notes = notes_of(snapshot)
    assert notes is not None
    assert "cannot be understood" in notes["error"]
    json.dumps(manifest_of(snapshot), allow_nan=False)


@pytest.mark.parametrize(
    "text", ["", "7", "[]", "null", '{"a": 1}', '{"4": "no hex"}', '{"4": 7}', "[" * 50_000, "9" * 5000]
)
def test_annotations_that_are_none(text: str) -> None:
    """An annotation that is no JSON of notes says that it cannot be understood, and stops nothing."""
    _not_understood(_in_annotation(text))
