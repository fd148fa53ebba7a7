"""Which files a snapshot leaves out. The only module that imports pathspec.

Everything is said in stored paths, relative to the snapshot's root, so the same rules serve three askers: the scanner,
`diff` against the live directory, and `restore --delete`, which must not remove what the snapshot never looked at.
The rules stand in the snapshot record for the last two.

Patterns are gitignore's: a pattern without a slash matches at any depth, one with a slash from the root, one that
ends in a slash only directories; `!` takes back; the last match decides. Nothing below a directory that is left out
can be taken back, since nobody looks there.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from icc_store.errors import BlockDamaged, UsageError
from icc_store.limits import MAX_PATTERN
from icc_store.model import paths

Rule = Callable[[bytes, int, int], bool]
"""Asked with the name, st_mode and st_size of something in one directory: is it left out?"""

CACHE_TAG = b"CACHEDIR.TAG"
CACHE_SIGNATURE = b"Signature: 8a477f597d28d172789f06886806bc55"
"""How a CACHEDIR.TAG file begins (https://bford.info/cachedir/)."""

_ANY, _ANY_ABOVE, _ANY_BETWEEN = "[^/]*", "(?:.+/)?", "(?:/.+)?"
"""What pathspec makes of `*`, and of `**` in front of a pattern and within it."""

_ONE = rf"(?!{re.escape(_ANY)})(?>\\.|\[\^?+\]?+(?>(?:\\.|[^\]\\])*)\]|[^/()\\$])"
"""Any other part of a name: a character, or a class of them. Taken in one way or not at all: of classes that could be
taken in two, thirty could be taken in a thousand million."""

_STARS = re.compile(rf"(?>{re.escape(_ANY)}(?>(?:{_ONE})*))+{re.escape(_ANY)}")
"""All from the first `*` of a name to its last. Python before 3.11.5 fails at `(?:...)*+`, so it is `(?>(?:...)*)`."""

_NOTHING: frozenset[bytes] = frozenset()
_NO_NAMES: Mapping[bytes, Sequence[str]] = {}


class Excludes:
    """The rules of one snapshot."""

    def __init__(
        self,
        patterns: Sequence[str] = (),
        *,
        caches: bool = False,
        larger_than: int | None = None,
        never: Iterable[bytes] = (),
        secrets: Sequence[str] = (),
        secret_names: Mapping[bytes, Sequence[str]] = _NO_NAMES,
        root_name: bytes = b"",
        not_chosen: Iterable[bytes] = (),
    ) -> None:
        """`never` are stored paths left out with all below them, whatever the patterns say.

        `secrets` are patterns that no other can take back; what they leave out is told in `withheld`. `secret_names`
        has for the name of a directory, wherever one stands, which names right in it are secrets: `*-tokens.json`; the
        root is called `root_name`. What they leave out stands in the record by its path. `not_chosen` are
        paths that a selection leaves out: they are no rule for the next snapshot, so a record does not keep them.

        With `caches`, a directory with a valid CACHEDIR.TAG keeps that tag and nothing else. Regular files of more
        than `larger_than` bytes are left out. Raises UsageError for a pattern that is not one.
        """
        self.patterns = tuple(patterns)
        self.caches = caches
        self.larger_than = larger_than
        self.never = frozenset(never)
        self.secrets = tuple(secrets)
        self._secret_names = {name: _names_like(patterns) for name, patterns in secret_names.items()}
        self._names_given = secret_names
        self._root_name = root_name
        self.withheld: set[bytes] = set()
        """Stored paths of secrets that were met."""
        not_chosen = frozenset(not_chosen)
        given = self.patterns or self.never or self.secrets or self._secret_names or not_chosen
        self.is_empty = not (given or caches or larger_than is not None)
        """Nothing is ever left out, and `within` need not be called."""
        self._last_first = _compile(self.patterns) if self.patterns else []
        self._secret = _compile(self.secrets) if self.secrets else []
        self._never_names: dict[bytes, frozenset[bytes]] = {}
        for path in self.never | not_chosen:
            parent, _, name = path.rpartition(b"/")
            self._never_names[parent] = self._never_names.get(parent, _NOTHING) | {name}

    def without(self, not_chosen: Iterable[bytes]) -> Excludes:
        """The same rules, and these stored paths left out as well."""
        return Excludes(
            self.patterns,
            caches=self.caches,
            larger_than=self.larger_than,
            never=self.never,
            secrets=self.secrets,
            secret_names=self._names_given,
            root_name=self._root_name,
            not_chosen=not_chosen,
        )

    def within(self, directory: bytes, dir_fd: int | None = None) -> Rule | None:
        """The rule for what stands directly in `directory`, itself not left out; None when all of it is taken.

        Asked once per directory, so that a directory no rule concerns costs nothing per file. `dir_fd` is the open
        directory, in which a cache tag is looked for; without it no directory counts as a cache.
        """
        if self.is_empty:
            return None
        if self.caches and dir_fd is not None and is_cache(dir_fd):
            return _all_but_cache_tag
        never = self._never_names.get(directory, _NOTHING)
        last_first = self._last_first
        limit = self.larger_than
        secret = self._secret
        named = self._secret_names.get(directory.rpartition(b"/")[2] if directory else self._root_name)
        if not last_first and not secret and named is None and limit is None:
            return (lambda name, _mode, _size: name in never) if never else None
        prefix = _matchable(directory) + "/" if directory else ""

        def rule(name: bytes, mode: int, size: int) -> bool:
            if name in never:
                return True
            if limit is not None and size > limit and stat.S_ISREG(mode):
                return True
            path = prefix + _matchable(name) + ("/" if stat.S_ISDIR(mode) else "")
            if (named is not None and named.fullmatch(_matchable(name))) or any(
                expression.fullmatch(path) for expression, _ in secret
            ):
                self.withheld.add(paths.join(directory, name))
                return True
            for expression, leaves_out in last_first:
                if expression.fullmatch(path):
                    return leaves_out
            return False

        return rule

    def leaves_out(self, path: bytes, is_directory: bool, size: int = 0) -> bool:
        """Whether these rules leave out a stored path, or a directory above it.

        Looks at no disk: what is left out for standing in a cache directory only `within` can say.
        """
        parent = b""
        names = paths.parts(path)
        for depth, name in enumerate(names, 1):
            is_last = depth == len(names)
            mode = stat.S_IFDIR if is_directory or not is_last else stat.S_IFREG
            rule = self.within(parent)
            if rule is not None and rule(name, mode, size if is_last else 0):
                return True
            parent = paths.join(parent, name)
        return False

    def to_record(self) -> dict[str, Any]:
        """The rules as a snapshot keeps them; what is not set is not in it. Patterns are bytes, as names are."""
        record: dict[str, Any] = {}
        if self.patterns:
            record["patterns"] = [pattern.encode("utf-8", "surrogateescape") for pattern in self.patterns]
        if self.caches:
            record["caches"] = True
        if self.larger_than is not None:
            record["larger_than"] = self.larger_than
        if self.secrets:
            record["secrets"] = [pattern.encode("utf-8", "surrogateescape") for pattern in self.secrets]
        never = self.never | self.withheld
        if never:
            record["never"] = sorted(never)
        return record

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Excludes:
        """The rules a snapshot was taken with. Raises BlockDamaged for what is none."""
        larger_than = record.get("larger_than")
        lists = {name: record.get(name, []) for name in ("patterns", "never", "secrets")}
        sound = all(type(items) is list and all(type(one) is bytes for one in items) for items in lists.values())
        if not sound or type(larger_than) not in (int, type(None)):
            raise BlockDamaged("the rules that a snapshot was taken with cannot be understood")
        try:
            return cls(
                [pattern.decode("utf-8", "surrogateescape") for pattern in lists["patterns"]],
                caches=bool(record.get("caches", False)),
                larger_than=larger_than,
                never=lists["never"],
                secrets=[pattern.decode("utf-8", "surrogateescape") for pattern in lists["secrets"]],
            )
        except UsageError as error:
            raise BlockDamaged(f"the rules that a snapshot was taken with cannot be used: {error.message}") from error


def is_cache(dir_fd: int) -> bool:
    """Whether the open directory says by a valid CACHEDIR.TAG that its contents can be made again."""
    try:
        tag = os.open(CACHE_TAG, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=dir_fd)
    except OSError:
        return False
    try:
        return os.pread(tag, len(CACHE_SIGNATURE), 0) == CACHE_SIGNATURE
    except OSError:  # a directory or a FIFO of that name
        return False
    finally:
        os.close(tag)


def stored_below(root: Path, absolute: Iterable[Path], prefix: bytes = b"") -> list[bytes]:
    """Stored paths of those absolute paths that lie below `root`, which is stored as `prefix`: for `never`.

    Symbolic links are resolved, so a repository is found by whatever way it was named. `root` itself is not below.
    """
    top = os.path.realpath(os.fsencode(root)).rstrip(b"/") + b"/"
    found = []
    for path in absolute:
        real = os.path.realpath(os.fsencode(path))
        if real.startswith(top) and real != top:
            found.append(paths.join(prefix, real[len(top) :]))
    return found


def _all_but_cache_tag(name: bytes, mode: int, _size: int) -> bool:
    return name != CACHE_TAG or not stat.S_ISREG(mode)


def _names_like(patterns: Sequence[str]) -> re.Pattern[str]:
    """What the names of secrets look like, of which a few have a star in them."""
    return re.compile("|".join(re.escape(pattern).replace(r"\*", ".*") for pattern in patterns), re.DOTALL)


def _compile(patterns: Sequence[str]) -> list[tuple[re.Pattern[str], bool]]:
    """The patterns as regular expressions, the last first, and whether a match is left out or taken back.

    pathspec turns one pattern into an expression; deciding is ours. Its own decision takes whole paths and lets a
    pattern for a directory win over a later one for what is below, where git, and a scanner, ask level by level.
    """
    # Here, since it takes 28 ms to import and most snapshots have no patterns.
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    compiled = []
    for text in patterns:
        if len(text) > MAX_PATTERN:
            raise UsageError(
                f"the exclude pattern {text[:40]!r}... has more than {MAX_PATTERN} characters",
                hint="no path has as many; use several patterns",
            )
        try:
            pattern = GitIgnoreSpecPattern(_spelled_out(text.replace("\n", "\0")))
        except (ValueError, re.error) as error:
            raise UsageError(
                f"the exclude pattern {text!r} cannot be used: {error}", hint="patterns are written as in .gitignore"
            ) from error
        if pattern.regex is not None and pattern.include is not None:  # a comment has neither
            compiled.append((re.compile(_first_place_only(pattern.regex.pattern)), pattern.include))
    return compiled[::-1]


def _first_place_only(expression: str) -> str:
    """The same, where what follows a `*` or `**` is taken where it comes first and nowhere else.

    That is enough: whatever follows then has the most left to match in. Trying all places takes time by a power of the
    length of a path, and the patterns in a repository may be made by somebody who wants just that.
    """
    lead = _ANY_ABOVE if expression.startswith("^" + _ANY_ABOVE) else ""
    first, *others = expression.removeprefix("^" + lead).split(_ANY_BETWEEN)
    first, *others = (_STARS.sub(_first_in_name, part) for part in (first, *others))
    if not others:
        return f"^{lead}{first}"
    begin = f"(?>(?:.+?/)??{first}(?=/))" if lead else first
    return f"^{begin}" + "".join(f"(?>(?:/.+?)??{part}(?=/))" for part in others[:-1]) + _ANY_BETWEEN + others[-1]


def _first_in_name(stars: re.Match[str]) -> str:
    return "".join(f"(?>[^/]*?{text})" for text in stars[0].split(_ANY) if text) + _ANY


def _spelled_out(pattern: str) -> str:
    """The pattern without the forms that pathspec abbreviates to expressions for "anything below", such as `*`.

    What is left always says how the name itself is to look.
    """
    if not pattern.endswith("\\ "):
        pattern = pattern.rstrip()
    sign = "!" if pattern.startswith("!") else ""
    end = "/" if pattern.endswith("/") else ""
    names = pattern.removeprefix(sign).removesuffix(end).split("/")
    if names[-1] == "**":
        names.append("*")
    return sign + "/".join("?*" if name == "*" else name for name in names) + end


def _matchable(path: bytes) -> str:
    """The path as the patterns' regular expressions can take it.

    Bytes that are not UTF-8 become surrogates. A newline, for which `.` and `$` make an exception, becomes the one
    character that no path has.
    """
    text = path.decode("utf-8", "surrogateescape")
    return text.replace("\n", "\0") if "\n" in text else text
