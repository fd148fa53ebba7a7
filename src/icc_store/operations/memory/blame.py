"""Since when each part of an entity or file is in it: the snapshot in which it entered.

A part is a field, an item of a list, or a line. A field entered when it got the value that it has; an item when it
came into the list, wherever in it it stands; a line as `git blame` has it: those that stayed in order are the same.
What was removed and came back entered when it came back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from icc_store.entities.changes import identity
from icc_store.entities.record import Lines
from icc_store.errors import PathNotInSnapshot
from icc_store.model.paths import display
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.memory.history import name_of
from icc_store.operations.memory.history_subject import find_subject
from icc_store.operations.memory.history_trace import State, trace
from icc_store.operations.memory.manifest import profile_of
from icc_store.operations.memory.timeline import timeline
from icc_store.operations.text_diff import matching_lines
from icc_store.operations.tree_search import TreesOnce


@dataclass(frozen=True)
class BlameOptions:
    """Where to look, and as what."""

    source: str | None = None
    snapshot: str | None = None
    """Blame what this snapshot has; None: the newest version there is."""
    lines: bool = False
    """Line by line, also where fields are known."""


@dataclass(frozen=True, slots=True)
class Part:
    """A field, an item of a list or a line, with the snapshot in which it entered."""

    field: str
    """Dotted path; the same for all items of a list."""
    index: int | None
    """Which item or line, from 0; None for a field that is no list."""
    value: Any
    entered: Snapshot
    is_line: bool = False


@dataclass(frozen=True)
class Blame:
    """The parts of one entity or file, in its order."""

    id: str
    type: str
    path: bytes
    parts: tuple[Part, ...]
    since: Snapshot
    """The snapshot that first has this version."""
    gone: Snapshot | None = None
    """The snapshot in which it is no longer there; this is its last version."""
    problem: str = ""
    """Why a newer version cannot be told apart; the parts are those of the last that can."""


def blame(
    repository: Repository, what: str, *, options: BlameOptions = BlameOptions(), monitor: Monitor = SILENT
) -> Blame:
    """Blame an entity, named by its id, its path or the stem of its file.

    Raises PathNotInSnapshot, also where no version can be taken apart; AmbiguousPath; DamageError when a directory
    cannot be read.
    """
    snapshots = timeline(repository, source=options.source, about=what, until=options.snapshot, monitor=monitor)
    profile = profile_of(repository, snapshots[-1])
    objects = TreesOnce(repository.objects)
    subject = find_subject(objects, snapshots, what, profile, monitor=monitor)
    states = trace(objects, snapshots, subject, profile, lines=options.lines, monitor=monitor)
    newest = states[-1]
    if newest.entry is None and options.snapshot is not None:
        raise PathNotInSnapshot(
            f"{what!r} is not in that snapshot: it was removed before",
            hint=f"`icc-store history {what}` says when",
        )
    readable = [state for state in states if state.record is not None]
    if not readable:
        raise PathNotInSnapshot(f"{display(newest.path)} cannot be taken apart: {newest.problem}")
    name, kind = name_of(subject, states)
    return Blame(
        name,
        kind,
        newest.path,
        _parts(states),
        readable[-1].snapshot,
        newest.snapshot if newest.entry is None else None,
        newest.problem,
    )


_Entered = list[tuple[Any, Snapshot]]
"""Each part of one field with the snapshot in which it entered."""


def _parts(states: Iterable[State]) -> tuple[Part, ...]:
    known: dict[str, _Entered] = {}
    last: dict[str, _Entered] = {}
    flat: dict[str, Any] = {}
    for state in states:
        if state.entry is None:
            known = {}
        elif state.record is not None:
            flat = state.record.flat()
            known = {field: _entered(known.get(field, []), value, state.snapshot) for field, value in flat.items()}
            last = known
    return tuple(
        Part(
            field,
            number if flat[field] and isinstance(flat[field], list) else None,
            value,
            entered,
            isinstance(value, str) and isinstance(flat[field], Lines),
        )
        for field, parts in last.items()
        for number, (value, entered) in enumerate(parts)
    )


def _entered(before: _Entered, value: Any, snapshot: Snapshot) -> _Entered:
    if isinstance(value, Lines) and value:
        return _lines_entered(before, value, snapshot)
    items = value if isinstance(value, list) and value else [value]
    old: dict[Any, deque[Snapshot]] = {}
    for item, entered in before:
        old.setdefault(identity(item), deque()).append(entered)
    found: _Entered = []
    for item in items:
        same = old.get(identity(item))
        found.append((item, same.popleft() if same else snapshot))
    return found


def _lines_entered(before: _Entered, lines: Lines, snapshot: Snapshot) -> _Entered:
    found: _Entered = [(line, snapshot) for line in lines]
    for old, new, length in matching_lines([str(line) for line, _ in before], list(lines)):
        found[new : new + length] = before[old : old + length]
    return found
