"""Puts one question at a time to all peers in turn, measures the answers and checks them."""

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.compare import Tree, differences, read_all, read_tree
from benchmarks.floors import Floors
from benchmarks.measure import Measurement, run_all
from benchmarks.peers import ANCHORS, Peer, make_peer
from benchmarks.peers.protocol import Steps
from benchmarks.results import Problem, Sample, ScenarioResult, SizeSample
from benchmarks.workspace import Workspace, copy_tree

Ask = Callable[[Peer], Steps]
Judge = Callable[[Peer, Path], Sequence[str]]
Report = Callable[[str], None]

_SHOWN_DIFFERENCES = 5


class Contest:
    """The peers of one scenario, each with a repository of its own, over several runs.

    Every operation is put to all peers before the next one, in an order that rotates from run to run,
    so that slow drifts of the machine hit them alike. A peer that fails is left out of the rest of the run.
    """

    def __init__(
        self,
        result: ScenarioResult,
        peers: Sequence[str],
        workspace: Workspace,
        report: Report,
        *,
        seconds: float | None = None,
    ) -> None:
        self.result = result
        self.workspace = workspace
        self._names = peers
        self._report = report
        self._end = math.inf if seconds is None else time.monotonic() + seconds
        self._peers: list[Peer] = []
        self._run = 0

    def runs(self, count: int) -> Iterator[int]:
        """Yield the numbers of runs from 1, as many as the time allows, but one in any case."""
        for number in range(1, count + 1):
            begun = time.monotonic()
            yield number
            if number < count and self.time_left() < time.monotonic() - begun:
                self.note(f"no time for more than {number} of {count} runs")
                return

    def time_left(self) -> float:
        """Return the seconds until this scenario should begin nothing more; infinite where no limit was given."""
        return self._end - time.monotonic()

    @contextmanager
    def run(self, number: int, *, only: Sequence[str] = ()) -> Iterator[Path]:
        """Begin one run with empty repositories, of all peers or some; yield a directory for the data.

        Runs after the first leave out the anchors, which differ too much from us for their variance to matter.
        """
        self._run = number
        home = self.workspace.fresh("run")
        names = [name for name in self._names if not only or name in only]
        names = [name for name in names if number == 1 or name not in ANCHORS]
        turn = number % max(1, len(names))
        self._peers = []
        for name in (*names[turn:], *names[:turn]):
            (home / name).mkdir()
            self._peers.append(make_peer(name, home / name))
        for peer in list(self._peers):
            done = run_all(peer.init())
            if not done.ok:
                self._fail("init", peer, _failure(done))
        try:
            yield home / "source"
        finally:
            self.workspace.discard(home)

    def ask(
        self, operation: str, ask: Ask, *, times: int = 1, sample_memory: bool = True, source: Path | None = None
    ) -> None:
        """Have every peer carry out one operation, `times` times in turn. `source` is what they read."""
        for _ in range(times):
            for peer in list(self._peers):
                self._measure(operation, peer, ask(peer), sample_memory, source=source)

    def snapshot(self, operation: str, source: Path, label: str, *, sample_memory: bool = True) -> None:
        """Have every peer take a snapshot."""
        self.ask(operation, lambda peer: peer.snapshot(source, label), sample_memory=sample_memory, source=source)

    def restore(self, operation: str, expected: Tree) -> None:
        """Have every peer restore its newest snapshot, and compare what came back."""
        self.restored(operation, lambda peer, target: differences(expected, read_tree(target), peer.fidelity))

    def restored(self, operation: str, judge: Judge) -> None:
        """Have every peer restore its newest snapshot, and note what `judge` finds wrong with it."""
        for peer in list(self._peers):
            target = self.workspace.fresh("restored")
            if self._measure(operation, peer, peer.restore(target), True):
                self._judge(operation, peer, judge(peer, target))
            self.workspace.discard(target)

    def one_file(self, operation: str, label: str, path: str, expected: bytes, *, times: int = 1) -> None:
        """Have every peer write out one file of a snapshot, and compare its bytes."""
        for peer in [peer for _ in range(times) for peer in self._peers]:
            output = peer.home / "one-file"
            if peer in self._peers and self._measure(operation, peer, peer.one_file(label, path, output), True):
                right = output.read_bytes() == expected
                self._judge(operation, peer, [] if right else [f"other bytes: {path} of {label}"])

    def answers(
        self,
        operation: str,
        ask: Callable[[Peer, Path], Steps],
        read: Callable[[Peer, Path], object],
    ) -> None:
        """Put one question to every peer, and compare what `read` makes of their answers with each other."""
        said: list[tuple[Peer, object]] = []
        for peer in list(self._peers):
            output = peer.home / "answer"
            if self._measure(operation, peer, ask(peer, output), True):
                said.append((peer, read(peer, output)))
        for peer, answer in said[1:]:
            first, other = said[0]
            self._judge(operation, peer, [] if answer == other else [f"not what {first.name} says"])

    def sizes(self, moment: str) -> None:
        """Note how big the repositories are."""
        for peer in self._peers:
            size = peer.size()
            self.result.sizes.append(SizeSample(moment, peer.name, self._run, size.apparent, size.allocated))

    def floors(self, source: Path) -> None:
        """Measure what the work on `source` costs at the least."""
        floors = Floors(self.workspace)
        read_all(source)
        self.result.facts["floors"] = floors.language
        self.result.floors += floors.measure(source, self._run)
        self.note(f"run {self._run}, floors: {floors.language}")

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Do something to the repositories, and have them afterwards as they were before."""
        kept = [(peer.home, peer.home.with_name(f"{peer.home.name}-kept")) for peer in self._peers]
        for home, copy in kept:
            copy_tree(home, copy)
        yield
        for home, copy in kept:
            self.workspace.discard(home)
            copy.rename(home)

    def settle(self) -> None:
        """Let pending writes reach the disk, and what was just written become old enough to be trusted."""
        self.workspace.settle()

    def warm(self, tree: Path) -> Tree:
        """Settle, then read all of a tree: what is expected back, and now in the page cache."""
        self.settle()
        return read_tree(tree)

    def note(self, text: str) -> None:
        """Tell the person waiting what happens."""
        self._report(f"{self.result.scenario}: {text}")

    def _measure(
        self, operation: str, peer: Peer, steps: Steps, sample_memory: bool, *, source: Path | None = None
    ) -> bool:
        """Run one operation with warm caches; return whether there is an answer to look at."""
        if not steps:
            return False
        os.sync()  # first: what is not written yet cannot be dropped from the cache by whoever was measured before
        for read in filter(None, (peer.home, source)):
            read_all(read)
        done = run_all(steps, sample_memory=sample_memory)
        if not done.ok:
            self._fail(operation, peer, _failure(done))
            return False
        sample = Sample(operation, peer.name, self._run, done.wall, done.cpu, done.peak_memory)
        self.result.samples.append(sample)
        self.note(f"run {self._run}, {operation}, {peer.name}: {done.wall:.2f} s")
        return True

    def _judge(self, operation: str, peer: Peer, found: Sequence[str]) -> None:
        if found:
            shown = "; ".join(found[:_SHOWN_DIFFERENCES])
            self._problem(operation, peer, f"{len(found)} differences: {shown}")

    def _fail(self, operation: str, peer: Peer, text: str) -> None:
        self._problem(operation, peer, text)
        self._peers.remove(peer)

    def _problem(self, operation: str, peer: Peer, text: str) -> None:
        self.result.problems.append(Problem(operation, peer.name, self._run, text))
        self.note(f"run {self._run}, {operation}, {peer.name}: {text}")


def _failure(done: Measurement) -> str:
    return f"exit status {done.status}: {done.stderr.strip()[-500:]}"
