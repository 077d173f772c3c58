"""Walks the gate table: every promise that a row makes is checked on the row's own matrix."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from qrealm.base.errors import MatrixError, UnknownGateError
from qrealm.circuits import Circuit, method_writer
from qrealm.circuits.gate_rows import GATES
from qrealm.circuits.gates import Gate, Matrix, find_gate
from qrealm.circuits.kernel_ops import OpCode
from qrealm.circuits.matrices import controlled, pauli_string
from qrealm.circuits.transform import inverted
from reference.ops import OP_BY_CODE
from unit.circuits.matrix_of import matrix_of

ROWS = [g for g in GATES.values() if g.name != "unitary"]
POINTS = (0.3, -1.7, 2.9, 0.0)


def params_of(gate: Gate, start: int) -> list[float]:
    return [POINTS[(start + i) % len(POINTS)] * (1 + 0.1 * i) for i in range(gate.num_params)]


def exponential(letters: str, angle: float) -> np.ndarray:
    pauli = pauli_string(letters)
    return np.cos(angle) * np.eye(len(pauli)) - 1j * np.sin(angle) * pauli


@pytest.mark.parametrize("gate", ROWS, ids=lambda g: g.name)
@pytest.mark.parametrize("start", range(4))
def test_matrix_is_unitary_and_lowering_multiplies_to_it(gate: Gate, start: int) -> None:
    params = params_of(gate, start)
    matrix = gate.full_matrix(params)
    assert np.allclose(matrix.conj().T @ matrix, np.eye(len(matrix)), atol=1e-12)
    circuit = Circuit(gate.num_qubits).append(gate, range(gate.num_qubits), params)
    assert np.allclose(matrix_of(circuit), matrix, atol=1e-12)


@pytest.mark.parametrize("gate", ROWS, ids=lambda g: g.name)
def test_added_controls_act_only_when_all_are_one(gate: Gate) -> None:
    params, n = params_of(gate, 1), gate.num_qubits
    circuit = Circuit(n + 2).append(gate, range(2, n + 2), params, controls=(0, 1))
    assert np.allclose(matrix_of(circuit), controlled(gate.full_matrix(params), 2), atol=1e-12)


@pytest.mark.parametrize("gate", ROWS, ids=lambda g: g.name)
def test_inverse_undoes(gate: Gate) -> None:
    params, wires = tuple(params_of(gate, 2)), tuple(range(gate.num_qubits))
    circuit = Circuit(gate.num_qubits).append(gate, wires, params)
    assert np.allclose(
        matrix_of(circuit.compose(circuit.inverse())), np.eye(1 << gate.num_qubits), atol=1e-12
    )
    if gate.inverse is not None:
        assert gate.inverse in GATES
        assert len(inverted(gate, wires, params)[2]) == GATES[gate.inverse].num_params


@pytest.mark.parametrize("gate", ROWS, ids=lambda g: g.name)
def test_diagonal_is_told_truly(gate: Gate) -> None:
    matrix = gate.matrix(*params_of(gate, 0))
    assert gate.diagonal == bool(np.allclose(matrix, np.diag(np.diag(matrix))))


@pytest.mark.parametrize("gate", [g for g in ROWS if g.rotations], ids=lambda g: g.name)
def test_rotation_form_multiplies_to_the_matrix(gate: Gate) -> None:
    params = params_of(gate, 0)
    total = np.eye(1 << gate.targets, dtype=complex)
    for factor in gate.rotations:
        value = 1.0 if factor.parameter is None else params[factor.parameter]
        total = exponential(factor.pauli, factor.coefficient * value) @ total
    assert np.allclose(total, gate.matrix(*params), atol=1e-12)


def test_every_gate_with_parameters_has_a_rotation_form_but_rv() -> None:
    assert {g.name for g in ROWS if g.params and not g.rotations} == {"rv"}


@pytest.mark.parametrize("gate", [g for g in ROWS if g.scales], ids=lambda g: g.name)
def test_powers_scale_the_parameters(gate: Gate) -> None:
    params = params_of(gate, 0)
    third = gate.matrix(*(p / 3 for p in params))
    assert np.allclose(np.linalg.matrix_power(third, 3), gate.matrix(*params), atol=1e-12)


def test_names_and_aliases_are_unique_and_found_in_any_case() -> None:
    seen: dict[str, str] = {}
    for gate in GATES.values():
        for name in (gate.name, *gate.aliases):
            assert seen.setdefault(name.lower(), gate.name) == gate.name
            assert find_gate(name.upper()) is gate
        assert gate.help.endswith(".")
        assert "\n" not in gate.help


@pytest.mark.parametrize(
    "spelling,name",
    [
        ("CNOT", "cx"),
        ("Toffoli", "ccx"),
        ("Fredkin", "cswap"),
        ("u1", "p"),
        ("u3", "u"),
        ("U", "u"),
        ("CX", "cx"),
        ("PhaseShift", "p"),
        ("cu1", "cp"),
        ("not", "x"),
        ("si", "sdg"),
        ("v", "sx"),
        ("vi", "sxdg"),
        ("tof", "ccx"),
        ("MCPhase", "mcp"),
        ("rc3x", "rcccx"),
        ("c3sqrtx", "c3sx"),
        ("global_phase", "gphase"),
        ("IsingXX", "rxx"),
    ],
)
def test_other_spellings(spelling: str, name: str) -> None:
    assert find_gate(spelling) is GATES[name]


def test_an_unknown_gate_gets_close_names() -> None:
    with pytest.raises(UnknownGateError, match="QR101: there is no gate called 'crxx'") as caught:
        find_gate("crxx")
    assert "crx" in caught.value.hint


def test_kernel_codes_agree_with_the_reference() -> None:
    assert {op.name: int(op.code) for op in OP_BY_CODE.values()} == {code.name: int(code) for code in OpCode}


def test_gate_methods_are_up_to_date() -> None:
    from pathlib import Path

    written = Path(method_writer.__file__).with_name("gate_methods.py").read_text(encoding="utf-8")
    assert written == method_writer.source(), "run: python -m qrealm.circuits.method_writer"


@pytest.mark.parametrize("gate", ROWS, ids=lambda g: g.name)
def test_every_gate_has_a_builder_method(gate: Gate) -> None:
    params = params_of(gate, 0)
    wires = list(range(gate.num_qubits))
    if gate.variadic:
        wires = [[0], 1]  # type: ignore[list-item]
    circuit = Circuit(max(1, gate.num_qubits))
    getattr(circuit, gate.name)(*params, *wires)
    if gate.name != "gphase":
        assert circuit.instructions == ((gate, tuple(range(gate.num_qubits)), tuple(params)),)
    else:
        assert circuit.global_phase == params[0]


def test_matrices_against_qiskit() -> None:
    pytest.importorskip("qiskit")
    from qiskit.circuit.library import RVGate
    from qiskit.circuit.library.standard_gates import C3XGate, C4XGate, get_standard_gate_name_mapping

    compared = set()
    rows = {**get_standard_gate_name_mapping(), "c3x": C3XGate(), "c4x": C4XGate(), "rv": RVGate(1, 2, 3)}
    for name, standard in rows.items():
        if name in ("delay", "reset", "measure"):
            continue
        gate = find_gate(name)
        params = params_of(gate, 1)
        theirs = (
            type(standard)(*params) if not hasattr(standard, "base_class") else standard.base_class(*params)
        )
        assert np.allclose(gate.full_matrix(params), np.atleast_2d(theirs.to_matrix()), atol=1e-12), name
        compared.add(gate.name)
    assert len(compared) >= 48


@pytest.mark.parametrize(
    "bad,words",
    [
        ([[1, 0], [0, 2]], "not unitary"),
        ([[1, 0, 0]] * 3, "shape"),
        ([[np.nan, 0], [0, 1]], "not unitary"),
        ("x", "square array"),
        (np.eye(128), "k from 1 to 6"),
        ([[1, 0], [0]], "square array"),
        (np.eye(1), "shape"),
    ],
)
def test_matrices_that_are_refused(bad: object, words: str) -> None:
    with pytest.raises(MatrixError, match=words):
        Matrix(bad)


def test_matrix_is_read_only_and_compares_by_value() -> None:
    matrix = Matrix([[0, 1], [1, 0]])
    assert matrix == Matrix(np.array([[0, 1], [1, 0]]))
    assert len({matrix, Matrix([[0, 1], [1, 0]])}) == 1
    with pytest.raises(ValueError, match="read-only"):
        matrix.array[0, 0] = 1


def test_two_level_decomposition_is_exact() -> None:
    from qrealm.circuits.formats.two_level import decompose
    from unit.circuits.draws import random_unitary

    rng = np.random.default_rng(5)
    for size, order in itertools.product((1, 2, 3), range(2)):
        matrix = random_unitary(rng, size) if order else np.eye(1 << size)[::-1].astype(complex)
        circuit = Circuit(size)
        for gate, wires, params in decompose(matrix, tuple(range(size))):
            circuit.append(gate, (), params, controls=wires) if gate.name == "gphase" else circuit.append(
                gate, wires[-1:], params, controls=wires[:-1]
            )
        assert np.allclose(matrix_of(circuit), matrix, atol=1e-10)
