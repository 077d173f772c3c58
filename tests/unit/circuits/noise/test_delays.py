"""Waits: what they do with noise and without, against closed forms, and how formats carry them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qrealm.base.errors import ChannelError, ParameterError, WriteError
from qrealm.circuits import Circuit, read
from qrealm.circuits.noise import NoiseModel, bit_flip
from qrealm.circuits.parameters import Parameter
from qrealm.simulate.run import run

T1, T2 = 50_000.0, 30_000.0
IDLE = NoiseModel().idle(T1, T2, {1: 0.0, 2: 0.0})


def value(circuit: Circuit, observable: str, noise: NoiseModel | None) -> float:
    """Exact, of the noisy circuit."""
    found = run(circuit, shots=0, noise=noise, observables=observable).expectation_values
    return float(found[observable])


@pytest.mark.parametrize("time_ns", [0.0, 100.0, 20_000.0, 2e5])
def test_an_excited_qubit_decays_while_it_waits(time_ns: float) -> None:
    circuit = Circuit(1).x(0).delay(time_ns, 0)
    assert value(circuit, "Z0", IDLE) == pytest.approx(1 - 2 * math.exp(-time_ns / T1), abs=1e-9)
    assert value(circuit, "Z0", None) == -1.0


def test_decay_in_counts() -> None:
    shots, time_ns = 20_000, 20_000.0
    counts = run(Circuit(1).x(0).delay(time_ns, 0).measure_all(), shots, seed=3, noise=IDLE).counts
    share = math.exp(-time_ns / T1)
    assert abs(counts["1"] / shots - share) < 5 * math.sqrt(share * (1 - share) / shots)  # 5 deviations


def test_echo_and_coherence() -> None:
    """T2 of the model is not undone by an echo; the times of both halves add up."""
    circuit = Circuit(1).h(0).delay(4_000.0, 0).x(0).delay(6_000.0, 0)
    assert value(circuit, "X0", IDLE) == pytest.approx(math.exp(-10_000.0 / T2), abs=1e-9)


def test_others_wait_for_a_delay_before_a_common_gate() -> None:
    """The partner has waited as long when the two meet, and barriers hold it too."""
    waiting = Circuit(2).x(1).delay(9_000.0, 0)
    for circuit in (waiting.copy().cz(0, 1), waiting.copy().barrier().x(1)):
        sign = 1 if circuit.count_ops()["x"] == 1 else -1
        expected = sign * (1 - 2 * math.exp(-9_000.0 / T1))
        assert value(circuit, "Z1", IDLE) == pytest.approx(expected, abs=1e-9)


def test_a_delay_within_a_condition_holds() -> None:
    circuit = Circuit(2, 1).x([0, 1]).measure(0, 0)
    with circuit.if_(0, 1):
        circuit.delay(8_000.0, 1)
    circuit.z(1)
    assert value(circuit, "Z1", IDLE) == pytest.approx(1 - 2 * math.exp(-8_000.0 / T1), abs=1e-9)


def test_heating_from_zero() -> None:
    warm = NoiseModel().idle(T1, T2, {1: 0.0}, excited_population=0.2)
    expected = 1 - 2 * 0.2 * (1 - math.exp(-1e4 / T1))
    assert value(Circuit(1).delay(1e4, 0), "Z0", warm) == pytest.approx(expected, abs=1e-9)


def test_a_device_relaxes_delays() -> None:
    short, long = (Circuit(1).x(0).delay(time, 0) for time in (0.0, 50_000.0))
    model = _device_model()
    ratio = (1 - value(long, "Z0", model)) / (1 - value(short, "Z0", model))
    assert ratio == pytest.approx(math.exp(-50_000.0 / T1), abs=1e-9)


def _device_model() -> NoiseModel:
    from qrealm.circuits.noise import Device

    return NoiseModel.from_device(
        Device.uniform(
            "two",
            2,
            t1_ns=T1,
            t2_ns=T2,
            gate_ns=50.0,
            gate_error=0.001,
            pair_ns=300.0,
            pair_error=0.01,
            read_1_given_0=0.0,
            read_0_given_1=0.0,
        )
    )


def test_cycles_need_the_length_of_one() -> None:
    circuit = Circuit(1).x(0).append("delay_dt", (0,), (1000,))
    with pytest.raises(ChannelError, match=r"a delay of 1000 dt on qubit 0, and does not know how long"):
        run(circuit, noise=IDLE)
    timed = NoiseModel().idle(T1, T2, {1: 0.0}, dt_ns=2.0)
    assert value(circuit, "Z0", timed) == pytest.approx(1 - 2 * math.exp(-2_000.0 / T1), abs=1e-9)
    assert NoiseModel.from_dict(timed.to_dict()) == timed
    assert value(circuit, "Z0", None) == -1.0


def test_what_is_refused() -> None:
    with pytest.raises(ParameterError, match="delay got the time -1 ns"):
        Circuit(1).delay(-1, 0)
    with pytest.raises(ChannelError, match="the rule is 0 or more"):
        IDLE.apply(Circuit(1).append("delay", (0,), (-1.0,)))
    with pytest.raises(ChannelError, match="of the time t; the rule is a number"):
        IDLE.apply(Circuit(1).delay(Parameter("t"), 0))


def test_rules_for_gates_leave_delays_alone_unless_they_name_them() -> None:
    circuit = Circuit(1).delay(10.0, 0)
    assert value(circuit, "Z0", NoiseModel().after_gates(bit_flip(0.1))) == pytest.approx(1.0)
    assert value(circuit, "Z0", NoiseModel().after_gates(bit_flip(0.1), "delay")) == pytest.approx(0.8)


def test_backends_take_them() -> None:
    circuit = Circuit(2).h(0).delay(50.0, [0, 1]).cx(0, 1).measure([0, 1])
    for backend in ("statevector", "mps", "density_matrix", "tensor_network"):
        counts = run(circuit, 64, seed=1, backend=backend).counts
        assert set(counts) <= {"00", "11"}, backend


def test_forms_keep_them() -> None:
    circuit = Circuit(2).h(0).delay(12.5, [0, 1]).append("delay_dt", (1,), (7,)).cx(0, 1)
    assert read(circuit.to_dict()) == circuit
    assert read(circuit.to_qasm3()) == circuit
    with pytest.raises(WriteError, match="OpenQASM 2 has no delays"):
        circuit.to_qasm2()
    assert "[wait 12.5 ns]" in circuit.draw()
    assert "[wait 7 dt]" in circuit.draw()
    assert circuit.inverse().count_ops() == {"id": 3, "h": 1, "cx": 1}  # no wait can be undone
    swept = Circuit(1).x(0).delay(Parameter("t"), 0)
    assert value(swept.bind(t=5_000.0), "Z0", IDLE) == pytest.approx(1 - 2 * math.exp(-0.1), abs=1e-9)


def test_drawings_name_the_channel() -> None:
    assert "bit_flip" in Circuit(1).append(bit_flip(0.1), (0,)).draw()


def test_qiskit_delays() -> None:
    qiskit = pytest.importorskip("qiskit")
    source = qiskit.QuantumCircuit(2)
    source.delay(2, 0, unit="us")
    source.delay(30, [0, 1], unit="dt")
    time = qiskit.circuit.Parameter("t")
    source.delay(time, 1, unit="us")
    circuit = read(source)
    found = [(op.name, qubits, args) for op, qubits, args in circuit]
    assert found[:3] == [("delay", (0,), (2000.0,)), ("delay_dt", (0,), (30.0,)), ("delay_dt", (1,), (30.0,))]
    assert circuit.bind(t=1.5).instructions[3][2] == (1500.0,)
    again = circuit.bind(t=1.5).to_qiskit()
    assert [(i.operation.duration, i.operation.unit) for i in again.data] == [
        (2000.0, "ns"),
        (30, "dt"),
        (30, "dt"),
        (1500.0, "ns"),
    ]


def test_relaxation_during_delays_agrees_with_aer() -> None:
    """Density matrices of a scheduled circuit, ours and Aer's, in every entry."""
    qiskit = pytest.importorskip("qiskit")
    aer = pytest.importorskip("qiskit_aer")
    model = aer.noise.NoiseModel()
    kinds = qiskit.circuit.Delay
    model._custom_noise_passes.append(
        aer.noise.RelaxationNoisePass([5e-5, 6e-5], [3e-5, 7e-5], 1e-9, op_types=kinds)
    )
    source = qiskit.QuantumCircuit(2)
    source.h(0)
    source.x(1)
    source.delay(4, 0, unit="us")
    source.delay(9000, 1, unit="dt")
    source.cx(0, 1)
    source.delay(700, 0, unit="ns")
    mine = run(read(source), 0, noise=NoiseModel.from_aer(model), return_density_matrix=True).density_matrix
    source.save_density_matrix()
    theirs = aer.AerSimulator(method="density_matrix", noise_model=model).run(source).result()
    assert np.abs(mine - np.asarray(theirs.data()["density_matrix"])).max() < 1e-9
