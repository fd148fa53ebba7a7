"""Which snapshot is meant: `latest`, an id or the beginning of one, a name, or a local time, tried in that order.

`latest` and times look at full snapshots of one source. Which one is said by `source`, or decided by the directory
that the caller is about (`path`), or there is only one.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Sequence

from icc_store.errors import AmbiguousSnapshot, DamageError, SnapshotNotFound, UsageError
from icc_store.ids import ID_SIZE, ObjectId
from icc_store.model.paths import display, is_within, normalise
from icc_store.model.record import Snapshot, SnapshotClass, SnapshotRecord
from icc_store.model.repository import Repository
from icc_store.model.unread import LostRecord
from icc_store.monitor import SILENT, Monitor

SHORT_ID = 8
"""Hex digits that people are shown of an id: two of 1,000 snapshots share them in one repository of 8,600."""

_LEAST_DIGITS = 6
_LATEST = r"(?i:latest)(?:~(\d{1,9}))?"
_HEX = r"[0-9a-fA-F]+"
_TIME = r"(\d{4})-(\d\d?)-(\d\d?)(?:[T ](\d\d?):(\d\d)(?::(\d\d))?)?"
"""Compiled where they are first used: 3 ms of every start otherwise."""

_MANY = 6


def resolve(
    repository: Repository,
    spec: str,
    *,
    source: str | None = None,
    path: bytes | None = None,
    forgotten: bool = False,
    monitor: Monitor = SILENT,
) -> Snapshot:
    """The snapshot that `spec` names; among forgotten ones as well when asked for.

    `source` says whose latest, name or time is meant. So does `path`, an absolute path of the live file system; a
    relative one says nothing.
    Raises SnapshotNotFound naming what is near, AmbiguousSnapshot naming the candidates, DamageError where it may be
    one whose record cannot be read.
    """
    everything = repository.readable_snapshots(forgotten=True)
    known = [snapshot for snapshot in everything if forgotten or snapshot.forgotten_ns is None]
    lost = repository.unread.snapshots
    for one in lost:
        if _is_prefix(spec, one.id):
            raise one.error
    if not re.fullmatch(_LATEST, spec):
        named = _named(known, spec, source, monitor)
        if named is not None:
            return named
    try:
        found = _by_time(known, everything, spec, source, path)
    except SnapshotNotFound as error:
        if lost:
            raise _perhaps(spec, lost[-1]) from error
        raise
    if lost and lost[-1].seq > found.record.seq:
        raise _perhaps(spec, lost[-1])
    return found


def _named(known: Sequence[Snapshot], spec: str, source: str | None, monitor: Monitor) -> Snapshot | None:
    """The snapshot of that id or name."""
    matches = _with_prefix(known, spec)
    if len(matches) > 1:
        raise AmbiguousSnapshot(f"{len(matches)} snapshots begin with {spec}: {_listed(matches)}")
    if matches:
        return matches[0]
    named = [one for one in known if one.record.name == spec and source in (None, one.record.source)]
    if len(named) > 1:
        monitor.note(f"{len(named)} snapshots are called {spec}; this is the newest, {_described(named[-1])}")
    return named[-1] if named else None


def _by_time(
    known: Sequence[Snapshot], everything: Sequence[Snapshot], spec: str, source: str | None, path: bytes | None
) -> Snapshot:
    latest, moment = re.fullmatch(_LATEST, spec), _end_of(spec)
    if latest:
        return _latest(known, int(latest[1] or 0), source, path)
    if moment is not None:
        return _at_or_before(known, moment, spec, source, path)
    raise _not_found(spec, known, everything)


def _perhaps(spec: str, lost: LostRecord) -> DamageError:
    """The error where a snapshot that cannot be read may be the one that is meant."""
    return DamageError(
        f"{spec} may be snapshot {lost.id.hex()[:12]}, whose record cannot be read",
        hint="name another one by its name or id, see `icc-store list`; `icc-store repair` brings it back, or takes it "
        "off the list",
    )


def is_relative(spec: str) -> bool:
    """Whether which snapshot is meant depends on the source: `latest`, or a time."""
    return bool(re.fullmatch(_LATEST, spec) or re.fullmatch(_TIME, spec))


def check_name(name: str) -> None:
    """Refuse a name for a snapshot that would be taken for something else. Raises UsageError."""
    if not name or name != name.strip() or not name.isprintable():
        raise UsageError(f"{name!r} is no name for a snapshot: it is empty or holds what cannot be seen")
    if name.startswith("-"):
        raise UsageError(f"the name {name!r} looks like an option", hint="begin it with something else")
    form = ""
    if name.lower() == "latest" or name.lower().startswith("latest~"):
        form = "the newest snapshot"
    elif re.fullmatch(_HEX, name) and len(name) >= _LEAST_DIGITS:
        form = "the beginning of an id"
    elif re.fullmatch(_TIME, name):
        form = "a time"
    if form:
        raise UsageError(f"the name {name!r} looks like {form}", hint=f"for example {name + '-x'!r} does not")


def stored_path(record: SnapshotRecord, path: str | bytes) -> bytes:
    """The path in the snapshot of what a user names: by its stored path, or by the absolute one it was read from.

    Raises UsageError for `..`.
    """
    raw = os.fsencode(path)
    try:
        stored = normalise(raw)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if raw.startswith(b"/") and len(record.paths) == 1:
        above = normalise(record.paths[0])
        if record.root_entry is not None and is_within(stored, above):
            return stored[len(above) :].lstrip(b"/")
        if stored == above:
            return stored.rpartition(b"/")[2]  # a single file stands at the root
    return stored


def _latest(known: Sequence[Snapshot], back: int, source: str | None, path: bytes | None) -> Snapshot:
    full = _of_one_source(known, "latest", source, path)
    if back >= len(full):
        of = f" of source {full[-1].record.source!r}" if full else ""
        raise SnapshotNotFound(
            f"there is no latest~{back}: only {len(full)} full snapshot{'s' * (len(full) != 1)}{of}",
            hint="see `icc-store list`",
        )
    return full[-1 - back]


def _at_or_before(
    known: Sequence[Snapshot], moment: int, spec: str, source: str | None, path: bytes | None
) -> Snapshot:
    full = _of_one_source(known, spec, source, path)
    before = [one for one in full if one.record.time_ns <= moment]
    if not before:
        oldest = min(full, key=lambda one: one.record.time_ns)
        raise SnapshotNotFound(f"there is no full snapshot of {spec} or before; the oldest is {_described(oldest)}")
    return max(before, key=lambda one: (one.record.time_ns, one.record.seq))


def _of_one_source(known: Sequence[Snapshot], spec: str, source: str | None, path: bytes | None) -> list[Snapshot]:
    """The full snapshots of the source that is meant, in order."""
    full = [one for one in known if one.record.kind == SnapshotClass.FULL]
    if not full:
        others = " but there are others, see `icc-store list`" if known else ""
        raise SnapshotNotFound(f"there is no full snapshot yet{others}", hint="take one with `icc-store snapshot`")
    sources = list(dict.fromkeys(one.record.source for one in full))
    if source is not None and source not in sources:
        raise SnapshotNotFound(
            f"there is no full snapshot of source {source!r}", hint=f"sources are {_joined(map(repr, sources))}"
        )
    if source is None and len(sources) > 1 and path is not None and path.startswith(b"/"):
        deciding = {one.record.source for one in full if any(is_within(path, above) for above in one.record.paths)}
        sources = [one for one in sources if one in deciding] or sources
    if source is None and len(sources) > 1:
        raise AmbiguousSnapshot(
            f"{spec!r} could be of {len(sources)} sources: {_joined(map(repr, sources))}", hint="say which by --source"
        )
    wanted = sources[0] if source is None else source
    return [one for one in full if one.record.source == wanted]


def _with_prefix(known: Iterable[Snapshot], spec: str) -> list[Snapshot]:
    return [one for one in known if _is_prefix(spec, one.id)]


def _is_prefix(spec: str, identity: ObjectId) -> bool:
    """Whether this is enough of an id, and of this one."""
    return len(spec) >= _LEAST_DIGITS and identity.hex().startswith(spec.lower())


def _end_of(spec: str) -> int | None:
    """The last nanosecond of the day, minute or second that is named in local time, or None for anything else."""
    match = re.fullmatch(_TIME, spec)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
    parts = [year, month, day, hour, minute, second]
    if hour > 23 or minute > 59 or second > 59:
        return None
    smallest = 5 if match[6] else 4 if match[4] else 2
    try:
        begins = time.localtime(time.mktime((year, month, day, 12, 0, 0, 0, 0, -1)))
        if (begins.tm_year, begins.tm_mon, begins.tm_mday) != (year, month, day):
            return None  # there is no such day
        parts[smallest] += 1
        return int(time.mktime((parts[0], parts[1], parts[2], parts[3], parts[4], parts[5], 0, 0, -1))) * 10**9 - 1
    except (OverflowError, ValueError):
        return None


def _not_found(spec: str, known: Sequence[Snapshot], everything: Sequence[Snapshot]) -> SnapshotNotFound:
    """The error for a name that nothing answers to, with what comes near."""
    gone = _with_prefix(everything, spec) or [one for one in everything if one.record.name == spec]
    if gone:
        return SnapshotNotFound(
            f"snapshot {_described(gone[-1])} was forgotten",
            hint=f"`icc-store undelete {gone[-1].id.hex()[:SHORT_ID]}` brings it back",
        )
    if not known:
        return SnapshotNotFound("the repository holds no snapshot yet", hint="take one with `icc-store snapshot`")
    if re.fullmatch(_TIME, spec):
        return SnapshotNotFound(f"{spec!r} is neither the name of a snapshot nor a time that exists")
    near = _near(spec, known)
    if near:
        return SnapshotNotFound(f"no snapshot is called {spec!r}", hint=f"near: {_joined(near)}")
    if re.fullmatch(_HEX, spec) and len(spec) < _LEAST_DIGITS:
        return SnapshotNotFound(
            f"no snapshot is called {spec!r}", hint=f"an id takes at least {_LEAST_DIGITS} of its digits"
        )
    return SnapshotNotFound(f"no snapshot is called {spec!r}", hint="see `icc-store list`")


def _near(spec: str, known: Sequence[Snapshot]) -> list[str]:
    from difflib import get_close_matches  # only for an error: 3 ms at start-up

    names = dict.fromkeys(one.record.name for one in known if one.record.name)
    near = get_close_matches(spec, ["latest", *names], n=3)
    if re.fullmatch(_HEX, spec):
        ids = {one.id.hex()[: max(len(spec), SHORT_ID)]: one for one in known}
        near += get_close_matches(spec.lower(), ids, n=3, cutoff=0.7)
    return near


def _described(snapshot: Snapshot) -> str:
    """A snapshot in a message: id and local time."""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(snapshot.record.time_ns // 10**9))
    return f"{snapshot.id.hex()[:SHORT_ID]} of {when}"


def _listed(snapshots: Sequence[Snapshot]) -> str:
    """Candidates in a message, with as many digits as tell them apart."""
    ids = [one.id.hex() for one in snapshots]
    digits = next(n for n in range(SHORT_ID, 2 * ID_SIZE + 1) if len({text[:n] for text in ids}) == len(ids))
    return _joined(
        f"{one.id.hex()[:digits]} {display(one.record.name.encode()) + ' ' if one.record.name else ''}"
        f"({_described(one).partition(' of ')[2]})"
        for one in snapshots
    )


def _joined(texts: Iterable[str]) -> str:
    texts = list(texts)
    more = f" and {len(texts) - _MANY} more" if len(texts) > _MANY else ""
    return ", ".join(texts[:_MANY]) + more
