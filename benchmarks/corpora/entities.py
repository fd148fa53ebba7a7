"""Entities of an agent memory: their fields, names and places."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from benchmarks.corpora.vocabulary import Writer, topic_words

Fields = dict[str, Any]

TYPES = ("Learning", "Pattern", "Project", "Knowledge")
_SHARES = (70, 18, 2, 10)
COUNTERS = {"Learning": "application_count", "Pattern": "reuse_count"}


@dataclass(slots=True)
class Record:
    """What the indexes know of one entity. `path` is relative to the memory."""

    id: str
    type: str
    path: str
    created_at: str
    score: float
    tags: list[str]
    terms: list[str]
    summary: str


def iso(moment: datetime) -> str:
    """Format a time as entities carry it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class EntityMaker:
    """Makes entities of all types from one seeded stream, with ids that are not yet `taken`."""

    def __init__(self, rng: random.Random, writer: Writer, taken: Callable[[str], bool]) -> None:
        self._rng = rng
        self._writer = writer
        self._taken = taken
        self._next_suffix: dict[str, int] = {}
        self._makers = {
            "Learning": self._learning,
            "Pattern": self._pattern,
            "Project": self._project,
            "Knowledge": self._knowledge,
        }

    def make(self, moment: datetime, project_learnings: list[str]) -> tuple[Record, Fields]:
        """Return one new entity and what the indexes say of it."""
        rng = self._rng
        kind = rng.choices(TYPES, _SHARES)[0]
        specific, stem, folder = self._makers[kind](moment, project_learnings)
        identity = self._unique(f"{kind}-{stem}-{moment:%Y%m%d}")
        record = Record(
            id=identity,
            type=kind,
            path=f"entities/{kind}/{folder}/{identity}.json",
            created_at=iso(moment),
            score=round(rng.uniform(0.3, 1.0), 2),
            tags=sorted(set(self._writer.words("n", rng.randint(2, 5)))),
            terms=sorted(set(self._writer.words("n", 6) + rng.choices(topic_words(), k=2))),
            summary=self._writer.sentence(),
        )
        head: Fields = {"id": identity, "type": kind, "created_at": record.created_at, "updated_at": record.created_at}
        tail: Fields = {"tags": record.tags, "relevance_score": record.score}
        return record, head | specific | tail

    def sentences(self, least: int, most: int) -> list[str]:
        """Return a few sentences."""
        return [self._writer.sentence() for _ in range(self._rng.randint(least, most))]

    def _unique(self, stem: str) -> str:
        identity = stem
        while self._taken(identity):
            self._next_suffix[stem] = suffix = self._next_suffix.get(stem, 1) + 1
            identity = f"{stem}-{suffix}"
        return identity

    def _learning(self, moment: datetime, _: list[str]) -> tuple[Fields, str, str]:
        rng, writer = self._rng, self._writer
        error_type = f"{writer.words('q', 1)[0]}_{writer.words('n', 1)[0]}"
        context = {
            "task_id": f"{rng.choice(('STORY', 'BUG', 'TASK'))}-{rng.randrange(1, 900):03d}",
            "role": rng.choice(("developer", "architect", "reviewer", "tester", "operations")),
            "error_type": error_type,
        }
        fields = {
            "context": context,
            "observations": self.sentences(2, 6),
            "patterns": self.sentences(0, 2),
            "prevention": self.sentences(1, 3),
            "application_count": int(rng.expovariate(0.3)),
        }
        return fields, error_type, f"{moment:%Y/%m}"

    def _pattern(self, _: datetime, __: list[str]) -> tuple[Fields, str, str]:
        rng, writer = self._rng, self._writer
        outcome = rng.choice(("success", "error"))
        domain = writer.words("n", 1)[0]
        fields = {
            "pattern_type": outcome,
            "context": {"domain": domain, "application": writer.words("w", 1)[0]},
            "pattern_description": writer.sentence(),
            "implementation": self.sentences(2, 4),
            "conditions": self.sentences(1, 2),
            "outcomes": self.sentences(1, 3),
            "reuse_count": int(rng.expovariate(0.2)),
            "success_rate": round(rng.random(), 2),
        }
        return fields, f"{domain}-{outcome}", outcome

    def _project(self, _: datetime, learnings: list[str]) -> tuple[Fields, str, str]:
        rng, writer = self._rng, self._writer
        name = "-".join(writer.words("n", 2))
        fields = {
            "project_name": name,
            "context": {
                "system_type": rng.choice(("service", "library", "pipeline", "application")),
                "architecture": rng.choice(("layered", "event-driven", "monolith", "plugin")),
                "primary_languages": rng.sample(["Python", "TypeScript", "Go", "Rust", "SQL"], 2),
                "key_concepts": writer.words("n", 4),
            },
            "observations": self.sentences(3, 6),
            "current_state": {
                "active_epic": f"EPIC-{rng.randrange(1, 60):03d}",
                "active_bugs": [f"BUG-{rng.randrange(1, 900):03d}" for _ in range(rng.randint(0, 4))],
                "workflow_phase": rng.choice(("plan", "build", "review", "release")),
            },
            "learnings": rng.sample(learnings, min(len(learnings), rng.randint(2, 8))),
        }
        return fields, name, "current"

    def _knowledge(self, _: datetime, __: list[str]) -> tuple[Fields, str, str]:
        writer = self._writer
        domain, topic = writer.words("n", 2)
        fields = {"context": {"domain": domain, "topic": topic}, "observations": self.sentences(4, 8)}
        return fields, f"{domain}-{topic}", "by-domain"
