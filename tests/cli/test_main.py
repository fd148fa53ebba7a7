"""The program as a whole: help, wrong arguments, exit codes, signals and streams that end early."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from icc_store.cli.main import COMMANDS, HELP_LINES, load, module_name
from icc_store.errors import IccStoreError
from icc_store.version import VERSION
from tests.support.program import Program, finish

FOLDER = Path(__file__).resolve().parent.parent.parent / "src" / "icc_store" / "cli" / "commands"


def test_help_shows_commands_examples_and_exit_codes(look: Program) -> None:
    """`--help` names every command, gives examples, and explains every exit code of the error classes."""
    text = look.good("--help", COLUMNS="80").out
    for name, line in HELP_LINES.items():
        assert f"\n  {name}" in text
        assert line in text
    assert "Examples:" in text
    for code in {one.exit_code for one in _tree(IccStoreError)}:
        assert f"\n  {code}" in text
    assert max(map(len, text.splitlines())) <= 80


def _tree(top: type[IccStoreError]) -> list[type[IccStoreError]]:
    return [top, *(one for below in top.__subclasses__() for one in _tree(below))]


@pytest.mark.parametrize("name", HELP_LINES)
def test_every_command_has_a_module(name: str) -> None:
    """Each registered command can be loaded, says in one line what it does, and gives an example."""
    command = load(name)
    assert command.help
    assert command.name == name
    assert getattr(command, "examples", ())


def test_every_module_is_registered() -> None:
    """No command file lies around that nobody can run."""
    files = {path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__"}
    assert files <= {module_name(name) for section in COMMANDS.values() for name in section}


def test_version(look: Program) -> None:
    """`--version` prints one line."""
    assert look.good("--version").out == f"icc-store {VERSION}\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "--help"),
        (("lst",), "'list'"),
        (("--nonsense",), "no such option"),
        (("list", "--nonsense"), "icc-store list --help"),
        (("list", "--last", "0"), "--last"),
        (("list", "--progress", "maybe"), "--progress"),
        (("cat", "latest"), "PATH"),
        (("show",), "SNAP"),
        (("show", "first", "second"), "unexpected"),
        (("ls", "first", "../x"), "'..'"),
        (("find", "/"), "no pattern"),
        (("cat", "first", "d"), "directory"),
        (("cat", "first", "link"), "symbolic link to a.md"),
        (("cat", "first", "a.md", "--json"), "not JSON"),
        (("completion", "tcsh"), "tcsh"),
    ],
)
def test_wrong_usage(look: Program, arguments: tuple[str, ...], says: str) -> None:
    """Wrong arguments end with 2 and one line on stderr that says what is wrong and where to look."""
    done = look(*arguments)
    assert done.code == 2
    assert says in done.err
    assert done.err.startswith("icc-store: ")
    assert done.err.count("\n") == 1
    assert not done.out or done.document["error"]["exit_code"] == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("show", "firts"), "near: first"),
        (("show", "latest"), "'home', 'other'"),
        (("ls", "first", "nope"), "nope"),
        (("cat", "first", "d/none"), "d/none"),
        (("--repo", "nowhere", "list"), "init"),
    ],
)
def test_what_is_not_there(look: Program, arguments: tuple[str, ...], says: str) -> None:
    """No such repository, snapshot or path: exit code 4, and what to do next."""
    done = look(*arguments)
    assert (done.code, done.out) == (4, "")
    assert says in done.err
    assert done.err.count("\n") == 1


def test_places_that_are_no_repository(look: Program, tmp_path: Path) -> None:
    """A file, and a directory that is not ours, are told apart from one that is not there."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    for name, says in (("file", "is a file"), ("folder", "is not an icc-store repository")):
        done = look("--repo", str(tmp_path / name), "list")
        assert done.code == 1
        assert says in done.err


