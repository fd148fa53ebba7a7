"""Makes the golden bytes of this format version: `python -m tests.golden.make_vectors`.

Small things whose bytes must never drift: ids, cuts, rows, a block, a tree, a list, records, the header. What zstd
wrote is kept for reading only, since another version of it may write other bytes.
"""

from __future__ import annotations

import io
import json
import random
import stat
from itertools import accumulate
from pathlib import Path
from typing import Any

from icc_store.codec.chunking import cut, parameters_for
from icc_store.codec.compression import compress
from icc_store.codec.hashing import checksum, chunk_id, object_id
from icc_store.ids import KEY_SIZE, Kind, ObjectId
from icc_store.limits import GIB
from icc_store.model.content import HOLE, ends_part, pack_list
from icc_store.model.entry import Entry
from icc_store.model.header import FORMAT_VERSION, Features, Header, header_text
from icc_store.model.record import (
    Annotation,
    Counters,
    SnapshotClass,
    SnapshotRecord,
    Subject,
    pack_annotation,
    pack_record,
)
from icc_store.model.tree import Owners, cut_points, join_parts, pack_part
from icc_store.objects.block import RAW, ZSTD, ZSTD_IDS, Frame, encode_block
from icc_store.objects.index import pack_row

REPOSITORY, UID, ID = bytes(range(16)), bytes(range(16, 32)), ObjectId(bytes(range(32)))
T0 = 1_780_000_000_123_456_789


def vectors() -> dict[str, Any]:
    """Everything, as the program makes it now. Bytes are hex."""
    return {
        "ids": {kind.name: object_id(kind, b"the same bytes").hex() for kind in Kind},
        "chunks": {str(size): chunk_ends(size) for size in (GIB, 64 * GIB, 65 * GIB)},
        "tree cuts": {name: cut_points(names) for name, names in directories().items()},
        "list cuts": list_cuts(),
        "rows": [pack_row(ID[:KEY_SIZE], 1, 2).hex(), pack_row(ID[:KEY_SIZE], 2**31 - 1, 32_766, base_only=True).hex()],
        "block": with_uid(encode_block(REPOSITORY, raw_frames())).hex(),
        "tree part": part().hex(),
        "tree node": node().hex(),
        "list root": pack_list(0, [ID, HOLE], [70_000, 1 << 33], parameters_for(0)).hex(),
        "list node": pack_list(1, [ID], [1 << 40], None).hex(),
        "record": pack_record(record()).hex(),
        "annotation": pack_annotation(Annotation(ID, Subject.FORGOTTEN, True, T0, 7)).hex(),
        "header": header_text(Header(REPOSITORY, UID, features=Features(("a",), ("b", "c"), ()))),
    }


def chunk_ends(size: int) -> list[int]:
    """Where 12 MiB of noise are cut with the parameters for a file of that size."""
    noise = io.BytesIO(random.Random("golden chunks").randbytes(12 << 20))
    return list(accumulate(len(chunk) for chunks in cut(noise, parameters_for(size)) for chunk in chunks))


def directories() -> dict[str, list[bytes]]:
    chance = random.Random("golden names")
    return {
        "numbers": sorted(b"%d" % number for number in range(30_000)),
        "notes": sorted(b"note-%06d.md" % number for number in range(30_000)),
        "hashes": sorted(chance.randbytes(20).hex().encode() for _ in range(30_000)),
        "small": [b"a", b"b"],
        "none": [],
    }


def list_cuts() -> list[int]:
    chance, ends, count = random.Random("golden list"), [], 0
    for number in range(1, 20_001):
        count += 1
        if ends_part(ObjectId(chance.randbytes(32)), count):
            ends.append(number)
            count = 0
    return ends


def raw_frames() -> list[Frame]:
    """Two frames whose bytes no zstd has touched."""
    return [
        Frame(Kind.CHUNK, RAW, (chunk_id(b"one"), chunk_id(b"three")), (3, 5), b"onethree"),
        Frame(Kind.XATTRS, RAW, (object_id(Kind.XATTRS, b"\x80"),), (1,), b"\x80"),
    ]


