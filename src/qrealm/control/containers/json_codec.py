"""Frozen records to JSON and back, by the types that they declare.

Used by the store, by HTTP and by exported states, so all three write a record the same way. A dataclass
becomes an object with its fields' names, an enumeration its value, bytes become Base64, tuples become lists.
JSON has no NaN and no infinity: where a float is declared they are the words "nan", "inf" and "-inf".
"""

from __future__ import annotations

import base64
import binascii
import collections.abc
import dataclasses
import difflib
import functools
import math
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Literal, TypeVar, Union, overload

from qrealm.base.errors import SchemaError

T = TypeVar("T")
Decoder = Callable[[Any], Any]
NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
SEQUENCES = (list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Set)
MAPPINGS = (dict, collections.abc.Mapping)


class _FaultError(Exception):
    """What is wrong, and the way to it from the innermost value outwards."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.steps: list[str] = []

    def at(self, step: str) -> _FaultError:
        self.steps.append(step)
        return self

    @property
    def place(self) -> str:
        return "".join(reversed(self.steps)).lstrip(".")


def to_json(value: object) -> Any:
    """What `json.dumps` can write of `value`: dataclasses by their fields' types, everything else by its own.

    Where a field is declared as `Any` only JSON's own values are taken (a tuple counts as a list), because
    nothing could tell later what else it had been.

    Raises:
        SchemaError: a value that JSON cannot carry; `rule` names where it stands.
    """
    try:
        return _encode(value)
    except _FaultError as fault:
        raise SchemaError(
            f"to_json: {fault.place or 'the value'} {fault.message}", rule=fault.place
        ) from None


@overload
def from_json(kind: type[T], data: Any) -> T: ...
@overload
def from_json(kind: Any, data: Any) -> Any: ...
def from_json(kind: Any, data: Any) -> Any:
    """The value of type `kind` that `to_json` wrote as `data`.

    Fields with a default may be missing, so a newer qrealm reads what an older one wrote. Mappings come back
    as dict.

    Args:
        kind: a dataclass, an enumeration, or an annotation such as ``tuple[ContainerView, ...]``.

    Raises:
        SchemaError: a missing, unknown or wrong field; `rule` names where.
    """
    try:
        return _decoder(kind)(data)
    except _FaultError as fault:
        raise SchemaError(f"{fault.place or 'the value'} {fault.message}", rule=fault.place) from None


def _encode(value: Any) -> Any:
    # Enumerations of strings are strings too, so they come first.
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _encode_dataclass(value)
    if isinstance(value, Mapping):
        return {_key_text(key): _encode_at(item, f"[{key!r}]") for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(_encode_at(item, "[…]") for item in value)
    if isinstance(value, list | tuple):
        return [_encode_at(item, f"[{index}]") for index, item in enumerate(value)]
    raise _FaultError(f"is of type {type(value).__name__}, which JSON cannot carry")


def _encode_dataclass(value: Any) -> dict[str, Any]:
    encoded = {}
    for name, untyped in _fields_untyped(value.__class__):
        item = getattr(value, name)
        try:
            encoded[name] = _encode_any(item) if untyped else _encode(item)
        except _FaultError as fault:
            raise fault.at(f".{name}") from None
    return encoded


def _encode_at(value: Any, step: str) -> Any:
    try:
        return _encode(value)
    except _FaultError as fault:
        raise fault.at(step) from None


def _encode_any(value: Any) -> Any:
    """As `_encode`, of a value that will come back without a type to tell what it was."""
    if isinstance(value, Mapping):
        return {_key_text(key): _encode_any(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encode_any(item) for item in value]
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        if math.isfinite(value):
            return value
        raise _FaultError(f"holds {value}, which JSON does not have")
    raise _FaultError(f"holds a value of type {type(value).__name__}, which JSON cannot carry")


def _key_text(key: Any) -> str:
    if isinstance(key, Enum):
        key = key.value
    if not isinstance(key, str):
        raise _FaultError(f"has the key {key!r}; keys must be text")
    return key


@functools.cache
def _fields_untyped(kind: Any) -> tuple[tuple[str, bool], ...]:
    """Names of a dataclass's fields, and whether each is declared as Any, alone or as a mapping's values."""
    hints = typing.get_type_hints(kind)
    return tuple((field.name, _holds_any(hints[field.name])) for field in dataclasses.fields(kind))


def _holds_any(hint: Any) -> bool:
    return hint is Any or any(_holds_any(item) for item in typing.get_args(hint))


@functools.cache
def _decoder(kind: Any) -> Decoder:
    """How to read a value of this type."""
    origin = typing.get_origin(kind)
    if kind is Any or kind is object:
        return lambda data: data
    if origin in (Union, types.UnionType):
        return _union_decoder(typing.get_args(kind))
    if origin is Literal:
        return _literal_decoder(typing.get_args(kind))
    if origin in SEQUENCES or kind in (list, tuple, set, frozenset):
        return _sequence_decoder(origin or kind, typing.get_args(kind))
    if origin in MAPPINGS or kind in MAPPINGS:
        return _mapping_decoder(typing.get_args(kind))
    if kind in SCALARS:
        return SCALARS[kind]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enum_decoder(kind)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _dataclass_decoder(kind)
    raise SchemaError(f"from_json: no way to read {kind!r} from JSON")


def _found(data: Any) -> str:
    text = repr(data)
    return text if len(text) <= 60 else text[:57] + "…"


def _read_none(data: Any) -> None:
    if data is not None:
        raise _FaultError(f"must be null; it is {_found(data)}")


def _read_bool(data: Any) -> bool:
    if not isinstance(data, bool):
        raise _FaultError(f"must be true or false; it is {_found(data)}")
    return data


def _read_int(data: Any) -> int:
    if isinstance(data, bool) or not isinstance(data, int):
        raise _FaultError(f"must be a whole number; it is {_found(data)}")
    return data


def _read_float(data: Any) -> float:
    if isinstance(data, str) and data in NOT_FINITE:
        return NOT_FINITE[data]
    if isinstance(data, bool) or not isinstance(data, int | float):
        raise _FaultError(f"must be a number; it is {_found(data)}")
    try:
        return float(data)
    except OverflowError:
        raise _FaultError("must be a number that a computer can hold; it has more than 308 digits") from None


def _read_str(data: Any) -> str:
    if not isinstance(data, str):
        raise _FaultError(f"must be text; it is {_found(data)}")
    return data


def _read_bytes(data: Any) -> bytes:
    try:
        return base64.b64decode(_read_str(data), validate=True)
    except (binascii.Error, ValueError):
        raise _FaultError(f"must be Base64; it is {_found(data)}") from None


SCALARS: dict[Any, Decoder] = {
    None: _read_none,
    type(None): _read_none,
    bool: _read_bool,
    int: _read_int,
    float: _read_float,
    str: _read_str,
    bytes: _read_bytes,
}


def _union_decoder(kinds: tuple[Any, ...]) -> Decoder:
    """The first member that fits; in a union of one type and None the message is that type's own."""
    optional = type(None) in kinds
    decoders = [_decoder(kind) for kind in kinds if kind is not type(None)]

    def read(data: Any) -> Any:
        if data is None and optional:
            return None
        faults = []
        for decode in decoders:
            try:
                return decode(data)
            except _FaultError as fault:
                faults.append(fault)
        if len(faults) == 1:
            raise faults[0]
        raise _FaultError(" or ".join(f"{fault.place} {fault.message}".strip() for fault in faults))

    return read


