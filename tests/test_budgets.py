"""Byte budgets: what small changes may cost in the repository, all tables and pages counted.

Each figure is the average over a series of snapshots. "Used" bytes are the pages of all tables; the file itself grows
in steps and reuses pages that were freed.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import icc_store
from icc_store.limits import KIB, MIB

Change = Callable[[int], None]

OLD = 1_700_000_000
"""A time long enough ago for no file to count as changing right now."""


def used_bytes(store: Path) -> int:
    """Bytes of the pages that hold something."""
    with icc_store.open_repository(store, readonly=True) as repository:
        return (store / "data.mdb").stat().st_size - repository.store.reusable_bytes()


def settle(path: Path, when: int) -> None:
    """Give a file a modification time of its own."""
    os.utime(path, (when, when))


def snapshot(store: Path, source: Path) -> None:
    """Take one snapshot."""
    with icc_store.open_repository(store) as repository:
        icc_store.take_snapshot(repository, [source], options=icc_store.SnapshotOptions(source="budget", host="here"))


def cost(tmp_path: Path, source: Path, change: Change, *, rounds: int, before: int = 2) -> float:
    """Used bytes per snapshot, averaged over `rounds` changes, after `before` that are not counted."""
    store = tmp_path / "store"
    tmp_path.mkdir(exist_ok=True)
    icc_store.create_repository(store)
    snapshot(store, source)
    for number in range(before):
        change(number)
        snapshot(store, source)
    start = used_bytes(store)
    for number in range(before, before + rounds):
        change(number)
        snapshot(store, source)
    return (used_bytes(store) - start) / rounds


def entity(rng: random.Random, number: int) -> str:
    """An agent's memory of something, about 1.2 KB of JSON."""
    words = ["retry", "timeout", "schema", "cache", "deploy", "agent", "token", "index", "review", "branch", "null"]
    text = [" ".join(rng.choices(words, k=12)) for _ in range(8)]
    observations = ",\n    ".join(f'"{line} {rng.getrandbits(40):x}"' for line in text)
    return (
        f'{{\n  "id": "Learning-{number:06d}-20261101",\n  "type": "Learning",\n  "application_count": 0,\n'
        f'  "updated_at": "2026-11-01T00:00:00Z",\n  "observations": [\n    {observations}\n  ]\n}}\n'
    )


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory with a path as short as that of a memory at home: it stands in every record."""
    with tempfile.TemporaryDirectory(prefix="u") as path:
        yield Path(path)


def memory(root: Path, count: int) -> list[Path]:
    """A memory of `count` entities in monthly directories."""
    rng = random.Random(1)
    files = []
    for number in range(count):
        folder = root / "entities" / "Learning" / "2026" / f"{number % 12 + 1:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"Learning-{number:06d}-20261101.json"
        path.write_text(entity(rng, number))
        settle(path, OLD)
        files.append(path)
    return files


def test_an_unchanged_snapshot(tmp_path: Path, home: Path) -> None:
    """It costs its record, twice, and less than 1 KB; 1.1 KiB with the notes for a memory's manifest."""
    memory(home / "memory", 200)
    assert cost(tmp_path / "as a memory", home / "memory", lambda _number: None, rounds=100) < 1.1 * KIB
    (home / "memory" / "entities").rename(home / "memory" / "notes")
    assert cost(tmp_path / "as it is", home / "memory", lambda _number: None, rounds=100) < 1000


def test_a_counter_bump(tmp_path: Path, home: Path) -> None:
    """One number and one time stamp in one of 5,000 entities, twenty a day: below 250 bytes each beyond the record."""
    files = memory(home / "memory", 5000)
    rng = random.Random(2)
    per_day, idle_days = 20, 100

    def bump(day: int) -> None:
        for path in rng.sample(files, per_day):
            text = path.read_text().replace('"application_count": 0', f'"application_count": {day + 1}', 1)
            at = text.index('"updated_at"')
            text = text[: at + 15] + f"2026-11-{day % 28 + 1:02d}T{rng.randrange(24):02d}:30:00Z" + text[at + 35 :]
            path.write_text(text)
            settle(path, OLD + day + 1)

    daily = cost(tmp_path, home / "memory", bump, rounds=30)
    idle = cost(tmp_path / "idle", home / "memory", lambda _day: None, rounds=idle_days)
    assert (daily - idle) / per_day < 250


def test_rows_inserted_into_an_index(tmp_path: Path) -> None:
    """Fifty rows inserted all over an index file of 1.5 MB cost less than 5 KB."""
    rng = random.Random(3)
    rows = [f'    "Learning-{number:06d}": ["{rng.getrandbits(32):08x}"]' for number in range(41_000)]
    source = tmp_path / "memory"
    source.mkdir()
    index = source / "content-index.json"

    def insert(day: int) -> None:
        for _ in range(50):
            rows.insert(rng.randrange(len(rows)), f'    "Pattern-{rng.getrandbits(24):06x}": ["{day:08x}"]')
        index.write_text("{\n" + ",\n".join(rows) + "\n}\n")
        settle(index, OLD + day)

    insert(0)
    assert index.stat().st_size > 1_400_000
    assert cost(tmp_path, source, insert, rounds=12) < 5 * KIB


@pytest.mark.slow
def test_a_rename_in_a_directory_of_200000(tmp_path: Path) -> None:
    """Renaming one of 200,000 names costs less than 20 KB."""
    source = tmp_path / "flat"
    source.mkdir()
    for number in range(200_000):
        (source / f"note-{number:06d}").touch()
    rng = random.Random(4)

    def rename(day: int) -> None:
        (source / f"note-{rng.randrange(200_000):06d}").rename(source / f"renamed-{day}")

    assert cost(tmp_path, source, rename, rounds=3, before=1) < 20 * KIB


@pytest.mark.slow
def test_an_append_to_a_large_transcript(tmp_path: Path) -> None:
    """100 KB appended to a JSONL of 500 MB cost less than 60 KB."""
    rng = random.Random(5)
    source = tmp_path / "transcripts"
    source.mkdir()
    path = source / "session.jsonl"

    def lines(size: int) -> bytes:
        made = bytearray()
        while len(made) < size:
            words = " ".join(rng.choices(("tool", "result", "file", "edited", "the", "test", "passes", "error"), k=30))
            made += f'{{"role": "assistant", "id": "{rng.getrandbits(64):016x}", "text": "{words}"}}\n'.encode()
        return bytes(made)

    block = lines(4 * MIB)
    with path.open("wb") as file:
        for number in range(125):  # unlike one another: each begins with a line of its own
            file.write(lines(2000) + block[number * 1000 :] + block[: number * 1000])

    def append(_day: int) -> None:
        with path.open("ab") as file:
            file.write(lines(100_000))

    assert cost(tmp_path, source, append, rounds=3, before=1) < 60 * KIB


@pytest.mark.slow
def test_an_edit_in_a_large_binary(tmp_path: Path) -> None:
    """16 KB changed in 2 GiB cost less than 200 KB."""
    rng = random.Random(6)
    source = tmp_path / "images"
    source.mkdir()
    path = source / "disk.img"
    piece = rng.randbytes(8 * MIB)
    with path.open("wb") as file:
        for number in range(256):
            file.write(number.to_bytes(8) * KIB + piece[8 * KIB :])

    def edit(_day: int) -> None:
        with path.open("r+b") as file:
            file.seek(rng.randrange(2 * 1024 * MIB - 16 * KIB))
            file.write(rng.randbytes(16 * KIB))

    assert cost(tmp_path, source, edit, rounds=2, before=1) < 200 * KIB
