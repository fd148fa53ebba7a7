"""What names a snapshot, and what the messages say when nothing or too much answers to a name."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from icc_store.clock import FixedClock
from icc_store.errors import AmbiguousSnapshot, SnapshotNotFound, UsageError
from icc_store.model.record import SnapshotClass, SnapshotRecord, Subject
from icc_store.model.repository import Repository
from icc_store.monitor import Monitor
from icc_store.operations.resolve import check_name, resolve, stored_path
from tests.support.snapshots import take

MORNING = 1_793_527_200_000_000_000
"""2026-11-01 10:00:00 UTC."""

HOUR = 3600


class Notes(Monitor):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(MORNING)


def test_latest_counts_back_through_full_snapshots(repository: Repository) -> None:
    """`latest` is the newest full snapshot, `latest~2` the third newest; other classes do not count."""
    first, second, third = (take(repository) for _ in range(3))
    take(repository, kind=SnapshotClass.SAFETY)
    assert resolve(repository, "latest").id == third.id
    assert resolve(repository, "latest~0").id == third.id
    assert resolve(repository, "LATEST~1").id == second.id
    assert resolve(repository, "latest~2").id == first.id
    with pytest.raises(SnapshotNotFound, match="only 3 full snapshots of source 'home'"):
        resolve(repository, "latest~3")


def test_latest_follows_the_order_of_commits(repository: Repository, clock: FixedClock) -> None:
    """A clock that went backwards does not make an older snapshot the latest."""
    take(repository)
    newest = take(repository, time_ns=MORNING - HOUR * 10**9)
    assert resolve(repository, "latest").id == newest.id


def test_an_id_or_six_digits_of_it(repository: Repository) -> None:
    """A full id and every beginning of at least six digits name the snapshot, in either case."""
    snapshot = take(repository)
    text = snapshot.id.hex()
    for spec in (text, text[:6], text[:7].upper(), text[:63]):
        assert resolve(repository, spec).id == snapshot.id
    with pytest.raises(SnapshotNotFound):
        resolve(repository, text[:5])
    with pytest.raises(SnapshotNotFound):
        resolve(repository, text + "00")


def test_an_ambiguous_prefix_lists_the_candidates(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two snapshots with the same first digits: both are named, with enough digits to tell them apart."""
    snapshots = [take(repository, name="first"), take(repository)]
    alike = [
        replace(one, id=bytes.fromhex("abcdef" + "1" * 4 + digit * 54))
        for one, digit in zip(snapshots, "23", strict=True)
    ]
    monkeypatch.setattr(repository, "readable_snapshots", lambda forgotten: alike)
    with pytest.raises(AmbiguousSnapshot) as error:
        resolve(repository, "abcdef")
    found = str(error.value)
    assert "abcdef11112 first (2026-11-01 10:00)" in found
    assert "abcdef11113 (2026-11-01 10:00)" in found
    assert resolve(repository, "abcdef11113").id == alike[1].id


def test_the_newest_of_a_name_and_saying_so(repository: Repository) -> None:
    """Of several with one name the newest is meant, and the monitor hears of it; one alone is no news."""
    take(repository, name="friday")
    newest = take(repository, name="friday")
    only = take(repository, name="monday", kind=SnapshotClass.SELECTIVE)
    notes = Notes()
    assert resolve(repository, "friday", monitor=notes).id == newest.id
    assert len(notes.said) == 1
    assert newest.id.hex()[:8] in notes.said[0]
    assert resolve(repository, "monday", monitor=notes).id == only.id
    assert len(notes.said) == 1


def test_a_name_within_a_source(repository: Repository) -> None:
    """`source` says whose name is meant."""
    mine = take(repository, name="friday")
    take(repository, name="friday", source="other")
    assert resolve(repository, "friday", source="home").id == mine.id


@pytest.mark.parametrize(
    ("spec", "number"),
    [
        ("2026-11-01", 2),
        ("2026-11-01T10:00", 1),
        ("2026-11-01T10:00:00", 0),
        ("2026-11-01 10:00:29", 0),
        ("2026-11-01T10:00:30", 1),
        ("2026-11-01T12:59", 1),
        ("2026-11-01T13:00", 2),
        ("2027-01-01", 3),
    ],
)
def test_a_time_is_the_newest_at_or_before(repository: Repository, clock: FixedClock, spec: str, number: int) -> None:
    """A day, minute or second in local time: the newest full snapshot up to its end."""
    snapshots = []
    for wait in (30, 3 * HOUR - 30, 24 * HOUR, 0):
        snapshots.append(take(repository))
        clock.sleep(wait)
    take(repository, kind=SnapshotClass.IMPORT)
    assert resolve(repository, spec).id == snapshots[number].id


