"""MessagePack with fixed rules: deterministic bytes out, bounded and typed values in. The home of msgpack.

Deterministic means: the same value always packs to the same bytes. Maps keep the order they are built in,
so whoever builds one writes its keys in rising order. Text that is not UTF-8 (a host name, a path, a pattern in another
encoding) keeps its bytes, as Python's file system functions have it: it must not stop a snapshot.
"""

from __future__ import annotations

from typing import Any

import msgpack

_NOT_UTF8 = "surrogateescape"
_PACKER = msgpack.Packer(use_bin_type=True, autoreset=True, unicode_errors=_NOT_UTF8)


def pack(value: Any) -> bytes:
    """MessagePack of `value`: bytes as bin, str as str, integers as short as they go."""
    packed: bytes = _PACKER.pack(value)
    return packed


def unpack(data: bytes | memoryview) -> Any:
    """The value in `data`. Raises ValueError when the bytes are not one whole MessagePack value.

    Lengths are bounded by the input's own size, so a forged count cannot ask for memory.
    """
    try:
        return msgpack.unpackb(data, raw=False, strict_map_key=False, use_list=True, unicode_errors=_NOT_UTF8)
    except (ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException) as error:
        raise ValueError(f"not a MessagePack value: {error}") from error
