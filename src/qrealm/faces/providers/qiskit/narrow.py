"""Reads circuits, and leaves out the qubits that nothing happens to.

A circuit that was laid out for a device has all of the device's qubits, and uses few. An idle qubit stays in
|0>, so it need not be simulated: each factor of an observable on it is a known number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from qiskit import QuantumCircuit

from qrealm.circuits import Circuit, read
from qrealm.circuits.noise.model import NoiseModel

_WITHOUT_EFFECT = frozenset({"barrier", "delay"})
_ON_ZERO = {
    "I": 1.0,
    "Z": 1.0,
    "0": 1.0,
    "X": 0.0,
    "Y": 0.0,
    "1": 0.0,
    "+": 0.5,
    "-": 0.5,
    "r": 0.5,
    "l": 0.5,
}
"""Expectation value in |0> of each letter that an observable of Qiskit's can have."""

Terms = tuple[tuple[str, float], ...]
"""Labels, qubit 0 rightmost, and their coefficients."""


def read_narrow(source: Any, noise: NoiseModel | None, *, whole: bool = False) -> tuple[Circuit, list[int]]:
    """(what is to be run, which qubits of the source are in it, ascending).

    Args:
        source: a QuantumCircuit.
        noise: put into the circuit. Its rules name qubits by number, so then all of them are kept.
        whole: whether all qubits are kept.

    Raises:
        ReadError, CircuitError: see `qrealm.read`.
    """
    everything = list(range(source.num_qubits))
    if noise is not None:
        return noise.apply(read(source)), everything
    used = everything if whole else _used_qubits(source)
    return read(_narrowed(source, used)), used


def _used_qubits(source: Any) -> list[int]:
    """The qubits of a QuantumCircuit that something acts on, ascending; qubit 0 when there is none."""
    used = {
        qubit for item in source.data if item.operation.name not in _WITHOUT_EFFECT for qubit in item.qubits
    }
    if len(used) == source.num_qubits or source.num_vars:  # the reader says what is wrong with variables
        return list(range(source.num_qubits))
    return [index for index, qubit in enumerate(source.qubits) if qubit in used] or [0]


def _narrowed(source: Any, used: Sequence[int]) -> Any:
    """The circuit on its used qubits alone; classical bits, registers and parameters stay as they are."""
    if len(used) >= source.num_qubits:
        return source
    narrow = QuantumCircuit([source.qubits[index] for index in used], source.clbits, name=source.name)
    narrow.add_register(*source.cregs)
    narrow.global_phase = source.global_phase
    for item in source.data:
        if item.operation.name not in _WITHOUT_EFFECT:
            narrow.append(item)
    return narrow


def on_used(terms: Iterable[tuple[str, float]], used: Sequence[int], num_qubits: int) -> Terms:
    """An observable's terms on the used qubits, the values of the others in the coefficients."""
    if len(used) >= num_qubits:
        return tuple(terms)
    places = [num_qubits - 1 - qubit for qubit in reversed(used)]
    idle = sorted(set(range(num_qubits)).difference(places))
    narrow: list[tuple[str, float]] = []
    for label, coefficient in terms:
        for place in idle:
            coefficient *= _ON_ZERO[label[place]]
        if coefficient:
            narrow.append(("".join(label[place] for place in places), coefficient))
    return tuple(narrow)
