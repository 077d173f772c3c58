"""What templates can do with values, and how Go prints these.

Functions raise ValueError in words that follow their name, as "upper takes text".
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_VERB = re.compile(r"%(?P<flags>[-+ 0]*\d*)(?P<precision>\.\d+)?(?P<verb>.)", re.DOTALL)
_WORD_BEGINS = re.compile(r"(?<!\w)\w")
ANY_NUMBER = 1 << 16


class UserMap(dict[str, Any]):
    """A map whose keys are its users' own, as those of labels: one that is not there is no error.

    Args:
        absent: what ``index`` gives for such a key.
    """

    def __init__(self, values: Mapping[str, Any], absent: object = None) -> None:
        super().__init__(values)
        self.absent = absent


@dataclass(frozen=True, slots=True)
class Function:
    """One function, and how many values it takes; one that is `late` gets functions that give them."""

    call: Callable[..., object]
    least: int
    most: int
    late: bool = False

    @property
    def takes(self) -> str:
        """The number of values in words."""
        if self.most == ANY_NUMBER:
            return f"{self.least} or more"
        return str(self.most) if self.least == self.most else f"{self.least} to {self.most}"


def shown(value: object, *, inside: bool = False) -> str:
    """As Go prints it; `inside` a list or a map."""
    if isinstance(value, str):
        return value
    if value is None:
        return "<nil>" if inside else "<no value>"
    if isinstance(value, list | tuple):
        return f"[{' '.join(shown(each, inside=True) for each in value)}]"
    if isinstance(value, Mapping):
        told = (f"{key}:{shown(value[key], inside=True)}" for key in sorted(value))
        return f"map[{' '.join(told)}]"
    return as_json(value)


def as_json(value: object) -> str:
    """A value as JSON on one line, without spaces, as Docker prints it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"takes text; {shown(value)!r:.40} is none")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"takes a whole number; {shown(value)!r:.40} is none")
    return value


def _length(value: object) -> int:
    if not isinstance(value, str | list | tuple | Mapping):
        raise ValueError(f"takes text, a list or a map; {shown(value)!r:.40} is none")
    return len(value)


def _index(value: object, *keys: object) -> object:
    for key in keys:
        if isinstance(value, UserMap):
            value = value.get(_text(key), value.absent)
        elif isinstance(value, Mapping):
            if key not in value:
                raise ValueError(f"got the key {shown(key)!r:.40}; there are: {', '.join(value)}")
            value = value[key]
        elif isinstance(value, list | tuple):
            at = _whole(key)
            if not 0 <= at < len(value):
                raise ValueError(f"got {at} for a list of {len(value)}")
            value = value[at]
        else:
            raise ValueError(f"looks into lists and maps; {shown(value)!r:.40} is none")
    return value


def _slice(value: object, first: object = 0, last: object = None) -> object:
    if not isinstance(value, str | list | tuple):
        raise ValueError(f"takes text or a list; {shown(value)!r:.40} is none")
    begin, end = _whole(first), len(value) if last is None else _whole(last)
    if not 0 <= begin <= end <= len(value):
        raise ValueError(f"got {begin} to {end} for a length of {len(value)}")
    return value[begin:end]


def _join(values: object, between: object) -> str:
    if not isinstance(values, list | tuple):
        raise ValueError(f"takes a list of text; {shown(values)!r:.40} is none")
    return _text(between).join(_text(each) for each in values)


def _split(text: object, at: object) -> list[str]:
    return _text(text).split(_text(at)) if at else list(_text(text))


def _title(text: object) -> str:
    return _WORD_BEGINS.sub(lambda found: found[0].upper(), _text(text))


def _pad(text: object, before: object, after: object) -> str:
    return " " * _whole(before) + _text(text) + " " * _whole(after) if text else ""


def _printed(*values: object) -> str:
    """Spaces only between two values neither of which is text."""
    parts = [shown(each, inside=True) for each in values]
    told = parts[:1]
    for before, each, part in zip(values, values[1:], parts[1:], strict=False):
        told += [part] if isinstance(before, str) or isinstance(each, str) else [" ", part]
    return "".join(told)


