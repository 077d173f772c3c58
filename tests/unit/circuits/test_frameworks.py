"""Qiskit, Cirq and PennyLane: what they mean by a circuit is what we read."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qrealm.base.errors import QrealmError, SourceKindError, UnsupportedError, WriteError
from qrealm.circuits import Circuit, Parameter, PauliSum, read
from unit.circuits.draws import random_circuit, random_unitary
from unit.circuits.matrix_of import assert_same_up_to_phase, matrix_of


def bit_reversed(matrix: np.ndarray) -> np.ndarray:
    """The matrix with the order of its qubits reversed."""
    count = len(matrix).bit_length() - 1
    order = [int(format(i, f"0{count}b")[::-1], 2) for i in range(len(matrix))]
    return matrix[np.ix_(order, order)]


# ---- Qiskit ------------------------------------------------------------------------------------------


@pytest.fixture
def qiskit():
    return pytest.importorskip("qiskit")


@pytest.mark.parametrize("seed", range(6))
def test_random_qiskit_circuits(qiskit, seed: int) -> None:
    from qiskit.circuit.random import random_circuit as theirs
    from qiskit.quantum_info import Operator

    source = theirs(4, 6, max_operands=4, seed=seed)
    assert np.allclose(matrix_of(read(source)), Operator(source).data, atol=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_to_qiskit_and_back(qiskit, seed: int) -> None:
    from qiskit.quantum_info import Operator

    circuit = random_circuit(seed, 5, 25)
    written = circuit.to_qiskit()
    assert np.allclose(Operator(written).data, matrix_of(circuit), atol=1e-9)
    assert np.allclose(matrix_of(read(written)), matrix_of(circuit), atol=1e-9)


@pytest.mark.filterwarnings("ignore:.*annotated:DeprecationWarning")  # Qiskit's reader calls its own old form
@pytest.mark.parametrize("seed", range(4))
def test_qiskit_reads_our_openqasm(qiskit, seed: int) -> None:
    from qiskit import qasm2, qasm3
    from qiskit.quantum_info import Operator

    from unit.circuits.test_writers import NOT_IN_2

    circuit = random_circuit(seed, 4, 15, leave_out=(*NOT_IN_2, "controls"))
    assert_same_up_to_phase(Operator(qasm2.loads(circuit.to_qasm2())).data, matrix_of(circuit))
    pytest.importorskip("qiskit_qasm3_import")
    other = random_circuit(seed, 4, 15)
    assert_same_up_to_phase(Operator(qasm3.loads(other.to_qasm3())).data, matrix_of(other))


def test_qiskits_openqasm_3_is_read(qiskit) -> None:
    from qiskit import qasm3
    from qiskit.quantum_info import Operator

    others = (
        "unitary",
        "ms",
        "zz",
        "gpi",
        "gpi2",
        "sy",
        "sydg",
        "siswap",
        "siswapdg",
        "iswapdg",
        "csxdg",
        "rv",
    )
    source = random_circuit(2, 4, 20, leave_out=others).to_qiskit()
    assert_same_up_to_phase(matrix_of(read(qasm3.dumps(source))), Operator(source).data)


def test_qiskit_controls_states_and_definitions(qiskit) -> None:
    from qiskit import QuantumCircuit
    from qiskit.circuit.library import QFTGate, RXGate, UnitaryGate, XGate
    from qiskit.quantum_info import Operator

    rng = np.random.default_rng(1)
    source = QuantumCircuit(4, global_phase=0.3)
    source.append(XGate().control(2, ctrl_state=1), [0, 1, 2])
    source.append(RXGate(0.4).control(3, ctrl_state="010", annotated=False), [0, 1, 2, 3])
    source.append(UnitaryGate(random_unitary(rng, 2)).control(1, annotated=False), [3, 0, 2])
    source.append(UnitaryGate(random_unitary(rng, 3)), [2, 0, 3])
    source.append(QFTGate(3), [1, 2, 3])
    source.append(XGate().control(2, annotated=True), [0, 1, 2])
    source.pauli("XYZ", [0, 1, 2])
    inner = QuantumCircuit(2, name="mine", global_phase=0.1)
    inner.cx(0, 1)
    source.append(inner.to_gate().control(1, annotated=False), [0, 1, 2])
    source.mcp(0.3, [0, 1], 2)
    assert np.allclose(matrix_of(read(source)), Operator(source).data, atol=1e-9)


def test_qiskit_registers_measurements_and_conditions(qiskit) -> None:
    from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister

    q, c, d = QuantumRegister(2, "q"), ClassicalRegister(2, "c"), ClassicalRegister(1, "d")
    source = QuantumCircuit(q, c, d)
    source.initialize("10", q)
    source.measure(0, 1)
    with source.if_test((c, 2)) as otherwise:
        source.x(1)
    with otherwise:
        source.y(0)
    with source.if_test((d[0], 0)):
        source.reset(0)
    with source.for_loop(range(3)):
        source.h(0)
    with source.switch(c) as case:
        with case(0, 3):
            source.z(0)
        with case(case.DEFAULT):
            source.s(0)
    source.delay(10, 0)
    circuit = read(source)
    assert [(r.name, r.size) for r in circuit.registers] == [("c", 2), ("d", 1)]
    assert circuit.count_ops() == {"if": 3, "h": 3, "initialize": 1, "measure": 1, "delay_dt": 1}
    assert circuit.instructions[2][2][0].clbits == (0, 1)
    again = read(circuit.to_qiskit())
    assert again.count_ops() == circuit.count_ops()


def test_qiskit_parameters(qiskit) -> None:
    from qiskit import QuantumCircuit
    from qiskit.circuit import Parameter as Theirs
    from qiskit.circuit import ParameterVector

    a, vector = Theirs("a"), ParameterVector("v", 12)
    source = QuantumCircuit(1)
    source.rx(2 * a + 1, 0)
    source.rz(vector[1] * vector[11] - a, 0)
    source.ry(a.sin() / 2, 0)
    circuit = read(source)
    assert {p.name for p in circuit.parameters} == {"a", "v[1]", "v[11]"}
    bound = circuit.bind({"a": 0.3, "v[1]": 0.5, "v[11]": 0.7})
    assert [i[2][0] for i in bound] == pytest.approx([1.6, 0.05, math.sin(0.3) / 2])
    written = Circuit(1).rx(2 * Parameter("x") ** 2, 0).to_qiskit()
    assert float(written.assign_parameters([0.5]).data[0].operation.params[0]) == pytest.approx(0.5)


def test_qiskit_observables(qiskit) -> None:
    from qiskit.quantum_info import Pauli, SparsePauliOp

    assert PauliSum(SparsePauliOp(["IXZ", "YII"], [0.5, -1])) == PauliSum("0.5 Z0 X1 - Y2")
    assert PauliSum(Pauli("-XZ")) == PauliSum("-1 Z0 X1")


def test_what_qiskit_has_and_we_have_not(qiskit) -> None:
    source = qiskit.QuantumCircuit(1, 1)
    with source.while_loop((source.clbits[0], 0)):
        source.h(0)
    with pytest.raises(UnsupportedError, match="while_loop"):
        read(source)


# ---- Cirq --------------------------------------------------------------------------------------------


@pytest.fixture
def cirq():
    return pytest.importorskip("cirq")


@pytest.mark.parametrize("seed", range(5))
def test_random_cirq_circuits(cirq, seed: int) -> None:
    source = cirq.testing.random_circuit(4, 12, 0.8, random_state=seed)
    qubits = sorted(source.all_qubits())
    assert np.allclose(matrix_of(read(source)), bit_reversed(source.unitary(qubit_order=qubits)), atol=1e-7)


def test_cirq_gates(cirq) -> None:
    a, b, c = cirq.LineQubit.range(3)
    source = cirq.Circuit(
        cirq.X(a) ** 0.3,
        cirq.rx(0.4)(b),
        cirq.ZZ(a, b) ** 0.5,
        cirq.CZ(a, c) ** 0.25,
        cirq.ISWAP(b, c) ** 0.5,
        cirq.X(c).controlled_by(a, b, control_values=[0, 1]),
        cirq.PhasedXZGate(x_exponent=0.1, z_exponent=0.2, axis_phase_exponent=0.3)(a),
        cirq.FSimGate(0.3, 0.4)(a, c),
        cirq.MatrixGate(random_unitary(np.random.default_rng(1), 2))(c, a),
        cirq.global_phase_operation(1j),
        (cirq.Y(b) ** 0.2).controlled_by(c),
        cirq.QuantumFourierTransformGate(3)(c, a, b),
        cirq.TOFFOLI(c, b, a),
        cirq.givens(0.3)(a, b),
        cirq.CCZ(a, b, c) ** 0.5,
    )
    assert np.allclose(
        matrix_of(read(source)), bit_reversed(source.unitary(qubit_order=[a, b, c])), atol=1e-7
    )


def test_cirq_measurements_and_conditions(cirq) -> None:
    a, b = cirq.LineQubit.range(2)
    source = cirq.Circuit(
        cirq.H(a),
        cirq.measure(a, key="m"),
        cirq.X(b).with_classical_controls("m"),
        cirq.reset(a),
        cirq.measure(a, b, key="out", invert_mask=(False, True)),
    )
    circuit = read(source)
    assert [(r.name, r.size) for r in circuit.registers] == [("m", 1), ("out", 2)]
    assert circuit.count_ops() == {"measure": 3, "x": 2, "h": 1, "if": 1, "reset": 1}


def test_cirq_symbols(cirq) -> None:
    import sympy

    q = cirq.LineQubit(0)
    circuit = read(cirq.Circuit(cirq.rx(2 * sympy.Symbol("t")).on(q), cirq.Z(q) ** sympy.Symbol("s")))
    assert {p.name for p in circuit.parameters} == {"s", "t"}
    theirs = cirq.Circuit(cirq.rx(0.6).on(q), cirq.Z(q) ** 0.2).unitary()
    assert np.allclose(matrix_of(circuit.bind(s=0.2, t=0.3)), theirs)


def test_cirq_waits(cirq) -> None:
    a, b = cirq.LineQubit.range(2)
    source = cirq.Circuit(cirq.H(a), cirq.wait(a, nanos=12), cirq.measure(a, key="m"))
    source += [cirq.wait(b, micros=2).with_classical_controls("m"), cirq.Moment(cirq.wait(a, b, picos=500))]
    found = [(op.name, qubits, args) for op, qubits, args in read(source)]
    assert found[1] == ("delay", (0,), (12.0,))
    assert found[3][2][2][0][2] == (2000.0,)  # cirq's condition is "not zero": the else branch
    assert found[4:] == [("barrier", (0, 1), ()), ("delay", (0,), (0.5,)), ("delay", (1,), (0.5,))]
    circuit = Circuit(2, 1).delay(2 * Parameter("t") + 1, 1).measure(0, 0)
    with circuit.if_(0):
        circuit.delay(3.0, 1)
    again = read(circuit.to_cirq()).bind(t=4)
    assert again.instructions[0][2] == (9.0,)
    assert again.instructions[-1][2][2][0][2] == (3.0,)
    with pytest.raises(WriteError, match=r"a delay of 3\.0 dt"):
        Circuit(1).append("delay_dt", (0,), (3,)).to_cirq()


def test_what_cirq_has_and_we_have_not(cirq) -> None:
    with pytest.raises(UnsupportedError, match="no unitary"):
        read(cirq.Circuit(cirq.depolarize(0.1)(cirq.LineQubit(0))))
    with pytest.raises(UnsupportedError, match="qudits"):
        read(cirq.Circuit(cirq.IdentityGate(qid_shape=(3,))(cirq.LineQid(0, 3))))


# ---- PennyLane ---------------------------------------------------------------------------------------


@pytest.fixture
def qml():
    return pytest.importorskip("pennylane")


def test_pennylane_tape(qml) -> None:
    rng = np.random.default_rng(3)
    ops = [
        qml.Hadamard(0),
        qml.RX(0.3, 1),
        qml.Rot(0.1, 0.2, 0.3, 2),
        qml.CNOT([0, 2]),
        qml.U2(0.3, 0.4, 1),
        qml.U3(0.1, 0.2, 0.3, 0),
        qml.IsingXY(0.3, [0, 1]),
        qml.MultiControlledX([0, 1, 2], control_values=[0, 1]),
        qml.QubitUnitary(random_unitary(rng, 2), [2, 0]),
        qml.adjoint(qml.S(1)),
        qml.ctrl(qml.RY(0.4, 2), [0, 1]),
        qml.pow(qml.X(0), 0.5),
        qml.QFT([0, 1, 2]),
        qml.MultiRZ(0.3, [0, 1, 2]),
        qml.GlobalPhase(0.4),
        qml.PhaseShift(0.3, 0),
        qml.ControlledPhaseShift(0.2, [1, 0]),
        qml.CRot(0.1, 0.2, 0.3, [2, 1]),
        qml.SingleExcitation(0.3, [0, 1]),
        qml.ISWAP([0, 1]),
        qml.SISWAP([1, 2]),
        qml.ECR([0, 1]),
        qml.Toffoli([2, 1, 0]),
        qml.PauliRot(0.3, "XYZ", [0, 1, 2]),
        qml.ctrl(qml.GlobalPhase(0.2), 1),
        qml.CCZ([0, 1, 2]),
        qml.Barrier([0, 1]),
    ]
    tape = qml.tape.QuantumScript(ops, [qml.expval(qml.Z(0))])
    theirs = bit_reversed(np.asarray(qml.matrix(tape, wire_order=[0, 1, 2])))
    assert np.allclose(matrix_of(read(tape)), theirs, atol=1e-9)


def test_pennylane_qnode(qml) -> None:
    device = qml.device("default.qubit", wires=3)

    @qml.qnode(device)
    def node(theta, scale=1.0):
        qml.RX(theta * scale, 0)
        qml.CNOT([0, 1])
        return qml.state()

    circuit = read(node, 0.4, scale=0.5)
    assert circuit == Circuit(3).rx(0.2, 0).cx(0, 1)
    with pytest.raises(SourceKindError, match="cannot be called"):
        read(node)


def test_pennylane_states_and_measurements(qml) -> None:
    tape = qml.tape.QuantumScript([qml.BasisState([1, 0, 1], [0, 1, 2])])
    assert abs(matrix_of(read(tape))[0b101, 0]) == 1
    state = random_unitary(np.random.default_rng(1), 2)[:, 0]
    prepared = read(qml.tape.QuantumScript([qml.StatePrep(state, [0, 1])]))
    assert np.allclose(matrix_of(prepared)[:, 0], state.reshape(2, 2).T.ravel())


def test_pennylane_has_no_waits(qml) -> None:
    with pytest.raises(WriteError, match="PennyLane has no waits, and the circuit a delay on qubit 1"):
        Circuit(2).h(0).delay(3.0, 1).to_pennylane()
    body = Circuit(2, 1).measure(0, 0)
    with body.if_(0):
        body.delay(3.0, 1)
    with pytest.raises(WriteError, match="PennyLane has no waits"):
        body.to_pennylane()


def test_what_pennylane_has_and_we_have_not(qml) -> None:
    with pytest.raises(UnsupportedError, match="no matrix"):
        read(qml.tape.QuantumScript([qml.DepolarizingChannel(0.1, 0)]))
    with pytest.raises(QrealmError):
        read(qml.tape.QuantumScript([qml.RX(np.array([0.1, 0.2]), 0)]))
