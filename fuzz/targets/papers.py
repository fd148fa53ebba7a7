"""Papers of a backup that comes in, `SHA256SUMS` and `manifest.json`, and paths in a configuration to be rewritten."""

from __future__ import annotations

from fuzz.structure import JSON
from icc_store.entities.backup_claims import read_claims
from icc_store.entities.checksums import SUMS_NAME, integrity_hash, parse_sums, sums_line
from icc_store.entities.json_text import NotJson
from icc_store.entities.path_map import PathMap, TwoNamesBecomeOne, rewrite_paths
from icc_store.operations.memory.backup_papers import papers_of

ALLOWED = (ValueError,)
FORMS = (JSON,)
WORDS = (b"backup_id", b"integrity_hash", b"sha256:", b"  ./", b" *", b"\\", b"\\u00", b"icc_store", b"time_ns")

_MAP = PathMap((("/home/ada", "/home/bob"), ("/home/ada/x", "/y")))


def fuzz_one(data: bytes) -> None:
    """Papers are read or set aside, and never more than that."""
    papers_of(lambda _name, _limit: data)
    papers_of(lambda name, _limit: data if name == SUMS_NAME else None)
    read_claims(data)
    try:
        rewritten, _ = rewrite_paths(data, _MAP)
        if rewrite_paths(rewritten, PathMap())[0] != rewritten:
            raise AssertionError("nothing to rewrite, and the file changed")
    except (NotJson, TwoNamesBecomeOne):
        pass
    integrity_hash(data)
    for path, digest in parse_sums(data):
        if not path.startswith(b"./") and list(parse_sums(sums_line(path, digest))) != [(path, digest)]:
            raise AssertionError("a line changed when it was written again")


SEEDS = [
    sums_line(b"entities/a.json", bytes(32)) + sums_line(b"odd\\name\n", bytes(range(32))),
    b"0" * 64 + b" *./a\n",
    (
        b'{"backup_id": "backup-20250601-120000", "created_at": "2025-06-01T12:00:00Z", "backup_name": "a", '
        b'"integrity_hash": "sha256:00", "icc_store": {"time_ns": 1748779200000000000, "profile": "icc"}}'
    ),
    b'{"path": "/home/ada/x/y", "/home/ada": ["\\u002fhome\\/ada"], "a": "\\ud83d\\ude00"}',
]
