"""Inverses of noise channels as signed mixtures of things that can be done: gates, and fresh states."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import ChannelError
from qrealm.circuits.gate_rows import GATES
from qrealm.circuits.noise import Channel
from qrealm.circuits.noise.channel import pauli_matrix
from qrealm.circuits.operations import RESET, Instruction

_NEGLIGIBLE = 1e-12
# The 24 one-qubit Clifford gates as words of H and S, the first letter first.
_SEEDS = (
    "",
    "S",
    "SS",
    "SSS",
    "H",
    "HS",
    "HSS",
    "HSSS",
    "SH",
    "SHS",
    "SHSS",
    "SHSSS",
    "SSH",
    "SSHS",
    "SSHSS",
    "SSHSSS",
    "SSSH",
    "SSSHS",
    "SSSHSS",
    "SSSHSSS",
    "HSSH",
    "HSSHS",
    "HSSHSS",
    "HSSHSSS",
)
# Fresh states: reset, then a word; they are the eigenstates of Z, X and Y.
_FRESH = ("", "HSSH", "H", "HSS", "HS", "HSSS")


@dataclass(frozen=True, slots=True)
class Step:
    """What is done to one qubit: perhaps reset, then gates."""

    reset: bool
    word: str

    def on(self, qubit: int) -> list[Instruction]:
        """Its instructions on a qubit."""
        gates: list[Instruction] = [
            (GATES["h" if letter == "H" else "s"], (qubit,), ()) for letter in self.word
        ]
        return [(RESET, (qubit,), ()), *gates] if self.reset else gates


@dataclass(frozen=True, slots=True)
class QuasiInverse:
    """The inverse of a channel: a sum of operations with signed weights.

    Attributes:
        steps: what is done to each qubit of the channel, for every term.
        weights: of each term; they add up to 1.
        gamma: the sum of their absolute values: one shot's sign counts so much, and gamma^2 times as many
            shots are needed.
    """

    steps: tuple[tuple[Step, ...], ...]
    weights: tuple[float, ...]
    gamma: float


@lru_cache(maxsize=1024)
def inverse_of(channel: Channel) -> QuasiInverse:
    """The cheapest inverse that these operations allow.

    Pauli channels have Pauli inverses, found by a Walsh-Hadamard transform. For the others a linear program
    minimises gamma over one-qubit Clifford gates and fresh states (the complete set of S. Endo, S. Benjamin
    and Y. Li, arXiv:1712.09271, without its measurements), and products of them on two qubits.

    Raises:
        ChannelError: it cannot be undone (it loses everything), or acts on three qubits and is no Pauli
            channel.
    """
    paulis = channel.paulis
    if paulis is not None:
        return _pauli_inverse(channel, paulis)
    if channel.num_qubits > 2:
        raise ChannelError(
            f"the channel {channel.name!r} acts on {channel.num_qubits} qubits and is no Pauli channel; "
            "inverses are known for 1 and 2"
        )
    return _program(channel)


def _pauli_inverse(channel: Channel, paulis: dict[str, float]) -> QuasiInverse:
    labels = ["".join(letters) for letters in product("IXYZ", repeat=channel.num_qubits)]
    given = np.array([paulis.get(label, 0.0) for label in labels])
    signs = np.array([[-1.0 if _anticommute(a, b) else 1.0 for b in labels] for a in labels])
    fidelities = signs @ given
    if np.abs(fidelities).min() < 1e-9:
        raise _lost(channel)
    weights = signs @ (1 / fidelities) / len(labels)
    kept = [index for index, weight in enumerate(weights) if abs(weight) > _NEGLIGIBLE]
    words = {"I": "", "X": "HSSH", "Z": "SS", "Y": "HSSHSS"}  # up to a phase
    steps = tuple(tuple(Step(False, words[letter]) for letter in labels[index]) for index in kept)
    return _checked(steps, weights[kept])


def _anticommute(a: str, b: str) -> bool:
    return sum(x != y and "I" not in (x, y) for x, y in zip(a, b, strict=True)) % 2 == 1


def _program(channel: Channel) -> QuasiInverse:
    from scipy.optimize import linprog

    transfer = transfer_matrix(channel.superoperator())
    if np.linalg.cond(transfer) > 1e9:
        raise _lost(channel)
    wanted = np.linalg.inv(transfer)
    ones = [Step(False, word) for word in _SEEDS] + [Step(True, word) for word in _FRESH]
    matrices = [_transfer_of(step) for step in ones]
    if channel.num_qubits == 2:
        # Qubit 0 is the least significant: its transfer matrix is the right factor.
        terms = [(a, b) for a in range(len(ones)) for b in range(len(ones))]
        columns = [np.kron(matrices[b], matrices[a]).ravel() for a, b in terms]
        steps = [(ones[a], ones[b]) for a, b in terms]
    else:
        columns = [matrix.ravel() for matrix in matrices]
        steps = [(one,) for one in ones]  # type: ignore[misc]
    basis = np.array(columns).T
    # weight = plus - minus, both >= 0; the sum of both is the least that there is.
    solved = linprog(
        np.ones(2 * len(columns)), A_eq=np.hstack([basis, -basis]), b_eq=wanted.ravel(), method="highs"
    )
    if not solved.success:
        raise ChannelError(f"no inverse of the channel {channel.name!r} was found: {solved.message}")
    weights = solved.x[: len(columns)] - solved.x[len(columns) :]
    kept = [index for index, weight in enumerate(weights) if abs(weight) > 1e-10]
    return _checked(tuple(steps[index] for index in kept), weights[kept])


def transfer_matrix(superoperator: NDArray[Any]) -> NDArray[np.float64]:
    """Pauli transfer matrix, shape (4^k, 4^k), of a superoperator on entries i + 2^k j of ρ."""
    size = round(len(superoperator) ** 0.5)
    count = size.bit_length() - 1
    strings = [pauli_matrix("".join(letters)[::-1]) for letters in product("IXYZ", repeat=count)]
    vectors = np.array([string.T.ravel() for string in strings])  # entry i + size j is string[i, j]
    return np.asarray((vectors.conj() @ superoperator @ vectors.T).real / size)


def _transfer_of(step: Step) -> NDArray[np.float64]:
    unitary = np.eye(2, dtype=np.complex128)
    gates = {"H": np.array([[1, 1], [1, -1]]) / np.sqrt(2), "S": np.diag([1, 1j])}
    for letter in step.word:
        unitary = gates[letter] @ unitary
    if not step.reset:
        return transfer_matrix(np.kron(unitary.conj(), unitary))
    fresh = [unitary @ np.array([[1, 0], [0, 0]]), unitary @ np.array([[0, 1], [0, 0]])]
    return transfer_matrix(np.array([np.kron(k.conj(), k) for k in fresh], dtype=np.complex128).sum(axis=0))


def _checked(steps: tuple[tuple[Step, ...], ...], weights: NDArray[np.float64]) -> QuasiInverse:
    return QuasiInverse(steps, tuple(float(weight) for weight in weights), float(np.abs(weights).sum()))


def _lost(channel: Channel) -> ChannelError:
    return ChannelError(
        f"the channel {channel.name!r} cannot be undone: it loses some part of the state for good",
        hint="weaker noise can be undone; use zero-noise extrapolation for this",
    )
