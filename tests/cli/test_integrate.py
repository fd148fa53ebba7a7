"""The slash commands: their files, their installation, and what comes of the words that people type after them."""

from __future__ import annotations

import importlib.resources
import json
import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from icc_store.version import VERSION
from tests.support.memories import make_memory
from tests.support.program import Done, Program, finish

FILES = Path(str(importlib.resources.files("icc_store"))) / "integrations" / "claude-code"
BACKUP, RESTORE = "icc-memory-backup", "icc-memory-restore"
FENCE = re.compile(r"^```\n(.*?)\n```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a memory, and `icc-store` on the path."""
    (tmp_path / "home" / ".claude").mkdir(parents=True)
    make_memory(tmp_path / "home" / ".claude" / "memory", 30)
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "icc-store"
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m icc_store "$@"\n')
    script.chmod(0o755)
    return tmp_path / "home"


@pytest.fixture
def program(home: Path) -> Program:
    """The program as that user runs it; the repository is the default one."""
    unwanted = ("ICC_STORE", "XDG", "CLAUDE")
    environ = {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}
    environ |= {"HOME": str(home), "PATH": f"{home.parent / 'bin'}:{environ['PATH']}"}
    return Program(home / ".claude" / "memory" / "backups" / "store", environ)


def parsed(name: str) -> tuple[dict[str, Any], str]:
    """Front matter and text of a slash command."""
    _, front, text = (FILES / "commands" / f"{name}.md").read_text().split("---\n", 2)
    return yaml.safe_load(front), text


def typed(program: Program, name: str, words: str, *, command: int = -1) -> Done:
    """What the text of a slash command tells the agent to run when these words were typed after it, run by a shell."""
    _, text = parsed(name)
    assert text.count("$ARGUMENTS") == 1
    line = FENCE.findall(text)[command].replace("TYPED", " ".join(shlex.quote(word) for word in words.split()))
    return finish(["bash", "-c", line], program.environ)


def snapshots(program: Program) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = program.good("list", "--json").document["snapshots"]
    return found


# ------------------------------------------------------------------------------------ the files


@pytest.mark.parametrize("name", [BACKUP, RESTORE])
def test_a_command_may_run_one_program_and_no_more(name: str) -> None:
    """Its tools are bounded to one command of ours, it shows no other, and no shell reads what was typed."""
    front, text = parsed(name)
    assert set(front) <= {"description", "argument-hint", "allowed-tools", "disable-model-invocation"}
    assert front["allowed-tools"] == f"Bash(icc-store --json {name.removeprefix('icc-')}:*)"
    for line in FENCE.findall(text):
        assert shlex.split(line)[:3] == ["icc-store", "--json", name.removeprefix("icc-")]
    assert "!`" not in text
    assert not re.search(r"^!", text, re.MULTILINE)


def test_only_people_restore() -> None:
    """An agent may take a backup on its own, but not put one back."""
    assert parsed(RESTORE)[0]["disable-model-invocation"] is True
    assert "disable-model-invocation" not in parsed(BACKUP)[0]


def test_the_plugin_is_one() -> None:
    """Manifest and marketplace name the same plugin, with the program's version; its commands are beside them."""
    plugin = json.loads((FILES / ".claude-plugin" / "plugin.json").read_text())
    market = json.loads((FILES / ".claude-plugin" / "marketplace.json").read_text())
    assert plugin["version"] == VERSION
    assert [(one["name"], one["source"]) for one in market["plugins"]] == [(plugin["name"], "./")]
    assert sorted(path.stem for path in (FILES / "commands").iterdir()) == [BACKUP, RESTORE]


def test_there_is_one_source_of_them() -> None:
    """What is in the package is the directory that the project shows at its top, where that is checked out."""
    shown = Path(__file__).resolve().parents[2] / "integrations"
    if not shown.exists():
        pytest.skip("an archive of the sources has them in the package only")
    assert (shown / "claude-code").samefile(FILES)


# ------------------------------------------------------------------------------------ typed


def test_the_four_examples_of_the_memory_system(program: Program) -> None:
    """Each makes the backup it is meant to make, under its name, when it is typed as it stands there."""
    for words, name, kind, entities in (
        ("system-migration-prep", "system-migration-prep", "full", 30),
        ("--incremental daily-backup", "daily-backup", "full", 30),
        ("--config-only pre-settings-change", "pre-settings-change", "selective", 0),
        ("--high-relevance-only important-patterns", "important-patterns", "selective", None),
    ):
        done = typed(program, BACKUP, words)
        assert done.code == 0, done
        newest = snapshots(program)[-1]
        assert (newest["name"], newest["class"], newest["id"]) == (name, kind, done.document["id"])
        found = program.good("manifest", newest["id"], "--json").document["manifest"]["total_entities"]
        assert found == entities if entities is not None else 0 < found < 30


def test_no_words_and_many(program: Program) -> None:
    """Without a name the backup has none; a name of several words is one name; the order of words is free."""
    for words, name in (("", ""), ("before the move", "before the move"), ("daily --config-only", "daily")):
        assert typed(program, BACKUP, words).code == 0
        assert snapshots(program)[-1]["name"] == name


@pytest.mark.parametrize(
    "words", ["$(touch${IFS}owned)", "`touch${IFS}owned`", "x;touch${IFS}owned", "x|touch${IFS}owned", "don't"]
)
def test_words_are_never_commands(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    """What a shell would run is part of a name."""
    monkeypatch.chdir(tmp_path)
    assert typed(program, BACKUP, words).code == 0
    assert snapshots(program)[-1]["name"] == words
    assert not list(tmp_path.glob("**/it"))


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("--no-such-option", 2, "--no-such-option"),
        ("--repo", 2, "--repo"),
        ("latest", 2, "looks like the newest"),
        ("--incremental first", 1, "no full snapshot"),
    ],
)
def test_what_is_refused_is_said_in_json(program: Program, words: str, code: int, message: str) -> None:
    """The agent reads message and hint from the document, and nothing was made."""
    done = typed(program, BACKUP, words)
    assert (done.code, done.document["error"]["exit_code"]) == (code, code)
    assert message in done.document["error"]["message"]
    assert program("list").code == 4 or snapshots(program) == []


