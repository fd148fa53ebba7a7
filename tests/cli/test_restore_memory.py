"""restore of a memory and rollback through real processes: what they print, how they end, and that signals undo."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from icc_store.cli.commands import restore as restore_command
from icc_store.cli.commands import rollback as rollback_command
from icc_store.cli.commands.restore import _listed as listed
from tests.support.compare import Facts
from tests.support.databases import make_database, used_database
from tests.support.entities import entity, place, text
from tests.support.live import on_disk
from tests.support.memory_restores import ALPHA, BETA, FILES, LEARNINGS, STORE, without_backups, write
from tests.support.program import Program

MANY = 1500


@pytest.fixture
def top(tmp_path: Path) -> Path:
    write(tmp_path / "memory", FILES)
    return tmp_path / "memory"


@pytest.fixture
def program(top: Path) -> Program:
    """A repository in the memory's own backups, with one snapshot."""
    program = Program(top / STORE)
    program.good("init", "-q")
    program.good("snapshot", top, "--name", "first", "-q")
    return program


def spoil(top: Path) -> Facts:
    (top / ALPHA).unlink()
    (top / BETA).write_bytes(b'{"id": "Learn')
    write(top, {"entities/Learning/2025/06/Learning-new-20250603.json": text(entity(stem="new-20250603"))})
    return without_backups(top)


def test_restore_and_roll_back(program: Program, top: Path) -> None:
    """The state of the snapshot comes back, the lines say so and how to undo it, and rollback undoes it."""
    whole = without_backups(top)
    spoilt = spoil(top)
    done = program.good("restore", "latest", "--yes")
    assert without_backups(top) == whole
    assert "entities: 3 Learning, 1 Pattern, 1 Project" in done.out
    assert "together they have the integrity hash of the snapshot" in done.out
    assert "`icc-store rollback` brings it back" in done.out
    preview = program.good("rollback", "--dry-run").out
    assert f"remove        15 B  {ALPHA}" not in preview
    assert "would make 1, replace 1" in preview
    assert without_backups(top) == whole
    done = program.good("rollback", "--yes")
    assert without_backups(top) == spoilt
    assert "restored " in done.out
    assert "before-restore-" in done.out
    program.good("rollback", top, "-y", "-q")
    assert without_backups(top) == whole
    spoil(top)
    program.good("restore", "latest", "--yes", "--mtime", "now", "-q")
    assert (top / ALPHA).stat().st_mtime_ns > (top / BETA).stat().st_ctime_ns - 10**10 > whole[ALPHA.encode()]["mtime"]


def test_documents(program: Program, top: Path) -> None:
    """Restore, plan and rollback print the fields that are documented."""
    spoil(top)
    plan = program.good("restore", "latest", "--dry-run", "--json").document
    assert set(plan) - {"schema", "command"} == set(restore_command.DOCUMENT)
    assert ("remove", "entities/Learning/2025/06/Learning-new-20250603.json") in {
        (step["action"], step["path"]) for step in plan["steps"]
    }
    done = program.good("restore", "latest", "--yes", "--json").document
    assert set(done) - {"schema", "command"} == set(restore_command.DOCUMENT) - {"steps"}
    assert set(done["memory"]) == set(restore_command.DOCUMENT["memory"])
    manifest = program.good("manifest", "latest", "--json").document
    assert done["memory"]["integrity_hash"] in json.dumps(manifest)
    assert done["memory"]["entities"] == {"Learning": 3, "Pattern": 1, "Project": 1}
    copy = done["safety"]
    back = program.good("rollback", "--yes", "--json").document
    assert set(back) - {"schema", "command"} == set(rollback_command.DOCUMENT) - {"steps"}
    assert back["snapshot"]["id"] == copy
    assert back["snapshot"]["class"] == "safety"
    assert back["safety"] != copy


