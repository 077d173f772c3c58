"""`Channel`: a completely positive, trace-preserving map on a few qubits, by its Kraus operators."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import ChannelError

CHANNEL_QUBITS_MAX = 3
"""A channel on k qubits is a matrix on 2k index bits of a density matrix, and the kernel's widest has 6."""

CHANNEL_TOLERANCE = 1e-8
"""Largest entry of |sum K†K - 1| that passes, as for unitaries."""

_ROUNDING = 1e-15
"""A Pauli string below this probability is what is left of two numbers that cancel."""

_EIGENVALUE_ROUNDING = 1e-13
"""Eigenvalues of a Choi matrix below this are rounding: it has up to 64 rows."""

_PAULIS = {
    "I": np.eye(2, dtype=np.complex128),
    "X": np.array([[0, 1], [1, 0]], dtype=np.complex128),
    "Y": np.array([[0, -1j], [1j, 0]], dtype=np.complex128),
    "Z": np.diag([1, -1]).astype(np.complex128),
}


def pauli_matrix(label: str) -> NDArray[np.complex128]:
    """The matrix of a Pauli string; letter i acts on qubit i, the least significant bit first."""
    matrix: NDArray[np.complex128] = np.eye(1, dtype=np.complex128)
    for letter in label:
        matrix = np.asarray(np.kron(_PAULIS[letter], matrix), dtype=np.complex128)
    return matrix