def test_list_and_restore(program: Program, home: Path) -> None:
    """`--list` lists; a plan changes nothing; the newest comes back without a question, and rollback undoes that."""
    typed(program, BACKUP, "friday")
    listed = typed(program, RESTORE, "--list", command=0).document
    assert [one["name"] for one in listed["snapshots"]] == ["friday"]
    settings = home / ".claude" / "memory" / "config" / "settings.json"
    before = settings.read_text()
    settings.write_text("{}")
    plan = typed(program, RESTORE, "", command=1)
    assert (plan.code, plan.document["dry_run"], settings.read_text()) == (0, True, "{}")
    done = typed(program, RESTORE, "")
    assert (done.code, done.document["snapshot"]["name"], settings.read_text()) == (0, "friday", before)
    program.good("rollback", "--yes")
    assert settings.read_text() == "{}"


def test_a_selective_restore(program: Program, home: Path) -> None:
    """Types come back into what is there; what is not of them stays as it is now."""
    typed(program, BACKUP, "friday")
    memory = home / ".claude" / "memory"
    learning = next((memory / "entities" / "Learning").rglob("Learning-*.json"))
    pattern = next((memory / "entities" / "Pattern").rglob("Pattern-*.json"))
    learning.unlink()
    pattern.unlink()
    done = typed(program, RESTORE, "friday --types Learning --created-before 2030-01-01")
    assert done.code == 0, done
    assert (learning.exists(), pattern.exists()) == (True, False)


def test_only_a_memory_is_restored_into_the_memory(program: Program, tmp_path: Path, home: Path) -> None:
    """A snapshot of anything else would replace it, and is refused."""
    typed(program, BACKUP, "friday")
    (tmp_path / "notes").mkdir()
    program.good("snapshot", tmp_path / "notes", "--name", "notes")
    done = typed(program, RESTORE, "notes")
    assert (done.code, "is of no memory" in done.document["error"]["message"]) == (2, True)
    assert (home / ".claude" / "memory" / "config" / "settings.json").exists()


# ------------------------------------------------------------------------------------ installed


def test_installing_and_removing(program: Program, home: Path) -> None:
    """They go where the agent looks, say what was done, and go again; a dry run does neither."""
    commands = home / ".claude" / "commands"
    assert "would install" in program.good("integrate", "claude-code", "--dry-run").out
    assert not commands.exists()
    document = program.good("integrate", "claude-code", "--json").document
    assert set(document) == {"schema", "command", "directory", "dry_run", "steps"}
    assert [step["action"] for step in document["steps"]] == ["install", "install"]
    for name in (BACKUP, RESTORE):
        assert (commands / f"{name}.md").read_text().startswith((FILES / "commands" / f"{name}.md").read_text())
    assert "removed" in program.good("integrate", "claude-code", "--remove").out
    assert list(commands.iterdir()) == []


def test_another_directory(program: Program, tmp_path: Path, home: Path) -> None:
    """CLAUDE_CONFIG_DIR moves it."""
    program.good("integrate", "claude-code", CLAUDE_CONFIG_DIR=str(tmp_path / "moved"))
    assert sorted(path.stem for path in (tmp_path / "moved" / "commands").iterdir()) == [BACKUP, RESTORE]
    assert not (home / ".claude" / "commands").exists()


def test_a_changed_file_is_left_alone(program: Program, home: Path) -> None:
    """Exit code 3 and a line that names it; the other one is done all the same; --force does both."""
    program.good("integrate", "claude-code")
    mine = home / ".claude" / "commands" / f"{BACKUP}.md"
    mine.write_text(mine.read_text() + "and sing\n")
    done = program("integrate", "claude-code", "--remove")
    assert (done.code, mine.exists(), (mine.parent / f"{RESTORE}.md").exists()) == (3, True, False)
    assert f"{mine}: it was changed since it was installed" in done.err
    program.good("integrate", "claude-code", "--force")
    assert "and sing" not in mine.read_text()
