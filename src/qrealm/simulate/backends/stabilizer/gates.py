"""Clifford gates and Pauli channels in stim's words.

A gate is looked up by its matrix, once for each gate with its parameters: stim's name for it where there is
one, else a short circuit from its tableau. So every gate of the table is right without a list of its own.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.circuits.gate_rows import UNITARY
from qrealm.circuits.gates import Gate
from qrealm.circuits.noise.channel import Channel

ONE_QUBIT = tuple("I X Y Z H S S_DAG SQRT_X SQRT_X_DAG SQRT_Y SQRT_Y_DAG H_XY H_YZ C_XYZ C_ZYX".split())
TWO_QUBITS = tuple(
    "CX CZ CY SWAP ISWAP ISWAP_DAG SQRT_XX SQRT_XX_DAG SQRT_YY SQRT_YY_DAG SQRT_ZZ SQRT_ZZ_DAG "
    "XCX XCY XCZ YCX YCY YCZ CXSWAP SWAPCX".split()
)

Words = tuple[tuple[str, tuple[int, ...]], ...]
"""stim's instructions: a name (with its arguments), and positions among the operation's qubits."""


@lru_cache(maxsize=4096)
def words_of(gate: Gate, params: tuple[Any, ...], num_qubits: int) -> Words:
    """A Clifford gate on this many qubits, 1 or 2."""
    import stim

    if gate is UNITARY:
        matrix = params[0].array
    else:
        matrix = gate.full_matrix(params, num_qubits - gate.targets)
    return _named(stim.Tableau.from_unitary_matrix(matrix, endian="little"))


@lru_cache(maxsize=4096)
def pauli_of(gate: Gate, params: tuple[Any, ...], num_qubits: int) -> str | None:
    """The letter of a one-qubit gate that is a Pauli up to a phase; None for all others."""
    if num_qubits != 1:
        return None
    words = words_of(gate, params, 1)
    if not words:
        return "I"
    return words[0][0] if len(words) == 1 and words[0][0] in "XYZ" else None


@lru_cache(maxsize=1024)
def channel_words(channel: Channel) -> Words:
    """A Pauli channel."""
    count = channel.num_qubits
    places = tuple(range(count))
    probabilities = _probabilities(channel)
    acting = {label: p for label, p in probabilities.items() if p > 0}
    if not acting:
        return ()
    if len(acting) == 1 and count == 1:
        ((label, p),) = acting.items()
        return ((f"{label}_ERROR({p!r})", places),)
    values = list(probabilities.values())
    even = max(values) - min(values) < 1e-15
    if even and count <= 2 and sum(values) <= (4**count - 1) / 4**count:
        return ((f"DEPOLARIZE{count}({sum(values)!r})", places),)
    if count <= 2:
        return ((f"PAULI_CHANNEL_{count}({','.join(map(repr, values))})", places),)
    return _chain(acting)


@lru_cache(maxsize=1024)
def damping_of(channel: Channel) -> NDArray[np.float64]:
    """What a Pauli channel leaves of each Pauli string, float64, shape (4^k,).

    The index has two bits for each qubit, the first qubit's lowest: x, then z.
    """
    assert channel.paulis is not None
    count = channel.num_qubits
    total = np.zeros(4**count)
    for label, probability in channel.paulis.items():
        for index in range(4**count):
            flips = sum(
                (letter in "XY") * (index >> 2 * place + 1 & 1) + (letter in "YZ") * (index >> 2 * place & 1)
                for place, letter in enumerate(label)
            )
            total[index] += -probability if flips % 2 else probability
    return total


def _named(tableau: Any) -> Words:
    """stim's name of a tableau, or the circuit that makes it."""
    import stim

    places = tuple(range(len(tableau)))
    if len(places) == 1:
        for name in ONE_QUBIT:
            if stim.Tableau.from_named_gate(name) == tableau:
                return () if name == "I" else ((name, places),)
    else:
        for name in TWO_QUBITS:
            found = stim.Tableau.from_named_gate(name)
            if found == tableau:
                return ((name, places),)
            turned = stim.Tableau(2)
            turned.append(found, [1, 0])
            if turned == tableau:
                return ((name, (1, 0)),)
    words: list[tuple[str, tuple[int, ...]]] = []
    for step in tableau.to_circuit(method="elimination").flattened():
        targets = [target.value for target in step.targets_copy()]
        width = 2 if step.name in TWO_QUBITS else 1
        words += [(step.name, tuple(targets[at : at + width])) for at in range(0, len(targets), width)]
    return tuple(words)


def _probabilities(channel: Channel) -> dict[str, float]:
    """Probability of every Pauli string but the identity; in stim's order, the last letter running
    fastest. They add up to 1 at most."""
    assert channel.paulis is not None
    labels = ["".join(letters) for letters in product("IXYZ", repeat=channel.num_qubits)][1:]
    total = max(1.0, sum(channel.paulis.values()))
    return {label: channel.paulis.get(label, 0.0) / total for label in labels}


def _chain(acting: dict[str, float]) -> Words:
    """Any number of Pauli strings of which at most one acts."""
    words: list[tuple[str, tuple[int, ...]]] = []
    left = 1.0
    for label, probability in acting.items():
        name = "ELSE_CORRELATED_ERROR" if words else "CORRELATED_ERROR"
        share = min(1.0, probability / left) if left > 0 else 0.0
        letters = " ".join(f"{letter}{{{place}}}" for place, letter in enumerate(label) if letter != "I")
        words.append((f"{name}({share!r}) {letters}", ()))
        left -= probability
    return tuple(words)
