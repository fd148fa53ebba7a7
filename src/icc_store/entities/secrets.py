"""Text that looks like a key: the public formats of tokens, and passwords that are set to something random.

A warning names the file, the field or line, and the kind of key, and never any part of its text. Why a table of our
own: docs/adr/0012-secrets.md.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from icc_store.entities.findings import Finding, warning
from icc_store.entities.json_text import NotJson, parse_json
from icc_store.limits import MAX_SECRET_DEPTH, MAX_SECRETS_OF_A_FILE

_BINARY_HEAD = 8192
_SHORTEST_PASSWORD, _LONGEST_PASSWORD = 8, 200
_RUNS_IN_NAMES = 3
_SHOWN_NAME = re.compile(r"[A-Za-z_][\w .-]{0,39}")
"""Names of fields as people give them; others are not shown, since a key may be one."""

_START = r"(?<![A-Za-z0-9_-])"
"""No key begins within a word; this also keeps every search linear."""
_START_IN_JSON = rf"(?:{_START}|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{{4}}))"


@dataclass(frozen=True)
class KeyFormat:
    """How one kind of key looks, by the documents of those who issue it."""

    kind: str
    marks: tuple[bytes, ...]
    """One of these is in every file that has such a key: looking for them costs a fiftieth of the expression."""
    pattern: re.Pattern[str]
    in_json: re.Pattern[str]
    """The same in the text of a JSON file: an escaped line break stands before a key like a letter."""


def _format(kind: str, marks: str, pattern: str) -> KeyFormat:
    in_json = pattern.replace(_START, _START_IN_JSON)
    all_marks = tuple(mark.encode() for mark in marks.split())
    return KeyFormat(kind, all_marks, re.compile(pattern, re.ASCII), re.compile(in_json, re.ASCII))


FORMATS = (
    _format("an AWS access key id", "AKIA ASIA", rf"{_START}(?:AKIA|ASIA)[A-Z2-7]{{16}}(?![A-Za-z0-9])"),
    _format("a GitHub token", "gho_ ghp_ ghu_ ghr_ ghs_", rf"{_START}gh[opurs]_[A-Za-z0-9]{{36,251}}"),
    _format("a GitHub token", "github_pat_", rf"{_START}github_pat_[A-Za-z0-9]{{22}}_[A-Za-z0-9]{{59}}"),
    _format("a GitLab token", "glpat- gldt- glrt- glptt-", rf"{_START}gl(?:pat|dt|rt|ptt)-[\w-]{{20,}}"),
    _format("a Slack token", "xox", rf"{_START}xox[abceoprs]-(?:[0-9]+-)+[A-Za-z0-9-]{{10,}}"),
    _format("a Slack token", "xapp-", rf"{_START}xapp-[0-9]-[A-Z0-9]+-[0-9]+-[a-z0-9]{{10,}}"),
    _format("the address of a Slack hook", "hooks.slack", r"hooks\.slack\.com/services/T\w{6,}/B\w{6,}/\w{12,}"),
    _format("a Google API key", "AIza", rf"{_START}AIza[\w-]{{35}}(?![\w-])"),
    _format("a Google client secret", "GOCSPX-", rf"{_START}GOCSPX-[\w-]{{28}}(?![\w-])"),
    _format("a Stripe key", "sk_live_ rk_live_", rf"{_START}[rs]k_live_[A-Za-z0-9]{{16,}}"),
    _format("an Anthropic key", "sk-ant-", rf"{_START}sk-ant-[a-z]{{3,5}}[0-9]{{2}}-[\w-]{{40,}}"),
    _format("an OpenAI key", "sk-", rf"{_START}sk-(?:(?:proj|svcacct|admin)-[\w-]{{40,}}|[A-Za-z0-9]{{48}}(?!\w))"),
    _format("an OpenRouter key", "sk-or-", rf"{_START}sk-or-v1-[0-9a-f]{{64}}"),
    _format("a Hugging Face token", "hf_", rf"{_START}hf_[A-Za-z0-9]{{34,}}"),
    _format("an npm token", "npm_", rf"{_START}npm_[A-Za-z0-9]{{36}}(?![A-Za-z0-9])"),
    _format("a PyPI token", "pypi-", rf"{_START}pypi-AgE[\w-]{{50,}}"),
    _format("a SendGrid key", "SG.", rf"{_START}SG\.[\w-]{{22}}\.[\w-]{{43}}(?![\w-])"),
    _format("a DigitalOcean token", "_v1_", rf"{_START}do[opr]_v1_[0-9a-f]{{64}}"),
    _format("a signed token (JWT)", "eyJ", rf"{_START}eyJ[\w-]{{10,}}\.eyJ[\w-]{{10,}}\.[\w-]{{20,}}"),
    _format("a private key", "PRIVATE", r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"),
)

SET_TO = "a password or key"
IN_ADDRESS = "a password in an address"
_WORDS = ("passw", "passphrase", "pwd", "secret", "token", "key", "credential")
_NAME = r"(?:passw(?:or)?d|passphrase|pwd|secret|token|(?:api|access|auth)[ _-]?key|credential)s?"
_CALLED_SO = re.compile(rf"{_NAME}$", re.IGNORECASE)
_SET_TO = re.compile(
    rf"{_NAME}[\"'`]?\s{{0,3}}(?:=>|:=|=|:|\bis\b)\s{{0,3}}(?:Bearer\s)?[\"'`]?([^\s\"'`,;&]{{8,200}})", re.IGNORECASE
)
_IN_ADDRESS = re.compile(r"(?<![A-Za-z0-9])[a-z][a-z0-9+]{1,19}://[^\s/:@]{1,100}:([^\s/@]{6,200})@", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"[<>{}$*()\[\]]|\.\.\.|x{4}|example|your|change.?me|placeholder|redacted", re.IGNORECASE)
_SEPARATORS = re.compile(r"[-_./:\\+=#@]+")
_ENOUGH_BITS = 3.0
"""Per character: a random text of 12 has about 3.4, and most words of that length have less than 3."""


def scan_text(path: bytes, data: bytes) -> list[Finding]:
    """A warning for each field, or line, of the file that looks like it has a key in it, up to a number of them."""
    formats = [each for each in FORMATS if any(mark in data for mark in each.marks)]
    if formats:
        whole = data.decode("utf-8", "replace")
        formats = [each for each in formats if each.in_json.search(whole)]
    if not formats and not _has_words(data.lower()):
        return []
    if b"\0" in data[:_BINARY_HEAD]:
        return []
    found: dict[tuple[str, str], None] = {}
    for field, name, text in _texts(path, data, formats):
        for kind in _kinds(formats, name, text):
            found[field, kind] = None
        if len(found) >= MAX_SECRETS_OF_A_FILE:
            break
    return [warning(path, field, f"looks like {kind}") for field, kind in list(found)[:MAX_SECRETS_OF_A_FILE]]


def _has_words(lowered: bytes) -> bool:
    """Whether a file may say a password: most say none of the words, and are not parsed."""
    return any(word.encode() in lowered for word in (*_WORDS, "://"))


def _texts(path: bytes, data: bytes, formats: Sequence[KeyFormat]) -> Iterator[tuple[str, str, str]]:
    """Each text of a file: the field it is in, that field's own name, and the text. Not JSON: line by line."""
    if path.endswith(b".json"):
        try:
            value = parse_json(data)
        except NotJson:
            pass
        else:
            yield from _fields(formats, ("", ""), value, 0)
            return
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        yield f"line {number}", "", line


