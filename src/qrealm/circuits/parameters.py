"""Parameters that are bound later, and arithmetic on them.

An expression is an immutable tree. It evaluates with floats or with NumPy arrays (a whole sweep at once)
and has exact derivatives, so gradients follow the chain rule through any arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import ParameterError

Number = int | float
Value = float | NDArray[np.float64]
Angle = "float | ParameterExpression"

EXPRESSION_DEPTH_MAX = 200
"""Deepest tree of arithmetic: evaluation recurses, and Python's own limit is 1000 frames."""

ANGLE_MAX = 1e15
"""Largest angle, in either direction. Neighbouring doubles of this size lie 0.125 radians apart, so a larger
one says nothing about the rotation, and sums of very large ones overflow."""

_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "arcsin": np.arcsin,
    "arccos": np.arccos,
    "arctan": np.arctan,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "sign": np.sign,
}
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "neg": 3, "**": 4}


class ParameterExpression:
    """Arithmetic on parameters: ``2 * theta + pi``, ``sin(theta)``; immutable and hashable.

    Attributes:
        op: ``"constant"``, ``"parameter"``, one of ``+ - * / **``, ``"neg"`` or a function's name.
        args: the number, the name, or the operands.
    """

    __slots__ = ("_depth", "args", "op")
    _depth: int

    def __init__(self, op: str, args: tuple[Any, ...]) -> None:
        self.op = op
        self.args = args
        self._depth = 1 + max((a._depth for a in args if isinstance(a, ParameterExpression)), default=0)
        if self._depth > EXPRESSION_DEPTH_MAX:
            raise ParameterError(
                f"an expression of parameters is nested {self._depth} deep; the rule is at most "
                f"{EXPRESSION_DEPTH_MAX}",
                hint="bind some of its parameters first, or add terms pairwise",
            )

    def __add__(self, other: object) -> ParameterExpression:
        return _binary("+", self, other)

    def __radd__(self, other: object) -> ParameterExpression:
        return _binary("+", other, self)

    def __sub__(self, other: object) -> ParameterExpression:
        return _binary("-", self, other)

    def __rsub__(self, other: object) -> ParameterExpression:
        return _binary("-", other, self)

    def __mul__(self, other: object) -> ParameterExpression:
        return _binary("*", self, other)

    def __rmul__(self, other: object) -> ParameterExpression:
        return _binary("*", other, self)

    def __truediv__(self, other: object) -> ParameterExpression:
        return _binary("/", self, other)

    def __rtruediv__(self, other: object) -> ParameterExpression:
        return _binary("/", other, self)

    def __pow__(self, other: object) -> ParameterExpression:
        return _binary("**", self, other)

    def __rpow__(self, other: object) -> ParameterExpression:
        return _binary("**", other, self)

    def __neg__(self) -> ParameterExpression:
        return self.args[0] if self.op == "neg" else ParameterExpression("neg", (self,))

    def __pos__(self) -> ParameterExpression:
        return self

    def __abs__(self) -> ParameterExpression:
        return function("abs", self)

    def sin(self) -> ParameterExpression:
        """Sine; ``numpy.sin(expression)`` is the same."""
        return function("sin", self)

    def cos(self) -> ParameterExpression:
        """Cosine."""
        return function("cos", self)

    def tan(self) -> ParameterExpression:
        """Tangent."""
        return function("tan", self)

    def arcsin(self) -> ParameterExpression:
        """Inverse sine."""
        return function("arcsin", self)

    def arccos(self) -> ParameterExpression:
        """Inverse cosine."""
        return function("arccos", self)

    def arctan(self) -> ParameterExpression:
        """Inverse tangent."""
        return function("arctan", self)

    def exp(self) -> ParameterExpression:
        """Exponential."""
        return function("exp", self)

    def log(self) -> ParameterExpression:
        """Natural logarithm."""
        return function("log", self)

    def sqrt(self) -> ParameterExpression:
        """Square root."""
        return function("sqrt", self)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters in it, each once, in order of first appearance."""
        found: dict[Parameter, None] = {}
        stack: list[ParameterExpression] = [self]
        while stack:
            node = stack.pop()
            if node.op == "parameter":
                found[Parameter(node.args[0])] = None
            stack.extend(a for a in reversed(node.args) if isinstance(a, ParameterExpression))
        return tuple(found)

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Its value, with `values` giving a float or an array (all of one shape) for each name.

        Raises:
            ParameterError: a name is missing from `values`.
        """
        if self.op == "constant":
            return self.args[0]
        if self.op == "parameter":
            try:
                return values[self.args[0]]
            except KeyError:
                raise ParameterError(
                    f"parameter {self.args[0]!r} has no value", hint=f"bind it: {{{self.args[0]!r}: 0.1}}"
                ) from None
        operands = [a.evaluate(values) if isinstance(a, ParameterExpression) else a for a in self.args]
        with np.errstate(all="ignore"):  # a result that is not finite is reported where it is used
            return _apply(self.op, operands)

    def substitute(self, values: Mapping[str, Any]) -> ParameterExpression:
        """The expression with the parameters named in `values` replaced by numbers or expressions."""
        if self.op == "constant":
            return self
        if self.op == "parameter":
            return lift(values[self.args[0]]) if self.args[0] in values else self
        operands = [a.substitute(values) for a in self.args]
        return _binary(self.op, *operands) if len(operands) == 2 else function(self.op, operands[0])

    def derivative(self, name: str) -> ParameterExpression:
        """The exact derivative by the parameter called `name`."""
        if self.op in ("constant", "parameter"):
            return lift(1.0 if self.op == "parameter" and self.args[0] == name else 0.0)
        if all(p.name != name for p in self.parameters):
            return lift(0.0)
        f: ParameterExpression = self.args[0]
        df = f.derivative(name)
        if len(self.args) == 1:
            return df * _outer_derivative(self.op, f, self)
        g: ParameterExpression = self.args[1]
        dg = g.derivative(name)
        if self.op in "+-":
            return df + dg if self.op == "+" else df - dg
        if self.op == "*":
            return df * g + f * dg
        if self.op == "/":
            return df / g - f * dg / (g * g)
        if not g.parameters:  # f ** constant: valid for negative f as well
            return g * f ** (g - 1.0) * df
        return self * (dg * function("log", f) + g * df / f)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ParameterExpression):
            return self is other or (self.op == other.op and self.args == other.args)
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self.op, self.args))

    def __float__(self) -> float:
        if self.parameters:
            names = ", ".join(p.name for p in self.parameters)
            raise ParameterError(
                f"{self} has no value yet: {names} unbound", hint="bind the parameters first"
            )
        return float(self.evaluate({}))

    def __str__(self) -> str:
        return self._text(0)

    def __repr__(self) -> str:
        return f"ParameterExpression({self})"

    def _text(self, outer: int) -> str:
        if self.op == "constant":
            number = repr(self.args[0])
            return f"({number})" if self.args[0] < 0 and outer else number
        if self.op == "parameter":
            return str(self.args[0])
        rank = _PRECEDENCE.get(self.op)
        if rank is None:
            return f"{self.op}({self.args[0]._text(0)})"
        if self.op == "neg":
            # Always bracketed inside other arithmetic: readers of OpenQASM differ in how far a minus reaches.
            text = f"-{self.args[0]._text(rank)}"
            return f"({text})" if outer else text
        else:
            # Only + and * may be regrouped, so the right side of the others is bracketed at equal rank.
            left, right = (rank + 1, rank) if self.op == "**" else (rank, rank + (self.op in "-/"))
            text = f"{self.args[0]._text(left)} {self.op} {self.args[1]._text(right)}"
        return f"({text})" if rank < outer else text


