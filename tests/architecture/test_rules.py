"""The rules of the source hold, and each of them bites."""

from __future__ import annotations

import pytest

from tests.architecture import rules
from tests.architecture.source_files import module, source_modules

LONG_FUNCTION = "def long():\n" + "    pass\n" * rules.MAX_FUNCTION_LINES

WRONG = [
    (rules.short_file, "icc_store.ids", "x = 1\n" * (rules.MAX_FILE_LINES + 1)),
    (rules.short_functions, "icc_store.ids", LONG_FUNCTION),
    (rules.libraries_at_home, "icc_store.model.tree", "import msgpack\n"),
    (rules.libraries_at_home, "icc_store.codec.serial", "from lmdb import open\n"),
    (rules.libraries_at_home, "icc_store.codec.serial", "import library_without_a_home\n"),
    (rules.objects_only_for_maintenance, "icc_store.operations.snapshot", "from icc_store.objects import reader\n"),
    (rules.imports_at_the_top, "icc_store.model.tree", "def load():\n    import json\n"),
    (rules.no_assert, "icc_store.objects.blocks", "def f(n):\n    assert n\n"),
    (rules.broad_except_explained, "icc_store.fs.scanner", "try:\n    pass\nexcept Exception:\n    pass\n"),
    (rules.broad_except_explained, "icc_store.fs.scanner", "try:\n    pass\nexcept:\n    pass\n"),
    (rules.environment_comes_in, "icc_store.operations.init", "import os\nhome = os.environ['HOME']\n"),
    (rules.time_comes_in, "icc_store.operations.init", "import time\nnow = time.time_ns()\n"),
    (rules.named_for_a_concept, "icc_store.model.utils", ""),
    (rules.bounds_in_one_place, "icc_store.model.tree", "_MAX_LEVELS: Final = 16\n"),
    (rules.bounds_in_one_place, "icc_store.codec.pax", "LONGEST_NAME = 100\n"),
    (rules.bounds_with_reasons, "icc_store.limits", "MAX_ONE = 1\nMAX_TWO = 2\n"),
]

RIGHT = [
    (rules.short_file, "icc_store.ids", "x = 1\n" * rules.MAX_FILE_LINES),
    (rules.libraries_at_home, "icc_store.codec.serial", "import json\nimport msgpack\n"),
    (rules.libraries_at_home, "icc_store.cli.commands.list", "from rich.table import Table\n"),
    (rules.objects_only_for_maintenance, "icc_store.operations.gc", "from icc_store.objects import reader\n"),
    (rules.objects_only_for_maintenance, "icc_store.operations.gc_plan", "import icc_store.objects.refs\n"),
    (rules.imports_at_the_top, "icc_store.model.tree", "def load():\n    # costs 20 ms\n    import json\n"),
    (rules.imports_at_the_top, "icc_store.cli.main", "def load():\n    import json\n"),
    (rules.broad_except_explained, "icc_store.fs.scanner", "try:\n    pass\nexcept Exception:  # why\n    pass\n"),
    (rules.bounds_in_one_place, "icc_store.cli.shares", "_MOST_ROWS = 500\n"),
    (rules.bounds_with_reasons, "icc_store.limits", 'MAX_ONE = 1\nMAX_TWO = 2\n"""Why."""\n'),
    (rules.environment_comes_in, "icc_store.config", "import os\nhome = os.environ['HOME']\n"),
]


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_the_source_keeps_the_rule(rule: rules.Rule) -> None:
    """No module of src breaks the rule."""
    broken = [line for one in source_modules() for line in rule(one)]
    assert not broken, "\n" + "\n".join(broken)


@pytest.mark.parametrize(("rule", "name", "text"), WRONG)
def test_the_rule_bites(rule: rules.Rule, name: str, text: str) -> None:
    """Each rule reports the slip it is there for."""
    assert list(rule(module(name, "src/example.py", text)))


@pytest.mark.parametrize(("rule", "name", "text"), RIGHT)
def test_the_rule_lets_good_code_pass(rule: rules.Rule, name: str, text: str) -> None:
    """No rule reports what is allowed."""
    assert not list(rule(module(name, "src/example.py", text)))


def test_every_rule_is_shown_to_bite() -> None:
    """A rule that is not tried on a slip is not believed."""
    assert {rule for rule, _, _ in WRONG} == set(rules.RULES)
