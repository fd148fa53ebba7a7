"""Extended attributes of an entry, wherever they stand: in it when few, in an object when many."""

from __future__ import annotations

from icc_store.codec.serial import unpack
from icc_store.errors import BlockDamaged
from icc_store.ids import Kind
from icc_store.model.entry import Entry
from icc_store.model.tree import Objects

_NONE: dict[bytes, bytes] = {}


def attributes_of(objects: Objects, entry: Entry) -> dict[bytes, bytes]:
    """The extended attributes by name. Raises ObjectMissing, BlockDamaged."""
    if entry.xattrs_id is None:
        return entry.xattrs or _NONE
    try:
        found = unpack(objects.get(entry.xattrs_id, Kind.XATTRS))
        if not all(isinstance(part, bytes) for item in found.items() for part in item):
            raise ValueError("a name or value is not bytes")
    except (ValueError, AttributeError) as error:
        raise BlockDamaged(f"the extended attributes of {entry.name!r} cannot be understood: {error}") from error
    return dict(found)
