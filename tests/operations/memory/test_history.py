"""Every version of an entity: what changed, where it went, and that nothing is read twice."""

from __future__ import annotations

import random
from typing import Any

import pytest

from icc_store.errors import AmbiguousPath, AmbiguousSnapshot, PathNotInSnapshot, SnapshotNotFound, UsageError
from icc_store.ids import Kind
from icc_store.model.record import SnapshotClass, Subject
from icc_store.model.repository import Repository
from icc_store.model.walk import lookup
from icc_store.operations.memory.history import History, history
from tests.support import damage
from tests.support.entities import brief, brief_path
from tests.support.reads import reads
from tests.support.snapshots import Files, take

A, B = "Learning-a-20250601", "Learning-b-20250601"
OTHER = {brief_path(B): brief(B)}


def take_all(repository: Repository, *states: Files) -> None:
    for files in states:
        take(repository, files)


def at(where: str = "2025/06", **fields: Any) -> dict[str, bytes]:
    """A memory with A in it, and another entity."""
    return OTHER | {brief_path(A, where): brief(A, **fields)}


def told(found: History) -> list[tuple[int, str]]:
    """Number of the snapshot and kind of each version."""
    return [(version.snapshot.record.seq, str(version.kind)) for version in found.versions]


def test_versions(repository: Repository) -> None:
    """A version for each snapshot in which its bytes changed, oldest first, with size, time and fields."""
    take_all(repository, OTHER, at(n=1), at(n=1), at(n=2), at(n=2, tags=["x"]), at(n=2, tags=["x"]) | {"new": b""})
    found = history(repository, A)
    assert told(found) == [(2, "added"), (4, "changed"), (5, "changed")]
    assert (found.id, found.type, found.path, found.searched) == (A, "Learning", brief_path(A).encode(), 6)
    assert found.is_there
    assert [[change.field for change in version.fields] for version in found.versions] == [[], ["n"], ["tags"]]
    assert [version.size for version in found.versions] == [
        len(at(**fields)[brief_path(A)]) for fields in ({"n": 1}, {"n": 2}, {"n": 2, "tags": ["x"]})
    ]
    assert found.versions[0].mtime_ns


def test_moves_removal_and_return(repository: Repository) -> None:
    """The id is followed to other paths, changed or not; when it was removed and came back is said."""
    take_all(
        repository,
        at(n=1),
        at("archive/2025/06", n=1),
        at("2025/07", n=2),
        OTHER,
        OTHER | {"more": b"x"},
        at("archive", n=3),
        OTHER,
    )
    found = history(repository, A)
    assert told(found) == [(1, "added"), (2, "moved"), (3, "moved"), (4, "removed"), (6, "returned"), (7, "removed")]
    assert [version.moved_from for version in found.versions[1:5]] == [
        brief_path(A).encode(),
        brief_path(A, "archive/2025/06").encode(),
        None,
        brief_path(A, "2025/07").encode(),
    ]
    assert [[change.field for change in version.fields] for version in found.versions] == [[], [], ["n"], [], ["n"], []]
    assert (found.is_there, found.path) == (False, brief_path(A, "archive").encode())
    assert found.versions[3].size is None


def test_a_file_named_against_the_rules(repository: Repository) -> None:
    """The id in the file decides, not its name; a file that another entity took over is not followed."""
    odd = OTHER | {"entities/Learning/odd.json": brief(A, n=2)}
    taken = at("archive", n=2) | {brief_path(A): brief("Learning-x", n=9)}
    take_all(repository, at(n=1), odd, taken)
    assert told(history(repository, A)) == [(1, "added"), (2, "moved"), (3, "moved")]
    assert told(history(repository, brief_path(A))) == [(3, "added")]


