"""`Channel`: a completely positive, trace-preserving map on a few qubits, by its Kraus operators."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import ChannelError

CHANNEL_QUBITS_MAX = 3
"""A channel on k qubits is a matrix on 2k index bits of a density matrix, and the kernel's widest has 6."""

CHANNEL_TOLERANCE = 1e-8
"""Largest entry of |sum K†K - 1| that passes, as for unitaries."""

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
        self._mixture = _as_mixture(self.kraus)
        self._pauli = _as_paulis(self._mixture, self.num_qubits) if self._mixture is not None else None

    @property
    def num_qubits(self) -> int:
        """Number of qubits that it acts on."""
        return int(self.kraus.shape[1]).bit_length() - 1

    @property
    def mixture(self) -> tuple[tuple[float, NDArray[np.complex128]], ...] | None:
        """(probability, unitary) pairs when every Kraus operator is a multiple of a unitary: which one acts
        does not depend on the state then. None for the others, such as amplitude damping."""
        return self._mixture

    @property
    def paulis(self) -> dict[str, float] | None:
        """Pauli string -> probability when every Kraus operator is a multiple of one; letter i acts on qubit
        i. None for the others."""
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

    @classmethod
    def from_choi(cls, choi: NDArray[np.complex128], name: str = "choi") -> Channel:
        """The channel of a Choi matrix, shape (4^k, 4^k).

        Raises:
            ChannelError: not square, not Hermitian, not positive (so not completely positive), or not trace
                preserving.
        """
        matrix = np.array(choi, dtype=np.complex128)
        size = len(matrix)
        if matrix.ndim != 2 or matrix.shape[1] != size or not np.isfinite(matrix).all():
            raise ChannelError(f"the channel {name!r} got a Choi matrix of shape {matrix.shape}")
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
        kept = values > CHANNEL_TOLERANCE**2
        operators = (vectors[:, kept] * np.sqrt(values[kept])).T.reshape(-1, side, side).transpose(0, 2, 1)
        return cls(operators, name)

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
    return np.ascontiguousarray(operators[kept])


def _as_mixture(
    kraus: NDArray[np.complex128],
) -> tuple[tuple[float, NDArray[np.complex128]], ...] | None:
    size = kraus.shape[1]
    found = []
    for operator in kraus:
        gram = operator.conj().T @ operator
        probability = float(gram[0, 0].real)
        if np.abs(gram - probability * np.eye(size)).max() > CHANNEL_TOLERANCE:
            return None
        if probability > 0:
            found.append((probability, operator / probability**0.5))
    return tuple(found)


def _as_paulis(
    mixture: Sequence[tuple[float, NDArray[np.complex128]]], num_qubits: int
) -> tuple[tuple[str, float], ...] | None:
    labels = ["".join(letters) for letters in product("IXYZ", repeat=num_qubits)]
    found: dict[str, float] = {}
    for probability, unitary in mixture:
        for label in labels:
            overlap = abs(np.trace(pauli_matrix(label).conj().T @ unitary)) / len(unitary)
            if abs(overlap - 1) < CHANNEL_TOLERANCE:
                found[label] = found.get(label, 0.0) + probability
                break
        else:
            return None
    return tuple(found.items())


def _is_phase(unitary: NDArray[np.complex128]) -> bool:
    return float(np.abs(unitary - unitary[0, 0] * np.eye(len(unitary))).max()) < CHANNEL_TOLERANCE
