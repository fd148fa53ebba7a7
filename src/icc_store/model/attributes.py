"""Extended attributes of an entry, wherever they stand: in it when few, in an object when many."""

from __future__ import annotations

from icc_store.codec.serial import unpack
from icc_store.errors import BlockDamaged
from icc_store.ids import Kind
from icc_store.model.entry import Entry, are_attributes
from icc_store.model.tree import Objects

_NONE: dict[bytes, bytes] = {}


def attributes_of(objects: Objects, entry: Entry) -> dict[bytes, bytes]:
    """The extended attributes by name. Raises ObjectMissing, BlockDamaged."""
    if entry.xattrs_id is None:
        return entry.xattrs or _NONE
    try:
        return parse_attributes(objects.get(entry.xattrs_id, Kind.XATTRS))
    except ValueError as error:
        raise BlockDamaged(f"the extended attributes of {entry.name!r} cannot be understood: {error}") from error


def parse_attributes(data: bytes) -> dict[bytes, bytes]:
    """The attributes in an object. Raises ValueError."""
    found = unpack(data)
    if not are_attributes(found):
        raise ValueError("they are no map of names to bytes")
    return dict(found)
