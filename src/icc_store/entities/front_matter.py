"""Front matter: YAML between two lines of three dashes at the head of a Markdown file. The only module with PyYAML."""

from __future__ import annotations

import math
from typing import Any

import yaml

from icc_store.limits import KIB, MAX_FRONT_MATTER, MAX_NUMBER_TEXT, MAX_RECORD_DEPTH

_FENCE = "---"
_INDICATORS = "[{-?:"
"""Each level of nesting has one of them."""


def split_front_matter(text: str) -> tuple[dict[str, Any], str]:
    """The fields of the front matter, and the text after it; no fields where there is none.

    Raises ValueError for front matter that is not a YAML mapping of plain values. Dates come as text, as written.
    """
    lines = text.removeprefix("\ufeff").splitlines(keepends=True)
    if not lines or lines[0].rstrip() != _FENCE:
        return {}, text
    for number, line in enumerate(lines[1:], 1):
        if line.rstrip() in {_FENCE, "..."}:
            head, body = "".join(lines[1:number]), "".join(lines[number + 1 :])
            break
    else:
        return {}, text
    if len(head) > MAX_FRONT_MATTER:
        raise ValueError(f"its front matter is larger than {MAX_FRONT_MATTER // KIB} KiB")
    try:
        if "*" in head or sum(map(head.count, _INDICATORS)) > MAX_RECORD_DEPTH:
            _refuse_bombs(head)
        fields = yaml.load(head, Loader=_Loader)  # noqa: S506 - a SafeLoader without dates
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 2}" if mark else ""
        raise ValueError(f"its front matter is not YAML{where}") from None
    if fields is None:
        return {}, body
    if not isinstance(fields, dict):
        raise ValueError("its front matter is not a mapping")
    return {str(name): _plain(value, 1) for name, value in fields.items()}, body


def _refuse_bombs(head: str) -> None:
    """Raise ValueError for what must not be loaded, by its events alone, which need no memory however many they are.

    What an alias stands for may hold aliases: ten lines can stand for millions of values, or for themselves. And the
    library in C calls itself for each level, until the process has no stack left and dies.
    """
    depth = 0
    for event in yaml.parse(head, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("its front matter uses aliases")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_RECORD_DEPTH:
            raise ValueError("its front matter is nested too deeply")


def _plain(value: Any, depth: int) -> Any:
    """The value with nothing in it that JSON does not have."""
    if depth > MAX_RECORD_DEPTH:
        raise ValueError("its front matter is nested too deeply")
    if isinstance(value, dict):
        return {str(name): _plain(one, depth + 1) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, depth + 1) for one in value]
    if isinstance(value, set):
        return sorted(map(str, value))
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """Plain values only; a date stays the text it is, so that it compares and prints like any other field."""


def _number(loader: _Loader, node: yaml.ScalarNode) -> Any:
    if len(node.value) > MAX_NUMBER_TEXT:
        return node.value
    return (loader.construct_yaml_int if node.tag.endswith(":int") else loader.construct_yaml_float)(node)


for _tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float"):
    _Loader.add_constructor(_tag, _number)

_Loader.yaml_implicit_resolvers = {
    first: [(tag, expression) for tag, expression in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
