"""Objects out of blocks."""

from __future__ import annotations

import pytest

from icc_store.codec.compression import compress
from icc_store.codec.hashing import chunk_id, object_id
from icc_store.errors import BlockDamaged, DamageError, ObjectMissing
from icc_store.ids import KEY_SIZE, Kind, ObjectId
from icc_store.limits import MAX_READ_DEPTH
from icc_store.objects.block import RAW, ZSTD, ZSTD_IDS, Frame
from icc_store.objects.index import pack_row
from tests.support.shelf import REPOSITORY, Shelf, delta_frame, noise, plain_frame, words


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def as_base_only(shelf: Shelf, identity: ObjectId) -> None:
    """Do what gc does to an object that only deltas need."""
    place = shelf.reader.locate(identity)
    assert place is not None
    key = identity[:KEY_SIZE]
    with shelf.store.write() as txn:
        txn.delete_rows([pack_row(key, place.block, place.position)])
        txn.insert_rows([pack_row(key, place.block, place.position, base_only=True)])
    shelf.reader.forget()


def damage(shelf: Shelf, number: int) -> None:
    """Change a byte of a block's payload."""
    with shelf.store.read() as txn:
        data = txn.block(number)
    assert data is not None
    with shelf.store.write() as txn:
        state = txn._state  # type: ignore[attr-defined]
        state.blocks[number] = data[:-1] + bytes([data[-1] ^ 1])
    shelf.reader.forget()


def test_an_object_comes_back(shelf: Shelf) -> None:
    """What was added is read by its id, from the middle of a frame too."""
    parts = [words(seed, 300) for seed in range(5)]
    shelf.put([plain_frame(*parts)])
    assert [shelf.get(chunk_id(part)) for part in parts] == parts


def test_an_unknown_object_is_missing(shelf: Shelf) -> None:
    """An id that is not indexed raises ObjectMissing, not BlockDamaged."""
    with pytest.raises(ObjectMissing):
        shelf.get(chunk_id(b"nobody"))


def test_an_object_of_another_kind_is_refused(shelf: Shelf) -> None:
    """A chunk is not handed out as a tree, whatever its bytes are."""
    identity = shelf.add(b"tree-like bytes")
    with pytest.raises(BlockDamaged):
        shelf.get(identity, Kind.TREE)


def test_an_id_that_shares_the_key_is_not_confused(shelf: Shelf) -> None:
    """Two ids with the same first 16 bytes are told apart when read: the full id is what counts."""
    identity = shelf.add(b"some bytes")
    other = ObjectId(identity[:KEY_SIZE] + bytes(16))
    with pytest.raises(BlockDamaged):
        shelf.get(other)


def test_bytes_that_do_not_fit_their_id_are_never_returned(shelf: Shelf) -> None:
    """A block with right checksum and wrong contents is found by the object's id."""
    honest = plain_frame(b"what was meant")
    shelf.put([Frame(honest.kind, RAW, honest.ids, (13,), b"something xyz")])
    with pytest.raises(BlockDamaged):
        shelf.get(honest.ids[0])


def test_a_second_copy_is_read_when_the_first_is_damaged(shelf: Shelf) -> None:
    """Two runs at once may store an object twice; either copy is enough."""
    data = words(1, 500)
    first, second = shelf.put([plain_frame(data)]), shelf.put([plain_frame(data)])
    for number in (first, second):
        assert shelf.fresh().get(chunk_id(data), Kind.CHUNK) == data
        damage(shelf, number)
    with pytest.raises(BlockDamaged):
        shelf.fresh().get(chunk_id(data), Kind.CHUNK)


def test_a_block_that_is_gone_is_damage(shelf: Shelf) -> None:
    """An index row that leads to no block is an error that names the block, after looking again."""
    identity = shelf.add(words(2, 100))
    with shelf.store.write() as txn:
        assert txn.delete_block(1)
    shelf.reader.forget()
    with pytest.raises(BlockDamaged, match="block 1"):
        shelf.get(identity)


def test_a_row_to_the_wrong_place_is_damage(shelf: Shelf) -> None:
    """A row that leads to another object, or behind the last one, is found."""
    shelf.put([plain_frame(b"one", b"two")])
    for position in (0, 1, 2, 300):
        identity = chunk_id(b"at %d" % position)
        with shelf.store.write() as txn:
            txn.insert_rows([pack_row(identity[:KEY_SIZE], 1, position)])
        shelf.reader.renew()
        with pytest.raises(BlockDamaged):
            shelf.get(identity)


