"""The repository's header file: what a program must know before it opens the database.

It is JSON, so that a person can read it, and ends in a checksum of itself. Features stand in three sets: an unknown
one in `ignore` is nothing to worry about, one in `read_only` still allows reading, one in `refuse` allows nothing.
"""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from icc_store.codec.hashing import checksum
from icc_store.errors import BlockDamaged, NotARepository, UnsupportedFormat
from icc_store.limits import MAX_HEADER_FILE
from icc_store.objects.index import INDEX_VERSION
from icc_store.quick_dataclass import dataclass
from icc_store.store.plain_files import read_plain

HEADER_NAME = "repository.json"
UNFINISHED_NAME = f".{HEADER_NAME}.init"
"""The header of a repository that is being made, or whose making was cut short."""
FORMAT_VERSION = 1
_MARK = "icc-store repository"
_CHUNKER = "fastcdc-2020"
_ID_SIZE = 16
PARITY = "parity"
"""A repository with this feature keeps parity. Who does not know it must not write: what it removed could come back."""
_KNOWN_FEATURES = frozenset((PARITY,))


@dataclass(frozen=True)
class Features:
    """What the repository uses beyond the base format, by how much an older program may still do with it."""

    ignore: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()
    refuse: tuple[str, ...] = ()


@dataclass(frozen=True)
class Header:
    """Format, features and identities of a repository. `repository` names the data, `instance` this copy of it."""

    repository: bytes
    instance: bytes
    version: int = FORMAT_VERSION
    chunker: str = _CHUNKER
    index_version: int = INDEX_VERSION
    features: Features = Features()

    @property
    def writable(self) -> bool:
        """Whether this program knows everything it must know to write."""
        return set(self.features.read_only) <= _KNOWN_FEATURES and self.chunker == _CHUNKER

    @property
    def has_parity(self) -> bool:
        """Whether parity is kept beside the database."""
        return PARITY in self.features.read_only

    def with_parity(self, *, wanted: bool) -> Header:
        """The same header, of a repository that keeps parity or does not."""
        others = tuple(name for name in self.features.read_only if name != PARITY)
        names = (*others, PARITY) if wanted else others
        return replace(self, features=replace(self.features, read_only=names))

    def copy_of(self) -> Header:
        """The header of a copy: same repository, new instance, and no parity of its own yet."""
        return replace(self.with_parity(wanted=False), instance=uuid.uuid4().bytes)


def new_header() -> Header:
    """A header with fresh random identities."""
    return Header(uuid.uuid4().bytes, uuid.uuid4().bytes)


def header_text(header: Header) -> str:
    """The header file's contents."""
    fields = asdict(header) | {"repository": header.repository.hex(), "instance": header.instance.hex(), "is": _MARK}
    body = json.dumps(fields, indent=1, sort_keys=True)
    return json.dumps(fields | {"checksum": checksum(body.encode()).hex()}, indent=1, sort_keys=True) + "\n"


def write_header(directory: Path, header: Header) -> None:
    """Write the header file, durably: first the file, then its name."""
    temporary = directory / f".{HEADER_NAME}.new"
    _write(temporary, header)
    _name(temporary, directory)


def announce_header(directory: Path, header: Header) -> None:
    """Write the header of a repository that is being made, under a name that says so."""
    _write(directory / UNFINISHED_NAME, header)
    _fsync_names(directory)


def publish_header(directory: Path) -> None:
    """Give an announced header its name: at once the directory is a repository, and no longer an unfinished one."""
    _fsync_names(directory)  # the names of all the rest: else a power failure could leave the header alone
    _name(directory / UNFINISHED_NAME, directory)


def _write(path: Path, header: Header) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(header_text(header))
        file.flush()
        os.fsync(file.fileno())


def _name(path: Path, directory: Path) -> None:
    path.rename(directory / HEADER_NAME)
    _fsync_names(directory)


def _fsync_names(directory: Path) -> None:
    """Wait until the names in a directory are on the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_header(directory: Path) -> Header:
    """The header of the repository in `directory`.

    Raises NotARepository when there is none or it is not ours, BlockDamaged when it is broken, UnsupportedFormat
    when it needs a newer program.
    """
    path = directory / HEADER_NAME
    try:
        data = read_plain(path, MAX_HEADER_FILE)
    except FileNotFoundError:
        raise NotARepository(
            f"{directory} is not an icc-store repository: {HEADER_NAME} is missing",
            hint="where there is a data.mdb, `icc-store repair` makes it anew",
        ) from None
    return parse_header(data, path)


def parse_header(data: bytes, path: Path) -> Header:
    """The header in the contents of the file at `path`. Raises as `read_header` does."""
    damaged = BlockDamaged(f"{path} is damaged", hint="`icc-store repair` makes it anew")
    try:
        fields = json.loads(data)
        stored = bytes.fromhex(fields.pop("checksum"))
        ours = fields["is"] == _MARK
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise damaged from None
    if not ours:
        raise NotARepository(f"{path} is not the header of an icc-store repository")
    version = fields.get("version")
    if type(version) is int and version > FORMAT_VERSION:
        raise UnsupportedFormat(
            f"{path} has format {version}, this program reads up to {FORMAT_VERSION}", hint="use a newer icc-store"
        )
    if checksum(json.dumps(fields, indent=1, sort_keys=True).encode()) != stored:
        raise damaged
    try:
        header = _header(fields)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise damaged from None
    unknown = sorted(set(header.features.refuse) - _KNOWN_FEATURES)
    if header.index_version != INDEX_VERSION:
        unknown.append(f"index layout {header.index_version}")
    if unknown:
        raise UnsupportedFormat(f"{path} uses {', '.join(unknown)}", hint="use a newer icc-store")
    return header


def _header(fields: dict[str, Any]) -> Header:
    """Raises what a wrong field leads to. Fields that are not known here belong to features, and are passed over."""
    repository, instance = bytes.fromhex(fields["repository"]), bytes.fromhex(fields["instance"])
    version, chunker, index_version = fields["version"], fields["chunker"], fields["index_version"]
    if len(repository) != _ID_SIZE or len(instance) != _ID_SIZE or type(chunker) is not str:
        raise ValueError("an id or the chunker's name is none")
    if type(version) is not int or type(index_version) is not int or version < 1:
        raise ValueError("a version is none")
    sets = {name: tuple(fields["features"][name]) for name in ("ignore", "read_only", "refuse")}
    if not all(type(feature) is str for features in sets.values() for feature in features):
        raise ValueError("a feature is none")
    return Header(repository, instance, version, chunker, index_version, Features(**sets))
