"""The circuits of `verify`, each with its exact answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import ParameterError, RequestError
from qrealm.circuits import Circuit, PauliSum
from qrealm.circuits.gate_rows import GATES, GPHASE, UNITARY
from qrealm.circuits.gates import Gate
from qrealm.circuits.noise import ReadoutError, amplitude_damping, bit_flip, depolarizing, thermal_relaxation
from qrealm.circuits.operations import CHANNEL, IF, INITIALIZE, Instruction
from qrealm.simulate import dense

_GATES_PER_CIRCUIT = 12
_WIDTH = 5


@dataclass(frozen=True)
class Case:
    """A circuit and what is exactly true of it. What no closed form is given for is multiplied out.

    Attributes:
        name: for people.
        circuit: all parameters bound.
        observables: Pauli strings whose values are compared.
        known_values: closed forms of them.
        known_probabilities: closed forms of the outcomes.
        counted: whether counts are compared.
    """

    name: str
    circuit: Circuit
    observables: tuple[str, ...] = ()
    known_values: Mapping[str, float] | None = None
    known_probabilities: Mapping[int, float] | None = None
    counted: bool = True
    _kept: dict[str, object] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def is_pure(self) -> bool:
        """Whether there is one state vector at the end."""
        return self.circuit.terminal_measurements is not None and not _has(self.circuit.instructions, CHANNEL)

    @cached_property
    def state(self) -> NDArray[np.complex128] | None:
        """The exact state; None where there is none, or it is too wide to multiply out."""
        if not self.is_pure or self.circuit.num_qubits > dense.QUBITS_MAX:
            return None
        if _has(self.circuit.instructions, INITIALIZE):
            return None
        return dense.final_state(self.circuit)

    @cached_property
    def values(self) -> Mapping[str, float]:
        """Exact value of each observable."""
        if self.known_values is not None:
            return self.known_values
        state = self.state if self.state is not None else dense.mixed_state(self.circuit)
        return {text: _value(state, text, self.circuit.num_qubits) for text in self.observables}

    @cached_property
    def probabilities(self) -> Mapping[int, float]:
        """Exact probability of each outcome that can be."""
        if self.known_probabilities is not None:
            return self.known_probabilities
        if self.state is not None and not self.circuit.num_clbits:
            return dict(enumerate((np.abs(self.state) ** 2).tolist()))
        return dense.outcome_probabilities(self.circuit)


def standard(qubits: int) -> list[Case]:
    """The standard set: every gate of the table, Clifford circuits, wide circuits of little entanglement on
    `qubits` qubits, circuits that decide half-way, and noise."""
    return [
        *_gate_table(),
        Case("clifford", _clifford(), _STRINGS),
        _ghz(qubits),
        _ising_chain(qubits),
        Case("half-way: teleportation", _teleportation()),
        Case("half-way: reset and reuse", _reuse()),
        Case("half-way: conditions inside conditions", _nested()),
        Case("noise: pauli errors", _pauli_noise(), ("Z0", "Z0 Z1", "X0 X1 X2", "Y0 Y1 X2")),
        Case("noise: damping", _damping(), ("Z0", "X1", "Z0 Z2", "Y1 Z2")),
        Case("noise: half-way, misread", _noisy_feedback()),
    ]


def given(name: str, circuit: Circuit) -> Case:
    """A circuit of the caller's.

    Raises:
        RequestError: it is too wide to be multiplied out.
        ParameterError: its parameters are not bound.
    """
    if circuit.parameters:
        raise ParameterError(
            f"verify got the circuit {name!r} with the open parameters "
            f"{[parameter.name for parameter in circuit.parameters]}; the rule is numbers alone",
            hint="bind them first: circuit.bind({name: value})",
        )
    mixed = circuit.terminal_measurements is None or _has(circuit.instructions, CHANNEL)
    mixed = mixed or _has(circuit.instructions, INITIALIZE)
    limit = dense.MIXED_QUBITS_MAX if mixed else dense.QUBITS_MAX
    if circuit.num_qubits > limit:
        raise RequestError(
            f"verify got the circuit {name!r} of {circuit.num_qubits} qubits; the rule is at most {limit}, "
            "so that its exact answer can be multiplied out",
            hint="verify a part of it, or leave circuits out for the standard set",
        )
    strings = tuple(f"Z{qubit}" for qubit in range(circuit.num_qubits))
    return Case(name, circuit, strings if circuit.terminal_measurements is not None else ())


_STRINGS = ("Z0", "X1 Y3", "Z0 Z1 Z2 Z3 Z4", "Y2 X4", "X0 Z4")


def _gate_table() -> list[Case]:
    gates = [gate for gate in GATES.values() if gate is not UNITARY]
    parts = [gates[begin : begin + _GATES_PER_CIRCUIT] for begin in range(0, len(gates), _GATES_PER_CIRCUIT)]
    return [
        Case(f"gates: {part[0].name} to {part[-1].name}", _with_gates(part, number), _STRINGS)
        for number, part in enumerate(parts)
    ]


def _with_gates(gates: list[Gate], number: int) -> Circuit:
    """Each gate on qubits in no symmetric state, and a matrix of one's own at the end."""
    circuit = Circuit(_WIDTH, global_phase=0.1 + number)
    for qubit in range(_WIDTH):
        circuit.u(0.4 + 0.3 * qubit, 0.2 * qubit - 0.5, 0.9 - 0.35 * qubit, qubit)
    for index, gate in enumerate(gates):
        count = gate.num_qubits + (1 if gate.variadic else 0)
        lines = [(index + 2 * place if count < 3 else index + place) % _WIDTH for place in range(count)]
        params = [0.37 + 0.21 * place + 0.05 * index for place in range(gate.num_params)]
        if gate is GPHASE:
            circuit.append(gate, (), params, controls=[index % _WIDTH])
        else:
            circuit.append(gate, lines, params)
        circuit.ry(0.3 + 0.1 * index, (index + 1) % _WIDTH)
    generator = np.random.default_rng(number)
    whole = generator.normal(size=(4, 4)) + 1j * generator.normal(size=(4, 4))
    return circuit.unitary(np.linalg.qr(whole)[0], [3, 1])


