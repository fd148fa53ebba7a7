"""Whom restored files shall belong to."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Mapping

_NO_NAMES: Mapping[int, str] = {}


class Owners:
    """Turns the owner numbers of a snapshot into those of this machine.

    A name says more than a number: where the snapshot knew a name for the number and this machine knows it too, the
    name decides. Root is root everywhere.
    """

    def __init__(
        self,
        users: Mapping[int, str] = _NO_NAMES,
        groups: Mapping[int, str] = _NO_NAMES,
        *,
        numeric: bool = False,
    ) -> None:
        """`users` and `groups` are the names at the time of the snapshot; with `numeric` they do not count."""
        self._users = _NO_NAMES if numeric else users
        self._groups = _NO_NAMES if numeric else groups
        self._known: dict[tuple[int, int], tuple[int, int]] = {}

    def local(self, uid: int, gid: int) -> tuple[int, int]:
        """The uid and gid here. A directory service is asked once per pair."""
        pair = (uid, gid)
        found = self._known.get(pair)
        if found is None:
            found = self._known[pair] = (self._local_user(uid), self._local_group(gid))
        return found

    def _local_user(self, uid: int) -> int:
        name = self._users.get(uid)
        if uid == 0 or name is None:
            return uid
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            return uid

    def _local_group(self, gid: int) -> int:
        name = self._groups.get(gid)
        if gid == 0 or name is None:
            return gid
        try:
            return grp.getgrnam(name).gr_gid
        except KeyError:
            return gid