def _literal_decoder(values: tuple[Any, ...]) -> Decoder:
    def read(data: Any) -> Any:
        for value in values:
            if data == value and type(data) is type(value):
                return value
        raise _FaultError(f"must be one of {', '.join(map(repr, values))}; it is {_found(data)}")

    return read


def _enum_decoder(kind: type[Enum]) -> Decoder:
    def read(data: Any) -> Any:
        try:
            return kind(data)
        except ValueError:
            known = ", ".join(repr(member.value) for member in kind)
            raise _FaultError(f"must be one of {known}; it is {_found(data)}") from None

    return read


def _sequence_decoder(origin: Any, arguments: tuple[Any, ...]) -> Decoder:
    make: Callable[[list[Any]], Any] = origin if origin in (list, set, frozenset) else tuple
    fixed = origin is tuple and arguments and arguments[-1] is not Ellipsis
    decoders = [_decoder(item) for item in arguments if item is not Ellipsis] or [_decoder(Any)]

    def read(data: Any) -> Any:
        if not isinstance(data, list | tuple):
            raise _FaultError(f"must be a list; it is {_found(data)}")
        if fixed and len(data) != len(decoders):
            raise _FaultError(f"must have {len(decoders)} entries; it has {len(data)}")
        each = decoders if fixed else decoders * len(data)
        items = []
        for index, (decode, item) in enumerate(zip(each, data, strict=True)):
            try:
                items.append(decode(item))
            except _FaultError as fault:
                raise fault.at(f"[{index}]") from None
        return make(items)

    return read


def _mapping_decoder(arguments: tuple[Any, ...]) -> Decoder:
    decode_key, decode = (_decoder(item) for item in arguments or (str, Any))

    def read(data: Any) -> dict[Any, Any]:
        if not isinstance(data, Mapping):
            raise _FaultError(f"must be an object; it is {_found(data)}")
        items = {}
        for key, item in data.items():
            try:
                items[decode_key(key)] = decode(item)
            except _FaultError as fault:
                raise fault.at(f"[{key!r}]") from None
        return items

    return read


def _dataclass_decoder(kind: type) -> Decoder:
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    # A type may hold itself, so what reads its fields is looked up when it is first needed.
    decoders: dict[str, Decoder] = {}

    def read(data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise _FaultError(f"must be an object; it is {_found(data)}")
        for key in data:
            if key not in fields:
                close = difflib.get_close_matches(str(key), fields, n=1)
                raise _FaultError(
                    f"has no field {key!r}" + (f"; did you mean {close[0]!r}?" if close else "")
                )
        values = {}
        for name, field in fields.items():
            if name in data:
                if name not in decoders:
                    decoders[name] = _decoder(hints[name])
                try:
                    values[name] = decoders[name](data[name])
                except _FaultError as fault:
                    raise fault.at(f".{name}") from None
            elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                raise _FaultError(f"lacks the field {name!r}")
        return kind(**values)

    return read
