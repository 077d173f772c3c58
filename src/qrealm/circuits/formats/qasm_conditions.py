"""Conditions of OpenQASM: ``c == 2``, ``!a[0]``, ``a && (b || c)``, as conditions inside each other."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from qrealm.circuits.operations import IF, Condition, Instruction, qubits_of

TESTS_MAX = 8
"""Most comparisons of one condition: every ``||`` or else branch repeats instructions."""

Tests = tuple[Any, ...]
"""("test", match), ("not", tests), ("&&", left, right) or ("||", left, right)."""

Body = tuple[Instruction, ...]

_TEST = re.compile(r"\s*(!?)\s*([^\W\d]\w*)\s*(?:\[\s*(\d+)\s*\])?\s*(?:(==|!=)\s*(\d+|true|false))?\s*\Z")
_NOT = re.compile(r"\s*!\s*\(")


def closing(text: str, begin: int) -> int:
    """Where the bracket closes that was opened just before `begin`; -1 where it does not."""
    level = 1
    for position in range(begin, len(text)):
        level += (text[position] == "(") - (text[position] == ")")
        if level == 0:
            return position
    return -1


def read_condition(text: str) -> Tests | None:
    """The comparisons of a condition; None where it is anything else, or too long."""
    if len(re.findall(r"&&|\|\|", text)) >= TESTS_MAX or text.count("(") > 4 * TESTS_MAX:
        return None
    return _tests(text)


def _tests(text: str) -> Tests | None:
    for word in ("||", "&&"):  # what binds least is cut first
        place = _outside(text, word)
        if place >= 0:
            left, right = _tests(text[:place]), _tests(text[place + 2 :])
            return None if left is None or right is None else (word, left, right)
    stripped = text.strip()
    found = _NOT.match(stripped)
    begin = found.end() if found is not None else 1 if stripped.startswith("(") else 0
    if begin and closing(stripped, begin) == len(stripped) - 1:
        inner = _tests(stripped[begin:-1])
        return inner if inner is None or found is None else ("not", inner)
    test = _TEST.match(text)
    return None if test is None else ("test", test)


def _outside(text: str, word: str) -> int:
    """Where the last `word` stands outside brackets; -1 where none does."""
    level, last = 0, -1
    for position, letter in enumerate(text):
        level += (letter == "(") - (letter == ")")
        if level == 0 and text.startswith(word, position):
            last = position
    return last


def branches(
    tests: Tests, then: Body, otherwise: Body, test: Callable[[re.Match[str]], tuple[Condition, bool]]
) -> Body:
    """One instruction: `then` where the tests hold, else `otherwise`."""
    word = tests[0]
    if word == "test":
        condition, equal = test(tests[1])
        chosen = (condition, then, otherwise) if equal else (condition, otherwise, then)
        return ((IF, qubits_of((*then, *otherwise)), chosen),)
    if word == "not":
        return branches(tests[1], otherwise, then, test)
    inner = branches(tests[2], then, otherwise, test)
    if word == "&&":
        return branches(tests[1], inner, otherwise, test)
    return branches(tests[1], then, inner, test)
