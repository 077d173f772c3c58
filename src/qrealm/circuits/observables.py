"""Sums of Pauli strings: what expectation values are taken of."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import ObservableError

MASK_QUBITS_MAX = 64
"""Qubits that fit the kernel's masks."""

IMAGINARY_TOLERANCE = 1e-12
"""Largest imaginary part, relative to the largest coefficient, that counts as rounding."""

_QUBIT_LIMIT = 4096
_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_FACTOR = re.compile(r"([IXYZixyz])_?(\d+)?")
_LABEL = re.compile(r"[IXYZ]+")
_DENSE = re.compile(r"(?=[IXYZ]*[XYZ])[IXYZ]{2,}(?!\w)")  # one letter is a number forgotten
_SIGN = re.compile(r"\s*([+-]?)\s*([+-]?)\s*")
_GAP = re.compile(r"\s*[*@]?\s*")
_Key = tuple[int, int]  # x mask, z mask: Y where both bits are set


class PauliSum:
    """A sum of Pauli strings with coefficients; immutable.

    ``PauliSum("Z0 Z1 + 0.5 X2")``, ``PauliSum("ZZI - 0.5 IXZ")`` (a label without numbers has qubit 0
    rightmost, as in Qiskit), ``PauliSum([("Z0 Z1", 1.0), ("IXZ", 0.5)])``, a Qiskit SparsePauliOp or Pauli,
    or another PauliSum. Sums, differences, products of sums and with numbers, and comparison are defined.

    Raises:
        ObservableError: the source cannot be read, or a coefficient is not finite.
    """

    __slots__ = ("_terms",)

    def __init__(self, source: Any = ()) -> None:
        self._terms: dict[_Key, complex] = {}
        for key, coefficient in _read(source):
            total = self._terms.get(key, 0.0) + coefficient
            if not (math.isfinite(total.real) and math.isfinite(total.imag)):
                raise ObservableError(
                    f"the coefficient of {_text(key)} is {total}; the rule is a finite number"
                )
            self._terms[key] = total
        self._terms = {key: value for key, value in self._terms.items() if value != 0}

    # ---- what it is ----------------------------------------------------------------------------------

    @property
    def terms(self) -> tuple[tuple[str, complex], ...]:
        """(string such as ``"Z0 Z1"``, coefficient) for each term, in the order of entry."""
        return tuple((_text(key), value) for key, value in self._terms.items())

    @property
    def num_qubits(self) -> int:
        """One more than the highest qubit in it; 0 for a constant."""
        return max(((x | z).bit_length() for x, z in self._terms), default=0)

    @property
    def is_hermitian(self) -> bool:
        """Whether all coefficients are real, but for rounding."""
        scale = max((abs(v) for v in self._terms.values()), default=0.0)
        return all(abs(v.imag) <= IMAGINARY_TOLERANCE * scale for v in self._terms.values())

    def __len__(self) -> int:
        return len(self._terms)

    def strings(self) -> tuple[tuple[int, int, float], ...]:
        """(x mask, z mask, coefficient) of each term, as integers of any size; Y where both masks are set.

        Raises:
            ObservableError: a coefficient is not real.
        """
        if not self.is_hermitian:
            raise ObservableError(
                f"the observable {self} is not Hermitian; the rule is real coefficients",
                hint="take the real and the imaginary part one after the other",
            )
        return tuple((x, z, value.real) for (x, z), value in self._terms.items())

    @classmethod
    def from_strings(cls, strings: Iterable[tuple[int, int, float]]) -> PauliSum:
        """The sum of such terms."""
        return _from_terms([((x, z), complex(value)) for x, z, value in strings])

    def masks(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.float64]]:
        """The terms for the kernel: x masks, z masks (bit q for qubit q; Y where both are set), coefficients.

        Returns:
            uint64, uint64 and float64 arrays, each of shape (number of terms,).

        Raises:
            ObservableError: a coefficient is not real, or a qubit above 63.
        """
        if self.num_qubits > MASK_QUBITS_MAX:
            raise ObservableError(
                f"the observable acts on qubit {self.num_qubits - 1}; the rule is 0 to {MASK_QUBITS_MAX - 1}"
            )
        strings = self.strings()
        return (
            np.array([x for x, _, _ in strings], dtype=np.uint64),
            np.array([z for _, z, _ in strings], dtype=np.uint64),
            np.array([value for _, _, value in strings], dtype=np.float64),
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PauliSum) and self._terms == other._terms

    def __hash__(self) -> int:
        return hash(frozenset(self._terms.items()))

    def __str__(self) -> str:
        words = []
        for key, value in self._terms.items():
            number = value.real if value.imag == 0 else value
            sign = "-" if not isinstance(number, complex) and number < 0 else "+"
            size = abs(number) if not isinstance(number, complex) else number
            name = _text(key)
            body = name if size == 1 else f"{size}" if name == "I" else f"{size} {name}"
            words.append(f"{sign} {body}")
        text = " ".join(words) or "0"
        return text[2:] if text.startswith("+ ") else "-" + text[2:] if text.startswith("- ") else text

    def __repr__(self) -> str:
        return f"PauliSum({str(self)!r})"

    # ---- arithmetic ----------------------------------------------------------------------------------

    def __add__(self, other: object) -> PauliSum:
        right = _lift(other)
        return NotImplemented if right is None else _from_terms([*self._terms.items(), *right._terms.items()])

    __radd__ = __add__

    def __neg__(self) -> PauliSum:
        return _from_terms([(key, -value) for key, value in self._terms.items()])

    def __sub__(self, other: object) -> PauliSum:
        right = _lift(other)
        return NotImplemented if right is None else self + -right

    def __rsub__(self, other: object) -> PauliSum:
        return -self + other

    def __mul__(self, other: object) -> PauliSum:
        right = _lift(other)
        if right is None:
            return NotImplemented
        return _from_terms([_product(a, b) for a in self._terms.items() for b in right._terms.items()])

    def __rmul__(self, other: object) -> PauliSum:
        return self * other

    __matmul__ = __mul__

    def __truediv__(self, other: object) -> PauliSum:
        if not isinstance(other, numbers.Number) or complex(other) == 0:  # type: ignore[call-overload]
            raise ObservableError(
                f"a Pauli sum is divided by {other!r:.60}; the rule is a number that is not 0"
            )
        return self * (1 / complex(other))  # type: ignore[call-overload, no-any-return]


