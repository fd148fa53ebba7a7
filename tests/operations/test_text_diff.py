"""Line diffs: judged by `patch`, which must turn one text into the other."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path

import pytest

from icc_store.operations.text_diff import text_diff


def patched(before: bytes, after: bytes, place: Path) -> bytes:
    """What patch makes of `before` with the diff to `after`."""
    file = place / "file"
    file.write_bytes(before)
    lines = text_diff(before, after).lines
    if lines:
        text = "--- file\n+++ file\n" + "".join(line + "\n" for line in lines)
        subprocess.run(["patch", "-s", "-F0", file], input=text.encode(), check=True)
    return file.read_bytes() if file.exists() else b""  # patch removes what has become empty


@pytest.mark.parametrize("seed", range(40))
def test_patch_agrees(seed: int, tmp_path: Path) -> None:
    """The diff of any two texts, with and without a newline at the end, is one that patch can apply exactly."""
    chance = random.Random(seed)
    before = [b"%d" % chance.randrange(30) for _ in range(chance.randrange(60))]
    after = list(before)
    for _ in range(chance.randrange(8)):
        place = chance.randrange(len(after) + 1)
        after[place : place + chance.randrange(3)] = [b"%d" % chance.randrange(60)] * chance.randrange(3)
    ends = (b"", b"\n")
    one, two = b"\n".join(before) + chance.choice(ends), b"\n".join(after) + chance.choice(ends)
    assert patched(one, two, tmp_path) == two


def test_shows_lines_as_they_are() -> None:
    """Changed lines with three around them, and a note where the last line does not end."""
    before = b"".join(b"line %d\n" % number for number in range(20))
    after = before.replace(b"line 10\n", b"line ten\n") + b"more"
    assert text_diff(before, after).lines == (
        "@@ -8,7 +8,7 @@",
        " line 7",
        " line 8",
        " line 9",
        "-line 10",
        "+line ten",
        " line 11",
        " line 12",
        " line 13",
        "@@ -18,3 +18,4 @@",
        " line 17",
        " line 18",
        " line 19",
        "+more\n\\ No newline at end of file",
    )


def test_other_lines_ends_and_bytes_are_kept() -> None:
    """A carriage return is part of its line, and bytes that are not UTF-8 are spelled out."""
    assert text_diff(b"a\r\nb\r\n", b"a\r\n\xff\r\n").lines == ("@@ -1,2 +1,2 @@", " a\r", "-b\r", "+\\xff\r")


def test_binary_files_are_not_compared() -> None:
    """A NUL byte makes a file binary."""
    found = text_diff(b"a\0b", b"a\0c")
    assert (found.lines, found.note) == ((), "binary files differ")


def test_equal_texts_have_no_lines() -> None:
    """Nothing differs, nothing is shown."""
    assert text_diff(b"a\nb\n", b"a\nb\n").lines == ()


@pytest.mark.parametrize("kind", ["inserted", "shuffled", "repeated"])
def test_large_texts_take_seconds_at_most(kind: str) -> None:
    """Megabytes of lines are compared in bounded time: rows inserted, shuffled, repeated."""
    chance = random.Random(kind)
    before = [b'{"id": %d, "v": "%x"}' % (number, chance.getrandbits(100)) for number in range(60_000)]
    after = list(before)
    if kind == "inserted":
        for number in range(50):
            after.insert(chance.randrange(len(after)), b"new %d" % number)
    elif kind == "shuffled":
        chance.shuffle(after)
    else:
        before = [b"%d" % chance.randrange(300) for _ in range(60_000)]
        after = [b"%d" % chance.randrange(300) for _ in range(60_000)]
    begun = time.monotonic()
    lines = text_diff(b"\n".join(before), b"\n".join(after)).lines
    assert time.monotonic() - begun < 10
    if kind == "inserted":
        assert sum(line.startswith("+") for line in lines) == 50
        assert not any(line.startswith("-") for line in lines)
