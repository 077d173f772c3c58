"""Circuits with open parameters for variational algorithms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from qrealm.algorithms.options import QUBITS_MAX, check_whole
from qrealm.base.errors import RequestError
from qrealm.circuits import Circuit, Parameter

Entanglement = Literal["linear", "ring", "full"]

LAYERS_MAX = 10_000


def hardware_efficient_ansatz(
    num_qubits: int,
    layers: int = 2,
    *,
    rotations: Sequence[str] = ("ry", "rz"),
    entanglement: Entanglement = "linear",
) -> Circuit:
    """Rotations of every qubit, then for each layer CX gates and rotations again.

    (layers + 1) * num_qubits * len(rotations) parameters, named theta_0, theta_1, ... (A. Kandala et al.,
    Nature 549, 242 (2017)). With ``rotations=("ry",)`` all amplitudes are real.

    Args:
        num_qubits: its qubits.
        layers: blocks of CX gates.
        rotations: of each qubit, from rx, ry and rz.
        entanglement: CX along a line, around a ring, or between all pairs.

    Raises:
        RequestError: a number out of range, or an unknown rotation or entanglement.
    """
    count = check_whole("num_qubits", num_qubits, 1, QUBITS_MAX)
    depth = check_whole("layers", layers, 0, LAYERS_MAX)
    names = [rotations] if isinstance(rotations, str) else list(rotations)
    if not names or set(names) - {"rx", "ry", "rz"}:
        raise RequestError(f"rotations are {names}; they must be at least one of 'rx', 'ry' and 'rz'")
    pairs = _pairs(count, entanglement)
    circuit = Circuit(count, name="hardware-efficient ansatz")
    number = 0
    for layer in range(depth + 1):
        if layer:
            for control, target in pairs:
                circuit.cx(control, target)
        for name in names:
            for qubit in range(count):
                circuit.append(name, (qubit,), (Parameter(f"theta_{number}"),))
                number += 1
    return circuit


def _pairs(count: int, entanglement: str) -> list[tuple[int, int]]:
    line = [(qubit, qubit + 1) for qubit in range(count - 1)]
    if entanglement == "linear":
        return line
    if entanglement == "ring":
        return [*line, (count - 1, 0)] if count > 2 else line
    if entanglement == "full":
        return [(low, high) for low in range(count) for high in range(low + 1, count)]
    raise RequestError(f"entanglement is {entanglement!r:.60}; it must be 'linear', 'ring' or 'full'")
