"""What a snapshot of a memory does beside storing it: watch the files, validate afterwards, note it in the manifest.

Everything that needs a file's bytes is done while the scan reads them. What needs all files together is done once
everything is committed and before the record is, so that its result stands in the record; when the tree is the one of
the snapshot before, so is the result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from icc_store.entities.findings import Finding
from icc_store.entities.profiles import Profile
from icc_store.errors import DamageError
from icc_store.fs.excludes import Excludes
from icc_store.ids import ObjectId
from icc_store.model.paths import display
from icc_store.model.record import Snapshot
from icc_store.model.repository import Rehearsal, Run
from icc_store.monitor import Monitor
from icc_store.operations.memory.file_facts import Check, Rows, ScannedFacts
from icc_store.operations.memory.manifest import Notes, failed_notes, is_complete, notes_of, notes_of_survey
from icc_store.operations.memory.recount import Source, differences
from icc_store.quick_dataclass import dataclass

_SAME_FOR_THE_SAME_TREE = ("profile", "version", "entities", "digest", "findings")


@dataclass(frozen=True)
class ReadBack:
    """What was found out of a memory that has just been stored."""

    problems: list[str]
    """Blocks that cannot be read."""
    digest: bytes
    """The hash that stands for all files, where it was asked for."""
    live: Counter[str]
    """Entities in the source, by type."""


Share = Callable[[Callable[[], ReadBack]], AbstractContextManager[Callable[[], ReadBack]]]
"""Has this work done while the body of it does another; what it yields gives the result."""


class MemoryRun:
    """One scan of a memory, and what is found out about it."""

    def __init__(
        self,
        run: Run | Rehearsal,
        root: Path,
        profile: Profile,
        excludes: Excludes,
        *,
        since_ns: int,
        whole: bool,
        scan_secrets: bool,
        monitor: Monitor,
    ) -> None:
        """`since_ns` is the file system's time when the scan begins; `whole` says that nothing was left out."""
        self._whole = whole
        self._run = run
        self._profile = profile
        self._monitor = monitor
        self._source = Source(root, excludes, since_ns)
        self._scan_secrets = scan_secrets
        self.facts = ScannedFacts(run, self._first_check)
        self.findings: tuple[Finding, ...] = ()
        """What validation found; empty when the memory is as it was, and the manifest says how much there is."""
        self._secrets: dict[bytes, list[Finding]] = {}

    def second_watcher(self, rows: Rows) -> ScannedFacts:
        """Who looks at the files of a second scan."""
        return ScannedFacts(rows, self._first_check)

    @property
    def secrets(self) -> tuple[Finding, ...]:
        """Files of this run whose text looks like it has a key in it."""
        return tuple(finding for findings in self._secrets.values() for finding in findings)

    def conclude(
        self,
        run: Run,
        tree: ObjectId,
        parent: Snapshot | None,
        unreadable: Collection[bytes],
        *,
        share: Share | None = None,
    ) -> Notes:
        """Validate what was stored and say what the record is to keep. `unreadable` could not be stored.

        `share` has a part of that done in another process.
        """
        self._monitor.phase("check")
        former = notes_of(parent) if parent is not None and parent.record.root == tree else None
        sound = former is not None and is_complete(former) and former["passed"]  # what failed is looked at again
        if former is not None and sound and former["profile"] == self._profile.name:
            failures = self._miscounted(run, tree, former["entities"], unreadable)
            kept = {key: former[key] for key in _SAME_FOR_THE_SAME_TREE if key in former}
            return kept | {"passed": not failures} | ({"failures": failures} if failures else {})
        from icc_store.operations.memory.survey import survey, unreadable_samples  # 6 ms: not for an unchanged memory

        try:
            run.writer.commit()  # in time for whoever reads it back
            apart = share is not None
            with (share or nullcontext)(partial(self._read_back, run, tree, sums=apart)) as read_back:
                known = self.facts.facts_of
                found = survey(run.objects, tree, self._profile, facts_of=known, whole=self._whole, sums=not apart)
                broken = unreadable_samples(run.objects, found.samples)
                back = read_back()
        except DamageError as error:
            return failed_notes(self._profile, str(error))
        self.findings = found.findings
        problems = back.problems + broken
        problems += self._miscounted(run, tree, found.entities, unreadable, live=back.live)
        return notes_of_survey(self._profile, replace(found, digest=back.digest or found.digest), tuple(problems))

    def _read_back(self, run: Run, tree: ObjectId, *, sums: bool) -> ReadBack:
        """What can be found out of a stored memory without comparing its files."""
        from icc_store.operations.memory.survey import digest_of  # as above

        problems = run.read_back()
        digest = digest_of(run.objects, tree, self.facts.facts_of) if sums else b""
        return ReadBack(problems, digest, self._source.count() if self._profile.is_icc else Counter())

    def _miscounted(
        self,
        run: Run,
        tree: ObjectId,
        counted: dict[str, int],
        unreadable: Collection[bytes],
        *,
        live: Counter[str] | None = None,
    ) -> list[str]:
        """What the snapshot and its source do not share, though nothing was changed meanwhile."""
        if not self._profile.is_icc:
            return []
        live = self._source.count() if live is None else live
        if all(live[kind] == counted.get(kind, 0) for kind in {*live, *counted}):
            return []
        differ = differences(run.objects, tree, self._source, unreadable)
        return [f"{display(path)}: in the source, not in the snapshot" for path in differ.missing] + [
            f"{display(path)}: in the snapshot, not in the source" for path in differ.gone
        ]

    def _first_check(self) -> Check | None:
        """What is to look at the bytes of each file; made when the first one comes."""
        check: Check | None = None
        if self._profile.is_icc:
            from icc_store.entities.validate import check_to_wire  # 25 ms: an unchanged memory parses nothing

            check = check_to_wire
        if not self._scan_secrets:
            return check
        from icc_store.entities.secrets import scan_text  # only who asks for it pays for it

        def search(path: bytes, data: bytes) -> Any:
            self._secrets[path] = scan_text(path, data)
            return check(path, data) if check is not None else None

        return search
