"""Run the benchmarks: `python -m benchmarks.run [--quick]`."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import machine, plan, report
from benchmarks.peers import DEFAULT_PEERS, OURS, PEERS, make_peer
from benchmarks.results import ScenarioResult
from benchmarks.scenarios import Contest, Scenario, scenarios
from benchmarks.workspace import Workspace, default_directory

RESULTS = Path(__file__).parent / "results"
ROOM = 20 << 30
"""What a scenario may need below the working directory."""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="Compare icc-store with its peers.")
    parser.add_argument("--quick", action="store_true", help="small data, one run each: minutes instead of an hour")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="scenarios whose name begins so, in this order")
    parser.add_argument("--entities", type=int, metavar="N", help="entities of the agent memory")
    parser.add_argument("--days", type=int, metavar="N", help="days of the growth scenario")
    parser.add_argument("--runs", type=int, metavar="N", help="repetitions")
    names = ", ".join(PEERS)
    parser.add_argument("--minutes", type=float, metavar="N", help="of each scenario; it leaves out what it can then")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=DEFAULT_PEERS, metavar="PEER", help=names)
    parser.add_argument("--work", type=Path, default=default_directory(), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="where JSON and tables go")
    parser.add_argument("--keep", action="store_true", help="leave it to a later run to delete what is done with")
    parser.add_argument("--no-wait", action="store_true", help="do not wait for effects of recent deletions to pass")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; return 1 where icc-store failed or gave back other bytes, else 0."""
    options = parse(arguments)
    os.umask(0o022)
    workspace = Workspace(options.work.absolute())
    chosen = plan.choose(
        quick=options.quick,
        entities=options.entities,
        days=options.days,
        runs=options.runs,
        minutes=options.minutes,
    )
    suffix = "-quick" if options.quick else ""
    selected = _selected(chosen, options.only)
    installed = [name for name in options.peers if not make_peer(name, workspace.root).missing()]
    missing = [name for name in options.peers if name not in installed]
    facts = machine.describe([make_peer(name, workspace.root) for name in installed], workspace.root)
    if not options.keep:
        _rest(workspace, wait=not (options.quick or options.no_wait))
    results: list[ScenarioResult] = []
    try:
        for name, scenario in selected.items():
            _make_room(workspace)
            result = _run(name, scenario, chosen, installed, workspace)
            result.write(options.results / f"{datetime.now(UTC):%Y-%m-%d}-{facts['commit']}-{name}{suffix}.json", facts)
            results.append(result)
    finally:
        text = report.render(results, facts, missing)
        (options.results / f"latest{suffix}.md").write_text(text)
        print(text, flush=True)
        if not options.keep:
            _tell("deleting what is no longer needed")
            workspace.empty()
    return int(any(problem.peer == OURS for result in results for problem in result.problems))


def _selected(chosen: plan.Plan, only: Sequence[str] | None) -> dict[str, Scenario]:
    known = scenarios(chosen)
    names = [name for prefix in only or ("",) for name in known if name.startswith(prefix)]
    found = {name: known[name] for name in names}
    if not found:
        sys.exit(f"no such scenario; there are: {', '.join(known)}")
    return found


def _run(
    name: str, scenario: Scenario, chosen: plan.Plan, peers: Sequence[str], workspace: Workspace
) -> ScenarioResult:
    facts: dict[str, Any] = {"plan": asdict(chosen), "started": datetime.now(UTC).isoformat(timespec="seconds")}
    result = ScenarioResult(name, facts)
    scenario(Contest(result, peers, workspace, _tell, seconds=chosen.seconds), chosen)
    return result


def _rest(workspace: Workspace, *, wait: bool) -> None:
    seconds = workspace.seconds_until_rested()
    if seconds and wait:
        _tell(f"waiting {seconds:.0f} s: recent deletions make the file system slow at creating files")
        time.sleep(seconds)
    elif seconds:
        _tell("files were deleted lately: creating files is slower for the next minutes, restores most of all")


def _make_room(workspace: Workspace) -> None:
    """Delete what earlier scenarios left, where the next one may need the room, and wait until that has no effect."""
    if workspace.free_bytes() < ROOM:
        _tell(f"less than {ROOM >> 30} GiB are free: deleting what earlier scenarios left")
        _rest(workspace, wait=True)


def _tell(text: str) -> None:
    print(f"[{datetime.now(UTC):%H:%M:%S}] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
