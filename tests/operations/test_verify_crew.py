"""Verifying with several processes: they count what one counts, and miss nothing that one finds."""

from __future__ import annotations

import faulthandler
import os
import random
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from icc_store.cli.in_child import in_child
from icc_store.clock import SYSTEM_CLOCK
from icc_store.errors import WorkerKilled
from icc_store.ids import Kind
from icc_store.model.repository import Repository
from icc_store.model.walk import lookup
from icc_store.monitor import SILENT, Monitor
from icc_store.objects.index import pack_row
from icc_store.opening import create_repository, open_repository
from icc_store.operations.verify import VerifyResult, verify
from icc_store.operations.verify_blocks import BlockCheck
from icc_store.operations.verify_crew import Sums, sums_if_sound
from icc_store.operations.verify_trees import Contents, TreeCheck
from icc_store.store.protocol import Table
from tests.support.damage import block_of, change, damage_block, inner_pages, lose
from tests.support.forged import Forge, content_list, wire
from tests.support.forked import forked
from tests.support.live import new_clock, put, snap, within
from tests.support.processes import children

_FILES = 190
_PAGE = 4096


class Killer(Monitor):
    """Kills a child of this process when the first bytes have been checked."""

    def __init__(self, number: signal.Signals) -> None:
        self._number = number
        self._others = children()
        self.killed = False

    def advance(self, files: int, size: int, path: bytes) -> None:
        if not self.killed:
            os.kill(min(children() - self._others), self._number)
            self.killed = True