def _fields(
    formats: Sequence[KeyFormat], names: tuple[str, str], value: Any, depth: int
) -> Iterator[tuple[str, str, str]]:
    """The texts in a value; `names`: where it is, and the name of the field that it is or that lists it."""
    field, name = names
    if isinstance(value, str):
        yield field, name, value
    elif depth >= MAX_SECRET_DEPTH:
        return
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _fields(formats, (f"{field}[{position}]", name), item, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            is_name = _SHOWN_NAME.fullmatch(key) and not _kinds(formats, "", key) and not _is_random(key)
            shown = key if is_name else "?"
            below = f"{field}.{shown}" if field else shown
            yield below, "", key
            yield from _fields(formats, (below, key), item, depth + 1)


def _kinds(formats: Sequence[KeyFormat], name: str, text: str) -> list[str]:
    """The kinds of keys in a text that is the value of a field of this name."""
    found = [each.kind for each in formats if any(map(_is_real, each.pattern.finditer(text)))]
    if found:
        return found
    if "://" in text and any(_is_random(match[1]) for match in _IN_ADDRESS.finditer(text)):
        return [IN_ADDRESS]
    lowered = text.lower()
    if any(word in lowered for word in _WORDS) and any(_is_random(match[1]) for match in _SET_TO.finditer(text)):
        return [SET_TO]
    is_one_word = len(text) <= _LONGEST_PASSWORD and not any(map(str.isspace, text))
    return [SET_TO] if is_one_word and _CALLED_SO.search(name) and _is_random(text) else []


def _is_real(match: re.Match[str]) -> bool:
    """Whether a key is none of those that documents print."""
    return not match[0].endswith("EXAMPLE")


def _is_random(text: str) -> bool:
    """Whether a text is no word, name, path or placeholder: letters and digits alternate in it, and little repeats."""
    text = text.rstrip(")]}>!?")
    if _PLACEHOLDER.search(text):
        return False
    text = text.rstrip(".")
    if len(text) < _SHORTEST_PASSWORD or not any(map(_alternates, _SEPARATORS.split(text))):
        return False
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts) >= _ENOUGH_BITS


def _alternates(part: str) -> bool:
    """Whether letters and digits alternate as they do in no name; `base64url` has three runs of them."""
    runs = sum(1 for _ in groupby(filter(str.isalnum, part), str.isdecimal))
    return runs > _RUNS_IN_NAMES
