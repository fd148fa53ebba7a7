"""The header file of a repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icc_store.codec.hashing import checksum
from icc_store.errors import BlockDamaged, DamageError, NotARepository, UnsupportedFormat
from icc_store.model.header import (
    HEADER_NAME,
    Features,
    Header,
    header_text,
    new_header,
    parse_header,
    read_header,
    write_header,
)

GOOD = Header(bytes(range(16)), bytes(16), features=Features(ignore=("a hint",)))
PLACE = Path("somewhere") / HEADER_NAME


def sealed(**changes: Any) -> bytes:
    """A header with a right checksum and some fields changed, or removed by None."""
    fields = json.loads(header_text(GOOD)) | changes
    del fields["checksum"]
    fields = {name: value for name, value in fields.items() if value is not None}
    text = json.dumps(fields, indent=1, sort_keys=True)
    return json.dumps(fields | {"checksum": checksum(text.encode()).hex()}).encode()


def test_a_header_comes_back(tmp_path: Path) -> None:
    """What was written is read, and nobody but the owner can read it."""
    header = new_header()
    write_header(tmp_path, header)
    assert read_header(tmp_path) == header
    assert header.writable
    assert (tmp_path / HEADER_NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [HEADER_NAME]


def test_a_header_is_replaced_whole(tmp_path: Path) -> None:
    """Writing over an old header, with the leftover of an interrupted write beside it, gives the new one."""
    write_header(tmp_path, new_header())
    (tmp_path / f".{HEADER_NAME}.new").write_text("half a hea")
    write_header(tmp_path, GOOD)
    assert read_header(tmp_path) == GOOD


def test_every_repository_is_another() -> None:
    """New headers have fresh identities; a copy keeps the repository's and has an instance of its own."""
    one, two = new_header(), new_header()
    assert len({one.repository, two.repository, one.instance, two.instance}) == 4
    copy = one.copy_of()
    assert copy.repository == one.repository
    assert copy.instance != one.instance


def test_layout_and_order_do_not_matter() -> None:
    """The checksum is that of the fields, so a header that was reformatted is still right."""
    fields = json.loads(header_text(GOOD))
    assert parse_header(json.dumps(dict(reversed(fields.items()))).encode(), PLACE) == GOOD


def test_unknown_fields_are_passed_over() -> None:
    """A newer program may add fields that an older one need not know."""
    assert parse_header(sealed(comment="hello"), PLACE) == GOOD


def test_no_flipped_bit_changes_what_is_said() -> None:
    """A damaged header is an error, or still says what it said."""
    text = header_text(GOOD).encode()
    for at in range(len(text)):
        for bit in range(8):
            changed = bytearray(text)
            changed[at] ^= 1 << bit
            try:
                assert parse_header(bytes(changed), PLACE) == GOOD
            except (DamageError, NotARepository, UnsupportedFormat):
                pass


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"5",
        b'"text"',
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"checksum": 5}',
        b'{"checksum": "00"}',
    ],
)
def test_what_is_no_header_is_damage(data: bytes) -> None:
    """A file of our name that cannot be understood is a damaged header."""
    with pytest.raises(BlockDamaged):
        parse_header(data, PLACE)


def test_a_missing_header_is_no_repository(tmp_path: Path) -> None:
    """A directory without the file is not a repository, damaged or not."""
    with pytest.raises(NotARepository):
        read_header(tmp_path)


def test_another_programs_file_is_no_repository() -> None:
    """A file of that name with another mark is somebody else's."""
    with pytest.raises(NotARepository):
        parse_header(sealed(**{"is": "a package index"}), PLACE)


WRONG: dict[str, dict[str, Any]] = {
    "no repository": {"repository": None},
    "a short repository": {"repository": "00"},
    "a repository that is a number": {"repository": 5},
    "no instance": {"instance": None},
    "an instance that is not hex": {"instance": "x" * 32},
    "no version": {"version": None},
    "version zero": {"version": 0},
    "a version as text": {"version": "1"},
    "a version that is a truth value": {"version": True},
    "no index version": {"index_version": None},
    "an index version as text": {"index_version": "1"},
    "no chunker": {"chunker": None},
    "a chunker that is a number": {"chunker": 3},
    "no features": {"features": None},
    "features as a list": {"features": []},
    "two sets of features": {"features": {"ignore": [], "refuse": []}},
    "a feature that is a number": {"features": {"ignore": [1], "read_only": [], "refuse": []}},
    "features that are a number": {"features": {"ignore": 1, "read_only": [], "refuse": []}},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_a_wrong_field_is_damage(changes: dict[str, Any]) -> None:
    """A right checksum does not make a wrong field right."""
    with pytest.raises(BlockDamaged):
        parse_header(sealed(**changes), PLACE)


def features(**sets: list[str]) -> dict[str, list[str]]:
    return {"ignore": [], "read_only": [], "refuse": []} | sets


@pytest.mark.parametrize(
    "changes", [{"version": 2}, {"index_version": 2}, {"features": features(refuse=["encryption"])}]
)
def test_what_needs_a_newer_program_says_so(changes: dict[str, Any]) -> None:
    """A newer format, another index or a feature that must be known is refused by name."""
    with pytest.raises(UnsupportedFormat, match="newer"):
        parse_header(sealed(**changes), PLACE)


@pytest.mark.parametrize("changes", [{"features": features(read_only=["of-tomorrow"])}, {"chunker": "another"}])
def test_what_is_only_read_is_not_written(changes: dict[str, Any]) -> None:
    """A feature that readers may ignore, or another chunker, makes the repository read-only here."""
    assert not parse_header(sealed(**changes), PLACE).writable


def test_a_set_of_features_may_be_added() -> None:
    """A fourth set of features is a newer program's business."""
    assert parse_header(sealed(features=features(ignore=["a hint"], later=["x"])), PLACE) == GOOD


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_politely(data: bytes) -> None:
    """Whatever the file holds, the answer is one of three errors."""
    with pytest.raises((DamageError, NotARepository, UnsupportedFormat)):
        parse_header(data, PLACE)
