"""Rewriting paths in JSON: which strings, and that nothing else of a file changes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icc_store.entities.json_text import NotJson
from icc_store.entities.path_map import PathMap, TwoNamesBecomeOne, parse_path_map, rewrite_paths
from icc_store.errors import UsageError

MAP = PathMap((("/home/ada", "/srv/bob"), ("/home/ada/deep", "/d"), ("C:", "D:")))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/home/ada", "/srv/bob"),
        ("/home/ada/x", "/srv/bob/x"),
        ("/home/ada/", "/srv/bob/"),
        ("/home/ada/deep/y", "/d/y"),
        ("/home/adam", "/home/adam"),
        ("see /home/ada", "see /home/ada"),
        ("", ""),
    ],
)
def test_which_strings(old: str, new: str) -> None:
    """The path itself and what is below it; of several that fit, the longest."""
    assert MAP.of(old) == new


def test_nothing_else_changes() -> None:
    """Blanks, order, numbers, escapes and line ends of a file stay as they are; names of fields count as well."""
    data = b'{ "b":1.0e2,\r\n\t"/home/ada/w" : ["/home/ada", "\\/home\\/ada\\/q", "\\u0041\\"/home/ada"], "a": null}'
    rewritten, count = rewrite_paths(data, MAP)
    assert count == 3
    assert rewritten == (
        b'{ "b":1.0e2,\r\n\t"/srv/bob/w" : ["/srv/bob", "/srv/bob/q", "\\u0041\\"/home/ada"], "a": null}'
    )
    assert rewrite_paths(b'["/home/ada/\xc3\xa9"]', MAP)[0] == b'["/srv/bob/\xc3\xa9"]'


def test_what_does_not_fit_keeps_its_bytes() -> None:
    """A file without such a path is the very same."""
    data = b'{"x": "/elsewhere", "x": "twice"}\n\n'
    assert rewrite_paths(data, MAP) == (data, 0)


def test_two_names_that_become_one() -> None:
    """An object that has the new name already would lose one of them: that is an error."""
    with pytest.raises(TwoNamesBecomeOne):
        rewrite_paths(b'{"/home/ada": 1, "/srv/bob": 2}', MAP)


@pytest.mark.parametrize("data", [b"", b"{", b'{"a": "/home/ada', b"\xff"])
def test_what_is_no_json(data: bytes) -> None:
    """Half a file is not guessed at."""
    with pytest.raises(NotJson):
        rewrite_paths(data, MAP)


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_values_are_rewritten_one_by_one(value: object) -> None:
    """Whatever is in the file, parsing the rewritten one gives each string's replacement."""

    def mapped(one: object) -> object:
        if isinstance(one, str):
            return MAP.of(one)
        if isinstance(one, list):
            return [mapped(each) for each in one]
        if isinstance(one, dict):
            return {MAP.of(name): mapped(each) for name, each in one.items()}
        return one

    assert json.loads(rewrite_paths(json.dumps(value).encode(), MAP)[0]) == mapped(value)


@pytest.mark.parametrize("text", ["", "=", "/a", "/a=", "=/b", "/=/b"])
def test_maps_that_are_none(text: str) -> None:
    """Each map needs an old and a new path."""
    with pytest.raises(UsageError, match="OLD=NEW"):
        parse_path_map((text,))


def test_maps_that_contradict() -> None:
    """A path becomes one other path; a slash at the end does not matter."""
    assert parse_path_map(("/a/=/b/", "/a=/b", "/c=/d=e")).pairs == (("/a", "/b"), ("/c", "/d=e"))
    with pytest.raises(UsageError, match="both"):
        parse_path_map(("/a=/b", "/a=/c"))