def test_names(repository: Repository) -> None:
    """By id, by stored path, by the path it was read from, by stem, in the newest snapshot that has it."""
    take(
        repository,
        at(n=1) | {"notes/setup.md": b"# S\n"},
        paths=(b"/home/ada/memory",),
        root_entry={1: b"", 2: 0o40755, 3: 0, 4: 0, 6: 0},
    )
    take(repository, OTHER)
    for name in (A, brief_path(A), "/home/ada/memory/" + brief_path(A), f"./{brief_path(A)}"):
        assert history(repository, name).id == A
    for name in ("setup", "notes/setup", "notes/setup.md"):
        assert history(repository, name).path == b"notes/setup.md"


def test_a_name_that_fits_several(repository: Repository) -> None:
    """Two files of one name are told apart by their paths only."""
    take(repository, at() | at("archive"))
    with pytest.raises(AmbiguousPath, match="2 files"):
        history(repository, A)
    assert history(repository, brief_path(A)).path == brief_path(A).encode()


def test_a_name_that_fits_nothing(repository: Repository) -> None:
    """What is not there is refused with what is near, also among what is gone; and so is a wrong path."""
    take_all(repository, at(), OTHER)
    with pytest.raises(PathNotInSnapshot) as caught:
        history(repository, "Learning-aa-20250601")
    assert A in str(caught.value.hint)
    with pytest.raises(PathNotInSnapshot):
        history(repository, "entities")
    with pytest.raises(UsageError):
        history(repository, "../x")


def test_which_snapshots(repository: Repository) -> None:
    """One source, that of the latest snapshot unless said; forgotten and selective snapshots do not count."""
    with pytest.raises(SnapshotNotFound):
        history(repository, A)
    take(repository, at(n=1))
    gone = take(repository, at(n=2))
    take(repository, OTHER, kind=SnapshotClass.SELECTIVE)
    take(repository, at(n=3), kind=SnapshotClass.SAFETY)
    repository.annotate(gone.id, Subject.FORGOTTEN, value=True)
    assert told(history(repository, A)) == [(1, "added"), (4, "changed")]
    take(repository, at(n=4), source="other")
    with pytest.raises(AmbiguousSnapshot):
        history(repository, A)
    assert told(history(repository, A, source="other")) == [(5, "added")]
    assert told(history(repository, A, source="home")) == [(1, "added"), (4, "changed")]


def test_versions_that_cannot_be_read(repository: Repository) -> None:
    """A truncated version says so, and the next one is compared with the last that can be read."""
    torn = OTHER | {brief_path(A): b'{"id": "Lear'}
    take_all(repository, at(n=1), torn, at(n=2), torn)
    found = history(repository, A)
    assert told(found) == [(1, "added"), (2, "changed"), (3, "changed"), (4, "changed")]
    assert [version.problem[:12] for version in found.versions] == ["", "not readable", "", "not readable"]
    assert [change.field for change in found.versions[2].fields] == ["n"]


def test_a_damaged_version(repository: Repository) -> None:
    """A version whose content is lost is listed as damaged; the others are told."""
    take_all(repository, at(n=1), at(n=2), at(n=3))
    record = repository.snapshots()[1].record
    damage.lose(repository, lookup(repository.objects, record, brief_path(A).encode()).entry.chunk)
    found = history(repository, A)
    assert [version.damaged for version in found.versions] == [False, True, False]


def test_notes_and_other_files(repository: Repository) -> None:
    """A note is followed by its bytes; JSON is told by fields, text by lines, what is neither is said to be none."""
    take_all(
        repository,
        {"a.md": b"# S\none\n", "c.json": b'{"a": {"b": 1}}', "t.txt": b"1\n2\n", "b.bin": b"\0"},
        {"d/a.md": b"# S\none\n", "c.json": b'{"a": {"b": 2}}', "t.txt": b"1\n3\n", "b.bin": b"\0\0"},
        {"d/a.md": b"# S\none\ntwo\n", "c.json": b"[]", "t.txt": b"1\n3\n", "b.bin": b""},
    )
    assert told(history(repository, "a")) == [(1, "added"), (2, "moved"), (3, "changed")]
    assert [change.field for change in history(repository, "a").versions[2].fields] == ["section S"]
    assert [change.field for change in history(repository, "c.json").versions[1].fields] == ["a.b"]
    (lines,) = history(repository, "t.txt").versions[1].fields
    assert (lines.field, lines.added, lines.removed) == ("text", ("3",), ("2",))
    assert history(repository, "b.bin").versions[1].problem == "not text"


