"""Rules that can never act are refused, and gates are found under every spelling."""

from __future__ import annotations

import pytest

from qrealm.base.errors import ChannelError, RequestError
from qrealm.circuits import Circuit
from qrealm.circuits.noise import Device, NoiseModel, ReadoutError, depolarizing, zz_phase
from qrealm.simulate.run import run


def channels(model: NoiseModel, circuit: Circuit) -> list[tuple[int, ...]]:
    """Where channels act."""
    return [qubits for op, qubits, _ in model.apply(circuit).instructions if op.name == "channel"]


@pytest.mark.parametrize(("size", "gate"), [(3, "cx"), (2, "h"), (3, "h"), (2, "ccx")])
def test_a_channel_of_another_width_than_its_gate_is_refused(size: int, gate: str) -> None:
    with pytest.raises(ChannelError, match=f"'depolarizing' on {size} qubits cannot follow the gate {gate},"):
        NoiseModel().after_gates(depolarizing(0.1, size), gate)


def test_gates_of_any_width_take_any_channel_that_fits() -> None:
    wide = Circuit(3).mcx([0, 1], 2)
    assert channels(NoiseModel().after_gates(depolarizing(0.1, 3), "mcx"), wide) == [(0, 1, 2)]
    under = Circuit(3).append("h", (2,), controls=(0, 1))  # the table has no name for it
    assert channels(NoiseModel().after_gates(depolarizing(0.1, 3), "h", (0, 1, 2)), under) == [(0, 1, 2)]
    matrix = Circuit(2).unitary([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], (0, 1))
    assert channels(NoiseModel().after_gates(depolarizing(0.1, 2), "unitary"), matrix) == [(0, 1)]


def test_qubits_that_the_gate_never_has_are_refused() -> None:
    with pytest.raises(ChannelError, match=r"names the gate h and the qubits \[0, 1\]; h is on 1 qubit"):
        NoiseModel().after_gates(depolarizing(0.1), "h", (0, 1))
    with pytest.raises(ChannelError, match=r"names the gate cx and the qubits \[0\]"):
        NoiseModel().crosstalk(zz_phase(0.1), (0,), (1, 2), "cx")


@pytest.mark.parametrize("wrong", [0.1, "depol", None])
def test_what_is_no_channel_is_refused_at_once(wrong: object) -> None:
    model = NoiseModel()
    points = (model.before_measurement, model.after_measurement, model.after_reset, model.after_preparation)
    for method in (model.after_gates, *points):
        with pytest.raises(ChannelError, match="the rule is a Channel"):
            method(wrong)  # type: ignore[operator]
    with pytest.raises(ChannelError, match="the rule is a Channel"):
        model.crosstalk(wrong, (0, 1), (2,))  # type: ignore[arg-type]
    with pytest.raises(ChannelError, match="the rule is a ReadoutError"):
        model.readout(wrong)  # type: ignore[arg-type]
    assert model == NoiseModel()


def test_a_run_refuses_noise_that_is_none() -> None:
    with pytest.raises(RequestError, match="noise got 'depolarizing'; the rule is a NoiseModel"):
        run(Circuit(1).h(0), noise="depolarizing")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "circuit"),
    [
        ("cx", Circuit(2).mcx([0], 1)),
        ("cx", Circuit(2).append("x", (1,), controls=(0,))),
        ("cy", Circuit(2).append("y", (1,), controls=(0,))),
        ("cz", Circuit(2).mcz([0], 1)),
        ("ch", Circuit(2).append("h", (1,), controls=(0,))),
        ("cp", Circuit(2).mcp(0.3, [0], 1)),
        ("crx", Circuit(2).mcrx(0.3, [0], 1)),
        ("cry", Circuit(2).append("ry", (1,), (0.3,), controls=(0,))),
        ("ccx", Circuit(3).mcx([0, 1], 2)),
        ("ccx", Circuit(3).append("cx", (1, 2), controls=(0,))),
        ("ccz", Circuit(3).append("z", (2,), controls=(0, 1))),
        ("cswap", Circuit(3).append("swap", (1, 2), controls=(0,))),
    ],
)
def test_added_controls_make_the_gate_that_the_table_names(name: str, circuit: Circuit) -> None:
    everything = tuple(range(circuit.num_qubits))
    model = NoiseModel().after_gates(depolarizing(0.1, circuit.num_qubits), name)
    assert channels(model, circuit) == [everything]
    times = NoiseModel().idle(1e4, 1e4, {name: 100.0}, measure_ns=0.0)
    assert times.apply(circuit).instructions == circuit.instructions  # the time is found


def test_a_rule_for_a_bare_gate_leaves_the_controlled_one_alone() -> None:
    model = NoiseModel().after_gates(depolarizing(0.1), "x")
    assert channels(model, Circuit(2).append("x", (1,), controls=(0,))) == []
    assert channels(model, Circuit(2).x(1)) == [(1,)]
    own = NoiseModel().after_gates(depolarizing(0.1), "mcx")  # its own name counts too
    assert channels(own, Circuit(2).mcx([0], 1)) == [(0,), (1,)]


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ({"t2_ns": 300.0}, r"device 'bad' has T1 = 100 ns and T2 = 300 ns for qubit 0"),
        ({"gate_error": 1.5}, "has 1.5 as gate_error of qubit 0; the rule is a probability"),
        ({"pair_error": -0.1}, "has -0.1 as pair_error of all pairs"),
        ({"read_0_given_1": 2.0}, "has 2.0 as read_0_given_1 of qubit 0"),
        ({"gate_ns": -1.0}, "has -1.0 as gate_ns of qubit 0; the rule is 0 or more"),
    ],
)
def test_a_device_checks_its_figures(figures: dict[str, float], message: str) -> None:
    good = {
        "t1_ns": 100.0,
        "t2_ns": 90.0,
        "gate_ns": 1.0,
        "gate_error": 0.1,
        "pair_ns": 2.0,
        "pair_error": 0.1,
        "read_1_given_0": 0.1,
        "read_0_given_1": 0.1,
    }
    Device.uniform("good", 2, **good)
    with pytest.raises(ChannelError, match=message):
        Device.uniform("bad", 2, **{**good, **figures})


def test_what_is_no_probability_of_misreading() -> None:
    with pytest.raises(ChannelError, match=r"got 1\.2 as read_1_given_0, which is no probability"):
        ReadoutError.flips(1.2, 0.1)
