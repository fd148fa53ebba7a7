"""What an index says of an entity in its own words: the terms that it is found by, and a line of summary."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

_TERMS = 12
_SUMMARY_SIZE = 160
_WORD = re.compile(r"[^\W\d_][^\W_]{3,}")
_SUMMARY_FIELDS = ("summary", "pattern_description", "project_name", "observations", "implementation", "tags")
_TEXT_FIELDS = (
    "tags",
    "project_name",
    "pattern_description",
    "context",
    "observations",
    "patterns",
    "prevention",
    "implementation",
    "conditions",
    "outcomes",
)
_STOP_WORDS = frozenset(
    _WORD.findall(
        """
        about above after again also always because been before being below between both cannot could does done down
        during each either else every file first from given have here into itself just keep less like made make many
        more most much must need never none only other otherwise over same seen should since some such than that their
        them then there these they this those through under until upon used uses using very want were what when where
        which while will with within without would your
        """
    )
)


def terms_of(entity: Mapping[str, Any]) -> list[str]:
    """The words that an entity has most often, in alphabetical order."""
    words: Counter[str] = Counter()
    for name in _TEXT_FIELDS:
        for text in _texts(entity.get(name)):
            words.update(word for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS)
    return sorted(word for word, _ in words.most_common(_TERMS))


def summary_of(entity: Mapping[str, Any]) -> str:
    """The first thing that an entity says, in one line."""
    texts = (text for name in _SUMMARY_FIELDS for text in _texts(entity.get(name)))
    line = " ".join(next(texts, "").split())
    if len(line) <= _SUMMARY_SIZE:
        return line
    return line[: _SUMMARY_SIZE - 3].rpartition(" ")[0] + "..."


def _texts(value: Any) -> Iterator[str]:
    """The texts in a value, in their order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for one in value.values() if isinstance(value, dict) else value:
            if isinstance(one, str):
                yield one
            elif isinstance(one, list):
                yield from (text for text in one if isinstance(text, str))
