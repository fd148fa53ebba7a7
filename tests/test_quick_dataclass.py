"""Dataclasses that cost little to define are dataclasses: the same answers as from those of the standard library."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, astuple, fields, replace
from typing import Any

import pytest

from icc_store import quick_dataclass
from icc_store.quick_dataclass import field


@quick_dataclass.dataclass(frozen=True)
class Quick:
    """Furnished by us."""

    name: str
    size: int = 0
    tags: list[str] = field(default_factory=list)

    @property
    def double(self) -> int:
        return 2 * self.size


@dataclasses.dataclass(frozen=True)
class Slow:
    """Furnished by the standard library."""

    name: str
    size: int = 0
    tags: list[str] = dataclasses.field(default_factory=list)


@quick_dataclass.dataclass
class Changeable:
    """One that is not frozen, and says itself how it is printed."""

    name: str = ""
    size: int = 0

    def __repr__(self) -> str:
        return f"<{self.name}>"


@quick_dataclass.dataclass(frozen=True)
class Derived(Quick):
    """One with a field more."""

    more: int = 7


@pytest.mark.parametrize("given", [("a",), ("a", 1), ("a", 1, ["t"])])
def test_what_is_made_is_the_same(given: tuple[Any, ...]) -> None:
    """By position or by name, with defaults; in its text, as a map, as a tuple, replaced, copied and pickled."""
    quick, slow = Quick(*given), Slow(*given)
    named = Quick(**dict(zip(("name", "size", "tags"), given, strict=False)))
    assert quick == named
    assert repr(quick).removeprefix("Quick") == repr(slow).removeprefix("Slow")
    assert asdict(quick) == asdict(slow)
    assert astuple(quick) == astuple(slow)
    assert [each.name for each in fields(quick)] == [each.name for each in fields(slow)]
    assert replace(quick, size=9) == Quick(quick.name, 9, quick.tags)
    assert copy.deepcopy(quick) == pickle.loads(pickle.dumps(quick)) == quick
    assert quick.double == 2 * slow.size
    assert Quick.__match_args__ == Slow.__match_args__


def test_a_default_that_is_made_is_made_anew() -> None:
    """No two objects share what a factory made."""
    one, other = Quick("a"), Quick("a")
    one.tags.append("t")
    assert other.tags == []


def test_equal_by_value_and_by_class() -> None:
    """Equal values are equal, as keys too; another class with the same values is something else."""
    one, other = Quick("a", 1, ()), Quick("a", 1, ())  # type: ignore[arg-type] - what can be hashed
    assert one == other
    assert len({one, other}) == 1
    assert one != Quick("a", 2, ())  # type: ignore[arg-type] - likewise
    assert one != Slow("a", 1, ())  # type: ignore[arg-type, comparison-overlap] - likewise
    assert Derived("a", 1) == Derived("a", 1, more=7)
    assert Derived("a", 1) != Quick("a", 1)


def test_a_frozen_one_stays_as_it_is() -> None:
    """No field is set or deleted; of one that is not frozen they are, and it is no key."""
    quick = Quick("a")
    with pytest.raises(FrozenInstanceError):
        quick.name = "b"  # type: ignore[misc] - that is what is tried
    with pytest.raises(FrozenInstanceError):
        del quick.name  # type: ignore[misc] - likewise
    assert quick == Quick("a")
    changeable = Changeable("a")
    changeable.size = 3
    assert changeable == Changeable("a", 3)
    assert repr(changeable) == "<a>"
    with pytest.raises(TypeError):
        hash(changeable)


@pytest.mark.parametrize(
    "make",
    [
        lambda cls: cls(),
        lambda cls: cls(size=1),
        lambda cls: cls("a", 1, [], 4),
        lambda cls: cls("a", name="b"),
        lambda cls: cls("a", 1, size=2),
        lambda cls: cls("a", colour=1),
        lambda cls: cls(colour=1),
    ],
)
def test_wrong_arguments_are_refused(make: Callable[[Any], object]) -> None:
    """Missing, too many, twice, or of a name that no field has: by both kinds."""
    for cls in (Quick, Slow):
        with pytest.raises(TypeError):
            make(cls)


def test_what_it_cannot_do_is_refused() -> None:
    """A class with code of its own to run on creation, or a field that is no argument, is told when it is defined."""

    class Checked:
        """It looks at itself."""

        name: str

        def __post_init__(self) -> None:
            raise AssertionError

    class Computed:
        """It has a field that nobody gives."""

        name: str = field(init=False)

    for cls in (Checked, Computed):
        with pytest.raises(TypeError, match=cls.__name__):
            quick_dataclass.dataclass(cls)
