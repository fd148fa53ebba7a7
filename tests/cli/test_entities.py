"""diff --entities, history, blame and search through real processes: what they print and how they end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from icc_store.cli.commands import blame as blame_command
from icc_store.cli.commands import diff as diff_command
from icc_store.cli.commands import history as history_command
from icc_store.cli.commands import search as search_command
from icc_store.clock import FixedClock
from icc_store.model.walk import lookup
from icc_store.opening import create_repository, open_repository
from tests.support import damage
from tests.support.entities import brief, brief_path
from tests.support.live import fill
from tests.support.program import Program
from tests.support.snapshots import take

NOON = 1_793_534_400_000_000_000
"""2026-11-01 12:00:00 UTC."""

A, B, C = "Learning-pool_timeout-20251101", "Pattern-b-20251101", "Project-c-20251101"
LONG = "The connection pool of the billing service runs dry when a worker is killed in a transaction. " * 5
DAYS = (
    {
        brief_path(A): brief(A, relevance_score=0.41, tags=["old", "db"], observations=["one"]),
        brief_path(B): brief(B, note=LONG),
    },
    {
        brief_path(A): brief(
            A, relevance_score=0.7, tags=["db", "security"], observations=["one", "two words", LONG], note=LONG
        ),
        brief_path(B, "archive"): brief(B, note=LONG),
        brief_path(C): b'{"id": "Pro',
    },
    {
        brief_path(A): brief(
            A, relevance_score=0.7, tags=["db", "security"], observations=["one", "two words", LONG], note="short"
        ),
        brief_path(C): brief(C),
    },
)


def make(path: Path) -> Program:
    """A repository with a snapshot a day."""
    create_repository(path)
    clock = FixedClock(NOON)
    with open_repository(path, clock=clock) as repository:
        for number, files in enumerate(DAYS):
            take(repository, files, name=f"day-{number}")
            clock.sleep(86_400)
    return Program(path)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The repository, to be looked at only."""
    return make(tmp_path_factory.mktemp("entities") / "repository")


def ids(program: Program) -> list[str]:
    return [row["id"] for row in program.good("list", "--json-lines").rows]


@pytest.mark.parametrize(
    "arguments",
    [
        ("diff", "day-0", "day-1", "--entities"),
        ("diff", "day-0", "day-2", "--entities", "--stat"),
        ("history", A),
        ("history", B),
        ("blame", A),
        ("blame", A, "--lines"),
        ("search", "billing"),
        ("search", "billing", "--deleted"),
    ],
)
def test_every_line_fits_a_terminal(store: Program, arguments: tuple[str, ...]) -> None:
    """However long the values are, no line is wider than 80 columns where there are so many."""
    lines = store.good(*arguments, COLUMNS="80").out.splitlines()
    assert lines
    assert max(map(len, lines)) <= 80


def test_diff_of_entities(store: Program) -> None:
    """A sign for each entity, a line for each field that changed, and a table of counts by type."""
    out = store.good("diff", "day-0", "day-1", "--entities", COLUMNS="80").out.splitlines()
    assert out == [
        f"M {A}",
        "    relevance_score 0.41 -> 0.7",
        "    tags +security -old",
        "    observations +2",
        f"    +note {LONG[:69]}…",
        f"> {B}",
        f"    from {brief_path(B)}",
        f"    to   {brief_path(B, 'archive')}",
        f"+ {C}",
        "    not readable as an entity: not JSON: Input data was truncated",
        "",
        "TYPE      ADDED  CHANGED  MOVED",
        "Learning               1",
        "Pattern                       1",
        "Project       1",
    ]
    assert store.good("diff", "day-0", "day-1", "--entities", "-q", COLUMNS="80").out.splitlines() == out[:-5]
    assert store.good("diff", "day-1", "day-1", "--entities").out == "no entities differ\n"
    changed = f"note {LONG[:61]}… -> short"
    assert changed in store.good("diff", "day-1", "day-2", "--entities", COLUMNS="80").out


