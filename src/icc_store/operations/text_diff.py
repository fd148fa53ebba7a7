"""The lines in which two versions of a text file differ, in the usual unified form.

Lines that stand once in either version and in the same order are paired first (Cohen's "patience" diff), and only what
is left between them is compared every line with every other, within bounds. difflib by itself takes minutes on an
index file of some megabytes whose rows were put in another order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TypeVar

from icc_store.limits import MAX_COMPARISONS

_CONTEXT = 3

_BINARY_PROBE = 8192

Opcode = tuple[str, int, int, int, int]
Line = TypeVar("Line", bytes, str)


@dataclass(frozen=True, slots=True)
class TextDiff:
    """Lines of a unified diff, without its two header lines; or a note that says why there are none."""

    lines: tuple[str, ...] = ()
    note: str = ""


def text_diff(before: bytes, after: bytes) -> TextDiff:
    """The lines in which two versions differ. Bytes that are not UTF-8 stand as \\xNN."""
    if _is_binary(before) or _is_binary(after):
        return TextDiff(note="binary files differ")
    return TextDiff(tuple(_unified(_lines(before), _lines(after))))


def _is_binary(data: bytes) -> bool:
    return b"\0" in data[:_BINARY_PROBE]


def _lines(data: bytes) -> list[bytes]:
    """The lines with their ends, so that a missing last one shows."""
    lines = data.split(b"\n")
    last = lines.pop()
    return [line + b"\n" for line in lines] + ([last] if last else [])


def _unified(before: list[bytes], after: list[bytes]) -> Iterator[str]:
    for group in _grouped(_opcodes(before, after)):
        first, last = group[0], group[-1]
        yield f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@"
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield from (_shown(" ", line) for line in before[i1:i2])
            else:
                yield from (_shown("-", line) for line in before[i1:i2])
                yield from (_shown("+", line) for line in after[j1:j2])


def _shown(sign: str, line: bytes) -> str:
    end = "" if line.endswith(b"\n") else "\n\\ No newline at end of file"
    return sign + line.rstrip(b"\n").decode("utf-8", "backslashreplace") + end


def _range(start: int, stop: int) -> str:
    """A range of lines as diff writes it: from 1, without a count of one."""
    count = stop - start
    if count == 1:
        return str(start + 1)
    return f"{start + 1 if count else start},{count}"


def _grouped(opcodes: list[Opcode]) -> Iterator[list[Opcode]]:
    """Changes that stand close to each other, with the lines around them."""
    group: list[Opcode] = []
    for opcode in opcodes:
        tag, i1, i2, j1, j2 = opcode
        if tag != "equal":
            group.append(opcode)
            continue
        length = i2 - i1
        if group and length <= 2 * _CONTEXT and opcode is not opcodes[-1]:
            group.append(opcode)
            continue
        if group:
            keep = min(length, _CONTEXT)
            yield [*group, ("equal", i1, i1 + keep, j1, j1 + keep)]
        keep = min(length, _CONTEXT)
        group = [] if opcode is opcodes[-1] else [("equal", i2 - keep, i2, j2 - keep, j2)]
    if any(tag != "equal" for tag, *_ in group):
        yield group


def _opcodes(before: list[bytes], after: list[bytes]) -> list[Opcode]:
    """What is equal and what is replaced, in order, in the form of difflib."""
    opcodes: list[Opcode] = []
    i = j = 0
    for start, other, length in _joined(matching_lines(before, after)):
        if (start, other) != (i, j):
            opcodes.append(("replace", i, start, j, other))
        opcodes.append(("equal", start, start + length, other, other + length))
        i, j = start + length, other + length
    if (i, j) != (len(before), len(after)):
        opcodes.append(("replace", i, len(before), j, len(after)))
    return opcodes


def _joined(matches: Iterator[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """The same blocks of equal lines, those that touch as one."""
    last: tuple[int, int, int] | None = None
    for i, j, length in matches:
        if last is not None and (last[0] + last[2], last[1] + last[2]) == (i, j):
            last = (last[0], last[1], last[2] + length)
            continue
        if last is not None:
            yield last
        last = (i, j, length)
    if last is not None:
        yield last


def matching_lines(before: list[Line], after: list[Line]) -> Iterator[tuple[int, int, int]]:
    """Blocks of equal lines: (start before, start after, length), in order. Blocks may touch."""
    i = j = 0
    for anchor_i, anchor_j in [*_anchors(before, after), (len(before), len(after))]:
        yield from _gap(before, (i, anchor_i), after, (j, anchor_j))
        if anchor_i < len(before):
            yield anchor_i, anchor_j, 1
        i, j = anchor_i + 1, anchor_j + 1


def _anchors(before: list[Line], after: list[Line]) -> list[tuple[int, int]]:
    """The longest run of lines that stand once on either side, in the same order on both."""
    once = {line for line, count in Counter(after).items() if count == 1}
    once &= {line for line, count in Counter(before).items() if count == 1}
    where: dict[Line, int] = {line: j for j, line in enumerate(after) if line in once}
    ends: list[int] = []
    piles: list[tuple[int, int, int]] = []
    tops: list[int] = []
    for i, line in enumerate(before):
        if line not in once:
            continue
        j = where[line]
        pile = bisect_left(ends, j)
        piles.append((i, j, tops[pile - 1] if pile else -1))
        if pile == len(ends):
            ends.append(j)
            tops.append(len(piles) - 1)
        else:
            ends[pile] = j
            tops[pile] = len(piles) - 1
    found: list[tuple[int, int]] = []
    at = tops[-1] if tops else -1
    while at >= 0:
        i, j, at = piles[at]
        found.append((i, j))
    return found[::-1]


def _gap(
    before: list[Line], olds: tuple[int, int], after: list[Line], news: tuple[int, int]
) -> Iterator[tuple[int, int, int]]:
    """Blocks of equal lines between two anchors: at both ends, then whatever difflib finds in the middle."""
    (i1, i2), (j1, j2) = olds, news
    start = 0
    while i1 + start < i2 and j1 + start < j2 and before[i1 + start] == after[j1 + start]:
        start += 1
    if start:
        yield i1, j1, start
    i1, j1, end = i1 + start, j1 + start, 0
    while i2 - end > i1 and j2 - end > j1 and before[i2 - end - 1] == after[j2 - end - 1]:
        end += 1
    left, right = before[i1 : i2 - end], after[j1 : j2 - end]
    if left and right and len(left) * len(right) <= MAX_COMPARISONS:
        for i, j, length in SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks():
            if length:
                yield i1 + i, j1 + j, length
    if end:
        yield i2 - end, j2 - end, end
