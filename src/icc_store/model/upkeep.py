"""What a repository remembers of the care that is taken of it: when a chore was tried, and where its copies are.

Small rows of META. Whoever does not know them leaves them.
"""

from __future__ import annotations

from pathlib import Path

from icc_store.codec.hashing import fingerprint
from icc_store.codec.serial import pack, unpack
from icc_store.model.numbers import number_at
from icc_store.model.repository import Repository
from icc_store.quick_dataclass import dataclass
from icc_store.store.protocol import Table

_TRIED = b"tried "
_COPY = b"copy "
_COPIED = b"copied "
_SIZE = 8


@dataclass(frozen=True)
class KnownCopy:
    """A copy of the repository, as it was when it was last brought up to date. `time_ns` is ns since 1970 UTC."""

    path: Path
    time_ns: int
    elsewhere: bool
    """Whether it was on another file system then."""


def tried_ns(repository: Repository, chore: str, about: str = "") -> int:
    """When a chore was last begun, whatever came of it; 0 for never. `about`: the source, where each has its own."""
    return number_at(repository.objects.transaction, _tried(chore, about))


def remember_tried(repository: Repository, chore: str, about: str = "") -> None:
    """Note that a chore begins now."""
    with repository.store.write() as txn:
        txn.put(Table.META, _tried(chore, about), repository.clock.now_ns().to_bytes(_SIZE))
    repository.objects.renew()


def _tried(chore: str, about: str) -> bytes:
    return _TRIED + chore.encode() + (fingerprint(about.encode("utf-8", "surrogateescape")) if about else b"")


def known_copies(repository: Repository) -> list[KnownCopy]:
    """The copies that were made of this repository. A row that cannot be read says nothing."""
    found = []
    for key, row in repository.objects.transaction.items(Table.META, _COPY):
        if not key.startswith(_COPY):
            break
        try:
            time_ns, path, elsewhere = unpack(row)
            copy = KnownCopy(Path(path.decode("utf-8", "surrogateescape")), time_ns, bool(elsewhere))
        except (ValueError, TypeError, AttributeError):
            continue
        if type(time_ns) is int and b"\0" not in path:
            found.append(copy)
    return found


def remember_copy(repository: Repository, instance: bytes, copy: KnownCopy) -> None:
    """Note that the copy of that instance id holds now what this repository holds."""
    with repository.store.write() as txn:
        txn.put(Table.META, _COPY + instance, pack([copy.time_ns, bytes(copy.path), copy.elsewhere]))
    repository.objects.renew()


def is_copy(repository: Repository) -> bool:
    """Whether this repository is itself a copy of another."""
    for key, _ in repository.objects.transaction.items(Table.META, _COPIED):
        return key.startswith(_COPIED)
    return False
