"""Index files, read without building all of what is in them: those of 100,000 entities take 150 MB as text."""

from __future__ import annotations

from typing import Any

from icc_store.entities.json_text import JsonText, NotJson, parse_json, parse_members

_LEVELS = 2
_OBJECT, _LIST = b"{["


def outline(data: bytes) -> Any:
    """The value in an index file, with nothing in the objects and lists that are deeper than an index's own fields.

    Raises NotJson, also for what is wrong in those.
    """
    if not data.isascii():
        try:
            data.decode()  # the only thing that is not looked at where values are passed over
        except UnicodeDecodeError as reason:
            raise NotJson(str(reason)) from None
    return _outline(data, _LEVELS) if data.lstrip()[:1] == b"{" else parse_json(data)


def _outline(text: JsonText, levels: int) -> Any:
    first = memoryview(text)[0]
    if first == _OBJECT or isinstance(text, bytes):
        return {name: _outline(value, levels - 1) for name, value in parse_members(text).items()} if levels else {}
    if first == _LIST:
        return []
    return parse_json(text)
