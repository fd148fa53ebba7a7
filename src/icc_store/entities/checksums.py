"""SHA256SUMS as coreutils writes and checks it: the listing that a manifest's integrity hash is taken of.

One line a regular file: digest, two blanks, the path without `./`; in LC_ALL=C order of whole paths; without the
listing itself and `manifest.json` of the root. `sha256sum -c SHA256SUMS` checks it in a directory of the same files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

SUMS_NAME = b"SHA256SUMS"
MANIFEST_NAME = b"manifest.json"
NOT_LISTED = frozenset((SUMS_NAME, MANIFEST_NAME))
_ESCAPES = ((b"\\", b"\\\\"), (b"\n", b"\\n"), (b"\r", b"\\r"))


def sums_line(path: bytes, digest: bytes) -> bytes:
    """One line with its newline. A path with a backslash or a line break is escaped; a backslash in front says so."""
    if b"\\" in path or b"\n" in path or b"\r" in path:
        for plain, escaped in _ESCAPES:
            path = path.replace(plain, escaped)
        return b"\\" + digest.hex().encode() + b"  " + path + b"\n"
    return digest.hex().encode() + b"  " + path + b"\n"


def sums_text(files: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The whole listing of (path, digest) pairs, in whatever order they come."""
    return b"".join(sums_line(path, digest) for path, digest in sorted(files) if path not in NOT_LISTED)


def integrity_hash(listing: bytes) -> str:
    """What a manifest says of a listing: `sha256:<hex>`."""
    return "sha256:" + hashlib.sha256(listing).hexdigest()
