"""Where a model puts its noise, and what a run with it gives."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from qrealm.base.errors import ChannelError, SchemaError, UnknownGateError
from qrealm.circuits import Circuit, read
from qrealm.circuits.noise import (
    NoiseModel,
    ReadoutError,
    amplitude_damping,
    bit_flip,
    depolarizing,
    phase_flip,
    thermal_relaxation,
    zz_phase,
)
from qrealm.simulate.run import run


def written(model: NoiseModel, circuit: Circuit) -> list[tuple[str, tuple[int, ...]]]:
    """(operation or channel, where) of the circuit with its noise."""
    return _names(model.apply(circuit).instructions)


def _names(instructions) -> list[tuple[str, tuple[int, ...]]]:
    found = []
    for op, qubits, args in instructions:
        if op.name == "channel":
            found.append((args[0].name, qubits))
        elif op.name in ("measure", "readout"):
            found.append((op.name, (*qubits, *(a for a in args if isinstance(a, int)))))
        else:
            found.append((op.name, qubits))
    return found


# ---- gates ---------------------------------------------------------------------------------------


def test_after_named_gates() -> None:
    model = NoiseModel().after_gates(bit_flip(0.1), ["h", "CNOT"]).after_gates(depolarizing(0.1, 2), "cx")
    assert written(model, Circuit(3).h(0).x(1).cx(2, 0)) == [
        ("h", (0,)),
        ("bit_flip", (0,)),
        ("x", (1,)),
        ("cx", (2, 0)),
        ("bit_flip", (2,)),
        ("bit_flip", (0,)),
        ("depolarizing", (2, 0)),
    ]


def test_after_all_gates_of_a_size() -> None:
    model = NoiseModel().after_gates(bit_flip(0.1)).after_gates(depolarizing(0.1, 2))
    found = written(model, Circuit(3).h(0).cx(0, 1).ccx(0, 1, 2))
    assert found == [
        ("h", (0,)),
        ("bit_flip", (0,)),
        ("cx", (0, 1)),
        ("depolarizing", (0, 1)),
        ("ccx", (0, 1, 2)),
    ]


def test_after_gates_on_certain_qubits() -> None:
    model = NoiseModel().after_gates(bit_flip(0.1), qubits=[1, 0]).after_gates(phase_flip(0.1), qubits=[1])
    found = written(model, Circuit(2).cx(0, 1).cx(1, 0).h(1))
    assert found == [
        ("cx", (0, 1)),
        ("cx", (1, 0)),
        ("bit_flip", (1,)),
        ("bit_flip", (0,)),
        ("h", (1,)),
        ("phase_flip", (1,)),
    ]


def test_noise_inside_conditions() -> None:
    circuit = Circuit(2, 1).measure(0, 0)
    with circuit.if_(0):
        circuit.x(1)
    op, qubits, (_, then, otherwise) = NoiseModel().after_gates(bit_flip(0.1)).apply(circuit).instructions[-1]
    assert (op.name, qubits, otherwise) == ("if", (1,), ())
    assert _names(then) == [("x", (1,)), ("bit_flip", (1,))]


def test_crosstalk_acts_on_spectators() -> None:
    model = (
        NoiseModel().crosstalk(zz_phase(0.1), (0, 1), (1, 2)).crosstalk(phase_flip(0.1), (2, 3), (0, 1), "cz")
    )
    found = written(model, Circuit(4).cx(1, 0).cx(2, 3).cz(3, 2).h(0))
    assert found == [
        ("cx", (1, 0)),
        ("zz_phase", (1, 2)),
        ("cx", (2, 3)),
        ("cz", (3, 2)),
        ("phase_flip", (0,)),
        ("phase_flip", (1,)),
        ("h", (0,)),
    ]


def test_zz_crosstalk_turns_a_ramsey_fringe() -> None:
    """A spectator in |+> next to a qubit in |1> turns by the angle for every gate."""
    model = NoiseModel().crosstalk(zz_phase(0.3), (0, 1), (1, 2))
    circuit = Circuit(3).x(1).h(2)
    for _ in range(4):
        circuit.cz(0, 1)
    found = run(
        circuit, 0, observables=["X2", "Y2"], noise=model, backend="density_matrix"
    ).expectation_values
    assert found["X2"] == pytest.approx(math.cos(4 * 0.3), abs=1e-12)
    assert found["Y2"] == pytest.approx(-math.sin(4 * 0.3), abs=1e-12)


# ---- everything else -----------------------------------------------------------------------------


def test_measurement_reset_and_preparation() -> None:
    model = (
        NoiseModel()
        .before_measurement(bit_flip(0.1))
        .after_measurement(phase_flip(0.1))
        .after_reset(bit_flip(0.2), [1])
        .after_preparation(amplitude_damping(0.1), [0])
    )
    found = written(model, Circuit(2, 2).h(0).measure(0, 0).x(0).reset([0, 1]).measure([0, 1], [0, 1]))
    assert found == [
        ("amplitude_damping", (0,)),
        ("h", (0,)),
        ("bit_flip", (0,)),
        ("measure", (0, 0)),
        ("phase_flip", (0,)),
        ("x", (0,)),
        ("reset", (0,)),
        ("reset", (1,)),
        ("bit_flip", (1,)),
        ("bit_flip", (0,)),
        ("measure", (0, 0)),
        ("bit_flip", (1,)),
        ("measure", (1, 1)),
    ]


def test_a_circuit_that_prepares_itself_gets_its_noise_once() -> None:
    model = NoiseModel().after_preparation(bit_flip(0.1))
    found = written(model, Circuit(2).initialize("1", [0]).h(1))
    assert found == [("bit_flip", (1,)), ("initialize", (0,)), ("bit_flip", (0,)), ("h", (1,))]


def test_final_measurements_stay_last() -> None:
    """Noise after them would change nothing, and cost a run half-way."""
    model = NoiseModel().after_measurement(bit_flip(0.1)).readout(ReadoutError.flips(0.1, 0.1))
    noisy = model.apply(Circuit(2, 2).h(0).measure(0, 0).h(1).measure(1, 1))
    assert noisy.terminal_measurements == {0: 0, 1: 1}


def test_preparation_error_reaches_the_counts() -> None:
    model = NoiseModel().after_preparation(bit_flip(0.25)).before_measurement(bit_flip(0.1))
    shots = 20_000
    for backend in ("density_matrix", "auto"):
        counts = run(Circuit(1).h(0).h(0), shots, seed=2, noise=model, backend=backend).counts
        assert counts == run(Circuit(1).h(0).h(0), shots, seed=2, noise=model, backend=backend).counts
        share = counts["1"] / shots
        # Five standard deviations; a circuit that measures nothing has no noise before measurements.
        assert abs(share - 0.25) < 5 * math.sqrt(0.25 * 0.75 / shots)
    want = 0.25 * 0.9 + 0.75 * 0.1
    share = run(Circuit(1).h(0).h(0).measure_all(), shots, seed=2, noise=model).counts["1"] / shots
    assert abs(share - want) < 5 * math.sqrt(want * (1 - want) / shots)


# ---- readout -------------------------------------------------------------------------------------


def test_readout_of_each_qubit() -> None:
    one, other = ReadoutError.flips(0.1, 0.2), ReadoutError.flips(0.3, 0.4)
    model = NoiseModel().readout(one).readout(other, [1])
    noisy = model.apply(Circuit(3, 3).measure([0, 1], [2, 0]).h(2))
    errors = [(args[0], args[1:]) for op, _, args in noisy.instructions if op.name == "readout"]
    assert errors == [(one, (2,)), (other, (0,))]


def test_readout_of_a_circuit_that_measures_nothing() -> None:
    model = NoiseModel().readout(ReadoutError.flips(0.0, 1.0))
    for circuit in (Circuit(2).x(0), Circuit(2, 5).x(0)):
        assert run(circuit, 100, noise=model).counts == {"00": 100}
    never = Circuit(2, 1)
    never.if_(0, 1, Circuit(2).x(0), Circuit(2).x(1))
    assert run(never, 100, noise=NoiseModel().readout(ReadoutError.flips(0, 0))).counts == {"10": 100}


def test_readout_of_a_circuit_that_was_made_without_bits() -> None:
    model = NoiseModel().readout(ReadoutError.flips(1.0, 1.0))
    assert run(Circuit(2, 0).x(0), 10, seed=1, noise=model).counts == {"10": 10}


def test_readout_of_a_group() -> None:
    """Two detectors that swap their readings half of the time."""
    swap = np.eye(4)[[0, 2, 1, 3]]
    model = NoiseModel().readout(ReadoutError((np.eye(4) + swap) / 2, "pair"), [2, 0])
    model.readout(ReadoutError.flips(0.0, 0.5), [1])
    shots = 20_000
    counts = run(Circuit(3).x(0).x(1), shots, seed=1, noise=model).counts
    assert set(counts) == {"011", "110", "001", "100"}
    for count in counts.values():
        assert abs(count / shots - 0.25) < 5 * math.sqrt(0.25 * 0.75 / shots)
    with pytest.raises(ChannelError, match=r"reads the qubits \[2, 0\] together.*only \[0\]"):
        model.apply(Circuit(3).measure(0))
    apart = Circuit(3, 3).measure(0, 0).h(2).measure(2, 2)
    with pytest.raises(ChannelError, match="together"):
        model.apply(apart)


def test_the_same_bit_twice() -> None:
    """A bit that is measured again is misread again; what was misread first is gone."""
    model = NoiseModel().readout(ReadoutError.flips(0.0, 1.0), [0])
    circuit = Circuit(2, 1).x(0).measure(0, 0).x(1).measure(1, 0)
    assert written(model, circuit)[-3:] == [("readout", (0,)), ("x", (1,)), ("measure", (1, 0))]
    assert run(circuit, 10, noise=model, backend="density_matrix").counts == {"1": 10}
    assert written(model, Circuit(2, 1).measure([0, 1], [0, 0]))[1] == ("readout", (0,))


# ---- waiting -------------------------------------------------------------------------------------

TIMES = {"h": 20.0, 2: 100.0, ("cx", (1, 2)): 60.0}


def waits(circuit: Circuit, **options: float) -> list[tuple[int, float]]:
    """(qubit, nanoseconds) of each waiting, in order, from the relaxation that was written."""
    t1 = 1000.0
    model = NoiseModel().idle(t1, t1, TIMES, **options)
    found = []
    for op, qubits, args in model.apply(circuit).instructions:
        if op.name == "channel":
            keep = args[0].superoperator()[3, 3].real
            found.append((qubits[0], -t1 * math.log(keep)))
    return found


def test_qubits_wait_for_each_other() -> None:
    found = waits(Circuit(3).h(0).h(1).cx(0, 1).h(2).cx(1, 2))
    # Qubit 2 waits from 20 to 120 ns for the first CX; qubit 0 from 120 to 180 for the second.
    assert found == [(2, pytest.approx(100)), (0, pytest.approx(60))]


def test_a_fresh_qubit_does_not_wait() -> None:
    assert waits(Circuit(2).h(0).h(0).cx(0, 1)) == []
    reset = Circuit(2).h(0).h(1).reset(0).h(1).h(1)
    assert waits(reset, reset_ns=5.0) == []


def test_barriers_and_measurements_take_part() -> None:
    assert waits(Circuit(2).h(0).h(1).h(1).barrier().h(0)) == [
        (0, pytest.approx(20)),
        (1, pytest.approx(20)),
    ]
    assert waits(Circuit(2, 2).h(0).h(1).h(1).measure([0, 1], [0, 1]), measure_ns=500.0) == [
        (0, pytest.approx(20))
    ]
    halfway = Circuit(2, 1).h(0).measure(0, 0).h(1)
    with halfway.if_(0):
        halfway.h(1)
    # The condition waits for the measurement, and qubit 0 for the end of the circuit.
    assert waits(halfway, measure_ns=500.0) == [(1, pytest.approx(500)), (0, pytest.approx(20))]


def test_diagonal_gates_take_no_time() -> None:
    assert waits(Circuit(2).h(0).h(1).rz(0.3, 0).t(0).h(0)) == [(1, pytest.approx(20))]


def test_the_shorter_branch_waits_for_the_longer() -> None:
    circuit = Circuit(1, 1)
    circuit.h(0).measure(0, 0)
    circuit.if_(0, 1, Circuit(1).h(0).h(0), Circuit(1).h(0))
    noisy = NoiseModel().idle(1000.0, 1000.0, TIMES).apply(circuit)
    _, _, (_, then, otherwise) = noisy.instructions[-1]
    assert _names(then) == [("h", (0,)), ("h", (0,))]
    assert _names(otherwise) == [("h", (0,)), ("idle", (0,))]


def test_waiting_decays_as_it_should() -> None:
    model = NoiseModel().idle([300.0, 1e9], [500.0, 1e9], {1: 10.0, 2: 50.0})
    circuit = Circuit(2).x(0).h(1)
    for _ in range(20):
        circuit.h(1)
    found = run(circuit, 0, observables="Z0", noise=model, backend="density_matrix").expectation_values["Z0"]
    assert (1 - found) / 2 == pytest.approx(math.exp(-200 / 300), abs=1e-12)


def test_a_gate_without_a_time() -> None:
    with pytest.raises(ChannelError, match="x on qubit 0, whose time is not given"):
        NoiseModel().idle(1.0, 1.0, {"h": 5.0}).apply(Circuit(1).x(0))
    with pytest.raises(ChannelError, match="qubit 2; T1 and T2 are given for 2 qubits"):
        NoiseModel().idle([9.0] * 2, [9.0] * 2, {1: 5.0}).apply(Circuit(3).h(0).h(2).h(0))


# ---- doses, records, words -----------------------------------------------------------------------


def full_model() -> NoiseModel:
    """One rule of each kind."""
    pair = ReadoutError(np.eye(4)[[0, 2, 1, 3]], "pair")
    return (
        NoiseModel("all of it")
        .after_gates(depolarizing(0.1, 2), "cx")
        .after_gates(amplitude_damping(0.2), ["h", "x"], [1])
        .crosstalk(zz_phase(0.2), (0, 1), (1, 2))
        .before_measurement(bit_flip(0.1), [0])
        .after_reset(bit_flip(0.2))
        .readout(ReadoutError.flips(0.01, 0.02))
        .readout(pair, [2, 0])
        .idle([100.0, math.inf, 80.0], [90.0, 70.0, 160.0], {1: 10.0, "cx": 50.0, ("cx", (0, 1)): 60.0})
    )


def test_records_come_back() -> None:
    model = full_model()
    again = NoiseModel.from_dict(json.loads(json.dumps(model.to_dict())))
    assert again == model
    assert again.name == model.name
    assert again != NoiseModel()
    circuit = Circuit(3).h(1).cx(0, 1).cx(1, 2).reset(0)
    assert again.apply(circuit).digest == model.apply(circuit).digest


@pytest.mark.parametrize(
    ("record", "kind", "words"),
    [
        ({}, SchemaError, "format 1"),
        ({"format": 1, "speed": 2}, SchemaError, "'speed'"),
        ({"format": 1, "gates": [{"gates": None}]}, SchemaError, "not written as to_dict"),
        ({"format": 1, "gates": [{"channel": {"kraus": [[1]]}, "gates": None}]}, ChannelError, "Kraus op"),
        ({"format": 1, "readout": [{"qubit": 0, "error": {}}]}, ChannelError, "name and assignment"),
        ({"format": 1, "points": [{"point": "x", "qubits": None, "channel": {}}]}, ChannelError, "point 'x'"),
    ],
)
def test_records_that_are_none(record: dict, kind: type, words: str) -> None:
    with pytest.raises(kind, match=words):
        NoiseModel.from_dict(record)


def test_noise_in_the_dict_form_of_circuits() -> None:
    circuit = full_model().apply(Circuit(3, 3).h(0).cx(0, 1).measure([0, 1, 2], [0, 1, 2]))
    assert circuit.count_ops()["readout"] == 2
    again = read(json.dumps(circuit.to_dict()))
    assert again == circuit
    assert again.digest == circuit.digest
    inside = Circuit(1, 1).measure(0)
    with inside.if_(0):
        inside.append(bit_flip(0.3), [0])
    assert read(inside.to_dict()) == inside


def test_dose() -> None:
    model = full_model()
    assert model.scaled(1) == model
    tripled = model.scaled(3)
    circuit = Circuit(3).h(1).cx(0, 1)
    once, thrice = (m.apply(circuit).instructions for m in (model, tripled))
    for (_, _, before), (_, _, after) in zip(once, thrice, strict=True):
        if before and hasattr(before[0], "superoperator"):
            want = np.linalg.matrix_power(before[0].superoperator(), 3)
            assert np.abs(after[0].superoperator() - want).max() < 1e-12
    assert model.scaled(2)._rules.readout == model._rules.readout
    assert model.scaled(2, readout=True)._rules.readout != model._rules.readout
    quiet = model.scaled(0)
    value = run(circuit, 0, observables="X1 + Z0", noise=quiet, backend="density_matrix").expectation_values
    assert value["X1 + Z0"] == pytest.approx(2, abs=1e-12)
    with pytest.raises(ChannelError, match=r"'bit_flip' to the power 0\.5"):
        NoiseModel().after_gates(bit_flip(0.8)).scaled(0.5)


def test_words() -> None:
    model = full_model()
    text = model.describe()
    assert text.splitlines()[0] == "noise model 'all of it': 8 rules"
    assert "after cx: depolarizing on 2 qubits, average error 0.075" in text
    assert "after h, x on qubit 1: amplitude_damping on 1 qubit" in text
    assert "on the spectators qubits 1, 2" in text
    assert "before measurement of qubit 0: bit_flip" in text
    assert "while idle: relaxation with T1 80 to inf ns" in text
    assert "readout of all qubits: 1 for 0 with 0.01, 0 for 1 with 0.02" in text
    assert repr(model) == "<NoiseModel 'all of it': 8 rules>"
    assert repr(NoiseModel()) == "<NoiseModel: 0 rules>"


# ---- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda m: m.after_gates(depolarizing(0.1, 2), "ccx", [0, 1, 2]), "cannot follow gates on"),
        (lambda m: m.crosstalk(depolarizing(0.1, 2), [0, 1], [2]), "cannot act on the spectators"),
        (lambda m: m.before_measurement(depolarizing(0.1, 2)), "before measurement acts on 2 qubits"),
        (lambda m: m.readout(ReadoutError(np.eye(4)), [1]), "on 2 bits got the qubits"),
        (lambda m: m.readout(ReadoutError(np.eye(4))), "on 2 bits got the qubits None"),
        (lambda m: m.after_gates(bit_flip(0.1), "x", [0, 0]), "different integers from 0"),
        (lambda m: m.after_gates(bit_flip(0.1), "x", 3), "different integers from 0"),
        (lambda m: m.idle([1.0], [1.0, 2.0], {}), "1 times T1 and 2 times T2"),
        (lambda m: m.idle(1.0, 3.0, {}), "T2 <= 2 T1"),
        (lambda m: m.idle(1.0, 1.0, {"x": -1.0}), "-1.0 ns for x"),
    ],
)
def test_rules_are_checked_at_once(make, words: str) -> None:
    with pytest.raises(ChannelError, match=words):
        make(NoiseModel())


def test_groups_share_no_qubit() -> None:
    model = NoiseModel().readout(ReadoutError(np.eye(4)), [0, 1])
    with pytest.raises(ChannelError, match="another group"):
        model.readout(ReadoutError(np.eye(4)), [1, 2])


def test_names_and_qubits_that_are_not_there() -> None:
    with pytest.raises(UnknownGateError):
        NoiseModel().after_gates(bit_flip(0.1), "hadamarrd")
    model = NoiseModel().crosstalk(phase_flip(0.1), [0], [5])
    with pytest.raises(ChannelError, match="act on qubit 5; the circuit has qubits 0 to 1"):
        model.apply(Circuit(2).h(0))


def test_thermal_relaxation_after_gates_is_the_definition() -> None:
    relax = thermal_relaxation(50.0, 60.0, 10.0)
    noisy = NoiseModel().after_gates(relax, ["x"]).apply(Circuit(1).x(0))
    value = run(noisy, 0, observables="Z0", backend="density_matrix").expectation_values["Z0"]
    assert (1 - value) / 2 == pytest.approx(math.exp(-0.2), abs=1e-12)
