"""Successive releases of a real package, each in the place of the one before."""

from functools import partial

from benchmarks.compare import Tree
from benchmarks.corpora import package as corpus
from benchmarks.plan import Plan
from benchmarks.scenarios.contest import Contest, warm
from benchmarks.scenarios.growth import OPTIMIZED
from benchmarks.scenarios.memory import FIRST, RESTORE, VERIFY
from benchmarks.workspace import copy_tree

NEXT = "next release"


def package(contest: Contest, plan: Plan) -> None:
    """A snapshot of each release, then the newest back; as many releases as the plan has days, at most ten."""
    workspace = contest.workspace
    try:
        wheels = corpus.fetch(workspace.cache / "wheels")[: plan.days]
    except corpus.PackageUnavailable as unavailable:
        contest.note(f"left out: {unavailable}")
        return
    with contest.run(1) as source:
        expected: Tree = {}
        for wheel in wheels:
            release = workspace.cached(wheel.stem, partial(corpus.unpack, wheel))
            workspace.discard(source)
            copy_tree(release, source)
            expected = warm(source)
            contest.snapshot(NEXT if wheel is not wheels[0] else FIRST, source, f"release-{wheels.index(wheel):02d}")
            if wheel is wheels[0]:
                contest.sizes("after the first snapshot")
        contest.sizes(f"after {len(wheels)} releases")
        contest.restore(RESTORE, expected)
        contest.ask(VERIFY, lambda peer: peer.verify())
        contest.ask("rewrite for size", lambda peer: peer.optimize())
        contest.sizes(OPTIMIZED)
