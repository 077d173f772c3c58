"""Circuits written to Cirq: the same unitary, phase included, there and back; the same outcomes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qrealm.base.errors import WriteError
from qrealm.circuits import Circuit, Parameter, read
from qrealm.circuits.gate_rows import GATES
from qrealm.circuits.noise import Channel, ReadoutError, amplitude_damping
from qrealm.simulate.run import run
from reference.random_circuits import replayable
from unit.circuits.draws import random_circuit, random_unitary
from unit.circuits.matrix_of import matrix_of

cirq = pytest.importorskip("cirq")

from qrealm.faces.providers.cirq import QrealmSampler  # noqa: E402


def bit_reversed(matrix: np.ndarray) -> np.ndarray:
    count = len(matrix).bit_length() - 1
    order = [int(format(i, f"0{count}b")[::-1], 2) for i in range(len(matrix))]
    return matrix[np.ix_(order, order)]


def unitary_of(written, count: int) -> np.ndarray:
    """Cirq's own unitary, in our order of qubits."""
    return bit_reversed(written.unitary(qubit_order=cirq.LineQubit.range(count)))


@pytest.mark.parametrize("seed", range(12))
def test_random_circuits_there_and_back(seed: int) -> None:
    circuit = random_circuit(seed, 5, 25)
    with replayable(seed):
        written = circuit.to_cirq()
        assert np.allclose(unitary_of(written, 5), matrix_of(circuit), atol=1e-9)
        assert np.allclose(matrix_of(read(written)), matrix_of(circuit), atol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_cirqs_random_circuits_here_and_back(seed: int) -> None:
    source = cirq.testing.random_circuit(4, 12, 0.8, random_state=seed)
    order = sorted(source.all_qubits())
    with replayable(seed):
        back = read(source).to_cirq()
        assert np.allclose(
            back.unitary(qubit_order=cirq.LineQubit.range(4)), source.unitary(qubit_order=order), atol=1e-9
        )


@pytest.mark.parametrize("name", [name for name in GATES if name not in ("unitary", "rv")])
def test_every_gate_with_open_parameters(name: str) -> None:
    gate = GATES[name]
    count = max(1, gate.num_qubits)
    values = {f"a{i}": 0.3 * (i + 1) for i in range(gate.num_params)}
    circuit = Circuit(count).append(name, range(gate.num_qubits), [Parameter(a) for a in values])
    written = cirq.resolve_parameters(circuit.to_cirq(), values)
    assert np.allclose(unitary_of(written, count), matrix_of(circuit.bind(values)), atol=1e-9)


def test_expressions_of_parameters_stay_expressions() -> None:
    a, b = Parameter("a"), Parameter("b")
    circuit = Circuit(2, global_phase=0.5 * a).rx(2 * a - b / 3, 0).cp((a**2).sqrt() * -b, 0, 1)
    circuit.append("rzx", (0, 1), (a + 1,)).append("ms", (0, 1), (a, b, 0.1), controls=())
    values = {"a": 0.4, "b": -0.7}
    written = circuit.to_cirq()
    assert cirq.parameter_names(written) == {"a", "b"}
    assert np.allclose(
        unitary_of(cirq.resolve_parameters(written, values), 2), matrix_of(circuit.bind(values)), atol=1e-9
    )
    assert np.allclose(matrix_of(read(written).bind(values)), matrix_of(circuit.bind(values)), atol=1e-9)


def test_initial_states() -> None:
    rng = np.random.default_rng(1)
    state = rng.normal(size=8) + 1j * rng.normal(size=8)
    circuit = Circuit(4).initialize("10", [1, 3]).initialize(state / np.linalg.norm(state), [0, 2, 1])
    # The second preparation meets a used qubit, so its resets are no gates.
    written = circuit.to_cirq()
    ours = run(circuit, 0, return_statevector=True).statevector
    theirs = cirq.Simulator(dtype=np.complex128).simulate(written, qubit_order=cirq.LineQubit.range(4))
    vector = theirs.final_state_vector.reshape((2,) * 4).transpose(3, 2, 1, 0).ravel()
    assert abs(np.vdot(ours, vector)) == pytest.approx(1, abs=1e-9)


def dynamic() -> Circuit:
    circuit = Circuit(4, 0)
    a, b = circuit.add_register("a", 2), circuit.add_register("b", 2)
    circuit.h(0).ry(0.7, 1).measure([0, 1], a.clbits)
    circuit.if_(a, 2, Circuit(4).x(2).barrier(), Circuit(4).ry(0.4, 2).reset(0))
    circuit.measure([2], [b.clbits[1]])
    circuit.if_([a.clbits[0], b.clbits[1]], 2, Circuit(4).x(3), Circuit(4).h(3))
    circuit.if_(b.clbits[0], 1, Circuit(4).x(3), Circuit(4).ry(0.2, 3))  # never measured: always the second
    with circuit.if_(b.clbits[1], 0):
        circuit.if_(a.clbits[0], 1, Circuit(4).y(3))
    return circuit.measure([3, 2], b.clbits)


def test_measurements_and_conditions_have_the_same_outcomes() -> None:
    circuit, shots = dynamic(), 8000
    written = circuit.to_cirq()
    ours = {k.replace(" ", ""): n for k, n in run(circuit, shots, seed=3).counts.items()}
    for sampler in (cirq.Simulator(seed=1), QrealmSampler(seed=1)):
        result = sampler.run(written, repetitions=shots)
        assert set(result.records) == {"a", "b[1]", "b"}
        bits = np.concatenate([result.measurements["a"], result.measurements["b"]], axis=1)
        values = ["".join(str(bit) for bit in row[::-1]) for row in bits]
        theirs = {key: values.count(key) for key in set(values)}
        for key in {*ours, *theirs}:
            p, q = ours.get(key, 0) / shots, theirs.get(key, 0) / shots
            mean = (p + q) / 2
            # 5 standard deviations of the difference of two shares
            assert abs(p - q) <= 5 * math.sqrt(max(mean * (1 - mean), 1 / shots) * 2 / shots), key


def test_whole_registers_and_plain_conditions_come_back() -> None:
    circuit = Circuit(3, 0)
    m = circuit.add_register("m", 1)
    out = circuit.add_register("out", 3)
    circuit.h(0).measure([0], m.clbits)
    with circuit.if_("m"):
        circuit.x(1)
    circuit.measure([2, 0, 1], out.clbits)
    again = read(circuit.to_cirq())
    assert [(r.name, r.size) for r in again.registers] == [("m", 1), ("out", 3)]
    assert {k: n > 0 for k, n in run(again, 200, seed=1).counts.items()} == {
        k: n > 0 for k, n in run(circuit, 200, seed=2).counts.items()
    }


def noisy() -> Circuit:
    rng = np.random.default_rng(2)
    pair = Channel([math.sqrt(0.7) * np.eye(4), math.sqrt(0.3) * random_unitary(rng, 2)])
    return Circuit(3).h(0).cx(0, 1).append(amplitude_damping(0.3), [1]).append(pair, [2, 0]).ry(0.3, 2)


def test_channels_keep_their_effect() -> None:
    theirs = cirq.DensityMatrixSimulator(dtype=np.complex128).simulate(
        noisy().to_cirq(), qubit_order=cirq.LineQubit.range(3)
    )
    ours = run(noisy(), 0, return_density_matrix=True).density_matrix
    assert np.allclose(bit_reversed(theirs.final_density_matrix), ours, atol=1e-9)


def test_idle_qubits_are_kept() -> None:
    assert read(Circuit(3).x(1).to_cirq()).num_qubits == 3


def measures_under_a_condition() -> Circuit:
    circuit = Circuit(1, 1).measure(0)
    circuit.if_(0, 1, Circuit(1, 1).measure(0))
    return circuit


@pytest.mark.parametrize(
    "circuit,words",
    [
        (Circuit(1).rv(Parameter("a"), 0.1, 0.2, 0), "rv"),
        (Circuit(1).rx(Parameter("a").sin(), 0), "sin"),
        (measures_under_a_condition(), "measure"),
        (Circuit(1, 1).measure(0).append(ReadoutError.flips(0.1, 0.2), [0]), "readout"),
    ],
)
def test_what_cannot_be_written(circuit: Circuit, words: str) -> None:
    with pytest.raises(WriteError, match=words):
        circuit.to_cirq()
