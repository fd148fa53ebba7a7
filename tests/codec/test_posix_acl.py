"""ACLs as bytes and as text."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icc_store.codec.posix_acl import ACCESS, acl_from_text, acl_text, permissions_with

VERSION = struct.pack("<I", 2)
NONE = 0xFFFFFFFF
bits = st.integers(0, 7)
numbers = st.integers(0, NONE - 1)


@st.composite
def acls(draw: st.DrawFn) -> bytes:
    """Any list in the kernel's order."""
    entries = [(1, draw(bits), NONE)]
    entries += [(2, draw(bits), number) for number in sorted(draw(st.sets(numbers, max_size=4)))]
    entries += [(4, draw(bits), NONE)]
    entries += [(8, draw(bits), number) for number in sorted(draw(st.sets(numbers, max_size=4)))]
    entries += [(16, draw(bits), NONE), (32, draw(bits), NONE)]
    return VERSION + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def nobody(name: bytes) -> None:
    return None


@given(acls())
def test_an_acl_comes_back_from_its_text(acl: bytes) -> None:
    """Text made of an ACL makes the very same ACL."""
    text = acl_text(acl)
    assert text is not None
    assert acl_from_text(text, nobody, nobody) == acl


def test_the_system_agrees(tmp_path: Path) -> None:
    """What setfacl sets and getfacl shows is the text we make of the attribute's bytes."""
    if not shutil.which("setfacl"):
        pytest.skip("setfacl is not installed")
    path = tmp_path / "file"
    path.touch()
    try:
        os.setxattr(path, "user.test", b"")
    except OSError:
        pytest.skip("this file system has no attributes")
    subprocess.run(["setfacl", "-m", "u:1234:rw-,g:77:r-x,m::rwx", str(path)], check=True)
    acl = os.getxattr(path, ACCESS)
    shown = subprocess.run(["getfacl", "-nceE", str(path)], capture_output=True, check=True).stdout
    assert acl_text(acl) == b",".join(line for line in shown.split(b"\n") if line)
    assert acl_from_text(shown, nobody, nobody) == acl
    assert permissions_with(0o700, acl) == path.stat().st_mode & 0o070 | 0o700


def test_names_are_looked_up() -> None:
    """A name is asked for, unless a number stands beside it; short words and comments are understood."""
    text = b"u::rw- # the owner\nu:ada:r--,g::---,g:users:rwx:55,m::rwx,o::---\n"
    acl = acl_from_text(text, {b"ada": 1000}.get, nobody)
    assert acl_text(acl) == b"user::rw-,user:1000:r--,group::---,group:55:rwx,mask::rwx,other::---"


@pytest.mark.parametrize("text", [b"user", b"king::rwx", b"user::rwy", b"user:unknown:rwx", b"user::rwx,x"])
def test_what_is_no_acl_is_refused(text: bytes) -> None:
    """An entry that cannot be understood, or names somebody unknown, raises ValueError."""
    with pytest.raises(ValueError, match="ACL"):
        acl_from_text(text, nobody, nobody)


@pytest.mark.parametrize(
    "value", [b"", VERSION[:3], b"\3\0\0\0", VERSION + bytes(7), VERSION + struct.pack("<HHI", 3, 7, 0)]
)
def test_bytes_that_are_no_acl_have_no_text(value: bytes) -> None:
    """Another version, half an entry, an unknown tag: no text, rather than a wrong one."""
    assert acl_text(value) is None
