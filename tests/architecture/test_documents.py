"""What the documents name exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest

from tests.architecture.source_files import PACKAGE, ROOT, source_modules, text_files

FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
CODE_SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")
PATH = re.compile(r"^\.?[\w*<>-][\w./*<>-]*$")
DOTTED = re.compile(rf"^{PACKAGE}(?:\.\w+)+$")
COMMAND = re.compile(r"(?<![\w/.-])icc-store((?:[ \t]+[^\s|;&`]+)+)")
MAKE = re.compile(r"(?<![\w/.-])make ([a-z][a-z-]*)")
TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
OPTIONS_WITH_VALUE = frozenset(("--repo", "--progress"))
FOLDERS = (".ci", "benchmarks", "docs", "fuzz", "src", "tests", "tools")
SUFFIXES = (".py", ".sh")
MADE_WHEN_NEEDED = frozenset(("fuzz/corpus", "fuzz/corpus/runs.jsonl", "fuzz/crashes"))


def documents() -> dict[str, str]:
    """README, CONTRIBUTING and everything in docs."""
    return {
        path: text
        for path, text in text_files().items()
        if path.endswith(".md") and (path.startswith("docs/") or path in {"README.md", "CONTRIBUTING.md"})
    }


def links(text: str) -> Iterator[str]:
    """Targets of links inside the project."""
    yield from (target for target in LINK.findall(FENCE.sub("", text)) if "://" not in target and ":" not in target)


def named_paths(text: str) -> Iterator[str]:
    """Code spans that are a path of the project: below one of its folders, or any source file."""
    for span in CODE_SPAN.findall(FENCE.sub("", text)):
        if not PATH.match(span):
            continue
        first, slash, _ = span.partition("/")
        if (slash and first in FOLDERS) or span.endswith(SUFFIXES):
            yield span


def exists(document: str, name: str) -> bool:
    """Whether a path, which may hold `*` or `<any>`, leads somewhere: from the root, the package or the document."""
    pattern = re.sub(r"<[^>]*>", "*", name).rstrip("/")
    if pattern in MADE_WHEN_NEEDED:
        return True
    if "/" not in name:
        return any(PurePosixPath(path).match(pattern) for path in text_files())
    bases = (ROOT, ROOT / "src" / PACKAGE, (ROOT / document).parent)
    return any(any(base.glob(pattern)) for base in bases)


def code(text: str) -> list[str]:
    """The lines of all code blocks, and all code spans."""
    blocks = "\n".join(match.group(0) for match in FENCE.finditer(text))
    return blocks.splitlines() + CODE_SPAN.findall(FENCE.sub("", text))


def commands(text: str) -> Iterator[str]:
    """The command in each `icc-store ... <command>` of a code block or a code span."""
    for line in code(text):
        for found in COMMAND.finditer(line):
            words = iter(found.group(1).split())
            for word in words:
                if word in OPTIONS_WITH_VALUE:
                    next(words, None)
                elif not word.startswith("-"):
                    if re.fullmatch(r"[a-z][a-z-]*", word):
                        yield word
                    break


def known_commands() -> frozenset[str]:
    """The commands, from the files that hold them: `import_.py` and `import_cmd.py` are both `import`."""
    folder = ROOT / "src" / PACKAGE / "cli" / "commands"
    names = (path.stem for path in folder.glob("*.py") if path.stem != "__init__")
    return frozenset(name.removesuffix("_").replace("_", "-") for name in names)


def test_links_lead_somewhere() -> None:
    """Every link between documents leads to a file that is there."""
    lost = [
        f"{document}: {target}"
        for document, text in documents().items()
        for target in links(text)
        if not ((ROOT / document).parent / target).exists()
    ]
    assert not lost, "\n" + "\n".join(lost)


def test_named_files_exist() -> None:
    """Every file of the project that a document names is there."""
    lost = [
        f"{document}: {name}"
        for document, text in documents().items()
        for name in named_paths(text)
        if not exists(document, name)
    ]
    assert not lost, "\n" + "\n".join(lost)


def test_named_modules_exist() -> None:
    """Every module that a document names by its dotted name is there; the last part may be a name in it."""
    modules = {module.name for module in source_modules()} | {PACKAGE}
    lost = [
        f"{document}: {span}"
        for document, text in documents().items()
        for span in CODE_SPAN.findall(text)
        if DOTTED.match(span) and span not in modules and span.rpartition(".")[0] not in modules
    ]
    assert not lost, "\n" + "\n".join(lost)


def test_named_commands_exist() -> None:
    """Every `icc-store` command that a document shows is one."""
    lost = [
        f"{document}: icc-store {name}"
        for document, text in documents().items()
        for name in commands(text)
        if name not in known_commands()
    ]
    assert not lost, "\n" + "\n".join(lost)


def test_named_make_targets_exist() -> None:
    """Every `make` target that a document shows is in the Makefile."""
    targets = set(TARGET.findall((ROOT / "Makefile").read_text()))
    named = {(path, name) for path, text in documents().items() for line in code(text) for name in MAKE.findall(line)}
    lost = sorted(f"{document}: make {name}" for document, name in named if name not in targets)
    assert not lost, "\n" + "\n".join(lost)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("`icc-store list`", ["list"]),
        ("`icc-store --repo R --json show latest`", ["show"]),
        ("```\n$ icc-store snapshot notes && icc-store gc --dry-run\n```", ["snapshot", "gc"]),
        ("`icc-store --help`, `pip install icc-store`", []),
        ("prose about icc-store and its friends", []),
    ],
)
def test_commands_are_found_in_code_only(text: str, found: list[str]) -> None:
    """Commands are read from code, whatever options stand before them, and not from prose."""
    assert list(commands(text)) == found


@pytest.mark.parametrize("name", ["docs/no-such.md", "codec/no_such.py", "no_such.py", "fuzz/targets/no_such_*.py"])
def test_a_lost_file_is_seen(name: str) -> None:
    """A path that leads nowhere is reported."""
    assert list(named_paths(f"see `{name}`")) == [name]
    assert not exists("docs/testing.md", name)
