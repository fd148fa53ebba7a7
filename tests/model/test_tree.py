"""Trees: what goes in comes out, and where a large directory is cut depends on its names alone."""

from __future__ import annotations

import functools
import random
import stat
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icc_store.codec.hashing import object_id
from icc_store.codec.serial import pack
from icc_store.errors import BlockDamaged
from icc_store.ids import Kind, ObjectId
from icc_store.limits import MAX_PART_SIZE, TREE_FANOUT_MAX, TREE_FANOUT_MEAN, TREE_FANOUT_MIN
from icc_store.model.entry import Entry, Wire
from icc_store.model.tree import (
    Owners,
    TreePart,
    cut_points,
    ends_part,
    find_entry,
    join_parts,
    pack_part,
    parse_tree,
    store_part,
    tree_entries,
    tree_parts,
)

ID = ObjectId(bytes(range(32)))


class Trees(dict[ObjectId, bytes]):
    """Objects by id, as much as a tree needs."""

    def add(self, data: bytes) -> ObjectId:
        identity = object_id(Kind.TREE, data)
        self[identity] = data
        return identity

    def get(self, identity: ObjectId, kind: int) -> bytes:  # type: ignore[override]
        assert kind == Kind.TREE
        return self[identity]

    def directory(self, names: list[bytes]) -> ObjectId:
        """Store a directory of empty files."""
        parts, start = [], 0
        for end in cut_points(names):
            wires = [wire(name) for name in names[start:end]]
            parts.append((names[start] if names else b"", self.add(pack_part(wires, Owners()))))
            start = end
        return join_parts(parts, self.add)


def wire(name: bytes, **changes: Any) -> Wire:
    return Entry(name, stat.S_IFREG | 0o644, **changes).to_wire()


NAMINGS: dict[str, Callable[[int], bytes]] = {
    "numbers": lambda n: b"%d" % n,
    "padded numbers": lambda n: b"entity-%08d.json" % n,
    "hashes": lambda n: random.Random(n).randbytes(20).hex().encode(),
    "dates": lambda n: b"Learning-timeout-2026%02d%02d-%d.json" % (n % 12 + 1, n % 28 + 1, n),
}


@functools.cache
def named(count: int, naming: str) -> list[bytes]:
    return sorted({NAMINGS[naming](number) for number in range(count)})


@pytest.mark.parametrize("naming", NAMINGS)
def test_parts_have_their_sizes(naming: str) -> None:
    """Between 512 and 8,192 names, about 2,048 on average, however the files are named."""
    names = named(200_000, naming)
    ends = cut_points(names)
    sizes = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    assert sum(sizes) == len(names)
    assert all(TREE_FANOUT_MIN <= size <= TREE_FANOUT_MAX for size in sizes[:-1])
    assert TREE_FANOUT_MEAN / 1.5 < sum(sizes) / len(sizes) < TREE_FANOUT_MEAN * 1.5


@pytest.mark.parametrize("naming", NAMINGS)
def test_a_new_name_changes_few_parts(naming: str) -> None:
    """One file more or less in a directory of 50,000 rewrites at most three parts, nearly always one."""
    names = named(50_000, naming)
    chance = random.Random(naming)
    before = {tuple(part) for part in _parts(names)}
    changed = []
    for _ in range(30):
        place = chance.randrange(len(names))
        longer = sorted({*names, names[place] + b"x"})
        shorter = names[:place] + names[place + 1 :]
        changed += [len({tuple(part) for part in _parts(other)} - before) for other in (longer, shorter)]
    assert max(changed) <= 3
    assert sum(changed) / len(changed) < 1.3