def test_diff_of_entities_as_json(store: Program) -> None:
    """Values are whole; fields and counts have the names that are documented."""
    document = store.good("diff", "day-0", "day-1", "--entities", "--json").document
    assert set(document) - {"schema", "command"} == set(diff_command.DOCUMENT) - {"summary", "changes"}
    assert {name for row in document["entities"] for name in row} == set(diff_command.DOCUMENT["entities"])
    first = document["entities"][0]
    assert first["fields"][0] == {"field": "relevance_score", "change": "changed", "before": 0.41, "after": 0.7}
    assert first["fields"][1] == {"field": "tags", "change": "items", "added": ["security"], "removed": ["old"]}
    assert first["fields"][2]["added"] == ["two words", LONG]
    assert document["types"]["Pattern"] == {"added": 0, "removed": 0, "changed": 0, "moved": 1}
    assert store.good("diff", "day-0", "day-1", "--entities", "--json-lines").rows == document["entities"]
    stat = store.good("diff", "day-0", "day-1", "--entities", "--json", "--stat").document
    assert stat["types"] == document["types"]
    assert "entities" not in stat
    assert store("diff", "day-0", "--entities", "--content").code == 2


def test_diff_of_entities_since_a_snapshot(tmp_path: Path) -> None:
    """Without a second snapshot the live directory is compared."""
    program = Program(tmp_path / "repository")
    program.good("init", "-q")
    fill(tmp_path / "memory", DAYS[0])
    assert program("snapshot", tmp_path / "memory").code == 0
    fill(tmp_path / "memory", DAYS[0] | {brief_path(A): brief(A, tags=["old", "db"])})
    out = program.good("diff", "latest", "--entities", "-q").out.splitlines()
    assert out == [f"M {A}", "    -relevance_score 0.41", "    -observations one"]
    assert program.good("diff", "latest", "--entities", "--json").document["after"] is None


def test_history(store: Program) -> None:
    """Oldest first: snapshot, time, what happened, size, name; then what changed."""
    one, two, three = (identity[:8] for identity in ids(store))
    sizes = [len(DAYS[day][brief_path(A)]) for day in range(3)]
    assert store.good("history", A, TZ="UTC", COLUMNS="80").out.splitlines() == [
        f"{A}  (Learning)",
        brief_path(A),
        f"{one}  2026-11-01 12:00  added        {sizes[0]} B  day-0",
        f"{two}  2026-11-02 12:00  changed    {sizes[1] / 1024:.1f} KiB  day-1",
        "    relevance_score 0.41 -> 0.7",
        "    tags +security -old",
        "    observations +2",
        f"    +note {LONG[:69]}…",
        f"{three}  2026-11-03 12:00  changed      {sizes[2]} B  day-2",
        f"    note {LONG[:61]}… -> short",
        "3 versions in 3 snapshots",
    ]
    gone = store.good("history", B, "--last", "2", TZ="UTC").out.splitlines()
    assert gone[2:] == [
        f"{two}  2026-11-02 12:00  moved        {len(brief(B, note=LONG))} B  day-1",
        f"    from {brief_path(B)}",
        f"{three}  2026-11-03 12:00  removed             day-2",
        "3 versions in 3 snapshots",
    ]


def test_history_as_json(store: Program) -> None:
    """The fields are those that are documented; rows can be had alone; `--last` cuts the oldest off."""
    document = store.good("history", C, "--json").document
    assert set(document) - {"schema", "command"} == set(history_command.DOCUMENT)
    assert {name for row in document["versions"] for name in row} == set(history_command.DOCUMENT["versions"])
    assert [version["problem"][:12] for version in document["versions"]] == ["not readable", ""]
    assert (document["id"], document["type"], document["present"], document["searched"]) == (C, "Project", True, 3)
    assert store.good("history", C, "--json-lines", "--last", "1").rows == document["versions"][1:]
    assert store("history", C, "--last", "0").code == 2


