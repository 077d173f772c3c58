"""Arithmetic in parameters: ``pi/2``, ``2*theta + 0.1``, ``sin(pi/8)``, as text."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Container
from typing import Any

from qrealm.base.errors import ParameterError
from qrealm.circuits.parameters import Parameter, ParameterExpression, function, lift, real

TEXT_MAX = 10_000
"""Longest expression: Python's own parser uses memory and stack in proportion."""

_NUMBER = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*")
_ALLOWED = re.compile(r"[\w\s.+\-*/^(),\[\]πτℇ]*")
_GROUPED = re.compile(r"\b\d[\d.]*_")  # 1_000 is Python's, not OpenQASM's
# Python's float() knows more than OpenQASM does, such as nan and 1_0: those go the careful way.
_PLAIN = re.compile(r"\s*-?\d{1,20}(?:\.\d{0,40})?(?:[eE][-+]?\d{1,2})?\s*")
_SHARE = re.compile(  # of pi: -3*pi/4
    r"\s*(-?)\s*(?:(\d{1,15}(?:\.\d{0,20})?)\s*\*\s*)?(?:pi|π)\s*(?:/\s*(\d{1,15}(?:\.\d{0,20})?)\s*)?"
)
_GLUED = re.compile(r"(?<![\w.])(?!0[xXbBoO])\d[\d.]*(?![eE][-+]?\d)[^\W\d]")  # 2pi: Python warns on stderr
_CONSTANTS = {"pi": math.pi, "π": math.pi, "tau": math.tau, "τ": math.tau, "euler": math.e, "ℇ": math.e}
_NAMES = {"ln": "log", "log": "log", "asin": "arcsin", "acos": "arccos", "atan": "arctan"}
_FUNCTIONS = frozenset({"sin", "cos", "tan", "arcsin", "arccos", "arctan", "exp", "log", "sqrt", "abs"})


def simple(text: str) -> float | None:
    """What `evaluate` gives for a number or a share of pi such as ``-3*pi/4``; None for anything else."""
    if _PLAIN.fullmatch(text):
        return float(text)
    found = _SHARE.fullmatch(text)
    if found is None:
        return None
    sign, factor, divisor = found.groups()
    value = math.pi if factor is None else float(factor) * math.pi
    if divisor is not None:
        below = float(divisor)
        if below == 0.0:
            return None
        value /= below
    return -value if sign else value


def evaluate(
    text: str,
    names: Container[str] | None = None,
    *,
    caret_is_power: bool = True,
    lookup: Callable[[str], Any] | None = None,
) -> float | ParameterExpression:
    """The value of an arithmetic expression.

    Args:
        text: numbers, ``pi tau euler``, ``+ - * / **``, brackets, sin cos tan arcsin arccos arctan exp ln
            sqrt.
        names: which other names stand for parameters that are bound later; None allows all.
        caret_is_power: whether ``^`` is a power, as in OpenQASM 2.
        lookup: from a name to a value, asked before `names`; returns None where it knows none.

    Raises:
        ParameterError: not such an expression, an unknown name, or not finite.
    """
    if _NUMBER.fullmatch(text):
        return real(float(text))
    if len(text) > TEXT_MAX or not _ALLOWED.fullmatch(text) or _GROUPED.search(text) or _GLUED.search(text):
        raise ParameterError(
            f"cannot read {text[:60]!r} as arithmetic",
            hint="numbers, pi, + - * / **, brackets and sin cos tan exp ln sqrt are known",
        )
    source = text.replace("^", "**") if caret_is_power else text
    try:
        tree = ast.parse(source.strip(), mode="eval")
        value = _walk(tree.body, names, lookup)
    except (
        SyntaxError,
        ValueError,
        RecursionError,
        MemoryError,
        OverflowError,
        ZeroDivisionError,
    ) as problem:
        if isinstance(problem, ParameterError):
            raise
        raise ParameterError(f"cannot read {text[:60]!r} as arithmetic: {_reason(problem)}") from None
    return value if value.parameters else real(value.evaluate({}))


def _walk(
    node: ast.AST, names: Container[str] | None, lookup: Callable[[str], Any] | None
) -> ParameterExpression:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return lift(node.value)
    if isinstance(node, ast.Name):
        return _name(node.id, names, lookup)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        operand = _walk(node.operand, names, lookup)
        return function("neg", operand) if isinstance(node.op, ast.USub) else operand
    if isinstance(node, ast.BinOp):
        left, right = _walk(node.left, names, lookup), _walk(node.right, names, lookup)
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Div):
            return left / right
        if isinstance(node.op, ast.Pow):
            return left**right
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return _call(node.func.id, [_walk(argument, names, lookup) for argument in node.args])
    raise ValueError("only arithmetic is known here")


def _call(name: str, arguments: list[ParameterExpression]) -> ParameterExpression:
    name = _NAMES.get(name, name)
    if name == "pow" and len(arguments) == 2:
        return arguments[0] ** arguments[1]
    if name not in _FUNCTIONS or len(arguments) != 1:
        raise ValueError(f"no function {name!r} of {len(arguments)} arguments")
    return function(name, arguments[0])


def _name(
    name: str, names: Container[str] | None, lookup: Callable[[str], Any] | None
) -> ParameterExpression:
    found = lookup(name) if lookup is not None else None
    if found is not None:
        return lift(found)
    if name in _CONSTANTS:
        return lift(_CONSTANTS[name])
    if names is None or name in names:
        return Parameter(name)
    raise ValueError(f"the name {name!r} is not declared")


def _reason(problem: BaseException) -> str:
    if isinstance(problem, (RecursionError, MemoryError)):
        return "nested too deeply"
    return problem.msg if isinstance(problem, SyntaxError) else str(problem)
