"""Indented JSON, equal to `json.dumps(value, indent=2)` for the shapes that index files have."""

import json
from json.encoder import encode_basestring_ascii as quote
from typing import Any


def pretty(value: Any, indent: str = "\n") -> str:
    """Render dicts, lists and scalars.

    The standard encoder falls back to pure Python when it indents; joining whole lists of strings
    renders the 150 MB of indexes of a large memory in a tenth of the time.
    """
    deeper = indent + "  "
    if isinstance(value, dict) and value:
        fields = [f"{quote(key)}: {pretty(item, deeper)}" for key, item in value.items()]
        return "{" + deeper + ("," + deeper).join(fields) + indent + "}"
    if isinstance(value, list) and value:
        texts = isinstance(value[0], str)
        items = map(quote, value) if texts else (pretty(item, deeper) for item in value)
        return "[" + deeper + ("," + deeper).join(items) + indent + "]"
    return quote(value) if isinstance(value, str) else json.dumps(value)
