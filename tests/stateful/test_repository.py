"""A repository and its copy under any sequence of operations, against plain copies of what was backed up."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from icc_store.opening import create_copy, create_repository, open_repository
from icc_store.operations.copy import copy_repository
from icc_store.operations.forget import ForgetOptions, forget, undelete
from icc_store.operations.restore import restore
from icc_store.operations.restore_plan import RestoreOptions
from icc_store.operations.verify import verify
from tests.support.live import Contents, clean, contents, new_clock, on_disk, put, snap
from tests.support.shelf import noise, words

_NAMES = st.sampled_from(["a", "b", "d/a", "d/c", "d/e/f", "large", "x/y/z"])
_TEXTS = [words(number, 3000) for number in range(3)] + [b"", noise(1, 3000), noise(2, 3000)]
_LARGE = noise(3, 2_200_000)
HOUR = 3600.0


class Machine(RuleBasedStateMachine):
    """`plain` are the files of every snapshot that may still be had, by id; `hidden` those that are forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.top = Path(tempfile.mkdtemp(prefix="stateful-"))
        self.source = self.top / "source"
        self.clock = new_clock()
        self.plain: dict[bytes, Contents] = {}
        self.hidden: dict[bytes, int] = {}
        self.copied: dict[bytes, Contents] = {}
        self.restored = 0

    def open(self, name: str = "r", **options: Any) -> Any:
        return open_repository(self.top / name, clock=self.clock, timeout=1.0, **options)

    @initialize()
    def begin(self) -> None:
        create_repository(self.top / "r")
        with self.open() as repository:
            create_copy(self.top / "copy", repository.header)
        (self.source / "d").mkdir(parents=True)

    def teardown(self) -> None:
        shutil.rmtree(self.top)

    # ------------------------------------------------------------------ what happens to files

    @rule(name=_NAMES, text=st.integers(0, 5), more=st.integers(0, 9))
    def write(self, name: str, text: int, more: int) -> None:
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = _LARGE[more * 1000 :] if name == "large" else _TEXTS[text] + b"%d" % more
        if path.exists():
            path.unlink()
        put(path, data, mtime_ns=None)

    @rule(name=_NAMES, at=st.integers(0, 2000))
    def edit(self, name: str, at: int) -> None:
        path = self.source / name
        if path.exists():
            data = path.read_bytes()
            path.write_bytes(data[:at] + b"edited" + data[at + 3 :])

    @rule(name=_NAMES)
    def delete(self, name: str) -> None:
        (self.source / name).unlink(missing_ok=True)

    @rule(one=st.sampled_from(["d", "x", "moved"]), other=st.sampled_from(["d", "x", "moved"]))
    def rename(self, one: str, other: str) -> None:
        if (self.source / one).exists() and not (self.source / other).exists():
            (self.source / one).rename(self.source / other)

    @rule(one=_NAMES, other=_NAMES)
    def link(self, one: str, other: str) -> None:
        old, new = self.source / one, self.source / other
        if old.exists() and not new.exists() and new.parent.is_dir():
            os.link(old, new)

    # ------------------------------------------------------------------ what happens to the repository

    @rule(source=st.sampled_from(["home", "home", "other"]), rehash=st.booleans())
    def snapshot(self, source: str, rehash: bool) -> None:
        with self.open() as repository:
            taken = snap(repository, self.source, source=source, rehash=rehash)
        self.plain[taken.id] = on_disk(self.source)

    @precondition(lambda self: len(self.plain) > len(self.hidden))
    @rule(which=st.integers(0, 20))
    def forget(self, which: int) -> None:
        living = [one for one in self.plain if one not in self.hidden]
        with self.open() as repository:
            gone = living[which % len(living)]
            forget(repository, [gone], options=ForgetOptions(purge=self._is_last(repository, gone)))
            self.hidden[gone] = 0 if self._is_last(repository, gone) else self.clock.now_ns()
            found = next(one for one in repository.snapshots(forgotten=True) if one.id == gone)
            assert found.forgotten_ns is not None
            self.hidden[gone] = found.forgotten_ns

    @staticmethod
    def _is_last(repository: Any, identity: bytes) -> bool:
        source = next(one.record.source for one in repository.snapshots(forgotten=True) if one.id == identity)
        others = [one for one in repository.snapshots() if one.record.source == source and one.id != identity]
        return not others

    @precondition(lambda self: bool(self.hidden))
    @rule(which=st.integers(0, 20))
    def undelete(self, which: int) -> None:
        back = list(self.hidden)[which % len(self.hidden)]
        with self.open() as repository:
            undelete(repository, [back])
        del self.hidden[back]

    @rule(hours=st.sampled_from([0.5, 30.0]))
    def wait(self, hours: float) -> None:
        self.clock.sleep(hours * HOUR)

    @rule(hours=st.sampled_from([0, 24]))
    def gc(self, hours: int) -> None:
        with self.open() as repository:
            planned = clean(repository, hours=hours, dry_run=True)
            done = clean(repository, hours=hours)
        assert planned.sweep == done.sweep
        limit = self.clock.now_ns() - hours * int(HOUR * 1e9)
        due = {one for one, since in self.hidden.items() if hours == 0 or since <= limit}
        assert {one.id for one in done.removed} == due
        for one in due:
            del self.plain[one], self.hidden[one]

    @rule()
    def compact(self) -> None:
        with self.open(exclusive=True) as repository:
            repository.compact()

    @rule()
    def copy(self) -> None:
        with self.open(readonly=True) as repository, self.open("copy") as target:
            copy_repository(repository, target)
            again = copy_repository(repository, target)
            assert (again.blocks, again.snapshots, again.annotations) == (0, 0, 0)
        self.copied |= self.plain

    @precondition(lambda self: bool(self.plain))
    @rule(which=st.integers(0, 20))
    def restore(self, which: int) -> None:
        identity = list(self.plain)[which % len(self.plain)]
        target = self.top / "restored"  # over what was restored there before
        with self.open(readonly=True) as repository:
            snapshot = next(one for one in repository.snapshots(forgotten=True) if one.id == identity)
            result = restore(repository, snapshot, options=RestoreOptions(target=target, delete=True, verify=True))
        assert result.failures == ()
        assert on_disk(target) == self.plain[identity]

    # ------------------------------------------------------------------ what always holds

    @invariant()
    def every_snapshot_is_there(self) -> None:
        if not (self.top / "r/repository.json").exists():
            return
        with self.open(readonly=True) as repository:
            assert {one.id for one in repository.snapshots(forgotten=True)} == set(self.plain)
            assert {one.id for one in repository.snapshots()} == set(self.plain) - set(self.hidden)

    def check_everything(self) -> None:
        for name, expected in (("r", self.plain), ("copy", self.copied)):
            with self.open(name, readonly=True) as repository:
                found = repository.snapshots(forgotten=True)
                assert {one.id for one in found} == set(expected)
                for one in found:
                    assert contents(repository, one) == expected[one.id]
                assert not verify(repository).findings

    @rule()
    def verify(self) -> None:
        self.check_everything()


TestRepository = Machine.TestCase
TestRepository.__doc__ = (
    "Whatever is done in whatever order, every snapshot that was not removed is whole, here and in the copy."
)
TestRepository.settings = settings(max_examples=40, stateful_step_count=40)
