"""A memory of 5,000 entities with everything wrong that can be: backup, cleanup, export, restore, rollback, drill."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.corpora import memory as corpus
from tests.support.program import Program

ENTITIES = 5_000
SEED = 11
WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
connection.execute("CREATE TABLE IF NOT EXISTS facts (id INTEGER PRIMARY KEY, text TEXT)")
print("ready", flush=True)
while True:
    connection.execute("INSERT INTO facts (text) VALUES (hex(randomblob(200)))")
"""
"""A process that writes to a database without a pause."""

Hashes = dict[str, bytes]


@contextmanager
def writing(database: Path) -> Iterator[None]:
    """Somebody writes to the database in the body."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(database)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield
        finally:
            process.kill()


def entities(top: Path, kind: str) -> list[Path]:
    """The files of entities of one type."""
    return sorted(path for path in (top / "entities" / kind).rglob("*.json") if path.name != "index.json")


def break_it(top: Path) -> Counter[str]:
    """Put every fault into a memory, and count them: what validation must find, by severity and a word of it."""
    rng = random.Random(SEED)
    learnings, patterns = rng.sample(entities(top, "Learning"), 40), rng.sample(entities(top, "Pattern"), 10)
    for path in learnings[:10]:  # cut off in the middle
        path.write_bytes(path.read_bytes()[:-200])
    for path in learnings[10:15]:  # the same id a second time
        (path.parent / "copies").mkdir(exist_ok=True)
        shutil.copy2(path, path.parent / "copies" / path.name)
    for path in patterns:  # in the folder of another type
        path.rename(top / "entities" / "Knowledge" / path.name)
    for path in learnings[15:20]:  # a score that is none
        fields = json.loads(path.read_text())
        path.write_text(json.dumps(fields | {"relevance_score": 7}, indent=2))
    links = top / "relationships" / "learning-to-pattern.json"
    fields = json.loads(links.read_text())
    fields["relationships"][learnings[20].stem] = ["Pattern-that-never-was-20260101"]
    links.write_text(json.dumps(fields, indent=2))
    index = top / "indexes" / "tag-index.json"
    index.write_bytes(index.read_bytes()[: index.stat().st_size // 2])
    (learnings[21].parent / f".{learnings[21].name}.Q7z").write_bytes(b"{")
    return Counter(
        {"not JSON": 11, "id of another file": 5, "an entity of type": 10, "relevance_score": 5, "never-was": 1}
    )


def contents(top: Path) -> Hashes:
    """Every file of a memory but the database that somebody may be writing to."""
    return {
        str(path.relative_to(top)): path.read_bytes()
        for path in top.rglob("*")
        if path.is_file() and not path.name.startswith("state.db")
    }


@pytest.mark.slow
def test_the_life_of_a_memory(tmp_path: Path) -> None:
    """Nothing is lost by any fault, every step says what it found, and all of it comes back."""
    top = tmp_path / "memory"
    corpus.build(top, ENTITIES, SEED)
    faults = break_it(top)
    run = Program(tmp_path / "repository")
    run.good("init")

    with writing(top / "state.db"):
        _is_backed_up(run, top, faults)
        before = contents(top)
        refused = run("restore", "first", "--target", top, "--yes")
        assert refused.code == 1
        assert "state.db" in refused.err
        assert contents(top) == before
    for name in ("state.db-wal", "state.db-shm"):
        (top / name).unlink(missing_ok=True)

    for day in (1, 2):
        corpus_day(top, day)
        assert run("snapshot", top, "--name", f"day {day}", "--incremental").code == 0
    _is_cleaned_up(run)
    _is_exported(run, tmp_path / "out", before)
    _comes_back(run, top, before)
    assert run("drill", "first").code == 0
    run.good("verify", "--quiet")


def corpus_day(top: Path, day: int) -> None:
    """A day of use."""
    rng = random.Random(day)
    for path in rng.sample(entities(top, "Learning")[:1000], 15):
        path.write_bytes(path.read_bytes().replace(b'"application_count": ', b'"application_count": 1'))
    for path in rng.sample(entities(top, "Project"), 3):
        path.unlink()


def _is_backed_up(run: Program, top: Path, faults: Counter[str]) -> None:
    """The first snapshot: whole, with the database as it was at one instant, and every fault named."""
    done = run("snapshot", top, "--name", "first", "--json", "--verbose")
    assert done.code == 0, done
    memory = done.document["memory"]
    assert memory["validation_passed"] is True
    assert sum(memory["entities"].values()) == ENTITIES + faults["id of another file"]
    found = Counter(
        {
            word: sum(word in f"{each['path']} {each['field']} {each['message']}" for each in memory["findings"])
            for word in faults
        }
    )
    assert found >= faults, (found, faults)
    again = run("validate", "--snapshot", "first", "--json")
    assert again.code == 3
    assert Counter(each["severity"] for each in again.document["findings"]) == Counter(
        each["severity"] for each in memory["findings"]
    )


def _is_cleaned_up(run: Program) -> None:
    """Retention forgets what no rule keeps, and what is left needs nothing of it."""
    explained = run("gc", "--explain", "--keep-last", "2")
    assert explained.code == 0
    assert "first" in explained.out
    run.good("pin", "first")
    assert run("gc", "--keep-last", "1", "--now").code == 0
    names = {row["name"] for row in run.good("list", "--json").document["snapshots"]}
    assert {"first", "day 2"} <= names
    assert "day 1" not in names


def _is_exported(run: Program, out: Path, before: Hashes) -> None:
    """A backup as the memory system expects it, proven by coreutils, and imported again as the same tree."""
    out.mkdir()
    assert run("export", "first", "--tar", out / "backup.tar.gz").code == 0
    subprocess.run(["tar", "-xzf", "backup.tar.gz"], cwd=out, check=True)
    (backup,) = (path for path in out.iterdir() if path.is_dir())
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=backup, check=True)
    listing = subprocess.run(["sha256sum", "SHA256SUMS"], cwd=backup, check=True, capture_output=True, text=True)
    manifest = json.loads((backup / "manifest.json").read_text())
    assert manifest["integrity_hash"] == "sha256:" + listing.stdout.split()[0]
    assert run.good("manifest", "first", "--json").document["manifest"]["integrity_hash"] == manifest["integrity_hash"]
    unpacked = contents(backup)
    assert {path: unpacked[path] for path in before} == before
    with sqlite3.connect(f"file:{backup / 'state.db'}?mode=ro", uri=True) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert copy.execute("SELECT count(*) FROM facts").fetchone()[0] > 0
    copy.close()
    imported = run("import", out / "backup.tar.gz", "--name", "imported", "--json")
    assert imported.code == 0, imported
    assert imported.document["snapshot"]["root"] == run.good("show", "first", "--json").document["snapshot"]["root"]


def _comes_back(run: Program, top: Path, before: Hashes) -> None:
    """All of it by a restore, what was there before by a rollback, and one type merged into what is there."""
    now = contents(top)
    assert now != before
    assert run("restore", "first", "--target", top, "--yes").code == 0
    assert contents(top) == before
    assert run("rollback", top, "--yes").code == 0
    assert contents(top) == now
    for path in entities(top, "Project"):
        path.unlink()
    assert run("restore", "first", "--target", top, "--yes", "--types", "Project").code == 0
    projects = {path: data for path, data in before.items() if path.startswith("entities/Project/2")}
    assert {path: data for path, data in contents(top).items() if path in projects} == projects