def _parts(names: list[bytes]) -> list[list[bytes]]:
    ends = cut_points(names)
    return [names[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_cutting_depends_on_names_only(count: int, dropped: int) -> None:
    """The same names are cut in the same places, and `ends_part` says so name by name as well."""
    names = named(20_000, "hashes")[dropped : dropped + count]
    ends, size = [], 0
    for number, name in enumerate(names, 1):
        size += 1
        if ends_part(name, size):
            ends.append(number)
            size = 0
    if size or not ends:
        ends.append(len(names))
    assert cut_points(names) == ends


@pytest.mark.parametrize("count", [0, 1, 511, 512, 513, 5000, 30_000])
def test_a_directory_comes_back(count: int) -> None:
    """All names in order, in one part or many; each is found by itself, and no other."""
    trees, names = Trees(), named(count, "padded numbers")
    tree = trees.directory(names)
    assert [entry.name for entry, _ in tree_entries(trees, tree)] == names
    for name in names[:: max(1, count // 20)]:
        found = find_entry(trees, tree, name)
        assert found is not None
        assert found[0].name == name
    for name in (b"\x00", b"entity-00000000.json\x00", b"zzz"):
        assert find_entry(trees, tree, name) is None


def test_a_directory_of_millions_has_levels() -> None:
    """Parts of parts: the nodes of 30 million names hold together, and a name is found by reading one of each level."""
    trees = Trees()
    leaf = trees.add(pack_part([wire(b"x")], Owners()))
    firsts = named(15_000, "hashes")
    root = join_parts([(name, leaf) for name in firsts], trees.add)
    nodes = [parse_tree(data) for data in trees.values()]
    assert sum(not isinstance(node, TreePart) for node in nodes) > 2
    assert sum(1 for _ in _leaves(trees, root)) == len(firsts)


def _leaves(trees: Trees, identity: ObjectId) -> list[ObjectId]:
    parsed = parse_tree(trees[identity])
    return [identity] if isinstance(parsed, TreePart) else [leaf for _, one in parsed for leaf in _leaves(trees, one)]


def test_owners_stand_in_order() -> None:
    """The names of owners are sorted by number, so two machines make the same part."""
    users, groups = {7: "b", 3: "a"}, {9: "z", 1: "y"}
    data = pack_part([wire(b"n")], Owners(users, groups))
    assert data == pack_part([wire(b"n")], Owners(dict(sorted(users.items())), dict(sorted(groups.items()))))
    parsed = parse_tree(data)
    assert isinstance(parsed, TreePart)
    assert (parsed.owners.users, parsed.owners.groups) == (users, groups)


def test_a_part_of_long_targets_is_halved() -> None:
    """Thousands of links with long targets would not fit an object: the part is cut in half until it does."""
    trees = Trees()
    links = [Entry(b"%05d" % n, stat.S_IFLNK | 0o777, target=b"t" * 4000).to_wire() for n in range(8192)]
    tree = store_part(links, Owners({1: "u"}, {2: "g"}), trees.add)
    assert max(map(len, trees.values())) <= MAX_PART_SIZE
    assert [entry.name for entry, _ in tree_entries(trees, tree)] == [link[1] for link in links]
    assert all(owners.users == {1: "u"} for _, owners in tree_entries(trees, tree))
    few = links[:10]
    assert store_part(few, Owners(), trees.add) == object_id(Kind.TREE, pack_part(few, Owners()))


LINK = stat.S_IFLNK | 0o777


def part_of(*entries: object) -> dict[int, object]:
    """A part of these entries, as it stands in a tree."""
    return {1: list(entries), 2: {}, 3: {}}


def an_entry(name: object, **fields: object) -> dict[int, object]:
    """One that is good but for what is given: a link, whose fields are named by their keys."""
    return {1: name, 2: LINK} | {int(key[1:]): value for key, value in fields.items()}


WRONG = {
    "nothing": None,
    "a number": 1,
    "an empty map": {},
    "a list of keys": [4],
    "entries alone": {1: []},
    "an unknown key": {1: [], 2: {}, 3: {}, 5: 0},
    "a part and a node": {1: [], 2: {}, 3: {}, 4: []},
    "a node without parts": {4: []},
    "a node of names": {4: [b"a"]},
    "a node with short ids": {4: [[b"a", bytes(31)]]},
    "a node with text ids": {4: [[b"a", "x" * 32]]},
    "a node with text names": {4: [["a", bytes(32)]]},
    "a node with three columns": {4: [[b"a", bytes(32), 1]]},
    "a node out of order": {4: [[b"b", bytes(32)], [b"a", bytes(32)]]},
    "a node with a name twice": {4: [[b"a", bytes(32)], [b"a", bytes(32)]]},
    "entries that are a number": {1: 5, 2: {}, 3: {}},
    "entries that are a map": {1: {1: 2}, 2: {}, 3: {}},
    "an entry that is a list": {1: [[0, b"name"]], 2: {}, 3: {}},
    "an entry that is text": {1: ["ab"], 2: {}, 3: {}},
    "an entry without a name": part_of({2: LINK}),
    "a name that is text": part_of(an_entry("a")),
    "names that are numbers": part_of(an_entry(1), an_entry(2)),
    "an empty name": part_of(an_entry(b"")),
    "names out of order": part_of(an_entry(b"b"), an_entry(b"a")),
    "a name twice": part_of(an_entry(b"a"), an_entry(b"a")),
    "an entry without a type": part_of({1: b"a"}),
    "a type that is text": part_of(an_entry(b"a", k2="file")),
    "a type that is a truth value": part_of(an_entry(b"a", k2=True)),
    "a file without a size": part_of(an_entry(b"a", k2=stat.S_IFREG)),
    "a file whose size is text": part_of(an_entry(b"a", k2=stat.S_IFREG, k5="1")),
    "a link whose size is a map": part_of(an_entry(b"a", k5={})),
    "a link whose size is nothing": part_of(an_entry(b"a", k5=None)),
    "a chunk that is no id": part_of(an_entry(b"a", k7=b"x")),
    "a subtree that is a list": part_of(an_entry(b"a", k9=[1])),
    "a subtree that is nothing": part_of(an_entry(b"a", k9=None)),
    "owners that are a list": {1: [], 2: [[1, "a"]], 3: {}},
    "owners by name": {1: [], 2: {"a": 1}, 3: {}},
    "owners of bytes": {1: [], 2: {1: b"a"}, 3: {}},
    "groups that are nothing": {1: [], 2: {}, 3: None},
}


def test_the_good_one_is_good() -> None:
    """The wrong entries above are refused for what is wrong with them."""
    good = part_of(an_entry(b"a"), an_entry(b"b", k2=stat.S_IFREG, k5=1, k7=bytes(32)), an_entry(b"c", k5=0))
    assert isinstance(parse_tree(pack(good)), TreePart)


@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG)
def test_a_wrong_tree_is_refused(value: Any) -> None:
    """What is not a part or a node raises BlockDamaged, whatever it is."""
    with pytest.raises(BlockDamaged):
        parse_tree(pack(value))


def test_parts_out_of_order_are_refused() -> None:
    """A node whose parts overlap would give a name twice: reading stops there."""
    trees = Trees()
    one = trees.add(pack_part([wire(b"a"), wire(b"m")], Owners()))
    two = trees.add(pack_part([wire(b"k"), wire(b"z")], Owners()))
    root = trees.add(pack({4: [[b"a", one], [b"k", two]]}))
    with pytest.raises(BlockDamaged, match="order"):
        list(tree_parts(trees, root))


def test_nodes_without_end_are_refused() -> None:
    """A thousand nodes above each other are an enemy's, not a directory's."""
    trees = Trees()
    tree = trees.add(pack_part([wire(b"a")], Owners()))
    for _ in range(1000):
        tree = trees.add(pack({4: [[b"a", tree]]}))
    with pytest.raises(BlockDamaged, match="levels"):
        list(tree_parts(trees, tree))
    with pytest.raises(BlockDamaged, match="levels"):
        find_entry(trees, tree, b"a")