def test_a_block_that_moves_while_it_is_read_is_found_again(shelf: Shelf) -> None:
    """gc may move a block between two looks; the object is found in its new place, as is its base."""
    old, new = words(3, 4000), words(3, 4000) + b"a line more"
    base = shelf.put([plain_frame(old)])
    shelf.put([delta_frame(new, bases=[old], depth=1)])
    reader = shelf.fresh()
    view = reader.transaction  # the reader holds an old view while the base moves
    moved = plain_frame(old)
    key = moved.ids[0][:KEY_SIZE]
    with shelf.store.write() as txn:
        txn.delete_rows([pack_row(key, base, 0)])
        txn.delete_block(base)
    shelf.put([moved])
    assert view.block(base) is not None
    assert reader.get(chunk_id(new), Kind.CHUNK) == new
    reader.forget()
    assert reader.get(chunk_id(new), Kind.CHUNK) == new


def test_what_is_kept_as_a_base_does_not_count_as_stored(shelf: Shelf) -> None:
    """An object kept for its deltas can be read, but nothing new may refer to it."""
    old, new = words(4, 4000), words(4, 4000) + b"more"
    base = shelf.add(old)
    delta = shelf.add(new, bases=[base])
    assert shelf.frame_of(delta).bases
    as_base_only(shelf, base)
    assert not shelf.reader.contains(base)
    assert shelf.fresh().get(delta, Kind.CHUNK) == new
    assert shelf.get(base) == old


def test_a_base_that_is_stored_anew_counts_as_stored(shelf: Shelf) -> None:
    """The new copy of what was a mere base is found beside the old one, so it is not stored again and again."""
    old = words(4, 4000)
    base = shelf.add(old)
    as_base_only(shelf, base)
    shelf.add(old)
    assert len(shelf.blocks()) == 2
    assert shelf.reader.contains(base)
    shelf.add(old)
    assert len(shelf.blocks()) == 2


def test_a_chain_never_closes_to_a_ring(shelf: Shelf) -> None:
    """A file that changes back: the old content, stored anew against its successor, is no base of that successor."""
    old, new = words(5, 4000), words(5, 4000) + b"changed"
    base = shelf.put([plain_frame(old)])
    shelf.put([delta_frame(new, bases=[old], depth=1)])
    as_base_only(shelf, chunk_id(old))
    shelf.put([delta_frame(old, bases=[new], depth=2)])
    moved = plain_frame(old)  # gc moves the first copy behind the second
    with shelf.store.write() as txn:
        txn.delete_rows([pack_row(moved.ids[0][:KEY_SIZE], base, 0, base_only=True)])
        txn.delete_block(base)
    number = shelf.put([moved])
    as_moved = pack_row(moved.ids[0][:KEY_SIZE], number, 0)
    with shelf.store.write() as txn:
        txn.delete_rows([as_moved])
        txn.insert_rows([pack_row(moved.ids[0][:KEY_SIZE], number, 0, base_only=True)])
    reader = shelf.fresh()
    assert reader.get(chunk_id(new), Kind.CHUNK) == new
    assert set(reader._frames) == {(2, 0), (number, 0)}
    assert reader.get(chunk_id(old), Kind.CHUNK) == old


def test_a_ring_in_a_hostile_repository_ends(shelf: Shelf) -> None:
    """Two objects that claim each other as base are damage, not endless recursion."""
    one, two = words(6, 4000), words(6, 4000) + b"2"
    shelf.put([plain_frame(one)])
    shelf.put([delta_frame(two, bases=[one], depth=9)])
    shelf.put([delta_frame(one, bases=[two], depth=9)])
    with shelf.store.write() as txn:
        txn.delete_rows([pack_row(chunk_id(one)[:KEY_SIZE], 1, 0)])
    with pytest.raises(DamageError):
        shelf.fresh().get(chunk_id(two), Kind.CHUNK)


