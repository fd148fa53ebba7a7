"""Makes the golden repository of this format version: `python -m tests.golden.make_repository`.

It is made once per version and kept for ever. What is in it: every kind of object and entry, a directory that is cut,
files of one chunk, of several and with holes, chains of deltas up to their bound and beyond, objects that are kept
as bases only and objects that gc moved, annotations, a snapshot of the root of one directory and one of several paths.
"""

from __future__ import annotations

import json
import os
import random
import stat
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from icc_store.clock import FixedClock
from icc_store.ids import Kind, ObjectId
from icc_store.model.content import HOLE, pack_list
from icc_store.model.entry import Entry
from icc_store.model.header import FORMAT_VERSION
from icc_store.model.record import Snapshot, SnapshotClass, SnapshotRecord, Subject
from icc_store.model.repository import Repository
from icc_store.model.tree import Owners, pack_part
from icc_store.opening import create_repository, open_repository
from icc_store.operations.forget import ForgetOptions, forget
from icc_store.operations.gc import GcOptions, collect
from icc_store.operations.retention import explicit_policy
from icc_store.operations.snapshot import SnapshotOptions, take_snapshot
from tests.support.described import describe

HERE = Path(__file__).parent
T0 = 1_780_000_000_000_000_000
VERSIONS = 20

WORDS = ["memory", "pattern", "learning", "project", "entity", "context", "relevance", "observation", "index", "score"]


def text(seed: int, size: int) -> bytes:
    chance = random.Random(f"golden {seed}")
    made = ""
    while len(made) < size:
        made += " ".join(chance.choices(WORDS, k=9)) + f" {chance.randrange(10**6)}\n"
    return made.encode()[:size]


def entity(number: int, count: int) -> bytes:
    fields = {"id": f"Learning-{number}", "type": "Learning", "count": count, "note": text(number, 200).decode()}
    return json.dumps(fields, indent=2).encode()


def put(path: Path, data: bytes, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)


def large(size: int) -> bytes:
    """Megabytes that compress to little: pages of one text in another order."""
    chance = random.Random("large")
    pages = [text(1000 + page, 24_000) for page in range(3)]
    made = b""
    while len(made) < size:
        made += chance.choice(pages)
    return made[:size]


def sparse(path: Path, *extents: tuple[int, bytes], size: int) -> None:
    with path.open("wb") as file:
        for offset, data in extents:
            os.pwrite(file.fileno(), data, offset)
        os.ftruncate(file.fileno(), size)


def first_state(top: Path) -> None:
    """A memory, and everything a file system holds beside it."""
    for number in range(30):
        put(top / "entities" / "Learning" / f"Learning-{number:03}.json", entity(number, 0))
    put(top / "indexes" / "tag-index.json", text(1, 20_000))
    for number in range(1400):
        put(top / "many" / f"note-{number:05}.md", b"" if number % 7 else b"the same in every seventh\n")
    put(top / "large.jsonl", large(2_300_000))
    sparse(top / "image", (0, text(2, 5000)), (1 << 20, text(3, 5000)), size=3 << 20)
    sparse(top / "all-hole", size=1 << 16)
    put(top / "empty", b"")
    put(top / "setuid", b"#!/bin/sh\n", 0o4755)
    put(top / "read-only", b"nobody writes here\n", 0o400)
    put(top / "links" / "one", text(4, 500))
    os.link(top / "links" / "one", top / "links" / "two")
    os.link(top / "links" / "one", top / "another-name")
    (top / "dangling").symlink_to("nowhere/at/all")
    (top / "to-directory").symlink_to("entities")
    os.mkfifo(top / "pipe", 0o640)
    (top / "empty-directory").mkdir()
    (top / "sticky").mkdir()
    (top / "sticky").chmod(0o1777)
    put(top / os.fsdecode(b"caf\xe9 \xff"), b"not UTF-8\n")
    put(top / ("n" * 255), b"a long name\n")
    put(top / "tagged", b"attributes\n")
    os.setxattr(top / "tagged", "user.colour", b"green")
    os.setxattr(top / "tagged", "user.empty", b"")
    put(top / "much-tagged", b"many attributes\n")
    os.setxattr(top / "much-tagged", "user.long", text(5, 900))
    os.setxattr(top / "sticky", "user.on-a-directory", b"yes")


def next_state(top: Path, step: int) -> None:
    """A day's work: counters go up, an index grows, and in the first steps whatever else can change."""
    for number in range(0, 30, 3):
        put(top / "entities" / "Learning" / f"Learning-{number:03}.json", entity(number, step))
    index = top / "indexes" / "tag-index.json"
    put(index, index.read_bytes() + b"one more row %d\n" % step)
    if step == 1:
        put(top / "many" / "note-00700-inserted.md", b"new in the middle\n")
        (top / "many" / "note-00001.md").unlink()
        data = (top / "large.jsonl").read_bytes()
        put(top / "large.jsonl", data[:1_000_000] + b"an edit in the middle\n" + data[1_000_000:] + text(6, 3000))
        sparse(top / "image", (0, text(2, 5000)), (2 << 20, text(3, 5000)), size=4 << 20)
        put(top / "was-empty-now-directory" / "file", b"x")
        (top / "dangling").unlink()
        (top / "dangling").symlink_to("somewhere else")
        (top / "links" / "two").unlink()
        (top / "setuid").chmod(0o755)
    if step == 2:
        put(top / "many" / "note-00001.md", b"")  # as it was before: the old tree comes back


