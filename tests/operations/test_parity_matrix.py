"""The damage matrix of parity: what is damaged, how, where, up to the share and beyond it."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.errors import DamageError
from icc_store.ids import Kind
from icc_store.model.record import Snapshot, Subject
from icc_store.objects.block import UID, decode_block
from icc_store.objects.records import copies
from icc_store.opening import create_repository, open_repository
from icc_store.operations.parity import renew, status, turn_on
from icc_store.operations.verify import VerifyOptions, verify
from tests.support.live import contents, fill, snap
from tests.support.mending import repaired
from tests.support.shelf import noise, words

PAGE = 4096
PERMILLE = 50
FILES = {f"d{number % 3}/{number:03}": words(number, 4000) for number in range(60)} | {"large": noise(1, 3_000_000)}

Versions = list[tuple[Snapshot, dict[str, bytes]]]
Damage = Callable[[bytes, random.Random], bytes]


def zeroed(page: bytes, chance: random.Random) -> bytes:
    return bytes(len(page))


def noisy(page: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(len(page))


def flipped(page: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(page))
    return page[:at] + bytes((page[at] ^ 1 << chance.randrange(8),)) + page[at + 1 :]


@pytest.fixture(scope="module")
def versions() -> Versions:
    """Filled by `original`: the snapshots and what is in them."""
    return []


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, versions: Versions) -> Path:
    """A repository with parity over all of it but the newest snapshot, whose blocks are kept twice."""
    folder = tmp_path_factory.mktemp("matrix")
    path, clock = folder / "repository", FixedClock(1_700_000_000_000_000_000)
    create_repository(path)
    with open_repository(path, exclusive=True) as repository:
        turn_on(repository, PERMILLE)
    with open_repository(path, clock=clock) as repository:
        files = dict(FILES)
        for version in range(4):
            files |= {f"d0/{number:03}": files[f"d0/{number:03}"] + b"%d" % version for number in range(0, 30, 3)}
            fill(folder / "source", files)
            clock.sleep(60)
            versions.append((snap(repository, folder / "source"), dict(files)))
        repository.annotate(versions[1][0].id, Subject.TAG, "good")
        renew(repository)
        files["d0/000"] += b"kept twice"
        files["d1/new"] = noise(2, 200_000)
        fill(folder / "source", files)
        versions.append((snap(repository, folder / "source"), dict(files)))
        assert status(repository).copied
    return path


@pytest.fixture
def path(original: Path, tmp_path: Path) -> Path:
    """A copy of it to damage."""
    return shutil.copytree(original, tmp_path / "repository")


def files_of(path: Path) -> list[Path]:
    """The files whose pages count."""
    return [path / "data.mdb", *sorted((path / "parity").glob("*.parity"))]


def damage_pages(path: Path, numbers: list[int], how: Damage, chance: random.Random) -> None:
    """Damage pages, counted through all files."""
    first = 0
    for file in files_of(path):
        count = file.stat().st_size // PAGE
        descriptor = os.open(file, os.O_RDWR)
        for number in numbers:
            if first <= number < first + count:
                at = (number - first) * PAGE
                os.pwrite(descriptor, how(os.pread(descriptor, PAGE, at), chance), at)
        os.close(descriptor)
        first += count


def overwritten(file: Path, at: int, data: bytes) -> None:
    """Put these bytes there."""
    descriptor = os.open(file, os.O_RDWR)
    os.pwrite(descriptor, data, at)
    os.close(descriptor)


def page_count(path: Path, files: int | None = None) -> int:
    """How many pages there are in the first of the files."""
    return sum(file.stat().st_size // PAGE for file in files_of(path)[:files])


def assert_all_is_back(path: Path, versions: Versions) -> None:
    """Every snapshot is there, with its annotations and the contents of all its files."""
    with open_repository(path, readonly=True) as repository:
        assert not verify(repository, options=VerifyOptions(mend=False)).findings
        assert [one.id for one in repository.snapshots()] == [one.id for one, _ in versions]
        assert repository.snapshot(versions[1][0].id).tags == ("good",)
        for snapshot, files in versions:
            assert contents(repository, snapshot) == files


@pytest.mark.parametrize("how", [zeroed, noisy, flipped])
@pytest.mark.parametrize("seed", range(4))
def test_scattered_damage_up_to_the_share(path: Path, versions: Versions, how: Damage, seed: int) -> None:
    """Any pages of the database and of the parity files, as many as promised, and all comes back."""
    chance = random.Random(f"{how.__name__} {seed}")
    total = page_count(path)
    damage_pages(path, chance.sample(range(total), total * PERMILLE // 1000), how, chance)
    repaired(path)
    assert_all_is_back(path, versions)


@pytest.mark.parametrize("how", [zeroed, noisy])
@pytest.mark.parametrize("place", [0.0, 0.3, 0.6, 0.9, 0.95])
def test_a_stretch_of_damage_up_to_the_share(path: Path, versions: Versions, how: Damage, place: float) -> None:
    """Damage in one piece, wherever it begins: the start of the database, the middle, the parity files."""
    chance = random.Random(f"{how.__name__} {place}")
    total = page_count(path)
    first = int(place * total)
    damage_pages(path, list(range(first, first + total * PERMILLE // 1000)), how, chance)
    repaired(path)
    assert_all_is_back(path, versions)


@pytest.mark.parametrize("share", [0.001, 0.02, 0.05])
def test_a_database_that_was_cut_off(path: Path, versions: Versions, share: float) -> None:
    """Up to the promised share of the file may be missing at its end."""
    file = path / "data.mdb"
    os.truncate(file, int(file.stat().st_size * (1 - share)))
    repaired(path)
    assert_all_is_back(path, versions)


@pytest.mark.parametrize("seed", range(3))
def test_pages_that_changed_places(path: Path, versions: Versions, seed: int) -> None:
    """Pages whose contents are right, and stand somewhere else."""
    chance = random.Random(seed)
    total = page_count(path, 1)
    moved = chance.sample(range(total), total * PERMILLE // 1000 // 2 * 2)
    data = bytearray((path / "data.mdb").read_bytes())
    for one, other in zip(moved[::2], moved[1::2], strict=True):
        first, second = slice(one * PAGE, (one + 1) * PAGE), slice(other * PAGE, (other + 1) * PAGE)
        data[first], data[second] = data[second], data[first]
    (path / "data.mdb").write_bytes(data)
    repaired(path)
    assert_all_is_back(path, versions)


METADATA: dict[str, Callable[[Path], object]] = {
    "no header": lambda path: (path / "repository.json").unlink(),
    "a damaged header": lambda path: (path / "repository.json").write_bytes(bytes(316)),
    "no head": lambda path: (path / "head").unlink(),
    "a damaged head": lambda path: (path / "head").write_bytes(bytes(64)),
    "no first pages": lambda path: damage_pages(path, [0, 1], zeroed, random.Random(0)),
    "no state of second copies": lambda path: overwritten(path / "parity" / "newest", 0, bytes(128)),
    "no lock files": lambda path: [(path / name).unlink() for name in ("lock.mdb", "write.lock", "use.lock")],
}


@pytest.mark.parametrize("lost", [*([name] for name in METADATA), list(METADATA)], ids=", ".join)
def test_metadata_may_be_lost(path: Path, versions: Versions, lost: list[str]) -> None:
    """What leads to everything else may be gone, each by itself and all at once, with other damage beside it."""
    chance = random.Random(len(lost))
    total = page_count(path)
    damage_pages(path, chance.sample(range(total), total * PERMILLE // 2000), zeroed, chance)
    for name in lost:
        METADATA[name](path)
    repaired(path)
    assert_all_is_back(path, versions)


@pytest.mark.parametrize("kind", [Kind.SNAPSHOT, Kind.ANNOTATION, Kind.TREE])
def test_all_blocks_of_one_kind(path: Path, versions: Versions, kind: Kind) -> None:
    """Every page with a record, its second copy, an annotation, or a tree may be lost at once."""
    with open_repository(path, readonly=True) as repository, repository.store.read() as txn:
        blocks = [data for _, data in txn.blocks()] + [data for _, data in copies(txn)]
        uids = [
            data[UID]
            for data in blocks
            if any(frame.kind == kind for frame in decode_block(data, repository.header.repository).frames)
        ]
    assert uids
    data = (path / "data.mdb").read_bytes()
    damage_pages(path, sorted({data.index(uid) // PAGE for uid in uids}), zeroed, random.Random(0))
    repaired(path)
    assert_all_is_back(path, versions)


def test_both_copies_of_the_newest_blocks_may_be_damaged(path: Path, versions: Versions) -> None:
    """Every second page of one and the pages between of the other: what is left of both is the whole."""
    with open_repository(path, readonly=True) as repository, repository.store.read() as txn:
        newest = repository.store.newest
        assert newest is not None
        numbers = newest.content().copies
        blocks = [data for number, data in txn.blocks() if number in numbers and len(data) > 2 * PAGE]
    assert blocks
    for which, file in enumerate((path / "data.mdb", path / "parity" / "newest")):
        whole = file.read_bytes()
        for block in blocks:
            at = whole.index(block)
            for start in range(PAGE - 16 + which * PAGE, len(block) - PAGE, 2 * PAGE):
                overwritten(file, at + start, bytes(PAGE))
    repaired(path)
    assert_all_is_back(path, versions)


@pytest.mark.parametrize("pages", [1, 3])
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_parity_itself_may_be_damaged_beside_the_database(
    path: Path, versions: Versions, pages: int, place: float
) -> None:
    """Its list, its sums or its end, with every damage that it is made for in the database."""
    (group,) = (path / "parity").glob("*.parity")
    overwritten(group, int(place * (group.stat().st_size - pages * PAGE)), bytes(pages * PAGE))
    chance = random.Random(f"{pages} {place}")
    total = page_count(path, 1)
    damage_pages(path, chance.sample(range(total), total * PERMILLE // 1000), noisy, chance)
    repaired(path)
    assert_all_is_back(path, versions)


def test_parity_may_be_lost_as_a_whole(path: Path, versions: Versions) -> None:
    """Without damage in the database, nothing depends on parity."""
    for file in (path / "parity").iterdir():
        file.write_bytes(bytes(file.stat().st_size))
    result = repaired(path)
    assert result.parity.unreadable == ("0000000001.parity",)
    assert_all_is_back(path, versions)


@pytest.mark.parametrize("seed", range(3))
def test_damage_beyond_the_share_is_named(path: Path, versions: Versions, seed: int) -> None:
    """Too much damage is told, block by block; what is restored after it is right or refused, never wrong."""
    chance = random.Random(seed)
    pages = page_count(path, 1)
    damage_pages(path, chance.sample(range(2, pages), pages // 4), noisy, chance)
    result = repaired(path)
    assert result.parity.lost
    assert result.check.damaged or result.lost_snapshots
    with open_repository(path, readonly=True) as repository:
        for snapshot in repository.snapshots():
            expected = next(files for one, files in versions if one.id == snapshot.id)
            try:
                assert contents(repository, snapshot) == expected
            except DamageError:
                continue