def _clifford() -> Circuit:
    circuit = Circuit(_WIDTH).h(range(_WIDTH))
    for step, (a, b) in enumerate(((0, 3), (2, 4), (1, 0), (4, 1), (3, 2))):
        circuit.cx(a, b).s(b).append(("cz", "cy", "swap", "iswap", "dcx")[step], [b, (b + 1) % _WIDTH])
        circuit.append(("sx", "sdg", "y", "h", "sxdg")[step], [a])
    return circuit


def _ghz(qubits: int) -> Case:
    """(|0...0> + |1...1>) / sqrt(2): wide, two outcomes, and a Clifford circuit."""
    circuit = Circuit(qubits).h(0)
    for qubit in range(qubits - 1):
        circuit.cx(qubit, qubit + 1)
    ends = f"Z0 Z{qubits - 1}"
    flips = " ".join(f"X{qubit}" for qubit in range(qubits))
    return Case(
        f"ghz, {qubits} qubits",
        circuit,
        (ends, flips, "Z0"),
        {ends: 1.0, flips: 1.0, "Z0": 0.0},
        {0: 0.5, (1 << qubits) - 1: 0.5},
    )


def _ising_chain(qubits: int) -> Case:
    """RZZ along a line on |+...+>: <X_k> is the product of the cosines of the angles around it."""
    angles = [0.3 + 0.07 * (place % 9) for place in range(qubits - 1)]
    circuit = Circuit(qubits).h(range(qubits))
    for place, angle in enumerate(angles):
        circuit.rzz(angle, place, place + 1)
    middle = qubits // 2
    cosines = [math.cos(angle) for angle in angles]
    # X_k X_k+1 commutes with the RZZ between them: only the outer neighbours count.
    values = {
        "X0": cosines[0],
        f"X{middle}": cosines[middle - 1] * cosines[middle],
        f"X{middle - 1} X{middle}": cosines[middle - 2] * cosines[middle],
        f"Y{qubits - 1} Z{qubits - 2}": math.sin(angles[-1]),
    }
    return Case(f"ising chain, {qubits} qubits", circuit, tuple(values), values, counted=False)


def _teleportation() -> Circuit:
    circuit = Circuit(3, 3).ry(0.7, 0).rz(0.4, 0).h(1).cx(1, 2).cx(0, 1).h(0).measure([0, 1], [0, 1])
    with circuit.if_(1):
        circuit.x(2)
    with circuit.if_(0):
        circuit.z(2)
    return circuit.h(2).measure(2, 2)


def _reuse() -> Circuit:
    circuit = Circuit(2, 3).ry(1.1, 0).cx(0, 1).measure(0, 0).reset(0).ry(0.6, 0).cx(0, 1).measure(0, 1)
    with circuit.if_([0, 1], 2):
        circuit.h(1)
    return circuit.measure(1, 2)


def _nested() -> Circuit:
    """Bits written against the order of their numbers, and a bit that is decided on before it is measured."""
    circuit = Circuit(4, 4).ry(0.8, 0).ry(1.9, 1).measure(0, 2).measure(1, 0)
    then, otherwise = Circuit(4, 4).ry(0.5, 2), Circuit(4, 4)
    then.if_(0, 1, Circuit(4, 4).x(2), Circuit(4, 4).ry(1.3, 3))
    otherwise.if_([0, 3], 1, Circuit(4, 4).x(3))
    circuit.if_(2, 1, then, otherwise)
    measured = Circuit(4, 4).measure(2, 3)
    measured.if_(3, 1, Circuit(4, 4).ry(0.4, 1))
    circuit.if_(3, 0, measured)
    return circuit.measure([1, 3], [1, 0])


def _pauli_noise() -> Circuit:
    circuit = Circuit(3).h(0)
    circuit.append(depolarizing(0.05), [0])
    circuit.cx(0, 1)
    circuit.append(depolarizing(0.1, 2), [0, 1])
    circuit.cx(1, 2).s(2)
    circuit.append(bit_flip(0.08), [2])
    return circuit


def _damping() -> Circuit:
    circuit = Circuit(3).ry(1.0, 0).cx(0, 1).ry(0.4, 2)
    circuit.append(amplitude_damping(0.2), [1])
    circuit.cx(1, 2)
    circuit.append(thermal_relaxation(50.0, 30.0, 10.0), [2])
    return circuit.rx(0.5, 1).cz(0, 2)


def _noisy_feedback() -> Circuit:
    circuit = Circuit(2, 2).ry(0.9, 0)
    circuit.append(depolarizing(0.1), [0])
    circuit.measure(0, 0)
    circuit.append(ReadoutError([[0.95, 0.1], [0.05, 0.9]]), [0])
    with circuit.if_(0):
        circuit.x(1)
    return circuit.measure(1, 1)


def _value(state: NDArray[np.complex128], text: str, num_qubits: int) -> float:
    total = 0.0
    for x, z, coefficient in PauliSum(text).strings():
        letters = "".join("IXZY"[(x >> q & 1) + 2 * (z >> q & 1)] for q in range(num_qubits))
        total += coefficient * dense.pauli_value(state, letters)
    return total


def _has(instructions: tuple[Instruction, ...], kind: object) -> bool:
    return any(
        op is kind or (op is IF and (_has(args[1], kind) or _has(args[2], kind)))
        for op, _, args in instructions
    )
