"""Selective and incremental snapshots as a user takes them: what is in them, what is not, and what is said of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from icc_store.cli.commands import snapshot as snapshot_command
from icc_store.codec.hashing import chunk_id
from icc_store.entities.profiles import BY_NAME
from icc_store.errors import ObjectMissing
from icc_store.ids import Kind
from icc_store.opening import open_repository
from tests.support.live import contents, fill, on_disk
from tests.support.program import Program


def entity(kind: str, stem: str, day: str, score: float, **fields: Any) -> tuple[str, bytes]:
    """The stored path and bytes of an entity; under `archive` where it is archived since some day."""
    identity = f"{kind}-{stem}-{day.replace('-', '')}"
    folder = "archive/2025" if "archived_at" in fields else "2025"
    given = {"id": identity, "type": kind, "created_at": f"{day}T12:00:00Z", "relevance_score": score, "tags": ["all"]}
    return f"entities/{kind}/{folder}/{identity}.json", json.dumps(given | fields, indent=2).encode()


A = entity("Learning", "a", "2025-05-01", 0.9, tags=["cache", "web"])
B = entity("Learning", "b", "2025-06-01", 0.7, context={"role": "tester"})
C = entity("Pattern", "c", "2025-07-01", 0.3, tags=["web"], context={"domain": "web"})
D = entity("Pattern", "d", "2025-04-01", 0.1, archived_at="2025-05-15T00:00:00Z")
E = entity("Project", "e", "2025-08-01", 0.5, archived_at="2025-09-01T00:00:00Z")
ENTITIES = dict((A, B, C, D, E))
BROKEN = {"entities/Learning/2025/Learning-broken-20250101.json": b'{"id": "Learning-bro'}
STRUCTURE = {
    "config/settings.json": b'{"version": "1.0"}\n',
    "relationships/knowledge-links.json": b'{"relationships": {}}\n',
    "indexes/tag-index.json": b'{"tag_count": 3}\n',
    "entities/Learning/index.json": b'{"count": 3}\n',
}
OTHERS = {"notes.md": b"# mine\n"}
MEMORY = ENTITIES | BROKEN | STRUCTURE | OTHERS


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    fill(tmp_path / "memory", MEMORY)
    return tmp_path / "memory"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    program = Program(tmp_path / "repository", os.environ | {"HOME": str(tmp_path / "home")})
    program.good("init", "-q")
    return program


def taken(program: Program, memory: Path, *options: str) -> Any:
    """What a snapshot says of itself. The broken entity and its like are told on stderr."""
    done = program("snapshot", memory, "--source", "mine", "--json", *options)
    assert done.code == 0, done
    return done.document


def stored(program: Program, snapshot: str, tmp_path: Path) -> dict[str, bytes]:
    """What a snapshot restores to in an empty place."""
    program.good("restore", snapshot, "--target", tmp_path / f"back {snapshot}", "--no-safety", "-q")
    return on_disk(tmp_path / f"back {snapshot}")


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        (("--high-relevance-only",), [A]),
        (("--min-relevance", "0.5"), [A, B, E]),
        (("--types", "Learning,Project"), [A, B, E]),
        (("--types", "Learning", "--types", "Pattern"), [A, B, C, D]),
        (("--tags", "cache,nothing"), [A]),
        (("--tags", "web"), [A, C]),
        (("--created-after", "2025-06-01"), [B, C, E]),
        (("--created-before", "2025-06-01T12:00:00Z"), [A, D]),
        (("--exclude-archived-before", "2025-06-01"), [A, B, C, E]),
        (("--where", "context.domain = 'web' or context.role = 'tester'"), [B, C]),
        (("--where", "archived"), [D, E]),
        (("--tags", "web", "--min-relevance", "0.5", "--where", "not archived"), [A]),
    ],
)
def test_each_option(program: Program, memory: Path, options: tuple[str, ...], chosen: list[tuple[str, bytes]]) -> None:
    """A selective snapshot holds the chosen entities, those that cannot be judged, and all that is no entity."""
    said = taken(program, memory, *options)
    assert said["class"] == "selective"
    with open_repository(program.repository) as repository:
        assert contents(repository, repository.snapshots()[0]) == dict(chosen) | BROKEN | STRUCTURE | OTHERS
    assert said["selection"]["entities"] == 6
    assert (said["selection"]["kept"], said["selection"]["unjudged"]) == (len(chosen) + 1, 1)
    assert said["selection"]["files_left_out"] == 5 - len(chosen)
    assert said["selection"]["size_left_out"] == sum(map(len, ENTITIES.values())) - sum(len(data) for _, data in chosen)


def test_it_restores_to_what_was_chosen(program: Program, memory: Path, tmp_path: Path) -> None:
    """In an empty place a selective snapshot becomes exactly what was chosen."""
    taken(program, memory, "--high-relevance-only", "--name", "important-patterns")
    assert stored(program, "important-patterns", tmp_path) == dict([A]) | BROKEN | STRUCTURE | OTHERS


def test_config_only(program: Program, memory: Path, tmp_path: Path) -> None:
    """Configuration, relationships and every index as they are, and nothing else."""
    said = taken(program, memory, "--config-only", "--name", "pre-settings-change")
    assert (said["class"], said["selection"]["kind"]) == ("selective", "config-only")
    assert stored(program, "pre-settings-change", tmp_path) == STRUCTURE


def test_nothing_of_what_is_left_out_is_stored(program: Program, memory: Path) -> None:
    """Not one content that was left out is in the repository, and every one that was not is."""
    taken(program, memory, "--high-relevance-only")
    left_out = dict((B, C, D, E)).values()
    with open_repository(program.repository) as repository:
        for data in (*BROKEN.values(), *STRUCTURE.values(), A[1]):
            assert repository.objects.get(chunk_id(data), Kind.CHUNK) == data
        for data in left_out:
            with pytest.raises(ObjectMissing):
                repository.objects.get(chunk_id(data), Kind.CHUNK)
    raw = (program.repository / "data.mdb").read_bytes()
    assert not [path for path, data in (B, C, D, E) if path.rpartition("/")[2].encode() in raw or data in raw]


def test_it_is_never_latest_and_never_the_one_before(program: Program, memory: Path) -> None:
    """`latest`, the parent of the next snapshot and `--incremental` go by full snapshots alone."""
    first = taken(program, memory)
    chosen = taken(program, memory, "--config-only")
    assert program.good("show", "latest", "--source", "mine", "--json").document["snapshot"]["id"] == first["id"]
    assert chosen["parent"] == first["id"]
    (memory / "notes.md").write_bytes(b"# changed\n")
    second = taken(program, memory, "--incremental")
    assert second["parent"] == second["since"]["snapshot"] == first["id"]
    assert second["counters"]["unchanged_files"] == len(MEMORY) - 1
    assert second["counters"]["added_plain"] < 2000


def test_only_selective_ones_are_no_base(program: Program, memory: Path) -> None:
    """With nothing but a selective snapshot there is no `latest`, and nothing an incremental one could follow."""
    taken(program, memory, "--high-relevance-only")
    assert program("show", "latest", "--source", "mine").code == 4
    done = program("snapshot", memory, "--source", "mine", "--incremental")
    assert (done.code, done.out) == (1, "")
    assert "take a full one" in done.err


def test_retention_counts_full_ones(program: Program, memory: Path) -> None:
    """A selective snapshot takes no full one's place, and goes by name only."""
    first, second = taken(program, memory), taken(program, memory)
    chosen = [taken(program, memory, "--config-only") for _ in range(3)]
    program.good("gc", "--keep-last", "1", "-q")
    living = [row["id"] for row in program.good("list", "--json").document["snapshots"]]
    assert living == [second["id"], *(each["id"] for each in chosen)]
    assert first["id"] not in living


