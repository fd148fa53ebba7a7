"""A repository that grows old: months of a changing memory, with all that is done to it and all that goes wrong.

Beside it stand plain copies of what every snapshot must hold. The seed decides everything but the instant at which a
process is killed; lives of odd seeds have parity.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from icc_store.clock import FixedClock
from icc_store.errors import DamageError
from icc_store.ids import ObjectId
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.opening import compact_if_alone, create_copy, create_repository, open_repository
from icc_store.operations.annotate import TagOptions, pin, tag
from icc_store.operations.copy import copy_repository
from icc_store.operations.forget import ForgetOptions, forget, undelete
from icc_store.operations.gc import UNDELETE_HOURS, GcOptions, collect
from icc_store.operations.optimize import OptimizeOptions, optimize
from icc_store.operations.parity import turn_on
from icc_store.operations.restore import restore
from icc_store.operations.restore_plan import RestoreOptions
from icc_store.operations.verify import VerifyOptions, verify
from tests.age.memory import Memory
from tests.age.victim import interrupted
from tests.support.damage import block_numbers, damage_block
from tests.support.live import DAY, Contents, contents, new_clock, on_disk, snap
from tests.support.mending import repaired, zero_pages

HOUR = 3600.0
HOUR_NS = 3_600_000_000_000
ENTITIES = 25
PERMILLE = 50

ONE_THREAD = VerifyOptions(threads=1)


class Life:
    """`plain` is what every snapshot holds that may still be had; `hidden` says since when some are forgotten."""

    def __init__(self, top: Path, seed: int) -> None:
        self.top = top
        self.path, self.second = top / "repository", top / "copy"
        self.chance = random.Random(f"life {seed}")
        self.clock: FixedClock = new_clock()
        self.memory = Memory(top / "memory", self.chance, self.clock)
        self.plain: dict[ObjectId, Contents] = {}
        self.newest = ObjectId(bytes(32))
        self.hidden: dict[ObjectId, int] = {}
        self.copied: dict[ObjectId, Contents] = {}
        self.done: Counter[str] = Counter()
        self.memory.begin(ENTITIES)
        create_repository(self.path)
        self.has_parity = bool(seed % 2)
        if self.has_parity:
            with self.open(exclusive=True) as repository:
                turn_on(repository, PERMILLE)
        with self.open() as repository:
            create_copy(self.second, repository.header)
        self.snapshot()

    def open(self, path: Path | None = None, **options: Any) -> Any:
        """The repository, or its copy."""
        return open_repository(path or self.path, clock=self.clock, timeout=5.0, **options)

    def day(self) -> None:
        """One day: the memory changes, snapshots are taken, and now and then something is done or goes wrong."""
        for _ in range(self.chance.randint(1, 3)):
            self.memory.day()
            self.snapshot()
            self.clock.sleep(self.chance.uniform(0.1, 12) * HOUR)
        for event, share in self._events().items():
            if self.chance.random() < share:
                event()
                self.done[event.__name__.replace("_", " ")] += 1
                self.look()
        self.clock.sleep(self.chance.uniform(6, 18) * HOUR)
        self.done["days"] += 1

    def _events(self) -> dict[Callable[[], None], float]:
        return {
            self.forget: 0.15,
            self.undelete: 0.1,
            self.annotate: 0.15,
            self.restore: 0.15,
            self.kill: 0.25,
            self.damage_pages if self.has_parity else self.damage: 0.05,
            self.copy: 0.12,
            self.gc: 0.2,
            self.optimize: 0.06,
            self.compact: 0.05,
            self.jump_forwards: 0.02,
            self.jump_backwards: 0.03,
            self.verify: 0.05,
        }

    # ------------------------------------------------------------------ what is done

    def snapshot(self, **options: Any) -> None:
        """Take a snapshot of the memory as it is."""
        with self.open() as repository:
            taken = snap(repository, self.memory.top, **options)
            self._remember(repository, taken)
        self.done["snapshots"] += 1

    def forget(self) -> None:
        """Forget a snapshot, but not the newest."""
        with self.open() as repository:
            living = [one.id for one in repository.snapshots()[:-1] if not one.pinned]
            if living:
                forget(repository, [self.chance.choice(living)])
                self._note_hidden(repository)

    def undelete(self) -> None:
        """Take a forgotten snapshot back."""
        if self.hidden:
            back = self.chance.choice(sorted(self.hidden))
            with self.open() as repository:
                undelete(repository, [back])
            del self.hidden[back]

    def annotate(self) -> None:
        """Say something about a snapshot."""
        with self.open() as repository:
            one = self.chance.choice(repository.snapshots())
            tag(repository, [one.id], TagOptions(add=(f"day {self.done['days']}",)))
            if self.chance.random() < 0.3:
                pin(repository, [one.id], on=not one.pinned)

    def restore(self) -> None:
        """Restore a snapshot over whatever was restored before."""
        wanted = self.chance.choice(sorted(self.plain))
        target = self.top / "restored"
        with self.open(readonly=True) as repository:
            snapshot = self._snapshots(repository)[wanted]
            result = restore(repository, snapshot, options=RestoreOptions(target=target, delete=True))
        assert result.failures == ()
        assert on_disk(target) == self.plain[wanted]

    def gc(self) -> None:
        """Thin out by the default policy and remove what is due."""
        due = self._due()
        with self.open() as repository:
            result = collect(repository, options=GcOptions(), clock=self.clock)
            assert {one.id for one in result.removed} == due
            left = {decision.snapshot.id for decision in result.decisions if not decision.keep}
            before = set(self.hidden)
            self._drop(due)
            self._note_hidden(repository)
        assert set(self.hidden) == (before | left) - due
        compact_if_alone(self.path, clock=self.clock)

    def optimize(self) -> None:
        """Write what is cold anew for size, here or in the copy."""
        with self.open(self.chance.choice((self.path, self.second))) as repository:
            optimize(repository, options=OptimizeOptions(level=1, threads=1), clock=self.clock)

    def compact(self) -> None:
        """Shrink the file."""
        with self.open(exclusive=True) as repository:
            repository.compact()

    def copy(self) -> None:
        """Bring the copy up to date, and thin it out by itself."""
        with self.open(readonly=True) as repository, self.open(self.second) as target:
            copy_repository(repository, target)
            self.copied |= self.plain
            assert set(self._snapshots(target)) >= set(self.plain)
            collect(target, options=GcOptions(), clock=self.clock)
            self.copied = {identity: self.copied[identity] for identity in self._snapshots(target)}

    def jump_forwards(self) -> None:
        """The clock is set, and was slow."""
        self.clock.sleep(self.chance.uniform(1, 60) * DAY)

    def jump_backwards(self) -> None:
        """The clock is set, and was fast."""
        self.clock.sleep(-self.chance.uniform(0.01, 30) * DAY)

    # ------------------------------------------------------------------ what goes wrong

    def kill(self) -> None:
        """A process is killed in the middle of its work; what it did is done whole or not at all."""
        kind = self.chance.choice(("snapshot", "gc", "compact", "copy", *(["parity"] if self.has_parity else [])))
        self.memory.day()
        due = self._due()
        with self.open(readonly=True) as repository:
            planned = collect(repository, options=GcOptions(dry_run=True), clock=self.clock)
        leaving = {decision.snapshot.id for decision in planned.decisions if not decision.keep}
        interrupted(kind, self.top, self.clock.now_ns(), self.chance.uniform(0, 0.08))
        with self.open() as repository:
            found = self._snapshots(repository)
            new = set(found) - set(self.plain)
            gone = set(self.plain) - set(found)
            assert len(new) <= (kind == "snapshot"), new
            assert gone in ((set(), due) if kind == "gc" else (set(),)), gone
            for identity in new:
                self._remember(repository, found[identity])
            self._drop(gone)
            before = set(self.hidden)
            self._note_hidden(repository)
            assert set(self.hidden) in ((before, before | leaving - gone) if kind == "gc" else (before,))
        with self.open(self.second) as target:
            there = self._snapshots(target)
            assert set(self.copied) <= set(there) <= set(self.copied) | set(self.plain)
            self.copied |= {identity: self.plain[identity] for identity in set(there) - set(self.copied)}
        self.done[f"killed: {kind}"] += 1

    def damage(self) -> None:
        """A bit of a block turns; verify finds it, the next snapshot heals what is still on the disk.

        What cannot be healed is never restored wrongly; it is let go, and then all is well again.
        """
        with self.open() as repository:
            damage_block(repository, self.chance.choice(block_numbers(repository)), self.chance.random())
            assert verify(repository, options=ONE_THREAD).findings
        self.snapshot(rehash=True)
        newest = self.newest
        with self.open() as repository:
            verify(repository, options=ONE_THREAD)
            found = self._snapshots(repository)
            broken = [identity for identity in found if not self._is_whole(repository, found[identity])]
            assert newest not in broken
            assert set(found) == set(self.plain)
            pin(repository, broken, on=False)
            forget(repository, broken, options=ForgetOptions(purge=True))
            if collect(repository, options=GcOptions(), clock=self.clock).unreadable:
                # it met the block, now that nothing needs that; verify puts it away
                verify(repository, options=ONE_THREAD)
                collect(repository, options=GcOptions(), clock=self.clock)
            self._drop(set(self.plain) - set(self._snapshots(repository)))
            self._note_hidden(repository)  # what said that one was forgotten may have been the damaged block
            result = verify(repository, options=ONE_THREAD)
            assert not result.findings, result.findings
        self.done["snapshots lost to damage"] += len(broken)

    def damage_pages(self) -> None:
        """Pages of the database rot, no more than parity is for; repair brings everything back."""
        zero_pages(self.path / "data.mdb", PERMILLE / 1000, self.chance)
        result = repaired(self.path, self.clock)
        assert not result.parity.lost, result.parity
        self.verify()

    def _is_whole(self, repository: Repository, snapshot: Snapshot) -> bool:
        try:
            assert contents(repository, snapshot) == self.plain[snapshot.id]
        except DamageError:
            return False
        return True

    # ------------------------------------------------------------------ what always holds

    def look(self) -> None:
        """Every snapshot is there, and forgotten only if it was forgotten."""
        with self.open(readonly=True) as repository:
            found = self._snapshots(repository)
        assert set(found) == set(self.plain)
        assert {identity for identity, one in found.items() if one.forgotten_ns is not None} == set(self.hidden)

    def verify(self) -> None:
        """Nothing is wrong here or in the copy, and each snapshot holds what it must."""
        for path, expected in ((self.path, self.plain), (self.second, self.copied)):
            with self.open(path) as repository:
                result = verify(repository, options=ONE_THREAD)
                assert not result.findings, result.findings
                found = self._snapshots(repository)
                assert set(found) == set(expected)
                for identity, one in found.items():
                    assert contents(repository, one) == expected[identity]
        self.done["snapshots compared"] += len(self.plain) + len(self.copied)

    # ------------------------------------------------------------------ what is remembered

    def _remember(self, repository: Repository, taken: Snapshot) -> None:
        now = on_disk(self.memory.top)
        before = self.plain.get(self.newest, {})  # what is equal is kept once
        self.plain[taken.id] = {name: before[name] if before.get(name) == data else data for name, data in now.items()}
        self.newest = taken.id

    def _drop(self, gone: set[ObjectId]) -> None:
        for identity in gone:
            del self.plain[identity]
            self.hidden.pop(identity, None)

    def _due(self) -> set[ObjectId]:
        limit = self.clock.now_ns() - UNDELETE_HOURS * HOUR_NS
        return {identity for identity, since in self.hidden.items() if since <= limit}

    def _note_hidden(self, repository: Repository) -> None:
        found = self._snapshots(repository)
        self.hidden = {one.id: one.forgotten_ns for one in found.values() if one.forgotten_ns is not None}

    @staticmethod
    def _snapshots(repository: Repository) -> dict[ObjectId, Snapshot]:
        return {one.id: one for one in repository.snapshots(forgotten=True)}


def grow_old(top: Path, seed: int, *, days: int, until: float = float("inf")) -> Counter[str]:
    """Live so many days, or until that hour of the monotonic clock, and look at everything at the end."""
    life = Life(top, seed)
    try:
        while life.done["days"] < days and time.monotonic() < until:
            life.day()
        life.verify()
    except Exception as error:
        error.add_note(f"seed {seed}, day {life.done['days']}; {dict(life.done)}")
        raise
    return life.done
