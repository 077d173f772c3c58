"""Every text and dict form: what is read, and what an error says."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from qrealm.base.errors import (
    QrealmError,
    SchemaError,
    SourceFileError,
    SourceKindError,
    SyntaxReadError,
    UnsupportedError,
)
from qrealm.circuits import Circuit, Parameter, read
from qrealm.circuits.read import FORMATS
from unit.circuits.matrix_of import assert_same_up_to_phase, matrix_of

EXAMPLES = sorted(
    path
    for path in (Path(__file__).parents[3] / "examples").iterdir()
    if path.suffix == ".qasm" or (path.suffix == ".json" and '"gates"' in path.read_text())
)
BELL = Circuit(2).h(0).cx(0, 1)
BELL_DICT = {"num_qubits": 2, "gates": [{"type": "H", "qubits": [0]}, {"type": "CX", "qubits": [0, 1]}]}
BELL_2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\nh q[0];\ncx q[0],q[1];\n'
BELL_3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nh q[0];\ncx q[0], q[1];\n'


def qasm(body: str, *, head: str = "OPENQASM 3.0; qubit[3] q; bit[3] c; ") -> Circuit:
    return read(head + body)


# ---- which form it is --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        BELL,
        BELL_DICT,
        json.dumps(BELL_DICT),
        BELL_2,
        BELL_3,
        "\ufeff" + BELL_3,
        {"qubits": 2, "circuit": [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}]},
    ],
)
def test_one_circuit_in_every_form(source: object) -> None:
    assert read(source) == BELL


def test_paths(tmp_path: Path) -> None:
    for name, text in (("a.qasm", BELL_2), ("b.json", json.dumps(BELL_DICT))):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        assert read(path) == BELL
        assert read(str(path)) == BELL


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SourceFileError, match=r"QR124.*cannot read the file 'no/such.qasm': No such file"):
        read("no/such.qasm")
    with pytest.raises(SourceFileError, match="directory"):
        read(tmp_path)
    (tmp_path / "x.qasm").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SourceFileError, match="not UTF-8 text"):
        read(tmp_path / "x.qasm")
    with pytest.raises(SourceFileError):
        read("a\0b")


@pytest.mark.parametrize("source", [None, 5, object(), b"OPENQASM 3.0;", [1], ""])
def test_other_kinds_are_refused(source: object) -> None:
    with pytest.raises(SourceKindError, match="QR123"):
        read(source)


def test_arguments_are_for_qnodes() -> None:
    with pytest.raises(SourceKindError, match="QNode"):
        read(BELL_DICT, 0.5)


def test_a_circuit_is_returned_as_it_is() -> None:
    assert read(BELL) is BELL
    assert len({row.name for row in FORMATS}) == len(FORMATS)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_examples_are_read_and_written_again(path: Path) -> None:
    circuit = read(path)
    assert len(circuit) > 0
    assert read(circuit.to_qasm3()).count_ops() == circuit.count_ops()


# ---- dict and JSON -----------------------------------------------------------------------------------


def test_everything_that_the_dict_form_can_say() -> None:
    source = {
        "num_qubits": 3,
        "num_clbits": 3,
        "name": "all",
        "global_phase": 0.5,
        "registers": [{"name": "c", "size": 3}],
        "gates": [
            {"type": "initialize", "qubits": [0, 1], "state": "10"},
            {"type": "Initialize", "qubits": [2], "state": [0.6, [0, 0.8]]},
            {"type": "RX", "qubits": [0], "params": ["theta/2"]},
            {"type": "X", "qubits": [2], "controls": [0, 1], "control_state": 1},
            {"type": "unitary", "qubits": [1], "matrix": [[0, [0, -1]], [[0, 1], 0]]},
            {"type": "barrier", "qubits": []},
            {"type": "measure", "qubits": [0, 1], "clbits": [1, 2]},
            {"type": "reset", "qubits": [0]},
            {"type": "Z", "qubits": [2], "if": {"clbits": [1], "value": 1}},
            {
                "type": "if",
                "clbits": [0, 1],
                "value": 2,
                "gates": [{"type": "H", "qubits": [0]}],
                "else": [{"type": "Y", "qubits": [0]}],
            },
        ],
    }
    before = copy.deepcopy(source)
    circuit = read(source)
    assert source == before
    expected = Circuit(3, 0, global_phase=0.5)
    register = expected.add_register("c", 3)
    expected.initialize("10").initialize([0.6, 0.8j], 2).rx(Parameter("theta") / 2, 0)
    expected.append("x", [2], controls=[0, 1], control_state=1).unitary([[0, -1j], [1j, 0]], 1).barrier()
    expected.measure([0, 1], [1, 2]).reset(0).if_(1, 1, Circuit(3).z(2))
    expected.if_([register.clbits[0], 1], 2, Circuit(3).h(0), Circuit(3).y(0))
    assert circuit == expected
    assert read(json.loads(json.dumps(circuit.to_dict()))) == circuit


@pytest.mark.parametrize(
    "change,words",
    [
        ({"num_qubits": None}, "num_qubits must be an integer"),
        ({"num_qubits": -1}, "0 to 4096"),
        ({"gates": 5}, "gates is a int"),
        ({"extra": 1}, "'extra' is not known"),
        ({"gates": [5]}, r"gates\[0\]: a gate is a int"),
        ({"gates": [{"qubits": [0]}]}, r"gates\[0\]: the field 'type' is missing"),
        ({"gates": [{"type": "H"}]}, "the field 'qubits' is missing"),
        ({"gates": [{"type": "H", "qubits": 0}]}, "'qubits' is a int"),
        ({"gates": [{"type": "H", "qubits": [0], "angle": 1}]}, "'angle' is not known"),
        (
            {"gates": [{"type": "H", "qubits": [0]}, {"type": "HH", "qubits": [0]}]},
            r"gates\[1\]: there is no gate",
        ),
        ({"gates": [{"type": "CX", "qubits": [0, 0]}]}, "named twice"),
        ({"gates": [{"type": "CX", "qubits": [0, 2]}]}, "cx got qubit 2"),
        ({"gates": [{"type": "RX", "qubits": [0], "params": [float("nan")]}]}, "finite"),
        ({"gates": [{"type": "RX", "qubits": [0], "params": [None]}]}, "real number"),
        ({"gates": [{"type": "RX", "qubits": [0], "params": ["1 +"]}]}, "arithmetic"),
        ({"gates": [{"type": "unitary", "qubits": [0]}]}, "needs the field 'matrix'"),
        ({"gates": [{"type": "unitary", "qubits": [0], "matrix": [[1, 0], [0, 2]]}]}, "not unitary"),
        ({"gates": [{"type": "unitary", "qubits": [0], "matrix": 3}]}, "list of rows"),
        ({"gates": [{"type": "unitary", "qubits": [0], "matrix": [[10**400, 0], [0, 1]]}]}, "too large"),
        ({"gates": [{"type": "unitary", "qubits": [0], "matrix": [[[1, 10**400], 0], [0, 1]]}]}, "too large"),
        ({"gates": [{"type": "initialize", "qubits": [0], "state": [10**400, 0]}]}, "too large"),
        ({"gates": [{"type": "rx", "qubits": [0], "params": [10**400]}]}, "must be a real number"),
        ({"gates": [{"type": "initialize", "qubits": [0], "state": None}]}, "not a state"),
        (
            {"gates": [{"type": "if", "clbits": [0], "gates": [{"type": "HH", "qubits": [0]}]}]},
            "no gate called",
        ),
        ({"gates": [{"type": "X", "qubits": [0], "if": 3}]}, "'if' is not an object"),
        ({"registers": 3}, "registers is not a list"),
        ({"registers": [3]}, "needs name and size"),
    ],
)
def test_dicts_that_are_refused(change: dict, words: str) -> None:
    with pytest.raises(SchemaError, match=words) as caught:
        read({**BELL_DICT, **change})
    assert caught.value.code == "QR125"


def test_json_errors_have_a_place() -> None:
    with pytest.raises(SchemaError, match="line 2, column 3: not JSON") as caught:
        read("{\n  num: 1}")
    assert caught.value.text == "  num: 1}"
    with pytest.raises(SchemaError, match="neither our dict form nor IonQ's"):
        read({"foo": 1})
    with pytest.raises(SchemaError, match="not JSON that can be read"):
        read("[" * 100_000)


# ---- IonQ --------------------------------------------------------------------------------------------


def test_ionq_gates_in_radians() -> None:
    circuit = read(
        {
            "format": "ionq.circuit.v0",
            "qubits": 3,
            "gateset": "qis",
            "circuit": [
                {"gate": "h", "target": 0},
                {"gate": "cnot", "control": 0, "target": 1},
                {"gate": "rx", "target": 2, "rotation": 0.3},
                {"gate": "x", "controls": [0, 1], "target": 2},
                {"gate": "swap", "targets": [0, 2]},
                {"gate": "si", "target": 0},
                {"gate": "v", "target": 1},
                {"gate": "vi", "target": 1},
                {"gate": "zz", "targets": [0, 1], "rotation": 0.5},
                {"gate": "not", "target": 2},
                {"gate": "rz", "control": 0, "target": 1, "rotation": 0.25},
            ],
        }
    )
    expected = (
        Circuit(3)
        .h(0)
        .cx(0, 1)
        .rx(0.3, 2)
        .append("x", [2], controls=[0, 1])
        .swap(0, 2)
        .sdg(0)
        .sx(1)
        .sxdg(1)
        .rzz(0.5, 0, 1)
        .x(2)
        .append("rz", [1], [0.25], controls=[0])
    )
    assert circuit == expected


def test_ionq_native_gates_in_turns() -> None:
    job = {
        "name": "job",
        "input": {
            "format": "ionq.circuit.v0",
            "gateset": "native",
            "qubits": 2,
            "circuit": [
                {"gate": "gpi", "target": 0, "phase": 0.1},
                {"gate": "gpi2", "target": 1, "phase": 0.2},
                {"gate": "ms", "targets": [0, 1], "phases": [0.1, 0.2], "angle": 0.15},
                {"gate": "ms", "targets": [0, 1], "phases": [0, 0.5]},
                {"gate": "zz", "targets": [0, 1], "angle": 0.12},
                {"gate": "nop", "target": 0},
            ],
        },
    }
    expected = (
        Circuit(2).gpi(0.1, 0).gpi2(0.2, 1).ms(0.1, 0.2, 0.15, 0, 1).ms(0, 0.5, 0.25, 0, 1).zz(0.12, 0, 1)
    )
    assert_same_up_to_phase(matrix_of(read(job)), matrix_of(expected))


@pytest.mark.parametrize(
    "source,words",
    [
        ({"circuit": 3}, "not a list"),
        ({"circuit": [{"target": 0}]}, "field 'gate'"),
        ({"circuit": [{"gate": "h", "target": "a"}]}, "integers"),
        ({"circuit": [{"gate": "h", "target": 0, "x": 1}]}, "'x'"),
        ({"qubits": 1, "circuit": [{"gate": "h", "target": 1}]}, r"circuit\[0\]: h got qubit 1"),
        ({"circuit": [], "gateset": "other"}, "gate set"),
        ({"circuits": [[]]}, "several circuits"),
        ({"gateset": "native", "circuit": [{"gate": "h", "target": 0}]}, "not a native gate"),
    ],
)
def test_ionq_that_is_refused(source: dict, words: str) -> None:
    with pytest.raises(SchemaError, match=words):
        read(source)


def test_every_reading_error_is_a_qrealm_error() -> None:
    for kind in (SchemaError, SourceFileError, SourceKindError, SyntaxReadError, UnsupportedError):
        assert issubclass(kind, QrealmError)
        assert issubclass(kind, ValueError)
        assert kind("x").exit_code == 2
