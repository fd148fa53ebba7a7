"""How wide a text is on a terminal."""

from __future__ import annotations

PLAIN_WIDTH = 120
"""Columns that a line is cut to where it does not go to a terminal, if it is cut at all."""


def shorten(text: str, width: int) -> str:
    """The text, or as much of its beginning as fits with an ellipsis."""
    if display_width(text) <= width:
        return text
    kept, used = [], 1
    for character in text:
        used += display_width(character)
        if used > width:
            break
        kept.append(character)
    return "".join(kept) + "…"


def display_width(text: str) -> int:
    """Columns that a text takes on a terminal."""
    if text.isascii():
        return len(text)
    import unicodedata  # only for text beyond ASCII: 1 MB of tables

    return sum(
        0 if unicodedata.combining(character) else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def shorten_start(text: str, width: int) -> str:
    """The text, or as much of its end as fits with an ellipsis: for paths, whose end says most."""
    return text if display_width(text) <= width else shorten(text[::-1], width)[::-1]
