"""Paths in configuration files, rewritten for another machine. Pure: bytes of a JSON file in, bytes out.

Only strings that are such a path, or a path below it, are changed. Everything else in the file stays as it is, byte for
byte: its order, its blanks, its numbers.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from icc_store.entities.json_text import parse_json
from icc_store.errors import UsageError

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


class TwoNamesBecomeOne(ValueError):
    """An object has a name for the new path already."""


@dataclass(frozen=True)
class PathMap:
    """Old paths and what they become. Of several that fit, the longest counts."""

    pairs: tuple[tuple[str, str], ...] = ()

    def of(self, text: str) -> str:
        """What becomes of a string."""
        for old, new in sorted(self.pairs, key=lambda pair: len(pair[0]), reverse=True):
            if text == old or text.startswith(old + "/"):
                return new + text[len(old) :]
        return text


NO_MAP = PathMap()


def parse_path_map(given: tuple[str, ...]) -> PathMap:
    """The map that texts of the form `OLD=NEW` stand for. Raises UsageError."""
    pairs: dict[str, str] = {}
    for text in given:
        old, equals, new = text.partition("=")
        old, new = old.rstrip("/"), new.rstrip("/") or new
        if not (old and equals and new):
            raise UsageError(f"--map: {text!r} is not OLD=NEW", hint="for example --map /home/ada=/home/bob")
        if pairs.setdefault(old, new) != new:
            raise UsageError(f"--map: {old} cannot become both {pairs[old]} and {new}", hint="name each path once")
    return PathMap(tuple(pairs.items()))


def rewrite_paths(data: bytes, path_map: PathMap) -> tuple[bytes, int]:
    """The file with its paths rewritten, and how many were. Names of fields count as well as values.

    Raises NotJson, and TwoNamesBecomeOne where an object would have one name twice.
    """
    parse_json(data)
    count = 0

    def replaced(found: re.Match[bytes]) -> bytes:
        nonlocal count
        old = json.loads(found[0])
        new = path_map.of(old)
        if new == old:
            return found[0]
        count += 1
        return json.dumps(new, ensure_ascii=found[0].isascii()).encode()

    rewritten = _STRING.sub(replaced, data)
    if count and _repeated_names(rewritten) > _repeated_names(data):
        raise TwoNamesBecomeOne("two names of one object would become the same")
    return rewritten, count


def _repeated_names(data: bytes) -> int:
    repeated = 0

    def look(pairs: list[tuple[str, Any]]) -> None:
        nonlocal repeated
        repeated += len(pairs) - len({name for name, _ in pairs})

    json.loads(data, object_pairs_hook=look)
    return repeated
