"""Paths in all snapshots: patterns, versions, and that nothing is searched twice."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icc_store.clock import FixedClock
from icc_store.errors import UsageError
from icc_store.ids import Kind
from icc_store.model.entry import Entry
from icc_store.model.record import Subject
from icc_store.model.repository import Repository
from icc_store.model.tree import Owners, pack_part
from icc_store.operations.find import FindOptions, Pattern, find
from tests.support.snapshots import take


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(10**18)


def matches(pattern: str, path: str, *, ignore_case: bool = False) -> bool:
    """Whether a pattern fits a whole path, name by name."""
    glob = Pattern(pattern, ignore_case=ignore_case)
    places, fits = glob.start, False
    for name in path.split("/"):
        places, fits = glob.step(places, name.encode())
    return fits


@pytest.mark.parametrize(
    ("pattern", "fitting", "other"),
    [
        ("*.md", ["a.md", "d/a.md", "d/e/.md"], ["a.mdx", "a.md/b"]),
        ("notes", ["notes", "d/notes"], ["notes/a"]),
        ("notes/", ["notes", "d/notes"], ["notes/a"]),
        ("/a.md", ["a.md"], ["d/a.md"]),
        ("./a.md", ["a.md"], ["d/a.md"]),
        ("d/*", ["d/a"], ["d", "d/e/f", "x/d/a"]),
        ("d/**", ["d/a", "d/e/f"], ["d", "dd/a"]),
        ("**/d", ["d", "x/d", "x/y/d"], ["d/x"]),
        ("a/**/z", ["a/z", "a/b/z", "a/b/c/z"], ["z", "a/z/y", "b/a/z"]),
        ("a/**/**/z", ["a/z", "a/b/z"], ["a"]),
        ("**", ["a", "a/b"], []),
        ("?[0-9]*", ["a1", "x/b2c"], ["ab"]),
        ("*/a*/b", ["x/a/b", "x/ab/b"], ["a/b", "x/y/a/b"]),
    ],
)
def test_patterns(pattern: str, fitting: list[str], other: list[str]) -> None:
    """Without a slash a pattern fits names anywhere, with one whole paths; `**` stands for any directories."""
    assert [path for path in fitting if not matches(pattern, path)] == []
    assert [path for path in other if matches(pattern, path)] == []


@given(st.lists(st.sampled_from(["a", "b", "ab", "*", "?", "**"]), min_size=1, max_size=4), st.data())
def test_patterns_agree_with_a_plain_matcher(names: list[str], data: st.DataObject) -> None:
    """The places that are followed name by name give what trying every split of the path gives."""

    def plain(pattern: list[str], path: list[str]) -> bool:
        if not pattern or not path:
            return not pattern and not path
        if pattern[0] == "**":
            if len(pattern) == 1:
                return True
            return plain(pattern[1:], path) or plain(pattern, path[1:])
        return fnmatch.fnmatchcase(path[0], pattern[0]) and plain(pattern[1:], path[1:])

    path = data.draw(st.lists(st.sampled_from(["a", "b", "ab", "c"]), min_size=1, max_size=5))
    assert matches("/" + "/".join(names), "/".join(path)) == plain(names, path)


@pytest.mark.parametrize("pattern", ["", "/", ".", "../x", "a/../b"])
def test_what_is_no_pattern(pattern: str) -> None:
    """A pattern that can fit nothing is refused."""
    with pytest.raises(UsageError):
        Pattern(pattern)


def test_versions(repository: Repository) -> None:
    """A path that changed and changed back has two versions, each with its snapshots; forgotten ones do not count."""
    first = take(repository, {"d/a.md": b"1", "b.md": b"x"})
    take(repository, {"d/a.md": b"2", "b.md": b"x"})
    gone = take(repository, {"d/a.md": b"3"})
    take(repository, {"d/a.md": b"1"})
    repository.annotate(gone.id, Subject.FORGOTTEN, value=True)
    found = find(repository, "*.md")
    seen = [(one.path, [snapshot.record.seq for snapshot in one.snapshots]) for one in found.versions]
    assert seen == [(b"b.md", [1, 2]), (b"d/a.md", [1, 4]), (b"d/a.md", [2])]
    assert found.searched == 3
    assert found.versions[0].snapshots[0].id == first.id


def test_options(repository: Repository) -> None:
    """A source narrows the search, and case can be ignored."""
    take(repository, {"A.md": b"1"})
    take(repository, {"a.md": b"1"}, source="other")
    assert [one.path for one in find(repository, "a.md").versions] == [b"a.md"]
    assert [one.path for one in find(repository, "a.MD", FindOptions(ignore_case=True)).versions] == [b"A.md", b"a.md"]
    narrow = FindOptions(source="home", ignore_case=True)
    assert [one.path for one in find(repository, "a.md", narrow).versions] == [b"A.md"]


def test_a_directory_that_changed_inside_is_one_version(repository: Repository) -> None:
    """A directory is the same version as long as its mode is."""
    take(repository, {"d/a": b"1"})
    take(repository, {"d/a": b"2"})
    assert [len(one.snapshots) for one in find(repository, "d").versions] == [2]


def test_names_that_are_not_text(repository: Repository) -> None:
    """A question mark fits one byte of a name that is not UTF-8."""
    take(repository, {b"a\xffb": b"1", b"a\nb": b"2"})
    assert [one.path for one in find(repository, "a?b").versions] == [b"a\nb", b"a\xffb"]
    assert [one.path for one in find(repository, "a\udcffb").versions] == [b"a\xffb"]


def test_unchanged_directories_are_read_once(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty snapshots that differ in one file cost little more than one: equal trees are searched once."""
    files = {f"{name}/{n}.json": b"%d" % n for name in "abcdefgh" for n in range(20)}
    for n in range(20):
        take(repository, files | {"a/0.json": b"changed %d" % n})
    read = 0
    get = repository.objects.get

    def counting(*arguments: object) -> bytes:
        nonlocal read
        read += 1
        return get(*arguments)

    monkeypatch.setattr(repository.objects, "get", counting)
    snapshots = repository.snapshots()
    monkeypatch.setattr(repository, "snapshots", lambda: snapshots)
    read = 0
    assert len(find(repository, "*.json").versions) == 8 * 20 + 19
    assert read == 3 + 19 * 2  # seven of the eight directories are equal, and so are one tree


def test_large_directories_and_deep_ones(repository: Repository) -> None:
    """Parts of a large directory are searched, and a path deeper than Python recurses."""
    tree = pack_part([Entry(b"deep", 0o010644).to_wire()], Owners())
    with repository.adding() as run:
        for _ in range(1500):
            inner = run.writer.add(Kind.TREE, tree)
            tree = pack_part([Entry(b"d", 0o040755, subtree=inner).to_wire()], Owners())
        run.writer.commit()
    take(repository, {f"many/{n:05}": b"x" for n in range(9000)} | {"d": Entry(b"", 0o040755, subtree=inner)})
    assert len(find(repository, "many/0*").versions) == 9000
    assert find(repository, "deep").versions[0].path == b"d/" * 1500 + b"deep"


def test_damage_is_named_and_passed_over(repository: Repository) -> None:
    """A directory that cannot be read is listed with its path; the others are searched."""
    take(repository, {"good/a.md": b"1", "x/bad": Entry(b"", 0o040755, subtree=bytes(range(32)))})
    found = find(repository, "*.md")
    assert [one.path for one in found.versions] == [b"good/a.md"]
    assert [path for path, _ in found.damaged] == [b"x/bad"]
