"""gc on real repositories: what stays can be restored, what nothing needs goes, and a plan is what is done."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icc_store.clock import FixedClock
from icc_store.errors import DamageError, IccStoreError
from icc_store.ids import KEY_SIZE, Kind
from icc_store.model.record import Snapshot, Subject
from icc_store.model.repository import Repository
from icc_store.model.tree import find_entry
from icc_store.opening import create_repository, open_repository
from icc_store.operations.forget import ForgetOptions, forget, undelete
from icc_store.operations.retention import explicit_policy
from tests.support.live import Contents, clean, contents, fill, new_clock, object_ids, on_disk, snap
from tests.support.shelf import noise, words

PURGE = ForgetOptions(purge=True)
HOUR = 3600.0


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"


def take(repository: Repository, where: Path, files: Contents, **options: str) -> Snapshot:
    fill(where, files)
    return snap(repository, where, **options)


def state(repository: Repository) -> tuple[set[bytes], list[int]]:
    """Everything indexed, and the numbers of all blocks."""
    return object_ids(repository), [number for number, _ in repository.objects.transaction.block_sizes()]


def tree_names(count: int) -> list[str]:
    return [f"d{number % 7}/file {number}" if number % 3 else f"file {number}" for number in range(count)]


def test_what_is_forgotten_goes_and_the_rest_stays(repository: Repository, source: Path) -> None:
    """A snapshot that was forgotten and collected is gone with all that only it needed; the others read as before."""
    first = take(repository, source, {"a": noise(1, 5000), "both": words(2, 5000), "d/x": b"x"})
    second = take(repository, source, {"b": noise(3, 5000), "both": words(2, 5000)})
    alone = object_ids(repository)
    forget(repository, [first.id])
    result = clean(repository)
    assert [one.id for one in result.removed] == [first.id]
    assert result.sweep.objects_removed >= 3
    assert contents(repository, second) == {"b": noise(3, 5000), "both": words(2, 5000)}
    assert [one.id for one in repository.snapshots(forgotten=True)] == [second.id]
    assert object_ids(repository) < alone
    assert first.id[:KEY_SIZE] not in object_ids(repository)


def test_twice_is_once(repository: Repository, source: Path) -> None:
    """A second gc finds nothing to do."""
    take(repository, source, {name: words(number, 900) for number, name in enumerate(tree_names(40))})
    take(repository, source, {name: words(number + 99, 900) for number, name in enumerate(tree_names(20))})
    forget(repository, [repository.snapshots()[0].id])
    clean(repository)
    before = state(repository)
    again = clean(repository)
    assert again.removed == ()
    assert (again.sweep.objects_removed, again.sweep.blocks_removed, again.sweep.blocks_rewritten) == (0, 0, 0)
    assert state(repository) == before


def test_nothing_to_do(repository: Repository) -> None:
    """An empty repository is collected without ado."""
    result = clean(repository)
    assert (result.decisions, result.removed, result.waiting) == ((), (), ())


def test_a_day_to_think_it_over(repository: Repository, source: Path, clock: FixedClock) -> None:
    """What was forgotten can be brought back whole for a day; gc removes it afterwards, and not before."""
    first = take(repository, source, {"a": b"first"})
    take(repository, source, {"a": b"second"})
    forget(repository, [first.id])
    clock.sleep(23 * HOUR)
    early = clean(repository, hours=24)
    assert (early.removed, [one.id for one in early.waiting]) == ((), [first.id])
    undelete(repository, [first.id])
    assert contents(repository, first) == {"a": b"first"}
    forget(repository, [first.id])
    clock.sleep(23 * HOUR)
    assert clean(repository, hours=24).removed == ()
    clock.sleep(2 * HOUR)
    assert [one.id for one in clean(repository, hours=24).removed] == [first.id]


def test_a_purged_one_goes_at_once(repository: Repository, source: Path) -> None:
    """A purged snapshot has no time to be brought back, even when it is the last of its source."""
    only = take(repository, source, {"a": noise(1, 3000)})
    forget(repository, [only.id], options=PURGE)
    assert [one.id for one in clean(repository, hours=24).removed] == [only.id]
    assert object_ids(repository) == set()
    assert state(repository)[1] == []


def test_the_policy_spares_pinned_ones_and_the_last_of_a_source(repository: Repository, source: Path) -> None:
    """However strict the policy: a pinned snapshot stays, and the last full one of each source."""
    pinned = take(repository, source, {"a": b"pinned"})
    repository.annotate(pinned.id, Subject.PIN, value=True)
    gone = take(repository, source, {"a": b"gone"})
    last = take(repository, source, {"a": b"last"})
    other = take(repository, source, {"a": b"other"}, source="other")
    result = clean(repository, policy=explicit_policy())
    assert [one.id for one in result.removed] == [gone.id]
    assert [one.id for one in repository.snapshots()] == [pinned.id, last.id, other.id]
    assert contents(repository, pinned) == {"a": b"pinned"}
    with pytest.raises(IccStoreError, match="pinned"):
        forget(repository, [pinned.id], options=PURGE)


def test_a_dry_run_says_what_will_be_done(repository: Repository, source: Path) -> None:
    """The plan counts exactly what carrying it out then does, and making it changes nothing at all."""
    chance = random.Random(5)
    names = tree_names(300)
    for round_ in range(6):
        take(repository, source, {name: words(chance.randrange(600), 1500) for name in chance.sample(names, 120)})
        if round_ == 3:
            forget(repository, [repository.snapshots()[0].id])
    before = state(repository), repository.objects.transaction.sequence
    policy = explicit_policy(keep_last=2)
    planned = clean(repository, policy=policy, dry_run=True)
    assert (state(repository), repository.objects.transaction.sequence) == before
    done = clean(repository, policy=policy)
    assert [one.id for one in planned.removed] == [one.id for one in done.removed]
    assert [(each.snapshot.id, each.keep, each.reasons) for each in planned.decisions] == [
        (each.snapshot.id, each.keep, each.reasons) for each in done.decisions
    ]
    assert planned.sweep == done.sweep
    assert done.sweep.blocks_removed > 0


def test_a_mostly_dead_block_is_rewritten(repository: Repository, source: Path) -> None:
    """Of a block of which little is needed, that little moves to a new one, and the rest is free."""
    many = {f"file {number}": noise(number, 2000) for number in range(60)}
    first = take(repository, source, many)
    few = {name: many[name] for name in ("file 7", "file 31", "file 59")}
    second = take(repository, source, few)
    forget(repository, [first.id])
    result = clean(repository)
    assert result.sweep.blocks_rewritten >= 1
    assert result.sweep.bytes_rewritten < 20_000
    assert result.sweep.bytes_removed > 100_000
    assert contents(repository, second) == few
    assert take(repository, source, few).record.root == second.record.root


def test_little_that_is_dead_waits(repository: Repository, source: Path) -> None:
    """Of a block of which most is needed, the dead objects can no longer be found, and their bytes are counted."""
    many = {f"file {number}": noise(number, 2000) for number in range(20)}
    first = take(repository, source, many)
    most = {name: data for name, data in many.items() if name != "file 3"}
    second = take(repository, source, most)
    dead = find_entry(repository.objects, first.record.root, b"file 3")
    assert dead is not None
    assert dead[0].chunk is not None
    forget(repository, [first.id])
    result = clean(repository)
    assert result.sweep.bytes_dead_kept >= 1500
    assert not repository.objects.contains(dead[0].chunk)
    assert contents(repository, second) == most
    third = take(repository, source, many)
    assert contents(repository, third) == many


def test_what_others_are_written_against_stays_as_a_base(repository: Repository, source: Path) -> None:
    """The old version of a changed file goes with its snapshot for everybody but the delta that needs it."""
    old = words(1, 20_000)
    new = old[:9000] + b"a change" + old[9000:]
    first = take(repository, source, {"file": old})
    second = take(repository, source, {"file": new})
    entry = find_entry(repository.objects, first.record.root, b"file")
    assert entry is not None
    assert entry[0].chunk is not None
    forget(repository, [first.id])
    clean(repository)
    assert contents(repository, second) == {"file": new}
    assert not repository.objects.contains(entry[0].chunk)
    assert repository.objects.locate(entry[0].chunk) is not None
    clean(repository)
    assert contents(repository, second) == {"file": new}


def test_a_base_can_be_stored_again(repository: Repository, source: Path) -> None:
    """When the old version comes back after gc has kept it as a base only, it is stored anew and both can be read."""
    old = words(1, 20_000)
    new = old[:9000] + b"a change" + old[9000:]
    first = take(repository, source, {"file": old, "d/deep": b"1"})
    second = take(repository, source, {"file": new, "d/deep": b"1"})
    forget(repository, [first.id])
    clean(repository)
    third = take(repository, source, {"file": old, "d/deep": b"1"})
    assert third.record.root == first.record.root
    for _ in range(2):
        assert contents(repository, third) == {"file": old, "d/deep": b"1"}
        assert contents(repository, second) == {"file": new, "d/deep": b"1"}
        clean(repository)
    forget(repository, [second.id])
    clean(repository)
    assert contents(repository, third) == {"file": old, "d/deep": b"1"}


def test_a_long_chain_of_changes(repository: Repository, source: Path) -> None:
    """A file changed forty times: whichever snapshots are kept, they read as they were."""
    chance = random.Random(3)
    data = words(1, 30_000)
    taken: list[tuple[Snapshot, bytes]] = []
    for round_ in range(40):
        at = chance.randrange(len(data))
        data = data[:at] + b"round %d" % round_ + data[at + 5 :]
        taken.append((take(repository, source, {"file": data, "same": b"1"}), data))
    chance.shuffle(taken)
    while len(taken) > 2:
        going, taken = taken[:6], taken[6:]
        forget(repository, [snapshot.id for snapshot, _ in going], options=PURGE)
        clean(repository)
        for snapshot, expected in taken:
            assert contents(repository, snapshot) == {"file": expected, "same": b"1"}


def test_a_large_file_loses_only_its_dead_chunks(repository: Repository, source: Path) -> None:
    """Chunks that two versions of a large file share outlive the older one."""
    old = noise(1, 6_000_000)
    new = old[:3_000_000] + b"in the middle" + old[3_100_000:]
    first = take(repository, source, {"large": old})
    second = take(repository, source, {"large": new})
    forget(repository, [first.id])
    clean(repository)
    assert contents(repository, second) == {"large": new}


def test_a_missing_object_stops_everything(repository: Repository, source: Path) -> None:
    """When something that a snapshot needs is missing, gc removes nothing and says so."""
    first = take(repository, source, {"a": noise(1, 3000), "d/b": noise(2, 3000)})
    second = take(repository, source, {"a": noise(1, 3000), "c": noise(3, 3000)})
    entry = find_entry(repository.objects, second.record.root, b"a")
    assert entry is not None
    assert entry[0].chunk is not None
    with repository.store.write() as txn:
        row = txn.row(entry[0].chunk[:KEY_SIZE])
        assert row is not None
        txn.delete_rows([row])
    repository.objects.forget()
    forget(repository, [first.id])
    before = state(repository)
    with pytest.raises(DamageError, match="missing; nothing was removed"):
        clean(repository, policy=explicit_policy(keep_last=1))
    assert state(repository) == before
    assert [one.id for one in repository.snapshots(forgotten=True)] == [first.id, second.id]


def test_a_missing_block_stops_everything(repository: Repository, source: Path) -> None:
    """The same when a whole block has gone that holds what others are written against."""
    old = words(1, 20_000)
    take(repository, source, {"file": old})
    second = take(repository, source, {"file": old + b"more", "other": b"1"})
    frame = repository.objects.frame_of(find_chunk(repository, second, b"file"))
    assert frame is not None
    assert frame[2].bases
    base = repository.objects.locate(frame[2].bases[0])
    assert base is not None
    with repository.store.write() as txn:
        txn.delete_block(base.block)
    repository.objects.forget()
    before = state(repository)
    with pytest.raises(DamageError, match="is missing"):
        clean(repository)
    assert state(repository) == before


def find_chunk(repository: Repository, snapshot: Snapshot, name: bytes) -> bytes:
    found = find_entry(repository.objects, snapshot.record.root, name)
    assert found is not None
    assert found[0].chunk is not None
    return found[0].chunk


def test_compaction_gives_bytes_back(tmp_path: Path, clock: FixedClock, source: Path) -> None:
    """After gc, compaction shrinks the file by about what went, and everything reads as before."""
    create_repository(tmp_path / "r")
    data = tmp_path / "r" / "data.mdb"
    with open_repository(tmp_path / "r", clock=clock) as repository:
        first = take(repository, source, {f"file {number}": noise(number, 50_000) for number in range(60)})
        second = take(repository, source, {"file": noise(99, 50_000)}, name="second")
        forget(repository, [first.id])
        result = clean(repository)
        assert result.reusable > 2_900_000
    size = data.stat().st_size
    with open_repository(tmp_path / "r", clock=clock, exclusive=True) as repository:
        given_back = repository.compact()
        assert given_back > 2_500_000
        assert data.stat().st_size == size - given_back
        assert contents(repository, second) == {"file": noise(99, 50_000)}
        again = take(repository, source, {"file": noise(98, 50_000)})
        assert again.record.parent == second.id
    with open_repository(tmp_path / "r", clock=clock) as repository:
        assert contents(repository, again) == {"file": noise(98, 50_000)}
        assert repository.snapshots()[0].record == second.record


TREES = st.dictionaries(st.sampled_from(tree_names(14)), st.integers(0, 5), max_size=10)
HISTORIES = st.lists(st.tuples(TREES, st.sampled_from(["home", "other"])), min_size=1, max_size=7)


@settings(max_examples=25)
@given(history=HISTORIES, keep=st.integers(0, 3), seed=st.integers(0, 99), rounds=st.integers(1, 3))
def test_any_history(
    tmp_path_factory: pytest.TempPathFactory,
    history: list[tuple[dict[str, int], str]],
    keep: int,
    seed: int,
    rounds: int,
) -> None:
    """After any history and any gc, what remains reads as it was, and nothing is kept but that and its bases."""
    top = tmp_path_factory.mktemp("any")
    chance = random.Random(seed)
    create_repository(top / "r")
    taken: dict[bytes, Contents] = {}
    with open_repository(top / "r", clock=new_clock()) as repository:
        for tree, source in history:
            files = {name: words(7, 2500) + b"%d" % version for name, version in tree.items()}
            taken[take(repository, top / source, files, source=source).id] = files
            if chance.random() < 0.3:
                clean(repository, policy=explicit_policy(keep_last=keep))
        for _ in range(rounds):
            living = repository.snapshots()
            gone = [one.id for one in living if chance.random() < 0.3]
            forget(repository, gone, options=PURGE)
            planned = clean(repository, policy=explicit_policy(keep_last=keep), dry_run=True)
            done = clean(repository, policy=explicit_policy(keep_last=keep))
            assert planned.sweep == done.sweep
            for snapshot in repository.snapshots():
                assert contents(repository, snapshot) == taken[snapshot.id]
        left = repository.snapshots(forgotten=True)
        kept = _without_bases(repository)
    assert kept == _made_anew(top / "anew", [(taken[one.id], one) for one in left])


def _without_bases(repository: Repository) -> set[bytes]:
    """Keys of all content that something new may refer to."""
    repository.objects.forget()
    keys = object_ids(repository)
    return {key for key in keys if repository.objects.contains(key) and not _is_record(repository, key)}


def _is_record(repository: Repository, key: bytes) -> bool:
    frame = repository.objects.frame_of(key)
    return frame is not None and frame[2].kind in (Kind.SNAPSHOT, Kind.ANNOTATION)


def _made_anew(top: Path, snapshots: list[tuple[Contents, Snapshot]]) -> set[bytes]:
    """What a repository holds into which the same files were put, with the root trees of the given snapshots."""
    top.mkdir()
    create_repository(top / "r")
    with open_repository(top / "r", clock=new_clock()) as repository:
        for number, (files, old) in enumerate(snapshots):
            new = take(repository, top / f"tree {number}", files, source=f"source {number}")
            assert on_disk(top / f"tree {number}") == files
            del old, new
        return _without_bases(repository)
