"""Salvage: what is left in the bytes of a file comes back; what was removed does not; what is lost is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.errors import DamageError, RepositoryNotFound, UsageError
from icc_store.model.walk import lookup
from icc_store.opening import create_repository, open_for_salvage, open_repository
from icc_store.operations.forget import ForgetOptions, forget
from icc_store.operations.optimize import OptimizeOptions, optimize
from icc_store.operations.salvage import SalvageResult, salvage
from icc_store.operations.verify import verify
from tests.support import damage
from tests.support.live import clean, contents, fill, snap
from tests.support.program import Program
from tests.support.shelf import noise, words
from tests.support.versions import FILES, Versions, make_versions, opened

PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create_repository(tmp_path / "damaged")
    return tmp_path / "damaged"


@pytest.fixture
def versions(path: Path, tmp_path: Path, clock: FixedClock) -> Versions:
    """Three snapshots, the second of them forgotten, after one that was removed."""
    made = make_versions(path, tmp_path / "source", clock, count=3)
    with opened(path, clock) as repository:
        forget(repository, [made[1][0].id])
    return made


def salvaged(
    damaged: Path, new: Path, clock: FixedClock, *, identity: bytes | None = None, orphans: Path | None = None
) -> SalvageResult:
    """Salvage, and prove that not a byte of the damaged repository changed, and that the new one is sound."""
    before = {file: file.read_bytes() for file in damaged.rglob("*") if file.is_file()}
    with open_for_salvage(damaged, new, identity=identity, clock=clock) as salvaging:
        result = salvage(salvaging.repository, salvaging.data, salvaging.evidence, orphans=orphans, clock=clock)
    assert {file: file.read_bytes() for file in damaged.rglob("*") if file.is_file()} == before
    return result


def same(new: Path, versions: Versions, clock: FixedClock) -> None:
    """Everything is in the new repository, in its state, and nothing else."""
    with opened(new, clock) as repository:
        assert verify(repository).findings == ()
        listed = repository.snapshots(forgotten=True)
        assert [one.id for one in listed] == [snapshot.id for snapshot, _ in versions]
        assert [one.forgotten_ns is None for one in listed] == [True, False, True]
        assert (listed[0].tags, listed[0].pinned) == (("good",), True)
        for snapshot, files in versions:
            assert contents(repository, snapshot) == files


def test_a_sound_repository(path: Path, versions: Versions, tmp_path: Path, clock: FixedClock) -> None:
    """All comes back, nothing that was removed does, and the new repository takes snapshots as any other."""
    result = salvaged(path, tmp_path / "new", clock)
    assert result.whole
    assert (result.snapshots, result.incomplete, result.damaged_blocks) == (3, (), 0)
    same(tmp_path / "new", versions, clock)
    with opened(path, clock) as old, opened(tmp_path / "new", clock) as new:
        assert new.header.repository == old.header.repository
        assert new.header.instance != old.header.instance
        fill(tmp_path / "source", {"more": b"more"})
        made = snap(new, tmp_path / "source")
        assert made.record.seq == versions[-1][0].record.seq + 1
        assert verify(new).findings == ()


def test_a_copy_that_lost_its_base(path: Path, tmp_path: Path, clock: FixedClock) -> None:
    """That an old copy of an object cannot be read any more, in a block that stayed for others, is no loss."""
    states = [{"a": words(1, 20_000) + b"%d" % number} for number in range(3)]
    states[2]["b"] = noise(1, 1_000)
    with open_repository(path, clock=clock, exclusive=True) as repository:
        taken = []
        for state in states:
            fill(tmp_path / "source", state)
            taken.append(snap(repository, tmp_path / "source"))
        forget(repository, [taken[1].id], options=ForgetOptions(purge=True))
        clean(repository)
        optimize(repository, options=OptimizeOptions(level=1, threads=1))
        repository.compact()
    assert salvaged(path, tmp_path / "new", clock).whole
    with opened(tmp_path / "new", clock) as repository:
        assert verify(repository).findings == ()
        assert [contents(repository, one) for one in repository.snapshots()] == [states[0], states[2]]


def zero(path: Path, start: int, size: int) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(bytes(size))


def first_pages_and_header(path: Path) -> None:
    """Both pages where LMDB begins, and the header."""
    zero(path / "data.mdb", 0, 2 * PAGE)
    (path / "repository.json").unlink()


def every_inner_page(path: Path) -> None:
    """Every page of LMDB's trees that holds no block, so that nothing leads anywhere."""
    data = (path / "data.mdb").read_bytes()
    for page in damage.inner_pages(path / "data.mdb"):
        if b"ICCB" not in data[page : page + PAGE]:
            zero(path / "data.mdb", page, PAGE)


