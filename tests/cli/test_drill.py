"""`icc-store drill` as a process: what it prints, how it ends, what it leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from icc_store.cli.commands.drill import DOCUMENT
from icc_store.model.tree import find_entry
from icc_store.opening import open_repository
from tests.cli.test_commands import fields_fit
from tests.support.damage import block_of, damage_block
from tests.support.live import fill, snap
from tests.support.program import Program
from tests.support.shelf import noise


def left(place: Path) -> list[Path]:
    """What stands in a temporary place."""
    return list(place.iterdir()) if place.exists() else []


def test_each_source_is_drilled(program: Program, tmp_path: Path) -> None:
    """Without a name it is the newest full snapshot of each source; each is noted, and shown by `show`."""
    place = tmp_path / "tmp"
    document = program.good("--json", "drill", "--temp-directory", place).document
    assert [each["passed"] for each in document["drills"]] == [True, True]
    assert sorted(each["snapshot"]["source"] for each in document["drills"]) == ["home", "other"]
    assert fields_fit({"drills": document["drills"]}, DOCUMENT) == []
    assert left(place) == []
    shown = program.good("show", "latest", "--source", "home", "--json").document["snapshot"]
    assert shown["drilled"]
    assert "drilled" in program.good("show", "latest", "--source", "home").out


def test_one_snapshot_is_drilled(program: Program) -> None:
    """A name means that one alone; without an option it is restored where the settings say, and removed."""
    done = program.good("drill", "first")
    assert "came back as it was" in done.out
    assert len(done.out.splitlines()) == 2
    assert left(Path(program.environ["HOME"]) / ".cache/icc-store/tmp") == []
    assert program("drill", "latest", "--source", "nobody").code == 4


def test_damage_is_exit_code_6(tmp_path: Path) -> None:
    """What does not come back is named, noted, and the end of the drill."""
    program = Program(tmp_path / "repository")
    program.good("init")
    fill(tmp_path / "source", {"bad": noise(1, 400_000), "good": noise(2, 400_000)})
    with open_repository(tmp_path / "repository") as repository:
        snapshot = snap(repository, tmp_path / "source")
    break_file(tmp_path / "repository", b"bad")
    done = program("--json", "drill")
    assert done.code == 6
    assert done.document["drills"][0]["failures"][0]["path"] == "bad"
    assert not done.document["drills"][0]["passed"]
    shown = program.good("show", snapshot.id.hex(), "--json").document["snapshot"]
    assert shown["drill_failure"].startswith("bad: ")
    assert shown["suspect"]
    assert "suspect, drill failed" in program.good("list").out


def break_file(repository: Path, name: bytes) -> None:
    """Damage the block that holds a file of the newest snapshot."""
    with open_repository(repository) as opened:
        found = find_entry(opened.objects, opened.snapshots()[-1].record.root, name)
        assert found is not None
        damage_block(opened, block_of(opened, found[0].chunk))


def test_a_stopped_drill_leaves_nothing(program: Program, tmp_path: Path) -> None:
    """Ctrl-C and a request to end remove the temporary directory on the way out."""
    fill(tmp_path / "many", {f"d{number % 50}/{number}": b"%d" % number for number in range(3000)})
    program.good("snapshot", tmp_path / "many", "--name", "many")
    for number in (signal.SIGINT, signal.SIGTERM):
        place = tmp_path / f"tmp{number}"
        process = subprocess.Popen(program.command("drill", "many", "--temp-directory", place), env=program.environ)
        while process.poll() is None and not left(place):
            time.sleep(0.001)
        os.kill(process.pid, number)
        assert process.wait() == 130
        assert left(place) == []


def test_nothing_to_drill(tmp_path: Path) -> None:
    """A repository without a snapshot has nothing that could be restored."""
    program = Program(tmp_path / "repository")
    program.good("init")
    assert program("drill").code == 4
