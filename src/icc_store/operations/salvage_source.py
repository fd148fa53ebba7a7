"""What salvage works on: a damaged file, whose it is, and what the database in it still says of itself."""

from __future__ import annotations

import mmap
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from icc_store.errors import BlockDamaged, DamageError, NotARepository, RepositoryNotFound, UsageError
from icc_store.ids import ObjectId
from icc_store.model.header import Header, read_header
from icc_store.objects.block import HEADER_SIZE, owner_of
from icc_store.objects.block_scan import owners, scan_blocks


@dataclass(frozen=True)
class Evidence:
    """What the trees of the damaged database still lead to."""

    numbers: Mapping[int, int]
    """Numbers of blocks, by the offset in the file at which they begin."""
    snapshots: tuple[ObjectId, ...] = ()
    """The ids that are listed, as far as the list can be read."""
    annotations: tuple[ObjectId, ...] = ()
    knows_snapshots: bool = False
    """Whether these are all, and none was listed later: what else is found was removed."""
    knows_annotations: bool = False
    lost_commits: int = 0
    """Commits that `head` knows of and the database does not."""


def damaged_file(damaged: Path, name: str, new: Path) -> Path:
    """The file to be searched, which is called `name` in a repository.

    Raises RepositoryNotFound, UsageError, DamageError.
    """
    file = damaged / name if damaged.is_dir() else damaged
    if not file.is_file():
        raise RepositoryNotFound(
            f"there is no database at {file}", hint="name the directory of a repository, or a data.mdb"
        )
    if damaged.is_dir() and new.resolve().is_relative_to(damaged.resolve()):
        raise UsageError(f"{new} is inside {damaged}, to which nothing is written", hint="choose another directory")
    if not file.stat().st_size:
        raise DamageError(f"{file} is empty", hint="get the repository back from a copy of it")
    return file


def header_for(file: Path, data: mmap.mmap, identity: bytes | None) -> Header:
    """The header of the new repository: that of a copy of the damaged one.

    Raises DamageError when the file has no block of that repository, UnsupportedFormat when it needs a newer program.
    """
    header = None
    try:
        header = read_header(file.parent)
    except (BlockDamaged, NotARepository, OSError):
        pass  # the file of a database alone, or one whose header is damaged as well
    if identity is None and header is not None:
        identity = header.repository
    if identity is not None and next(scan_blocks(data, identity), None) is not None:
        same = header is not None and header.repository == identity
        return header.copy_of() if header is not None and same else Header(identity, uuid.uuid4().bytes)
    found = owners(data).most_common()
    if not found:
        raise DamageError(f"{file} has no whole block in it", hint="get the repository back from a copy of it")
    if identity is not None:
        others = ", ".join(f"{owner.hex()} ({number})" for owner, number in found[:3])
        raise DamageError(
            f"{file} has no block of repository {identity.hex()}",
            hint=f"say --repository-id: it has blocks of {others}",
        )
    return Header(found[0][0], uuid.uuid4().bytes)


def owner_at(data: mmap.mmap, at: int) -> bytes:
    """Which repository the block names that begins here, whole or not."""
    return owner_of(data[at : at + HEADER_SIZE])