class Parameter(ParameterExpression):
    """A named number that is bound later. Two parameters of one name are the same parameter.

    Raises:
        ParameterError: the name is empty or not text.
    """

    __slots__ = ()

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name:
            raise ParameterError(
                f"Parameter({name!r}): the name must be non-empty text", hint='Parameter("theta")'
            )
        super().__init__("parameter", (name,))

    @property
    def name(self) -> str:
        """The name, as given."""
        return str(self.args[0])

    def __repr__(self) -> str:
        return f"Parameter({self.name!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return (Parameter, (self.name,))


def lift(value: object) -> ParameterExpression:
    """`value` as an expression.

    Raises:
        ParameterError: neither a finite real number nor an expression.
    """
    if isinstance(value, ParameterExpression):
        return value
    return ParameterExpression("constant", (real(value),))


def real(value: object) -> float:
    """`value` as a finite float.

    Raises:
        ParameterError: not a number, not real, NaN or infinite.
    """
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise ParameterError(f"a parameter must be a real number, got {_short(value)}") from None
    if isinstance(value, (str, bytes)):
        raise ParameterError(
            f"a parameter must be a real number, got the text {_short(value)}",
            hint='for a parameter that is bound later use Parameter("theta")',
        )
    if not math.isfinite(number):
        raise ParameterError(f"a parameter must be finite, got {number}")
    return number


