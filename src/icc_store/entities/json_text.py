"""JSON as the memories write it. The only module that imports msgspec, which takes a third of the time of `json`."""

from __future__ import annotations

from typing import Any

import msgspec

_MAX_DEPTH_MESSAGE = "it is nested too deeply"


class NotJson(ValueError):
    """The bytes are not JSON; the message says where."""


def parse_json(data: bytes) -> Any:
    """The value in `data`. Raises NotJson, also for what is nested too deeply, not UTF-8, or NaN."""
    try:
        return msgspec.json.decode(data)
    except RecursionError:
        raise NotJson(_MAX_DEPTH_MESSAGE) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotJson(str(error)) from None


def format_json(value: Any) -> bytes:
    """Pretty-printed with two blanks, as memory systems write their files; keys in the order given; a final newline."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
