"""Parameters: arithmetic, binding, sweeps, derivatives."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

from qrealm.base.errors import ParameterError, ReadError
from qrealm.circuits import Circuit, Parameter, read
from qrealm.circuits.formats.arithmetic import evaluate
from qrealm.circuits.parameters import lift
from unit.circuits.matrix_of import matrix_of

A, B = Parameter("a"), Parameter("b")
POINT = {"a": 0.7, "b": 1.9}
EXPRESSIONS = [
    (A + B, 2.6),
    (A - B, -1.2),
    (2 * A, 1.4),
    (A / 2, 0.35),
    (1 / A, 1 / 0.7),
    (A**2, 0.49),
    (2**A, 2**0.7),
    (A**B, 0.7**1.9),
    (-A, -0.7),
    (abs(-A), 0.7),
    (A.sin(), math.sin(0.7)),
    (A.cos(), math.cos(0.7)),
    (A.tan(), math.tan(0.7)),
    (A.arcsin(), math.asin(0.7)),
    (A.arccos(), math.acos(0.7)),
    (A.arctan(), math.atan(0.7)),
    (A.exp(), math.exp(0.7)),
    (A.log(), math.log(0.7)),
    (A.sqrt(), math.sqrt(0.7)),
    (np.sin(A) * B + 3, math.sin(0.7) * 1.9 + 3),
    ((A - B) - (A - 1), -0.9),
    (A / (B / 2), 0.7 / 0.95),
    (+A, 0.7),
    (3 - A, 2.3),
    (-((A + B) ** 2), -(2.6**2)),
    ((A**2) ** B, 0.49**1.9),
]


@pytest.mark.parametrize("expression,value", EXPRESSIONS, ids=lambda x: str(x)[:30])
def test_value_text_and_derivative(expression, value) -> None:
    assert expression.evaluate(POINT) == pytest.approx(value, rel=1e-14)
    again = evaluate(str(expression))
    assert again.evaluate(POINT) == pytest.approx(value, rel=1e-14), "the text says the same"
    assert pickle.loads(pickle.dumps(expression)) == expression
    for name in POINT:
        step = 1e-6
        up, down = ({**POINT, name: POINT[name] + s} for s in (step, -step))
        numeric = (expression.evaluate(up) - expression.evaluate(down)) / (2 * step)
        assert expression.derivative(name).evaluate(POINT) == pytest.approx(numeric, rel=1e-6, abs=1e-8)


def test_parameters_are_equal_by_name() -> None:
    assert Parameter("a") == A
    assert len({A, Parameter("a"), B}) == 2
    assert (A + B).parameters == (A, B)


@pytest.mark.parametrize("bad", ["", None, 3])
def test_bad_names(bad: object) -> None:
    with pytest.raises(ParameterError):
        Parameter(bad)  # type: ignore[arg-type]


def test_constants_fold_and_bad_values_are_refused() -> None:
    assert float(lift(2.0) * 3) == 6.0
    with pytest.raises(ParameterError, match="finite"):
        lift(1.0) / 0
    with pytest.raises(ParameterError, match="unbound"):
        float(A + 1)
    with pytest.raises(TypeError):
        A + "x"


def test_nesting_has_a_limit() -> None:
    total = lift(0.0) + A
    while total._depth < 200:
        total = total + A
    with pytest.raises(ParameterError, match="nested 201 deep; the rule is at most 200"):
        total + A


def test_bind_in_parts_and_by_expression() -> None:
    circuit = Circuit(2, global_phase=A).rx(2 * A, 0).ry(B, 1).cu(A, B, 0.1, A * B, 0, 1)
    assert circuit.parameters == (A, B)
    partly = circuit.bind(a=0.3)
    assert partly.parameters == (B,)
    whole = partly.bind({B: 0.5})
    direct = Circuit(2, global_phase=0.3).rx(0.6, 0).ry(0.5, 1).cu(0.3, 0.5, 0.1, 0.15, 0, 1)
    assert np.allclose(matrix_of(whole), matrix_of(direct))
    assert circuit.bind(b=A + 1).parameters == (A,)
    assert circuit.parameters == (A, B), "bind makes a copy"


def test_bind_inside_a_condition() -> None:
    circuit = Circuit(1, 1).measure(0)
    with circuit.if_(0):
        circuit.rx(A, 0)
    assert circuit.parameters == (A,)
    assert circuit.bind(a=0.5) == Circuit(1, 1).measure(0).copy().compose(_branch(0.5), [0], [0])


def _branch(angle: float) -> Circuit:
    circuit = Circuit(1, 1)
    with circuit.if_(0):
        circuit.rx(angle, 0)
    return circuit


def test_packed_wants_bound_parameters() -> None:
    circuit = Circuit(1).rx(A, 0)
    with pytest.raises(ParameterError, match="not bound yet: a"):
        circuit.packed()
    with pytest.raises(ParameterError, match="not bound yet: a"):
        circuit.segments()


def test_a_sweep_packs_once() -> None:
    circuit = Circuit(2).rx(2 * A, 0).r(A, B, 1).ms(A, B, 0.25, 0, 1).xx_plus_yy(A, B, 0, 1).rz(0.5, 0)
    template = circuit.template()
    assert circuit.template() is template
    assert template.parameters == ("a", "b")
    values = np.random.default_rng(1).uniform(-3, 3, (7, 2))
    params = template.evaluate(values)
    assert params.shape == (7, len(template.packed.params))
    for row, point in zip(params, values, strict=True):
        bound = circuit.bind(a=point[0], b=point[1])
        assert np.allclose(row, bound.packed().params, atol=1e-15)
        assert np.allclose(matrix_of(template.with_params(row)), matrix_of(bound))
    assert np.allclose(
        template.evaluate({"a": values[:, 0], "b": 0.1})[3], template.bind([values[3, 0], 0.1]).params
    )


def test_jacobian_is_exact() -> None:
    template = Circuit(1).rx(A * B, 0).ry(A.sin(), 0).rz(A * B, 0).template()
    jacobian = template.jacobian(POINT)
    expected = [[1.9, 0.7], [math.cos(0.7), 0], [1.9, 0.7]]
    assert np.allclose(jacobian, expected)


@pytest.mark.parametrize(
    "values,words",
    [
        ({"a": 1.0}, "parameters are \\['a', 'b'\\]"),
        ({"a": 1, "b": 2, "c": 3}, "binding got"),
        ([1.0], "one column"),
        ({"a": [1, 2], "b": [1, 2, 3]}, "one length"),
        ({"a": float("nan"), "b": 0}, "finite"),
        ({"a": "x", "b": 0}, "numbers"),
    ],
)
def test_sweeps_that_are_refused(values, words) -> None:
    with pytest.raises(ParameterError, match=words):
        Circuit(1).rx(A, 0).ry(B, 0).template().evaluate(values)


@pytest.mark.parametrize(
    "text,value",
    [
        ("pi/2", math.pi / 2),
        ("-pi", -math.pi),
        ("2*pi/3", 2 * math.pi / 3),
        ("sin(pi/6)", 0.5),
        ("2^3", 8.0),
        ("2**3", 8.0),
        ("1e-3", 1e-3),
        (".5", 0.5),
        ("5.", 5.0),
        ("(1+2)*3", 9.0),
        ("ln(euler)", 1.0),
        ("sqrt(2)", 2**0.5),
        ("τ/4", math.pi / 2),
        ("-2^2", -4.0),
        ("pow(2, 3)", 8.0),
        ("007", 7.0),
        ("+1", 1.0),
    ],
)
def test_arithmetic_text(text: str, value: float) -> None:
    assert evaluate(text) == pytest.approx(value, rel=1e-14)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1/0",
        "__import__('os')",
        "a.b",
        "1 if 2 else 3",
        "nan",
        "lambda: 1",
        "2**99999999",
        "[1]",
        "1,2",
        "(" * 500,
        "f(1)",
        "x" * 20_000,
        "1e999",
        "sqrt(0-1)",
        "'a'",
        "True",
        "1_0",
        "sin(1,2)",
        "1j",
    ],
)
def test_arithmetic_that_is_refused(text: str) -> None:
    with pytest.raises(ParameterError):
        evaluate(text, ())


@pytest.mark.parametrize("value", [1.1e15, -1e300, 10**17, np.float64(1e16)])
def test_absurd_angles_are_refused_wherever_they_come_in(value: float) -> None:
    rule = r"the rule is .*-1e\+15 to 1e\+15"
    theta = Parameter("theta")
    swept = Circuit(1).rz(theta, 0)
    for call in (
        lambda: Circuit(1).rz(value, 0),
        lambda: Circuit(1).gphase(value),
        lambda: swept.bind(theta=value),
        lambda: swept.template().bind({"theta": value}),
        lambda: swept.template().evaluate({"theta": np.array([0.1, value])}),
    ):
        with pytest.raises(ParameterError, match=rule):
            call()
    for source in (
        f"qubit q; rz(0.1) q; rz({float(value)!r}) q;",
        f"qubit q; rz(0.1) q; rz({int(value)}*pi) q;",
        {
            "num_qubits": 1,
            "gates": [{"type": "RZ", "qubits": [0], "params": [p]} for p in (0.1, float(value))],
        },
    ):
        with pytest.raises(ReadError, match=rule):
            read(source)
    assert Circuit(1).rz(1e15, 0).instructions[0][2] == (1e15,)


def test_a_phase_cannot_grow_to_infinity() -> None:
    circuit = Circuit(1).gphase(9e14)
    with pytest.raises(ParameterError, match="the rule is"):
        circuit.gphase(9e14)
