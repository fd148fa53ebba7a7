"""What `repair` and `salvage` bring back, beside what a reader that knows only the format finds in the same bytes."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from icc_store.errors import DamageError
from icc_store.model.content import content_bytes, plain_bytes
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.model.walk import root_of, walk
from icc_store.opening import open_repository
from tests import independent_reader
from tests.damage.stage import Stage
from tests.support.forked import forked
from tests.support.live import Contents, contents
from tests.support.program import Done

Versions = dict[bytes, Contents]


@dataclass(frozen=True)
class Recovery:
    """How both ended, and how many files came back in the end of those that could."""

    repair: str
    salvage: str
    files: int


def readable(stage: Stage, folder: Path) -> Versions:
    """The files of known snapshots that an independent program finds in the bytes of the damaged database."""
    copy = folder / "oracle"
    copy.mkdir(exist_ok=True)
    (copy / "repository.json").write_bytes(stage.whole["repository.json"])
    shutil.copyfile(folder / "r/data.mdb", copy / "data.mdb")
    if not (copy / "data.mdb").stat().st_size:
        return {}
    reader = independent_reader.Repository(copy, scan=True)
    found: Versions = {}
    for name, record, _ in reader.snapshots():
        if name in stage.versions:
            found[name] = {}
            _collect(reader, record[3], b"", found[name])
    return found


def _collect(reader: independent_reader.Repository, tree: bytes, above: bytes, found: Contents) -> None:
    try:
        for entry in reader.entries(tree):
            path = above + entry[independent_reader.NAME]
            if independent_reader.SUBTREE in entry:
                _collect(reader, entry[independent_reader.SUBTREE], path + b"/", found)
            elif stat.S_ISREG(entry[independent_reader.MODE]):
                try:
                    pieces = list(reader.content(entry))
                except independent_reader.Broken:
                    continue
                found[os.fsdecode(path)] = b"".join(piece for piece in pieces if isinstance(piece, bytes))
    except independent_reader.Broken:
        return


def recover(stage: Stage, folder: Path) -> Recovery:
    """Salvage the repository `r` in `folder`, then repair it, and compare. Raises AssertionError where one is wrong."""
    environ = {"HOME": str(folder), "PATH": os.environ["PATH"]}
    possible = readable(stage, folder)
    shutil.rmtree(folder / "new", ignore_errors=True)
    given = () if (folder / "r/repository.json").exists() else ("--repository-id", _identity(stage))
    if not _header_fits(stage, folder):
        given = ("--repository-id", _identity(stage))
    salvage = forked(("salvage", "r", "new", *given), environ, folder)
    assert salvage.code in (0, 3, DamageError.exit_code), salvage
    in_order(salvage)
    salvaged = held(folder / "new") if (folder / "new").exists() else {}
    compare(stage, salvaged, possible, salvage)
    repair = forked(("--repo", "r", "repair"), environ, folder)
    assert repair.code in (0, 1, DamageError.exit_code), repair
    in_order(repair)
    if repair.code == 0:
        repaired = held(folder / "r")
        assert repaired == stage.versions, repair
    elif (folder / "r/damaged.mdb").exists():
        compare(stage, held(folder / "r"), {}, repair)
    words = {0: "whole", 3: "in part", 6: "in part" if (folder / "r/damaged.mdb").exists() else "gave up", 1: "gave up"}
    return Recovery(
        words[repair.code],
        "whole" if salvage.code == 0 else "in part" if salvage.code == 3 else "gave up",
        sum(map(len, salvaged.values())),
    )


def _identity(stage: Stage) -> str:
    return stage.whole["data.mdb"].partition(b"ICCB\x01\0\0\0")[2][:16].hex()


def _header_fits(stage: Stage, folder: Path) -> bool:
    header = folder / "r/repository.json"
    return header.exists() and header.read_bytes() == stage.whole["repository.json"]


def in_order(done: Done) -> None:
    """Nobody is left alone with a traceback."""
    assert "internal error" not in done.err, done
    assert "Traceback" not in done.err, done


def held(path: Path) -> Versions:
    """Every file that a repository gives back, by snapshot."""
    found: Versions = {}
    with open_repository(path) as repository:
        for snapshot in repository.snapshots(forgotten=True):
            if not snapshot.suspect:
                found[snapshot.id] = contents(repository, snapshot)
                continue
            found[snapshot.id] = partial(repository, snapshot)
    return found


def partial(repository: Repository, snapshot: Snapshot) -> Contents:
    """The files of a snapshot that can be read."""
    found: Contents = {}
    for each in walk(repository.objects, root_of(snapshot.record), failed=lambda _directory, _error: None):
        if each.entry.is_file:
            try:
                pieces = content_bytes(repository.objects, each.entry.chunk, each.entry.content_list)
                found[os.fsdecode(each.path)] = b"".join(plain_bytes(pieces))
            except DamageError:
                continue
    return found


def compare(stage: Stage, found: Versions, possible: Versions, done: Done) -> None:
    """Nothing is there that never was, nothing is missing that could be had, and what looks whole is whole."""
    for identity, files in found.items():
        if identity == stage.removed:
            assert "cannot be read or is not the last one" in done.out, done
            continue
        assert files.items() <= stage.versions[identity].items(), (identity, done)
    for identity, files in possible.items():
        assert files.items() <= found.get(identity, {}).items(), (
            identity,
            set(files) - set(found.get(identity, {})),
            done,
        )
    if done.code == 0:
        assert found == stage.versions, done
