"""What is written is read back as the same circuit, and frameworks understand it."""

from __future__ import annotations

import numpy as np
import pytest

from qrealm.base.errors import WriteError
from qrealm.circuits import Circuit, Parameter, read
from qrealm.circuits.gate_rows import GATES
from unit.circuits.draws import random_circuit
from unit.circuits.matrix_of import assert_same_up_to_phase, matrix_of

SEEDS = range(12)
NOT_IN_2 = tuple(
    name
    for name in GATES
    if name
    not in "id x y z h s sdg t tdg sx sxdg rx ry rz p u u2 cx cy cz ch cp crx cry crz cu swap cswap ccx "
    "ccz rxx ryy rzz rzx rccx rcccx c3x c4x c3sx iswap iswapdg dcx r cs csdg csx cu3 gphase".split()
)


@pytest.mark.parametrize("seed", SEEDS)
def test_qasm3_and_back(seed: int) -> None:
    circuit = random_circuit(seed)
    assert np.allclose(matrix_of(read(circuit.to_qasm3())), matrix_of(circuit), atol=1e-10)


@pytest.mark.parametrize("seed", SEEDS)
def test_dict_and_back(seed: int) -> None:
    circuit = random_circuit(seed)
    assert read(circuit.to_dict()) == circuit


@pytest.mark.parametrize("seed", SEEDS)
def test_qasm2_and_back(seed: int) -> None:
    circuit = random_circuit(seed, leave_out=(*NOT_IN_2, "controls"))
    assert_same_up_to_phase(matrix_of(read(circuit.to_qasm2())), matrix_of(circuit))


@pytest.mark.parametrize("name", [n for n in GATES if n not in ("unitary", "gphase")])
def test_every_gate_alone_in_qasm3(name: str) -> None:
    gate = GATES[name]
    circuit = Circuit(gate.num_qubits).append(
        name, range(gate.num_qubits), [0.3 * (i + 1) for i in range(gate.num_params)]
    )
    assert np.allclose(matrix_of(read(circuit.to_qasm3())), matrix_of(circuit), atol=1e-12)


def dynamic_circuit() -> Circuit:
    circuit = Circuit(3, 0, name="dynamic")
    a, b = circuit.add_register("a", 2), circuit.add_register("b", 1)
    circuit.h(0).measure([0, 1], a.clbits).barrier(0, 1)
    circuit.if_(a, 2, Circuit(3).x(1), Circuit(3).y(1).reset(2))
    with circuit.if_("b"):
        circuit.z(2)
    return circuit.measure(2, b.clbits[0])


def test_dynamic_circuits_keep_their_structure() -> None:
    circuit = dynamic_circuit()
    assert read(circuit.to_qasm3()) == circuit
    assert read(circuit.to_dict()) == circuit


def test_conditions_on_scattered_bits_are_nested() -> None:
    circuit = Circuit(2, 3).measure([0, 1], [0, 2])
    circuit.if_([0, 2], 1, Circuit(2).x(0), Circuit(2).y(0))
    text = circuit.to_qasm3()
    assert "if (c[0] == 1) {\n  if (c[2] == 0) {\n    x q[0];\n  } else {\n    y q[0];" in text
    read(text)


def test_open_parameters_are_inputs() -> None:
    circuit = Circuit(1, 0).rx(2 * Parameter("theta") + 1, 0).ry(Parameter("pi"), 0)
    text = circuit.to_qasm3()
    assert "input float[64] theta;" in text
    again = read(text)
    assert len(again.parameters) == 2
    bound = again.bind({again.parameters[0]: 0.2, again.parameters[1]: 0.3})
    assert np.allclose(matrix_of(bound), matrix_of(circuit.bind({"theta": 0.2, "pi": 0.3})))


def test_initial_states_are_written_as_gates() -> None:
    state = np.array([0.5, 0.5j, -0.5, 0.5])
    circuit = read(Circuit(3).initialize(state, [2, 0]).initialize("1", 1).to_qasm3())
    assert np.allclose(
        matrix_of(circuit)[:, 0], matrix_of(Circuit(3).initialize(state, [2, 0]).initialize("1", 1))[:, 0]
    )


@pytest.mark.parametrize(
    "circuit,words",
    [
        (Circuit(1).rx(Parameter("a"), 0), "no open parameters"),
        (Circuit(6).mcx([0, 1, 2, 3, 4], 5), "no words for mcx"),
        (Circuit(2).siswap(0, 1), "no words for siswap"),
    ],
)
def test_what_qasm2_cannot_say(circuit: Circuit, words: str) -> None:
    with pytest.raises(WriteError, match=words):
        circuit.to_qasm2()


def test_qasm2_conditions() -> None:
    circuit = Circuit(2, 0)
    circuit.add_register("c", 2)
    circuit.measure([0, 1]).if_("c", 3, Circuit(2).x(0).h(1))
    text = circuit.to_qasm2()
    assert "if(c == 3) x q[0];\nif(c == 3) h q[1];" in text
    assert read(text).count_ops() == {"measure": 2, "if": 2}
    with pytest.raises(WriteError, match="without else"):
        dynamic_circuit().to_qasm2()


def test_large_states_have_no_words() -> None:
    state = np.zeros(128)
    state[1] = 1
    with pytest.raises(WriteError, match="7 qubits"):
        Circuit(7).initialize(state).to_qasm3()


# ---- drawing -----------------------------------------------------------------------------------------


def test_drawing() -> None:
    circuit = Circuit(3).h(0).cx(0, 2).rz(0.5, 1).swap(0, 1).cp(0.25, 1, 2).measure(0)
    assert circuit.draw(ascii_only=True) == "\n".join(
        [
            "q0: -[H]-o-----------x----M0-----",
            "         |           |",
            "q1: -----+-[RZ(0.5)]-x-----o-----",
            "         |                 |",
            "q2: -----X-------------[P(0.25)]-",
        ]
    )
    assert "⊕" in circuit.draw()
    assert circuit.draw(ascii_only=True).isascii()


@pytest.mark.parametrize("width", [10, 40, 80, 120])
def test_drawings_keep_to_the_page(width: int) -> None:
    circuit = random_circuit(1, 5, 40).measure_all()
    for ascii_only in (False, True):
        for line in circuit.draw(width=width, ascii_only=ascii_only).split("\n"):
            assert len(line) <= max(width, 40) + 2 or "[" in line
    assert Circuit(0).draw() == "(no qubits)"
    assert str(dynamic_circuit()) == dynamic_circuit().draw()
    assert "if c0,c1=2" in dynamic_circuit().draw()


def test_bits_of_no_register_keep_their_places() -> None:
    """Before the registers where these were added later, behind them where the dict form says so."""
    circuit = Circuit(2, 2)
    circuit.add_register("d", 1)
    circuit.h(0).measure([0, 1], [0, 2])
    assert "c[0] = measure q[0];" in circuit.to_qasm3()
    assert "d[0] = measure q[1];" in circuit.to_qasm3()
    form = {"num_qubits": 1, "num_clbits": 3, "registers": [{"name": "d", "size": 1}], "gates": []}
    behind = read(form).measure(0, 2)
    assert "bit[1] d;\nbit[2] c;\nc[1] = measure q[0];" in behind.to_qasm3()


def test_openqasm_2_compares_registers_of_one_bit() -> None:
    circuit = Circuit(2)
    circuit.add_register("d", 1)
    circuit.h(0).measure(0, 0)
    with circuit.if_("d", 1):
        circuit.x(1)
    assert "if(d == 1) x q[1];" in circuit.to_qasm2()
    assert read(circuit.to_qasm2()) == circuit
