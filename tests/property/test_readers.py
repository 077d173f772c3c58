"""Whatever comes in, a reader gives a circuit or one of our errors: no crash, no hang, nothing else."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qrealm.base.errors import QrealmError, SyntaxReadError, UnsupportedError
from qrealm.circuits import Circuit, PauliSum, read
from qrealm.circuits.formats import qasm_full
from qrealm.circuits.formats.arithmetic import evaluate
from qrealm.circuits.read import read_text

LIMITS = settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

PROGRAMS = [
    """OPENQASM 2.0;
include "qelib1.inc";
qreg q[3];
creg c[3];
h q;
cx q[0],q[1];
u3(pi/2,0.1,-0.3) q[2];
if(c==3) x q[0];
measure q -> c;
""",
    """OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
bit[3] c;
gate g(t) a, b { rx(t/2) a; ctrl @ z a, b; }
g(0.3) q[0], q[1];
pow(2) @ inv @ s q[2];
c[0] = measure q[0];
if (c[0] == 1) { x q[1]; } else { reset q[2]; }
""",
    """OPENQASM 3.0;
const int n = 2;
qubit[n] q;
bit[n] c;
for int i in [0:n-1] { h q[i]; }
c = measure q;
""",
    """{"num_qubits": 2, "gates": [{"type": "H", "qubits": [0]}, {"type": "RX",
    "qubits": [1], "params": [0.5]},
    {"type": "MEASURE", "qubits": [0], "clbits": [0], "if": {"clbits": [1]}}]}""",
    """{"format": "ionq.circuit.v0", "qubits": 2, "circuit": [
    {"gate": "cnot", "control": 0, "target": 1}]}""",
]
WORDS = [
    "h",
    "cx",
    "q[0]",
    "q",
    "c",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ";",
    ",",
    "->",
    "=",
    "measure",
    "if",
    "gate",
    "pi",
    "1e9",
    "-",
    "qubit[2] q;",
    "qreg q[2];",
    "bit c;",
    "OPENQASM 3.0;",
    "OPENQASM 2.0;",
    "ctrl @",
    "pow(0.5) @",
    "inv @",
    "rx(0.1)",
    "\n",
    "//",
    "/*",
    "*/",
    '"',
    "else",
    "U(1,2,3)",
    "barrier",
    "reset",
    "gphase(1)",
    "input float t;",
    "rx(t)",
    "$0",
    "\x00",
    "π",
    "**",
    "999999999999",
    "nan",
    "for int i in [0:2]",
    "while(true)",
    "def f(qubit a)",
    "let a = q;",
    "const int n = 10**10**10;",
    "int k = 1",
    "k = k * k;",
    "const",
    "1 <<",
    "9999999",
    "int[n] m = 3;",
    "uint[99999999] w;",
    "for int i in [0:99999] { for int j in [0:99999] { } }",
    "for int i in {1, 2} {",
    "array[int[8], 1000000, 1000000] a;",
    "}",
    "box {",
    "delay[10ns]",
    "measure",
    "opaque",
]

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(
    ["H", "cx", "RX", "u", "unitary", "measure", "reset", "barrier", "initialize", "if", "mcx", "gphase"]
)
items = st.fixed_dictionaries(
    {"type": names | scalars},
    optional={
        "qubits": st.lists(st.integers(-1, 3) | scalars, max_size=4) | values,
        "params": st.lists(scalars, max_size=4) | values,
        "controls": values,
        "control_state": values,
        "clbits": st.lists(st.integers(0, 3), max_size=3) | values,
        "matrix": values,
        "state": values,
        "value": values,
        "gates": values,
        "else": values,
        "if": values,
    },
)
ours = st.fixed_dictionaries(
    {"num_qubits": st.integers(0, 4) | scalars, "gates": st.lists(items, max_size=4) | values},
    optional={"num_clbits": scalars, "global_phase": scalars, "registers": values, "name": values},
)
ionq_items = st.fixed_dictionaries(
    {"gate": st.sampled_from(["h", "cnot", "rx", "ms", "gpi", "zz", "swap", "v"]) | scalars},
    optional={
        "target": st.integers(0, 3) | values,
        "targets": values,
        "control": values,
        "controls": values,
        "rotation": scalars,
        "phase": scalars,
        "phases": values,
        "angle": scalars,
    },
)
ionq = st.fixed_dictionaries(
    {"circuit": st.lists(ionq_items, max_size=4) | values},
    optional={"qubits": scalars, "gateset": st.sampled_from(["qis", "native"]) | scalars, "input": values},
)


@pytest.fixture(autouse=True)
def small_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops of pyqasm end soon enough for many examples."""
    monkeypatch.setattr(qasm_full, "LOOP_TURNS_MAX", 50)
    monkeypatch.setattr(qasm_full, "GATES_MAX", 500)


def only_our_errors(call: Any, *args: Any) -> None:
    begun = time.thread_time()
    try:
        result = call(*args)
    except QrealmError as error:
        result = error
    assert time.thread_time() - begun < 10
    if isinstance(result, QrealmError):
        assert result.message
    if isinstance(result, (SyntaxReadError, UnsupportedError)):
        assert result.line >= 1
        assert result.column >= 1
        assert result.rule
        assert str(result).startswith(result.code)
    if isinstance(result, Circuit) and len(result) < 1000:
        assert result.digest == result.copy().digest
        assert repr(result)


@LIMITS
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    only_our_errors(read_text, text)


@LIMITS
@given(st.lists(st.sampled_from(WORDS), max_size=30))
def test_words_of_the_language_in_any_order(words: list[str]) -> None:
    only_our_errors(read_text, " ".join(words))


@LIMITS
@given(st.sampled_from(PROGRAMS), st.data())
def test_programs_with_a_part_changed(program: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(program)))
        end = min(len(program), start + data.draw(st.integers(0, 6)))
        program = program[:start] + data.draw(st.sampled_from(WORDS) | st.text(max_size=3)) + program[end:]
    only_our_errors(read_text, program)


@LIMITS
@given(values)
def test_any_json(value: Any) -> None:
    only_our_errors(read_text, json.dumps(value))


@LIMITS
@given(ours | ionq)
def test_dicts_of_about_the_right_shape(source: dict[str, Any]) -> None:
    only_our_errors(read, source)


@LIMITS
@given(values.filter(lambda v: not isinstance(v, str)))
def test_any_python_value(value: Any) -> None:
    only_our_errors(read, value)


@LIMITS
@given(st.text(alphabet="0123456789.+-*/()^ piesncoqrtab,_", max_size=40) | st.text(max_size=20))
def test_any_arithmetic(text: str) -> None:
    only_our_errors(evaluate, text)


@LIMITS
@given(st.text(alphabet="XYZI0123456789.+-*@ e_", max_size=30) | st.text(max_size=20))
def test_any_observable(text: str) -> None:
    only_our_errors(PauliSum, text)
