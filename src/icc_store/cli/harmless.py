"""Text that gives no orders to a terminal, whoever made it: names, notes and messages may come from an enemy."""

from __future__ import annotations

import re

_ORDERS = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
"""Control characters, but for tab and line feed; line breaks of Unicode; and what reverses the order of the others.
Compiled where it is first needed: 0.5 ms of every start otherwise."""


def harmless(text: str) -> str:
    """The text with such characters spelled out, as \\xNN or \\uNNNN."""
    return text if text.isprintable() else re.sub(_ORDERS, _spelled, text)


def _spelled(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
