"""What an entry says that tar has no field for goes into a comment, and comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icc_store.codec.chunking import ChunkerParameters, parameters_for
from icc_store.limits import GIB
from icc_store.model.tar_comment import Remarks, pack_remarks, parse_remarks, size_cut_with

remarks = st.builds(
    Remarks,
    st.none() | st.integers(0, (1 << 63) - 1),
    st.integers(0, (1 << 63) - 1),
    st.none() | st.binary(min_size=32, max_size=32),
    st.none() | st.binary(min_size=1, max_size=300),
    st.dictionaries(st.integers(128, 1 << 40), st.binary() | st.text() | st.integers(0, 99), max_size=3),
)


@given(remarks)
def test_remarks_come_back(said: Remarks) -> None:
    """Whatever is remarked is read again; the text is ASCII in one line."""
    comment = pack_remarks(said)
    assert comment.isascii()
    assert b"\n" not in comment
    assert parse_remarks(comment) == said


def test_nothing_to_say_is_no_comment() -> None:
    """The usual entry has none."""
    assert pack_remarks(Remarks()) == b""
    assert parse_remarks(b"") == Remarks()


@pytest.mark.parametrize("comment", [b"8f14e45fceea167a5a36dedd4bea2543", b"made by hand", b"icc-stored", b"\xff"])
def test_comments_of_others_say_nothing(comment: bytes) -> None:
    """git and others write comments too."""
    assert parse_remarks(comment) == Remarks()


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"[]", b"1", b'"x"', b'{"flags":"2"}', b'{"flags":-1}', b'{"cut_as":1.5}', b'{"sha256":"00"}',
        b'{"sha256":5}', b'{"first_name":"xyz"}', b'{"kept":"80cc80"}', b'{"kept":"810102"}', b'{"kept":"01"}', b"\xff",
        b'{"flags":9223372036854775808}', b"[" * 100_000,
    ],
)  # fmt: skip
def test_broken_comments_are_refused(text: bytes) -> None:
    """A comment that says it is ours is understood, or an error."""
    with pytest.raises(ValueError, match="comment of icc-store is broken"):
        parse_remarks(b"icc-store " + text)


@pytest.mark.parametrize("size", [0, 1, GIB, GIB + 1, 64 * GIB, 64 * GIB + 1, 1 << 50])
def test_a_size_stands_for_how_a_file_was_cut(size: int) -> None:
    """For every step of the chunker there is a size that picks it."""
    representative = size_cut_with(parameters_for(size))
    assert representative is not None
    assert parameters_for(representative) == parameters_for(size)


def test_a_chunker_of_another_program_has_no_size() -> None:
    """Parameters that no size picks are not remarked; such a file is cut anew."""
    assert size_cut_with(ChunkerParameters(1, 2, 3)) is None
    assert size_cut_with(None) is None