def test_restoring_one_deletes_nothing(program: Program, memory: Path) -> None:
    """What a selective snapshot left out is not taken for deleted, however it is restored in place."""
    said = taken(program, memory, "--high-relevance-only")
    (memory / A[0]).unlink()
    program.good("restore", said["id"][:12], "--yes", "-q")
    assert on_disk(memory) == MEMORY
    program("restore", said["id"][:12], "--yes", "--delete", "--no-safety")
    assert on_disk(memory) == MEMORY


def test_a_full_one_after_it_is_full(program: Program, memory: Path, tmp_path: Path) -> None:
    """What was left out once is stored the next time, in whatever order the snapshots come."""
    taken(program, memory, "--config-only")
    full = taken(program, memory)
    taken(program, memory, "--types", "Pattern")
    again = taken(program, memory)
    assert full["root"] == again["root"]
    assert stored(program, again["id"][:12], tmp_path) == MEMORY


def test_what_is_said_to_people(program: Program, memory: Path) -> None:
    """One line says how many were chosen, by what, and how much was left out; another what could not be judged."""
    lines = program("snapshot", memory, "--high-relevance-only").out.splitlines()
    size = sum(len(data) for _, data in (B, C, D, E))
    assert f"  selective: 2 of 6 entities: relevance_score > 0.7; 4 files of {size} B left out" in lines
    assert "  1 of these cannot be read or parsed, and are kept for that" in lines
    planned = program("snapshot", memory, "--config-only", "--dry-run").out.splitlines()
    assert planned[0] == "nothing was stored (dry run)"
    assert any("selective: 0 of 6 entities: configuration, relationships and indexes only" in line for line in planned)


