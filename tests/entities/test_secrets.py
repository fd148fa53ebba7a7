"""Keys in text: each kind is found, nothing else is, and no part of one is ever shown.

The keys are made here, at random, so that none stands in this file.
"""

from __future__ import annotations

import json
import random
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.corpora.memory import build
from icc_store.entities.findings import Severity
from icc_store.entities.secrets import FORMATS, IN_ADDRESS, SET_TO, scan_text
from icc_store.limits import MAX_SECRETS_OF_A_FILE

LETTERS = string.ascii_letters + string.digits
UPPER = string.ascii_uppercase
HEX = "0123456789abcdef"
DIGITS = string.digits
BASE32 = UPPER + "234567"
PATH = b"entities/Learning/2025/06/Learning-x-20250601.json"


def noise(length: int, alphabet: str = LETTERS, seed: int = 7) -> str:
    rng = random.Random(seed)
    return "".join(rng.choice(alphabet) for _ in range(length))


def dashed(*parts: str) -> str:
    return "-".join(parts)


KEYS = [
    ("an AWS access key id", "AKIA" + noise(16, BASE32)),
    ("an AWS access key id", "ASIA" + noise(16, BASE32)),
    *(("a GitHub token", f"gh{letter}_" + noise(36)) for letter in "opurs"),
    ("a GitHub token", "github_pat_" + noise(22) + "_" + noise(59)),
    ("a GitLab token", "glpat-" + noise(20)),
    ("a Slack token", dashed("xoxb", noise(12, DIGITS), noise(12, DIGITS), noise(24))),
    ("a Slack token", dashed("xapp", "1", noise(11, UPPER), noise(13, DIGITS), noise(64, HEX))),
    (
        "the address of a Slack hook",
        f"https://hooks.slack.com/services/T{noise(8, UPPER)}/B{noise(8, UPPER)}/{noise(24)}",
    ),
    ("a Google API key", "AIza" + noise(35)),
    ("a Google client secret", dashed("GOCSPX", noise(28))),
    ("a Stripe key", "sk_live_" + noise(24)),
    ("a Stripe key", "rk_live_" + noise(99)),
    ("an Anthropic key", dashed("sk", "ant", "api03", noise(93) + "AA")),
    ("an OpenAI key", "sk-" + noise(48)),
    ("an OpenAI key", dashed("sk", "proj", noise(74) + "_" + noise(74))),
    ("an OpenRouter key", dashed("sk", "or", "v1", noise(64, HEX))),
    ("a Hugging Face token", "hf_" + noise(34)),
    ("an npm token", "npm_" + noise(36)),
    ("a PyPI token", "pypi-AgE" + noise(90)),
    ("a SendGrid key", f"SG.{noise(22)}.{noise(43)}"),
    ("a DigitalOcean token", "dop_v1_" + noise(64, HEX)),
    ("a signed token (JWT)", f"eyJ{noise(30)}.eyJ{noise(60)}.{noise(43)}"),
    *(("a private key", f"-----BEGIN {kind}PRIVATE KEY-----") for kind in ("", "RSA ", "OPENSSH ", "ENCRYPTED ")),
    ("a private key", "-----BEGIN PGP PRIVATE KEY BLOCK-----"),
    (SET_TO, "password: Tr0ub4dor-and-3"),
    (SET_TO, "the DB password is k9x2mm7Qd4"),
    (SET_TO, "API_KEY=" + noise(32)),
    (SET_TO, f'set "client_secret" => "{noise(40)}"'),
    (SET_TO, "AWS_SECRET_ACCESS_KEY = " + noise(40)),
    (SET_TO, "Authorization token: Bearer " + noise(30)),
    (IN_ADDRESS, f"postgres://app:{noise(16)}@db.internal/app"),
]


def entity(**fields: Any) -> bytes:
    return json.dumps(fields, indent=2).encode()


@pytest.mark.parametrize(("kind", "key"), KEYS)
def test_each_kind_is_found_wherever_it_stands(kind: str, key: str) -> None:
    """A key is found alone, in a sentence, after a line break and in a nested list, and its field is named."""
    for text in (key, f"use {key} here", f"first line\n{key}\nlast line", f"({key})"):
        data = entity(id="Learning-x", context={"observations": ["nothing", text]})
        findings = scan_text(PATH, data)
        assert [(one.path, one.field, one.message) for one in findings] == [
            (PATH, "context.observations[1]", f"looks like {kind}")
        ]
        assert findings[0].severity is Severity.WARNING
    found = scan_text(b"notes/a.md", f"# Title\n\nuse {key} here\n".encode())
    assert [(one.field, one.message) for one in found] == [("line 3", f"looks like {kind}")]


def test_every_format_is_tried() -> None:
    """There is a key of each kind in this file's table, and each has a mark of its format in it."""
    assert {each.kind for each in FORMATS} | {SET_TO, IN_ADDRESS} == {kind for kind, _ in KEYS}
    for each in FORMATS:
        keys = [key for kind, key in KEYS if kind == each.kind and each.pattern.search(key)]
        assert keys
        assert all(any(mark.decode() in key for mark in each.marks) for key in keys)


