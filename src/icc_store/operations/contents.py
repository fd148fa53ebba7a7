"""What a snapshot holds: its directories, and the bytes of a file."""

from __future__ import annotations

from collections.abc import Iterator

from icc_store.errors import DamageError, UsageError
from icc_store.model.content import content_bytes, plain_bytes
from icc_store.model.paths import display
from icc_store.model.record import SnapshotRecord
from icc_store.model.repository import Repository
from icc_store.model.walk import Found, lookup, walk


def list_directory(
    repository: Repository, record: SnapshotRecord, path: bytes = b"", *, recursive: bool = False
) -> Iterator[Found]:
    """What is in the directory at a stored path, in order of names; all below it when recursive; else what is there.

    Raises PathNotInSnapshot, ObjectMissing, BlockDamaged.
    """
    start = lookup(repository.objects, record, path)
    if not start.entry.is_directory:
        yield start
        return
    below = walk(repository.objects, start, descend=lambda found: recursive or found is start)
    next(below)  # the directory itself
    for found in below:
        repository.objects.renew()  # whoever takes the row may wait, and must not hold up the reuse of freed pages
        yield found


def read_file(repository: Repository, record: SnapshotRecord, path: bytes) -> Iterator[bytes]:
    """The bytes of the file at a stored path, a little at a time.

    Raises PathNotInSnapshot, UsageError for what is no file; DamageError, naming the file, when bytes are missing or
    wrong. What was yielded before is right.
    """
    found = lookup(repository.objects, record, path)
    entry = found.entry
    if not entry.is_file:
        raise UsageError(f"{display(path) or '/'} is {_no_file(found)}", hint="only files have bytes to write")
    try:
        for piece in plain_bytes(content_bytes(repository.objects, entry.chunk, entry.content_list)):
            repository.objects.renew()  # the same here: a pipe may be full for hours
            yield piece
    except DamageError as error:
        raise type(error)(f"{display(path)} cannot be read to its end: {error.message}", hint=error.hint) from error


def _no_file(found: Found) -> str:
    entry = found.entry
    if entry.is_directory:
        return "a directory"
    if entry.target is not None:
        return f"a symbolic link to {display(entry.target)}"
    return "a special file"
