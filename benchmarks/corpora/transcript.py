"""The transcript of an agent: one JSON document a line, only ever appended to."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.corpora.vocabulary import Writer, symbol_names

NAME = "transcript.jsonl"
_BEGUN = datetime(2025, 6, 1, tzinfo=UTC)
_SENTENCES = 60_000
"""So many different ones are said: an agent reads the same files again and again."""


def build(target: Path, size: int, seed: int) -> None:
    """Write a transcript of at least `size` bytes into the missing directory `target`."""
    target.mkdir(parents=True)
    _append(target / NAME, size, f"transcript {seed}", _BEGUN)


def append(target: Path, size: int, step: int, seed: int) -> None:
    """Let the transcript in `target` grow by at least `size` bytes; steps count from 1."""
    _append(target / NAME, size, f"transcript {seed} {step}", _BEGUN + timedelta(days=step))


def _append(path: Path, size: int, seed: str, moment: datetime) -> None:
    lines = _lines(random.Random(seed), moment)
    with path.open("ab") as file:
        written = 0
        while written < size:
            written += file.write(next(lines))


def _lines(rng: random.Random, moment: datetime) -> Iterator[bytes]:
    writer = Writer(rng, symbol_names(rng, 2_000))
    said = [writer.sentence() for _ in range(_SENTENCES)]
    session = f"{rng.getrandbits(128):032x}"
    parent = ""
    while True:
        moment += timedelta(seconds=rng.randint(1, 90), milliseconds=rng.randrange(1_000))
        own = f"{rng.getrandbits(128):032x}"
        line = {
            "parentUuid": parent,
            "sessionId": session,
            "uuid": own,
            "timestamp": moment.isoformat(timespec="milliseconds"),
            "type": rng.choice(("user", "assistant", "assistant")),
            "message": _message(rng, said),
        }
        parent = own
        yield json.dumps(line).encode() + b"\n"


def _message(rng: random.Random, said: list[str]) -> dict[str, object]:
    """Return what is said: a few sentences, a tool that is used, or, longest, what a tool answered."""
    identity = f"toolu_{rng.getrandbits(96):024x}"
    kind = rng.random()
    if kind < 0.4:
        return {"role": "assistant", "content": [{"type": "text", "text": _text(rng, said, rng.randint(1, 12))}]}
    if kind < 0.7:
        given = {"command": _text(rng, said, 1), "timeout": rng.randrange(600)}
        return {"role": "assistant", "content": [{"type": "tool_use", "id": identity, "input": given}]}
    answer = "\n".join(rng.choices(said, k=int(rng.expovariate(1 / 60)) + 1))
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": identity, "content": answer}]}


def _text(rng: random.Random, said: list[str], sentences: int) -> str:
    return " ".join(rng.choices(said, k=sentences))