def _from_terms(terms: Iterable[tuple[_Key, complex]]) -> PauliSum:
    result = PauliSum()
    collected: dict[_Key, complex] = {}
    for key, value in terms:
        collected[key] = collected.get(key, 0.0) + value
    result._terms = {key: value for key, value in collected.items() if value != 0}
    return result


def _lift(value: object) -> PauliSum | None:
    if isinstance(value, PauliSum):
        return value
    if isinstance(value, numbers.Number):
        return _from_terms([((0, 0), _coefficient(value))])
    return None


def _product(a: tuple[_Key, complex], b: tuple[_Key, complex]) -> tuple[_Key, complex]:
    (x1, z1), (x2, z2) = a[0], b[0]
    x, z = x1 ^ x2, z1 ^ z2
    # A string is i^{number of Y} X^x Z^z; moving Z^z1 past X^x2 gives a sign for each qubit in both.
    power = (x1 & z1).bit_count() + (x2 & z2).bit_count() - (x & z).bit_count() + 2 * (z1 & x2).bit_count()
    return (x, z), a[1] * b[1] * (1, 1j, -1, -1j)[power % 4]


def _read(source: Any) -> list[tuple[_Key, complex]]:
    if isinstance(source, PauliSum):
        return list(source._terms.items())
    if isinstance(source, str):
        return _parse(source)
    if isinstance(source, Mapping):
        return _read(list(source.items()))
    if hasattr(source, "paulis") and hasattr(source, "coeffs"):  # Qiskit's SparsePauliOp
        return [
            (_key(label), _coefficient(value))
            for label, value in zip(source.paulis.to_labels(), source.coeffs, strict=True)
        ]
    if hasattr(source, "to_label"):  # Qiskit's Pauli
        sign, label = re.fullmatch(r"([-i]*)([IXYZ]*)", source.to_label()).groups()  # type: ignore[union-attr]
        return [(_key(label), {"": 1, "-": -1, "i": 1j, "-i": -1j}[sign])]
    if isinstance(source, (list, tuple)):
        terms: list[tuple[_Key, complex]] = []
        for item in source:
            if not isinstance(item, (list, tuple)) or len(item) != 2 or not isinstance(item[0], str):
                raise ObservableError(
                    f"a term is {item!r:.60}; the rule is (string, coefficient)",
                    hint='[("Z0 Z1", 1.0), ("X2", 0.5)]',
                )
            factor = _coefficient(item[1])
            inner = [(_key(item[0]), 1.0 + 0j)] if _LABEL.fullmatch(item[0]) else _parse(item[0])
            terms.extend((key, value * factor) for key, value in inner)
        return terms
    raise ObservableError(
        f"an observable is a {type(source).__name__}; the rule is text, a list of (string, "
        "coefficient), a PauliSum or a Qiskit SparsePauliOp",
        hint='PauliSum("Z0 Z1 + 0.5 X2")',
    )


