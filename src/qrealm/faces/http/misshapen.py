"""What is wrong with a request that does not have the shape of its route, in the words of the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_RULES = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of 64 bits",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "too_short": "must have {min_length} or more entries",
    "too_long": "must have {max_length} entries at most",
}
_SHOWN_MAX = 60


def fault_of(problem: Mapping[str, Any]) -> str:
    """What pydantic found, such as ``"body.names must be a list; it is 'web'"``.

    Args:
        problem: one of `RequestValidationError.errors()`.
    """
    kind, place, found = problem["type"], problem["loc"], problem["input"]
    if kind == "extra_forbidden":
        return f"{_path(place[:-1])} has no field {str(place[-1])!r:.80}"
    if kind == "missing":
        return f"{_path(place[:-1])} lacks the field {place[-1]!r}" if place[1:] else f"{place[0]} is missing"
    rule = _RULES[kind].format(**problem.get("ctx", {})) if kind in _RULES else problem["msg"]
    return f"{_path(place)} {rule}; it is {_shown(found)}"


def _path(place: Sequence[str | int]) -> str:
    """``("body", "names", 1)`` as ``body.names[1]``."""
    head, *rest = place
    return f"{head}" + "".join(f"[{part}]" if isinstance(part, int) else f".{part:.80}" for part in rest)


def _shown(found: object) -> str:
    if found is None or isinstance(found, bool):
        return {None: "null", True: "true", False: "false"}[found]
    if isinstance(found, Mapping):
        return "an object"
    if isinstance(found, list):
        return f"a list of {len(found)}"
    if isinstance(found, bytes):
        return "no JSON"
    if isinstance(found, str):
        return repr(found) if len(found) <= _SHOWN_MAX else f"{found[:_SHOWN_MAX]!r}…"
    return f"{found!r:.{_SHOWN_MAX}}"