def test_incremental_says_what_changed(program: Program, memory: Path, tmp_path: Path) -> None:
    """It counts files against the last full snapshot, and holds everything itself."""
    program("snapshot", memory, "-q")
    (memory / A[0]).write_bytes(A[1].replace(b"0.9", b"0.8"))
    (memory / B[0]).unlink()
    (memory / "new/deep").mkdir(parents=True)
    (memory / "new/deep/file").write_bytes(b"1")
    (memory / "notes.md").chmod(0o600)
    planned = program("snapshot", memory, "--incremental", "--dry-run", "--json").document
    assert list(planned["since"]) == ["snapshot"]
    done = program("snapshot", memory, "--incremental", "--name", "daily-backup")
    assert done.code == 0
    line = next(line for line in done.out.splitlines() if "since" in line)
    assert line.endswith(": 1 added, 1 changed, 1 removed, 1 with other metadata")
    assert stored(program, "daily-backup", tmp_path) == on_disk(memory)
    said = taken(program, memory)
    assert said["since"] is None


def test_json_has_the_documented_fields(program: Program, memory: Path) -> None:
    """The documents of selective and incremental snapshots have the fields that docs/cli.md lists."""
    fields = snapshot_command.DOCUMENT
    said = taken(program, memory, "--types", "Pattern")
    assert set(said) - {"schema", "command"} == set(fields)
    assert set(said["selection"]) == set(snapshot_command.SELECTION)
    assert said["selection"]["options"] == {"types": ["Pattern"]}
    manifest = program.good("manifest", said["id"][:12], "--json").document
    assert "types" in json.dumps(manifest)
    taken(program, memory)
    assert set(taken(program, memory, "--incremental")["since"]) == set(snapshot_command.SINCE)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--incremental", "--config-only"), "--incremental stores everything"),
        (("--config-only", "--types", "Pattern"), "--config-only stores no entities"),
        (("--where", "type ="), "the expression, column 7"),
        (("--where", ""), "--where is empty"),
        (("--types", "Lerning"), "no entities of type 'Lerning'"),
        (("--types", "Pattern,"), "--types: there is an empty name"),
        (("--tags", "web,,ui"), "--tags: there is an empty name"),
        (("--min-relevance", "7"), "--min-relevance: 7.0 is not a score"),
        (("--created-after", "June"), "--created-after: 'June' is no date"),
        (("--created-before", ""), "--created-before is empty"),
        (("--exclude-archived-before", "2025"), "'2025' is no date"),
        (("--config-only", "--as-path", "x"), "one memory"),
        (("--config-only", "--skip-if-unchanged"), "--skip-if-unchanged compares with a full snapshot"),
        (("--config-only", "--profile", "generic"), "--config-only is for memories of the icc layout"),
        (("--profile", "icq"), "there is no profile 'icq'"),
        (("--scan-secrets", "--dry-run"), "--scan-secrets looks at what is stored"),
        (("--scan-secrets", "--profile", "generic"), "--scan-secrets looks through a memory"),
    ],
)
def test_what_does_not_go_together(program: Program, memory: Path, options: tuple[str, ...], words: str) -> None:
    """Options that make no sense, or would have no effect, end with 2 and one line, and nothing is stored."""
    done = program("snapshot", memory, *options)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1), done
    assert words in done.err
    with open_repository(program.repository) as repository:
        assert repository.snapshots() == []


def test_entities_are_chosen_from_one_memory(program: Program, memory: Path, tmp_path: Path) -> None:
    """Several paths, a stream and a file have no entities to choose from."""
    for arguments in ((memory, tmp_path, "--config-only"), ("--stdin", "--stdin-name", "x", "--config-only")):
        assert program("snapshot", *arguments).code == 2
    assert program("snapshot", memory / "notes.md", "--config-only").code == 2
    assert program("snapshot", memory / "notes.md", "--tags", "a").code in {1, 2}


def test_every_profile_is_named_in_the_help(program: Program) -> None:
    """The help of --profile names all there are."""
    text = " ".join(program.good("snapshot", "--help", COLUMNS="200").out.split())
    for name in BY_NAME:
        assert name in text


def test_a_profile_given_by_name(program: Program, tmp_path: Path) -> None:
    """With --profile, front matter chooses in a directory that looks like no memory."""
    notes = {"AGENTS.md": b"# rules\n", "memories/a.md": b"---\ntags: [web]\n---\n# A\n", "memories/b.md": b"# B\n"}
    fill(tmp_path / "notes", notes)
    said = taken(program, tmp_path / "notes", "--profile", "codex", "--tags", "web")
    assert (said["memory"]["profile"], said["class"]) == ("codex", "selective")
    assert stored(program, said["id"][:12], tmp_path) == {"memories/a.md": notes["memories/a.md"]}