def test_times_are_local(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time zone of the process decides which day a snapshot is of."""
    take(repository)
    late = take(repository, time_ns=MORNING + 14 * HOUR * 10**9 + 1)
    monkeypatch.setenv("TZ", "Etc/GMT+5")
    time.tzset()
    try:
        assert resolve(repository, "2026-11-01").id == late.id
    finally:
        monkeypatch.setenv("TZ", "UTC")
        time.tzset()
    assert resolve(repository, "2026-11-01").id != late.id


def test_a_time_before_everything_names_the_oldest(repository: Repository) -> None:
    """Nothing that old: the message names what is oldest."""
    snapshot = take(repository)
    with pytest.raises(SnapshotNotFound, match=snapshot.id.hex()[:8]):
        resolve(repository, "2020-01-01")


@pytest.mark.parametrize("spec", ["2026-02-30", "2026-13-01", "2026-11-01T24:00", "2026-11-01T10:60", "0000-00-00"])
def test_a_time_that_does_not_exist(repository: Repository, spec: str) -> None:
    """An impossible date is not quietly another one."""
    take(repository)
    with pytest.raises(SnapshotNotFound, match="time that exists"):
        resolve(repository, spec)


def test_several_sources_need_a_word(repository: Repository) -> None:
    """`latest` and times of several sources are refused, unless the source or a path decides."""
    home = take(repository, paths=(b"/home/ada/notes",))
    other = take(repository, source="other", paths=(b"/srv/data", b"/srv/more"))
    for spec in ("latest", "2026-11-01"):
        with pytest.raises(AmbiguousSnapshot, match="'home', 'other'"):
            resolve(repository, spec)
        assert resolve(repository, spec, source="home").id == home.id
        assert resolve(repository, spec, path=b"/srv/more/deep").id == other.id
        with pytest.raises(AmbiguousSnapshot):
            resolve(repository, spec, path=b"/elsewhere")
        with pytest.raises(AmbiguousSnapshot):
            resolve(repository, spec, path=b"srv/more")
    with pytest.raises(SnapshotNotFound, match="sources are 'home', 'other'"):
        resolve(repository, "latest", source="homer")


def test_what_is_near(repository: Repository) -> None:
    """A wrong name or id says which right ones come near."""
    snapshot = take(repository, name="before-upgrade")
    with pytest.raises(SnapshotNotFound, match="near: before-upgrade"):
        resolve(repository, "befor-upgrade")
    with pytest.raises(SnapshotNotFound, match="near: latest"):
        resolve(repository, "lates")
    text = snapshot.id.hex()
    wrong = text[:7] + ("0" if text[7] != "0" else "1")
    with pytest.raises(SnapshotNotFound, match=text[:8]):
        resolve(repository, wrong)


def test_an_empty_repository(repository: Repository) -> None:
    """Without a snapshot, the message says how to take one."""
    for spec in ("latest", "friday", "abcdef12"):
        with pytest.raises(SnapshotNotFound, match="icc-store snapshot"):
            resolve(repository, spec)


def test_forgotten_ones_are_found_only_on_request(repository: Repository) -> None:
    """A forgotten snapshot does not answer; the message says how to bring it back."""
    old = take(repository, name="friday")
    new = take(repository)
    repository.annotate(old.id, Subject.FORGOTTEN, value=True)
    for spec in ("friday", old.id.hex(), old.id.hex()[:9]):
        with pytest.raises(SnapshotNotFound, match="icc-store undelete"):
            resolve(repository, spec)
        assert resolve(repository, spec, forgotten=True).id == old.id
    assert resolve(repository, "latest").id == new.id
    with pytest.raises(SnapshotNotFound):
        resolve(repository, "latest~1")


@pytest.mark.parametrize(
    "name",
    ["", " x", "latest", "Latest", "latest~1", "latest~x", "abcdef", "DECADE", "2026-11-01", "-x", "a\nb", "\x1b"],
)
def test_names_that_look_like_something_else(name: str) -> None:
    """A name that another form would catch, or that cannot be seen, is refused."""
    with pytest.raises(UsageError):
        check_name(name)


@pytest.mark.parametrize("name", ["friday", "abcde", "2026-11-01 before", "latest-good", "größer", "decade-2"])
def test_names_that_are_free(name: str) -> None:
    """Everything else may be a name."""
    check_name(name)


def test_stored_paths_are_found_by_absolute_ones() -> None:
    """What stood at /home/ada/notes/x when it was read is x in the snapshot of that one directory."""
    one = SnapshotRecord(1, 0, bytes(32), "home", "here", paths=(b"/home/ada/notes",), root_entry={1: b""})
    assert stored_path(one, "/home/ada/notes/a/b.md") == b"a/b.md"
    assert stored_path(one, "/home/ada/notes/") == b""
    assert stored_path(one, "a//./b.md") == b"a/b.md"
    assert stored_path(one, "/home/ada/notes-2") == b"home/ada/notes-2"
    file = SnapshotRecord(1, 0, bytes(32), "home", "here", paths=(b"/home/ada/todo.md",))
    assert stored_path(file, "/home/ada/todo.md") == b"todo.md"
    several = SnapshotRecord(1, 0, bytes(32), "home", "here", paths=(b"/srv/a", b"/srv/b"))
    assert stored_path(several, "/srv/a/x") == b"srv/a/x"
    with pytest.raises(UsageError):
        stored_path(one, "../x")
