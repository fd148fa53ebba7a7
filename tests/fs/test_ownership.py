"""ownership: names first, then numbers."""

from __future__ import annotations

import pwd

from icc_store.fs.ownership import LocalOwners
from icc_store.model.tree import Owners

NAMES = Owners({0: "toor", 777_001: "nobody", 777_002: "no such user"}, {0: "toor", 777_001: "no such group"})


def test_a_name_known_here_decides() -> None:
    """A name of the snapshot that this machine knows gives its number here."""
    assert LocalOwners().local(777_001, 0, NAMES)[0] == pwd.getpwnam("nobody").pw_uid


def test_the_number_is_kept_without_a_name() -> None:
    """Names unknown here, and numbers without a name, keep the number."""
    owners = LocalOwners()
    assert owners.local(777_002, 777_001, NAMES) == (777_002, 777_001)
    assert owners.local(777_003, 777_003, NAMES) == (777_003, 777_003)


def test_root_is_root() -> None:
    """The number 0 is root, whatever it was called."""
    assert LocalOwners().local(0, 0, Owners({0: "nobody"}, {0: "nogroup"})) == (0, 0)


def test_numbers_on_request() -> None:
    """With numeric ids the names do not count."""
    assert LocalOwners(numeric=True).local(777_001, 1, NAMES) == (777_001, 1)


def test_each_part_has_its_own_names() -> None:
    """The same number under another name is another user."""
    owners = LocalOwners()
    nobody = pwd.getpwnam("nobody").pw_uid
    for _ in range(2):
        assert owners.local(777_001, 0, NAMES)[0] == nobody
        assert owners.local(777_001, 0, Owners())[0] == 777_001
