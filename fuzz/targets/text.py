"""Two versions of a file of text: the lines in which they differ, and what a terminal is given of them."""

from __future__ import annotations

from icc_store.cli.harmless import harmless
from icc_store.cli.text_width import display_width, shorten, shorten_start
from icc_store.model.paths import display
from icc_store.operations.text_diff import matching_lines, text_diff

ALLOWED: tuple[type[BaseException], ...] = ()
WORDS = (
    *(b"\n", b"\r\n", b"\0", b"\x1b[2J", b"\xe2\x80\xae", b"\xc2\x9b"),
    *(b"\xf0\x9f\x91\xa9", b"\xcc\x81", b"\xed\xa0\x80"),
)

_ORDERS = {*map(chr, range(32)), *map(chr, range(0x7F, 0xA0)), "\u202e", "\u2066", "\u2028"} - set("\t\n")
_WIDTH = 20


def fuzz_one(data: bytes) -> None:
    """The first byte says where the second version begins. Matching lines are equal, and no text is left an order."""
    at = data[0] * len(data) // 256 if data else 0
    before, after = data[1:at], data[max(1, at) :]
    for line in text_diff(before, after).lines:
        if _ORDERS & set(harmless(line)):
            raise AssertionError("an order to the terminal is left")
    old, new = before.split(b"\n"), after.split(b"\n")
    end = other_end = 0
    for start, other, length in matching_lines(old, new):
        if start < end or other < other_end or old[start : start + length] != new[other : other + length]:
            raise AssertionError("lines match that are not equal, or twice")
        end, other_end = start + length, other + length
    shown = display(after)
    if not shown.isprintable() or _ORDERS & set(harmless(after.decode("utf-8", "replace"))):
        raise AssertionError("a name is shown that is no text")
    for short in (shorten(shown, _WIDTH), shorten_start(shown, _WIDTH)):
        if display_width(short) > _WIDTH:
            raise AssertionError("a text is wider than it may be")


SEEDS = [
    b"\x80one\ntwo\nthree\n" + b"one\ntwo and\nthree\n",
    b"\x80" + b"a\nb\nc\nd\n" * 3 + b"d\nc\nb\na\n" * 3,
    b"\x70\x1b]0;owned\x07\x1b[2J\r\xe2\x80\xaegnp.exe\xc2\x9b31m\n" * 2,
    b"\x40wide \xe4\xb8\xad\xe6\x96\x87 e\xcc\x81 \xff\xfe\n",
]
