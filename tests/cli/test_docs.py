"""docs/cli.md says what the program says."""

from __future__ import annotations

from icc_store.cli.main import HELP_LINES
from tools.generate_cli_docs import TARGET, generate


def test_the_page_is_current() -> None:
    """The page is what `make docs` writes."""
    assert TARGET.read_text(encoding="utf-8") == generate(), "docs/cli.md is not current: run `make docs`"


def test_the_page_is_the_same_everywhere() -> None:
    """Neither the terminal nor the machine changes the page, and every command is in it."""
    text = generate()
    assert max(len(line) for line in text.splitlines() if not line.startswith("|")) <= 120
    assert [name for name in HELP_LINES if f"\n### {name}\n" not in text] == []
