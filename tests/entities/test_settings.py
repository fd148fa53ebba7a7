"""What a memory's own JSON says of its settings."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from icc_store.entities.settings import KEYS, MemorySettings, parse_text, read_settings

DEFAULTS = {
    "backup_retention_days": 90,
    "max_backups_kept": 10,
    "compression_enabled": True,
    "compression_level": 6,
    "include_low_relevance": True,
    "min_relevance_score": 0.3,
    "incremental_backup_enabled": True,
    "automatic_cleanup": True,
    "parallel_threads": 4,
    "max_backup_size_mb": 100,
    "min_free_space_mb": 500,
    "backup_directory": "~/.claude/memory/backups/",
    "temp_directory": "",
}


def test_the_keys_and_their_defaults() -> None:
    """They are those of the memory system, to the letter; an empty `temp_directory` is the program's own."""
    assert asdict(MemorySettings()) == DEFAULTS
    assert list(KEYS) == list(DEFAULTS)
    assert all(KEYS[key].accepts(value) for key, value in DEFAULTS.items() if key != "temp_directory")


def test_keys_of_others_mean_nothing_here() -> None:
    """A file has keys of its own beside ours: ours are read, the others may hold anything."""
    data = {"version": "1.0", "max_entities_per_type": "many", "relevance_threshold": [], "max_backups_kept": 3}
    assert read_settings(json.dumps(data).encode()) == ({"max_backups_kept": 3}, {})
    assert read_settings(b"{}") == ({}, {})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("backup_retention_days", 0),
        ("backup_retention_days", "90"),
        ("backup_retention_days", None),
        ("max_backups_kept", -1),
        ("max_backups_kept", 10.0),
        ("max_backups_kept", True),
        ("compression_enabled", "yes"),
        ("compression_level", 0),
        ("compression_level", 10),
        ("include_low_relevance", 0),
        ("min_relevance_score", 1.01),
        ("min_relevance_score", float("nan")),
        ("min_relevance_score", False),
        ("incremental_backup_enabled", []),
        ("automatic_cleanup", "false"),
        ("parallel_threads", 0),
        ("max_backup_size_mb", 0),
        ("min_free_space_mb", -1),
        ("backup_directory", "backups"),
        ("backup_directory", ""),
        ("temp_directory", 3),
        ("temp_directory", "/tmp\0"),
    ],
)
def test_a_wrong_value_is_told_with_what_was_expected(key: str, value: object) -> None:
    """It is no value, the message names key and expectation, and the sound keys of the same file still count."""
    found, wrong = read_settings(json.dumps({key: value, "parallel_threads": 2} | {key: value}).encode())
    assert found == ({} if key == "parallel_threads" else {"parallel_threads": 2})
    assert wrong.keys() == {key}
    assert wrong[key].startswith(f"{key} must be {KEYS[key].expected}, not ")


def test_a_long_wrong_value_is_cut_short() -> None:
    """A message never holds more than a line of what stands in the file."""
    _, wrong = read_settings(json.dumps({"max_backups_kept": "x" * 10_000}).encode())
    assert len(wrong["max_backups_kept"]) < 150


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "it is not JSON"),
        (b'{"max_backups_kept": 3', "it is not JSON"),
        (b"\xff\xfe\x00", "it is not JSON"),
        (b"[]", "it must be a JSON object"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"max_backups_kept": ' + b"9" * 5000 + b"}", "it is not JSON"),
    ],
)
def test_a_broken_file(data: bytes, says: str) -> None:
    """What is wrong with a file as a whole stands under the empty key."""
    found, wrong = read_settings(data)
    assert found == {}
    assert wrong.keys() == {""}
    assert says in wrong[""]


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("max_backups_kept", "3", 3),
        ("max_backups_kept", "3.5", None),
        ("max_backups_kept", "0", None),
        ("min_relevance_score", "0.5", 0.5),
        ("min_relevance_score", "1", 1.0),
        ("min_relevance_score", "nan", None),
        ("automatic_cleanup", "False", False),
        ("automatic_cleanup", "1", True),
        ("automatic_cleanup", "maybe", None),
        ("temp_directory", "~/tmp", "~/tmp"),
        ("temp_directory", "tmp", None),
    ],
)
def test_a_value_spelled_out(key: str, text: str, value: object) -> None:
    """An environment variable holds the same values as text; one that does not fit is none."""
    assert parse_text(key, text) == value
    assert type(parse_text(key, text)) is type(value)
