"""Makes the golden repository with parity: `python -m tests.golden.make_parity`.

It is made once per version and kept for ever. Its parity has sums over blocks of which some were removed since, and
second copies of blocks that came afterwards.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
import tempfile
from pathlib import Path

from icc_store.clock import FixedClock
from icc_store.model.header import FORMAT_VERSION
from icc_store.opening import create_repository, open_repository
from icc_store.operations.forget import ForgetOptions, forget
from icc_store.operations.gc import GcOptions, collect
from icc_store.operations.parity import renew, status
from icc_store.operations.retention import explicit_policy
from icc_store.operations.snapshot import SnapshotOptions, take_snapshot
from tests.golden.make_repository import HERE, T0, nobody, put, text

PERMILLE = 50
NAME = f"parity-v{FORMAT_VERSION}"
_FILES = ("repository.json", "head", "data.mdb", "parity/0000000001.parity", "parity/newest", "expected.json")


def state(top: Path, step: int) -> None:
    """Small files, of which some change at each step, and one of several pages that comes with it."""
    for number in range(24):
        put(top / f"note-{number:02}", text(number * 100 + (step if number % 4 == 0 else 0), 900))
    put(top / f"of step {step}", bytes.fromhex(hashlib.shake_128(b"%d" % step).hexdigest(9000)))


def make(workspace: Path) -> None:
    """Build everything below `workspace` and pack it."""
    source, path, clock = workspace / "source", workspace / "repository", FixedClock(T0)
    expected: dict[str, dict[str, str]] = {}
    create_repository(path, permille=PERMILLE)
    with open_repository(path, clock=clock) as repository:
        for step in range(1, 5):
            clock.sleep(86_400)
            state(source, step)
            options = SnapshotOptions(source="golden", host="here", name=f"step {step}")
            taken = take_snapshot(repository, [source], options=options, clock=clock).snapshot
            if taken is None:
                raise SystemExit("no snapshot")
            expected[f"step {step}"] = {
                one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in sorted(source.iterdir())
            }
            if step == 1:
                first = taken
                (source / "of step 1").unlink()
            if step == 2:
                renew(repository)
        forget(repository, [first.id], options=ForgetOptions(purge=True))
        del expected["step 1"]
        clock.sleep(100)
        collect(repository, options=GcOptions(policy=explicit_policy(keep_last=1000)), clock=clock)
        found = status(repository)
    if not (found.whole and found.groups and found.copied and found.removed):
        raise SystemExit(f"not everything is in it: {found}")
    (path / "expected.json").write_text(json.dumps(expected, indent=0, sort_keys=True) + "\n")
    with tarfile.open(HERE / f"{NAME}.tar.xz", "w:xz", preset=9) as archive:
        for file in _FILES:
            archive.add(path / file, f"{NAME}/{file}", filter=nobody)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="golden-") as scratch:
        make(Path(scratch))