def test_errors_as_json(look: Program) -> None:
    """With `--json` a failure is a document too; stderr and the exit code are as without."""
    done = look("show", "nothing-like-it", "--json")
    assert done.code == 4
    assert done.document["command"] == "show"
    assert done.document["error"]["class"] == "SnapshotNotFound"
    assert done.document["error"]["exit_code"] == 4
    assert done.err.count("\n") == 1


def test_no_traceback_unless_asked_for(look: Program) -> None:
    """`-v` shows where an error came from."""
    assert "Traceback" not in look("show", "nope").err
    assert "Traceback" in look("-v", "show", "nope").err


def test_global_options_may_follow_the_command(look: Program) -> None:
    """`--json list` and `list --json` are the same."""
    assert look.good("--json", "list").out == look.good("list", "--json").out


def test_the_environment_names_the_repository(kept: Path, look: Program) -> None:
    """ICC_STORE_REPO says where the repository is, and `--repo` wins over it."""
    command = [part for part in look.command("list", "--json") if part not in ("--repo", str(kept))]
    assert finish(command, look.environ | {"ICC_STORE_REPO": str(kept)}).document["total"] == 3
    assert look("list", "--json", ICC_STORE_REPO="/nowhere").document["total"] == 3


def test_a_reader_that_goes_away(look: Program) -> None:
    """`icc-store find '**' | head -1` prints a line and nothing on stderr."""
    script = f"{' '.join(look.command('ls', 'first', '-R'))} --json-lines | head -1"
    for _ in range(3):
        done = finish(["bash", "-c", script], look.environ)
        assert (done.code, done.err) == (0, "")
        assert done.out.count("\n") == 1


def test_a_reader_that_goes_away_in_the_middle(look: Program) -> None:
    """When the pipe breaks under a large file, the command ends with 1 and says nothing."""
    script = (
        f"{' '.join(look.command('cat', 'latest', 'large', '--source', 'home'))} | head -c 1; echo ${{PIPESTATUS[0]}}"
    )
    done = finish(["bash", "-c", script], look.environ)
    assert done.out.endswith("1\n")
    assert done.err == ""


def test_a_full_disk_under_stdout(look: Program) -> None:
    """Output that cannot be written is an error of its own, not a traceback."""
    for arguments in (("list",), ("list", "--json"), ("cat", "first", "a.md")):
        done = finish(["bash", "-c", " ".join(look.command(*arguments)) + " > /dev/full"], look.environ)
        assert done.code == 1
        assert "no space left" in done.err
        assert done.err.count("\n") == 1


def test_closed_streams(look: Program) -> None:
    """With stdout or stderr closed, a command still works."""
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        done = finish(["bash", "-c", " ".join(look.command("list")) + f" {closed}"], look.environ)
        assert done.code == 0
        assert done.err == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted(look: Program, number: signal.Signals) -> None:
    """Ctrl-C, a request to end and a terminal that closes end a command with 130 and one line."""
    reader, writer = os.pipe()
    command = look.command("cat", "latest", "large", "--source", "home")
    with subprocess.Popen(command, env=look.environ, stdout=writer, stderr=subprocess.PIPE) as process:
        os.close(writer)
        os.read(reader, 1)  # it is in the middle of its work, and the pipe is full
        time.sleep(0.05)
        process.send_signal(number)
        assert process.stderr is not None
        said = process.stderr.read().decode()
        assert process.wait() == 130
    os.close(reader)
    assert said.startswith("icc-store: interrupted")
    assert said.count("\n") == 1


def test_nobody_reads_stderr(look: Program) -> None:
    """An error that cannot be printed still ends with its exit code."""
    done = finish(["bash", "-c", " ".join(look.command("show", "nope")) + " 2> /dev/full"], look.environ)
    assert done.code == 4


def test_any_locale(look: Program) -> None:
    """An ASCII locale changes how a name is shown, not whether the command works."""
    done = look.good("ls", "first", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert "a.md" in done.out
