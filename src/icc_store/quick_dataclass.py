"""Dataclasses that cost little to define.

The one of the standard library writes up to six functions for each class as text and has Python compile them: 0.3 ms,
and a command defines thirty to sixty classes before it begins. With this one a class is a dataclass like any other, for
`fields`, `replace` and `asdict` as for a type checker, but its functions are those below, which all classes share:
0.03 ms. Classes that are made once per file or more often keep the other, and may have `slots`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING, FrozenInstanceError, field
from typing import TYPE_CHECKING, Any, NoReturn

__all__ = ("dataclass", "field")

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls: type | None = None, /, *, frozen: bool = False) -> Any:
        """The class with what `dataclasses.dataclass` would give it. All its fields are arguments."""
        return _furnished(cls, frozen) if cls is not None else lambda one: _furnished(one, frozen)


def _furnished(cls: Any, frozen: bool) -> type:
    cls.__doc__ = cls.__doc__ or cls.__name__  # else a signature is made for it: 3 ms for the first
    dataclasses.dataclass(init=False, repr=False, eq=False)(cls)
    every = dataclasses.fields(cls)
    if "__post_init__" in cls.__dict__ or not all(each.init for each in every):
        raise TypeError(f"{cls.__name__} needs the dataclass of the standard library")
    cls._names = tuple(each.name for each in every)
    cls._known = frozenset(cls._names)
    cls._defaults = {each.name: each.default for each in every if each.default is not MISSING}
    cls._factories = tuple((each.name, each.default_factory) for each in every if each.default_factory is not MISSING)
    functions = {"__init__": _init, "__repr__": _repr, "__eq__": _eq}
    if frozen:
        functions |= {"__setattr__": _setattr, "__delattr__": _delattr}
    for name, function in functions.items():
        if name not in cls.__dict__:
            setattr(cls, name, function)
    cls.__hash__ = _hash if frozen else None
    return cls  # type: ignore[no-any-return]


def _init(self: Any, /, *given: Any, **named: Any) -> None:
    values = self.__dict__
    values.update(self._defaults)
    values.update(zip(self._names, given, strict=False))
    values.update(named)
    for name, factory in self._factories:
        if name not in values:
            values[name] = factory()
    if values.keys() != self._known or len(given) > len(self._names) or (given and _twice(self, given, named)):
        raise TypeError(
            f"{type(self).__name__} takes ({', '.join(self._names)}), not {len(given)} values and {list(named)}"
        )


def _twice(self: Any, given: tuple[Any, ...], named: dict[str, Any]) -> bool:
    return not named.keys().isdisjoint(self._names[: len(given)])


def _repr(self: Any) -> str:
    return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self._names)})"


def _eq(self: Any, other: object) -> bool:
    return _values(self) == _values(other) if type(self) is type(other) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _values(self: Any) -> tuple[Any, ...]:
    return tuple(map(self.__dict__.__getitem__, self._names))


def _setattr(_self: Any, name: str, _value: Any) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(_self: Any, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")
