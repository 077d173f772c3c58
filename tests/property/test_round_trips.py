"""A random circuit through each framework and each format and back is the same circuit.

Unitaries agree to 1e-9 in every entry: with the global phase where the format can hold one, without it where
it cannot. Circuits with measurements, registers and conditions have the same exact probabilities.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from qrealm.base.errors import WriteError
from qrealm.circuits import Circuit, read
from qrealm.circuits.gate_rows import GATES
from qrealm.circuits.operations import MEASURE, RESET
from reference.random_circuits import replayable
from unit.circuits.draws import random_circuit
from unit.circuits.matrix_of import matrix_of
from unit.circuits.outcomes import assert_same_outcomes, named_outcomes, outcomes

SEEDS = range(8)
TOLERANCE = 1e-9

# OpenQASM 2 has the gates of qelib1.inc and those that gates can be defined with, no modifiers.
QASM2_GATES = frozenset(
    "id x y z h s sdg t tdg sx sxdg rx ry rz p u u2 cx cy cz ch cp crx cry crz cu cu3 csx cs csdg swap "
    "cswap ccx ccz rxx ryy rzz rzx rccx rcccx c3x c4x c3sx iswap iswapdg dcx r gphase".split()
)


@dataclass(frozen=True)
class Way:
    """A format, out and back.

    Attributes:
        write: from a circuit to the format; `qrealm.read` goes back.
        package: what must be installed.
        phase: whether the format holds a global phase.
        without: gates, or ``"controls"`` for added controls, that it cannot say.
        registers: whether classical registers keep their names.
        conditions: "all", "registers" (whole ones of several bits, no else, no nesting), "bits" (registers of
            one bit that are 1, no else, no measurement inside), or "" for none.
        times: whether delays keep their time; else they are refused.
    """

    write: Callable[[Circuit], Any]
    package: str = ""
    phase: bool = True
    without: tuple[str, ...] = ()
    registers: bool = True
    conditions: str = "all"
    times: bool = True


WAYS = {
    "dict": Way(Circuit.to_dict),
    "OpenQASM 3": Way(Circuit.to_qasm3),
    "OpenQASM 2": Way(
        Circuit.to_qasm2,
        phase=False,
        without=("controls", *(name for name in GATES if name not in QASM2_GATES)),
        conditions="registers",
        times=False,
    ),
    "Qiskit": Way(Circuit.to_qiskit, "qiskit"),
    "Cirq": Way(Circuit.to_cirq, "cirq", conditions="bits"),
    "PennyLane": Way(Circuit.to_pennylane, "pennylane", registers=False, conditions="", times=False),
    "QIR": Way(Circuit.to_qir, "pyqir", phase=False, times=False),
    "QIR bitcode": Way(lambda circuit: circuit.to_qir(bitcode=True), "pyqir", phase=False, times=False),
}


def installed(name: str) -> Way:
    """The way of this name; skips where its package is missing."""
    if WAYS[name].package:
        pytest.importorskip(WAYS[name].package)
    return WAYS[name]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    return installed(request.param)


def assert_same_unitary(circuit: Circuit, again: Circuit, *, phase: bool) -> None:
    a, b = matrix_of(circuit), matrix_of(again)
    assert a.shape == b.shape
    if not phase:
        overlap = np.trace(b.conj().T @ a)
        assert abs(abs(overlap) / len(a) - 1) < TOLERANCE, f"overlap {abs(overlap) / len(a)}"
        b = b * (overlap / abs(overlap))
    assert np.abs(a - b).max() < TOLERANCE


@pytest.mark.parametrize("seed", SEEDS)
def test_unitaries(way: Way, seed: int) -> None:
    with replayable(seed):
        circuit = random_circuit(seed, 5, 20, leave_out=way.without)
        assert_same_unitary(circuit, read(way.write(circuit)), phase=way.phase)


@pytest.mark.parametrize(
    "name, gate_name",
    [(name, gate) for name in WAYS for gate in GATES if gate not in ("unitary", *WAYS[name].without)],
)
def test_every_gate(name: str, gate_name: str) -> None:
    way, gate = installed(name), GATES[gate_name]
    count = max(1, gate.num_qubits)
    for order in (range(gate.num_qubits), range(gate.num_qubits)[::-1]):
        circuit = Circuit(count).append(gate, order, [0.3 * (i + 1) for i in range(gate.num_params)])
        assert_same_unitary(circuit, read(way.write(circuit)), phase=way.phase)


@pytest.mark.parametrize("seed", range(3))
def test_all_ways_one_after_the_other(seed: int) -> None:
    """A circuit of OpenQASM 2's gates through every format that is installed, each taking the last one's."""
    with replayable(seed):
        first = circuit = random_circuit(seed, 3, 10, leave_out=WAYS["OpenQASM 2"].without)
        for way in map(installed, WAYS):
            # What a reader makes of it may have more controls than OpenQASM 2 has words for.
            if way.write is not Circuit.to_qasm2 or circuit == first:
                circuit = read(way.write(circuit))
        assert_same_unitary(first, circuit, phase=False)


@pytest.mark.parametrize("seed", range(3))
def test_delays(way: Way, seed: int) -> None:
    """What each qubit waits for, in order, comes back to a rounding; a format without times says so."""
    rng = np.random.default_rng(seed)
    circuit = Circuit(3)
    for _ in range(12):
        circuit.ry(float(rng.uniform(-3, 3)), int(rng.integers(3)))
        circuit.delay(float(rng.choice([0.25, 40.0, 1234.5, 2e6])), int(rng.integers(3)))
    circuit.cx(0, 1).delay(7.5, [0, 1, 2])
    if not way.times:
        with pytest.raises(WriteError, match="delay"):
            way.write(circuit)
        return
    with replayable(seed):
        again = read(way.write(circuit))
        assert_same_unitary(circuit, again, phase=way.phase)
        for qubit in range(3):
            (names, values), (mine, wanted) = lane(again, qubit), lane(circuit, qubit)
            assert names == mine
            assert values == pytest.approx(wanted, rel=1e-12)


def lane(circuit: Circuit, qubit: int) -> tuple[list[str], list[float]]:
    """Rotations and delays of one qubit, in order: their names, and their angles and times."""
    found = [(op.name, args[0]) for op, qubits, args in circuit if qubits == (qubit,) and args]
    return [name for name, _ in found], [value for _, value in found]


# ---- measurements, registers, conditions -------------------------------------------------------------


def random_dynamic_circuit(seed: int, way: Way) -> Circuit:
    """Gates, measurements half-way, resets, and as many kinds of conditions as the format has."""
    rng = np.random.default_rng(seed)
    circuit = Circuit(3)
    sizes = {"bits": [1, 1, 1], "registers": [2, 1, 1]}.get(way.conditions, [2, 1, 2])
    registers = [circuit.add_register(name, size) for name, size in zip(("a", "b", "d"), sizes, strict=True)]
    names = ["h", "x", "sx", "ry", "cx", "t", "u"]
    measured: list[Any] = []

    def gates(target: Circuit, count: int) -> None:
        for _ in range(count):
            gate = GATES[names[rng.integers(len(names))]]
            wires = rng.permutation(3)[: gate.num_qubits].tolist()
            target.append(gate, wires, rng.uniform(-3, 3, gate.num_params).tolist())

    def branch() -> Circuit:
        body = Circuit(3)
        gates(body, 2)
        return body

    def condition() -> None:
        register = measured[rng.integers(len(measured))]
        value = 1 if way.conditions == "bits" else int(rng.integers(1 << register.size))
        if way.conditions != "all":
            circuit.if_(register, value, branch())
            return
        body = branch()
        if rng.random() < 0.5:
            inner = measured[rng.integers(len(measured))]
            with circuit.if_(register, value):
                circuit.compose(body)
                circuit.if_(inner, int(rng.integers(1 << inner.size)), branch(), branch())
                circuit.measure(int(rng.integers(3)), inner.clbits[0]).reset(int(rng.integers(3)))
        else:
            circuit.if_(register.clbits[0], int(rng.integers(2)), body, branch())

    gates(circuit, 4)
    for register in registers:
        circuit.measure(rng.permutation(3)[: register.size].tolist(), register.clbits)
        measured.append(register)
        gates(circuit, 1)
        if way.conditions:
            condition()
        if rng.random() < 0.5:
            circuit.reset(int(rng.integers(3)))
    last = circuit.add_register("last", 3) if way.conditions != "bits" else None
    if last is not None:
        return circuit.measure(range(3), last.clbits)
    for qubit in range(3):
        circuit.measure(qubit, circuit.add_register(f"last{qubit}", 1).clbits[0])
    return circuit


def in_order(circuit: Circuit, found: dict[int, float]) -> dict[int, float]:
    """Outcomes of a format that gives each measurement the next bit, and a reset one too."""
    places = [op[2][0] if op[0] is MEASURE else None for op in circuit if op[0] in (MEASURE, RESET)]
    result: dict[int, float] = {}
    for bits, weight in found.items():
        kept = sum((bits >> i & 1) << clbit for i, clbit in enumerate(places) if clbit is not None)
        result[kept] = result.get(kept, 0.0) + weight
    return result


@pytest.mark.parametrize("seed", SEEDS)
def test_measurements_registers_and_conditions(way: Way, seed: int) -> None:
    with replayable(seed):
        circuit = random_dynamic_circuit(seed, way)
        again = read(way.write(circuit))
        if way.registers:
            assert {(r.name, r.size) for r in again.registers} == {
                (r.name, r.size) for r in circuit.registers
            }
            assert_same_outcomes(named_outcomes(circuit), named_outcomes(again))
        else:
            assert_same_outcomes(outcomes(circuit), in_order(circuit, outcomes(again)))
        if way.conditions:
            assert again.count_ops()["if"] > 0


def test_random_dynamic_circuits_are_not_trivial() -> None:
    """The suite above compares something: conditions that hold and that do not, many outcomes."""
    circuits = [random_dynamic_circuit(seed, WAYS["dict"]) for seed in SEEDS]
    assert sum(circuit.count_ops()["if"] for circuit in circuits) >= 3 * len(SEEDS)
    assert sum(len(outcomes(circuit)) for circuit in circuits) > 10 * len(SEEDS)
    without = [circuit.copy() for circuit in circuits]
    changed = 0
    for circuit, bare in zip(circuits, without, strict=True):
        bare._ops = [op for op in bare._ops if op[0].name != "if"]
        a, b = outcomes(circuit), outcomes(bare)
        changed += any(abs(a.get(key, 0) - b.get(key, 0)) > 1e-3 for key in {*a, *b})
    assert changed >= len(SEEDS) - 2
