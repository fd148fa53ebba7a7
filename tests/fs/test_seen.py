"""The program's notes on what it saw: eight bytes for each entry."""

from __future__ import annotations

import os
from pathlib import Path

from icc_store.fs.seen import NO_FINGERPRINT, make_row, mark_of, parse_row
from icc_store.ids import ObjectId

TREE = ObjectId(bytes(range(32)))
OUTSIDE = bytes(16)
LATER = 1 << 62


def status(*, changed: int, inode: int) -> os.stat_result:
    """What `stat` says of a file with this change time, in ns, and inode number."""
    found = list(os.stat(Path(__file__)))
    found[1] = inode
    times = (0.0, 0.0, changed / 10**9, 0, 0, changed)
    return os.stat_result((*found, *times))


def test_a_mark_differs_with_either() -> None:
    """Another change time or another inode number is another mark, for neighbours and for far ones."""
    base = 1_700_000_000 * 10**9
    some = [status(changed=base + step, inode=inode) for step in range(0, 3000, 10) for inode in range(1, 30)]
    some += [status(changed=base, inode=1 << bit) for bit in range(5, 64)]
    assert len({mark_of(each) for each in some}) == len(some)


def test_a_row_comes_back() -> None:
    """A row has the tree, the fingerprint and a mark of every entry, in eight bytes each."""
    some = [status(changed=each, inode=each) for each in range(1, 5)]
    row = make_row(TREE, some, OUTSIDE, LATER)
    assert len(row) == 32 + 16 + 8 * len(some)
    parsed = parse_row(row)
    assert parsed is not None
    assert (parsed.tree, parsed.fingerprint) == (TREE, OUTSIDE)
    assert [*parsed.marks()] == [mark_of(each) for each in some]


def test_what_may_still_change_never_matches() -> None:
    """A file that changed lately has a mark that no file has, and its part a fingerprint that no part has."""
    row = parse_row(make_row(TREE, [status(changed=5, inode=1), status(changed=50, inode=2)], b"x" * 16, 50))
    assert row is not None
    assert row.fingerprint == NO_FINGERPRINT
    assert [*row.marks()] == [mark_of(status(changed=5, inode=1)), 0]
    assert mark_of(status(changed=0, inode=0)) != 0


def test_a_row_of_before_says_nothing_of_its_entries() -> None:
    """Rows of sixteen bytes for each entry have as many marks too many, so that every entry counts as changed."""
    row = parse_row(TREE + OUTSIDE + bytes(16) * 3)
    assert row is not None
    assert len(row.marks()) == 6
    assert parse_row(TREE + OUTSIDE + bytes(7)) is None
