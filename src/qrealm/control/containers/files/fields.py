"""Types of the keys in our files, and what pydantic says of them in our words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from copy import deepcopy
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, ValidationError
from pydantic.fields import FieldInfo

from qrealm.control.containers import short_forms
from qrealm.control.containers.files.problems import Path, Problem, raise_problems, suggestion
from qrealm.control.containers.files.yaml_lines import Document, Substituted

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

M = TypeVar("M", bound=BaseModel)


class Shape(BaseModel):
    """What a mapping in a file may hold: no other keys, no conversion of types, no NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


def _recast(kind: Callable[[str], object]) -> BeforeValidator:
    """A variable's text, where a number is wanted."""

    def recast(value: object) -> object:
        if not isinstance(value, Substituted):
            return value
        try:
            return kind(value)
        except ValueError:
            return str(value)

    return BeforeValidator(recast)


def _truth(text: str) -> bool:
    try:
        return {"true": True, "false": False}[text.lower()]
    except KeyError:
        raise ValueError from None


Whole = Annotated[int, _recast(int)]
Number = Annotated[float, _recast(float)]
Flag = Annotated[bool, _recast(_truth)]
Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$", max_length=128)]


def _seconds(value: object) -> float:
    if not isinstance(value, str):
        raise ValueError(f"must be a length of time such as 30s; it is {_shown(value)}")
    return short_forms.duration_s(value)


