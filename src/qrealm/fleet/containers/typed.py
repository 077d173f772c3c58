"""Values that programs write, checked by the types that their fields declare: Python takes anything."""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Union

from qrealm.base.errors import RequestError

_TYPES: dict[Any, tuple[tuple[type, ...], str]] = {
    str: ((str,), "text"),
    bool: ((bool,), "True or False"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    type(None): ((type(None),), "None"),
}


def check_fields(value: Any) -> None:
    """Whether every field of a dataclass is of its type. A list is taken for a tuple.

    Raises:
        RequestError: one is not.
    """
    kind: Any = type(value)
    for name, hint, fits in _rules(kind):
        if not fits(getattr(value, name)):
            check(f"{kind.__name__} got", name, getattr(value, name), hint)


def check(called: str, name: str, found: Any, hint: Any) -> None:
    """Whether one value is of the type that `hint` declares; `called` begins the message.

    Raises:
        RequestError: it is not.
    """
    if _fits(hint)(found):
        return
    alone = isinstance(found, str) and _fits(hint)((found,))
    raise RequestError(
        f"{called} {found!r:.60} as {name}; the rule is {_rule(hint)}",
        hint=f"write ({found!r:.60},)" if alone else "",
    )


@functools.cache
def _rules(kind: Any) -> list[tuple[str, Any, Callable[[Any], bool]]]:
    hints = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]
    return [(name, hints[name], _fits(hints[name])) for name in names]


def _either(hint: Any) -> tuple[Any, ...]:
    """The types of which one will do; empty for a single type."""
    return typing.get_args(hint) if typing.get_origin(hint) in (Union, types.UnionType) else ()


@functools.cache
def _fits(hint: Any) -> Callable[[Any], bool]:
    """What tells whether a value is of this type. Made once for each type: every record that is read asks."""
    if either := [_fits(one) for one in _either(hint)]:
        return lambda found: any(fits(found) for fits in either)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return lambda found: isinstance(found, str) and found in inner
    if origin is tuple:
        item_fits = _fits(inner[0])
        return lambda found: _is_sequence(found) and all(map(item_fits, found))
    if origin is collections.abc.Mapping:
        key_fits, item_fits = map(_fits, inner)
        return lambda found: isinstance(found, Mapping) and all(
            key_fits(key) and item_fits(item) for key, item in found.items()
        )
    kinds = _TYPES[hint][0] if hint in _TYPES else (hint,)
    if hint is bool:
        return lambda found: isinstance(found, bool)
    return lambda found: isinstance(found, kinds) and not isinstance(found, bool)


def _is_sequence(found: object) -> bool:
    return isinstance(found, Sequence) and not isinstance(found, str | bytes)


def _rule(hint: Any) -> str:
    if either := _either(hint):
        return ", or ".join(map(_rule, either))
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return f"one of {', '.join(map(repr, inner))}"
    if origin is tuple:
        return f"a tuple, each of it {_rule(inner[0])}"
    if origin is collections.abc.Mapping:
        return f"a mapping of {_rule(inner[0])} to {_rule(inner[1])}"
    if hint in _TYPES:
        return _TYPES[hint][1]
    return f"{'an' if hint.__name__[0] in 'AEIOU' else 'a'} {hint.__name__}"
