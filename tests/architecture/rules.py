"""The rules for a module of src, each a function from a module to what is wrong in it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise

from tests.architecture.source_files import PACKAGE, Module

Rule = Callable[[Module], Iterator[str]]

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

HOMES = {
    "blake3": "icc_store.codec.hashing",
    "click": "icc_store.cli",
    "lmdb": "icc_store.store",
    "msgpack": "icc_store.codec.serial",
    "msgspec": "icc_store.entities.json_text",
    "pathspec": "icc_store.fs.excludes",
    "pyfastcdc": "icc_store.codec.chunking",
    "rich": "icc_store.cli",
    "yaml": "icc_store.entities.front_matter",
    "zstandard": "icc_store.codec.compression",
}
"""The one module, or the one package, that may import each library."""

MAINTENANCE = ("copy", "gc", "optimize", "parity", "repair", "replicate", "salvage", "verify")
"""Operations that work on blocks and objects; all others go through icc_store.model.repository."""

ENVIRONMENT_READERS = ("icc_store.cli", "icc_store.config")
ENVIRONMENT = frozenset(("os.environ", "os.environb", "os.getenv", "os.getenvb"))
WALL_CLOCK = frozenset(("time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "date.today"))
BOUNDS = ("MAX_", "MOST_", "LARGEST_", "LONGEST_", "DEEPEST_")
DRAWERS = frozenset(("common", "helpers", "misc", "util", "utils"))


def inside(name: str, *packages: str) -> bool:
    """Whether a module is one of `packages` or in one of them."""
    return any(name == package or name.startswith(package + ".") for package in packages)


def imports(module: Module) -> Iterator[tuple[int, str]]:
    """Line and full name of everything imported: `from a.b import c` is `a.b.c`."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def short_file(module: Module) -> Iterator[str]:
    if len(module.lines) > MAX_FILE_LINES:
        yield f"{module.path}: {len(module.lines)} lines, more than {MAX_FILE_LINES}"


def short_functions(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                yield f"{module.path}:{node.lineno}: {node.name} has {length} lines, more than {MAX_FUNCTION_LINES}"


def libraries_at_home(module: Module) -> Iterator[str]:
    for line, name in imports(module):
        library = name.partition(".")[0]
        if library in sys.stdlib_module_names or library == PACKAGE:
            continue
        home = HOMES.get(library)
        if home is None:
            yield f"{module.path}:{line}: {library} has no home module yet; give it one in {__name__}"
        elif not inside(module.name, home):
            yield f"{module.path}:{line}: {library} is imported only in {home}"


def objects_only_for_maintenance(module: Module) -> Iterator[str]:
    operation = module.name.removeprefix("icc_store.operations.").partition(".")[0]
    if not inside(module.name, "icc_store.operations") or operation.split("_")[0] in MAINTENANCE:
        return
    for line, name in imports(module):
        if inside(name, "icc_store.objects"):
            yield f"{module.path}:{line}: {name} is for {', '.join(MAINTENANCE)}; use icc_store.model.repository"


def imports_at_the_top(module: Module) -> Iterator[str]:
    if inside(module.name, "icc_store.cli"):
        return
    for function in ast.walk(module.tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom) and not module.has_comment(node.lineno, node.end_lineno):
                yield f"{module.path}:{node.lineno}: an import inside a function, without a comment that says why"


def no_assert(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Assert):
            yield f"{module.path}:{node.lineno}: an assert is gone under -O; raise an error of icc_store.errors"


def broad_except_explained(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        broad = any(one is None or getattr(one, "id", "") in {"Exception", "BaseException"} for one in caught)
        if broad and not module.has_comment(node.lineno, node.body[0].lineno):
            yield f"{module.path}:{node.lineno}: catches everything, without a comment that says why"


def environment_comes_in(module: Module) -> Iterator[str]:
    if inside(module.name, *ENVIRONMENT_READERS):
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ENVIRONMENT:
            yield f"{module.path}:{node.lineno}: only config and cli read the environment; take it as an argument"


def time_comes_in(module: Module) -> Iterator[str]:
    if module.name == "icc_store.clock":
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and ".".join(ast.unparse(node).split(".")[-2:]) in WALL_CLOCK:
            yield f"{module.path}:{node.lineno}: time comes in as a Clock; see icc_store.clock"


def named_for_a_concept(module: Module) -> Iterator[str]:
    if DRAWERS & set(module.name.split(".")):
        yield f"{module.path}: a drawer for anything; name the one concept it holds"


def bounds_in_one_place(module: Module) -> Iterator[str]:
    """What the command line shows at most is no bound of what is read."""
    if module.name == "icc_store.limits" or inside(module.name, "icc_store.cli"):
        return
    for node in module.tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for name in (target.id for target in targets if isinstance(target, ast.Name)):
            if name.lstrip("_").startswith(BOUNDS):
                yield f"{module.path}:{node.lineno}: {name} is a bound; give it a reason in icc_store.limits"


def bounds_with_reasons(module: Module) -> Iterator[str]:
    """In the module of limits, one reason behind each group of them."""
    if module.name != "icc_store.limits":
        return
    for node, following in pairwise([*module.tree.body, None]):
        if isinstance(node, ast.Assign | ast.AnnAssign) and not isinstance(following, ast.Assign | ast.AnnAssign):
            explained = isinstance(following, ast.Expr) or ast.unparse(node).startswith("GIB ")
            if not explained:
                yield f"{module.path}:{node.lineno}: a limit without its reason below it"


RULES: tuple[Rule, ...] = (
    short_file,
    short_functions,
    libraries_at_home,
    objects_only_for_maintenance,
    imports_at_the_top,
    no_assert,
    broad_except_explained,
    environment_comes_in,
    time_comes_in,
    named_for_a_concept,
    bounds_in_one_place,
    bounds_with_reasons,
)