class Channel:
    """Noise on k qubits: ρ becomes the sum of K ρ K† over its Kraus operators. Read-only, compared by value.

    Args:
        kraus: operators of shape (2^k, 2^k), k from 1 to 3; the first qubit is the least significant bit.
        name: what errors, drawings and metadata call it.

    Raises:
        ChannelError: wrong shapes, entries that are not finite, or not trace preserving; it names the
            channel. (Kraus operators are completely positive whatever they are.)

    Attributes:
        kraus: complex128, shape (m, 2^k, 2^k), those that are zero left out.
        name: see above.
    """

    __slots__ = ("_hash", "_mixture", "_pauli", "kraus", "name")

    def __init__(self, kraus: Iterable[Any], name: str = "kraus") -> None:
        self.name = name
        self.kraus = _checked(kraus, name)
        self.kraus.setflags(write=False)
        self._hash = hash(self.kraus.tobytes())
        self._pauli = _as_paulis(self.kraus)
        self._mixture = _as_mixture(self.kraus, self._pauli)

    @property
    def num_qubits(self) -> int:
        """Number of qubits that it acts on."""
        return int(self.kraus.shape[1]).bit_length() - 1

    @property
    def mixture(self) -> tuple[tuple[float, NDArray[np.complex128]], ...] | None:
        """(probability, unitary) pairs when the Kraus operators are multiples of unitaries, or can be chosen
        as Pauli strings: which one acts does not depend on the state then. None for the others, such as
        amplitude damping."""
        return self._mixture

    @property
    def paulis(self) -> dict[str, float] | None:
        """Pauli string -> probability when the channel is a mixture of them, whatever its Kraus operators
        look like; letter i acts on qubit i. None for the others."""
        return None if self._pauli is None else dict(self._pauli)

    @property
    def is_identity(self) -> bool:
        """Whether it does nothing, up to rounding."""
        return self._mixture is not None and all(
            probability < CHANNEL_TOLERANCE or _is_phase(unitary) for probability, unitary in self._mixture
        )

    def superoperator(self) -> NDArray[np.complex128]:
        """Its matrix on the entries of ρ, shape (4^k, 4^k): entry ρ[i, j] has index i + 2^k j."""
        size = self.kraus.shape[1]
        total = np.zeros((size * size, size * size), dtype=np.complex128)
        for operator in self.kraus:
            total += np.kron(operator.conj(), operator)
        return total

    def choi(self) -> NDArray[np.complex128]:
        """Choi matrix, shape (4^k, 4^k), trace 2^k: positive semidefinite."""
        vectors = self.kraus.transpose(0, 2, 1).reshape(len(self.kraus), -1)
        return vectors.T @ vectors.conj()

    def average_fidelity(self) -> float:
        """Average gate fidelity with the identity, 0 to 1 (M. Nielsen, arXiv:quant-ph/0205035)."""
        size = self.kraus.shape[1]
        entanglement = sum(abs(np.trace(operator)) ** 2 for operator in self.kraus) / size**2
        return float((size * entanglement + 1) / (size + 1))

    def then(self, later: Channel) -> Channel:
        """This channel and then another on the same qubits, as one of at most 4^k Kraus operators.

        Raises:
            ChannelError: they differ in the number of qubits.
        """
        if later.num_qubits != self.num_qubits:
            raise ChannelError(
                f"the channel {later.name!r} on {later.num_qubits} qubits cannot follow {self.name!r} on "
                f"{self.num_qubits}; the rule is the same number"
            )
        products = [b @ a for b in later.kraus for a in self.kraus]
        return Channel.from_choi(Channel(products).choi(), f"{self.name}+{later.name}")

    def tensor(self, other: Channel) -> Channel:
        """This channel on the first qubits and another on the next ones, independent of each other."""
        products = [np.kron(b, a) for b in other.kraus for a in self.kraus]
        return Channel(products, f"{self.name}*{other.name}")

    def power(self, exponent: float) -> Channel:
        """The channel that is this one `exponent` times over: a dose of noise scaled up or down.

        A whole number repeats it. Other exponents scale its generator (the principal logarithm of its
        superoperator): times in `thermal_relaxation`, -log(1 - p) in `depolarizing` and the damping channels.

        Raises:
            ChannelError: a negative exponent, or one for which the result is no channel.
        """
        value = float(exponent) if isinstance(exponent, int | float) else float("nan")
        if not 0 <= value < 1e6:
            raise ChannelError(f"power of the channel {self.name!r} got {exponent!r}; the rule is 0 to 10^6")
        if value == 1:
            return self
        if self._pauli is not None and (found := self._pauli_power(value)) is not None:
            return found
        matrix = self.superoperator()
        if value == int(value):
            scaled = np.linalg.matrix_power(matrix, int(value))
        else:
            scaled = _fractional_power(matrix, value)
        return self._rescaled(scaled, value)

    def _pauli_power(self, exponent: float) -> Channel | None:
        """By the factors that the channel puts before Pauli components; None when one of them is negative
        and the exponent no whole number."""
        table = _anticommutation(self.num_qubits)
        labels = _labels(self.num_qubits)
        probabilities = np.array([dict(self._pauli or ()).get(label, 0.0) for label in labels])
        factors = table @ probabilities
        if exponent != int(exponent) and factors.min() <= 0:
            return None
        scaled = table @ factors**exponent / len(labels)
        if scaled.min() < -CHANNEL_TOLERANCE:
            raise self._no_channel(
                exponent, f"the string {labels[int(scaled.argmin())]} a probability of {scaled.min():.3g}"
            )
        kept = np.clip(scaled, 0.0, None)
        kept /= kept.sum()
        return Channel(
            [p**0.5 * pauli_matrix(label) for label, p in zip(labels, kept, strict=True) if p > 0], self.name
        )

    def _rescaled(self, matrix: NDArray[np.complex128], exponent: float) -> Channel:
        size = self.kraus.shape[1]
        if not np.isfinite(matrix).all():
            raise self._no_channel(exponent, "no finite matrix")
        choi = _choi_of(matrix, size)
        skew = float(np.abs(choi - choi.conj().T).max())
        if skew > CHANNEL_TOLERANCE:
            raise self._no_channel(exponent, f"a map whose Choi matrix is {skew:.3g} from Hermitian")
        choi = (choi + choi.conj().T) / 2
        try:
            return Channel.from_choi(choi, self.name)
        except ChannelError:
            low = float(np.linalg.eigvalsh(choi)[0])
            raise self._no_channel(exponent, f"a Choi matrix with the eigenvalue {low:.3g}") from None

    def _no_channel(self, exponent: float, what: str) -> ChannelError:
        return ChannelError(
            f"the channel {self.name!r} to the power {exponent:g} is no channel: that would give {what}",
            hint="take a whole number, which repeats it",
        )

    @classmethod
    def from_choi(cls, choi: NDArray[np.complex128], name: str = "choi") -> Channel:
        """The channel of a Choi matrix, shape (4^k, 4^k).

        Raises:
            ChannelError: not square, not Hermitian, not positive (so not completely positive), or not trace
                preserving.
        """
        matrix = np.array(choi, dtype=np.complex128)
        size = len(matrix) if matrix.ndim == 2 else 0
        if matrix.shape != (size, size) or size not in (4, 16, 64):
            raise ChannelError(
                f"the channel {name!r} got a Choi matrix of shape {matrix.shape}; the rule is (4^k, 4^k) for "
                f"k qubits, k from 1 to {CHANNEL_QUBITS_MAX}"
            )
        if not np.isfinite(matrix).all():
            raise ChannelError(f"the Choi matrix of the channel {name!r} has entries that are not finite")
        if np.abs(matrix - matrix.conj().T).max() > CHANNEL_TOLERANCE:
            raise ChannelError(f"the Choi matrix of the channel {name!r} is not Hermitian")
        values, vectors = np.linalg.eigh(matrix)
        if values[0] < -CHANNEL_TOLERANCE * max(1.0, values[-1]):
            raise ChannelError(
                f"the channel {name!r} is not completely positive: its Choi matrix has the eigenvalue "
                f"{values[0]:.3g}; the rule is none below 0",
                hint="check the rates: probabilities are from 0 to 1, and T2 <= 2 T1",
            )
        side = round(size**0.5)
        kept = values > _EIGENVALUE_ROUNDING * max(1.0, values[-1])
        operators = (vectors[:, kept] * np.sqrt(values[kept])).T.reshape(-1, side, side).transpose(0, 2, 1)
        return cls(operators, name)

    @classmethod
    def from_superoperator(cls, matrix: Any, name: str = "superoperator") -> Channel:
        """The channel of a superoperator as `superoperator()` gives it, shape (4^k, 4^k).

        Raises:
            ChannelError: another shape, or no channel; see `from_choi`.
        """
        array = np.array(matrix, dtype=np.complex128)
        size = round(len(array) ** 0.5) if array.ndim == 2 else 0
        if array.shape != (size * size, size * size) or size not in (2, 4, 8):
            raise ChannelError(
                f"the channel {name!r} got a superoperator of shape {array.shape}; the rule is (4^k, 4^k) "
                f"for k qubits, k from 1 to {CHANNEL_QUBITS_MAX}"
            )
        return cls.from_choi(_choi_of(array, size), name)

    def digest_bytes(self) -> bytes:
        """What tells it from other channels; names do not."""
        return self.kraus.tobytes()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Channel) and np.array_equal(self.kraus, other.kraus)

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"Channel({self.name!r}, {self.num_qubits} qubits, {self._hash & 0xFFFFFFFF:08x})"

    def __reduce__(self) -> tuple[object, ...]:
        return (Channel, (np.array(self.kraus), self.name))