@pytest.mark.parametrize("harm", [first_pages_and_header, every_inner_page])
def test_nothing_leads_to_the_blocks(
    path: Path, versions: Versions, tmp_path: Path, clock: FixedClock, harm: object
) -> None:
    """Without a page that leads to them, the blocks are found all the same; that the list is lost is told."""
    assert callable(harm)
    harm(path)
    result = salvaged(path, tmp_path / "new", clock)
    assert not result.list_is_whole
    assert not result.whole
    assert result.incomplete == ()
    with opened(tmp_path / "new", clock) as repository:
        listed = {one.id: one for one in repository.snapshots(forgotten=True)}
        assert listed.keys() >= {snapshot.id for snapshot, _ in versions}
        assert [listed[snapshot.id].forgotten_ns is None for snapshot, _ in versions] == [True, False, True]
        assert all(one.forgotten_ns is not None for one in listed.values() if one.id not in dict_of(versions))
        for snapshot, files in versions:
            assert contents(repository, snapshot) == files


def dict_of(versions: Versions) -> dict[bytes, dict[str, bytes]]:
    return {snapshot.id: files for snapshot, files in versions}


def test_the_file_alone(path: Path, versions: Versions, tmp_path: Path, clock: FixedClock) -> None:
    """The file of the database is enough, whatever it is called and wherever it lies."""
    (tmp_path / "lost+found").mkdir()
    (path / "data.mdb").rename(tmp_path / "lost+found/#123")
    assert salvaged(tmp_path / "lost+found/#123", tmp_path / "new", clock).whole
    same(tmp_path / "new", versions, clock)


def test_what_is_lost_is_named(path: Path, versions: Versions, tmp_path: Path, clock: FixedClock) -> None:
    """A damaged block: every file in it is named, and everything else is as it was."""
    victim = versions[2][0]
    with opened(path, clock) as repository:
        chunk = lookup(repository.objects, victim.record, b"new 3").entry.chunk
        number = damage.block_of(repository, chunk)
        damage.damage_block(repository, number)
    result = salvaged(path, tmp_path / "new", clock)
    assert result.damaged_blocks == 1
    assert [each.snapshot.id for each in result.incomplete] == [victim.id]
    lost = {os.fsdecode(file.path) for file in result.incomplete[0].files}
    with opened(tmp_path / "new", clock) as repository:
        assert not result.incomplete[0].snapshot.record.name
        for snapshot, files in versions[:2]:
            assert contents(repository, snapshot) == files
        if "" not in lost:
            assert "new 3" in lost


def test_two_repositories_in_one_file(path: Path, versions: Versions, tmp_path: Path, clock: FixedClock) -> None:
    """Blocks of another repository in the same file are left alone; a wrong id is told the right one."""
    other = tmp_path / "other"
    create_repository(other)
    with opened(other, clock) as repository:
        fill(tmp_path / "source", {"other": b"other"})
        snap(repository, tmp_path / "source")
        foreign = repository.header.repository
    with (path / "data.mdb").open("ab") as file:
        file.write((other / "data.mdb").read_bytes())
    assert salvaged(path, tmp_path / "new", clock).whole
    same(tmp_path / "new", versions, clock)
    result = salvaged(path, tmp_path / "new other", clock, identity=foreign)
    assert result.snapshots == 1
    with pytest.raises(DamageError, match=r"no block of repository .*--repository-id"):
        salvaged(path, tmp_path / "new third", clock, identity=bytes(16))
    assert not (tmp_path / "new third").exists()


def test_a_repository_in_a_repository(path: Path, tmp_path: Path, clock: FixedClock) -> None:
    """What looks like a block and stands inside one, since a repository was backed up, is content."""
    with opened(path, clock) as repository:
        fill(tmp_path / "source", {"old": b"old"})
        removed = snap(repository, tmp_path / "source")
        fill(tmp_path / "source", {"inner": noise(2, 9000) + (path / "data.mdb").read_bytes()})
        kept = snap(repository, tmp_path / "source")
        forget(repository, [removed.id])
        clean(repository)
        repository.compact()
    zero(path / "data.mdb", 0, 2 * PAGE)
    salvaged(path, tmp_path / "new", clock)
    with opened(tmp_path / "new", clock) as repository:
        assert [one.id for one in repository.snapshots(forgotten=True)] == [kept.id]


