"""Puts one question at a time to all peers in turn, measures the answers and checks them."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.compare import Tree, differences, read_tree
from benchmarks.measure import Measurement, run_all
from benchmarks.peers import Peer, make_peer
from benchmarks.peers.protocol import Steps
from benchmarks.results import Problem, Sample, ScenarioResult, SizeSample
from benchmarks.workspace import Workspace, settle

Ask = Callable[[Peer], Steps]
Report = Callable[[str], None]

_SHOWN_DIFFERENCES = 5


class Contest:
    """The peers of one scenario, each with a repository of its own, over several runs.

    Every operation is put to all peers before the next one, in an order that rotates from run to run,
    so that slow drifts of the machine hit them alike. A peer that fails is left out of the rest of the run.
    """

    def __init__(self, result: ScenarioResult, peers: Sequence[str], workspace: Workspace, report: Report) -> None:
        self.result = result
        self.workspace = workspace
        self._names = peers
        self._report = report
        self._peers: list[Peer] = []
        self._run = 0

    @contextmanager
    def run(self, number: int, *, only: Sequence[str] = ()) -> Iterator[Path]:
        """Begin one run with empty repositories, of all peers or some; yield a directory for the data."""
        self._run = number
        home = self.workspace.fresh("run")
        names = [name for name in self._names if not only or name in only]
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

    def ask(self, operation: str, ask: Ask, *, sample_memory: bool = True) -> None:
        """Have every peer carry out one operation."""
        for peer in list(self._peers):
            self._measure(operation, peer, ask(peer), sample_memory)

    def snapshot(self, operation: str, source: Path, label: str, *, sample_memory: bool = True) -> None:
        """Have every peer take a snapshot."""
        self.ask(operation, lambda peer: peer.snapshot(source, label), sample_memory=sample_memory)

    def restore(self, operation: str, expected: Tree) -> None:
        """Have every peer restore its newest snapshot, and compare what came back."""
        for peer in list(self._peers):
            target = self.workspace.fresh("restored")
            if self._measure(operation, peer, peer.restore(target), True):
                self._judge(operation, peer, differences(expected, read_tree(target), peer.fidelity))
            if len(expected) > 100:
                self.workspace.discard(target)
            else:
                shutil.rmtree(target)

    def one_file(self, operation: str, label: str, path: str, expected: bytes) -> None:
        """Have every peer write out one file of a snapshot, and compare its bytes."""
        for peer in list(self._peers):
            output = peer.home / "one-file"
            if self._measure(operation, peer, peer.one_file(label, path, output), True):
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

    def note(self, text: str) -> None:
        """Tell the person waiting what happens."""
        self._report(f"{self.result.scenario}: {text}")

    def _measure(self, operation: str, peer: Peer, steps: Steps, sample_memory: bool) -> bool:
        """Run one operation; return whether there is an answer to look at."""
        if not steps:
            return False
        os.sync()
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


def warm(tree: Path) -> Tree:
    """Let writes settle, then read all of a tree: what is expected back, and now in the page cache."""
    settle()
    return read_tree(tree)
