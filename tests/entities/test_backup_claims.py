"""What a manifest.json is believed, and what is taken for none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icc_store.entities.backup_claims import NO_CLAIMS, Claims, is_backup_id, read_claims

SECOND = 1_793_534_400
GOOD = {
    "backup_id": "backup-20261101-120000",
    "created_at": "2026-11-01T12:00:00Z",
    "backup_name": "friday",
    "integrity_hash": "sha256:AB",
    "icc_store": {"time_ns": SECOND * 10**9 + 7, "profile": "icc", "class": "selective"},
}


def claims(**changes: Any) -> Claims | None:
    return read_claims(json.dumps(GOOD | changes).encode())


def test_everything_said() -> None:
    """Name, exact time, hash, profile, and that something was left out."""
    assert claims() == Claims("friday", SECOND * 10**9 + 7, "sha256:ab", "icc", selective=True)


def test_a_manifest_of_another_program() -> None:
    """The twelve keys are enough: the time is that of the second, whatever zone it is written in."""
    assert claims(icc_store=None) == Claims("friday", SECOND * 10**9, "sha256:ab")
    for written in ("2026-11-01T12:00:00", "2026-11-01T14:00:00+02:00", "2026-11-01T12:00:00.000Z"):
        assert claims(icc_store=[], created_at=written) == Claims("friday", SECOND * 10**9, "sha256:ab")


@pytest.mark.parametrize("exact", [SECOND * 10**9 + 10**9, 0, -1, 1 << 80, 1.5, True, "7"])
def test_an_exact_time_of_another_second(exact: object) -> None:
    """It does not count: the time that people can read does."""
    found = claims(icc_store={"time_ns": exact})
    assert found is not None
    assert found.time_ns == SECOND * 10**9


@pytest.mark.parametrize("written", ["", "yesterday", "1969-12-31T23:59:59Z", "2026-13-01T00:00:00Z", 5, None])
def test_a_time_that_is_none(written: object) -> None:
    """Then there is no time; all else is kept."""
    found = claims(created_at=written, icc_store={})
    assert found == Claims("friday", None, "sha256:ab")


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b'"x"', b"{}", b'{"backup_id": 5}', b'{"backup_id": "daily"}', b"\xff", b"[" * 100_000, b"\0"],
)
def test_what_is_no_manifest(data: bytes) -> None:
    """Any other file called manifest.json belongs to the memory."""
    assert read_claims(data) is None


def test_backup_ids() -> None:
    """Only the very form is one."""
    assert is_backup_id("backup-20261101-120000")
    assert not is_backup_id("backup-20261101-120000\n")
    assert not is_backup_id("backup-2026-11-01")


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from([*GOOD, "x"]), st.recursive(st.none() | st.integers() | st.text(), st.lists)))
def test_any_manifest(changes: dict[str, Any]) -> None:
    """Whatever stands under the keys, reading it does not fail."""
    found = read_claims(json.dumps(GOOD | changes).encode())
    assert found is None or isinstance(found.time_ns, int | None)
    assert NO_CLAIMS.name == ""
