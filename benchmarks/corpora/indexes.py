"""The derived files of an agent memory: indexes, one per type and three across types."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.corpora.entities import TYPES, Record

Catalogue = dict[str, Record]
"""Every entity by id, in the order in which they were stored."""

Document = dict[str, Any]
Links = dict[str, list[str]]

RELATIONSHIPS = {
    "learning-to-pattern": ("Learning", "Pattern"),
    "project-to-learning": ("Project", "Learning"),
    "knowledge-links": ("Knowledge", "Knowledge"),
}
"""Names of relationship files, with the types they lead from and to."""

_BEGUN = "2022-01-01T00:00:00Z"
CONTENT, TAGS, DATES = (f"indexes/{name}-index.json" for name in ("content", "tag", "date"))


def type_index_path(kind: str) -> str:
    """Return where the index of one entity type lies."""
    return f"entities/{kind}/index.json"


def load_catalogue(memory: Path) -> Catalogue:
    """Read back what the indexes of a memory say."""
    content = _read(memory / CONTENT)["index"]["entities"]
    tags = _read(memory / TAGS)["index"]["entity_tags"]
    listed = {row["id"]: row for kind in TYPES for row in _read(memory / type_index_path(kind))["entities"]}
    return {
        identity: Record(
            id=identity,
            type=entry["type"],
            path=entry["path"],
            created_at=listed[identity]["created_at"],
            score=listed[identity]["relevance_score"],
            tags=tags[identity],
            terms=entry["terms"],
            summary=listed[identity]["summary"],
        )
        for identity, entry in content.items()
    }


def relationship_path(name: str) -> str:
    """Return where a relationship file lies."""
    return f"relationships/{name}.json"


def load_links(memory: Path, name: str) -> Links:
    """Read back the links of one relationship file, none where it is not yet written."""
    path = memory / relationship_path(name)
    links: Links = _read(path)["relationships"] if path.exists() else {}
    return links


def relationship_file(name: str, links: Links, catalogue: Catalogue, now: str) -> Document:
    """Return a relationship file without entities that have no link to anything that exists."""
    living = {origin: [target for target in targets if target in catalogue] for origin, targets in links.items()}
    relationships = {origin: targets for origin, targets in living.items() if targets}
    return {
        "version": "1.0",
        "created_at": _BEGUN,
        "relationship_type": name,
        "relationships": relationships,
        "statistics": {"total": sum(map(len, relationships.values())), "last_updated": now},
    }


def _read(path: Path) -> Document:
    document: Document = json.loads(path.read_bytes())
    return document


def type_index(kind: str, catalogue: Catalogue, now: str) -> Document:
    """Return the index of one entity type."""
    rows = [
        {
            "id": record.id,
            "created_at": record.created_at,
            "relevance_score": record.score,
            "summary": record.summary,
        }
        for record in catalogue.values()
        if record.type == kind
    ]
    return {"version": "1.0", "type": kind, "last_updated": now, "count": len(rows), "entities": rows}


def content_index(catalogue: Catalogue, now: str) -> Document:
    """Return the index from terms to entities."""
    terms = _inverted((record.id, record.terms) for record in catalogue.values())
    entities = {
        record.id: {"type": record.type, "path": record.path, "terms": record.terms} for record in catalogue.values()
    }
    statistics = {"total_terms": len(terms), "total_entities": len(entities)}
    index = {"terms": terms, "entities": entities, "statistics": statistics}
    return _index_file(now, {"entity_count": len(entities)}, index)


def tag_index(catalogue: Catalogue, now: str) -> Document:
    """Return the index from tags to entities and back."""
    tags = _inverted((record.id, record.tags) for record in catalogue.values())
    entity_tags = {record.id: record.tags for record in catalogue.values()}
    most_used = sorted(tags, key=lambda tag: (-len(tags[tag]), tag))[:10]
    index = {"tags": tags, "entity_tags": entity_tags, "statistics": {"most_used": most_used}}
    return _index_file(now, {"tag_count": len(tags)}, index)


def date_index(catalogue: Catalogue, now: str) -> Document:
    """Return the index from years, months and days to entities."""
    index: Document = {
        name: _inverted((record.id, [record.created_at[:length]]) for record in catalogue.values())
        for name, length in (("by_year", 4), ("by_month", 7), ("by_day", 10))
    }
    index["statistics"] = {"days": len(index["by_day"]), "entities": len(catalogue)}
    dates = [record.created_at for record in catalogue.values()]
    return _index_file(now, {"date_range": {"earliest": min(dates), "latest": max(dates)}}, index)


def _inverted(pairs: Iterable[tuple[str, list[str]]]) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for identity, keys in pairs:
        for key in keys:
            found[key].append(identity)
    return dict(sorted(found.items()))


def _index_file(now: str, facts: Mapping[str, Any], index: Document) -> Document:
    return {"version": "1.0", "created_at": _BEGUN, "last_updated": now, **facts, "index": index}
