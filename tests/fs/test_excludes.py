"""excludes: what a snapshot leaves out, and knowing it again later."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from icc_store.codec.serial import pack, unpack
from icc_store.errors import BlockDamaged, UsageError
from icc_store.fs.excludes import CACHE_SIGNATURE, Excludes, _spelled_out, is_cache, stored_below
from tests.fs.conftest import Place

FILE = stat.S_IFREG | 0o644
DIRECTORY = stat.S_IFDIR | 0o755
LINK = stat.S_IFLNK | 0o777


def test_no_rules_cost_nothing() -> None:
    """Without rules nothing is left out, and a directory that no rule concerns has no rule to ask."""
    assert Excludes().is_empty
    assert Excludes().within(b"a") is None
    assert not Excludes().leaves_out(b"a/b", False, 10**12)
    assert Excludes(never=[b"a/b"]).within(b"c") is None


@pytest.mark.parametrize(
    ("patterns", "path", "is_directory", "left_out"),
    [
        (["*.tmp"], b"x.tmp", False, True),
        (["*.tmp"], b"deep/down/x.tmp", False, True),
        (["*.tmp", "!keep.tmp"], b"a/keep.tmp", False, False),
        (["!keep.tmp", "*.tmp"], b"keep.tmp", False, True),
        (["/top"], b"top", False, True),
        (["/top"], b"a/top", False, False),
        (["a/b"], b"a/b", True, True),
        (["a/b"], b"c/a/b", True, False),
        (["build/"], b"build", True, True),
        (["build/"], b"build", False, False),
        (["build/"], b"a/build/x/y", False, True),
        (["build/", "!build/keep"], b"build/keep", False, True),
        (["build/*", "!build/keep"], b"build/keep", False, False),
        (["**/logs/*.log"], b"a/b/logs/x.log", False, True),
        (["# a comment", "", "  "], b"# a comment", False, False),
        ([r"\#x"], b"#x", False, True),
        (["[ab]?"], b"a1", False, True),
        (["*"], b"anything", False, True),
        (["*", "!*/", "!*.md"], b"deep/notes.md", False, False),
        (["*", "!*/", "!*.md"], b"deep/notes.txt", False, True),
        (["caf\udce9"], b"caf\xe9", False, True),
        (["caf?"], b"caf\xe9", False, True),
        (["foo"], b"foo\n", False, False),
        (["*.tmp"], b"a\nb.tmp", False, True),
        (["a\nb"], b"a\nb", False, True),
        (["x*"], b"\xff\xfe", False, False),
    ],
)
def test_patterns(patterns: list[str], path: bytes, is_directory: bool, left_out: bool) -> None:
    """Patterns mean what they mean in a .gitignore at the snapshot's root, for names of any bytes."""
    assert Excludes(patterns).leaves_out(path, is_directory) is left_out


WORDS = ["a", "b", "ab", "*", "**", "?", "a*", "*b", "[ab]", "!a", r"\*", "a.c", "[!a]", "[^b]"]
FILE_NAMES = ["a", "b", "ab", "c", "ba", "a.c", "!a", "*"]


def test_agreement_with_git(tmp_path: Path) -> None:
    """For random patterns on random trees, what is left out is what git ignores."""
    random = Random(20)
    subprocess.run(["git", "init", "-q", tmp_path], check=True, capture_output=True)
    names: list[str] = []
    while len(names) < 60:
        path = tmp_path / "/".join(random.choices(FILE_NAMES, k=random.randint(1, 4)))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(exist_ok=False)
        except OSError:  # a file where a directory is wanted, or the other way round
            continue
        names.append(str(path.relative_to(tmp_path)))
    for _ in range(60):
        patterns = [
            random.choice(["", "", "!"])
            + random.choice(["", "", "/"])
            + "/".join(random.choices(WORDS, k=random.randint(1, 3)))
            + random.choice(["", "", "/"])
            for _ in range(random.randint(1, 4))
        ]
        (tmp_path / ".gitignore").write_text("\n".join(patterns))
        command = ["git", "check-ignore", "--no-index", "-z", "--stdin"]
        answer = subprocess.run(
            command, cwd=tmp_path, input="\0".join(names), capture_output=True, text=True, check=False
        )
        excludes = Excludes(patterns)
        ours = [name for name in names if excludes.leaves_out(name.encode(), False)]
        assert ours == answer.stdout.split("\0")[:-1], patterns


