"""Rules of exclusion, as a user writes them and as a snapshot's record has them."""

from __future__ import annotations

import stat

from fuzz.structure import MSGPACK
from icc_store.codec.serial import pack, unpack
from icc_store.errors import DamageError, UsageError
from icc_store.fs.excludes import Excludes

ALLOWED = (UsageError, DamageError)
FORMS = (MSGPACK,)
WORDS = (b"**", b"/", b"!", b"[!", b"[a-", b"\\", b"patterns", b"larger_than", b"never", b"secrets")

_PATHS = (b"a", b"a/b.tmp", b"\xff/\n", b"a" * 200, b"node_modules/x/y.pyc")


def fuzz_one(data: bytes) -> None:
    """The rules decide on any path, and come back from what a record keeps of them."""
    lines = data.decode("utf-8", "surrogateescape").split("\n")[:20]
    try:
        _decide(Excludes(lines))
    except ALLOWED:
        pass
    try:
        record = unpack(data)
    except ValueError:
        return
    if isinstance(record, dict):
        _decide(Excludes.from_record(record))


def _decide(rules: Excludes) -> None:
    for path in _PATHS:
        found = rules.leaves_out(path, is_directory=False, size=10)
        if Excludes.from_record(rules.to_record()).leaves_out(path, is_directory=False, size=10) != found:
            raise AssertionError("rules changed in a record")
    rule = rules.within(b"a")
    if rule is not None:
        rule(b"b", stat.S_IFDIR, 0)


SEEDS = [
    b"*.tmp\n!keep.tmp\n/build/\nnode_modules/\n**/x/**\n[a-z]?\\*",
    b"*a*b*c*d*e*f*",
    pack(Excludes(("*.pyc", "!a"), caches=True, larger_than=5, never=(b"x/y",), secrets=("*.pem",)).to_record()),
]
