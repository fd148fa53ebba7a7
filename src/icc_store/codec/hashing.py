"""BLAKE3 names for objects. The only module that imports blake3.

A chunk's id is plain BLAKE3, so that `b3sum` names a file stored whole. Every other kind has a derive-key
context of its own, so that no file content can pass for a tree, a list or a record.
"""

from __future__ import annotations

from typing import Final

from blake3 import blake3

from icc_store.ids import Kind, ObjectId

_CONTEXTS: Final = {
    Kind.LIST: "icc-store 2026-11 content list v1",
    Kind.TREE: "icc-store 2026-11 tree v1",
    Kind.SNAPSHOT: "icc-store 2026-11 snapshot v1",
    Kind.ANNOTATION: "icc-store 2026-11 annotation v1",
    Kind.XATTRS: "icc-store 2026-11 xattrs v1",
}
_TEMPLATES: Final = {kind: blake3(derive_key_context=context) for kind, context in _CONTEXTS.items()}

CHECKSUM_SIZE: Final = 16


def chunk_id(data: bytes | memoryview) -> ObjectId:
    """The id of a chunk: BLAKE3 of its bytes."""
    return ObjectId(blake3(data).digest())


def object_id(kind: int, data: bytes | memoryview) -> ObjectId:
    """The id of an object of any kind. Raises KeyError for a kind that has no ids."""
    if kind == Kind.CHUNK:
        return ObjectId(blake3(data).digest())
    hasher = _TEMPLATES[Kind(kind)].copy()
    hasher.update(data)
    return ObjectId(hasher.digest())


def checksum(*parts: bytes | memoryview) -> bytes:
    """16 bytes that guard stored bytes against damage (not against an enemy)."""
    hasher = blake3()
    for part in parts:
        hasher.update(part)
    return hasher.digest(length=CHECKSUM_SIZE)


def fingerprint(*parts: bytes | memoryview) -> bytes:
    """16 bytes that stand for the parts in change detection."""
    return checksum(*parts)


def stream(seed: bytes, size: int) -> bytes:
    """As many bytes as wanted that follow from the seed and look like chance."""
    return blake3(seed).digest(length=size)
