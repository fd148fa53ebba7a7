"""What expressions mean, of one entity and of entities that lack something."""

from __future__ import annotations

import pytest

from icc_store.entities.where_parser import parse

ENTITY = {
    "id": "Pattern-cache-success-20250601",
    "type": "Pattern",
    "created_at": "2025-06-01T10:00:00Z",
    "relevance_score": 0.7,
    "reuse_count": 3,
    "archived": False,
    "outcome": None,
    "tags": ["security", "audit"],
    "levels": [1, 2],
    "context": {"domain": "web", "application": {"name": "shop"}},
    "pattern_description": "cache before the lookup",
    "section Notes": ["one"],
}


@pytest.mark.parametrize(
    "text",
    [
        'relevance_score >= 0.5 and "security" in tags',
        "relevance_score = 0.7",
        "relevance_score == 0.7",
        "relevance_score <= 0.7",
        "not relevance_score > 0.7",
        "reuse_count = 3.0",
        "reuse_count > relevance_score",
        "0.5 < relevance_score",
        "type in ['Learning', 'Pattern']",
        'type not in ["Learning"]',
        '"cache" in pattern_description',
        '"secur" not in tags',
        "2 in levels",
        "context.domain = 'web'",
        "context.application.name = 'shop'",
        '`section Notes` = ["one"]',
        "`type` = 'Pattern'",
        "tags",
        "not archived",
        "not outcome",
        "TYPE = 'x' OR NOT archived",
        "type = 'x' or reuse_count = 3 and relevance_score = 0.7",
        "not (type = 'Pattern' and reuse_count = 4)",
        "not type = 'x' and not reuse_count = 4",
    ],
)
def test_what_holds(text: str) -> None:
    """Every operator, in the ways that people write it, is true of an entity that it fits."""
    assert parse(text).holds(ENTITY)


@pytest.mark.parametrize(
    "text",
    [
        "relevance_score > 0.7",
        "relevance_score != 0.7",
        "type = 'pattern'",
        "type in []",
        '"secur" in tags',
        "(type = 'x' or reuse_count = 3) and relevance_score = 0",
        "archived or outcome",
        "reuse_count = true",
        "archived = 0",
        "reuse_count = '3'",
        "reuse_count < 'x'",
        "reuse_count > 'x'",
        "archived < 1",
        "tags > levels",
        "1 in type",
        "'a' in reuse_count",
        "true in levels",
    ],
)
def test_what_does_not_hold(text: str) -> None:
    """Values of different kinds are never equal and in no order; texts are told apart to the letter."""
    assert not parse(text).holds(ENTITY)


@pytest.mark.parametrize("field", ["missing", "context.missing", "type.missing", "outcome", "missing.of.missing"])
def test_a_missing_field_is_null(field: str) -> None:
    """Null equals only null, is in no order, and is in a list only that holds it."""
    for text in ("{} = null", "null = {}", "{} != 'x'", "{} in [null]", "{} not in ['x']", "not {}", "not {} < 1"):
        assert parse(text.format(field)).holds(ENTITY), text
    for text in ("{}", "{} != null", "{} = ''", "{} = 0", "{} = false", "{} < 1", "{} >= 0", "{} <= null", "'x' in {}"):
        assert not parse(text.format(field)).holds(ENTITY), text


@pytest.mark.parametrize("operator", ["=", "in"])
@pytest.mark.parametrize("field", ["type", "missing", "tags", "context"])
@pytest.mark.parametrize("value", ["'Pattern'", "null", "['x', 'Pattern']"])
def test_different_is_not_equal(operator: str, field: str, value: str) -> None:
    """`!=` and `not in` say the opposite of `=` and `in`, whatever is missing."""
    opposite = "!=" if operator == "=" else "not in"
    plain = parse(f"{field} {operator} {value}").holds(ENTITY)
    assert parse(f"{field} {opposite} {value}").holds(ENTITY) is not plain
    assert parse(f"not {field} {operator} {value}").holds(ENTITY) is not plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("created_at > 2025-06-01", True),
        ("created_at <= '2025-06-01'", False),
        ("created_at < 2025-06-02", True),
        ("created_at >= 2025-06-01T12:00:00+02:00", True),
        ("created_at > 2025-06-01T12:00:00+02:00", False),
        ("created_at < '2025-06-01T10:00:00.001Z'", True),
        ("created_at >= 2025-06-01T10:00:00", True),
        ("created_at = '2025-06-01T10:00:00Z'", True),
        ("created_at = '2025-06-01T10:00:00.0Z'", False),
        ("created_at > 'yesterday'", False),
        ("type > 2025-06-01", True),
    ],
)
def test_dates(text: str, expected: bool) -> None:
    """Two dates are ordered as moments, a date and another text as texts; `=` compares letters."""
    assert parse(text).holds(ENTITY) is expected
