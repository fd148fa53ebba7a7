"""watch: a snapshot whenever a memory has changed and settled, or has learned a lot, as long as it is let.

The memory is looked at every two seconds, or less often when it is so large that looking would take more than a
hundredth of the time. A snapshot that fails is told and tried again, later each time; nothing ends the watching but a
request to stop, and what is pending then is stored first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.entities.profiles import recognise
from icc_store.fs.watching import Sight, look
from icc_store.model.record import Snapshot

LOOK_SECONDS = 2.0
_SHARE = 100
"""Looking takes a hundredth of the time at most."""

_PATIENCE = 10
"""What does not settle is stored after so many times the settling time, changing as it is."""

_RETRY_SECONDS, _RETRY_MOST_SECONDS = 30.0, 3600.0


@dataclass(frozen=True)
class WatchOptions:
    """When to take a snapshot. Times are seconds."""

    settle: float = 30.0
    """How long nothing must have changed."""
    at_most_every: float = 300.0
    """The least time between two snapshots."""
    new_entities: int = 0
    """So many new entities are stored at once, whatever the times say; 0: never."""
    look_every: float = LOOK_SECONDS
    never: tuple[bytes, ...] = ()
    """Stored paths that are not looked at: what is never part of a snapshot, such as the repository itself."""


@dataclass(frozen=True)
class Event:
    """One snapshot that was to be taken. `snapshot` is None when nothing had changed after all, or it failed."""

    time_ns: int
    reason: str
    snapshot: Snapshot | None = None
    error: Exception | None = None
    retry_seconds: float = 0.0
    """When it failed: in how long it is tried again; 0 at the end, when it is not."""


class Settling:
    """Decides when it is time, from what is seen and the hour. `is_entity` says what counts as learning."""

    def __init__(self, options: WatchOptions, is_entity: Callable[[bytes], bool]) -> None:
        self._options = options
        self._is_entity = is_entity
        self._stored: Sight | None = None
        self._last: Sight | None = None
        self._taken_at = 0.0
        self._changed_at = 0.0
        self._first_change_at = 0.0

    def reason(self, sight: Sight, now: float) -> str:
        """Why a snapshot is to be taken now; empty when it is not."""
        if self._stored is None:
            return "the watch begins"
        if sight != self._last:
            if self._last == self._stored:
                self._first_change_at = now
            self._last, self._changed_at = sight, now
        if not self.is_pending(sight):
            return ""
        learned = self._learned(sight)
        if learned:
            return f"{learned} new entities"
        if now - self._taken_at < self._options.at_most_every:
            return ""
        if now - self._changed_at >= self._options.settle:
            return f"nothing changed for {now - self._changed_at:.0f} s"
        if now - self._first_change_at >= _PATIENCE * self._options.settle:
            return f"it has been changing for {now - self._first_change_at:.0f} s"
        return ""

    def is_pending(self, sight: Sight) -> bool:
        """Whether something differs from what was stored last."""
        return sight != self._stored

    def taken(self, sight: Sight, now: float) -> None:
        """A snapshot was taken of what is at least as new as `sight`."""
        self._stored = self._last = sight
        self._taken_at = now

    def _learned(self, sight: Sight) -> int:
        """How many new entities there are, when that is enough."""
        enough = self._options.new_entities
        if not enough or self._stored is None:
            return 0
        count = sum(map(self._is_entity, sight.keys() - self._stored.keys()))
        return count if count >= enough else 0


def watch(
    root: Path,
    take: Callable[[], Snapshot | None],
    stopping: Callable[[], bool],
    *,
    options: WatchOptions = WatchOptions(),
    clock: Clock = SYSTEM_CLOCK,
) -> Iterator[Event]:
    """Watch `root` until `stopping` says so, and take a snapshot whenever it is time.

    `take` opens the repository, takes a snapshot unless nothing has changed, and closes it again; what it raises is in
    the event. `clock` is what is slept by, and should wake when it is time to stop.
    """
    settling = Settling(options, _entity_test(root))
    retry_at, retry_after = 0.0, _RETRY_SECONDS
    while True:
        last = stopping()  # asked before looking: what changes later is seen by the next watch
        began = clock.monotonic()
        sight = look(root, options.never)
        now = clock.monotonic()
        reason = settling.reason(sight, now)
        if last and settling.is_pending(sight):
            reason = "the watch ends"
        if reason and (last or now >= retry_at):
            event = _try(take, reason, 0.0 if last else retry_after, clock)
            if event.error is None:
                settling.taken(sight, now)
                retry_after = _RETRY_SECONDS
            else:
                retry_at = clock.monotonic() + retry_after
                retry_after = min(2 * retry_after, _RETRY_MOST_SECONDS)
            yield event
        if last:
            return
        clock.sleep(max(options.look_every, _SHARE * (now - began)))


def _try(take: Callable[[], Snapshot | None], reason: str, retry_after: float, clock: Clock) -> Event:
    try:
        return Event(clock.now_ns(), reason, take())
    except Exception as error:  # noqa: BLE001 - whatever kept this one from being taken, the next one may succeed
        return Event(clock.now_ns(), reason, error=error, retry_seconds=retry_after)


def _entity_test(root: Path) -> Callable[[bytes], bool]:
    """What counts as an entity in a memory of this kind."""
    profile = recognise(_names(root))
    return lambda path: profile.record_format(path) is not None


def _names(root: Path) -> Sequence[bytes]:
    try:
        return os.listdir(os.fsencode(root))
    except OSError:
        return ()  # it is not there yet, or not any more
