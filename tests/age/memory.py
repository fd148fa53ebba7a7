"""A memory that lives: entities come, are used, renamed, archived and deleted; indexes and a log follow them."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from icc_store.clock import Clock
from tests.support.entities import entity, place, text

KINDS = ("Learning", "Pattern", "Project", "Knowledge")
_ARCHIVE = "entities/archive/"
_WORDS = (
    "retry",
    "timeout",
    "schema",
    "cache",
    "deploy",
    "agent",
    "token",
    "index",
    "review",
    "branch",
    "null",
    "queue",
)


class Memory:
    """A directory, and what may happen to it. Files get the clock's time, wherever that has jumped to."""

    def __init__(self, top: Path, chance: random.Random, clock: Clock) -> None:
        self.top = top
        self._chance = chance
        self._clock = clock
        self._born = 0
        self._entities: list[str] = []

    def begin(self, entities: int) -> None:
        """Write the first entities and the files beside them."""
        for _ in range(entities):
            self.add()
        self._write("config/settings.json", b'{"version": "2.0"}\n')
        self.index()

    def day(self) -> None:
        """What happens between two snapshots: a little of everything, most of all use."""
        for _ in range(self._chance.randint(1, 8)):
            self.use()
        for change, share in self._rarer().items():
            if self._chance.random() < share:
                change()
        self.index()

    def _rarer(self) -> dict[Callable[[], None], float]:
        growing = len(self._entities) < 80
        return {
            self.add: 0.5,
            self.delete: 0.1 if growing else 0.6,
            self.rename: 0.1,
            self.rewrite: 0.2,
            self.log: 0.4,
            self.attach: 0.05,
            self.decay: 0.02,
        }

    def add(self) -> None:
        """A new entity."""
        self._born += 1
        kind = self._chance.choice(KINDS)
        fields = entity(kind, f"fact{self._born}-20250603", observations=self._sentences(8))
        name = place(fields).decode()
        self._entities.append(name)
        self._write(name, text(fields))

    def use(self) -> None:
        """One entity is used: a counter and a time change."""
        if self._entities:
            name = self._chance.choice(self._entities)
            fields = self._read(name)
            fields["application_count"] = fields.get("application_count", 0) + 1
            fields["updated_at"] = self._clock.now_ns()
            self._write(name, text(fields))

    def rewrite(self) -> None:
        """One entity says something else."""
        if self._entities:
            name = self._chance.choice(self._entities)
            self._write(name, text(self._read(name) | {"observations": self._sentences(10)}))

    def delete(self) -> None:
        """One entity goes."""
        if self._entities:
            name = self._entities.pop(self._chance.randrange(len(self._entities)))
            (self.top / name).unlink()

    def rename(self) -> None:
        """One entity, or a whole folder of them, is moved."""
        if not self._entities:
            return
        old = self._chance.choice(self._entities)
        if self._chance.random() < 0.3 and not old.startswith(_ARCHIVE):
            old = str(Path(old).parent)
        new = f"{_ARCHIVE}{self._chance.randrange(10**9)}{Path(old).suffix}"
        (self.top / new).parent.mkdir(parents=True, exist_ok=True)
        (self.top / old).rename(self.top / new)
        self._entities = [
            new + name.removeprefix(old) if name == old or name.startswith(f"{old}/") else name
            for name in self._entities
        ]

    def log(self) -> None:
        """Lines are added to a log that is begun anew when it is long."""
        path = self.top / "log.jsonl"
        before = path.read_bytes() if path.exists() and path.stat().st_size < 60_000 else b""
        self._write("log.jsonl", before + "".join(f"{line}\n" for line in self._sentences(6)).encode())

    def attach(self) -> None:
        """A file that cannot be compressed comes, in the place of an older one."""
        size = self._chance.choice((10, 5_000, 40_000))
        self._write(f"attachments/{self._chance.randrange(4)}.bin", self._chance.randbytes(size))

    def decay(self) -> None:
        """A score in every entity changes."""
        for name in self._entities:
            fields = self._read(name)
            self._write(name, text(fields | {"relevance_score": round(fields["relevance_score"] * 0.95, 4)}))

    def index(self) -> None:
        """The index of all entities is written again."""
        rows = {name: self._read(name)["tags"] for name in sorted(self._entities)}
        self._write("indexes/tag-index.json", text(rows))

    def _sentences(self, count: int) -> list[str]:
        return [
            " ".join(self._chance.choices(_WORDS, k=10)) + f" {self._chance.getrandbits(40):x}" for _ in range(count)
        ]

    def _read(self, name: str) -> dict[str, Any]:
        fields: dict[str, Any] = json.loads((self.top / name).read_bytes())
        return fields

    def _write(self, name: str, data: bytes) -> None:
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        now = self._clock.now_ns()
        os.utime(path, ns=(now, now))
