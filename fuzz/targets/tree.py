"""Trees: parts, nodes, and every entry in them."""

from __future__ import annotations

import stat

from fuzz import golden
from fuzz.structure import MSGPACK
from icc_store.errors import DamageError
from icc_store.ids import Kind, ObjectId
from icc_store.model.closure import references
from icc_store.model.entry import Entry, entry_from_wire
from icc_store.model.tree import Owners, TreePart, join_parts, pack_part, parse_tree

ALLOWED = (DamageError,)
FORMS = (MSGPACK,)

_ID = ObjectId(bytes(range(32)))


class _One:
    """Whatever is asked for, it is these bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def get(self, identity: ObjectId, kind: int) -> bytes:
        return self._data


def fuzz_one(data: bytes) -> None:
    """What parses has entries that can be looked at, referred to, and packed to the same again."""
    tree = parse_tree(data)
    references(_One(data), Kind.TREE, _ID)
    if isinstance(tree, TreePart):
        entries = [entry_from_wire(wire) for wire in tree.entries]
        again = parse_tree(pack_part([entry.to_wire() for entry in entries], tree.owners))
        if not isinstance(again, TreePart) or [entry_from_wire(wire) for wire in again.entries] != entries:
            raise AssertionError("a tree changed when it was packed again")


def _seeds() -> list[bytes]:
    entries = [
        Entry(b"a", stat.S_IFREG | 0o644, 1000, 100, 5, 10**18, chunk=_ID, xattrs={b"user.a": b"b"}, digest=bytes(32)),
        Entry(b"b", stat.S_IFDIR | 0o755, 0, 0, 0, -1, subtree=_ID, xattrs_id=_ID),
        Entry(b"c", stat.S_IFLNK | 0o777, 0, 0, 0, 0, target=b"../a", hard_link=b"x/y"),
        Entry(b"d", stat.S_IFCHR | 0o666, 0, 0, 0, 0, device=(1, 3), kept={130: b"new"}),
        Entry(b"e", stat.S_IFREG | 0o600, 0, 0, 1 << 40, 1 << 70, content_list=_ID, flags=1),
    ]
    wires = [entry.to_wire() for entry in entries]
    nodes: list[bytes] = []

    def keep(node: bytes) -> ObjectId:
        nodes.append(node)
        return _ID

    join_parts([(b"", _ID), (b"m", _ID), (b"x", _ID)], keep)
    owners = Owners({1000: "ada", 0: "root"}, {100: "users"})
    return [pack_part(wires, owners), pack_part([], Owners()), *nodes, *(pack_part([wire], Owners()) for wire in wires)]


SEEDS = [*golden.objects(Kind.TREE), *_seeds()]
