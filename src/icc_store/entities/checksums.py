"""SHA256SUMS as coreutils writes and checks it: the listing that a manifest's integrity hash is taken of.

One line a regular file: digest, two blanks, the path without `./`; in LC_ALL=C order of whole paths; without the
listing itself and `manifest.json` of the root. `sha256sum -c SHA256SUMS` checks it in a directory of the same files.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence

SUMS_NAME = b"SHA256SUMS"
MANIFEST_NAME = b"manifest.json"
NOT_LISTED = frozenset((SUMS_NAME, MANIFEST_NAME))
_ESCAPES = ((b"\\", b"\\\\"), (b"\n", b"\\n"), (b"\r", b"\\r"))
_UNESCAPED = {escaped[1:]: plain for plain, escaped in _ESCAPES}


def sums_line(path: bytes, digest: bytes) -> bytes:
    """One line with its newline. A path with a backslash or a line break is escaped; a backslash in front says so."""
    if b"\\" in path or b"\n" in path or b"\r" in path:
        for plain, escaped in _ESCAPES:
            path = path.replace(plain, escaped)
        return b"\\" + digest.hex().encode() + b"  " + path + b"\n"
    return digest.hex().encode() + b"  " + path + b"\n"


def sums_of_directory(directory: bytes, names: Sequence[bytes], digests: Sequence[bytes]) -> bytes:
    """The lines of files in one directory, in the order given."""
    pairs = zip(names, digests, strict=True)
    if not directory:
        return b"".join([sums_line(name, digest) for name, digest in pairs if name not in NOT_LISTED])
    if any(mark in part for part in (directory, b"".join(names)) for mark, _ in _ESCAPES):
        return b"".join([sums_line(b"%b/%b" % (directory, name), digest) for name, digest in pairs])
    # The same as above, for the names that most files have, in half the time.
    return b"".join([b"%b  %b/%b\n" % (digest.hex().encode(), directory, name) for name, digest in pairs])


def sums_text(files: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The whole listing of (path, digest) pairs, in whatever order they come."""
    return b"".join(sums_line(path, digest) for path, digest in sorted(files) if path not in NOT_LISTED)


def parse_sums(listing: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Paths and digests of a listing, in its order; paths without `./`. Raises ValueError at what is no line of one."""
    for line in listing.split(b"\n"):
        found = re.fullmatch(rb"(\\?)([0-9a-fA-F]{64}) [ *](?:\./)*(.+)", line)
        if found is not None:
            path = found[3]
            if found[1]:
                path = re.sub(rb"\\(.)", lambda escape: _UNESCAPED.get(escape[1], escape[0]), path)
            yield path, bytes.fromhex(found[2].decode())
        elif line:
            raise ValueError("it holds a line that no sha256sum wrote")


def integrity_hash(listing: bytes) -> str:
    """What a manifest says of a listing: `sha256:<hex>`."""
    return "sha256:" + hashlib.sha256(listing).hexdigest()
