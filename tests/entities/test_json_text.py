"""JSON as the memories write it, where only a part of it is wanted."""

from __future__ import annotations

from typing import Any

import pytest

from icc_store.entities.json_text import NotJson, ids_in_rows


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (b"[]", []),
        (b'["a", {"id": "b", "tags": ["x", {"id": "y"}]}, {"name": "c"}]', ["a", "b", None]),
        (b'[{"id": 7}, {"id": "first", "id": "last"}]', [7, "last"]),
        (b'["a", 7, null, {"id": "b"}, ["c"]]', ["a", 7, None, "b", ["c"]]),
        (b'{"id": "a"}', None),
        (b"7", None),
    ],
)
def test_the_ids_of_rows(text: bytes, ids: list[Any] | None) -> None:
    """A row is an id, or an object that has one; whatever else it is stays what it is."""
    assert ids_in_rows(text) == ids


@pytest.mark.parametrize("text", [b"", b"[", b'["a" "b"]', b'["\xff"]', b"[" * 100_000 + b"]" * 100_000])
def test_what_is_no_json_is_said(text: bytes) -> None:
    """As of any other text: cut short, not UTF-8, too deep."""
    with pytest.raises(NotJson):
        ids_in_rows(text)