def test_orphans(path: Path, versions: Versions, tmp_path: Path, clock: FixedClock) -> None:
    """Contents that no snapshot leads to any more are counted, and written out where that is asked for."""
    wanted = {words(903, 3000), FILES["d1/001"]}
    with opened(path, clock) as repository:
        for snapshot, _ in versions:
            damage.damage_block(repository, damage.block_of(repository, snapshot.id))
        for key, data in damage.copies_of(repository):
            whole = (path / "data.mdb").read_bytes()
            assert key
            for place in (at for at in range(len(whole)) if whole.startswith(data, at)):
                damage.flip(path / "data.mdb", place + len(data) // 2)
    result = salvaged(path, tmp_path / "new", clock, orphans=tmp_path / "pieces")
    assert set(result.lost_snapshots) == {snapshot.id for snapshot, _ in versions}
    pieces = [file.read_bytes() for file in (tmp_path / "pieces").iterdir()]
    assert wanted <= set(pieces)
    assert result.orphans.written == len(pieces)
    assert result.orphans.objects > len(pieces)
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "pieces").iterdir()} == {0o600}


def test_places_that_do_not_fit(path: Path, versions: Versions, tmp_path: Path, clock: FixedClock) -> None:
    """Nothing is made where something is, nothing inside the damaged repository, and of nothing nothing comes."""
    assert versions
    for new, error in ((path / "new", UsageError), (path, UsageError)):
        with pytest.raises(error):
            salvaged(path, new, clock)
    with pytest.raises(RepositoryNotFound):
        salvaged(tmp_path / "nothing", tmp_path / "new", clock)
    (path / "data.mdb").write_bytes(b"")
    with pytest.raises(DamageError, match="is empty"):
        salvaged(path, tmp_path / "new", clock)
    (path / "data.mdb").write_bytes(noise(1, 100_000))
    with pytest.raises(DamageError, match="no whole block"):
        salvaged(path, tmp_path / "new", clock)
    assert not (tmp_path / "new").exists()


def cut_short(damaged: Path, new: Path, clock: FixedClock) -> None:
    with open_for_salvage(damaged, new, clock=clock) as salvaging:
        salvage(salvaging.repository, salvaging.data, salvaging.evidence, clock=clock)
        raise KeyboardInterrupt


def test_what_was_cut_short_is_begun_again(path: Path, versions: Versions, tmp_path: Path, clock: FixedClock) -> None:
    """A salvage that was stopped left no repository, and the next one needs no help."""
    with pytest.raises(KeyboardInterrupt):
        cut_short(path, tmp_path / "new", clock)
    with pytest.raises(Exception, match=r"repository\.json is missing"), opened(tmp_path / "new", clock):
        pass
    assert salvaged(path, tmp_path / "new", clock).whole
    same(tmp_path / "new", versions, clock)


def test_what_is_purged_is_gone(tmp_path: Path) -> None:
    """Freed bytes stay in the file until they are written over; after `gc --purge` nothing of them is in any file."""
    secret = noise(77, 60_000)
    fill(tmp_path / "source", {"secret": secret, "other": words(1, 4000)})
    program = Program(tmp_path / "r")
    program.good("init")
    program.good("snapshot", tmp_path / "source", "--name", "first")
    fill(tmp_path / "source", {"other": words(1, 4000)})
    program("snapshot", tmp_path / "source", "--name", "second")
    program.good("forget", "first")
    program.good("gc", "--now")
    assert secret[:3000] in (tmp_path / "r/data.mdb").read_bytes()
    program.good("gc", "--purge")
    assert not any(secret[at : at + 16] in file.read_bytes() for file in files_of(tmp_path / "r") for at in (0, 30_000))
    assert [row["name"] for row in program("list", "--json-lines").rows] == ["second"]
    assert program("verify").code == 0


def files_of(path: Path) -> list[Path]:
    return [file for file in path.rglob("*") if file.is_file()]


def test_the_command(tmp_path: Path) -> None:
    """It says what came back; with something lost the exit code is 3, and every lost file is listed by its path."""
    fill(tmp_path / "source", {f"{number}": noise(number, 200_000) for number in range(4)})
    program = Program(tmp_path / "r")
    program.good("init")
    program.good("snapshot", tmp_path / "source", "--name", "first")
    done = program.good("salvage", tmp_path / "r", tmp_path / "new", "--json").document
    assert (done["snapshots"], done["incomplete"], done["findings"]) == (1, [], [])
    with open_repository(tmp_path / "r") as repository:
        chunk = lookup(repository.objects, repository.snapshots()[0].record, b"0").entry.chunk
        damage.damage_block(repository, damage.block_of(repository, chunk))
    lost = program("salvage", tmp_path / "r", tmp_path / "second")
    assert lost.code == 3
    assert "incomplete: snapshot" in lost.out
    assert "lost: 0" in lost.out
    assert program("salvage", tmp_path / "r", tmp_path / "third", "--repository-id", "12").code == 2