def _coefficient(value: Any) -> complex:
    try:
        number = complex(value)
    except (TypeError, ValueError, OverflowError):
        raise ObservableError(f"a coefficient is {value!r:.60}; the rule is a number") from None
    if isinstance(value, str) or not (math.isfinite(number.real) and math.isfinite(number.imag)):
        raise ObservableError(f"a coefficient is {value!r:.60}; the rule is a finite number")
    return number


def _key(label: str) -> _Key:
    """Masks of a label with qubit 0 rightmost."""
    x = sum(1 << q for q, letter in enumerate(reversed(label)) if letter in "XY")
    z = sum(1 << q for q, letter in enumerate(reversed(label)) if letter in "YZ")
    return x, z


def _parse(text: str) -> list[tuple[_Key, complex]]:
    """``"-1.5*Y3 + Z0 Z1 + 2"``: terms with signs; a number, then factors, with blanks, * or @ between.

    In place of factors a term can have one label such as ``ZII``; all labels of a sum are of one length.
    """
    terms = []
    width = 0
    position, first = 0, True
    rest = text.rstrip()
    while position < len(rest) or first:
        sign = _SIGN.match(rest, position)
        assert sign is not None  # it matches the empty string too
        if not first and not sign.group(1):
            raise _unreadable(text, sign.end())
        position = sign.end()
        number = _NUMBER.match(rest, position)
        value = complex(-1.0 if (sign.group(1) == "-") != (sign.group(2) == "-") else 1.0)
        start = position
        if number is not None:
            value *= float(number.group())
            position = number.end()
        term: tuple[_Key, complex] = ((0, 0), value)
        gap = _GAP.match(rest, position)
        label = _DENSE.match(rest, gap.end() if gap else position)
        if label is not None:
            if width not in (0, len(label.group())):
                raise _unreadable(text, label.start())
            width, position = len(label.group()), label.end()
            term = (_key(label.group()), value)
        while label is None:
            gap = _GAP.match(rest, position)
            factor = _FACTOR.match(rest, gap.end() if gap else position)
            if factor is None:
                break
            term = _product(term, (_factor(text, factor), 1.0))
            position = factor.end()
        if position == start:
            raise _unreadable(text, position)
        terms.append(term)
        first = False
    return terms


def _factor(text: str, found: re.Match[str]) -> _Key:
    letter, number = found.group(1).upper(), found.group(2)
    if letter == "I":
        return 0, 0
    if number is None or len(number) > 6 or int(number) >= _QUBIT_LIMIT:
        raise _unreadable(text, found.start())
    bit = 1 << int(number)
    return (bit if letter in "XY" else 0), (bit if letter in "YZ" else 0)


def _unreadable(text: str, position: int) -> ObservableError:
    return ObservableError(
        f"cannot read the observable {text[:80]!r} at column {position + 1}: "
        f"{text[position : position + 20]!r}; the rule is terms such as 0.5 X2 or Z0 Z1, or "
        "labels of one length such as ZII, with + or - between them",
        hint='"Z0 Z1 + 0.5 X2"',
    )


def _text(key: _Key) -> str:
    x, z = key
    words = [
        f"{'Y' if x >> q & 1 and z >> q & 1 else 'X' if x >> q & 1 else 'Z'}{q}"
        for q in range((x | z).bit_length())
        if (x | z) >> q & 1
    ]
    return " ".join(words) or "I"
