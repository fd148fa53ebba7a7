"""Entities, living or gone, that contain a text; and that each content and tree is read once."""

from __future__ import annotations

import json
import random

import pytest

from icc_store.errors import SnapshotNotFound, UsageError
from icc_store.ids import Kind
from icc_store.model.entry import Entry
from icc_store.model.record import Subject
from icc_store.model.repository import Repository
from icc_store.model.walk import lookup
from icc_store.operations.memory.search import Hit, HitState, SearchOptions, SearchResult, search
from icc_store.operations.memory.search_text import Passage
from tests.support import damage
from tests.support.entities import brief, brief_path
from tests.support.reads import reads
from tests.support.snapshots import take

A, B, C = "Learning-a-20250601", "Pattern-b-20250601", "Project-c-20250601"


def look(repository: Repository, text: str, **options: object) -> SearchResult:
    return search(repository, text, options=SearchOptions(**options))  # type: ignore[arg-type]


def told(found: SearchResult) -> list[tuple[str, str, int, int, int]]:
    """Id, state, numbers of the first and the last snapshot, and in how many."""
    return [(hit.id, str(hit.state), hit.first.record.seq, hit.last.record.seq, hit.snapshots) for hit in found.hits]


def test_present_changed_deleted(repository: Repository) -> None:
    """For each entity: the snapshots in which it contains the text, and what became of it."""
    texts = ({A: "Pool", B: "pool", C: "-"}, {A: "the POOL", B: "-", C: "pool!"}, {A: "pool", B: "-"}, {A: "x pool"})
    for state in texts:
        take(repository, {brief_path(name): brief(name, note=text) for name, text in state.items()})
    found = look(repository, "pool")
    assert told(found) == [(A, "present", 1, 4, 4), (B, "deleted", 1, 1, 1), (C, "deleted", 2, 2, 1)]
    assert told(look(repository, "pool", deleted=True)) == told(found)[1:]
    assert found.searched == 4
    assert (found.hits[0].type, found.hits[0].path) == ("Learning", brief_path(A).encode())
    assert found.hits[0].passages == (Passage("note", "x pool"),)
    take(repository, {brief_path(B): brief(B, note="-")})
    assert [str(hit.state) for hit in look(repository, "pool").hits] == ["deleted", "changed", "deleted"]


def test_an_entity_that_moved(repository: Repository) -> None:
    """It is one entity, wherever it stands; moved and edited at once it is not deleted."""
    take(repository, {brief_path(A): brief(A, note="pool")})
    take(repository, {brief_path(A, "archive"): brief(A, note="pool")})
    assert told(look(repository, "pool")) == [(A, "present", 1, 2, 2)]
    take(repository, {brief_path(A, "archive/2025"): brief(A, note="-")})
    assert told(look(repository, "pool")) == [(A, "changed", 1, 2, 2)]
    assert told(look(repository, "pool", deleted=True)) == []


def test_where_a_text_is_found(repository: Repository) -> None:
    """In values at any depth, in items, in numbers as JSON has them, however the file writes it; not in field names."""
    fields = {
        "context": {"role": 'Müller\'s "desk"'},
        "tags": ["a", "b\\c", {"deep": ["needle"]}],
        "score": 0.25,
        "done": True,
        "needleless": None,
    }
    take(repository, {brief_path(A): brief(A, **fields)})

    def places(text: str, **options: bool) -> list[str]:
        return [passage.field for hit in look(repository, text, **options).hits for passage in hit.passages]

    assert places("müller") == ["context.role"]
    assert places('"DESK"') == ["context.role"]
    assert places("b\\c") == ["tags[1]"]
    assert places("needle") == ["tags[2]"]
    assert places("0.25") == ["score"]
    assert places("needleless") == []
    assert places("relevance") == []
    assert places("learning") == ["id", "type"]
    assert places("^0[.]2", regex=True) == ["score"]
    assert places("NEE+DLE", regex=True) == ["tags[2]"]
    assert places("^true$", regex=True) == ["done"]


def test_long_values_are_shown_in_part(repository: Repository) -> None:
    """Of a long value, what stands around the text is shown; of many places, the first three."""
    take(repository, {brief_path(A): brief(A, note="x" * 500 + "needle" + "y" * 500, tags=["needle"] * 5)})
    passages = look(repository, "needle").hits[0].passages
    assert [passage.field for passage in passages] == ["note", "tags[0]", "tags[1]"]
    assert passages[0].text == "…" + "x" * 60 + "needle" + "y" * 60 + "…"


