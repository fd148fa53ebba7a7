"""Single files that grow or change all the time: the transcript of an agent, and a live SQLite database."""

from functools import partial

from benchmarks.corpora import database as database_corpus
from benchmarks.corpora import transcript as transcript_corpus
from benchmarks.plan import SEED, Plan
from benchmarks.scenarios.contest import Contest
from benchmarks.scenarios.growth import LAST
from benchmarks.scenarios.memory import FIRST, RESTORE, VERIFY
from benchmarks.workspace import copy_tree

GROWN = "grown by 1 MB"
WRITTEN = "while it is written"
_STEP_BYTES = 1 << 20


def transcript(contest: Contest, plan: Plan) -> None:
    """A large transcript, and a snapshot each time that it has grown a little."""
    build = partial(transcript_corpus.build, size=plan.transcript_bytes, seed=SEED)
    original = contest.workspace.cached(f"transcript-{plan.transcript_bytes}", build)
    for run in contest.runs(plan.big_runs):
        with contest.run(run) as source:
            copy_tree(original, source)
            contest.settle()
            contest.snapshot(FIRST, source, "grown-000")
            contest.sizes("after the first snapshot")
            contest.floors(source)
            for step in range(1, plan.transcript_steps + 1):
                transcript_corpus.append(source, _STEP_BYTES, step, SEED)
                contest.settle()
                contest.snapshot(GROWN, source, f"grown-{step:03d}")
            expected = contest.warm(source)
            contest.sizes(LAST)
            contest.restore(RESTORE, expected)
            contest.ask(VERIFY, lambda peer: peer.verify())


def database(contest: Contest, plan: Plan) -> None:
    """Snapshots of a database amid its transactions; it must come back whole, and none of them halved."""
    build = partial(database_corpus.build, size=plan.database_bytes, seed=SEED)
    original = contest.workspace.cached(f"database-{plan.database_bytes}", build)
    for run in contest.runs(plan.big_runs):
        with contest.run(run) as source:
            copy_tree(original, source)
            contest.settle()
            with database_corpus.being_written(source):
                contest.snapshot(FIRST, source, "live-000")
                contest.sizes("after the first snapshot")
                for step in range(1, plan.database_steps + 1):
                    contest.settle()
                    contest.snapshot(WRITTEN, source, f"live-{step:03d}")
            contest.sizes(LAST)
            contest.restored(RESTORE, lambda _, target: database_corpus.problems(target))
            contest.ask(VERIFY, lambda peer: peer.verify())
