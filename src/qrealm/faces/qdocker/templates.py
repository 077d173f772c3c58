"""The part of Go's templates that people type after ``--format``: fields, functions, pipes, if, range, with.

https://pkg.go.dev/text/template has the language, https://docs.docker.com/engine/cli/formatting/ Docker's
functions. Named templates, methods of values, break and continue are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NoReturn

from qrealm.base.errors import RequestError
from qrealm.faces.qdocker.template_actions import (
    Methods,
    Pipeline,
    Scope,
    Value,
    split_words,
)
from qrealm.faces.qdocker.template_functions import FUNCTIONS, HEADING_FUNCTIONS, shown

_ACTION = re.compile(
    r"""\{\{(?P<left>-(?=\s))?\s*+
        (?P<inner>/\*.*?\*/\s*|(?:"(?:\\.|[^"\\])*"|`[^`]*`|(?!\}\}|["`]).)*?)
        (?P<right>(?<=\s)-)?\}\}""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {r"\t": "\t", r"\n": "\n"}
_BLOCKS = ("if", "range", "with")
_TAKEN = (
    "there are {{.Field}}, {{.Field.Inner}}, pipes, $variables, if, else, range, with, end, and functions "
    + " ".join(FUNCTIONS)
)


_Piece = Callable[[Scope], str]


class Template:
    """A template that was read.

    Args:
        text: as it was typed; a written-out ``\\t`` and ``\\n`` outside of actions is a tab and a line end.

    Attributes:
        fields: the names that it asks the row for, but those inside of range and with.

    Raises:
        RequestError: it is broken, or has a function that there is not.
    """

    def __init__(self, text: str) -> None:
        self.fields: set[str] = set()
        self._text = text
        self._parts = self._split()
        self._at = 0
        self._known = {"$"}
        with self._not_too_deep():
            self._pieces, end = self._block(at_root=True)
        if end:
            self._broken(f"has {end[0]!r} without a beginning")

    def filled(self, row: Mapping[str, object], methods: Methods | None = None) -> str:
        """The text for one row; `methods` are the fields that are called with a word, as ``.Label "x"``.
        Raises RequestError for a field that there is not, or a function's value of the wrong kind."""
        with self._not_too_deep():
            return _joined(self._pieces, Scope(row, {"$": row}, methods or {}, FUNCTIONS))

    def heading(self, names: Mapping[str, str], methods: Methods | None = None) -> str:
        """The first line of a table: the text for the headings, on which functions such as upper do
        nothing."""
        with self._not_too_deep():
            return _joined(self._pieces, Scope(names, {"$": names}, methods or {}, HEADING_FUNCTIONS))

    def _split(self) -> list[str | list[str]]:
        """Texts, and actions as lists of words."""
        parts: list[str | list[str]] = []
        at, trim = 0, False
        while (begin := self._text.find("{{", at)) >= 0:
            found = _ACTION.match(self._text, begin)
            if found is None:
                self._broken("has an action that does not end")
            parts.append(self._plain(self._text[at:begin], trim, found["left"] is not None))
            if not found["inner"].startswith("/*"):
                parts.append(split_words(found["inner"], self._broken))
            at, trim = found.end(), found["right"] is not None
        parts.append(self._plain(self._text[at:], trim, False))
        return parts

    @staticmethod
    def _plain(text: str, trim_left: bool, trim_right: bool) -> str:
        for written, meant in _ESCAPES.items():
            text = text.replace(written, meant)
        text = text.lstrip() if trim_left else text
        return text.rstrip() if trim_right else text

    def _block(self, *, at_root: bool) -> tuple[list[_Piece], list[str]]:
        """Pieces up to an ``end`` or ``else`` of whoever asks, and its words; none at the text's end."""
        pieces: list[_Piece] = []
        while self._at < len(self._parts):
            part = self._parts[self._at]
            self._at += 1
            if isinstance(part, str):
                pieces.append(_text_piece(part))
            elif part[0] in ("end", "else"):
                return pieces, part
            elif part[0] in _BLOCKS:
                pieces.append(self._chosen(part, at_root))
            else:
                pieces.append(self._action(part, at_root))
        return pieces, []

    def _action(self, words: list[str], at_root: bool) -> _Piece:
        names, value = self._assigned(words, at_root)
        if not names:
            return lambda scope: shown(value(scope))

        def assign(scope: Scope) -> str:
            scope.names[names[0]] = value(scope)
            return ""

        if len(names) > 1:
            self._broken("gives two variables one value outside of range")
        return assign

    def _chosen(self, words: list[str], at_root: bool) -> _Piece:
        """An if, a range or a with, up to its end."""
        kind, known = words[0], set(self._known)
        names, value = self._assigned(words[1:], at_root)
        if kind != "range" and len(names) > 1:
            self._broken("gives two variables one value outside of range")
        body, end = self._block(at_root=at_root and kind == "if")
        other: list[_Piece] = []
        self._known = known | set(names)
        if end[:2] == ["else", "if"]:
            other, end = [self._chosen(end[1:], at_root)], ["end"]  # the one end is that of both
        elif end == ["else"]:
            other, end = self._block(at_root=at_root)
        if end != ["end"]:
            what = f"has {' '.join(end)!r:.40} in" if end else "has no end for"
            self._broken(f"{what} its {kind}")
        self._known = known
        if kind == "range":
            return lambda scope: _ranged(scope, names, value(scope), body, other)

        def piece(scope: Scope) -> str:
            found = value(scope)
            inner = scope.inner(found if kind == "with" and found else scope.dot, dict.fromkeys(names, found))
            return _joined(body if found else other, inner)

        return piece

    def _assigned(self, words: list[str], at_root: bool) -> tuple[list[str], Value]:
        """Variables before ``:=``, and what follows."""
        names: list[str] = []
        if ":=" in words:
            at = words.index(":=")
            names = [word for word in words[:at] if word != ","]
            if len(names) not in (1, 2) or at != 2 * len(names) - 1 or any(name[0] != "$" for name in names):
                self._broken("has something else than $variables before its :=")
            words = words[at + 1 :]
        value = Pipeline(words, self._known, self.fields if at_root else None, self._broken).read()
        self._known.update(names)
        return names, value

    @contextmanager
    def _not_too_deep(self) -> Iterator[None]:
        """Brackets and blocks inside each other are calls inside each other."""
        try:
            yield
        except RecursionError:
            self._broken("has too many brackets or blocks inside each other")

    def _broken(self, what: str) -> NoReturn:
        raise RequestError(f"--format got {self._text!r:.80}, which {what}", hint=_TAKEN)


def _text_piece(text: str) -> _Piece:
    return lambda _: text


def _joined(pieces: Sequence[_Piece], scope: Scope) -> str:
    return "".join([piece(scope) for piece in pieces])


def _ranged(
    scope: Scope, names: Sequence[str], values: object, body: Sequence[_Piece], other: Sequence[_Piece]
) -> str:
    """The body for each value; keys of maps in their order, as Go has it."""
    if isinstance(values, Mapping):
        pairs: list[tuple[object, object]] = [(key, values[key]) for key in sorted(values)]
    elif isinstance(values, list | tuple):
        pairs = list(enumerate(values))
    elif isinstance(values, str) and scope.functions is HEADING_FUNCTIONS:
        pairs = [(0, values)]  # a heading stands for all that its column has
    elif values is None:
        pairs = []
    else:
        raise RequestError(f"--format got a range over {shown(values)!r:.40}, which is no list and no map")
    if not pairs:
        return _joined(other, scope.inner(scope.dot, dict.fromkeys(names)))
    told = []
    for key, value in pairs:
        given = dict(zip(names, (key, value) if len(names) > 1 else (value,), strict=False))
        told.append(_joined(body, scope.inner(value, given)))
    return "".join(told)
