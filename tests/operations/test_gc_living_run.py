"""gc beside a run that has stored something and not committed its snapshot, whether it lives on or not."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from icc_store.ids import Kind
from icc_store.model.repository import Repository
from icc_store.monitor import Monitor
from icc_store.operations.forget import forget
from icc_store.operations.gc import GcOptions, collect
from tests.support.live import KEEP_ALL, clean, contents, fill, snap, within
from tests.support.shelf import noise


def test_its_blocks_are_left_alone(repository: Repository, tmp_path: Path) -> None:
    """What a snapshot under way has stored already is nobody's yet, and yet gc neither takes it nor waits for it."""
    fill(tmp_path / "source", {"a": noise(1, 3000)})
    first = snap(repository, tmp_path / "source")
    fill(tmp_path / "source", {"b": noise(2, 3000)})
    second = snap(repository, tmp_path / "source")
    forget(repository, [first.id])
    with repository.adding() as run:
        identity = run.writer.add(Kind.CHUNK, noise(3, 3000))
        run.writer.commit()
        with within(20):
            result = clean(repository)
        assert result.sweep.objects_removed >= 1
        assert repository.objects.get(identity, Kind.CHUNK) == noise(3, 3000)
    assert contents(repository, second) == {"b": noise(2, 3000)}
    clean(repository)
    assert not repository.objects.contains(identity)


def test_it_ends_while_its_blocks_count(repository: Repository, tmp_path: Path) -> None:
    """What was looked at while it lived is swept once it is dead, and gc goes on without it."""
    fill(tmp_path / "source", {"a": noise(1, 3000)})
    snapshot = snap(repository, tmp_path / "source")
    stack = ExitStack()
    run = stack.enter_context(repository.adding())
    identity = run.writer.add(Kind.CHUNK, noise(3, 3000))
    run.writer.commit()

    class Ending(Monitor):
        def phase(self, name: str) -> None:
            if name == "sweep":
                stack.close()

    collect(repository, options=GcOptions(policy=KEEP_ALL, undelete_hours=0), monitor=Ending())
    assert not repository.objects.contains(identity)
    assert contents(repository, snapshot) == {"a": noise(1, 3000)}