def _number_as_text(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


def _pairs(value: object) -> object:
    """``[A=1, B=2]`` as a mapping; a name without a value has None."""
    if not isinstance(value, list):
        return value
    pairs: dict[str, str | None] = {}
    for item in value:
        if not isinstance(item, str) or not item.partition("=")[0]:
            raise ValueError(f"has the entry {item!r}; each must be NAME=value")
        name, equals, text = item.partition("=")
        if name in pairs:
            raise ValueError(f"has {name!r} twice")
        pairs[name] = text if equals else None
    return pairs


def _command(value: object) -> object:
    return list(short_forms.words(value)) if isinstance(value, str) else value


ScalarText = Annotated[str, BeforeValidator(_number_as_text)]
Pairs = Annotated[dict[Text, ScalarText | None], BeforeValidator(_pairs)]
Command = Annotated[list[ScalarText], BeforeValidator(_command)]
Duration = Annotated[float, BeforeValidator(_seconds)]
"""In seconds; in a file ``30s``."""


# A heading with nothing below it.
EMPTY_MAPPING = BeforeValidator(lambda value: {} if value is None else value)
EMPTY_LIST = BeforeValidator(lambda value: [] if value is None else value)


def _mapping_or_not(value: object) -> str:
    return "<long>" if isinstance(value, Mapping) else "<short>"


# The parts of a type that may be written as text or as a mapping.
SHORT, LONG, SHORT_OR_LONG = Tag("<short>"), Tag("<long>"), Discriminator(_mapping_or_not)


QUANTUM = "x-quantum"
"""Under which keys of ours stand in a Compose file."""


def validated(
    kind: type[M], document: Document, unknown: str = "unknown key", instead: Mapping[str, str] | None = None
) -> M:
    """The document as a `kind`; `unknown` is what is said of keys that it does not have, and `instead`, by
    key, what is there in their place.

    Raises:
        ConfigError: for everything that is wrong with it, what was found when it was read included.
    """
    shape, problems = as_far_as_it_goes(kind, document, unknown, instead)
    raise_problems(document.filename, problems)
    return shape


def as_far_as_it_goes(
    kind: type[M], document: Document, unknown: str = "unknown key", instead: Mapping[str, str] | None = None
) -> tuple[M, tuple[Problem, ...]]:
    """The document as a `kind` without the keys that are wrong, and what is wrong, for those who look at the
    other keys and tell all at once.

    Raises:
        ConfigError: as `validated`, where a key is wrong that decides what is right elsewhere.
    """
    data: Any = {} if document.data is None else document.data
    try:
        return kind.model_validate(data), document.problems
    except ValidationError as error:
        details = error.errors(include_url=False)
    found = [_problem(kind, document, unknown, instead or {}, detail) for detail in details]
    told = {problem.key for problem in document.problems}
    problems = (*document.problems, *(problem for problem in found if problem.key not in told))
    if not any(map(_decides, details)):
        with suppress(ValidationError):
            return kind.model_validate(_without(data, map(_place, details))), problems
    raise_problems(document.filename, problems)
    raise AssertionError("unreachable")


_DECIDING = (
    *("name", "container_name", "services", "containers", "scale", "deploy", "replicas", "volumes"),
    *("entangle", "between", "states", "superposition_states", QUANTUM),
)
"""Keys without which the rest of a file means something else."""


def _decides(detail: ErrorDetails) -> bool:
    # An unknown key may be one of these with a letter wrong.
    keys = [part for part in _place(detail) if isinstance(part, str)]
    last = keys[-1] if keys else ""
    if detail["type"] == "extra_forbidden":
        return bool(suggestion(last, _DECIDING))
    return not keys or last in _DECIDING or detail["type"] == "missing"


def _without(data: Any, places: Iterable[Path]) -> Any:
    """A copy without the keys at these places, or in whose lists they are."""
    copy = deepcopy(data)
    for place in places:
        last = max(index for index, part in enumerate(place) if isinstance(part, str))
        holder = copy
        for part in place[:last]:
            try:
                holder = holder[part]
            except (KeyError, IndexError, TypeError):  # it went with another one
                break
        else:
            if isinstance(holder, dict):
                holder.pop(place[last], None)
    return copy


def _place(detail: ErrorDetails) -> Path:
    """Where in the file: tags of unions are no keys."""
    steps = (part for part in detail["loc"] if not (isinstance(part, str) and part.startswith("<")))
    return tuple(part for part in steps if part != "[key]")


def _problem(
    kind: type[BaseModel],
    document: Document,
    unknown: str,
    instead: Mapping[str, str],
    detail: ErrorDetails,
) -> Problem:
    place = _place(detail)
    if detail["type"] == "extra_forbidden":
        if QUANTUM in place[:-1]:
            unknown = "unknown key"  # of ours, inside another's file
        elif told := instead.get(str(place[-1])):
            return document.problem(place, f"{unknown}; {told}")
        known = _keys_of(kind, detail["loc"][:-1])
        there = f"; there are {', '.join(sorted(known))}" if known else ""
        return document.problem(place, f"{unknown}{suggestion(str(place[-1]), known) or there}")
    return document.problem(place, _words(detail))


def _words(detail: ErrorDetails) -> str:
    """What pydantic found, as we say it."""
    kind, context, found = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"must be {context['expected']}; it is {found!r}{_near(found, str(context['expected']))}"
    if kind == "string_pattern_mismatch":
        return f"{found!r} must be letters, digits, '_', '.' and '-', and begin with a letter or digit"
    if kind == "too_short" and context["min_length"] == 1:
        return "must not be empty"
    if kind in RULES:
        limits = {name: _plain(value) for name, value in context.items()}
        return f"{RULES[kind].format(**limits)}; it is {_shown(found)}"
    return f"{detail['msg'][0].lower()}{detail['msg'][1:]}; it is {_shown(found)}"


RULES = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a mapping of keys and values",
    "model_type": "must be a mapping of keys and values",
    "model_attributes_type": "must be a mapping of keys and values",
    "finite_number": "must be a finite number",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le} or less",
    "string_too_short": "must not be empty",
    "string_too_long": "must have {max_length} characters at most",
    "too_short": "must have at least {min_length} entries",
}


def _plain(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _shown(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "empty"}[value]
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, str):
        return f"the text {value!r:.60}"
    return f"{value!r:.60}"


def _near(found: object, expected: str) -> str:
    return (
        suggestion(found, expected.replace("'", "").replace(" or ", ", ").split(", "))
        if isinstance(found, str)
        else ""
    )


def _keys_of(kind: type[BaseModel], loc: Iterable[str | int]) -> list[str]:
    """The keys that the mapping at `loc` inside a `kind` may have."""
    current: Any = kind
    for part in loc:
        if isinstance(part, str) and part.startswith("<"):
            continue
        models = list(_models_in(current))
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = _field(current, part)
            current = field.annotation if field is not None else None
        elif models:
            current = models[0]
    found = next(iter(_models_in(current)), None)
    if found is None:
        return []
    return [field.alias or name for name, field in found.model_fields.items()]


def _field(model: type[BaseModel], key: str | int) -> FieldInfo | None:
    return next((field for name, field in model.model_fields.items() if key in (name, field.alias)), None)


def _models_in(annotation: Any) -> Iterable[type[BaseModel]]:
    """Models inside an annotation, such as the one of ``list[Model] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for argument in getattr(annotation, "__args__", ()):
        yield from _models_in(argument)
