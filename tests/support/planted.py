"""Memories in which every value is a phrase that stands nowhere else, so that it can be told where one came out."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.corpora.memory import build
from tests.support.entities import entity, place, text

_PHRASE = re.compile(r"xyzzy(\d{4})plugh", re.IGNORECASE)
_KINDS = ("Learning", "Pattern", "Project", "Knowledge")
_BROKEN_JSON = ('{"id": "?', '{"?": 1, "?": 2}', "[?]", '"?"', "?", '{"id": 1e?}', '{"a": "\x01?"}', '{"a": tru?}')
_BROKEN_MARKDOWN = (
    "---\na: [?\n---\n",
    "---\na: *?\n---\n",
    "---\na: !? x\n---\n",
    "---\n\t?: 1\n---\n",
    "---\n?: 1\n?: 2\n---\n",
    "---\n- ?\n---\n",
    "---\n? ?\n",
    "---\n?: {?\n---\n?",
    "---\na: '?\n---\n",
    "---\n%?\n---\n",
    "---\n&? a: b\n---\n",
    "---\ntitle: ?\ntype: ?\ntags: ?\ncreated: ?\n---\n# ?\n- [?] ? #?\n- ? [[?]]\n",
)
_BROKEN_LINES = (
    '{"a": "?"}\n{"?": 1}\n?\n',
    '{"type": "entity", "name": "?", "entityType": "?", "observations": ["?"]}\n{"type": "?"}\n',
    '{"type": "relation", "from": "?", "to": "?", "relationType": "?"}\n',
)


class Phrases:
    """Makes phrases, and finds them again."""

    def __init__(self) -> None:
        self._of: list[str] = []

    def new(self, where: str) -> str:
        """One that stands for a place. It has spaces, since names of entities and fields may be told."""
        self._of.append(where)
        return f"Xyzzy{len(self._of) - 1:04}Plugh is the word"

    def found_in(self, output: str) -> set[str]:
        """The places whose phrases stand in an output."""
        return {self._of[int(number)] for number in _PHRASE.findall(output)}


def plant_icc(top: Path, phrases: Phrases) -> Path:
    """A memory of the agent: entities with one wrong value each, files that are broken, indexes of nothing."""
    build(top, 12, 3)
    for path in [*top.glob("indexes/*.json"), *top.glob("relationships/*.json"), *top.glob("entities/*/index.json")]:
        path.write_bytes(text(_with_other_leaves(json.loads(path.read_bytes()), str(path.relative_to(top)), phrases)))
    for kind in _KINDS:
        for number, (where, fields) in enumerate(_variants(entity(kind), kind, phrases)):
            stem = f"v{number}-20250603"
            if where not in {"id", "type"}:
                fields["id"] = f"{kind}-{stem}"
            _write(top / os.fsdecode(place(entity(kind, stem))), text(fields))
    for number, broken in enumerate(_BROKEN_JSON):
        name = f"entities/Learning/2025/06/Learning-broken{number}-20250603.json"
        _write(top / name, broken.replace("?", phrases.new(broken)).encode())
    _plant_others(top, phrases)
    return top


def plant_notes(top: Path, phrases: Phrases) -> Path:
    """A memory of Markdown and JSON lines."""
    for number, broken in enumerate(_BROKEN_LINES):
        _write(top / f"x{number}/memory.jsonl", broken.replace("?", phrases.new(broken)).encode())
    _plant_others(top, phrases)
    with closing(sqlite3.connect(top / "memory.db")) as database:
        database.execute("create table t (x)")
    return top


def _plant_others(top: Path, phrases: Phrases) -> None:
    for number, broken in enumerate(_BROKEN_MARKDOWN):
        _write(top / f"notes/{number}.md", broken.replace("?", phrases.new(broken)).encode())
    _write(top / "keys.md", f"password: {phrases.new('a password')}a1B2c3D4e5\n".encode())
    _write(top / "broken.db", b"SQLite format 3\0" + phrases.new("a broken database").encode())
    with closing(sqlite3.connect(top / "good.db")) as database:
        database.execute("create table t (x)")
        database.execute("insert into t values (?)", (phrases.new("a database"),))
        database.commit()
    os.setxattr(top / "keys.md", b"user.note", phrases.new("an attribute").encode())


def _variants(fields: Any, kind: str, phrases: Phrases) -> Iterator[tuple[str, Any]]:
    """The fields with a phrase, a list of one and an object of one in place of each value, one at a time."""
    for path in _paths(fields):
        where = ".".join(map(str, path))
        said = f"{kind} {where}"
        yield where, _replaced(fields, path, phrases.new(said))
        if where not in {"id", "type"}:
            yield where, _replaced(fields, path, [phrases.new(f"{said}, in a list")])
            yield where, _replaced(fields, path, {phrases.new(f"{said}, a name"): phrases.new(f"{said}, below one")})


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in below:
        yield (*path, key)
        yield from _paths(inner, (*path, key))


def _replaced(fields: Any, path: tuple[Any, ...], value: Any) -> Any:
    copy = at = json.loads(json.dumps(fields))
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return copy


def _with_other_leaves(value: Any, where: str, phrases: Phrases) -> Any:
    if isinstance(value, dict):
        other = {key: _with_other_leaves(inner, f"{where}: {key}", phrases) for key, inner in value.items()}
        return other | {phrases.new(f"{where}, a name"): [phrases.new(f"{where}, below a name")]}
    if isinstance(value, list):
        return [_with_other_leaves(inner, where, phrases) for inner in value[:3]]
    return phrases.new(where)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
