"""What Cirq's and PennyLane's faces hand on to a run: the named backend's own options, and noise."""

from __future__ import annotations

import numpy as np
import pytest

from qrealm.base.errors import QrealmWarning, RequestError
from qrealm.circuits.noise import NoiseModel, ReadoutError, depolarizing
from qrealm.simulate.backends.mps.options import MPSOptions

SHOTS = 20_000
NARROW = MPSOptions(bond_max=1)
"""A chain without entanglement: half of a Bell pair is thrown away, so its correlations cannot come out."""


def test_cirq_hands_the_options_on() -> None:
    cirq = pytest.importorskip("cirq")
    from qrealm.faces.providers.cirq import QrealmSampler, QrealmSimulator

    a, b = cirq.LineQubit.range(2)
    bell = cirq.Circuit(cirq.H(a), cirq.CNOT(a, b))
    wide = QrealmSimulator(backend="mps", options=MPSOptions(bond_max=2))
    assert wide.simulate_expectation_values(bell, [cirq.X(a) * cirq.X(b)])[0] == pytest.approx(1, abs=1e-9)
    narrow = QrealmSimulator(backend="mps", options=NARROW)
    with pytest.warns(QrealmWarning, match=r"threw away 0\.5 of the state's weight"):
        assert abs(narrow.simulate_expectation_values(bell, [cirq.X(a) * cirq.X(b)])[0]) < 0.1
    measured = bell + cirq.measure(a, b, key="m")
    with pytest.warns(QrealmWarning, match=r"threw away 0\.5"):
        shares = QrealmSampler(backend="mps", options=NARROW, seed=1).run(measured, repetitions=100)
    assert len(shares.histogram(key="m")) == 1
    for backend in (None, "statevector"):
        with pytest.raises(RequestError, match="MPSOptions"):
            QrealmSampler(backend=backend, options=NARROW)


def test_pennylane_hands_the_options_on() -> None:
    qml = pytest.importorskip("pennylane")
    from qrealm.faces.providers.pennylane import QrealmDevice

    def bell() -> object:
        qml.Hadamard(0)
        qml.CNOT([0, 1])
        return qml.expval(qml.X(0) @ qml.X(1))

    def value(**options: object) -> float:
        return float(qml.QNode(bell, QrealmDevice(2, **options))())

    assert value(backend="mps", options=MPSOptions(bond_max=2)) == pytest.approx(1, abs=1e-9)
    with pytest.warns(QrealmWarning, match=r"threw away 0\.5"):
        assert abs(value(backend="mps", options=NARROW)) < 0.1
    with pytest.raises(RequestError, match="MPSOptions"):
        QrealmDevice(2, options=NARROW)


def test_pennylane_puts_noise_into_every_circuit() -> None:
    """Depolarizing noise of strength p shrinks a Pauli's value by 1 - p (Nielsen and Chuang, 8.3.4)."""
    qml = pytest.importorskip("pennylane")
    from qrealm.faces.providers.pennylane import QrealmDevice

    noise = NoiseModel().after_gates(depolarizing(0.2), "rx")
    shrunk = qml.QNode(_turned, QrealmDevice(1, noise=noise))
    assert shrunk(0.4) == pytest.approx(0.8 * np.cos(0.4), abs=1e-9)
    sampled = qml.set_shots(qml.QNode(_turned, QrealmDevice(1, noise=noise, seed=2)), SHOTS)(0.4)
    assert abs(sampled - shrunk(0.4)) < 5 / np.sqrt(SHOTS)
    read = NoiseModel().readout(ReadoutError.flips(0.1, 0.1))
    misread = qml.set_shots(qml.QNode(_turned, QrealmDevice(1, noise=read, seed=2)), SHOTS)(0.4)
    assert abs(misread - 0.8 * np.cos(0.4)) < 5 / np.sqrt(SHOTS)
    state = qml.QNode(lambda: (qml.RX(0.4, 0), qml.state())[1], QrealmDevice(1, noise=noise))()
    assert np.trace(state @ state).real < 0.95
    with pytest.raises(RequestError, match="NoiseModel"):
        QrealmDevice(1, noise=0.1)


def test_pennylane_refuses_noise_where_a_pure_state_is_needed() -> None:
    qml = pytest.importorskip("pennylane")
    from qrealm.faces.providers.pennylane import QrealmDevice

    noise = NoiseModel().readout(ReadoutError.flips(0.1, 0.1))

    def postselected() -> object:
        qml.RX(0.4, 0)
        qml.measure(0, postselect=0)
        return qml.expval(qml.Z(1))

    with pytest.raises(RequestError, match="postselection without shots"):
        qml.QNode(postselected, QrealmDevice(3, noise=noise))()
    shadow = qml.QNode(lambda: qml.classical_shadow([0]), QrealmDevice(1, noise=noise))
    with pytest.raises(RequestError, match="shadows"):
        qml.set_shots(shadow, 10)()
    with_shots = qml.set_shots(qml.QNode(postselected, QrealmDevice(3, noise=noise, seed=1)), 1000)
    assert abs(with_shots() - 0.8) < 5 / np.sqrt(500)


@pytest.mark.parametrize(
    "options", [{"noise": True}, {"backend": "mps"}, {"backend": "mps", "options": True}]
)
def test_pennylane_takes_parameter_shifts_where_the_adjoint_method_cannot_go(
    options: dict[str, object],
) -> None:
    qml = pytest.importorskip("pennylane")
    from pennylane import numpy as pnp

    from qrealm.faces.providers.pennylane import QrealmDevice

    noise = NoiseModel().after_gates(depolarizing(0.2), "rx")
    given = dict(options)
    if "noise" in given:
        given["noise"] = noise
    if "options" in given:
        given["options"] = MPSOptions(bond_max=2)
    slope = qml.grad(qml.QNode(_turned, QrealmDevice(1, **given)))(pnp.array(0.4, requires_grad=True))
    assert slope == pytest.approx(-(0.8 if "noise" in given else 1) * np.sin(0.4), abs=1e-9)


def _turned(angle: float) -> object:
    import pennylane as qml

    qml.RX(angle, 0)
    return qml.expval(qml.Z(0))


def test_qiskit_primitives_tell_what_an_approximation_threw_away() -> None:
    """Half of a Bell pair's weight goes where the bonds are cut to 1; none where they are 2."""
    qiskit = pytest.importorskip("qiskit")
    from qiskit.circuit import Parameter

    from qrealm.faces.providers.qiskit import EstimatorV2, SamplerV2

    theta = Parameter("theta")
    pair = qiskit.QuantumCircuit(2)
    pair.ry(theta, 0)
    pair.cx(0, 1)
    values = [[np.pi / 2], [0.0]]
    for bond_max, lost in ((1, 0.5), (2, 0.0)):
        options = {"backend_options": MPSOptions(bond_max=bond_max)}
        estimator = EstimatorV2("mps", seed=1, options=options)
        exact, sampled = estimator.run([(pair, "XX", values), (pair, "XX", values, 0.1)]).result()
        counted = SamplerV2("mps", seed=1, options=options)
        measured = pair.measure_all(inplace=False)
        drawn = counted.run([(measured, values)]).result()[0]
        for found in (exact, sampled, drawn):
            assert found.metadata["truncation_error"] == pytest.approx(lost, abs=1e-9)
            assert len(found.metadata["warnings"]) == int(lost > 0)
        assert abs(exact.data.evs[0] - (1 - 2 * lost)) < 1e-9
    plain = EstimatorV2().run([(pair, "XX", values)]).result()[0]
    assert plain.metadata["warnings"] == []
    assert "truncation_error" not in plain.metadata