def test_a_chain_without_end_is_refused(shelf: Shelf) -> None:
    """A reader follows deeper chains than a writer makes, and stops at MAX_READ_DEPTH."""
    versions = [words(7, 2000)]
    shelf.put([plain_frame(versions[0])])
    for depth in range(1, MAX_READ_DEPTH + 2):
        versions.append(versions[-1] + b"%d" % depth)
        shelf.put([delta_frame(versions[-1], bases=[versions[-2]], depth=depth)])
    assert shelf.fresh().get(chunk_id(versions[MAX_READ_DEPTH]), Kind.CHUNK) == versions[MAX_READ_DEPTH]
    with pytest.raises(BlockDamaged, match="without end"):
        shelf.fresh().get(chunk_id(versions[-1]), Kind.CHUNK)


def test_a_wrong_base_is_found(shelf: Shelf) -> None:
    """A delta decoded against other bytes than it was made with may decode; its id says that it is wrong."""
    old, other = words(8, 4000), words(9, 4000)
    delta = delta_frame(old + b"x", bases=[old], depth=1)
    shelf.put([plain_frame(other)])
    wrong = Frame(delta.kind, ZSTD, delta.ids, delta.lengths, delta.stored, (chunk_id(other)[:KEY_SIZE],), 1, 0)
    shelf.put([wrong])
    with pytest.raises(BlockDamaged):
        shelf.get(delta.ids[0])


def test_a_missing_base_is_said_to_be_missing(shelf: Shelf) -> None:
    """A delta without its base cannot be read, and the error names the base."""
    old = words(10, 4000)
    shelf.put([plain_frame(old)])
    shelf.put([delta_frame(old + b"x", bases=[old], depth=1)])
    with shelf.store.write() as txn:
        txn.delete_rows([pack_row(chunk_id(old)[:KEY_SIZE], 1, 0)])
    with pytest.raises(ObjectMissing, match=chunk_id(old)[:KEY_SIZE].hex()):
        shelf.fresh().get(chunk_id(old + b"x"), Kind.CHUNK)


def test_a_frame_behind_the_ids_of_its_block(shelf: Shelf) -> None:
    """ZSTD_IDS: the prefix is the bases, then all ids of the block up to and with the frame's own."""
    chunks = plain_frame(*(words(seed, 50) for seed in range(20)))
    old = words(11, 300)
    tree = b"".join(chunks.ids) + old
    identity = object_id(Kind.TREE, tree)
    ids = b"".join((*chunks.ids, identity))
    alone = Frame(Kind.TREE, ZSTD_IDS, (identity,), (len(tree),), compress(tree, 3, ids))
    assert len(alone.stored) < len(tree) / 2
    shelf.put([chunks, alone])
    assert shelf.get(identity, Kind.TREE) == tree

    shelf.put([plain_frame(old)])
    stored = compress(tree, 3, old + ids)
    shelf.put([chunks, Frame(Kind.TREE, ZSTD_IDS, (identity,), (len(tree),), stored, (chunk_id(old)[:KEY_SIZE],), 1)])
    assert shelf.blocks()[3].frames[1].bases
    with shelf.store.write() as txn:
        txn.delete_rows([pack_row(identity[:KEY_SIZE], 1, 20)])
    assert shelf.fresh().get(identity, Kind.TREE) == tree


def test_a_view_is_renewed_as_it_grows_old(shelf: Shelf) -> None:
    """A reader sees what others committed at the latest a second later, and never holds a view longer."""
    assert not shelf.reader.contains(chunk_id(b"from another process"))
    frame = plain_frame(b"from another process")
    other = Shelf(shelf.store)
    other.put([frame])
    assert not shelf.reader.contains(frame.ids[0])
    shelf.clock.sleep(1.5)
    assert shelf.reader.contains(frame.ids[0])


def test_caches_stay_small(shelf: Shelf) -> None:
    """Neither frames nor blocks are kept beyond their bounds, however many are read."""
    ids = [shelf.add(noise(seed, 1 << 20)) for seed in range(40)]
    for identity in ids:
        shelf.get(identity)
    kept = sum(map(len, shelf.reader._frames.values()))
    assert kept <= 24 << 20
    assert sum(size for _, size in shelf.reader._blocks.values()) <= 8 << 20
    assert shelf.reader._block_bytes == sum(size for _, size in shelf.reader._blocks.values())
    assert shelf.reader._cached == kept


def test_blocks_of_another_repository_are_refused(shelf: Shelf) -> None:
    """A block that carries another repository's id is not read."""
    identity = shelf.add(b"ours")
    reader = shelf.fresh()
    reader._repository = REPOSITORY[::-1]
    with pytest.raises(BlockDamaged):
        reader.get(identity, Kind.CHUNK)
