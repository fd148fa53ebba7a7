"""Damage that parity is for, and its repair."""

from __future__ import annotations

import os
import random
from pathlib import Path

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.opening import open_for_repair, open_repository
from icc_store.operations.parity import renew
from icc_store.operations.repair import RepairResult, rebuild

_PAGE = 4096


def zero_pages(file: Path, share: float, chance: random.Random) -> None:
    """Fill as many pages with zeros, anywhere."""
    count = file.stat().st_size // _PAGE
    descriptor = os.open(file, os.O_RDWR)
    for number in chance.sample(range(count), int(count * share)):
        os.pwrite(descriptor, bytes(_PAGE), number * _PAGE)
    os.close(descriptor)


def repaired(path: Path, clock: Clock = SYSTEM_CLOCK) -> RepairResult:
    """Repair, in place, and make parity anew, as the command does."""
    with open_for_repair(path, clock=clock) as repairing:
        rescued = repairing.rescued
        listed = rescued.listed_snapshots, rescued.listed_annotations
        result = rebuild(repairing.repository, *listed, damaged=repairing.path, clock=clock)
        repairing.take_place()
    with open_repository(path, clock=clock) as repository:
        renew(repository, after_repair=True)
    return result