@pytest.mark.parametrize("pattern", ["!", "\\", "[z-a]"])
def test_a_pattern_that_is_none(pattern: str) -> None:
    """What cannot be a pattern is a usage error that names it."""
    with pytest.raises(UsageError, match="exclude pattern") as caught:
        Excludes(["*.fine", pattern])
    assert repr(pattern) in caught.value.message


def test_never_is_stronger_than_patterns() -> None:
    """The repository and what is in it stay out, whatever patterns take back; what is beside it stays in."""
    excludes = Excludes(["!repo"], never=[b"backups", b"a/b/repo"])
    assert excludes.leaves_out(b"a/b/repo", True)
    assert excludes.leaves_out(b"a/b/repo/data.mdb", False)
    assert excludes.leaves_out(b"backups/x", False)
    for path in (b"a/b", b"a/b/repo2", b"repo", b"a/backups"):
        assert not excludes.leaves_out(path, True)


def test_large_files() -> None:
    """Only regular files are left out for their size, and only above the limit."""
    excludes = Excludes(larger_than=100)
    assert excludes.leaves_out(b"a/f", False, 101)
    assert not excludes.leaves_out(b"a/f", False, 100)
    rule = excludes.within(b"")
    assert rule is not None
    assert not rule(b"d", DIRECTORY, 4096)
    assert not rule(b"l", LINK, 4096)


def test_cache_directories(place: Place) -> None:
    """A tagged directory keeps its tag and nothing else; without the option it is like any other."""
    (place.path / "CACHEDIR.TAG").write_bytes(CACHE_SIGNATURE + b"\n# made by a test\n")
    rule = Excludes(caches=True).within(b"x", place.fd)
    assert rule is not None
    assert rule(b"data", FILE, 1)
    assert rule(b"sub", DIRECTORY, 1)
    assert not rule(b"CACHEDIR.TAG", FILE, 1)
    assert Excludes(caches=True).within(b"x") is None
    assert Excludes(["*.o"]).within(b"x", place.fd) is not rule


@pytest.mark.parametrize("kind", ["absent", "other text", "short", "directory", "fifo", "symlink"])
def test_what_is_no_cache_tag(place: Place, kind: str) -> None:
    """Only a regular file with the whole signature makes a cache; nothing else hangs or fails."""
    tag = place.path / "CACHEDIR.TAG"
    if kind == "other text":
        tag.write_bytes(b"x" * 100)
    elif kind == "short":
        tag.write_bytes(CACHE_SIGNATURE[:-1])
    elif kind == "directory":
        tag.mkdir()
    elif kind == "fifo":
        os.mkfifo(tag)
    elif kind == "symlink":
        (place.path / "real").write_bytes(CACHE_SIGNATURE)
        tag.symlink_to("real")
    assert not is_cache(place.fd)
    assert Excludes(caches=True).within(b"", place.fd) is None


def test_rules_come_back_from_a_record() -> None:
    """Rules that went through a snapshot record decide as before; an empty set of rules is an empty record."""
    rules = Excludes(["*.tmp", "caf\udce9", "!k.tmp"], caches=True, larger_than=5, never=[b"\xff", b"a/b"])
    again = Excludes.from_record(unpack(pack(rules.to_record())))
    assert again.to_record() == rules.to_record()
    assert (again.patterns, again.caches, again.larger_than, again.never) == (
        rules.patterns,
        True,
        5,
        frozenset((b"\xff", b"a/b")),
    )
    assert Excludes().to_record() == {}
    assert Excludes.from_record({}).is_empty


NAMES = st.binary(min_size=1, max_size=6).filter(lambda name: not {0, 47} & set(name) and name not in {b".", b".."})


@given(st.lists(NAMES, min_size=1, max_size=4), st.booleans())
def test_asking_by_path_is_walking(names: list[bytes], is_directory: bool) -> None:
    """`leaves_out` says what a scanner finds that asks each directory on the way; no name makes it fail."""
    excludes = Excludes(["*a*", "!ab*", "b/", "/c", "d/e"], never=[b"e", b"f/g"])
    walked = False
    for depth, name in enumerate(names):
        rule = excludes.within(b"/".join(names[:depth]))
        mode = DIRECTORY if is_directory or depth < len(names) - 1 else FILE
        walked = walked or (rule is not None and rule(name, mode, 0))
    assert excludes.leaves_out(b"/".join(names), is_directory) is walked


