"""Since when each field, item and line is in an entity."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from icc_store.errors import PathNotInSnapshot
from icc_store.ids import Kind
from icc_store.model.repository import Repository
from icc_store.operations.memory.blame import Blame, BlameOptions, blame
from tests.support.entities import brief, brief_path
from tests.support.reads import reads
from tests.support.snapshots import take

A = "Learning-a-20250601"
PATH = brief_path(A)
OTHER = {"entities/x": b""}


def told(found: Blame) -> list[tuple[str, Any, int]]:
    """Field (with the number of an item), value, and number of the snapshot."""
    return [
        (part.field if part.index is None else f"{part.field}[{part.index}]", part.value, part.entered.record.seq)
        for part in found.parts
    ]


def test_fields_and_items(repository: Repository) -> None:
    """A field entered when it got its value, an item when it came into the list, wherever it stands now."""
    for fields in (
        {"score": 0.5, "context": {"role": "a"}, "tags": ["x", "y"], "none": []},
        {"score": 0.4, "context": {"role": "a"}, "tags": ["new", "y", "x"], "none": []},
        {"score": 0.5, "context": {"role": "b"}, "tags": ["y", "new", "y"], "none": []},
    ):
        take(repository, {PATH: brief(A, **fields)})
    found = blame(repository, A)
    assert told(found) == [
        ("id", A, 1),
        ("type", "Learning", 1),
        ("score", 0.5, 3),
        ("context.role", "b", 3),
        ("tags[0]", "y", 1),
        ("tags[1]", "new", 2),
        ("tags[2]", "y", 3),
        ("none", [], 1),
    ]
    assert (found.id, found.type, found.since.record.seq, found.gone, found.problem) == (A, "Learning", 3, None, "")


def test_moves_do_not_count_and_returns_do(repository: Repository) -> None:
    """What moved with the entity entered where it was; what was deleted and came back entered when it came back."""
    take(repository, {PATH: brief(A, n=1)})
    take(repository, {brief_path(A, "archive"): brief(A, n=1, m=1)})
    assert [seq for _, _, seq in told(blame(repository, A))] == [1, 1, 1, 2]
    take(repository, OTHER)
    gone = blame(repository, A)
    assert [seq for _, _, seq in told(gone)] == [1, 1, 1, 2]
    assert gone.gone is not None
    assert gone.gone.record.seq == 3
    take(repository, {PATH: brief(A, n=1)})
    assert [seq for _, _, seq in told(blame(repository, A))] == [4, 4, 4]


def test_an_older_snapshot(repository: Repository) -> None:
    """`snapshot` blames what that snapshot has, and knows nothing of later ones."""
    for n in (1, 2, 3):
        take(repository, {PATH: brief(A, n=n)}, name=f"day-{n}")
    take(repository, OTHER, name="gone")
    found = blame(repository, A, options=BlameOptions(snapshot="day-2"))
    assert told(found)[-1] == ("n", 2, 2)
    with pytest.raises(PathNotInSnapshot):
        blame(repository, A, options=BlameOptions(snapshot="gone"))


def test_versions_that_cannot_be_read(repository: Repository) -> None:
    """A broken version is passed over, and told of when it is the newest."""
    for data in (brief(A, n=1), b"{", brief(A, n=1, m=1), b'{"'):
        take(repository, {PATH: data})
    found = blame(repository, PATH)
    assert [seq for _, _, seq in told(found)] == [1, 1, 1, 3]
    assert found.problem.startswith("not readable")
    take(repository, {"b.bin": b"\0"})
    with pytest.raises(PathNotInSnapshot, match="cannot be taken apart"):
        blame(repository, "b.bin")


def test_lines_of_a_note(repository: Repository) -> None:
    """Lines are blamed section by section; a line between two others takes nothing from them."""
    take(repository, {"a.md": b"---\nn: 1\n---\n# S\none\n\ntwo\n"})
    take(repository, {"a.md": b"---\nn: 1\n---\n# S\none\nnew\n\ntwo\n# T\n"})
    assert told(blame(repository, "a")) == [
        ("n", 1, 1),
        ("section S[0]", "one", 1),
        ("section S[1]", "new", 2),
        ("section S[2]", "", 1),
        ("section S[3]", "two", 1),
        ("section T", [], 2),
    ]


def test_lines_of_an_entity(repository: Repository) -> None:
    """With `lines` the file is blamed as the text it is."""
    take(repository, {PATH: brief(A, n=1)})
    take(repository, {PATH: brief(A, n=2)})
    found = blame(repository, A, options=BlameOptions(lines=True))
    assert [(part.value, part.entered.record.seq) for part in found.parts] == [
        ("{", 1),
        (f'  "id": "{A}",', 1),
        ('  "type": "Learning",', 1),
        ('  "n": 2', 2),
        ("}", 1),
    ]


def test_a_record_of_a_memory_server(repository: Repository) -> None:
    """An observation of one entity among many is blamed by itself."""
    line = b'{"type":"entity","name":"Ada","entityType":"person","observations":[%s]}\n'
    take(repository, {"memory.jsonl": line % b'"x"'})
    take(repository, {"memory.jsonl": line % b'"x","y"'})
    assert told(blame(repository, "Ada"))[-2:] == [("observations[0]", "x", 1), ("observations[1]", "y", 2)]


def test_random_fields_agree_with_a_plain_count(repository: Repository) -> None:
    """Over 30 versions, going back from the end while a value stays gives the same as blame."""
    rng = random.Random(11)
    past: list[dict[str, Any]] = []
    fields: dict[str, Any] = {"id": A, "type": "Learning", "tags": []}
    for _ in range(30):
        name = rng.choice("abcd")
        fields = dict(fields)
        if rng.random() < 0.3:
            fields.pop(name, None)
        else:
            fields[name] = rng.randrange(3)
        tags = [tag for tag in fields["tags"] if rng.random() < 0.8]
        tags += [tag for tag in rng.sample("uvwxyz", 2) if tag not in tags]
        rng.shuffle(tags)
        fields["tags"] = tags
        past.append(fields)
        take(repository, {PATH: brief(A, **{name: fields[name] for name in fields if name not in ("id", "type")})})

    def since(holds: list[bool]) -> int:
        return len(holds) - next((n for n, one in enumerate(reversed(holds)) if not one), len(holds)) + 1

    for field, value, seq in told(blame(repository, A)):
        if field.startswith("tags["):
            assert seq == since([value in one["tags"] for one in past]), field
        else:
            assert seq == since([one.get(field) == value for one in past]), field


def test_lines_agree_with_git(repository: Repository, tmp_path: Path) -> None:
    """Over 20 versions of a text whose lines are all different, each line is blamed as `git blame` does."""
    rng = random.Random(3)
    lines = [f"line {n}" for n in range(12)]
    work = tmp_path / "work"
    work.mkdir()

    def git(*arguments: str) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main", *arguments]
        return subprocess.run(command, cwd=work, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    commits = []
    for version in range(20):
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(lines))
            lines[at : at + rng.randrange(2)] = [f"new {version} {rng.random()}" for _ in range(rng.randrange(3))]
        text = "".join(f"{line}\n" for line in lines)
        (work / "t.txt").write_text(text)
        git("add", "t.txt")
        git("commit", "-q", "--allow-empty", "-m", f"{version}")
        commits.append(git("rev-parse", "HEAD").strip())
        take(repository, {"t.txt": text.encode()})
    theirs = [
        commits.index(line.split()[0]) + 1
        for line in git("blame", "--porcelain", "t.txt").splitlines()
        if len(line.split()[0] if line.split() else "") == 40
    ]
    assert [part.entered.record.seq for part in blame(repository, "t.txt").parts] == theirs


def test_contents_are_read_once(repository: Repository) -> None:
    """Twenty snapshots with two versions cost two contents."""
    for day in range(20):
        take(
            repository,
            {PATH: brief(A, n=day // 10), "entities/Learning/other.json": brief("Learning-o", n=day)},
        )
    with reads(repository) as seen:
        assert told(blame(repository, A))[-1] == ("n", 1, 11)
    assert len(set(seen.of(Kind.CHUNK))) == 2
