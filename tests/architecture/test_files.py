"""What no file of the project may hold. The patterns are put together from parts, so that this file passes too."""

from __future__ import annotations

import ast
import re

import pytest

from tests.architecture.source_files import python_files, text_files

UNFINISHED = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b")
SWITCHED_OFF = re.compile("pytest" + r"\.mark\.skip\b")
MACHINE_PATH = re.compile(r"(?<![\w.])/(" + "|".join(("ro" + "ot", "wo" + "rk")) + ")/")
REGISTRY = re.compile("|".join(("py" + r"pi\.org", "python" + "hosted", r"/opt/py" + "pi", r"\bindex-" + "url")))


def hits(pattern: re.Pattern[str], ending: str = "") -> list[str]:
    return [
        f"{path}:{number}: {line.strip()[:100]}"
        for path, text in text_files().items()
        if path.endswith(ending)
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_nothing_is_marked_unfinished() -> None:
    """No file holds a mark for work that is put off: it is done, or an issue says so."""
    assert not hits(UNFINISHED)


def test_no_test_is_switched_off() -> None:
    """No test is skipped unconditionally: it runs, or it is gone."""
    assert not hits(SWITCHED_OFF, ".py")


def test_no_path_of_one_machine() -> None:
    """No file names a directory that only its author's machine has."""
    assert not hits(MACHINE_PATH)


def test_no_package_index_is_named() -> None:
    """Where packages come from is a setting of the machine, never of the project."""
    assert not [hit for hit in hits(REGISTRY) if not hit.startswith("tools/lock.sh:")]


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (UNFINISHED, "# TO" + "DO: later"),
        (SWITCHED_OFF, "@pytest" + ".mark.skip(reason='slow')"),
        (MACHINE_PATH, "cd /ro" + "ot/project"),
        (REGISTRY, "--hash from files.python" + "hosted.org"),
    ],
)
def test_the_pattern_bites(pattern: re.Pattern[str], line: str) -> None:
    """Each pattern finds what it is there for."""
    assert pattern.search(line)


def test_every_test_says_what_must_hold() -> None:
    """Every test has a docstring: the sentence that is true when it passes."""
    silent = [
        f"{module.path}:{node.lineno}: {node.name}"
        for module in python_files("tests")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert not silent, "\n" + "\n".join(silent)