def zstd_frames() -> tuple[list[Frame], dict[str, bytes]]:
    """Compressed frames of each sort, and the objects in them by id."""
    base = b"a line of text that comes again\n" * 20
    chunks = [base, base + b"with an end", base + b"with another"]
    tree = b"".join(map(chunk_id, chunks))
    ids = b"".join((*map(chunk_id, chunks), object_id(Kind.TREE, tree)))
    later = object_id(Kind.TREE, tree + b"!")
    frames = [
        Frame(Kind.CHUNK, ZSTD, (chunk_id(base),), (len(base),), compress(base, 3)),
        Frame(
            Kind.CHUNK,
            ZSTD,
            (chunk_id(chunks[1]), chunk_id(chunks[2])),
            (len(chunks[1]), len(chunks[2])),
            compress(chunks[1] + chunks[2], 7, base),
            (chunk_id(base)[:KEY_SIZE],),
            1,
            len(base),
        ),
        Frame(Kind.TREE, ZSTD_IDS, (object_id(Kind.TREE, tree),), (len(tree),), compress(tree, 3, ids)),
        Frame(
            Kind.TREE,
            ZSTD_IDS,
            (later,),
            (len(tree) + 1,),
            compress(tree + b"!", 7, base + ids + later),
            (chunk_id(base)[:KEY_SIZE],),
            1,
            len(base),
        ),
    ]
    objects = {chunk_id(chunk).hex(): chunk for chunk in chunks} | {
        object_id(Kind.TREE, tree).hex(): tree,
        later.hex(): tree + b"!",
    }
    return frames, objects


def with_uid(block: bytes) -> bytes:
    """The same block under a fixed uid."""
    start = block[:24] + UID + block[40:48]
    return start + checksum(start, block[64:]) + block[64:]


def part() -> bytes:
    entries = [
        Entry(b"a", stat.S_IFREG | 0o644, 1000, 100, 5, T0, chunk=ID, xattrs={b"user.a": b"b"}, digest=bytes(32)),
        Entry(b"b", stat.S_IFDIR | 0o755, 0, 0, 0, -1, subtree=ID, xattrs_id=ID),
        Entry(b"c", stat.S_IFLNK | 0o777, 0, 0, 0, T0, target=b"../a", hard_link=b"x/y"),
        Entry(b"d", stat.S_IFCHR | 0o666, 0, 0, 0, 0, device=(1, 3), kept={130: b"new"}),
        Entry(b"e", stat.S_IFREG | 0o600, 0, 0, 1 << 40, 1 << 70, content_list=ID, flags=1),
    ]
    return pack_part([entry.to_wire() for entry in entries], Owners({1000: "ada", 0: "root"}, {100: "users"}))


def node() -> bytes:
    nodes: list[bytes] = []

    def keep(data: bytes) -> ObjectId:
        nodes.append(data)
        return ID

    join_parts([(b"", ID), (b"m", ID)], keep)
    return nodes[0]


def record() -> SnapshotRecord:
    return SnapshotRecord(
        seq=3,
        time_ns=T0,
        root=ID,
        source="home",
        host="here",
        kind=SnapshotClass.FULL,
        name="a name",
        tags=("one", "two"),
        note="a note",
        parent=ID,
        paths=(b"/home/ada/caf\xe9",),
        root_entry={0: [{1000: "ada"}, {}], 1: b"", 2: stat.S_IFDIR | 0o700, 3: 1000, 4: 100, 6: T0},
        exclusions={"patterns": [b"*.tmp"], "caches": True},
        counters=Counters(*range(11)),
        warnings=((b"gone", "No such file or directory"),),
        program="1.0",
        manifest={"key": "value"},
        annotations_before=1,
    )


def main() -> None:
    frames, objects = zstd_frames()
    stored = vectors() | {
        "compressed block": with_uid(encode_block(REPOSITORY, frames)).hex(),
        "compressed objects": {name: data.hex() for name, data in objects.items()},
    }
    path = Path(__file__).parent / f"vectors-v{FORMAT_VERSION}.json"
    path.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
