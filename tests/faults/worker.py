"""A process with the shim loaded, which tries operations under faults at the calls it is told.

    python -m tests.faults.worker SCRATCH TASKS

TASKS is a JSON list of [operation, fault, most, where]: `most` points at even distances, or all calls whose name and
path end as the pattern `where` says, or where both are null call number 1, 2, 3 ... until a run survives. Prints a line
of JSON for each task, with all calls that a run without a fault makes, and one for each point.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.faults.operations import BY_NAME, Operation
from tests.faults.shim import BY_NAME as FAULTS
from tests.faults.shim import Action, Fault
from tests.faults.stage import Stage, warm_up
from tests.faults.trial import attempt


def numbers(calls: list[tuple[str, str]], most: int | None, where: str | None) -> Iterable[int]:
    """Which calls to strike: every one, and then one more; `most` of them at even distances; those on one path."""
    if where is not None:
        return [number for number, call in enumerate(calls, 1) if re.search(f"(?:{where})$", " ".join(call))]
    if most is None:
        return itertools.count(1)
    return sorted({1 + (2 * each + 1) * len(calls) // (2 * most) for each in range(most)})


def try_out(stage: Stage, operation: Operation, fault: Fault, most: int | None, where: str | None) -> None:
    """One task."""
    stage.reset()
    calls = stage.run(*operation.command(stage), fault=dataclasses.replace(fault, action=Action.COUNT)).calls
    _say({"operation": operation.name, "fault": fault.name, "calls": [call for call, _ in calls]})
    for number in numbers(calls, most, where):
        point = attempt(stage, operation, fault, number)
        _say(dataclasses.asdict(point))
        if point.call is None:
            break


def _say(what: object) -> None:
    print(json.dumps(what), flush=True)


def main() -> None:
    """Prepare each operation once, and do its tasks."""
    warm_up()
    scratch, tasks = Path(sys.argv[1]), json.loads(sys.argv[2])
    for name, group in itertools.groupby(tasks, lambda task: task[0]):
        operation = BY_NAME[name]
        place = scratch / name.replace(" ", "-")
        stage = Stage(place, operation.repository)
        operation.prepare(stage)
        stage.begin()
        stage.rehearse(*operation.command(stage))
        for _, fault, most, where in group:
            try_out(stage, operation, FAULTS[fault], most, where)
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
