"""JSON that the engine can keep and write again: stricter than Python, and in pieces where it is large."""

from __future__ import annotations

import codecs
import json
from typing import Any

DEPTH_MAX = 100
"""Of lists and objects inside each other: what writes them again needs some of Python's stack for each."""
WHOLE_MAX = 1 << 64
_LEVELS_IN_PIECES = 3
"""Of a state: the body, the state in it, and its lists, such as that of messages."""
_PIECE_BYTES = 1 << 20
_WORD_MAX = 16
"""Characters of the longest word that is no text: what fails so near to the end may only be cut off."""
_SPACE = " \t\n\r"


def read_json(body: bytes) -> Any:
    """The value of a JSON text. Stricter than Python: what is taken can be kept, and be written again.

    Raises:
        ValueError: no JSON, or beyond the bounds; the message goes after "the body".
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise _no_utf8(problem.start) from None
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as problem:
        raise ValueError(f"is not JSON: {problem}") from None
    except RecursionError:
        raise ValueError(_deep()) from None
    _check_depth(value)
    if "\\u" in text:
        _check_surrogates(value)
    return value


def read_large_json(body: bytes) -> Any:
    """The same for a text of any size, while other threads go on: longest where one value in it is large.

    Raises:
        ValueError: as `read_json`.
    """
    try:
        value = _Pieces(body).value()
    except RecursionError:
        raise ValueError(_deep()) from None
    _check_depth(value)
    return value


def _whole(digits: str) -> int:
    if len(digits) > 21 or not -WHOLE_MAX < (value := int(digits)) < WHOLE_MAX:
        raise ValueError(f"has the whole number {digits:.30}{'…' * (len(digits) > 30)}; the rule is 64 bits")
    return value


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"has the number {digits:.30}{'…' * (len(digits) > 30)}, which is too large")
    return value


def _no_number(name: str) -> float:
    raise ValueError(f"is not JSON: it has {name}; the rule is finite numbers")


def _no_utf8(byte: int) -> ValueError:
    return ValueError(f"is not UTF-8: byte {byte} cannot be read")


def _deep() -> str:
    return f"has lists and objects more than {DEPTH_MAX} deep inside each other"


def _check_depth(value: Any) -> None:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(DEPTH_MAX):
        level = [
            item
            for each in level
            for item in (each.values() if isinstance(each, dict) else each)
            if isinstance(item, dict | list)
        ]
        if not level:
            return
    raise ValueError(_deep())


def _check_surrogates(value: Any) -> None:
    """JSON can spell half of a character, which no text in UTF-8 has."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as problem:
        half = ord(str(problem.object)[problem.start])
        raise ValueError(f"has \\u{half:04x}, which is half of a character") from None


_DECODER = json.JSONDecoder(parse_int=_whole, parse_float=_finite, parse_constant=_no_number)


class _Pieces:
    """Reads a JSON text of which each value inside the outer lists and objects is read by itself.

    Python's own reader lets no other thread work until it has read everything: for seconds where a text has
    hundreds of MiB.
    """

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._next = 0
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._text = ""
        self._at = 0
        self._before = 0
        self._lines_before = 0
        self._line_began = 0

    def value(self) -> Any:
        """The value of the whole text. Raises ValueError as `read_json`."""
        value = self._value(_LEVELS_IN_PIECES)
        if self._peek():
            raise self._fault("Extra data", self._at)
        return value

    def _value(self, levels: int) -> Any:
        first = self._peek()
        if levels and first == "{":
            return self._object(levels - 1)
        if levels and first == "[":
            return self._list(levels - 1)
        return self._leaf()

    def _object(self, levels: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self._at += 1
        if self._peek() == "}":
            self._at += 1
            return found
        while True:
            if self._peek() != '"':
                raise self._fault("Expecting property name enclosed in double quotes", self._at)
            name = self._leaf()
            if self._peek() != ":":
                raise self._fault("Expecting ':' delimiter", self._at)
            self._at += 1
            found[name] = self._value(levels)
            if self._ends("}"):
                return found

    def _list(self, levels: int) -> list[Any]:
        found: list[Any] = []
        self._at += 1
        if self._peek() == "]":
            self._at += 1
            return found
        while True:
            found.append(self._value(levels))
            if self._ends("]"):
                return found

    def _ends(self, closing: str) -> bool:
        """After a value: whether it was the last."""
        came = self._peek()
        if came not in (closing, ",") or not came:
            raise self._fault("Expecting ',' delimiter", self._at)
        self._at += 1
        return came == closing

    def _peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            while self._at < len(self._text):
                if (came := self._text[self._at]) not in _SPACE:
                    return came
                self._at += 1
            if not self._more(_PIECE_BYTES):
                return ""

    def _leaf(self) -> Any:
        size = _PIECE_BYTES
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
                whole = end < len(self._text) - _WORD_MAX
            except json.JSONDecodeError as problem:
                cut_off = problem.pos >= len(self._text) - _WORD_MAX or problem.msg.startswith("Unterminated")
                if not cut_off or not self._more(size):
                    raise self._fault(problem.msg, problem.pos) from None
            except ValueError:
                # A number that is too large may be the beginning of one that is not.
                if not self._more(size):
                    raise
            else:
                if whole or not self._more(size):
                    if self._text.find("\\u", self._at, end) >= 0:
                        _check_surrogates(value)
                    self._at = end
                    return value
            size *= 2

    def _more(self, size: int) -> bool:
        """Decode so many bytes more; whether there were any."""
        if self._next >= len(self._body):
            return False
        piece = self._body[self._next : self._next + size]
        kept = len(self._utf8.getstate()[0])
        try:
            text = self._utf8.decode(piece, final=self._next + size >= len(self._body))
        except UnicodeDecodeError as problem:
            raise _no_utf8(self._next - kept + problem.start) from None
        self._next += size
        self._lines_before += self._text.count("\n", 0, self._at)
        self._line_began = self._line_of(self._at)
        self._before += self._at
        self._text, self._at = self._text[self._at :] + text, 0
        return True

    def _line_of(self, at: int) -> int:
        """Where the line of a place in the present text begins, in the whole text."""
        newline = self._text.rfind("\n", 0, at)
        return self._line_began if newline < 0 else self._before + newline + 1

    def _fault(self, words: str, at: int) -> ValueError:
        """In the words of Python's own reader."""
        line = self._lines_before + self._text.count("\n", 0, at) + 1
        column = self._before + at - self._line_of(at) + 1
        place = f"line {line} column {column} (char {self._before + at})"
        return ValueError(f"is not JSON: {words}: {place}")
