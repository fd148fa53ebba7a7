"""Records of a memory, whatever file format they are kept in: an id, a type, and named fields.

An entity is a JSON object. A Markdown file is one record: its front matter's fields, and each section's lines under
`section <heading>`. A line of an MCP server's `memory.jsonl` is a record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from icc_store.entities.json_text import NotJson, parse_json
from icc_store.entities.layout import entity_id
from icc_store.entities.profiles import RecordFormat
from icc_store.limits import MAX_RECORD_DEPTH
from icc_store.model.paths import display

SECTION = "section "
PREAMBLE = "text"
"""The field of what stands before the first heading."""


class Lines(list[str]):
    """Lines of text, in contrast to a list of items: blank ones and repeated ones count."""


class RecordError(ValueError):
    """A file that should hold records cannot be read as such; the message says why."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file."""

    id: str
    type: str
    fields: dict[str, Any]
    """Everything in it, `id` and `type` included where the file has them."""

    def flat(self) -> dict[str, Any]:
        """The fields by dotted path, in order: `context.domain`. Values: scalars, lists, Lines, empty maps."""
        found: dict[str, Any] = {}
        _flatten("", self.fields, found, {})
        return found


def _flatten(prefix: str, fields: dict[str, Any], found: dict[str, Any], repeated: dict[str, int]) -> None:
    for name, value in fields.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict) and value:
            _flatten(f"{path}.", value, found, repeated)
        else:
            free = path
            while free in found:  # a name may have a dot in it
                number = _next_number(repeated, path)
                free = f"{path}'" if number == 2 else f"{path}'{number}"
            found[free] = value


def _next_number(repeated: dict[str, int], name: str) -> int:
    """2 for a name that comes again, then 3. Counted, since a hostile file has one name a hundred thousand times."""
    repeated[name] = repeated.get(name, 1) + 1
    return repeated[name]


def read_records(form: RecordFormat, path: bytes, data: bytes) -> list[Record]:
    """The records of a file at a stored path. Raises RecordError."""
    if form is RecordFormat.ENTITY:
        return [_entity(path, data)]
    if form is RecordFormat.MARKDOWN:
        return [_markdown(path, data)]
    return [_line(number, line) for number, line in enumerate(data.splitlines(), 1) if line.strip()]


def read_object(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`. Raises RecordError, also for one that is nested more than MAX_RECORD_DEPTH deep."""
    try:
        value = parse_json(data)
    except NotJson as error:
        raise RecordError(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise RecordError("not a JSON object")
    if data.count(b"{") + data.count(b"[") > MAX_RECORD_DEPTH and _is_deep(value):
        raise RecordError("nested too deeply")
    return value


def _is_deep(value: Any) -> bool:
    """Whether there are more than MAX_RECORD_DEPTH maps and lists within each other."""
    level = [value]
    for _ in range(MAX_RECORD_DEPTH):
        level = [
            one
            for above in level
            for one in (above.values() if isinstance(above, dict) else above)
            if isinstance(one, dict | list)
        ]
    return bool(level)


def _entity(path: bytes, data: bytes) -> Record:
    fields = read_object(data)
    identity, kind = fields.get("id"), fields.get("type")
    return Record(
        identity if isinstance(identity, str) and identity else entity_id(path),
        kind if isinstance(kind, str) else "",
        fields,
    )


def _markdown(path: bytes, data: bytes) -> Record:
    from icc_store.entities.front_matter import split_front_matter  # YAML takes 15 ms, and most memories are JSON

    try:
        front, body = split_front_matter(data.decode("utf-8"))
    except ValueError as error:  # UnicodeDecodeError is one
        raise RecordError(str(error)) from None
    kind = front.get("type")
    return Record(display(path).removesuffix(".md"), str(kind) if kind else "note", front | _sections(body))


def _sections(body: str) -> dict[str, Any]:
    """Lines below each heading, under its text; a heading that comes again is numbered. Fences may hold `#`."""
    found: dict[str, Any] = {}
    repeated: dict[str, int] = {}
    lines: list[str] = []
    title, fence = PREAMBLE, ""
    for line in body.splitlines():
        mark = line.lstrip()[:3]
        if mark in {"```", "~~~"}:
            fence = "" if fence == mark else fence or mark
        text = line.lstrip("#")
        depth = len(line) - len(text)
        if fence or not 1 <= depth <= 6 or not text.startswith(" "):
            lines.append(line)
            continue
        _keep(found, repeated, title, lines)
        title, lines = SECTION + text.strip(), []
    _keep(found, repeated, title, lines)
    return found


def _keep(found: dict[str, Any], repeated: dict[str, int], title: str, lines: list[str]) -> None:
    while lines and not lines[-1].strip():
        lines.pop()
    first = next((at for at, line in enumerate(lines) if line.strip()), 0)
    if not lines and title == PREAMBLE:
        return
    name = title
    while name in found:
        name = f"{title} ({_next_number(repeated, title)})"
    found[name] = Lines(lines[first:])


def _line(number: int, data: bytes) -> Record:
    try:
        fields = read_object(data)
    except RecordError as error:
        raise RecordError(f"line {number}: {error}") from None
    if fields.get("type") == "relation":
        ends = "{} -{}-> {}".format(*(fields.get(name, "?") for name in ("from", "relationType", "to")))
        return Record(ends, "relation", fields)
    return Record(str(fields.get("name", f"line {number}")), str(fields.get("entityType", "")), fields)
