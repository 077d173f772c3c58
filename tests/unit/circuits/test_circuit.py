"""The builder: what it takes, what it refuses, and what it gives to a simulator."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from qrealm.base.errors import (
    CircuitError,
    GateShapeError,
    MatrixError,
    NotUnitaryError,
    ParameterError,
    QubitError,
    StateError,
    UnknownGateError,
)
from qrealm.circuits import Circuit, Parameter
from qrealm.circuits.segments import preparation
from qrealm.circuits.types import Conditional, Initialize, Measurement, Reset, UnitarySegment
from reference.dense import DenseSimulator
from unit.circuits.draws import random_circuit, random_unitary
from unit.circuits.matrix_of import matrix_of


def test_chaining_and_counts() -> None:
    circuit = Circuit(3).h(0).cx(0, 1).rz(0.5, 2).barrier().measure_all()
    assert circuit.count_ops() == {"measure": 3, "h": 1, "cx": 1, "rz": 1, "barrier": 1}
    assert circuit.depth() == 3
    assert circuit.num_clbits == 3
    assert repr(circuit) == "<Circuit: 3 qubits, 3 clbits, 7 instructions>"


def test_one_qubit_gates_take_several_qubits() -> None:
    assert Circuit(3).h(range(3)) == Circuit(3).h(0).h(1).h(2)


@pytest.mark.parametrize(
    "build,kind,words",
    [
        (lambda c: c.append("foo", [0]), UnknownGateError, "no gate called 'foo'"),
        (lambda c: c.append("cx", [0]), GateShapeError, "cx got 1 qubit; the rule is exactly 2"),
        (lambda c: c.append("mcx", [0]), GateShapeError, "at least 2"),
        (lambda c: c.append("rx", [0]), GateShapeError, r"rx got 0 parameters; the rule is 1 \(theta\)"),
        (lambda c: c.cx(0, 0), QubitError, "none is named twice"),
        (lambda c: c.h(3), QubitError, "h got qubit 3; the rule is 0 to 2"),
        (lambda c: c.h(-1), QubitError, "h got qubit -1"),
        (lambda c: c.h("a"), QubitError, "the rule is an integer"),
        (lambda c: c.h(0.5), QubitError, "the rule is an integer"),
        (
            lambda c: c.rx(float("nan"), 0),
            ParameterError,
            r"rx\(theta\): a parameter must be finite, got nan",
        ),
        (lambda c: c.rx(float("inf"), 0), ParameterError, "finite"),
        (lambda c: c.rx("pi", 0), ParameterError, "real number"),
        (lambda c: c.rx(1j, 0), ParameterError, "real number"),
        (lambda c: c.unitary([[1, 0], [0, 2]], 0), MatrixError, "not unitary"),
        (lambda c: c.unitary(np.eye(4), 0), GateShapeError, "unitary got 1 qubit; the rule is exactly 2"),
        (lambda c: c.initialize([1, 1]), StateError, "norm 1.41421"),
        (lambda c: c.initialize([1, 0, 0]), StateError, "shape"),
        (lambda c: c.initialize("012"), StateError, "0s and 1s"),
        (lambda c: c.initialize("01", 0), GateShapeError, "2 qubits for 1 qubit;"),
        (lambda c: c.measure([0, 1], [0]), QubitError, "2 qubits and 1 classical bit;"),
        (lambda c: c.if_(0, 2), QubitError, "0 to 1"),
        (lambda c: c.if_("c"), QubitError, "the register 'c'"),
        (lambda c: c.compose(Circuit(2), [0]), QubitError, "rule is as many"),
        (lambda c: c.append("x", [0], controls=[1], control_state=2), GateShapeError, "0 to 1"),
        (lambda c: c.power(0.5), GateShapeError, "integer"),
        (lambda c: c.bind(theta=1.0), ParameterError, "bind got \\['theta'\\]"),
    ],
)
def test_what_is_refused(build, kind, words) -> None:
    with pytest.raises(kind, match=words) as caught:
        build(Circuit(3))
    assert isinstance(caught.value, CircuitError)
    assert caught.value.code.startswith("QR10")


@pytest.mark.parametrize("count", [-1, 5000, "2", 2.0, None])
def test_counts_that_are_refused(count: object) -> None:
    with pytest.raises(QubitError):
        Circuit(count)  # type: ignore[arg-type]


def test_a_refused_call_leaves_the_circuit_as_it_was() -> None:
    circuit = Circuit(2).h(0)
    with pytest.raises(QubitError):
        circuit.cx(0, 5)
    assert circuit == Circuit(2).h(0)


def test_packed_arguments_are_in_the_order_of_the_kernel() -> None:
    packed = Circuit(3).cp(0.5, 2, 0).unitary(np.eye(2), 1).packed()
    size, *arrays, matrices = packed.arrays()
    assert size == 3
    names = ("codes", "num_controls", "qubit_offsets", "qubits", "param_offsets", "params")
    assert all(array is getattr(packed, name) for array, name in zip(arrays, names, strict=True))
    assert isinstance(matrices, list)
    assert matrices[0] is packed.matrices[0]


def test_packed_arrays() -> None:
    packed = Circuit(3, global_phase=0.25).cp(0.5, 2, 0).unitary(np.eye(2), 1).packed()
    assert packed.codes.tolist() == [0, 14, 22]
    assert packed.num_controls.tolist() == [0, 1, 0]
    assert packed.qubit_offsets.tolist() == [0, 0, 2, 3]
    assert packed.qubits.tolist() == [2, 0, 1]
    assert packed.param_offsets.tolist() == [0, 1, 2, 3]
    assert packed.params.tolist() == [0.25, 0.5, 0.0]
    assert [
        a.dtype.name
        for a in (
            packed.codes,
            packed.num_controls,
            packed.qubit_offsets,
            packed.qubits,
            packed.param_offsets,
            packed.params,
        )
    ] == ["uint8", "uint8", "int32", "int32", "int32", "float64"]
    assert packed.matrices[0].flags.c_contiguous


def test_packed_is_kept_until_the_circuit_changes() -> None:
    circuit = Circuit(2).h(0)
    first = circuit.packed()
    assert circuit.packed() is first
    circuit.cx(0, 1)
    assert len(circuit.packed()) == 2
    assert first.digest != circuit.packed().digest


@pytest.mark.parametrize("seed", range(8))
def test_inverse_control_and_power(seed: int) -> None:
    circuit = random_circuit(seed, 4, 12)
    matrix = matrix_of(circuit)
    assert np.allclose(matrix_of(circuit.inverse()), matrix.conj().T, atol=1e-10)
    assert np.allclose(matrix_of(circuit.power(-2)), np.linalg.matrix_power(matrix.conj().T, 2), atol=1e-10)
    one = matrix_of(circuit.control(1))
    assert np.allclose(one[::2, ::2], np.eye(16), atol=1e-10)
    assert np.allclose(one[1::2, 1::2], matrix, atol=1e-10)
    assert np.allclose(one[::2, 1::2], 0, atol=1e-10)


def test_control_state() -> None:
    circuit = Circuit(3).append("x", [2], controls=[0, 1], control_state="01")
    matrix = matrix_of(circuit)
    assert abs(matrix[0b101, 0b001]) == 1
    assert abs(matrix[0b011, 0b011]) == 1


def test_compose_moves_qubits_and_bits() -> None:
    inner = Circuit(2).cx(0, 1).measure(1, 0)
    outer = Circuit(3, 2).compose(inner, [2, 0], [1])
    assert outer == Circuit(3, 2).cx(2, 0).measure(0, 1)


def test_copy_is_independent_and_pickle_keeps_everything() -> None:
    circuit = random_circuit(3).measure_all()
    twin = circuit.copy().h(0)
    assert len(twin) == len(circuit) + 1
    assert pickle.loads(pickle.dumps(circuit)) == circuit
    assert pickle.loads(pickle.dumps(circuit)).digest == circuit.digest


def test_digest_sees_every_difference() -> None:
    circuits = [
        Circuit(2),
        Circuit(3),
        Circuit(2).h(0),
        Circuit(2).h(1),
        Circuit(2).rx(0.1, 0),
        Circuit(2).rx(0.2, 0),
        Circuit(2, global_phase=1.0),
        Circuit(2).unitary(np.eye(2), 0),
        Circuit(2).initialize("1", 0),
        Circuit(2).unitary(np.diag([1, -1]), 0),
        Circuit(2).initialize([1, 0], 0),
        Circuit(2).measure(0),
        Circuit(2).measure(0, 1),
        Circuit(2).rx(Parameter("a"), 0),
        Circuit(2).rx(Parameter("b"), 0),
    ]
    assert len({c.digest for c in circuits}) == len(circuits)


# ---- segments ----------------------------------------------------------------------------------------


def test_terminal_measurements() -> None:
    assert Circuit(2).h(0).terminal_measurements == {0: 0, 1: 1}
    assert Circuit(2).h(0).measure(1, 0).terminal_measurements == {1: 0}
    late = Circuit(2).measure(0, 0).x(1).measure(1, 1)
    assert late.terminal_measurements == {0: 0, 1: 1}
    assert [type(s) for s in late.segments()] == [UnitarySegment, Measurement]
    assert Circuit(2).measure(0, 0).x(0).terminal_measurements is None
    assert Circuit(2).measure([0, 1], [0, 0]).terminal_measurements == {1: 0}
    assert Circuit(1).h(0).reset(0).terminal_measurements is None
    assert Circuit(1).reset(0).h(0).measure(0).terminal_measurements == {0: 0}


def test_segments_of_a_teleportation() -> None:
    circuit = Circuit(3, 2).h(1).cx(1, 2).cx(0, 1).h(0).measure([0, 1], [0, 1])
    with circuit.if_(1):
        circuit.x(2)
    with circuit.if_(0):
        circuit.z(2)
    kinds = [type(s) for s in circuit.segments()]
    assert kinds == [UnitarySegment, Measurement, Conditional, Conditional]
    measured, first = circuit.segments()[1:3]
    assert measured == Measurement((0, 1), (0, 1))
    assert isinstance(first, Conditional)
    assert (first.clbits, first.value, len(first.segments), first.otherwise) == ((1,), 1, 1, ())
    with pytest.raises(NotUnitaryError, match=r"use circuit.segments\(\)"):
        circuit.packed()


def test_if_with_both_branches_and_registers() -> None:
    circuit = Circuit(2)
    register = circuit.add_register("c", 2)
    circuit.measure([0, 1], register.clbits).if_("c", 2, Circuit(2).x(0), Circuit(2).y(0).reset(1))
    conditional = circuit.segments()[-1]
    assert isinstance(conditional, Conditional)
    assert conditional.clbits == (0, 1)
    assert [type(s) for s in conditional.otherwise] == [UnitarySegment]  # qubit 1 was never touched by a gate


def test_reset_after_use_stays_in_order() -> None:
    circuit = Circuit(1).h(0).measure(0, 0).reset(0).h(0).measure(0, 1)
    assert [type(s) for s in circuit.segments()] == [
        UnitarySegment,
        Measurement,
        Reset,
        UnitarySegment,
        Measurement,
    ]


def test_a_body_that_fails_leaves_nothing_behind() -> None:
    circuit = Circuit(1, 1).measure(0)
    with pytest.raises(QubitError), circuit.if_(0):
        circuit.x(0).x(7)
    assert circuit == Circuit(1, 1).measure(0)


@pytest.mark.parametrize("num_qubits", [1, 3, 6])
def test_initialize_on_fresh_qubits_is_a_gate(num_qubits: int) -> None:
    state = random_unitary(np.random.default_rng(num_qubits), num_qubits)[:, 0]
    circuit = Circuit(num_qubits).initialize(state)
    assert circuit.terminal_measurements is not None
    assert np.allclose(DenseSimulator.run(circuit.packed()).state, state, atol=1e-12)


@pytest.mark.parametrize("state", [[1, 0], [0, 1], [0, 1j], [-1, 0], [0.6, -0.8j], [1j, 0]])
def test_preparation_has_the_state_as_first_column(state: list[complex]) -> None:
    assert np.allclose(preparation(np.array(state, dtype=complex)).array[:, 0], state, atol=1e-14)


def test_initialize_with_bits_on_chosen_qubits() -> None:
    circuit = Circuit(3).initialize("01", [2, 0])
    assert abs(DenseSimulator.run(circuit.packed()).state[0b100]) == 1


def test_initialize_beyond_a_matrix_and_on_used_qubits() -> None:
    state = np.zeros(128)
    state[5] = 1
    large = Circuit(8).initialize(state, range(1, 8))
    (segment,) = large.segments()
    assert isinstance(segment, Initialize)
    assert segment.qubits == tuple(range(1, 8))
    assert large.terminal_measurements is not None
    with pytest.raises(NotUnitaryError):
        large.packed()
    assert [type(s) for s in Circuit(1).h(0).initialize("1").segments()] == [
        UnitarySegment,
        Reset,
        UnitarySegment,
    ]


@pytest.mark.parametrize("method", ["inverse", "control", "packed"])
def test_what_needs_gates_only(method: str) -> None:
    circuit = Circuit(1).h(0).measure(0).h(0)
    with pytest.raises(NotUnitaryError):
        getattr(circuit, method)()
