"""Entities that came, went, changed or moved between two snapshots, and that nothing else is read."""

from __future__ import annotations

import pytest

from icc_store.entities.changes import FieldChange, FieldChangeKind
from icc_store.errors import PathNotInSnapshot
from icc_store.ids import Kind
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.model.walk import lookup
from icc_store.operations.changes import DiffOptions
from icc_store.operations.memory.entity_diff import EntityChange, EntityChangeKind, entity_diff
from tests.support import damage
from tests.support.entities import brief, brief_path
from tests.support.reads import reads
from tests.support.snapshots import Files, take

A, B, C = "Learning-a-20250601", "Pattern-b-20250601", "Project-c-20250601"


def between(repository: Repository, before: Files, after: Files) -> list[EntityChange]:
    return list(entity_diff(repository, (take(repository, before), take(repository, after))).changes)


def told(changes: list[EntityChange]) -> list[tuple[str, str]]:
    return [(change.id, str(change.kind)) for change in changes]


def test_added_removed_changed(repository: Repository) -> None:
    """Each entity that differs is told of once, with the fields that changed; counts are by type."""
    before = {brief_path(A): brief(A, relevance_score=0.41, tags=["old"]), brief_path(B): brief(B)}
    after = {brief_path(A): brief(A, relevance_score=0.7, tags=["security"]), brief_path(C): brief(C)}
    diff = entity_diff(repository, (take(repository, before), take(repository, after)))
    assert told(list(diff.changes)) == [(A, "changed"), (B, "removed"), (C, "added")]
    assert diff.changes[0].fields == (
        FieldChange("relevance_score", FieldChangeKind.CHANGED, 0.41, 0.7),
        FieldChange("tags", FieldChangeKind.ITEMS, added=("security",), removed=("old",)),
    )
    assert [(change.type, change.path) for change in diff.changes[1:]] == [
        ("Pattern", brief_path(B).encode()),
        ("Project", brief_path(C).encode()),
    ]
    assert diff.counts() == {
        "Learning": {EntityChangeKind.CHANGED: 1},
        "Pattern": {EntityChangeKind.REMOVED: 1},
        "Project": {EntityChangeKind.ADDED: 1},
    }


def test_nothing_changed(repository: Repository) -> None:
    """Equal snapshots, and files that are no entities, give no changes."""
    files = {brief_path(A): brief(A), "indexes/tag-index.json": b"{}", "config/settings.json": b"{}"}
    assert between(repository, files, files | {"indexes/tag-index.json": b'{"n": 1}', "readme": b"x"}) == []


def test_moved(repository: Repository) -> None:
    """The same id at another path is a move, changed or not; it is neither added nor removed."""
    before = {brief_path(A): brief(A, n=1), brief_path(B): brief(B, n=1)}
    after = {brief_path(A, "archive/2025/06"): brief(A, n=1), brief_path(B, "archive"): brief(B, n=2)}
    one, two = between(repository, before, after)
    assert (one.kind, one.moved_from, one.path) == (
        EntityChangeKind.MOVED,
        brief_path(A).encode(),
        brief_path(A, "archive/2025/06").encode(),
    )
    assert one.fields == ()
    assert [(change.field, change.before, change.after) for change in two.fields] == [("n", 1, 2)]


def test_another_entity_in_the_same_file(repository: Repository) -> None:
    """A file that holds another id than before is one entity gone and one new, and the old one may be elsewhere."""
    assert told(between(repository, {brief_path(A): brief(A)}, {brief_path(A): brief(B)})) == [
        (A, "removed"),
        (B, "added"),
    ]
    swapped = {brief_path(A): brief(B), brief_path(B): brief(A)}
    assert told(between(repository, {brief_path(A): brief(A), brief_path(B): brief(B)}, swapped)) == [
        (B, "moved"),
        (A, "moved"),
    ]


def test_the_same_in_another_form(repository: Repository) -> None:
    """A file that was only written in another way is changed, with no field."""
    (change,) = between(repository, {brief_path(A): brief(A)}, {brief_path(A): brief(A).replace(b"\n", b"")})
    assert (change.kind, change.fields, change.problem) == (EntityChangeKind.CHANGED, (), "")


def test_what_cannot_be_read_as_an_entity(repository: Repository) -> None:
    """A truncated file is listed with the reason, whichever side it is on; the others are compared all the same."""
    whole = {brief_path(A): brief(A, n=1), brief_path(B): brief(B, n=1)}
    torn = {brief_path(A): brief(A, n=1)[:20], brief_path(B): brief(B, n=2)}
    for before, after in ((whole, torn), (torn, whole)):
        one, two = between(repository, before, after)
        assert (one.id, one.type, one.kind) == (A, "Learning", EntityChangeKind.CHANGED)
        assert one.problem.startswith("not readable as an entity: not JSON")
        assert [change.field for change in two.fields] == ["n"]
    (gone,) = between(repository, {brief_path(A): b"{"}, {"entities/x": b""})
    assert (gone.id, gone.kind, gone.problem[:12]) == (A, EntityChangeKind.REMOVED, "not readable")
    (deep,) = between(repository, {brief_path(A): b"[" * 5000}, {brief_path(A): brief(A)})
    assert deep.problem.startswith("not readable as an entity")