def test_notes_and_memory_servers(repository: Repository) -> None:
    """Notes are found by heading or line and named by their path; a memory.jsonl by the entities in it."""
    line = b'{"type":"entity","name":"%s","entityType":"person","observations":["likes %s"]}\n'
    note = b"# Tea time\nhot\n"
    take(repository, {"a.md": note, "b/c.md": note, "memory.jsonl": line % (b"Ada", b"tea") + line % (b"Bob", b"rum")})
    take(repository, {"a.md": note, "memory.jsonl": line % (b"Bob", b"Tea")})
    assert told(look(repository, "tea")) == [
        ("Ada", "deleted", 1, 1, 1),
        ("Bob", "present", 2, 2, 1),
        ("a", "present", 1, 2, 2),
        ("b/c", "deleted", 1, 1, 1),
    ]
    assert [passage.field for passage in look(repository, "tea").hits[2].passages] == ["section Tea time"]
    assert told(look(repository, "rum")) == [("Bob", "changed", 1, 1, 1)]
    take(repository, {"a.md": b"---\nfolded: green\n  leaves\n---\n"})
    assert [hit.id for hit in look(repository, "green leaves").hits] == ["a"]


def test_broken_entities(repository: Repository) -> None:
    """A truncated file is searched as the text it is."""
    take(repository, {brief_path(A): b'{"id": "' + A.encode() + b'", "note": "the poo'})
    (hit,) = look(repository, "the poo").hits
    assert (hit.id, hit.passages[0].field) == (A, "text[0]")


def test_what_was_not_looked_into(repository: Repository) -> None:
    """Files that are too large, lost contents and lost directories are listed; the others are searched."""
    big = b'{"name":"x","note":"pool"}\n' * 700_000
    bad = Entry(b"", 0o040755, subtree=bytes(range(32)))
    snapshot = take(
        repository,
        {
            brief_path(A): brief(A, n="pool"),
            brief_path(B): brief(B, n="pool"),
            "memory.jsonl": big,
            "x": bad,
        },
    )
    damage.lose(repository, lookup(repository.objects, snapshot.record, brief_path(B).encode()).entry.chunk)
    found = look(repository, "pool")
    assert [hit.id for hit in found.hits] == [A]
    assert [path for path, _ in found.unread] == [b"memory.jsonl"]
    assert {path for path, _ in found.damaged} == {brief_path(B).encode(), b"x"}


def test_options(repository: Repository) -> None:
    """Forgotten snapshots and other sources are left out; an empty text and a broken expression are refused."""
    with pytest.raises(SnapshotNotFound):
        look(repository, "x")
    gone = take(repository, {brief_path(A): brief(A, note="pool")})
    take(repository, {brief_path(B): brief(B, note="pool")})
    repository.annotate(gone.id, Subject.FORGOTTEN, value=True)
    assert [hit.id for hit in look(repository, "pool").hits] == [B]
    take(repository, {brief_path(C): brief(C, note="pool")}, source="other")
    assert [hit.id for hit in look(repository, "pool", source="other").hits] == [C]
    for text, regex in (("", False), ("(", True)):
        with pytest.raises(UsageError):
            look(repository, text, regex=regex)


def test_random_memories_agree_with_a_plain_search(repository: Repository) -> None:
    """Over 25 snapshots of twelve entities that come, change, move and go, the hits are what reading all gives."""
    rng = random.Random(5)
    names = [f"Learning-{n:02}-20250601" for n in range(12)]
    words = ["alpha", "beta", "gamma", "delta"]
    memory: dict[str, tuple[str, list[str]]] = {}
    past = []
    for _ in range(25):
        for name in rng.sample(names, 4):
            if name in memory and rng.random() < 0.3:
                del memory[name]
            else:
                memory[name] = rng.choice(["2025/06", "archive"]), rng.sample(words, rng.randrange(4))
        past.append({name: texts for name, (_, texts) in memory.items()})
        take(repository, {brief_path(name, at): brief(name, tags=texts) for name, (at, texts) in memory.items()})
    for word in words:
        expected = []
        for name in names:
            seqs = [seq for seq, state in enumerate(past, 1) if word in state.get(name, ())]
            if seqs:
                state = "present" if seqs[-1] == 25 else "changed" if name in past[-1] else "deleted"
                expected.append((name, state, seqs[0], seqs[-1], len(seqs)))
        assert told(look(repository, word)) == expected


def test_each_content_and_tree_is_read_once(repository: Repository) -> None:
    """30 snapshots of 200 entities: as many contents and trees are read as there are different ones."""
    files = {brief_path(f"Learning-{n:03}", f"2025/{n % 8:02}"): brief(f"Learning-{n:03}") for n in range(200)}
    changed = brief_path("Learning-003", "2025/03")
    for day in range(30):
        take(
            repository,
            files
            | {
                changed: brief("Learning-003", n=f"day {day // 2}"),
                "indexes/x.json": json.dumps({"day": day}).encode(),
            },
        )
    with reads(repository) as seen:
        hits: tuple[Hit, ...] = look(repository, "DAY 7").hits
    assert [(hit.id, hit.state, hit.snapshots) for hit in hits] == [("Learning-003", HitState.CHANGED, 2)]
    assert len(seen.of(Kind.CHUNK)) == len(set(seen.of(Kind.CHUNK))) == 199 + 15
    # Each day its root and indexes; every other day the three above the folder that changed, and that.
    assert len(set(seen.of(Kind.TREE))) == 30 * 2 + 15 * 4 + 7
    assert len(seen.again(Kind.TREE)) == 1  # the newest root, for the profile