def test_a_line_of_a_memory_server(repository: Repository) -> None:
    """A record of a larger file has versions of its own: only when it changed itself."""
    line = b'{"type":"entity","name":"%s","entityType":"person","observations":[%s]}\n'
    ada, bob = line % (b"Ada", b'"x"'), line % (b"Bob", b"")
    more = line % (b"Ada", b'"x","y"')
    take_all(repository, *({"memory.jsonl": data} for data in (bob, bob + ada, ada + bob, more, bob, bob + more)))
    found = history(repository, "Ada")
    assert told(found) == [(2, "added"), (4, "changed"), (5, "removed"), (6, "returned")]
    assert (found.id, found.type, found.path) == ("Ada", "person", b"memory.jsonl")
    assert [len(version.fields) for version in found.versions] == [0, 1, 0, 0]
    assert len(history(repository, "memory.jsonl").versions) == 6
    take(repository, {"memory.jsonl": bob + b'{"type":"relation","from":"Bob","to":"Cy","relationType":"knows"}\n'})
    assert told(history(repository, "Bob -knows-> Cy")) == [(7, "added")]


def test_random_histories_agree_with_a_plain_one(repository: Repository) -> None:
    """Whatever happens to twelve entities in 25 snapshots, each history is what going through all of them gives."""
    rng = random.Random(20250601)
    names = [f"Learning-{n:02}-20250601" for n in range(12)]
    folders = ["2025/06", "2025/07", "archive", "archive/2025"]
    memory: dict[str, tuple[str, int]] = {}
    past: list[dict[str, tuple[str, int]]] = []
    for _ in range(25):
        for name in rng.sample(names, 3):
            action = rng.randrange(5)
            if name not in memory:
                memory[name] = rng.choice(folders), rng.randrange(3)
            elif action == 0:
                del memory[name]
            elif action < 3:
                memory[name] = rng.choice(folders), memory[name][1] + action - 1
            else:
                memory[name] = memory[name][0], memory[name][1] + 1
        past.append(dict(memory))
        take(repository, {brief_path(name, where): brief(name, n=n) for name, (where, n) in memory.items()})
    for name in names:
        expected: list[tuple[int, str]] = []
        last: tuple[str, int] | None = None
        for seq, state in enumerate(past, 1):
            now = state.get(name)
            if now is None and last is not None:
                expected.append((seq, "removed"))
            elif now is not None and last is None:
                expected.append((seq, "returned" if expected else "added"))
            elif now is not None and last is not None and now != last:
                expected.append((seq, "moved" if now[0] != last[0] else "changed"))
            last = now
        if expected:
            assert told(history(repository, name)) == expected, name


def test_only_what_differs_is_read(repository: Repository) -> None:
    """Of 30 snapshots of 200 entities, a history reads the versions of its entity, and each tree once."""
    files = {brief_path(f"Learning-{n:03}", f"2025/{n % 8:02}"): brief(f"Learning-{n:03}") for n in range(200)}
    path = brief_path("Learning-003", "2025/03")
    for day in range(30):
        take(
            repository,
            files
            | {
                path: brief("Learning-003", n=day // 10),
                brief_path("Learning-005", "2025/05"): brief("Learning-005", n=day),
            },
        )
    with reads(repository) as seen:
        assert told(history(repository, path)) == [(1, "added"), (11, "changed"), (21, "changed")]
    assert len(seen.of(Kind.CHUNK)) == 3 + 1  # the newest once more, for its id
    assert len(seen.again(Kind.TREE)) <= 1  # the newest root, for the profile
    assert len(set(seen.of(Kind.TREE))) == 4 * 30 + 3  # the four above change every day, the folder itself twice
