"""One action of a template: words, and from them a function that gives its value."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from qrealm.base.errors import RequestError
from qrealm.faces.qdocker.template_functions import FUNCTIONS, Function, UserMap, shown

_TOKEN = re.compile(
    r"""\s*(
        "(?:\\.|[^"\\])*" | `[^`]*`
        | -?\d+(?:\.\d+)?(?![\w.])
        | \$\w*(?:\.[A-Za-z_]\w*)* | (?:\.[A-Za-z_]\w*)+ | \.(?!\w)
        | \)(?:\.[A-Za-z_]\w*)* | \( | := | \| | ,
        | [A-Za-z_]\w*)\s*""",
    re.VERBOSE,
)
_WORD = re.compile(r"[A-Za-z_]\w*")
_CONSTANTS = {"true": True, "false": False, "nil": None}

Broken = Callable[[str], NoReturn]
Methods = Mapping[str, Callable[[str], str]]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a piece of a template sees: the dot, variables (``$`` is the row), and what it may call."""

    dot: object
    names: dict[str, object]
    methods: Methods
    functions: Mapping[str, Function]

    def inner(self, dot: object, names: Mapping[str, object] | None = None) -> Scope:
        """That of a block, whose variables are forgotten after it."""
        return Scope(dot, {**self.names, **(names or {})}, self.methods, self.functions)


Value = Callable[[Scope], object]


def split_words(inner: str, broken: Broken) -> list[str]:
    """The words of an action."""
    words, at = [], 0
    while at < len(inner):
        found = _TOKEN.match(inner, at)
        if found is None:
            broken(f"has {inner[at:]!r:.40}, which cannot stand there")
        words.append(found[1])
        at = found.end()
    if not words:
        broken("has an empty action")
    return words


class Pipeline:
    """Reads the words of one action.

    Args:
        words: of `split_words`.
        known: variables that have a value.
        fields: is given the fields that are asked of the row; None where the dot is another.
        broken: raises what is wrong.
    """

    def __init__(
        self, words: Sequence[str], known: set[str], fields: set[str] | None, broken: Broken
    ) -> None:
        self._words = words
        self._known = known
        self._fields = fields
        self._broken = broken
        self._at = 0

    def read(self) -> Value:
        """All of them."""
        value = self._piped()
        if self._next:
            self._broken(f"has {self._next!r:.40} where it cannot stand")
        return value

    @property
    def _next(self) -> str:
        return self._words[self._at] if self._at < len(self._words) else ""

    def _take(self) -> str:
        self._at += 1
        return self._words[self._at - 1]

    def _piped(self) -> Value:
        """Commands with pipes between them, up to a bracket or the end."""
        value = self._command(None)
        while self._next == "|":
            self._take()
            value = self._command(value)
        return value

    def _command(self, piped: Value | None) -> Value:
        """A function or a method with its values, or a value alone."""
        name = self._next
        if not name or name[0] in ")|":
            self._broken("has an action that ends too soon")
        called = _WORD.fullmatch(name) is not None and name not in _CONSTANTS
        if called and name not in FUNCTIONS:
            self._broken(f"has {name!r:.40}, which is no function")
        head = _constant(self._take()) if called else self._operand()
        values = []
        while self._next and self._next != "|" and self._next[0] != ")":
            values.append(self._operand())
        if piped is not None:
            values.append(piped)
        if called:
            self._check_number(name, len(values))
            return lambda scope: _called(scope, name, values)
        if not values:
            return head
        if not re.fullmatch(r"\.\w+", name) or len(values) != 1:
            self._broken(f"gives {name!r:.40} a value, which takes none")
        if self._fields is not None:
            self._fields.discard(name[1:])
        return lambda scope: _asked(scope, name[1:], values[0](scope))

    def _check_number(self, name: str, number: int) -> None:
        function = FUNCTIONS[name]
        if not function.least <= number <= function.most:
            self._broken(f"gives {name} {number} values, which takes {function.takes}")

    def _operand(self) -> Value:
        """One value, or a field of it."""
        word = self._take()
        if word == "(":
            value = self._piped()
            if self._next[:1] != ")":
                self._broken("has a ( that does not end")
            return _inside(value, self._take()[1:])
        if word in _CONSTANTS:
            return _constant(_CONSTANTS[word])
        if word[0] == "`":
            return _constant(word[1:-1])
        if word[0] == '"' or word[0] in "-0123456789":
            return _constant(self._literal(word))
        variable, _, path = word.partition(".")
        if word[0] == "$":
            if variable not in self._known:
                self._broken(f"has the variable {variable!r:.40}, which was not given a value")
            if variable == "$":
                self._asks(path)
            return _inside(lambda scope: scope.names[variable], path)
        if word[0] != ".":
            self._broken(f"has {word!r:.40} where a value must stand")
        self._asks(path)
        return _inside(lambda scope: scope.dot, path)

    def _asks(self, path: str) -> None:
        if self._fields is not None and path:
            self._fields.add(path.split(".")[0])

    def _literal(self, word: str) -> object:
        try:
            return json.loads(word)
        except ValueError:
            self._broken(f"has {word!r:.40}, which is no text or number")


def _constant(value: object) -> Value:
    return lambda _: value


def _inside(value: Value, path: str) -> Value:
    names = [name for name in path.split(".") if name]
    if not names:
        return value

    def find(scope: Scope) -> object:
        found = value(scope)
        for name in names:
            found = _field(found, name, path)
        return found

    return find


def _field(value: object, name: str, path: str) -> object:
    if isinstance(value, UserMap):
        return value.get(name)
    if not isinstance(value, Mapping) or name not in value:
        raise no_field(path, sorted(value) if isinstance(value, Mapping) else ())
    return value[name]


def no_field(name: str, known: Sequence[str]) -> RequestError:
    """That there is no such field; `known` are those that there are."""
    return RequestError(
        f"--format got the field {name!r:.60}, which there is not",
        hint=f"there are: {', '.join(known)}" if known else "its parent has no fields",
    )


def _called(scope: Scope, name: str, values: Sequence[Value]) -> object:
    function = scope.functions[name]
    if function.late:
        return function.call(*(partial(value, scope) for value in values))
    known = [value(scope) for value in values]
    try:
        return function.call(*known)
    except ValueError as problem:
        raise RequestError(f"--format: {name} {problem}") from problem
    except (TypeError, OverflowError, MemoryError) as problem:
        told = " ".join(shown(each, inside=True) for each in known)
        why = str(problem) or "that is too large"
        raise RequestError(f"--format: {name} cannot take {told!r:.60}: {why}") from problem


def _asked(scope: Scope, name: str, word: object) -> str:
    if name not in scope.methods:
        raise RequestError(
            f"--format gives .{name} a value, which takes none",
            hint=f"there is .{', .'.join(scope.methods)}" if scope.methods else "",
        )
    if not isinstance(word, str):
        raise RequestError(f"--format: .{name} takes text; {shown(word)!r:.40} is none")
    return scope.methods[name](word)
