"""Models from a device's figures: every gate has the error that the device states."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from qrealm.base.errors import ChannelError
from qrealm.circuits import Circuit
from qrealm.circuits.noise import PRESETS, Channel, Device, NoiseModel, depolarizing, thermal_relaxation
from qrealm.circuits.noise.device import missing_depolarisation
from qrealm.simulate.run import run

FIGURES = {
    "t1_ns": 50e3,
    "t2_ns": 70e3,
    "gate_ns": 40.0,
    "gate_error": 2e-3,
    "pair_ns": 300.0,
    "pair_error": 2e-2,
    "read_1_given_0": 0.01,
    "read_0_given_1": 0.03,
}
LINE = frozenset({(0, 1), (1, 2)})


def device(**changes: object) -> Device:
    """Three qubits in a line."""
    return Device.uniform("line", 3, coupling=LINE, **{**FIGURES, **changes})


def noise_of(model: NoiseModel, circuit: Circuit) -> Channel:
    """All channels that follow the circuit's only gate, as one on its qubits."""
    (gate, qubits, _), *rest = model.apply(circuit).instructions
    assert gate.name in ("x", "cx", "cz")
    total = Channel([np.eye(1 << len(qubits))])
    for op, where, args in rest:
        if op.name != "channel":
            continue
        channel = args[0]
        if len(where) < len(qubits):
            alone = Channel([np.eye(2)])
            pair = [channel if each == where[0] else alone for each in qubits]
            channel = pair[0].tensor(pair[1])
        total = total.then(channel)
    return total


def test_gates_have_the_stated_error() -> None:
    model = NoiseModel.from_device(device(), idle=False)
    assert 1 - noise_of(model, Circuit(3).x(1)).average_fidelity() == pytest.approx(2e-3, abs=1e-12)
    for pair in ((0, 1), (2, 1)):
        assert 1 - noise_of(model, Circuit(3).cx(*pair)).average_fidelity() == pytest.approx(2e-2, abs=1e-12)


def test_relaxation_is_the_floor() -> None:
    """A stated error below what the gate's time costs anyway is not reached."""
    model = NoiseModel.from_device(device(pair_error=1e-6), idle=False)
    relax = thermal_relaxation(50e3, 70e3, 300.0)
    want = relax.tensor(relax)
    assert np.abs(noise_of(model, Circuit(3).cz(0, 1)).superoperator() - want.superoperator()).max() < 1e-12


def test_missing_depolarisation() -> None:
    assert missing_depolarisation((thermal_relaxation(1.0, 1.0, 0.0),), 0.01, "it").paulis == pytest.approx(
        depolarizing(0.02).paulis
    )
    with pytest.raises(ChannelError, match=r"error of it is 0\.6; the rule is 0 to 0\.5"):
        missing_depolarisation((thermal_relaxation(1.0, 1.0, 0.0),), 0.6, "it")


def test_diagonal_gates_are_free() -> None:
    noisy = NoiseModel.from_device(device(read_1_given_0=0.0, read_0_given_1=0.0)).apply(
        Circuit(3).rz(0.3, 0).z(1)
    )
    assert noisy.count_ops() == {"rz": 1, "z": 1}


def test_gates_that_the_device_lacks() -> None:
    model = NoiseModel.from_device(device())
    with pytest.raises(ChannelError, match="cx on qubits 0, 2: the device line does not couple them"):
        model.apply(Circuit(3).cx(0, 2))
    with pytest.raises(ChannelError, match="gates on one and two qubits"):
        model.apply(Circuit(3).ccx(0, 1, 2))
    with pytest.raises(ChannelError, match="the device line has qubits 0 to 2"):
        model.apply(Circuit(5).x(4))


def test_readout_and_waiting() -> None:
    model = NoiseModel.from_device(device(measure_ns=1000.0))
    noisy = model.apply(Circuit(3).x(0).cx(1, 2))
    names = [args[0].name if op.name == "channel" else op.name for op, _, args in noisy.instructions]
    assert names.count("readout") == 3
    assert names.count("idle") == 1  # qubit 0, while the pair works
    shots = 40_000
    counts = run(Circuit(3).x(0), shots, seed=1, noise=NoiseModel.from_device(device(), idle=False)).marginal(
        [1]
    )
    assert abs(counts["1"] / shots - 0.01) < 5 * math.sqrt(0.01 / shots)


@pytest.mark.parametrize("name", list(PRESETS))
def test_presets_run_and_say_where_they_are_from(name: str) -> None:
    found = PRESETS[name]()
    assert found.name == name
    assert len(found.source) > 40
    model = NoiseModel.from_device(name)
    assert NoiseModel.from_dict(json.loads(json.dumps(model.to_dict()))) == model
    bell = run(Circuit(2).h(0).cx(0, 1), 0, observables="Z0 Z1", noise=model).expectation_values["Z0 Z1"]
    assert 0.95 < bell < 1
    # The stated error of each pair is kept, but where relaxation alone costs more.
    quiet = NoiseModel.from_device(found, idle=False)
    for pair, stated in found.pair_error.items():
        a, b = (0, 1) if pair is None else pair
        relax = [thermal_relaxation(found.t1_ns[q], found.t2_ns[q], found.pair_ns[pair]) for q in (a, b)]
        least = 1 - relax[0].tensor(relax[1]).average_fidelity()
        error = 1 - noise_of(quiet, Circuit(max(a, b) + 1).cz(a, b)).average_fidelity()
        assert error == pytest.approx(max(stated, least), abs=1e-12)


def test_no_such_preset() -> None:
    with pytest.raises(ChannelError, match="no device called 'ibmq_manilla'") as problem:
        NoiseModel.from_device("ibmq_manilla")
    assert "ibmq_manila" in problem.value.hint


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: NoiseModel.from_device(device(t2_ns=101e3)), "T2 <= 2 T1"),
        (
            lambda: NoiseModel.from_device(device(pair_error=0.9)),
            "qubits .* of line is 0.9; the rule is 0 to 0.75",
        ),
        (lambda: NoiseModel.from_device(device(read_1_given_0=1.5)), "as read_1_given_0 of qubit 0"),
        (lambda: Device.uniform("x", 2, coupling=LINE, **FIGURES), "has the pair"),
        (lambda: Device("x", (1.0, 1.0), (1.0,), (), (), {}, {}, (), ()), "2 qubits and 1 figures for t2_ns"),
        (
            lambda: Device("x", (1.0,), (1.0,), (1.0,), (0.1,), {None: 1.0}, {}, (0.0,), (0.0,)),
            "times and errors of different pairs",
        ),
    ],
)
def test_figures_are_checked(make, words: str) -> None:
    with pytest.raises(ChannelError, match=words):
        make()