def test_blame(store: Program) -> None:
    """A row for each field and item, with the snapshot in which it entered."""
    one, two, three = (identity[:8] for identity in ids(store))
    lines = [line.split(maxsplit=4) for line in store.good("blame", A, TZ="UTC").out.splitlines()]
    assert lines[0] == ["ENTERED", "TIME", "FIELD", "VALUE"]
    assert [(line[0], line[3], line[4][:9]) for line in lines[1:]] == [
        (one, "id", A[:9]),
        (one, "type", "Learning"),
        (two, "relevance_score", "0.7"),
        (one, "tags[0]", "db"),
        (two, "tags[1]", "security"),
        (one, "observations[0]", "one"),
        (two, "observations[1]", "two words"),
        (two, "observations[2]", LONG[:9]),
        (three, "note", "short"),
    ]
    assert lines[1][1:3] == ["2026-11-01", "12:00"]
    numbered = store.good("blame", A, "--lines", "--snapshot", "day-0").out.splitlines()
    assert numbered[2].split(maxsplit=4) == [one, *lines[1][1:3], "2", f'"id": "{A}",']


def test_blame_of_what_is_gone(store: Program) -> None:
    """The last version is blamed, and stderr says that it is gone."""
    done = store("blame", B)
    assert done.code == 0
    assert f'gone since {ids(store)[2][:8]} "day-2"' in done.err
    assert store.good("-q", "blame", B).out == done.out


def test_blame_as_json(store: Program) -> None:
    """The fields are those that are documented; rows can be had alone."""
    document = store.good("blame", A, "--json").document
    assert set(document) - {"schema", "command"} == set(blame_command.DOCUMENT)
    assert {name for row in document["parts"] for name in row} == set(blame_command.DOCUMENT["parts"])
    assert document["parts"][7]["value"] == LONG
    assert (document["since"]["name"], document["gone"]) == ("day-2", None)
    assert store.good("blame", A, "--json-lines").rows == document["parts"]


def test_search(store: Program) -> None:
    """Each entity with the first and last snapshot and the place of the text; then a line that sums up."""
    one, two, three = (identity[:8] for identity in ids(store))
    out = store.good("search", "BILLING", TZ="UTC", COLUMNS="80").out.splitlines()
    assert out[:3] == [
        A,
        f"  {two} 2026-11-02 12:00 to {three} 2026-11-03 12:00, 2 snapshots",
        "  observations[2]: The connection pool of the billing service runs dry when a w…",
    ]
    assert f"{B}  (deleted)" in out
    assert f"  {one} 2026-11-01 12:00 to {two} 2026-11-02 12:00, 2 snapshots" in out
    assert out[-1] == "2 entities found in 3 snapshots"
    assert store.good("search", "nowhere").out == "nothing found in 3 snapshots\n"
    assert store.good("search", "short", "-q").out.startswith(A)
    assert store("search", "(", "--regex").code == 2
    assert store.good("search", "old|security", "--regex", "--json").document["hits"][0]["snapshots"] == 3


def test_search_as_json(store: Program) -> None:
    """The fields are those that are documented; rows can be had alone."""
    document = store.good("search", "billing", "--json").document
    assert set(document) - {"schema", "command"} == set(search_command.DOCUMENT)
    assert {name for row in document["hits"] for name in row} == set(search_command.DOCUMENT["hits"])
    assert [hit["state"] for hit in document["hits"]] == ["present", "deleted"]
    assert store.good("search", "billing", "--deleted", "--json-lines").rows == document["hits"][1:]


@pytest.mark.parametrize("command", ["history", "blame"])
def test_names_that_are_not_there(store: Program, command: str) -> None:
    """What is not there ends with 4, one line, and what is near."""
    done = store(command, "Learning-pool_timeouts")
    assert (done.code, done.out, done.err.count("\n")) == (4, "", 1)
    assert A in done.err
    assert store(command, "../x").code == 2


def test_damage(tmp_path: Path) -> None:
    """What cannot be read is listed, the rest is told, and the exit code is 6."""
    program = make(tmp_path / "repository")
    with open_repository(program.repository) as repository:
        record = repository.snapshots()[1].record
        damage.lose(repository, lookup(repository.objects, record, brief_path(A).encode()).entry.chunk)
    for arguments in (("diff", "day-0", "day-1", "--entities"), ("history", A), ("search", "billing")):
        done = program(*arguments, "--json")
        assert done.code == 6, arguments
        assert "missing" in done.out
        document = json.loads(done.out)
        assert document.get("entities") or document.get("versions") or document.get("hits")
