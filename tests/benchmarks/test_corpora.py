"""The corpora are what they say, and the same each time."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from benchmarks.compare import Fidelity, differences, read_tree
from benchmarks.corpora import database, history, memory, transcript
from tests.benchmarks.conftest import git

SEED = 7


def test_history_is_shown_state_by_state(tmp_path: Path, repository: Path) -> None:
    """Each commit is shown in full, what it does not touch stays the same file, and the repository is as it was."""
    before = git(repository, "status", "--porcelain")
    commits = history.commits(5, repository)
    (tmp_path / "scratch").mkdir()
    checkout = history.Checkout(tmp_path / "scratch", repository)
    with ExitStack() as stack:
        inodes = set()
        for number, commit in enumerate(commits):
            checkout.show(tmp_path / "source", commit)
            found = {path.name: path.read_text() for path in (tmp_path / "source").iterdir()}
            assert found == {
                "changes.txt": f"state {number}",
                "stays.txt": "always",
                f"only-{number}.txt": "here today",
            }
            # Open, so that no other file gets its number once it is gone.
            stays = stack.enter_context((tmp_path / "source" / "stays.txt").open())
            inodes.add(os.fstat(stays.fileno()).st_ino)
    assert len(inodes) == 1
    assert (tmp_path / "source" / "changes.txt").stat().st_mtime == int(git(repository, "log", "-1", "--format=%ct"))
    assert git(repository, "status", "--porcelain") == before


def test_states_are_evenly_spaced(repository: Path) -> None:
    """The first and the last commit are among them; where there are too few, all are taken."""
    assert history.evenly(list("abcdefghi"), 5) == list("acegi")
    assert history.evenly(list("abc"), 1) == list("ac")
    assert len(history.commits(60, repository)) == 5
    assert len(history.commits(3, repository)) == 3


def test_without_history_there_is_none(tmp_path: Path) -> None:
    """Where there is no repository, or none with a past, that is said."""
    with pytest.raises(history.HistoryUnavailable):
        history.commits(60, tmp_path / "nowhere")


def test_a_transcript_only_grows(tmp_path: Path) -> None:
    """Every line is a JSON document of its own, what was written stays, and equal seeds make equal bytes."""
    for target in (tmp_path / "one", tmp_path / "two"):
        transcript.build(target, 100_000, SEED)
    path = tmp_path / "one" / transcript.NAME
    first = path.read_bytes()
    assert first == (tmp_path / "two" / transcript.NAME).read_bytes()
    transcript.append(tmp_path / "one", 50_000, 1, SEED)
    grown = path.read_bytes()
    assert grown.startswith(first)
    assert len(grown) >= len(first) + 50_000
    lines = [json.loads(line) for line in grown.splitlines()]
    assert len({line["uuid"] for line in lines}) == len(lines)


def test_a_database_is_whole_while_it_is_written(tmp_path: Path) -> None:
    """The writer changes rows and breaks nothing: before, meanwhile and afterwards the sums are right."""
    folder = tmp_path / "data"
    database.build(folder, 200_000, SEED)
    assert database.problems(folder) == []
    with database.being_written(folder):
        while not transfers(folder):
            assert database.problems(folder) == []
    assert database.problems(folder) == []


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE account SET balance = balance - 1 WHERE id = 1", "balances"),
        ("INSERT INTO transfer (amount) VALUES (1)", "counted"),
    ],
)
def test_half_a_transfer_is_found(tmp_path: Path, statement: str, said: str) -> None:
    """A database in which only part of a transaction happened is not taken for whole."""
    database.build(tmp_path / "data", 50_000, SEED)
    with closing(sqlite3.connect(tmp_path / "data" / database.NAME)) as connection, connection:
        connection.execute(statement)
    assert said in " ".join(database.problems(tmp_path / "data"))


def test_torn_pages_are_found(tmp_path: Path) -> None:
    """A database that has lost its second half, or is missing, is not taken for whole."""
    folder = tmp_path / "data"
    database.build(folder, 200_000, SEED)
    path = folder / database.NAME
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert database.problems(folder)
    assert database.problems(tmp_path)


def test_using_a_memory_changes_only_what_is_used(tmp_path: Path) -> None:
    """One step of use touches so many entities and no other file, and the memory keeps its size."""
    target = tmp_path / "memory"
    memory.build(target, 100, SEED)
    before = read_tree(target)
    used = memory.use(target, 1, SEED, entities=5)
    changed = differences(before, read_tree(target), Fidelity.CONTENT)
    assert sorted(line.partition(": ")[2] for line in changed) == sorted(used)


def transfers(folder: Path) -> int:
    with closing(sqlite3.connect(folder / database.NAME)) as connection:
        return int(connection.execute("SELECT count(*) FROM transfer").fetchone()[0])