def test_stored_paths_of_absolute_ones(tmp_path: Path) -> None:
    """Only what lies below the root has a stored path; symbolic links do not hide it, and a common prefix is not it."""
    (tmp_path / "root" / "in").mkdir(parents=True)
    (tmp_path / "root2").mkdir()
    (tmp_path / "way").symlink_to("root/in")
    root = tmp_path / "root"
    absolute = [root / "in", tmp_path / "way" / "x", tmp_path / "root2", root, tmp_path]
    assert stored_below(root, absolute) == [b"in", b"in/x"]
    assert stored_below(root, absolute, b"as/root") == [b"as/root/in", b"as/root/in/x"]
    assert stored_below(Path("/"), [root]) == [os.fsencode(os.path.realpath(root))[1:]]


def test_no_pattern_takes_for_ever() -> None:
    """A pattern made to try every place of a long name or deep path decides at once: a repository can hold such."""
    rules = Excludes(["*a" * 40 + "*b", "**/a/" * 12 + "b", "*" * 200 + "x"])
    assert not rules.leaves_out(b"a" * 255, is_directory=False)
    assert not rules.leaves_out(b"/".join([b"a"] * 100), is_directory=False)
    assert rules.leaves_out(b"c/" + b"a" * 50 + b"b", is_directory=False)


@pytest.mark.parametrize(
    "pattern",
    ["*" + "?" * 60 + "d", "*" + "?" * 60 + "*d", "*" + "[" * 2000, "*" + "[!a]" * 900 + "*x", "*" + "[]a]" * 900],
    ids=lambda pattern: pattern[:8],
)
def test_no_pattern_takes_for_ever_to_be_made(pattern: str) -> None:
    """What a pattern is made of is found in time by its length, however often it could be read in two ways."""
    assert not Excludes([pattern]).leaves_out(b"a" * 255, is_directory=False)


def test_a_pattern_longer_than_any_path() -> None:
    """It is refused where a user gives it, and damage where a record has it."""
    with pytest.raises(UsageError, match="more than 4096 characters"):
        Excludes(["*a" * 3000])
    with pytest.raises(BlockDamaged, match="more than 4096 characters"):
        Excludes.from_record({"patterns": [b"*a" * 3000]})


def test_taking_the_first_place_changes_no_decision() -> None:
    """Random patterns decide on random paths as pathspec's own expressions do."""
    chance = Random(21)
    agreed = 0
    for _ in range(3000):
        pieces = ("*", "*", "a", "b", "?", "[ab]", "/", "**/", "/**/", "\\*", ".")
        pattern = "".join(chance.choice(pieces) for _ in range(chance.randrange(1, 9)))
        try:
            plain = GitIgnoreSpecPattern(_spelled_out(pattern))
            rules = Excludes([pattern])
        except (ValueError, UsageError):
            continue
        rule = rules.within(b"")
        if plain.regex is None or not plain.include or rule is None:
            continue
        for _ in range(5):
            name = "".join(chance.choice("aab.*") for _ in range(chance.randrange(1, 9)))
            expected = plain.regex.fullmatch(name) is not None
            assert rule(name.encode(), stat.S_IFREG, 0) == expected, (pattern, name)
            deep = "/".join(chance.choice(("a", "b", "ab", "aa")) for _ in range(chance.randrange(2, 7)))
            parent, _, last = deep.rpartition("/")
            below = rules.within(parent.encode())
            assert below is not None
            assert below(last.encode(), stat.S_IFREG, 0) == (plain.regex.fullmatch(deep) is not None), (pattern, deep)
            agreed += 1
    assert agreed > 5000


@pytest.mark.parametrize(
    "record",
    [{"patterns": [5]}, {"patterns": "x"}, {"never": 7}, {"larger_than": "1"}, {"secrets": [None]}],
)
def test_rules_that_are_none_are_damage(record: dict[str, object]) -> None:
    """What a hostile record has in place of rules is told as damage."""
    with pytest.raises(BlockDamaged, match="rules"):
        Excludes.from_record(record)