class Impatient(Monitor):
    """Asks this process to stop when the first bytes have been checked."""

    def advance(self, files: int, size: int, path: bytes) -> None:
        os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of more blocks than one process checks, with two snapshots, deltas, lists and annotations."""
    top = tmp_path_factory.mktemp("many")
    create_repository(top / "repository")
    dice = random.Random(5)
    for number in range(9):
        (top / "source" / f"d{number}").mkdir(parents=True)
    for number in range(_FILES):
        put(top / "source" / f"d{number % 9}" / f"f{number}", dice.randbytes(110_000))
    put(top / "source" / "large", dice.randbytes(2_500_000))
    with open_repository(top / "repository", clock=new_clock()) as repository:
        snap(repository, top / "source")
        for number in range(20):
            path = top / "source" / f"d{number % 9}" / f"f{number}"
            put(path, path.read_bytes() + b"more")
        snap(repository, top / "source")
    return top / "repository"


@pytest.fixture
def repository(stored: Path, tmp_path: Path) -> Iterator[Repository]:
    shutil.copytree(stored, tmp_path / "repository")
    with open_repository(tmp_path / "repository", clock=new_clock()) as opened:
        yield opened


def found(repository: Repository, monitor: Monitor = SILENT) -> Sums | None:
    """What several processes say."""
    records = [snapshot.record for snapshot in repository.snapshots()]
    end = repository.objects.transaction.last_block() + 1
    return sums_if_sound(repository, records, end, monitor, SYSTEM_CLOCK)


def test_they_count_what_one_counts(repository: Repository) -> None:
    """Blocks, objects, bytes, trees, references and records."""
    sums = found(repository)
    assert sums is not None
    blocks = BlockCheck(repository, SILENT, threads=1)
    blocks.run(1, repository.objects.transaction.last_block() + 1)
    trees = TreeCheck(repository, SILENT, {}, contents=Contents.LENGTHS)
    assert all(trees.check(snapshot.record) for snapshot in repository.snapshots())
    assert sums.blocks == blocks.blocks > 64
    assert (sums.objects, sums.stored_bytes) == (blocks.objects, blocks.stored_bytes)
    assert sums.plain_bytes == blocks.plain_bytes + trees.read_bytes
    assert (sums.trees, sums.references) == (trees.trees, trees.references)
    assert sums.records == blocks.records
    result = verify(repository)
    assert (result.findings, result.complete, result.trees, result.blocks) == ((), True, sums.trees, sums.blocks)


def _damage_a_block(repository: Repository) -> None:
    damage_block(repository, repository.objects.transaction.last_block() // 2)


def _lose_a_chunk(repository: Repository) -> None:
    lose(repository, lookup(repository.objects, repository.snapshots()[-1].record, b"d5/f50").entry.chunk)


def _lose_a_tree(repository: Repository) -> None:
    lose(repository, lookup(repository.objects, repository.snapshots()[0].record, b"d5").entry.subtree)


def _lose_a_block(repository: Repository) -> None:
    number = block_of(repository, lookup(repository.objects, repository.snapshots()[-1].record, b"d3/f30").entry.chunk)
    change(repository, lambda txn: txn.delete_block(number))


def _add_a_row(repository: Repository) -> None:
    change(repository, lambda txn: txn.insert_rows([pack_row(b"k" * 16, 5, 0)]))


def _add_a_row_beyond(repository: Repository) -> None:
    change(repository, lambda txn: txn.insert_rows([pack_row(b"k" * 16, txn.last_block() + 1, 0)]))


def _state_another_length(repository: Repository) -> None:
    forge = Forge(repository)
    listed = forge.put(Kind.LIST, content_list(0, [forge.put(Kind.CHUNK, b"12345")], [6]))
    forge.snapshot(forge.tree(wire(b"f", key5=6, key8=listed)))


def _unlist_a_snapshot(repository: Repository) -> None:
    change(repository, lambda txn: txn.delete(Table.SNAPSHOTS, (2).to_bytes(8)))


@pytest.mark.parametrize(
    "harm",
    [
        _damage_a_block,
        _lose_a_chunk,
        _lose_a_tree,
        _lose_a_block,
        _add_a_row,
        _add_a_row_beyond,
        _state_another_length,
        _unlist_a_snapshot,
    ],
)
def test_whatever_is_wrong_is_found(repository: Repository, harm: Callable[[Repository], None]) -> None:
    """Blocks, index and trees: each finding is made by the one process that checks all of it again."""
    harm(repository)
    assert harm is _unlist_a_snapshot or found(repository) is None
    assert verify(repository).findings


def test_one_process_does_it_where_no_other_can_be(repository: Repository) -> None:
    """Beside other threads nobody is forked, and the verdict is the same."""
    with _another_thread():
        assert found(repository) is None
        alone = verify(repository, clock=repository.clock)
    together = verify(repository, clock=repository.clock)
    assert (alone.findings, alone.blocks, alone.objects) == (together.findings, together.blocks, together.objects)
    assert alone.findings == ()


@contextmanager
def _another_thread() -> Iterator[None]:
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def test_a_killed_child_is_told(repository: Repository) -> None:
    """It is no damage, and the repository can be verified afterwards."""
    with within(30), pytest.raises(WorkerKilled):
        verify(repository, monitor=Killer(signal.SIGKILL))
    assert verify(repository).findings == ()


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT])
def test_a_crashed_child_has_all_checked_again(stored: Path, tmp_path: Path, number: signal.Signals) -> None:
    """What liblmdb does to it over a damaged page: the one process goes through everything, and says what is there."""
    shutil.copytree(stored, tmp_path / "repository")

    def work(_monitor: Monitor) -> VerifyResult:
        faulthandler.disable()  # a crash is what is wanted
        killer = Killer(number)
        with open_repository(tmp_path / "repository", clock=new_clock()) as opened:
            result = verify(opened, monitor=killer)
        assert killer.killed
        return result

    with within(30):
        result = in_child(work, SILENT, SYSTEM_CLOCK)
    assert (result.findings, result.complete, result.snapshots) == ((), True, 2)
    assert result.blocks > 64


def test_a_request_to_stop_ends_all(repository: Repository) -> None:
    """Ctrl-C: none of the processes is left, and the repository can be verified afterwards."""
    before = children()
    with within(30), pytest.raises(KeyboardInterrupt):
        verify(repository, monitor=Impatient())
    assert children() == before
    assert verify(repository).findings == ()


def test_whatever_page_is_lost(stored: Path, tmp_path: Path) -> None:
    """Pages that are zeros end processes inside liblmdb, or are errors: damage is told in order either way."""
    shutil.copytree(stored, tmp_path / "repository")
    environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    whole = {path: path.read_bytes() for path in (tmp_path / "repository/data.mdb", tmp_path / "repository/head")}
    data = tmp_path / "repository/data.mdb"
    ended = 0
    for page in random.Random(3).sample(inner_pages(data)[2:], 12):
        for path, before in whole.items():
            path.write_bytes(before)
        with open(data, "r+b") as file:
            file.seek(page)
            file.write(bytes(_PAGE))
        done = forked(("--repo", tmp_path / "repository", "verify"), environ, tmp_path)
        assert done.code in (0, 6), (page, done)
        assert done.code == 0 or "damage" in done.out or "icc-store verify" in done.err, (page, done)
        ended += "ended the process" in done.out
    assert ended > 0
