"""What stands together after optimize: which block ends where, and what stands apart."""

from __future__ import annotations

from collections.abc import Iterator

from icc_store.codec.hashing import object_id
from icc_store.ids import Kind, ObjectId
from icc_store.limits import COLD_BLOCK_SIZE, COLD_FRAME_SIZE, KIB, MAX_OBJECTS_PER_BLOCK, MIB
from icc_store.operations.optimize_layout import Layout, Step
from icc_store.operations.optimize_order import Family


class Versions:
    """Made-up objects, by their ids."""

    def __init__(self) -> None:
        self.plain: dict[ObjectId, bytes] = {}

    def family(self, kind: Kind, name: str, size: int, versions: int = 1) -> Family:
        """One object in several versions, newest first."""
        text = (name.encode() * (size // len(name) + 1))[: size - 20]
        members = []
        for number in range(versions):
            data = text + f"{name} {number}".encode()
            identity = object_id(kind, data)
            self.plain[identity] = data
            members.append(identity)
        return Family(kind, tuple(members))

    def read(self, identity: ObjectId, _kind: Kind) -> bytes:
        return self.plain[identity]

    def blocks(self, families: list[Family]) -> list[list[Step]]:
        """The steps of each block, without its end."""
        blocks: list[list[Step]] = [[]]
        for step in Layout(self.read).steps(iter(families)):
            if step.group is None:
                blocks.append([])
            else:
                blocks[-1].append(step)
        assert blocks.pop() == []
        return blocks


def ids(steps: list[Step], *, apart: bool = False) -> list[ObjectId]:
    """The objects of a block, or of those behind it."""
    return [one for step in steps if step.group and step.apart == apart for one in step.group.ids]


def directory(made: Versions, name: str, *, files: int, size: int, versions: int = 1) -> Iterator[Family]:
    """A directory of so many files, and its tree."""
    for number in range(files):
        yield made.family(Kind.CHUNK, f"{name}/{number}", size, versions)
    yield made.family(Kind.TREE, name, 60 * files, versions)


def test_trees_stand_in_the_block_of_what_they_name() -> None:
    """However much history its files have, a tree's block holds the newest and the small of them."""
    made = Versions()
    small = [made.family(Kind.CHUNK, f"small {each}", 900, 12) for each in range(40)]
    large = [made.family(Kind.CHUNK, f"large {each}", MIB, 12) for each in range(3)]
    tree = made.family(Kind.TREE, "tree", 4000, 12)
    (steps,) = made.blocks([*small, *large, tree])
    together = set(ids(steps))
    assert together >= {one for family in (*small, tree) for one in family.members}
    assert together >= {family.members[0] for family in large}
    assert set(ids(steps, apart=True)) == {one for family in large for one in family.members[1:]}


def test_everything_comes_once_and_bases_come_before() -> None:
    """Each object stands in one frame; what a frame is written against stands in an earlier one of less depth."""
    made = Versions()
    families = [
        family
        for name, size, files in (("a", 700, 200), ("b", 300 * KIB, 4), ("c", 20 * KIB, 100), ("d", 900, 30))
        for family in directory(made, name, files=files, size=size, versions=9)
    ]
    depths: dict[bytes, int] = {}
    placed: list[ObjectId] = []
    for steps in made.blocks(families):
        for step in sorted(steps, key=lambda step: step.apart):  # in the order in which they are stored
            assert step.group is not None
            assert all(depths[base] < step.group.depth for base in step.group.bases)
            assert sum(map(len, step.group.parts)) <= COLD_FRAME_SIZE
            depths.update((one[:16], step.group.depth) for one in step.group.ids)
            placed += step.group.ids
    assert sorted(placed) == sorted(made.plain)


def test_blocks_are_of_bounded_size() -> None:
    """A block ends with the tree after which it is large enough, and in the middle of a directory that is too large."""
    made = Versions()
    families = [family for number in range(8) for family in directory(made, f"d{number}", files=20, size=100 * KIB)]
    sizes = [sum(len(made.plain[one]) for one in ids(steps)) for steps in made.blocks(families)]
    assert all(COLD_BLOCK_SIZE <= size < COLD_BLOCK_SIZE + 3 * MIB for size in sizes[:-1])
    made = Versions()
    families = list(directory(made, "many", files=MAX_OBJECTS_PER_BLOCK // 4, size=20, versions=6))
    blocks = made.blocks(families)
    assert len(blocks) > 1
    assert all(len(ids(steps)) <= MAX_OBJECTS_PER_BLOCK for steps in blocks)
