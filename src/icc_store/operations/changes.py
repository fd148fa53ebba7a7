"""What a diff says: one change per path, and their sum."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from icc_store.limits import MAX_TEXT_SIZE
from icc_store.model.entry import Entry
from icc_store.operations.text_diff import TextDiff, text_diff


class ChangeKind(StrEnum):
    """How a path changed."""

    ADDED = "added"
    REMOVED = "removed"
    MODIFIED = "modified"
    TYPE = "type"
    METADATA = "metadata"
    UNREADABLE = "unreadable"
    """Something is there that could not be looked at; `what` says why."""


@dataclass(frozen=True, slots=True)
class Side:
    """What stands at a path on one side. `mode` has type and permission bits, `size` is 0 for what is no file."""

    mode: int
    size: int
    mtime_ns: int
    uid: int
    gid: int
    target: bytes | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs. `what` names all that differs where both sides have the same type."""

    path: bytes
    kind: ChangeKind
    before: Side | None
    after: Side | None
    what: tuple[str, ...] = ()
    text: TextDiff | None = None
    """The lines that differ, where they were asked for and either side is a file."""

    @property
    def growth(self) -> int:
        """Bytes by which the file became larger."""
        return (self.after.size if self.after else 0) - (self.before.size if self.before else 0)


@dataclass(frozen=True)
class DiffOptions:
    """`paths`: stored paths to look at, with all below them; none: everything.

    `content` adds line diffs. `content_check` (against the live directory) reads files whose size and time agree too.
    `directory_times` tells also of directories of which nothing but the time differs: that time says only that names
    came or went, and those are told by themselves.
    """

    paths: tuple[bytes, ...] = ()
    content: bool = False
    content_check: bool = False
    directory_times: bool = False


EVERYTHING = DiffOptions()


@dataclass(frozen=True)
class DiffSummary:
    """The sum of a diff. Sizes are bytes of files."""

    counts: dict[ChangeKind, int] = field(default_factory=lambda: dict.fromkeys(ChangeKind, 0))
    added_size: int = 0
    removed_size: int = 0
    growth: int = 0
    """Bytes by which files that are on both sides grew."""

    @property
    def total(self) -> int:
        """How many paths changed."""
        return sum(self.counts.values())

    def plus(self, change: Change) -> DiffSummary:
        """The sum with one more change."""
        added = change.growth if change.kind is ChangeKind.ADDED else 0
        removed = -change.growth if change.kind is ChangeKind.REMOVED else 0
        return DiffSummary(
            self.counts | {change.kind: self.counts[change.kind] + 1},
            self.added_size + added,
            self.removed_size + removed,
            self.growth + change.growth - added + removed,
        )


def summarise(changes: Iterable[Change]) -> DiffSummary:
    """The sum of these changes."""
    summary = DiffSummary()
    for change in changes:
        summary = summary.plus(change)
    return summary


def side_of(entry: Entry) -> Side:
    """What an entry of a snapshot shows of itself."""
    return Side(entry.mode, entry.size, entry.mtime_ns, entry.uid, entry.gid, entry.target)


def classify(before: Entry, after: Entry | Side, what: tuple[str, ...]) -> ChangeKind:
    """How a path that both sides have changed, given all that differs."""
    if stat.S_IFMT(before.mode) != stat.S_IFMT(after.mode):
        return ChangeKind.TYPE
    if {"content", "target", "device"} & set(what):
        return ChangeKind.MODIFIED
    return ChangeKind.METADATA


def text_of(before: bytes | None, after: bytes | None) -> TextDiff:
    """The line diff of two contents; None stands for one that is too large."""
    if before is None or after is None:
        return TextDiff(note=f"larger than {MAX_TEXT_SIZE >> 20} MiB, not compared line by line")
    return text_diff(before, after)