def _formatted(form: object, *values: object) -> str:
    rest = list(values)

    def written(found: re.Match[str]) -> str:
        flags, precision, verb = found["flags"], found["precision"] or "", found["verb"]
        if verb == "%":
            return "%"
        if verb not in "vsdqtfgexX":
            raise ValueError(f"got %{verb}; there are %v %s %q %d %t %f %g %e %x and %%")
        if not rest:
            raise ValueError(f"got fewer values than {_text(form)!r:.40} has places")
        value = rest.pop(0)
        if verb in "dxXfge":
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise ValueError(f"got {shown(value)!r:.40} for %{verb}, which takes a number")
            number = value if verb in "fge" else _whole(value)
            return str(f"%{flags}{precision}{verb}" % number)
        told = json.dumps(_text(value), ensure_ascii=False) if verb == "q" else shown(value, inside=True)
        return str(f"%{flags.replace('0', '', flags.startswith('0'))}{precision}s" % told)

    told = _VERB.sub(written, _text(form))
    if rest:
        raise ValueError(f"got more values than {_text(form)!r:.40} has places")
    return told


def _equal(first: object, *others: object) -> bool:
    return any(_alike(first, each) and first == each for each in others)


def _alike(first: object, second: object) -> bool:
    """Python takes true for 1."""
    return isinstance(first, bool) == isinstance(second, bool)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[..., object]:
    def call(first: object, second: object) -> bool:
        for kind in (str, int | float):
            if isinstance(first, kind) and isinstance(second, kind):
                return compare(first, second)
        raise ValueError(f"compares two numbers or two texts; it got {shown(first)!r:.40} and "
                         f"{shown(second)!r:.40}")  # fmt: skip

    return call


def _until(end: bool) -> Callable[..., object]:
    """The first value that is true, or false as `end` says, else the last; those after it are not asked."""

    def call(*values: Callable[[], object]) -> object:
        found: object = None
        for value in values:
            found = value()
            if bool(found) is end:
                break
        return found

    return call


FUNCTIONS: dict[str, Function] = {
    "json": Function(as_json, 1, 1),
    "upper": Function(lambda text: _text(text).upper(), 1, 1),
    "lower": Function(lambda text: _text(text).lower(), 1, 1),
    "title": Function(_title, 1, 1),
    "join": Function(_join, 2, 2),
    "split": Function(_split, 2, 2),
    "truncate": Function(lambda text, length: _text(text)[: _whole(length)], 2, 2),
    "pad": Function(_pad, 3, 3),
    "len": Function(_length, 1, 1),
    "index": Function(_index, 1, ANY_NUMBER),
    "slice": Function(_slice, 1, 3),
    "print": Function(_printed, 0, ANY_NUMBER),
    "printf": Function(_formatted, 1, ANY_NUMBER),
    "println": Function(lambda *values: " ".join(shown(each, inside=True) for each in values) + "\n", 0,
                        ANY_NUMBER),
    "eq": Function(_equal, 2, ANY_NUMBER),
    "ne": Function(lambda first, second: not _equal(first, second), 2, 2),
    "lt": Function(_ordered(operator.lt), 2, 2),
    "le": Function(_ordered(operator.le), 2, 2),
    "gt": Function(_ordered(operator.gt), 2, 2),
    "ge": Function(_ordered(operator.ge), 2, 2),
    "and": Function(_until(False), 1, ANY_NUMBER, late=True),
    "or": Function(_until(True), 1, ANY_NUMBER, late=True),
    "not": Function(operator.not_, 1, 1),
}  # fmt: skip

_SAME = Function(lambda first, *_: first, 1, ANY_NUMBER)
HEADING_FUNCTIONS = {
    **FUNCTIONS,
    **dict.fromkeys(
        ("json", "upper", "lower", "title", "join", "split", "truncate", "index", "slice"), _SAME
    ),
}
"""Those of a table's first line, whose headings stay as they are."""