def test_chosen_entities_and_maps(program: Program, top: Path) -> None:
    """Entities are chosen by lists with commas or one by one; a dry run shows what would move; paths are rewritten."""
    archived = top / "entities/Learning/archive" / Path(BETA).name
    archived.parent.mkdir()
    (top / BETA).rename(archived)
    (top / ALPHA).unlink()
    ids = ",".join(one["id"] for one in LEARNINGS[:2])
    plan = program.good("restore", "latest", "--entities", ids, "--dry-run")
    assert "remove" in plan.out
    assert "and move 1 entity from another path" in plan.out
    assert archived.exists()
    done = program.good("restore", "latest", "--entities", ids, "--yes", "--no-rebuild-indexes", "--json").document
    assert done["memory"]["moved"] == ["entities/Learning/archive/" + Path(BETA).name]
    assert {name: data for name, data in on_disk(top).items() if not name.startswith("backups/")} == FILES
    mapped = ("--map", "/home/ada=/srv/bob", "--rebuild-indexes")
    done = program.good("restore", "latest", "-y", *mapped, "--json").document
    assert done["memory"]["mapped"] == 4
    assert b"/srv/bob/work" in (top / "config/settings.json").read_bytes()
    assert "indexes/tag-index.json" in done["memory"]["rebuilt"]
    assert listed(("a,b", "c, a", "")) == ("a", "b", "c")


def test_what_is_no_memory(program: Program, tmp_path: Path) -> None:
    """Options about entities are refused for other snapshots; a safety copy is taken only when that is asked for."""
    write(tmp_path / "notes", {"a.md": b"# a"})
    program.good("snapshot", tmp_path / "notes", "--name", "notes", "-q")
    for option in (["--types", "Learning"], ["--map", "/a=/b"], ["--rebuild-indexes"], ["--entities", "x"]):
        done = program("restore", "notes", "--yes", *option)
        assert (done.code, option[0] in done.err) == (2, True)
    (tmp_path / "notes/a.md").write_bytes(b"changed")
    assert program.good("restore", "notes", "--yes", "--json").document["safety"] is None
    (tmp_path / "notes/a.md").write_bytes(b"changed")
    assert program.good("restore", "notes", "--yes", "--safety", "--json").document["safety"]
    program.good("rollback", "--yes", "-q")
    assert (tmp_path / "notes/a.md").read_bytes() == b"changed"


def test_nothing_to_roll_back(program: Program) -> None:
    """Without a safety copy it ends with 4 and one line; without a yes and a terminal with 2."""
    done = program("rollback", "--yes")
    assert (done.code, done.err.count("\n")) == (4, 1)
    assert "nothing to roll back" in done.err
    assert program("rollback").code == 2


def test_a_database_in_use(program: Program, top: Path) -> None:
    """A memory with a database that a program has open is not restored over, and the program is named."""
    make_database(top / "memory.db", wal=True)
    with used_database(top / "memory.db", "open") as process:
        spoil(top)
        before = [path for path in top.rglob("*") if STORE not in str(path)]
        for options in (["--yes"], ["--dry-run", "-q"]):
            done = program("restore", "latest", *options)
            assert done.code == 1
            assert f"memory.db in {top} is in use by pid {process.pid}" in done.err
        assert [path for path in top.rglob("*") if STORE not in str(path)] == before


def begin(program: Program, phase: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a command and wait until it is in a phase."""
    process = subprocess.Popen(
        program.command(*arguments, "--progress", "json"),
        env=program.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if json.loads(line).get("phase") == phase:
            return process
    raise AssertionError(f"it ended with {process.wait()} before the phase {phase}")


def swell(program: Program, top: Path) -> Facts:
    """Make the restore a long one: a snapshot of many entities, all of which are changed afterwards."""
    files = {}
    for number in range(MANY):
        one = entity(stem=f"n{number:04}-20250603")
        files[place(one).decode()] = text(one)
    write(top, files)
    program.good("snapshot", top, "--name", "many", "-q")
    write(top, {name: data.replace(b"cache", b"other") for name, data in files.items()})
    return without_backups(top)


@pytest.mark.parametrize(("number", "phase"), [(signal.SIGTERM, "restore"), (signal.SIGINT, "sync")])
def test_ended_in_the_middle(program: Program, top: Path, number: signal.Signals, phase: str) -> None:
    """A polite request to end undoes what was done: the memory is byte for byte what it was, and that is said."""
    before = swell(program, top)
    process = begin(program, phase, "restore", "many", "--yes")
    process.send_signal(number)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert "is again as it was before (safety copy" in err
    assert without_backups(top) == before
    assert program.good("list", "--json").document["snapshots"][-1]["class"] == "safety"


def test_killed_in_the_middle(program: Program, top: Path) -> None:
    """After a death without warning rollback brings back what was there."""
    before = swell(program, top)
    process = begin(program, "restore", "restore", "many", "--yes")
    process.kill()
    process.communicate()
    program.good("rollback", "--yes", "-q")
    left = without_backups(top)
    assert {path: known for path, known in left.items() if known != before.get(path)} == {}
    assert left.keys() == before.keys()
