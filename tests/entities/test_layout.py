"""layout: what a stored path of a memory is."""

from __future__ import annotations

import pytest

from icc_store.entities.layout import Area, Place, entity_id, place_of


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (b"entities/Learning/2026/01/Learning-x-20260101.json", Place(Area.ENTITY, "Learning")),
        (b"entities/Pattern/success/Pattern-x.json", Place(Area.ENTITY, "Pattern")),
        (b"entities/Pattern/archive/success/Pattern-x.json", Place(Area.ENTITY, "Pattern", archived=True)),
        (b"entities/archive/x.json", Place(Area.ENTITY, "archive")),
        (b"entities/Strange/x.json", Place(Area.ENTITY, "Strange")),
        (b"entities/Learning/index.json", Place(Area.INDEX, "Learning")),
        (b"entities/index.json", Place(Area.INDEX)),
        (b"entities/x.json", Place(Area.OTHER)),
        (b"entities/Learning/notes.md", Place(Area.OTHER)),
        (b"entities/Learning/.hidden.json", Place(Area.ENTITY, "Learning")),
        (b"entities/Learning/.x.json.Q7z", Place(Area.LEFTOVER)),
        (b"entities/Learning/x.json.tmp", Place(Area.LEFTOVER)),
        (b"entities/Learning/x.json~", Place(Area.LEFTOVER)),
        (b"indexes/tag-index.json", Place(Area.INDEX)),
        (b"indexes/deep/tag-index.json", Place(Area.INDEX)),
        (b"relationships/knowledge-links.json", Place(Area.RELATIONSHIP)),
        (b"config/settings.json", Place(Area.CONFIG)),
        (b"config/settings.toml", Place(Area.OTHER)),
        (b"settings.json", Place(Area.OTHER)),
        (b"x.tmp", Place(Area.LEFTOVER)),
        (b"", Place(Area.OTHER)),
    ],
)
def test_places(path: bytes, place: Place) -> None:
    """Directory and name decide; what is not known is `other`."""
    assert place_of(path) == place


def test_a_name_stands_for_an_id() -> None:
    """The stem is the id, also where it is not text."""
    assert entity_id(b"entities/Learning/2026/01/Learning-x.y.json") == "Learning-x.y"
    assert entity_id(b"\xff.json") == "\ufffd"
