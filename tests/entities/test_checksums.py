"""SHA256SUMS: what coreutils write and check, we write and read."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icc_store.entities.checksums import integrity_hash, parse_sums, sums_line, sums_text

NAMES = (b"plain", b"a b", b"new\nline", b"back\\slash", b"\\n", b"both\\\n\r", b"\xff", b" ", b"*star", "é".encode())
DIGEST = hashlib.sha256(b"1").digest()

paths = st.binary(min_size=1).filter(lambda path: b"\0" not in path and not path.startswith(b"./"))


def test_lines_are_those_of_coreutils(tmp_path: Path) -> None:
    """The same bytes as `sha256sum` prints, whatever is in a name; parsing gives names and digests back."""
    for name in NAMES:
        with open(os.fsencode(tmp_path) + b"/" + name, "wb") as file:
            file.write(name)
    ordered = sorted(NAMES)
    printed = subprocess.run(["sha256sum", "--", *ordered], cwd=tmp_path, capture_output=True, check=True).stdout
    files = [(name, hashlib.sha256(name).digest()) for name in NAMES]
    assert sums_text(files) == printed
    assert list(parse_sums(printed)) == sorted(files)


def test_listing_and_manifest_are_not_listed() -> None:
    """Those of the root; files of these names further down are like any others."""
    listed = sums_text([(b"SHA256SUMS", DIGEST), (b"manifest.json", DIGEST), (b"d/manifest.json", DIGEST)])
    assert [path for path, _ in parse_sums(listed)] == [b"d/manifest.json"]


@given(st.dictionaries(paths, st.binary(min_size=32, max_size=32)))
def test_any_listing_comes_back(files: dict[bytes, bytes]) -> None:
    """What is written is read as it was, line by line."""
    listing = b"".join(sums_line(path, digest) for path, digest in sorted(files.items()))
    assert dict(parse_sums(listing)) == files


@pytest.mark.parametrize("mark", [b"  ", b" *", b"  ./", b" *././"])
def test_other_ways_to_write_a_line(mark: bytes) -> None:
    """Binary mode, and names with `./` in front, as people make them with find."""
    assert list(parse_sums(DIGEST.hex().upper().encode() + mark + b"a/b\n")) == [(b"a/b", DIGEST)]


@pytest.mark.parametrize("line", [b"x", DIGEST.hex().encode(), b"0" * 63 + b"  a", b"0" * 64 + b" a", b"# note"])
def test_what_is_no_listing(line: bytes) -> None:
    """A line that no sha256sum wrote is refused, and is in no message."""
    with pytest.raises(ValueError, match="no sha256sum wrote"):
        list(parse_sums(DIGEST.hex().encode() + b"  a\n" + line + b"\n"))


def test_the_integrity_hash() -> None:
    """It is what `sha256sum SHA256SUMS` prints, with its name in front."""
    assert integrity_hash(b"1") == f"sha256:{DIGEST.hex()}"