def set_times(top: Path, step: int) -> None:
    """The same times whenever this runs; what has not changed keeps them."""
    for number, path in enumerate(sorted([top, *top.rglob("*")])):
        if step == 0 or path.lstat().st_mtime_ns > T0 + 10**18:
            base = -(10**18) if path.name == "empty" else T0
            os.utime(path, ns=(T0, base + step * 86_400 * 10**9 + number * 1_000_003), follow_symlinks=False)


def crafted(repository: Repository, clock: FixedClock) -> Snapshot:
    """What no scan of an ordinary directory gives: devices, odd times, digests, and fields of newer programs."""
    with repository.adding() as run:
        chunk = run.writer.add(Kind.CHUNK, b"content with a digest\n")
        attributes = run.writer.add(Kind.XATTRS, b"\x81\xc4\x08user.key\xc4\x05value")
        holes = run.writer.add(Kind.LIST, pack_list(0, [chunk, HOLE, chunk], [22, 1 << 40, 22], None))
        node = run.writer.add(Kind.LIST, pack_list(1, [holes], [(1 << 40) + 44], None))
        empty = run.writer.add(Kind.TREE, pack_part([], Owners()))
        regular = stat.S_IFREG | 0o600
        entries = [
            Entry(b"block", stat.S_IFBLK | 0o660, 0, 6, mtime_ns=1, device=(8, 300)),
            Entry(b"character", stat.S_IFCHR | 0o666, 0, 0, mtime_ns=2, device=(1, 3)),
            Entry(b"digest", regular, 1000, 100, 22, T0, chunk=chunk, digest=bytes(range(32)), flags=3),
            Entry(b"directory", stat.S_IFDIR | 0o2750, 4_294_967_294, 4_294_967_294, 0, T0, subtree=empty),
            Entry(b"kept", regular, 1, 1, 22, T0, chunk=chunk, kept={128: [1, b"two"], 4000: "three"}),
            Entry(b"long ago", regular, 1, 1, 0, -(10**25)),
            Entry(b"tall", regular, 1, 1, (1 << 40) + 44, -1, content_list=node, xattrs_id=attributes),
            Entry(b"year 5000", regular, 1, 1, 0, 95_617_584_000 * 10**9),
        ]
        tree = run.writer.add(
            Kind.TREE, pack_part([entry.to_wire() for entry in entries], Owners({1000: "ada"}, {6: "disk"}))
        )
        return run.commit(
            lambda seq: SnapshotRecord(
                seq=seq,
                time_ns=clock.now_ns(),
                root=ObjectId(tree),
                source="crafted",
                host=os.fsdecode(b"h\xf6st"),
                kind=SnapshotClass.SELECTIVE,
                name="everything else",
                tags=("one", "two"),
                note="made by hand",
                exclusions={"patterns": [b"*.tmp"], "caches": True, "larger_than": 1 << 30, "never": [b"backups"]},
                warnings=((b"some/path", "a warning"),),
                program="golden",
                manifest={"backup_id": "backup-20261123-034514"},
                kept={200: b"from a newer program"},
            )
        )


def make(workspace: Path) -> None:
    """Build everything below `workspace` and pack it."""
    source, path = workspace / "source", workspace / "repository"
    clock = FixedClock(T0)
    manifest: dict[str, Any] = {}
    create_repository(path)
    with open_repository(path, clock=clock) as repository:

        def shoot(paths: list[Path], **options: Any) -> Snapshot:
            clock.sleep(86_400)
            given = SnapshotOptions(**({"source": "golden", "host": "here"} | options))
            taken = take_snapshot(repository, paths, options=given, clock=clock).snapshot
            if taken is None:
                raise SystemExit("no snapshot")
            return taken

        def expect(snapshot: Snapshot, name: str, top: Path) -> None:
            manifest[name] = {"id": snapshot.id.hex(), "root": snapshot.record.root.hex(), "paths": describe(top)}

        first_state(source)
        set_times(source, 0)
        last = gone = shoot([source], name="purged")
        for step in range(1, VERSIONS + 1):
            next_state(source, step)
            set_times(source, step)
            last = shoot([source], name=f"step {step}")
            if step in (1, 2, VERSIONS):
                expect(last, f"step {step}", source)
        several = shoot([source / "entities", source / "links"], name="two paths", source="two", tags=("pair",))
        manifest["two paths"] = {"id": several.id.hex(), "root": several.record.root.hex()}
        handmade = crafted(repository, clock)
        manifest["crafted"] = {"id": handmade.id.hex(), "root": handmade.record.root.hex()}
        repository.annotate_all(
            [
                (last.id, Subject.TAG, "kept"),
                (last.id, Subject.NOTE, "the last step"),
                (last.id, Subject.PIN, True),
                (several.id, Subject.UNTAG, "pair"),
                (handmade.id, Subject.FORGOTTEN, True),
                (handmade.id, Subject.FORGOTTEN, False),
            ]
        )
        forget(repository, [gone.id], options=ForgetOptions(purge=True))
        clock.sleep(100)
        collect(repository, options=GcOptions(policy=explicit_policy(keep_last=1000)), clock=clock)
    with open_repository(path, clock=clock, exclusive=True) as repository:
        repository.compact()
    pack(path, manifest)


def pack(path: Path, manifest: dict[str, Any]) -> None:
    """The repository as an archive, with what it holds."""
    name = f"repository-v{FORMAT_VERSION}"
    (path / "expected.json").write_text(json.dumps(manifest, indent=0, sort_keys=True) + "\n")
    with tarfile.open(HERE / f"{name}.tar.xz", "w:xz", preset=9) as archive:
        for file in ("repository.json", "head", "data.mdb", "expected.json"):
            archive.add(path / file, f"{name}/{file}", filter=nobody)


def nobody(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """A file of an archive that says nothing of who made it."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mtime = 0
    return info


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="golden-") as scratch:
        make(Path(scratch))
