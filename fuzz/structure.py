"""Changes to what an input says instead of to its bytes, so that they come behind lengths and checksums.

A `Form` takes an input apart into lists, maps, texts, bytes and numbers and puts it together again. One value of it is
made extreme, removed, repeated, moved, wrapped, or replaced by one from another input.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgpack

from fuzz import mutation

Slot = tuple[Any, Any]
"""A list or map, and the position or key of one value in it."""

MOST_SLOTS = 3000
MOST_CHANGES = 3
EXTREMES: tuple[Any, ...] = (
    *(0, -1, 1, 127, 128, 255, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, -(1 << 63)),
    *(None, True, False, 0.5, -1e308, float("inf"), float("nan")),
    *("", ".", "..", "/", "a/b", "\0", "\x1b[31m", "\ud800", "9" * 400, "a" * 300),
    *(b"", b".", b"..", b"/", b"../x", b"\0", b"\xff", bytes(16), bytes(32), b"\xff" * 32, b"a" * 300),
)


@dataclass(frozen=True)
class Form:
    """Takes an input apart, or raises ValueError; puts a value together, or raises whatever it likes to."""

    read: Callable[[bytes], Any]
    write: Callable[[Any], bytes]


def _unpack(data: bytes) -> Any:
    return msgpack.unpackb(data, strict_map_key=False, unicode_errors="surrogateescape")


def _pack(value: Any) -> bytes:
    return bytes(msgpack.packb(value, unicode_errors="surrogatepass"))


MSGPACK = Form(_unpack, _pack)
"""Not by icc_store.codec.serial: what the parser under test imports first is what the coverage is measured of."""
JSON = Form(json.loads, lambda value: json.dumps(value).encode())


def behind(size: int, form: Form) -> Form:
    """The same form for what stands behind so many bytes, which are a value by themselves."""
    return Form(lambda data: [data[:size], form.read(data[size:])], lambda value: value[0] + form.write(value[1]))


def mutate(chance: random.Random, data: bytes, forms: tuple[Form, ...], pool: list[bytes]) -> bytes | None:
    """The input with one to three values changed; None when no form fits it, or the outcome."""
    for form in chance.sample(forms, len(forms)):
        other = partial(_other, chance, form, pool)
        try:
            whole = [form.read(data)]
            for _ in range(chance.randint(1, MOST_CHANGES)):
                chance.choice(CHANGES)(chance, chance.choice(list(_slots(whole))), other)
            return form.write(whole[0])
        except Exception:  # noqa: BLE001, S112 - a value that no form can have is the point
            continue
    return None


def _slots(whole: list[Any]) -> Iterator[Slot]:
    """Where values stand, the outermost first, up to a number."""
    waiting: list[Any] = [whole]
    count = 0
    for holder in waiting:
        for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
            count += 1
            if count > MOST_SLOTS:
                return
            yield holder, key
            if isinstance(value, list | dict):
                waiting.append(value)


def _other(chance: random.Random, form: Form, pool: list[bytes]) -> Any:
    """Some value of another input."""
    holder, key = chance.choice(list(_slots([form.read(chance.choice(pool))])))
    return holder[key]


def _extreme(chance: random.Random, slot: Slot, _other: Callable[[], Any]) -> None:
    holder, key = slot
    holder[key] = chance.choice(EXTREMES)


def _tweak(chance: random.Random, slot: Slot, _other: Callable[[], Any]) -> None:
    """A little more, less or else."""
    holder, key = slot
    value = holder[key]
    if isinstance(value, bytes):
        holder[key] = mutation.mutate(chance, [value])
    elif isinstance(value, str):
        holder[key] = mutation.mutate(chance, [value.encode("utf-8", "surrogateescape")]).decode("utf-8", "replace")
    elif isinstance(value, bool):
        holder[key] = not value
    elif isinstance(value, int):
        holder[key] = chance.choice((value + 1, value - 1, -value, value << 8, value ^ 1 << chance.randrange(64)))
    else:
        holder[key] = chance.choice(EXTREMES)


def _remove(_chance: random.Random, slot: Slot, _other: Callable[[], Any]) -> None:
    holder, key = slot
    del holder[key]


def _repeat(chance: random.Random, slot: Slot, _other: Callable[[], Any]) -> None:
    holder, key = slot
    if isinstance(holder, list):
        holder[key:key] = [holder[key]] * chance.choice((1, 1, 2, 7, 300))
    else:
        holder[chance.choice((*range(20), "a", b"a", "", 128, -1))] = holder[key]


def _rename(chance: random.Random, slot: Slot, _other: Callable[[], Any]) -> None:
    """Another key, or another place in the list."""
    holder, key = slot
    if isinstance(holder, list):
        holder.insert(chance.randint(0, len(holder)), holder.pop(key))
    else:
        holder[chance.choice([*holder, chance.randrange(256), str(key), "a"])] = holder.pop(key)


def _wrap(chance: random.Random, slot: Slot, _other: Callable[[], Any]) -> None:
    holder, key = slot
    for _ in range(chance.choice((1, 1, 2, 20, 400))):
        holder[key] = [holder[key]] if chance.random() < 0.5 else {chance.choice((1, "a")): holder[key]}


def _graft(_chance: random.Random, slot: Slot, other: Callable[[], Any]) -> None:
    holder, key = slot
    holder[key] = other()


CHANGES = (_extreme, _extreme, _tweak, _tweak, _remove, _repeat, _rename, _wrap, _graft)
