"""Front matter of notes: plain values, whatever YAML can say."""

from __future__ import annotations

import json

import pytest

from icc_store.entities.front_matter import split_front_matter


def test_fields_and_text() -> None:
    """What stands between the dashes is fields, the rest is text; a date stays the text it is."""
    fields, body = split_front_matter("---\ncreated: 2025-06-01\ntags: [a, b]\n---\n# T\n")
    assert fields == {"created": "2025-06-01", "tags": ["a", "b"]}
    assert body == "# T\n"


@pytest.mark.parametrize("text", ["", "# T\n", "---\nno end\n", "----\na: 1\n----\n", " ---\na: 1\n---\n"])
def test_no_front_matter(text: str) -> None:
    """Where there is none, all of it is text."""
    assert split_front_matter(text) == ({}, text)


def test_values_are_those_that_json_has() -> None:
    """Binary data, sets, numbers without end and keys of other types come as text, so that any field can be shown."""
    head = "a: !!binary aGVsbG8=\nb: !!set {y, x}\nc: [.inf, .nan]\n1: {2: three}\nd: !!pairs [x: 1]\n"
    fields, _ = split_front_matter(f"---\n{head}---\n")
    assert fields == {"a": "hello", "b": ["x", "y"], "c": ["inf", "nan"], "1": {"2": "three"}, "d": [["x", 1]]}
    assert json.loads(json.dumps(fields, allow_nan=False)) == fields


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("a: [1\n", "not YAML in line"),
        ("a: !!python/object:os.system x\n", "not YAML"),
        ("- 1\n", "not a mapping"),
        ("a: &a [*a]\n", "aliases"),
        ("a: &a [x, x]\nb: [*a, *a]\n", "aliases"),
        ("a: " + "[" * 100 + "]" * 100 + "\n", "nested too deeply"),
    ],
)
def test_what_cannot_be_used(head: str, said: str) -> None:
    """Front matter that is none, that stands for itself, or has no bottom, is refused with the reason."""
    with pytest.raises(ValueError, match=said):
        split_front_matter(f"---\n{head}---\n")
