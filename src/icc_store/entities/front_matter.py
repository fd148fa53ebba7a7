"""Front matter: YAML between two lines of three dashes at the head of a Markdown file. The only module with PyYAML."""

from __future__ import annotations

from typing import Any

import yaml

_FENCE = "---"


def split_front_matter(text: str) -> tuple[dict[str, Any], str]:
    """The fields of the front matter, and the text after it; no fields where there is none.

    Raises ValueError for front matter that is not a YAML mapping. Dates come as text, as they are written.
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
    try:
        fields = yaml.load(head, Loader=_Loader)  # noqa: S506 - a SafeLoader without dates
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 2}" if mark else ""
        raise ValueError(f"its front matter is not YAML{where}") from None
    if fields is None:
        return {}, body
    if not isinstance(fields, dict):
        raise ValueError("its front matter is not a mapping")
    return {str(name): value for name, value in fields.items()}, body


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """Plain values only; a date stays the text it is, so that it compares and prints like any other field."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, expression) for tag, expression in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