def _checked(kraus: Iterable[Any], name: str) -> NDArray[np.complex128]:
    try:
        operators = np.array([np.asarray(each, dtype=np.complex128) for each in kraus])
    except (TypeError, ValueError) as problem:
        raise ChannelError(
            f"the channel {name!r} needs Kraus operators, square arrays of one size: {problem}"
        ) from None
    size = operators.shape[1] if operators.ndim == 3 else 0
    if size not in (2, 4, 8) or operators.shape[2] != size:
        raise ChannelError(
            f"the channel {name!r} got Kraus operators of shape {operators.shape[1:]}; the rule is "
            f"(2^k, 2^k) for k qubits, k from 1 to {CHANNEL_QUBITS_MAX}"
        )
    with np.errstate(all="ignore"):
        total = np.einsum("kji,kjl->il", operators.conj(), operators)
        error = float(np.abs(total - np.eye(size)).max())
    if not error <= CHANNEL_TOLERANCE:  # written so that NaN fails too
        raise ChannelError(
            f"the channel {name!r} is not trace preserving: the sum of K†K differs from the identity by "
            f"{error:.3g}; the rule is at most {CHANNEL_TOLERANCE:g}",
            hint="the probabilities of its errors must add up to 1",
        )
    kept = np.abs(operators).max(axis=(1, 2)) > 0
    return np.ascontiguousarray(operators[kept] + 0.0)  # no -0.0: what is equal has equal bytes


