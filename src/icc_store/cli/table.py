"""Aligned columns of text that fit the width they are given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from icc_store.cli.text_width import display_width, shorten, shorten_start
from icc_store.quick_dataclass import dataclass

_GAP = "  "
_LEAST = 8


@dataclass(frozen=True)
class Column:
    """One column. A flexible one gives way, shortened to an ellipsis, when a row would be too wide."""

    title: str
    right: bool = False
    flexible: bool = False
    keeps_end: bool = False
    """Whether the beginning gives way, as of paths."""


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]], width: int | None = None) -> Iterator[str]:
    """The lines of a table: titles, then rows. A column that is empty in every row is left out."""
    cells = [list(row) for row in rows]
    kept = [at for at in range(len(columns)) if any(row[at] for row in cells)]
    if not kept:
        return
    columns = [columns[at] for at in kept]
    cells = [[column.title for column in columns], *([row[at] for at in kept] for row in cells)]
    widths = [max(display_width(row[at]) for row in cells) for at in range(len(columns))]
    if width is not None:
        widths = _fit(columns, widths, width)
    for row in cells:
        yield _GAP.join(
            _pad(text, size, column) for text, size, column in zip(row, widths, columns, strict=True)
        ).rstrip()


def pairs(rows: Iterable[tuple[str, str]], indent: str = "") -> Iterator[str]:
    """Names and values, the values in one column. A row whose value is empty is left out."""
    kept = [(name, value) for name, value in rows if value]
    width = max((len(name) for name, _ in kept), default=0)
    for name, value in kept:
        yield f"{indent}{name:{width}}{_GAP}{value}"


def _fit(columns: Sequence[Column], widths: list[int], width: int) -> list[int]:
    """Narrow the widest flexible column, again and again, until a row fits or nothing can give way."""
    widths = list(widths)
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    while excess > 0:
        flexible = [at for at, column in enumerate(columns) if column.flexible and widths[at] > _LEAST]
        if not flexible:
            break
        widths[max(flexible, key=lambda at: widths[at])] -= 1
        excess -= 1
    return widths


def _pad(text: str, width: int, column: Column) -> str:
    text = shorten_start(text, width) if column.keeps_end else shorten(text, width)
    space = " " * (width - display_width(text))
    return space + text if column.right else text + space