def test_a_field_that_is_called_a_password() -> None:
    """The name of a field says what its text is; a text of words is none."""
    for name in ("password", "api_key", "clientSecret", "access-token", "credentials"):
        assert [one.field for one in scan_text(PATH, entity(**{name: noise(20)}))] == [name]
        assert scan_text(PATH, entity(**{name: "stored in the vault"})) == []
        assert scan_text(PATH, entity(**{name: "rotated-every-30-days"})) == []


INNOCENT = [
    "password: <your password>",
    "password: ${DB_PASSWORD_1}",
    "password = os.environ['PASSWORD_2']",
    "api_key: your-api-key-123abc456",
    "token: xxxxxxxxxxxx1234",
    "secret: changeme123",
    "the password is base64encoded",
    "password: argon2id",
    "token = sha256(user_01)",
    "secret: see docs/vault-2.md",
    "the token expires in 3600s",
    "task-proj-2025-overview-of-the-whole-system-and-its-many-parts",
    "AKIA" + "IOSFODNN7" + "EXAMPLE",
    "AKIA" + "IOSF",
    "ghp_short",
    "commit 5024f736aa01b2c3d4e5f60718293a4b5c6d7e8f",
    "https://example.com:8080/a@b",
    "postgres://app:password@localhost/app",
    "sk-learn and sk-image",
    "an -----BEGIN CERTIFICATE----- is public",
    "uuid 550e8400-e29b-41d4-a716-446655440000",
]


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_key(text: str) -> None:
    """Placeholders, names, hashes, words and the examples of documents are no keys."""
    assert scan_text(PATH, entity(observations=[text])) == []
    assert scan_text(b"a.md", text.encode()) == []


def test_no_finding_in_a_generated_memory(tmp_path: Path) -> None:
    """2,000 entities about tokens, credentials and commits, and their indexes, hold nothing that looks like a key."""
    build(tmp_path / "memory", 2000, 7)
    files = sorted((tmp_path / "memory").rglob("*.json"))
    assert len(files) > 2000
    found = [one for file in files for one in scan_text(bytes(file), file.read_bytes())]
    assert found == []


@pytest.mark.parametrize(("kind", "key"), KEYS)
def test_no_part_of_a_key_is_shown(kind: str, key: str) -> None:
    """Not even when the key is itself the name of a field."""
    data = entity(context={key: {"x": key, "password": key}}, **{key[:39]: [key]})
    shown = str(scan_text(PATH, data) + scan_text(b"a.md", key.encode()) + scan_text(b"b.json", key.encode()))
    for part in (key, key[-8:], key[-20:-12]):
        assert part not in shown or not any(map(str.isdecimal, part))


def test_a_file_full_of_keys() -> None:
    """Of one file no more than a few dozen findings are told, one for each field."""
    data = entity(observations=["ghp_" + noise(36, seed=seed) for seed in range(200)], note="ghp_" + noise(36))
    assert len(scan_text(PATH, data)) == MAX_SECRETS_OF_A_FILE
    twice = entity(note=" ".join("ghp_" + noise(36, seed=seed) for seed in range(5)))
    assert len(scan_text(PATH, twice)) == 1


def test_what_is_not_json_is_read_line_by_line() -> None:
    """A truncated entity is searched too, and so is a log of JSON lines; a binary file is not."""
    whole = entity(id="x", note="ghp_" + noise(36))
    assert [one.field for one in scan_text(PATH, whole)] == ["note"]
    assert [one.field for one in scan_text(PATH, whole[:-2])] == ["line 3"]
    assert [one.field for one in scan_text(b"s.jsonl", b'{"a": 1}\n{"b": "ghp_' + noise(36).encode() + b'"}\n')] == [
        "line 2"
    ]
    assert scan_text(b"memory.db", b"SQLite format 3\0" + whole) == []
    assert scan_text(PATH, b"") == []


@given(st.binary(max_size=200), st.sampled_from([key for _, key in KEYS]), st.sampled_from((b"x.json", b"x.md")))
def test_any_bytes_can_be_searched(data: bytes, key: str, path: bytes) -> None:
    """No input is an error, and what is found names this file."""
    for text in (data, data + key.encode() + data):
        assert all(one.path == path for one in scan_text(path, text))


@pytest.mark.parametrize(
    "text", ["eyJ-", "eyJ-eyJ.", "sk-proj-", "xoxb-1-", "a-", "a://", "a://b:", "-----BEGIN ", "token=", "token is "]
)
def test_long_texts_take_no_longer_for_it(text: str) -> None:
    """Texts made to be searched again and again are searched once: this would take minutes otherwise."""
    assert len(scan_text(b"a.md", text.encode() * 50_000)) <= 1
