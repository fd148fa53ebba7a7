"""What is asked of every peer: one module per kind of data."""

from collections.abc import Callable
from functools import partial

from benchmarks.plan import Plan
from benchmarks.scenarios.binary import binary
from benchmarks.scenarios.contest import Contest
from benchmarks.scenarios.entities import entities
from benchmarks.scenarios.growth import growth
from benchmarks.scenarios.living import database, transcript
from benchmarks.scenarios.memory import memory, startup
from benchmarks.scenarios.scale import many_files, many_snapshots
from benchmarks.scenarios.states import history, package
from benchmarks.scenarios.tiny import tiny_flat, tiny_spread

Scenario = Callable[[Contest, Plan], None]


def scenarios(plan: Plan) -> dict[str, Scenario]:
    """Return all scenarios of a plan by name."""
    found: dict[str, Scenario] = {"startup-250": startup}
    found |= {f"memory-{count}": partial(memory, entities=count) for count in plan.entities}
    found |= {f"growth-{count}": partial(growth, entities=count) for count in plan.entities}
    found |= {"package": package, "history": history, "many-snapshots": many_snapshots}
    found |= {"binary": binary, "transcript": transcript, "database": database}
    found |= {"tiny-flat": tiny_flat, "tiny-spread": tiny_spread, "many-files": many_files}
    # Of the smallest memory only: searching all snapshots of 100,000 entities takes git a quarter of an hour.
    found |= {f"entities-{count}": partial(entities, entities=count) for count in plan.entities[:1]}
    return found


__all__ = ["Contest", "Scenario", "scenarios"]
