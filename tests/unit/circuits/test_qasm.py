"""OpenQASM 2 and 3: what is read, and what an error says."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

from qrealm.base.errors import (
    ReadError,
    SyntaxReadError,
    UnsupportedError,
)
from qrealm.circuits import Circuit, Parameter, read
from qrealm.circuits.formats import qasm_full
from qrealm.circuits.formats.arithmetic import evaluate, simple
from unit.circuits.matrix_of import matrix_of

BELL = Circuit(2).h(0).cx(0, 1)
BELL_DICT = {"num_qubits": 2, "gates": [{"type": "H", "qubits": [0]}, {"type": "CX", "qubits": [0, 1]}]}
BELL_2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\nh q[0];\ncx q[0],q[1];\n'
BELL_3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nh q[0];\ncx q[0], q[1];\n'


def qasm(body: str, *, head: str = "OPENQASM 3.0; qubit[3] q; bit[3] c; ") -> Circuit:
    return read(head + body)


def test_registers_broadcast_and_measure() -> None:
    circuit = read(
        "OPENQASM 2.0; qreg a[2]; qreg b[2]; creg c[2]; creg d[1]; h a; cx a,b; cz a, b[1]; "
        "measure a -> c; measure b[1] -> d[0];"
    )
    expected = Circuit(4, 0)
    expected.add_register("c", 2)
    expected.add_register("d", 1)
    expected.h(0).h(1).cx(0, 2).cx(1, 3).cz(0, 3).cz(1, 3).measure([0, 1, 3], [0, 1, 2])
    assert circuit == expected


def test_declarations_of_openqasm_3() -> None:
    circuit = read(
        "qubit a; qubit[2] b; bit m; bit[2] n = measure b; x a; m = measure a; n[1] = measure b[0];"
    )
    assert circuit.num_qubits == 3
    assert circuit.instructions[0][1:] == ((1,), (1,))
    assert [r.name for r in circuit.registers] == ["m", "n"]


def test_comments_and_white_space() -> None:
    assert (
        read(BELL_3.replace("h q[0];", "/* a\n; b */ h\n  q [ 0 ] // c;\n ;").replace(", ", " ,\t")) == BELL
    )


@pytest.mark.parametrize(
    "text,value",
    [
        ("pi/2", math.pi / 2),
        ("-0.25", -0.25),
        ("2*(1+sin(0.5))", 2 * (1 + math.sin(0.5))),
        ("1e-3", 1e-3),
        ("π", math.pi),
        (" 3 ", 3.0),
        ("pi * 0.5", math.pi / 2),
        ("sqrt(2)/2", math.sqrt(0.5)),
    ],
)
def test_parameters(text: str, value: float) -> None:
    assert qasm(f"rx({text}) q[0]; rx({text}) q[1];") == read("qubit[3] q; bit[3] c;").rx(value, 0).rx(
        value, 1
    )


@pytest.mark.parametrize(
    "text",
    [
        "pi",
        "-pi",
        "3*pi/4",
        "-3*pi/4",
        " - 3 * pi / 4 ",
        "pi/2",
        "-pi/7",
        "0.1*pi",
        "12.5*pi/3.5",
        "99999*pi/7",
    ],
)
def test_shares_of_pi_are_what_arithmetic_gives(text: str) -> None:
    assert simple(text) == evaluate(text)
    assert qasm(f"rz(0.5) q[0]; rz({text}) q[0];").instructions[1][2] == (evaluate(text),)


@pytest.mark.parametrize("text", ["pi/0", "2pi", "pi*pi", "--pi", "+pi", "pi/theta", "nan", "1_0*pi", ""])
def test_what_is_no_share_of_pi(text: str) -> None:
    assert simple(text) is None


def test_a_list_of_parameters() -> None:
    assert qasm("U(pi/2, 0.1,-sin(0.3)) q[1]; u3(1,2,3) q[0]; u3(1,2,4) q[0];").instructions[0][2] == (
        math.pi / 2,
        0.1,
        -math.sin(0.3),
    )


def test_caret_is_a_power_in_openqasm_2_only() -> None:
    assert read("OPENQASM 2.0; qreg q[1]; rx(2^3) q[0];").instructions[0][2] == (8.0,)
    with pytest.raises(ReadError):
        read("OPENQASM 3.0; qubit[1] q; rx(2^3) q[0];")


def test_modifiers() -> None:
    circuit = qasm(
        "ctrl @ rx(0.3) q[0], q[1]; inv @ s q[0]; pow(2) @ t q[1]; ctrl(2) @ z q[0],q[1],q[2]; "
        "negctrl @ ctrl @ x q[0],q[1],q[2]; pow(0.5) @ rz(0.4) q[0]; inv @ ctrl @ "
        "pow(-1) @ p(0.2) q[2],q[0]; ctrl @ gphase(0.7) q[1];"
    )
    expected = (
        Circuit(3)
        .crx(0.3, 0, 1)
        .sdg(0)
        .t(1)
        .t(1)
        .ccz(0, 1, 2)
        .x(0)
        .ccx(0, 1, 2)
        .x(0)
        .rz(0.2, 0)
        .cp(0.2, 2, 0)
        .p(0.7, 1)
    )
    assert np.allclose(matrix_of(circuit), matrix_of(expected), atol=1e-12)


@pytest.mark.parametrize("gate,size", [("x", 1), ("h", 1), ("swap", 2), ("iswap", 2), ("cx", 2), ("s", 1)])
def test_fractional_powers(gate: str, size: int) -> None:
    wires = ", ".join(f"q[{i}]" for i in range(size))
    third = qasm(f"pow(1/3) @ {gate} {wires};")
    assert np.allclose(
        np.linalg.matrix_power(matrix_of(third), 3), matrix_of(qasm(f"{gate} {wires};")), atol=1e-10
    )


def test_gate_definitions_are_expanded() -> None:
    circuit = qasm(
        "gate half(t) a { rx(t/2) a; } gate pair(t, s) a, b { half(t+s) a; cx a, b; inv @ half(s) b; } "
        "pair(0.4, pi) q[2], q[0]; ctrl @ pair(1, 2) q[0], q[1], q[2];"
    )
    expected = (
        Circuit(3)
        .rx((0.4 + math.pi) / 2, 2)
        .cx(2, 0)
        .rx(-math.pi / 2, 0)
        .crx(1.5, 0, 1)
        .ccx(0, 1, 2)
        .crx(-1.0, 0, 2)
    )
    assert np.allclose(matrix_of(circuit), matrix_of(expected), atol=1e-12)


def test_a_definition_that_says_what_the_table_says_stays_one_gate() -> None:
    head = "gate rzz(t) a, b { cx a, b; rz(t) b; cx a, b; } "
    assert qasm(head + "rzz(0.5) q[0], q[1];").count_ops() == {"rzz": 1}
    other = qasm("gate rzz(t) a, b { cx a, b; rz(2*t) b; cx a, b; } rzz(0.5) q[0], q[1];")
    assert np.allclose(matrix_of(other), matrix_of(Circuit(3).rzz(1.0, 0, 1)))


def test_conditions_stay_conditions() -> None:
    circuit = qasm(
        "c[0] = measure q[0]; if (c[0]) x q[1]; if (!c[0]) { y q[1]; } else { z q[1]; } "
        "if (c == 5) h q[2]; if (c[1] != 1) reset q[0]; if (c[2] == true) { if (c[0] == false) x q[0]; }"
    )
    expected = Circuit(3, 0)
    expected.add_register("c", 3)
    expected.measure(0, 0).if_(0, 1, Circuit(3).x(1))
    expected.if_(0, 1, Circuit(3).z(1), Circuit(3).y(1))
    expected.if_("c", 5, Circuit(3).h(2))
    expected.if_(1, 1, Circuit(3), Circuit(3).reset(0))
    inner = Circuit(3, 3)
    inner.if_(0, 0, Circuit(3).x(0))
    expected.if_(2, 1, inner)
    assert circuit == expected


def test_conditions_of_openqasm_2() -> None:
    circuit = read(
        "OPENQASM 2.0; qreg q[2]; creg c[2]; measure q -> c; if(c==2) u1(pi) q[0]; if (c == 1) x q[1];"
    )
    assert circuit.count_ops() == {"measure": 2, "if": 2}


def test_conditions_on_several_bits_are_nested() -> None:
    head = "c = measure q; "
    both = qasm(head + "if (c[0] && c[1] == 0) x q[2]; else y q[2];")
    nested = qasm(head + "if (c[0]) { if (c[1] == 0) x q[2]; else y q[2]; } else { y q[2]; }")
    assert both == nested
    either = qasm(head + "if (c[0] || !(c[1] && (c[2]))) { x q[2]; }")
    assert either == qasm(
        head + "if (c[0]) { x q[2]; } else { if (c[1]) { if (c[2]) {} else x q[2]; } else x q[2]; }"
    )
    with pytest.raises(UnsupportedError) as caught:
        qasm(head + "if (" + "||".join(["c[0]"] * 99) + ") x q[0];")
    assert caught.value.line == 1


def test_else_if() -> None:
    chain = qasm(
        "if (c == 1) x q[0]; else if (c == 2) { y q[0]; } else if (c[0]) z q[0]; else { h q[0]; } t q[1];"
    )
    assert chain == qasm(
        "if (c == 1) x q[0]; else { if (c == 2) { y q[0]; } else { if (c[0]) z q[0]; else h q[0]; } } t q[1];"
    )


def test_times_are_read() -> None:
    body = "delay[10ns] q[0]; h q[0]; delay[2.5 us] q; box { x q[1]; delay[3dt]; }"
    found = qasm(body)
    waits = [(op.name, qubits, args) for op, qubits, args in found if op.name.startswith("delay")]
    times = [("delay", 2500.0)] * 3 + [("delay_dt", 3.0)] * 3
    assert waits == [("delay", (0,), (10.0,)), *((n, (i % 3,), (t,)) for i, (n, t) in enumerate(times))]
    with pytest.raises(SyntaxReadError, match="'r' is not declared"):
        qasm("delay[10ns] r;")


def test_an_outcome_that_is_not_kept_gets_bits_of_its_own() -> None:
    circuit = qasm("h q[0]; measure q[0]; h q[0]; c[0] = measure q[0]; if (c[0]) { measure q[1]; }")
    assert [(r.name, r.size) for r in circuit.registers] == [
        ("c", 3),
        ("(discarded 1)", 1),
        ("(discarded 2)", 1),
    ]
    assert circuit.instructions[1][2] == (3,)
    assert read(circuit.to_qasm3()).num_clbits == 5


def test_initial_values_of_bits() -> None:
    assert read('bit[2] c = "00"; bit d = 0; bit e = false; qubit q;').num_clbits == 4
    for text in ('qubit q;\nbit[2] c = "10";', "qubit q;\nbit c = 1;", "qubit q;\nbit c = true;"):
        with pytest.raises(UnsupportedError, match="another value than 0") as caught:
            read(text)
        assert (caught.value.line, caught.value.column, caught.value.rule) == (2, 1, "bits start as 0 here")
    with pytest.raises(SyntaxReadError, match="3 bits are given to a register of 2"):
        read('bit[2] c = "000";')


def test_identifiers_of_any_script() -> None:
    circuit = read(
        "qubit[2] größe; bit β; input float θ; gate öse(φ) ä { rx(φ) ä; } "
        "öse(θ) größe[1]; β = measure größe[1];"
    )
    assert circuit == read("qubit[2] a; bit β; input float θ; rx(θ) a[1]; β = measure a[1];")


def test_opaque_gates_are_refused_only_where_they_are_called() -> None:
    head = "OPENQASM 2.0;\nopaque magic(a) x, y;\nqreg q[2];\n"
    assert read(head + "h q[0];") == Circuit(2, 0).h(0)
    with pytest.raises(UnsupportedError, match="'magic' is opaque") as caught:
        read(head + "  magic(1) q[0], q[1];")
    assert (caught.value.line, caught.value.column) == (4, 3)


def test_physical_qubits() -> None:
    circuit = read("bit[2] c; h $0; cx $0, $3; c[1] = measure $3; barrier $0, $1;")
    assert circuit.num_qubits == 4
    assert circuit.instructions[1][1] == (0, 3)
    assert circuit.instructions[2][1:] == ((3,), (1,))
    with pytest.raises(UnsupportedError, match="next to declared"):
        read("qubit q; h $0;")
    with pytest.raises(SyntaxReadError, match="next to physical"):
        read("h $0; qubit q;")
    with pytest.raises(SyntaxReadError, match=r"there is no qubit \$99999"):
        read("h $99999;")


def test_a_comment_that_is_never_closed() -> None:
    with pytest.raises(SyntaxReadError, match="the comment is never closed") as caught:
        read("qubit q;\n  /* h q;\nx q;")
    assert (caught.value.line, caught.value.column) == (2, 3)
    assert read("qubit q; // see /*\n x q;") == Circuit(1, 0).x(0)


def test_open_parameters() -> None:
    circuit = read(
        "OPENQASM 3.0; input float[64] theta; input angle b; qubit q; rx(2*theta) q; ry(b) q; rx(2*theta) q;"
    )
    assert circuit == Circuit(1, 0).rx(2 * Parameter("theta"), 0).ry(Parameter("b"), 0).rx(
        2 * Parameter("theta"), 0
    )


def test_the_whole_language_goes_through_pyqasm() -> None:
    circuit = read("""OPENQASM 3.0;
        include "stdgates.inc";
        const int n = 3;
        qubit[n] q; bit[n] c;
        def entangle(qubit a, qubit b) { h a; cx a, b; }
        for int i in [0:n - 1] { rx(pi / (i + 1)) q[i]; }
        entangle(q[0], q[2]);
        let pair = q[0:1];
        swap pair[0], pair[1];
        switch (n) { case 3 { z q[0]; } default { x q[0]; } }
        c[0] = measure q[0];
        if (c >= 6) { ecr q[0], q[1]; }
        """)
    assert circuit.count_ops() == {"rx": 3, "h": 1, "cx": 1, "swap": 1, "z": 1, "measure": 1, "if": 1}
    assert circuit.instructions[2][2] == (math.pi / 3,)


def test_pyqasm_leaves_no_trace(capfd: pytest.CaptureFixture[str]) -> None:
    import sys

    with pytest.raises(ReadError):
        qasm("for int i in [0:9] { h q[i]; }")
    assert capfd.readouterr() == ("", "")
    assert getattr(sys, "tracebacklimit", None) is None


BAD_QASM = [
    ("qreg q[2];\nh q[5];", 2, 3, "q[5] is out of range", "q has the indices 0 to 1"),
    ("qubit[2] q;\n  foo q[0];", 2, 3, "no gate called 'foo'", "in the gate table"),
    ("qubit[2] q;\ncx q[0],q[0];", 2, 1, "named twice", "differ"),
    ("qubit[2] q;\nrx(1,2) q[0];", 2, 1, "rx got 2 parameters", "rx takes 1 (theta)"),
    ("qubit[2] q;\nrx(a) q[0];", 2, 1, "'a' is not declared", "arithmetic"),
    ("qubit[2] q;\nrx(1/0) q[0];", 2, 1, "finite", ""),
    ("qubit[2] q;\nh q[0]", 2, 7, "does not end", "ends with ;"),
    ("qubit[2] q;\nh r[0];", 2, 3, "'r' is not declared", "before it is used"),
    ("qubit[2] q;\nqubit[2] q;", 2, 1, "declared twice", "once"),
    ("qubit[0] q;\n", 1, 1, "has size 0", "from 1"),
    ("qubit[99999] q;\n", 1, 1, "has size 99999", "4096"),
    ("qubit[2] q; bit[2] c;\nmeasure q -> c[0];", 2, 1, "differ in size", "as many"),
    ("qubit[2] q; bit[2] c;\nmeasure c -> q;", 2, 9, "cannot stand here", "qubits are wanted"),
    ("qubit[2] q; qubit[3] r;\ncx q, r;", 2, 1, "sizes [2, 3]", "one size"),
    ("qubit[2] q;\nh q[0];\n}", 3, 1, "closes no block", ""),
    ("qubit[2] q;\ngate g a { h a;", 2, 10, "never closed", ""),
    ("qubit[2] q;\nh q[0]\ncx q[0],q[1];", 2, 3, "cannot read the operand", "separated by commas"),
    ("OPENQASM 4.0;\nqubit q;", 1, 1, "OPENQASM 4.0", "3.0"),
    ("qubit[2] q;\n;;\n5 q;", 3, 1, "cannot read '5 q'", "starts with a name"),
    ("OPENQASM 2.0;\nqreg q[1];\ncreg c[1];\nif(c==2) x q[0];", 4, 1, "can never be 2", "0 to 1"),
    ("qubit[2] q;\ncx q[0];", 2, 1, "cx got 1 qubit;", ""),
]


@pytest.mark.parametrize("text,line,column,message,rule", BAD_QASM, ids=lambda x: str(x)[:24])
def test_errors_say_where_what_and_why(text: str, line: int, column: int, message: str, rule: str) -> None:
    with pytest.raises(SyntaxReadError) as caught:
        read(text)
    error = caught.value
    assert (error.line, error.column) == (line, column), str(error)
    assert error.text == text.split("\n")[line - 1]
    assert message in error.message
    assert rule in error.rule
    assert str(error).startswith(f"QR121: <text>, line {line}, column {column}: ")


def test_the_whole_text_of_an_error() -> None:
    with pytest.raises(SyntaxReadError) as caught:
        read("OPENQASM 3.0;\nqubit[2] q;\ncnt q[0], q[1];")
    assert str(caught.value) == (
        "QR121: <text>, line 3, column 1: there is no gate called 'cnt'\n"
        "    cnt q[0], q[1];\n"
        "    ^\n"
        "rule: a gate is defined, or in the gate table\n"
        "hint: did you mean cnot or ccnot or not?"
    )


def test_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.qasm").write_text("qubit q;\nh r;", encoding="utf-8")
    with pytest.raises(SyntaxReadError, match=r"bad\.qasm, line 2, column 3"):
        read(tmp_path / "bad.qasm")


@pytest.mark.parametrize(
    "body",
    [
        "for int i in [0:9] { h q[i]; }",
        "for int i in [0:2] { h q i]; }",
        "while (true) { x q[0]; }",
        "rx(a) $0; float a = 1;",
        "int i = 0; h q[i+7];",
    ],
)
def test_errors_behind_pyqasm(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qasm_full, "LOOP_TURNS_MAX", 50)
    with pytest.raises(ReadError):
        qasm(body)


def test_loops_in_loops_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qasm_full, "GATES_MAX", 500)
    with pytest.raises(UnsupportedError, match="more than 500 gates"):
        qasm("for int i in [0:99999] { for int j in [0:99999] { x q[0]; } }")


@pytest.mark.parametrize(
    "text,line,message",
    [
        ("qubit q;\nconst int n = 10**10**10;", 2, "2^35 bits"),
        ("qubit q;\nint n = 1 << 999999999999;", 2, "2^39 bits"),
        ("int a = 3;\nfor int i in [0:60] { a = a * a; }", 2, "out of limits"),
        ("qubit q;\nfor int i in [0:99999] {\n for int j in [0:99999] { } }", 2, "more than 200000"),
        ("int n = 99999;\nfor int i in [0:n] { for int j in [0:n] { } }", 2, "more than 200000"),
        ("int[64] n = 10**12;\nfor int i in [0:n] { }", 2, "1000000000001 turns"),
        ("qubit q;\nfor int i in [0:9999999999999] { x q; }", 2, "more than 200000"),
        ("const int n = 10**9;\nqubit[n] q;", 2, "size 1000000000"),
        ("const int n = 10**9;\nbit[n] q;", 2, "size 1000000000"),
        ("array[int[8], 10**6, 10**6] a;", 1, "entries"),
        ("uint[999999999] a = 3;", 1, "width of a type"),
        ("int a = 3;\na = uint[999999999](a);", 2, "width of a type"),
        ("int a = 1;\nwhile (true) { while (true) { } }", 2, "max allowed"),
    ],
    ids=lambda x: str(x)[:32],
)
def test_no_program_runs_for_ever(text: str, line: int, message: str) -> None:
    with pytest.raises(ReadError, match=re.escape(message)) as caught:
        read(text)
    error = caught.value
    assert (error.line, error.text) == (line, text.split("\n")[line - 1])
    assert error.column >= 1
    assert error.rule


@pytest.mark.parametrize(
    "text,line,column",
    [
        ("qubit[2] q;\nint i = 0;\n  h q[i+7];", 3, 3),
        ("qubit[2] q;\nfor int i in [0:2] {\n  h q[i]; }", 3, 3),
        ("qubit[2] q; int a = 0;\n zzz q[0];", 2, 2),
        ("qubit[2] q;\nint a @ 3;", 2, 7),
        ("qubit q;\n int a = 3 \x01 4;", 2, 12),
        ("qubit[2] q;\nstretch a;\ndelay[a] q;", 2, 1),
        ("qubit q; bit c; array[int[8], 2] a = {1, 2};\nif (a == a) { x q; }", 2, 1),
        ("qubit[2] q;\nfor int i in [0:1] {\n x q[i];\n cx q[i], q[0]; }", 4, 2),
        ("qubit q; extern f(int) -> int;\nint a = f(1);\nrx(a) q;", 3, 4),
        ("int[32] a = " + "9" * 5000 + ";", 1, 1),
    ],
    ids=lambda x: str(x)[:32],
)
def test_errors_behind_pyqasm_have_their_place(
    text: str, line: int, column: int, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ReadError) as caught:
        read(text)
    error = caught.value
    assert (error.line, error.column) == (line, column), str(error)
    assert error.text == text.split("\n")[line - 1][:200]
    assert error.message
    assert error.rule
    for leak in ("truth value", "Failed to parse", "span=", "openqasm3", "<class", "after unrolling"):
        assert leak not in str(error)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "body,message",
    [
        ("int k = 0;\nk = c[0]; rx(k) q[0];", "measured bit"),
        ("int k = c[0];", "measured bit"),
        ("int i = 0;\nrx(c[0]) q[i];", "measured bit"),
        ("for int i in [0:c[0]] { x q[0]; }", "measured bit"),
        ("while (c[0]) { x q[0]; }", "measured bit"),
        ("int k = 0;\nif (c[0] == 1) { k = 1; } rx(k) q[0];", "under a condition"),
        ("int k = 0;\nc[0] = 1; if (c[0]) { x q[0]; }", "something else than a measurement"),
        ('int k = 0;\nbit[2] d = "10"; if (d == 2) { x q[0]; }', "another value than 0"),
    ],
)
def test_pyqasm_does_not_take_measured_bits_for_zero(body: str, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message) as caught:
        qasm("c = measure q; " + body)
    assert caught.value.line == body.count("\n") + 1


def test_a_program_that_ends_too_early_is_shown_at_its_last_word() -> None:
    with pytest.raises(SyntaxReadError, match="ends too early") as caught:
        read("qubit[4] q;\nfor int i in {1, 3} { h q[i];\n\n")
    assert (caught.value.line, caught.value.column) == (2, 30)
    assert caught.value.text


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("text", ["2pi", "1if", "3in q", "1_0", "2.5x"])
def test_numbers_glued_to_words_are_refused_without_a_warning(text: str) -> None:
    with pytest.raises(ReadError):
        qasm(f"rx({text}) q[0];")


def test_values_in_braces() -> None:
    circuit = read("qubit[4] q; for int i in {1, 3} { h q[i]; }")
    assert circuit == Circuit(4, 0).h(1).h(3)


def test_exponential_definitions_are_stopped() -> None:
    body = "gate g0 a { x a; x a; } " + " ".join(f"gate g{i + 1} a {{ g{i} a; g{i} a; }}" for i in range(40))
    with pytest.raises(ReadError, match="too many gates"):
        qasm(body + " g40 q[0];")