def _as_mixture(
    kraus: NDArray[np.complex128], paulis: tuple[tuple[str, float], ...] | None
) -> tuple[tuple[float, NDArray[np.complex128]], ...] | None:
    size = kraus.shape[1]
    found = []
    for operator in kraus:
        gram = operator.conj().T @ operator
        probability = float(np.trace(gram).real) / size
        if np.abs(gram - probability * np.eye(size)).max() > CHANNEL_TOLERANCE:
            return None if paulis is None else tuple((p, pauli_matrix(label)) for label, p in paulis)
        if probability > 0:
            found.append((probability, operator / probability**0.5))
    return tuple(found)


def _as_paulis(kraus: NDArray[np.complex128]) -> tuple[tuple[str, float], ...] | None:
    """A mixture of Pauli strings has a diagonal Choi matrix in their basis, whatever its Kraus operators."""
    size = kraus.shape[1]
    strings = _strings(size.bit_length() - 1)
    parts = np.einsum("pij,kij->kp", strings.conj(), kraus) / size
    chi = parts.T @ parts.conj()
    weights = np.diag(chi).real
    if np.abs(chi - np.diag(weights)).max() > CHANNEL_TOLERANCE:
        return None
    labels = _labels(size.bit_length() - 1)
    return tuple((label, float(p)) for label, p in zip(labels, weights, strict=True) if p > _ROUNDING)


@cache
def _labels(num_qubits: int) -> tuple[str, ...]:
    return tuple("".join(letters) for letters in product("IXYZ", repeat=num_qubits))


@cache
def _strings(num_qubits: int) -> NDArray[np.complex128]:
    return np.array([pauli_matrix(label) for label in _labels(num_qubits)])


@cache
def _anticommutation(num_qubits: int) -> NDArray[np.float64]:
    """1 where two Pauli strings commute, -1 where they do not."""
    one = np.array([[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]], dtype=np.float64)
    table: NDArray[np.float64] = np.eye(1)
    for _ in range(num_qubits):
        table = np.asarray(np.kron(table, one), dtype=np.float64)
    return table


def _choi_of(matrix: NDArray[np.complex128], size: int) -> NDArray[np.complex128]:
    """Entry [i + size j, k + size l] of the Choi matrix is the part of |i><k| in the image of |j><l|."""
    tensor = matrix.reshape((size,) * 4)  # axes: column, row of the image; column, row of the entry
    return tensor.transpose(3, 1, 2, 0).reshape(size * size, size * size)


def _fractional_power(matrix: NDArray[np.complex128], exponent: float) -> NDArray[np.complex128]:
    from scipy.linalg import fractional_matrix_power

    with np.errstate(all="ignore"):
        return np.asarray(fractional_matrix_power(matrix, exponent), dtype=np.complex128)


def _is_phase(unitary: NDArray[np.complex128]) -> bool:
    return float(np.abs(unitary - unitary[0, 0] * np.eye(len(unitary))).max()) < CHANNEL_TOLERANCE
