"""Makes the noise of a circuit larger without changing what it computes: G becomes G G† G."""

from __future__ import annotations

from typing import Literal

import numpy as np

from qrealm.base.errors import RequestError
from qrealm.circuits import Circuit
from qrealm.circuits.gates import Gate
from qrealm.circuits.operations import IF, RESET, Instruction
from qrealm.circuits.transform import inverted, rebuilt

Folding = Literal["gates", "circuit"]


def fold(circuit: Circuit, factor: float, how: Folding = "gates", seed: int = 0) -> Circuit:
    """The circuit with its gates repeated so that there are about `factor` times as many.

    Args:
        circuit: gates, then measurements; without noise of its own.
        factor: at least 1. Odd integers fold every gate (or the whole circuit) alike; in between, some gates
            are folded once more: gates drawn at random for ``"gates"``, the last ones for ``"circuit"``.
        how: ``"gates"`` turns each gate G into G G† G; ``"circuit"`` turns all of it, U, into U U† U
            (T. Giurgica-Tiron et al., "Digital zero noise extrapolation for quantum error mitigation",
            arXiv:2005.10921).
        seed: draws the gates that are folded once more.

    Raises:
        RequestError: a factor below 1, or a circuit that decides something half-way.
    """
    if not factor >= 1:
        raise RequestError(f"fold got the factor {factor!r}; the rule is 1 or more")
    if how not in ("gates", "circuit"):
        raise RequestError(f"fold got how={how!r}; the rule is 'gates' or 'circuit'")
    if circuit.terminal_measurements is None or any(op in (IF, RESET) for op, _, _ in circuit):
        raise RequestError(
            "fold needs a circuit of gates and then measurements; this one decides something half-way",
            hint="mitigate the part before the first measurement",
        )
    if how == "circuit":
        return rebuilt(circuit, _fold_circuit(circuit, factor))
    return rebuilt(circuit, _fold_gates(circuit, factor, seed))


def _fold_gates(circuit: Circuit, factor: float, seed: int) -> list[Instruction]:
    places = [index for index, (op, _, _) in enumerate(circuit) if isinstance(op, Gate)]
    whole, rest = divmod(round((factor - 1) / 2 * len(places)), max(1, len(places)))
    more = set(np.random.default_rng(seed).permutation(places)[:rest].tolist())
    folded: list[Instruction] = []
    for index, instruction in enumerate(circuit):
        op, qubits, args = instruction
        folded.append(instruction)
        if isinstance(op, Gate):
            for _ in range(whole + (index in more)):
                folded += [inverted(op, qubits, args), instruction]
    return folded


def _fold_circuit(circuit: Circuit, factor: float) -> list[Instruction]:
    gates = [each for each in circuit if isinstance(each[0], Gate)]
    others = [each for each in circuit if not isinstance(each[0], Gate)]
    whole, rest = divmod(round((factor - 1) / 2 * len(gates)), max(1, len(gates)))
    folded = list(gates)
    backwards = [inverted(op, qubits, args) for op, qubits, args in reversed(gates) if isinstance(op, Gate)]
    for _ in range(whole):
        folded += backwards + gates
    if rest:
        folded += backwards[:rest] + gates[len(gates) - rest :]
    return folded + others
