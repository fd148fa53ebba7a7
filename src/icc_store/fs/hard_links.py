"""Files that have several names: all but the first that a scan meets refer to that one."""

from __future__ import annotations

import os
import stat

from icc_store.fs.scan_state import Part
from icc_store.model.entry import HARD_LINK, Wire, in_order
from icc_store.model.paths import join


class HardLinks:
    """What one scan has met of them."""

    def __init__(self) -> None:
        self._first: dict[tuple[int, int], bytes] = {}

    def targets(self, path: bytes, part: Part) -> list[bytes]:
        """For each name of a file that has several: the stored path that was met first."""
        targets = []
        for name, status in zip(part.names, part.statuses, strict=True):
            if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
                targets.append(self._first.setdefault((status.st_dev, status.st_ino), join(path, name)))
        return targets

    def marked(self, wire: Wire, path: bytes, status: os.stat_result) -> Wire:
        """The entry of one of a file's several names."""
        first = self._first.setdefault((status.st_dev, status.st_ino), path)
        if wire.get(HARD_LINK) == (first if first != path else None):
            return wire
        wire = {key: value for key, value in wire.items() if key != HARD_LINK}
        if first != path:
            wire[HARD_LINK] = first
        return in_order(wire)