def test_one_id_in_two_files(repository: Repository) -> None:
    """A duplicate, which no memory should have, is an entity more or less."""
    one = {brief_path(A): brief(A)}
    two = one | {brief_path(A, "2025/07"): brief(A)}
    assert told(between(repository, one, two)) == [(A, "added")]
    assert told(between(repository, two, one)) == [(A, "removed")]


def test_notes(repository: Repository) -> None:
    """Markdown is compared by front matter and section; a note with the same bytes elsewhere has moved."""
    before = {"a.md": b"---\ntype: idea\nn: 1\n---\n# Setup\none\ntwo\n", "b.md": b"# B\n"}
    after = {"a.md": b"---\ntype: idea\nn: 2\n---\n# Setup\none\nthree\nfour\n", "d/c.md": b"# B\n"}
    one, two = between(repository, before, after)
    assert (one.id, one.type, one.kind) == ("a", "idea", EntityChangeKind.CHANGED)
    assert [(each.field, len(each.added), len(each.removed)) for each in one.fields] == [
        ("n", 0, 0),
        ("section Setup", 2, 1),
    ]
    assert (two.id, two.kind, two.moved_from) == ("d/c", EntityChangeKind.MOVED, b"b.md")


def test_a_memory_server(repository: Repository) -> None:
    """One file holds all: each entity and relation in it is compared by itself, and unchanged ones are not told of."""
    line = '{"type":"entity","name":"%s","entityType":"person","observations":[%s]}\n'
    relation = '{"type":"relation","from":"Ada","to":"Bob","relationType":"knows"}\n'
    before = (line % ("Ada", '"x"') + line % ("Bob", "") + line % ("Cy", "")).encode()
    after = (line % ("Bob", "") + line % ("Ada", '"x","y","z"') + relation).encode()
    changes = between(repository, {"memory.jsonl": before}, {"memory.jsonl": after})
    assert told(changes) == [("Ada", "changed"), ("Ada -knows-> Bob", "added"), ("Cy", "removed")]
    assert changes[0].fields == (FieldChange("observations", FieldChangeKind.ITEMS, added=("y", "z")),)
    assert [change.type for change in changes] == ["person", "relation", "person"]


def test_paths(repository: Repository) -> None:
    """Only what was asked for is compared; a path that neither side has is refused."""
    one = take(repository, {brief_path(A): brief(A, n=1), brief_path(B): brief(B, n=1)})
    two = take(repository, {brief_path(A): brief(A, n=2), brief_path(B): brief(B, n=2)})
    options = DiffOptions(paths=(b"entities/Pattern",))
    assert told(list(entity_diff(repository, (one, two), options=options).changes)) == [(B, "changed")]
    with pytest.raises(PathNotInSnapshot):
        entity_diff(repository, (one, two), options=DiffOptions(paths=(b"nothing",)))


def test_damage_is_told_of(repository: Repository) -> None:
    """An entity whose content is lost is listed as damaged, and the others are compared."""
    one = take(repository, {brief_path(A): brief(A, n=1), brief_path(B): brief(B, n=1)})
    two = take(repository, {brief_path(A): brief(A, n=2), brief_path(B): brief(B, n=2)})
    damage.lose(repository, content_of(repository, two, brief_path(A)))
    first, second = entity_diff(repository, (one, two)).changes
    assert (first.id, first.damaged) == (A, True)
    assert first.problem.startswith("damaged: ")
    assert (second.id, second.damaged) == (B, False)


def content_of(repository: Repository, snapshot: Snapshot, path: str) -> bytes:
    return lookup(repository.objects, snapshot.record, path.encode()).entry.chunk or b""


def test_only_what_differs_is_read(repository: Repository) -> None:
    """Of 400 entities in eight folders, a counter and a move cost two folders and the contents that changed."""
    files = {
        brief_path(f"Learning-{n:03}-20250601", f"2025/{n % 8:02}"): brief(f"Learning-{n:03}-20250601")
        for n in range(400)
    }
    changed = brief_path("Learning-003-20250601", "2025/03")
    moved, target = brief_path("Learning-004-20250601", "2025/04"), brief_path("Learning-004-20250601", "archive")
    after = files | {changed: brief("Learning-003-20250601", n=1), target: files[moved]}
    del after[moved]
    snapshots = take(repository, files), take(repository, after)
    with reads(repository) as seen:
        assert told(list(entity_diff(repository, snapshots).changes)) == [
            ("Learning-003-20250601", "changed"),
            ("Learning-004-20250601", "moved"),
        ]
    assert len(set(seen.of(Kind.CHUNK))) == 3
    assert len(set(seen.of(Kind.TREE))) == 2 * 6 + 1
