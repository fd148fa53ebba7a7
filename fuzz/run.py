"""Runs the fuzz targets, each in a process of its own: `python -m fuzz.run --seconds 60`.

A finding is saved under fuzz/crashes/NAME, printed, and makes the run exit with 1. Saved inputs are tried first by
every later run, so a mended one shows. The engine is atheris where it is installed (fuzz/guided.py), which keeps what
it has learned under fuzz/corpus/NAME; else the built-in one (fuzz/builtin.py). fuzz/corpus/runs.jsonl notes how much
CPU each target had: `--cpu-minutes 30` goes on until each had that much on its present code; `--table` prints the sums.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fuzz import builtin, guided
from fuzz.ledger import Ledger, Run
from fuzz.target import code_of, load, target_names

ROOT = Path(__file__).resolve().parent.parent
CRASHES = ROOT / "fuzz" / "crashes"
CORPUS = ROOT / "fuzz" / "corpus"
ENGINES = ("builtin", "atheris")

_COUNTS = re.compile(r"^inputs: (\d+) kept: (\d+)", re.MULTILINE)
_AT_ONCE = threading.Lock()


def run_child(options: argparse.Namespace) -> int:
    """In the process of one target: all of its life."""
    name, findings = options.child, CRASHES / options.child
    if options.engine == "atheris":
        return guided.run(name, options.seconds, options.seed, guided.Places(CORPUS / name, findings, options.scratch))
    return builtin.run(load(name), options.seconds, options.seed, options.scratch / "input", findings)


def supervise(name: str, options: argparse.Namespace, ledger: Ledger) -> bool:
    """Run one target in a process of its own. Returns whether all went well; a finding is saved and printed."""
    findings = CRASHES / name
    findings.mkdir(parents=True, exist_ok=True)
    code = code_of(name)
    with tempfile.TemporaryDirectory() as place:
        scratch = Path(place)
        (scratch / "input").write_bytes(bytes(builtin.SHARED_SIZE))
        status, cpu, output = _process(name, options, scratch)
        data = builtin.current_input(scratch / "input") if options.engine == "builtin" else None
    counts = _COUNTS.findall(output)
    tally = guided.Tally(int(counts[-1][0]), kept=int(counts[-1][1])) if counts else guided.tally(output)
    run = Run(name, options.engine, code, cpu, tally.inputs, tally.edges, tally.features, tally.kept, not status)
    with _AT_ONCE:
        ledger.add(run)
        reached = f", {run.edges} edges, {run.features} features" if run.edges else ""
        print(f"{name}: {run.inputs:,} inputs, {cpu:.0f} s of CPU{reached}, {run.kept} kept", end="", flush=True)
        print(f", UNEXPECTED (exit {status})\n{output}" if status else "", flush=True)
        if status and data is not None:
            path = findings / hashlib.sha256(data).hexdigest()[:16]
            path.write_bytes(data)
            print(f"{name}: the input is saved as {path.relative_to(ROOT)}", flush=True)
    return not status


def _process(name: str, options: argparse.Namespace, scratch: Path) -> tuple[int, float, str]:
    """Exit code, seconds of CPU and output of the process of a target."""
    command = [sys.executable, "-m", "fuzz.run", "--child", name, "--engine", options.engine, "--scratch", str(scratch)]
    command += ["--seconds", str(options.seconds), "--seed", str(options.seed)]
    (scratch / "temporary").mkdir()
    environment = os.environ | {"TMPDIR": str(scratch / "temporary")}
    with (scratch / "output").open("w+b") as output:
        child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            _, status, used = os.wait4(child.pid, 0)
        except BaseException:
            child.kill()
            raise
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        return child.returncode, used.ru_utime + used.ru_stime, output.read().decode("utf-8", "replace")


def run_all(names: list[str], options: argparse.Namespace, ledger: Ledger) -> list[str]:
    """Run the targets once, or in rounds until each had its CPU minutes. Returns those with findings."""
    failed: list[str] = []
    left = names
    with ThreadPoolExecutor(max_workers=options.jobs) as workers:
        while left:
            held = dict(zip(left, workers.map(lambda name: supervise(name, options, ledger), left), strict=True))
            failed += [name for name in left if not held[name]]
            wanted = 60 * options.cpu_minutes
            had = {name: ledger.cpu_seconds(name, code_of(name)) for name in left if held[name]}
            left = sorted((name for name in had if had[name] < wanted), key=lambda name: had[name])
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description="run the fuzz targets", prog="python -m fuzz.run")
    parser.add_argument("targets", nargs="*", help="names from fuzz/targets (default: all)")
    parser.add_argument("--seconds", type=float, default=60, help="how long, per target and round (default: 60)")
    parser.add_argument("--cpu-minutes", type=float, default=0, help="rounds until each target had so much CPU")
    parser.add_argument("--seed", type=int, default=0, help="of the changes that are tried (default: 0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="targets at a time (default: processors)")
    installed = importlib.util.find_spec("atheris") is not None
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[installed], help="default: %(default)s")
    parser.add_argument("--table", action="store_true", help="print what all runs came to, and run nothing")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return run_child(options)
    names = options.targets or target_names()
    unknown = sorted(set(names) - set(target_names()))
    if unknown or not names:
        parser.error(f"no such target: {', '.join(unknown)}" if unknown else "there is no target in fuzz/targets")
    ledger = Ledger(CORPUS / "runs.jsonl")
    if options.table:
        print("\n".join(ledger.table({name: code_of(name) for name in names})))
        return 0
    failed = run_all(names, options, ledger)
    print(f"{len(names) - len(failed)} of {len(names)} fuzz targets held")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
