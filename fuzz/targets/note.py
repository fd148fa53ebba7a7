"""Notes in Markdown with front matter in YAML, and lines of JSON: their records, and what differs between two."""

from __future__ import annotations

from icc_store.entities.changes import compare
from icc_store.entities.profiles import RecordFormat
from icc_store.entities.record import RecordError, read_records
from icc_store.entities.secrets import scan_text
from icc_store.operations.memory.search_text import Text

ALLOWED = (RecordError,)
WORDS = (
    *(b"---\n", b"# ", b"```", b"&a ", b"*a", b"? ", b": ", b"- ", b"<<: "),
    *(b"!!set ", b"!!binary ", b"!!python/name:os.system"),
)

_TEXT = Text("a")


def fuzz_one(data: bytes) -> None:
    """Records are flat, comparable and searchable, or refused; looking for keys never fails."""
    scan_text(b"a.json", data)
    scan_text(b"a.md", data)
    for form in RecordFormat:
        try:
            records = read_records(form, b"notes/a", data)
        except ALLOWED:
            continue
        for record in records:
            record.flat()
            compare(None, record)
            if compare(record, record):
                raise AssertionError("a record differs from itself")
            _TEXT.passages(record)


SEEDS = [
    b"---\ntitle: a note\ntags: [x, y]\ncreated: 2025-01-01\nnested: {a: {b: [1, 2.5, null, true]}}\n---\n# One\n- a\n",
    b"---\na: &x [1, 2]\nb: [*x, *x]\n---\n",
    b"---\n? [a, b]\n: !!set {c, d}\ne: !!binary aGVsbG8=\nf: .nan\ng: 0x1f\nh: 1_000\ni: 190:20:30\n---\ntext\n",
    b"# A\ntext\n## B\n```\n# no heading\n```\n# A\nagain\n",
    b'{"type":"entity","name":"ada","entityType":"person","observations":["x"]}\n{"type":"relation","from":"a","to":"b"}\n',
    b'{"id":"Learning-a","type":"Learning","context":{"a.b":1,"a":{"b":2}},"password":"hunter2Xq9z7"}',
    b"token = ghp_" + b"a1B2" * 10 + b"\nhttps://u:p4ssW0rd9x@example.org\n",
]
