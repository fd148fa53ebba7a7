"""The plan of a restore, step by step, as a dry run shows it."""

from __future__ import annotations

import stat
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from icc_store.errors import DamageError
from icc_store.ids import ObjectId
from icc_store.model.entry import HARD_LINK, MODE, NAME, SIZE, SUBTREE, Wire
from icc_store.model.extent import refuse_too_deep
from icc_store.model.paths import join
from icc_store.model.repository import Repository
from icc_store.model.tree import tree_parts
from icc_store.operations.restore_plan import ENTERED, PROBLEMS, WRITES, Action, DirectoryPlan, RestorePlan

_SHOWN = WRITES | PROBLEMS | {Action.LEAVE}


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One thing a restore would do. `action` None: the path is removed, and `size` is all that goes with it."""

    path: bytes
    action: Action | None
    mode: int
    size: int


_Walk = Generator["PlannedStep | _Walk", None, None]


def planned_steps(repository: Repository, plan: RestorePlan) -> Iterator[PlannedStep]:
    """What a plan does, in the order in which it is done; what stays as it is is left out."""
    waiting: list[_Walk] = [_Steps(repository, plan).directory(b"", plan.snapshot.record.root, plan.root)]
    while waiting:
        found = next(waiting[-1], None)
        if found is None:
            waiting.pop()
        elif isinstance(found, PlannedStep):
            yield found
        else:
            waiting.append(found)


class _Steps:
    def __init__(self, repository: Repository, plan: RestorePlan) -> None:
        self._objects = repository.objects
        self._scope = plan.scope

    def directory(self, path: bytes, tree: ObjectId, plan: DirectoryPlan) -> _Walk:
        yield self._removals(path, plan)
        position, below = 0, iter(plan.below)
        try:
            refuse_too_deep(path)
            for _, part in tree_parts(self._objects, tree):
                files: list[tuple[bytes, Wire, Action]] = []
                for wire in part.entries:
                    action = self._missing(path, wire) if plan.actions is None else Action(plan.actions[position])
                    position += 1
                    here = join(path, wire[NAME])
                    if SUBTREE not in wire:
                        files.append((here, wire, action))
                        continue
                    if action in _SHOWN and self._scope.takes(here):
                        yield PlannedStep(here, action, wire[MODE], 0)
                    if action in ENTERED:
                        child = DirectoryPlan() if plan.actions is None else next(below, DirectoryPlan())
                        yield self.directory(here, wire[SUBTREE], child)
                for here, wire, action in files:
                    if action in _SHOWN:
                        yield PlannedStep(here, action, wire[MODE], wire.get(SIZE, 0))
        except DamageError:
            return  # the plan has it among its failures

    def _missing(self, path: bytes, wire: Wire) -> Action:
        """What is done in a directory that is not there yet."""
        if not self._scope.leads(join(path, wire[NAME])):
            return Action.PASS
        return Action.LINK if HARD_LINK in wire else Action.MAKE

    def _removals(self, path: bytes, plan: DirectoryPlan) -> _Walk:
        for removal in plan.removals:
            mode = stat.S_IFDIR if removal.is_directory else stat.S_IFREG
            yield PlannedStep(join(path, removal.name), None, mode, removal.size)
        for name, extra in plan.extras:
            yield self._removals(join(path, name), extra)
