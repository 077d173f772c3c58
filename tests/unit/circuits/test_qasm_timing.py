"""OpenQASM's delays and boxes: units, what begins together, what a box's time means; noise notices."""

from __future__ import annotations

import math

import pytest

from qrealm.base.errors import SyntaxReadError, UnsupportedError
from qrealm.circuits import Circuit, read
from qrealm.circuits.noise import NoiseModel
from qrealm.simulate.run import run

T1 = 100_000.0
IDLE = NoiseModel().idle(T1, T1, {1: 100.0, 2: 400.0})


def qasm(body: str) -> list[tuple]:
    """(name, qubits, arguments) of what a program on three qubits and bits becomes."""
    head = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[3] q;\nbit[3] c;\n'
    return [(op.name, qubits, args) for op, qubits, args in read(head + body)]


def wait(time: float, *qubits: int, unit: str = "delay") -> list[tuple]:
    return [(unit, (qubit,), (time,)) for qubit in qubits]


def line(*qubits: int) -> tuple:
    return ("barrier", qubits, ())


@pytest.mark.parametrize(
    "text, nanoseconds",
    {"40ns": 40.0, "40 ns": 40.0, "2.5us": 2500.0, "2.5µs": 2500.0, "3ms": 3e6, "1s": 1e9,
     ".5us": 500.0, "1_000ns": 1000.0, "1e2ns": 100.0, "2*10ns": 20.0}.items(),
)  # fmt: skip
def test_units(text: str, nanoseconds: float) -> None:
    assert qasm(f"delay[{text}] q[1];") == wait(nanoseconds, 1)
    assert qasm(f"duration t = {text}; delay[t] q[1];") == wait(nanoseconds, 1)


def test_cycles_and_greek() -> None:
    assert qasm("delay[2.5μs] q[1];") == wait(2500.0, 1)  # a Greek mu, where µ is the sign of a unit
    assert qasm("delay[30dt] q[0];") == wait(30.0, 0, unit="delay_dt")


def test_a_delay_on_several_qubits_begins_on_all_at_once() -> None:
    """The language's section on delays: it starts at the latest time at which one of them is idle."""
    assert qasm("delay[40ns] q[0], q[2];") == [line(0, 2), *wait(40.0, 0, 2)]
    assert qasm("delay[40ns] q;") == qasm("delay[40ns];") == [line(0, 1, 2), *wait(40.0, 0, 1, 2)]


def test_a_box_is_entered_and_left_together() -> None:
    assert qasm("box { x q[0]; h q[2]; }") == [line(0, 2), ("x", (0,), ()), ("h", (2,), ()), line(0, 2)]
    assert qasm("box { x q[0]; }") == [("x", (0,), ())]
    assert qasm("box { nop q[1], q[2]; x q[0]; }") == [line(0, 1, 2), ("x", (0,), ()), line(0, 1, 2)]
    inside = qasm("c[0] = measure q[0]; if (c[0]) { box { x q[1]; h q[2]; } }")[-1]
    assert [op.name for op, _, _ in inside[2][1]] == ["barrier", "x", "h", "barrier"]


def test_a_box_takes_its_time() -> None:
    assert qasm("box[40ns] { delay[10ns] q[0]; }") == [*wait(10.0, 0), *wait(30.0, 0)]
    assert qasm("box[0.04us] { delay[40ns] q[0]; }") == wait(40.0, 0)
    assert qasm("box[1us] { nop q[0], q[2]; }") == [line(0, 2), *wait(1000.0, 0, 2), line(0, 2)]
    assert qasm("box[9dt] { delay[4dt] q[1]; }") == wait(4.0, 1, unit="delay_dt") + wait(
        5.0, 1, unit="delay_dt"
    )
    assert qasm("box[40ns] { rz(0.5) q[0]; }") == [("rz", (0,), (0.5,)), *wait(40.0, 0)]
    assert qasm("duration t = 40ns; box[t] { delay[10ns] q[0]; }") == [*wait(10.0, 0), *wait(30.0, 0)]
    # A barrier inside holds the shorter one up.
    body = "box[50ns] { delay[10ns] q[0]; delay[20ns] q[1]; barrier q[0], q[1]; delay[20ns] q[0]; }"
    assert qasm(body)[-3:-1] == [*wait(10.0, 0), *wait(30.0, 1)]
    nested = "box[50ns] { box[20ns] { delay[10ns] q[0]; delay[5ns] q[1]; } delay[10ns] q[1]; }"
    assert qasm(nested)[-3:-1] == [*wait(30.0, 0), *wait(20.0, 1)]


@pytest.mark.parametrize(
    "body, words",
    {
        "box[40ns] { x q[0]; }": "a box has a time of its own and holds x, whose time is not known",
        "box[40ns] { cz q[0], q[1]; }": "holds cz",
        "box[40ns] { c[0] = measure q[0]; }": "holds measure",
        "box[40ns] { delay[50ns] q[1]; }": "a box of 40 ns holds 50 ns on qubit 1",
        "box[40ns] { delay[5dt] q[1]; }": "one unit and a delay in another",
    }.items(),
)
def test_times_that_cannot_be_kept(body: str, words: str) -> None:
    with pytest.raises((UnsupportedError, SyntaxReadError), match=words) as caught:
        qasm(f"h q[0];\n{body}")
    assert caught.value.line == 6


def test_numbers_without_end() -> None:
    with pytest.raises(SyntaxReadError, match="at most 1e"):
        qasm("delay[1e999ns] q[0];")
    with pytest.raises(SyntaxReadError, match="at most 1e"):
        qasm("box[1e7s] { delay[1ns] q[0]; }")


def test_what_is_written() -> None:
    circuit = Circuit(2).delay(40.0, 0).delay(0.25, 1).delay(1e-3, 0).append("delay_dt", (1,), (7,))
    text = circuit.to_qasm3()
    assert "delay[40ns] q[0];\ndelay[0.25ns] q[1];\ndelay[0.001ns] q[0];\ndelay[7dt] q[1];" in text
    assert read(text) == circuit
    together = read("OPENQASM 3.0; qubit[2] q; box[2us] { delay[1us] q; }")
    assert read(together.to_qasm3()) == together


def test_noise_sees_the_box() -> None:
    """A qubit that waits for the box's time relaxes for it: exp(-t / T1)."""
    head = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; x q; '
    circuit = read(head + "box[20us] { delay[5us] q[0]; nop q[1]; }")
    found = run(circuit, 0, observables=["Z0", "Z1"], noise=IDLE).expectation_values
    assert found["Z0"] == pytest.approx(1 - 2 * math.exp(-20_000 / T1), abs=1e-9)
    assert found["Z1"] == pytest.approx(1 - 2 * math.exp(-20_000 / T1), abs=1e-9)


def test_the_reference_parser_reads_what_is_written() -> None:
    grammar = pytest.importorskip("openqasm3")
    circuit = Circuit(1).delay(40.0, 0).delay(1e-6, 0).delay(2.5e14, 0).append("delay_dt", (0,), (7,))
    found = grammar.parse(circuit.to_qasm3()).statements
    times = [each.duration for each in found if isinstance(each, grammar.ast.DelayInstruction)]
    assert [(each.value, each.unit.name) for each in times] == [
        (40, "ns"),
        (1e-6, "ns"),
        (250_000_000_000_000, "ns"),
        (7, "dt"),
    ]
