"""Extended attributes from a repository, and the access lists among them."""

from __future__ import annotations

import stat

from fuzz import golden
from fuzz.structure import MSGPACK
from icc_store.codec.posix_acl import ACCESS, acl_from_text, acl_text, permissions_with
from icc_store.codec.serial import pack
from icc_store.errors import DamageError
from icc_store.fs.sqlite_source import is_sqlite
from icc_store.ids import Kind, ObjectId
from icc_store.model.attributes import attributes_of
from icc_store.model.entry import Entry

ALLOWED = (DamageError, ValueError)
FORMS = (MSGPACK,)

_ID = ObjectId(bytes(range(32)))
_ENTRY = Entry(b"a", stat.S_IFREG | 0o640, 0, 0, 0, 0, xattrs_id=_ID)


class _One:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def get(self, identity: ObjectId, kind: int) -> bytes:
        return self._data


def fuzz_one(data: bytes) -> None:
    """Attributes are bytes by name, or damage; an access list is text, or none."""
    is_sqlite(data)
    text = acl_text(data)
    if text is not None:
        permissions_with(0o777, data)
        acl_from_text(text, lambda _: 1, lambda _: 1)
    attributes_of(_One(data), _ENTRY)


SEEDS = [
    *golden.objects(Kind.XATTRS),
    pack({b"user.a": b"1", ACCESS: bytes(4)}),
    acl_from_text(b"user::rwx,user:7:r--,group::r-x,mask::r-x,other::---", lambda _: 7, lambda _: 7),
    b"SQLite format 3\0" + bytes(84),
]
