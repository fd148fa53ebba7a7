"""Every byte of a small repository changed, one at a time: `verify` finds it, or nothing that can be read differs."""

from __future__ import annotations

import faulthandler
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from icc_store.errors import DamageError, IccStoreError
from icc_store.opening import open_repository
from icc_store.operations.verify import verify
from icc_store.store.sacrifice import Give, Sacrifice
from tests.damage.stage import NAMES, Stage
from tests.support.live import contents, new_clock

FOUND, REFUSED, EQUAL, CRASHED = "found by verify", "refused when opened", "nothing differs", "a crash, found"
_SECONDS = 30


def positions(stage: Stage) -> list[tuple[str, int]]:
    """Every byte of every file."""
    return [(name, offset) for name in NAMES for offset in range(len(stage.whole[name]))]


def flip_each(stage: Stage, folder: Path, places: Sequence[tuple[str, int]]) -> tuple[Counter[str], list[str]]:
    """Change a bit of each of these bytes in turn. Returns how many came to what, and what is wrong."""

    def work(start: int, at: Callable[[int], None], give: Give) -> None:
        faulthandler.disable()  # a crash is expected of some
        stage.put(folder)
        for number in range(start, len(places)):
            at(number)
            signal.alarm(_SECONDS)
            give(b"%d" % number, judge(stage, folder, *places[number], bit=number % 8).encode())

    children = Sacrifice(work, children=len(places))
    came_to: Counter[str] = Counter()
    wrong = []
    missing = set(range(len(places)))
    for key, verdict in children.rows():
        missing.discard(int(key))
        came_to[verdict.decode()] += 1
        if verdict.decode() not in (FOUND, REFUSED, EQUAL):
            wrong.append(f"{places[int(key)]}: {verdict.decode()}")
    came_to[CRASHED] += len(missing)
    if len(missing) != len(children.problems):
        wrong.append(f"{len(missing)} bytes were not tried: {children.problems[-3:]}")
    wrong += [problem for problem in children.problems if "SIGALRM" in problem]
    return came_to, wrong


def judge(stage: Stage, folder: Path, name: str, offset: int, *, bit: int) -> str:
    """What verify says of one changed bit, and whether that is right."""
    for each, data in stage.whole.items():
        (folder / each).write_bytes(data)
    changed = bytearray(stage.whole[name])
    changed[offset] ^= 1 << bit
    (folder / name).write_bytes(changed)
    try:
        with open_repository(folder, clock=new_clock()) as repository:
            if verify(repository, clock=repository.clock).findings:
                return FOUND
            listed = {one.id: one for one in repository.snapshots(forgotten=True)}
            if list(listed) != list(stage.versions):
                return f"verify finds nothing, and the snapshots are {len(listed)} others"
            for identity, files in stage.versions.items():
                if contents(repository, listed[identity]) != files:
                    return "verify finds nothing, and a snapshot differs"
    except DamageError:
        return REFUSED
    except IccStoreError as error:
        return REFUSED if name == "repository.json" else f"{type(error).__name__}: {error}"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is no error of ours, and a user would be alone with it
        return f"{type(error).__name__}: {error}"
    return EQUAL