def angle(value: object) -> float:
    """`value` as a float that can be an angle.

    Raises:
        ParameterError: not a finite real number, or beyond `ANGLE_MAX`.
    """
    number = real(value)
    if not -ANGLE_MAX <= number <= ANGLE_MAX:
        raise ParameterError(
            f"a parameter is {number:.6g}; the rule is {-ANGLE_MAX:g} to {ANGLE_MAX:g}",
            hint="take the angle modulo 2 pi (4 pi for a rotation under control) where it is computed",
        )
    return number


def function(name: str, argument: ParameterExpression) -> ParameterExpression:
    """The function `name` (or ``"neg"``) of an expression, worked out at once when it is a constant."""
    if argument.op == "constant":
        with np.errstate(all="ignore"):
            return lift(float(_apply(name, [argument.args[0]])))
    return ParameterExpression(name, (argument,))


def _binary(op: str, left: object, right: object) -> ParameterExpression:
    if not _operand(left) or not _operand(right):
        return NotImplemented  # type: ignore[no-any-return]
    a, b = lift(left), lift(right)
    if a.op == b.op == "constant":
        with np.errstate(all="ignore"):
            return lift(_apply(op, [np.float64(a.args[0]), b.args[0]]))
    zero_a, zero_b = (a.op == "constant" and a.args[0] == 0), (b.op == "constant" and b.args[0] == 0)
    one_a, one_b = (a.op == "constant" and a.args[0] == 1), (b.op == "constant" and b.args[0] == 1)
    if op == "+" and (zero_a or zero_b):
        return b if zero_a else a
    if op == "-" and (zero_a or zero_b):
        return a if zero_b else -b
    if op == "*" and (one_a or one_b):
        return b if one_a else a
    if op == "*" and (zero_a or zero_b):
        return lift(0.0)
    if op in ("/", "**") and one_b:
        return a
    return ParameterExpression(op, (a, b))


def _operand(value: object) -> bool:
    return isinstance(value, (ParameterExpression, int, float, np.integer, np.floating))


def _apply(op: str, values: list[Any]) -> Any:
    if op == "+":
        return values[0] + values[1]
    if op == "-":
        return values[0] - values[1]
    if op == "*":
        return values[0] * values[1]
    if op == "/":
        return (
            np.divide(values[0], values[1])
            if isinstance(values[1], (int, float, np.ndarray))
            else values[0] / values[1]
        )
    if op == "**":
        if isinstance(values[0], (int, float, np.ndarray)):  # float64, so that a negative power is no error
            return np.power(np.asarray(values[0], dtype=np.float64), values[1])[()]
        return values[0] ** values[1]
    if op == "neg":
        return -values[0]
    return _FUNCTIONS[op](values[0])


def _outer_derivative(op: str, f: ParameterExpression, whole: ParameterExpression) -> ParameterExpression:
    rules: dict[str, Callable[[], ParameterExpression]] = {
        "neg": lambda: lift(-1.0),
        "sin": f.cos,
        "cos": lambda: -f.sin(),
        "tan": lambda: 1.0 + whole * whole,
        "arcsin": lambda: 1.0 / (1.0 - f * f).sqrt(),
        "arccos": lambda: -1.0 / (1.0 - f * f).sqrt(),
        "arctan": lambda: 1.0 / (1.0 + f * f),
        "exp": lambda: whole,
        "log": lambda: 1.0 / f,
        "sqrt": lambda: 0.5 / whole,
        "abs": lambda: function("sign", f),
        "sign": lambda: lift(0.0),
    }
    return rules[op]()


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
