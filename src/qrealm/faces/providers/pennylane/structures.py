"""Circuits of tapes that differ in numbers alone: converted once, and kept for the next tape of the same
operations, as every step of a training makes one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pennylane as qml

from qrealm.circuits import Circuit, PauliSum
from qrealm.circuits.formats.pennylane import GATE_NAMES
from qrealm.faces.providers.pennylane.tapes import append_plain, convert

Structure = tuple[tuple[str, tuple[int, ...], int], ...]
"""Of each operation: its name, qubits and number of parameters."""


@dataclass(frozen=True, slots=True)
class OpenTape:
    """A tape's operations with their parameters open.

    Attributes:
        circuit: shared by all tapes of one structure.
        values: for each of the circuit's parameters, in its order.
        trained: for each trainable parameter of the tape the name of the circuit's; None where it is not in
            the operations.
    """

    circuit: Circuit
    values: tuple[float, ...]
    trained: tuple[str | None, ...]


def open_tape(tape: Any, order: Any) -> OpenTape:
    """The tape's operations on the wires of `order`.

    Raises:
        UnsupportedError: see `convert`.
    """
    structure = _structure(tape, order)
    if structure is None:
        made = convert(tape, order, tape.operations, open_parameters=True)
        values = {f"p{index}": value for index, value in enumerate(made.values)}
        names = tuple(
            f"p{index}" if index < len(values) else None for index in range(len(tape.trainable_params))
        )
        ordered = tuple(values[parameter.name] for parameter in made.circuit.parameters)
        return OpenTape(made.circuit, ordered, names)
    numbers = tuple(float(value) for op in tape.operations for value in op.data)
    names = tuple(f"p{place}" if place < len(numbers) else None for place in tape.trainable_params)
    return OpenTape(_circuit(len(order), structure), numbers, names)


def _structure(tape: Any, order: Any) -> Structure | None:
    """What tapes of one circuit share; None where an operation is more than a name, wires and angles."""
    last = len(order) - 1
    places = {wire: last - index for index, wire in enumerate(order)}
    found = []
    for op in tape.operations:
        name = op.name
        if name not in GATE_NAMES and name != "Rot":
            return None
        found.append((name, tuple([places[wire] for wire in op.wires]), len(op.data)))
    return tuple(found)


@lru_cache(maxsize=64)
def _circuit(num_qubits: int, structure: Structure) -> Circuit:
    circuit = Circuit(max(1, num_qubits))
    count = 0
    for name, qubits, width in structure:
        append_plain(circuit, name, qubits, [f"p{index}" for index in range(count, count + width)])
        count += width
    return circuit


def plainly_differentiable(tape: Any, wires: Any) -> bool:
    """Whether it is seen at once that a tape can be differentiated: gates of the table, and expectation
    values of sums of Pauli words, on wires that the device has."""
    if tape.shots or (wires is not None and not wires.contains_wires(tape.wires)):
        return False
    return all(op.name in GATE_NAMES or op.name == "Rot" for op in tape.operations) and all(
        isinstance(each, qml.measurements.ExpectationMP)
        and each.obs is not None
        and each.obs.pauli_rep is not None
        for each in tape.measurements
    )


def pauli_sum(sentence: Any, order: Any) -> PauliSum | None:
    """A Pauli sentence with real coefficients as a Pauli sum; None for any other."""
    last = len(order) - 1
    places = {wire: 1 << (last - index) for index, wire in enumerate(order)}
    strings = []
    for word, coefficient in sentence.items():
        value = complex(coefficient)
        if value.imag:
            return None
        x = z = 0
        for wire, letter in word.items():
            if letter != "Z":
                x |= places[wire]
            if letter != "X":
                z |= places[wire]
        strings.append((x, z, value.real))
    return PauliSum.from_strings(strings)


__all__ = ["OpenTape", "open_tape", "pauli_sum", "plainly_differentiable"]
