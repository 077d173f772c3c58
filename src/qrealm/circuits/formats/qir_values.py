"""Classical values of a QIR program: functions of the measurement results that were read."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from qrealm.circuits.formats.qir_text import Address, Code

Bit = tuple[int, int]
"""A result, and which of its measurements."""

BITS_MAX = 10
"""Most results that one value may depend on: its table has 2^10 rows then."""


class CannotCompute(Exception):
    """A value that no table can hold; the message says why."""


@dataclass(frozen=True, slots=True)
class Table:
    """A value for every combination of `bits`; bit i of an index is the value of bits[i]."""

    bits: tuple[Bit, ...]
    values: tuple[Any, ...]

    @property
    def constant(self) -> Any:
        """The value when it depends on no result, else None."""
        return self.values[0] if not self.bits else None


def known(value: Any) -> Table:
    """A constant."""
    return Table((), (value,))


def of_bit(bit: Bit) -> Table:
    """The value of a result."""
    return Table((bit,), (0, 1))


def combined(function: Callable[..., Any], *tables: Table) -> Table:
    """`function` of the values, row by row. Raises CannotCompute."""
    bits = tuple(sorted({bit for table in tables for bit in table.bits}))
    if not bits:
        return Table((), (function(*(table.values[0] for table in tables)),))
    if len(bits) > BITS_MAX:
        raise CannotCompute(f"a value depends on {len(bits)} results; at most {BITS_MAX} can be followed")
    places = [[bits.index(bit) for bit in table.bits] for table in tables]
    rows = []
    for index in range(1 << len(bits)):
        picked = (
            table.values[sum((index >> place & 1) << i for i, place in enumerate(where))]
            for table, where in zip(tables, places, strict=True)
        )
        rows.append(function(*picked))
    return _reduced(bits, rows)


def _reduced(bits: tuple[Bit, ...], rows: list[Any]) -> Table:
    """The same without bits that make no difference."""
    place = 0
    while place < len(bits):
        step = 1 << place
        if all(rows[i] == rows[i ^ step] for i in range(len(rows))):
            rows = [row for i, row in enumerate(rows) if not i & step]
            bits = bits[:place] + bits[place + 1 :]
        else:
            place += 1
    return Table(bits, tuple(rows))


def chosen(condition: Table, then: Table, otherwise: Table) -> Table:
    """`then` where the condition holds, else `otherwise`. Raises CannotCompute."""
    return combined(lambda c, a, b: a if c else b, condition, then, otherwise)


# ---- arithmetic --------------------------------------------------------------------------------------


def _signed(value: int, width: int) -> int:
    value &= (1 << width) - 1
    return value - (1 << width) if value >> (width - 1) & 1 else value


def _quotient(a: int, b: int, width: int) -> int:
    """Signed division towards zero, as machines do it."""
    a, b = _signed(a, width), _signed(b, width)
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _remainder(a: int, b: int, width: int) -> int:
    """What is left by `_quotient`: it has the sign of a."""
    return _signed(a, width) - _quotient(a, b, width) * _signed(b, width)


def _shifted(op: str, a: int, b: int, width: int) -> int:
    if b >= width:
        raise CannotCompute(f"a shift by {b} of {width} bits has no value")
    if op == "shl":
        return a << b
    return (_signed(a, width) if op == "ashr" else a) >> b


_UNSIGNED: dict[str, Callable[[int, int], int]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "and": operator.and_, "or": operator.or_,
    "xor": operator.xor, "udiv": operator.floordiv, "urem": operator.mod,
}  # fmt: skip
_WITH_WIDTH: dict[str, Callable[[int, int, int], int]] = {
    **{op: partial(_shifted, op) for op in ("shl", "lshr", "ashr")},
    "sdiv": _quotient,
    "srem": _remainder,
}
_FLOATS: dict[str, Callable[[float, float], float]] = {
    "fadd": operator.add, "fsub": operator.sub, "fmul": operator.mul, "fdiv": operator.truediv,
}  # fmt: skip
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq, "ne": operator.ne, "gt": operator.gt, "ge": operator.ge, "lt": operator.lt,
    "le": operator.le,
}  # fmt: skip
_WIDTH_MAX = 64


def computed(code: Code, operands: Sequence[Table]) -> Table:
    """What an instruction of arithmetic gives. Raises CannotCompute for what has no value here."""
    op, width = code.op, code.width
    if width > _WIDTH_MAX or code.to_width > _WIDTH_MAX:
        raise CannotCompute(f"integers have at most {_WIDTH_MAX} bits")

    def rule(*values: Any) -> Any:
        if op in _UNSIGNED:
            return _integer(_UNSIGNED[op](_integer(values[0], width), _integer(values[1], width)), width)
        if op in _WITH_WIDTH:
            a, b = _integer(values[0], width), _integer(values[1], width)
            return _integer(_WITH_WIDTH[op](a, b, width), width)
        if op in _FLOATS:
            if any(not isinstance(value, float) for value in values):
                raise CannotCompute("the operands are no floating-point numbers")
            return _FLOATS[op](values[0], values[1])
        if op == "fneg" and isinstance(values[0], float):
            return -values[0]
        if op == "icmp":
            return int(_compared(code.word, values, width))
        if op == "select":
            return values[1] if values[0] else values[2]
        if op in ("zext", "trunc"):
            return _integer(_integer(values[0], width), code.to_width)
        if op == "sext":
            return _integer(_signed(_integer(values[0], width), width), code.to_width)
        if op == "inttoptr":
            return Address(_integer(values[0], width))
        raise CannotCompute(f"{op} is none of the instructions that are followed")

    try:
        return combined(rule, *operands)
    except (ZeroDivisionError, OverflowError):
        raise CannotCompute("a division by zero, or a number out of range") from None


def _integer(value: Any, width: int) -> int:
    if not isinstance(value, int) or width < 1:
        raise CannotCompute("the operands are no integers")
    return value & ((1 << width) - 1)


def _compared(predicate: str, values: Sequence[Any], width: int) -> bool:
    a, b = values
    if isinstance(a, Address) and isinstance(b, Address) and predicate in ("eq", "ne"):
        return _COMPARED[predicate](a, b)
    a, b = _integer(a, width), _integer(b, width)
    if predicate.startswith("s"):
        a, b = _signed(a, width), _signed(b, width)
    compare = _COMPARED.get(predicate if predicate in ("eq", "ne") else predicate[1:])
    if compare is None or predicate[0] not in "sune":
        raise CannotCompute(f"there is no comparison {predicate!r}")
    return compare(a, b)


__all__ = ["BITS_MAX", "Bit", "CannotCompute", "Table", "chosen", "combined", "computed", "known", "of_bit"]
