"""AUTO: pure choice among cards, light cones, refusals and fallbacks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import qrealm
from qrealm.base.errors import BackendRefusalError, QubitError, RequestError, TooLargeError
from qrealm.circuits import Circuit
from qrealm.circuits.noise import NoiseModel, ReadoutError, amplitude_damping, depolarizing
from qrealm.simulate import decide, execute, refusals
from qrealm.simulate.backends import BACKENDS
from qrealm.simulate.backends.density_matrix import planning as density_planning
from qrealm.simulate.backends.statevector.card import CARD
from qrealm.simulate.memory import MemoryLedger
from qrealm.simulate.plan.auto import chosen, look
from qrealm.simulate.plan.cones import Dependencies
from qrealm.simulate.plan.traits import traits
from qrealm.simulate.plan.types import Cost, Plan, Precision, Rates, Wants

RATES = Rates(1e-5, 1e-7, 1e10, 1e10, 1e-8)
WANTS = Wants(1000, None, False, False, 0, 0, False, 1e-6)


def card(name, seconds, memory_bytes=1000, error=0.0, why=None):
    return replace(
        CARD, name=name, refusal=lambda t, w: why, cost=lambda t, w, r: Cost(seconds, memory_bytes, error)
    )


def choice(*cards, memory=1 << 30, missing=lambda card: ""):
    facts = traits(Circuit(3).h(0))
    return chosen(look(facts, WANTS, cards, RATES, missing=missing, memory_available_bytes=memory))


def test_the_cheapest_that_can_is_taken():
    made = choice(card("slow", 2.0), card("quick", 1.0), card("unable", 0.1, why="it cannot"))
    assert made.name == "quick"
    assert [each.name for each in made.considered] == ["quick", "slow", "unable"]
    assert made.considered[-1].refused == "it cannot"
    assert "next would be slow with about 2 s" in made.why


def test_memory_accuracy_and_packages_have_a_say():
    made = choice(
        card("huge", 0.1, memory_bytes=1 << 40),
        card("rough", 0.2, error=1e-3),
        card("absent", 0.3),
        card("plain", 5.0),
        missing=lambda each: "it needs stim" if each.name == "absent" else "",
    )
    assert made.name == "plain"
    told = {each.name: each.refused for each in made.considered}
    assert told["huge"].startswith("it needs 1,024 GiB of")
    assert "above the accuracy asked" in told["rough"]
    assert told["absent"] == "it needs stim"
    assert choice(card("unable", 1.0, why="no")) is None


def test_small_circuits_are_not_asked_about(monkeypatch):
    monkeypatch.setattr(decide, "traits", lambda *args: pytest.fail("a small circuit was looked at"))
    qrealm.run(Circuit(5).h(0).cx(0, 4), shots=10)


def test_what_was_considered_is_told(monkeypatch):
    monkeypatch.setattr(decide, "_is_quick", lambda circuit, request: False)
    circuit = Circuit(20).h(range(20))
    for _ in range(3):
        for qubit in range(20):
            circuit.rx(0.3, qubit).cx(qubit, (qubit + 7) % 20)
    made = qrealm.run(circuit, shots=10, seed=1).metadata
    assert made["considered"][0]["backend"] == made["backend"]
    assert made["considered"][0]["seconds"] > 0
    assert made["reasons"][0].startswith(f"{made['backend']}: about ")


@pytest.mark.parametrize("seed", range(6))
def test_light_cones_keep_what_matters(seed):
    """Values from the cones are those of the whole circuit."""
    generator = np.random.default_rng(seed)
    circuit = Circuit(16)
    for _ in range(30):
        a, b = (int(q) for q in generator.choice(16, 2, replace=False))
        circuit.ry(float(generator.uniform(0, 6)), a).cx(a, b)
    observables = {"near": "Z0 Z1 + 0.5 X2", "far": "Y3 Z15 - 2 X7 + 1"}
    request = {"shots": 0, "observables": observables, "precision": "double"}
    whole = qrealm.run(circuit, backend="statevector", **request).expectation_values
    terms = Dependencies(circuit.instructions).group(
        [(0, 0b11), (0b100, 0), (1 << 3, 1 << 3 | 1 << 15), (1 << 7, 0)]
    )
    assert sum(len(cone.terms) for cone in terms) == 4
    wide = Circuit(60).compose(circuit, qubits=range(20, 36))
    moved = {"near": "Z20 Z21 + 0.5 X22", "far": "Y23 Z35 - 2 X27 + 1"}
    found = qrealm.run(wide, shots=0, observables=moved, precision="double")
    assert found.expectation_values == pytest.approx(whole, abs=1e-9)
    assert "light_cones" in found.metadata


def test_a_thousand_qubits_of_shallow_circuit():
    """<Z_i Z_i+1> of a product state, whatever stands around it."""
    circuit = Circuit(1000)
    for qubit in range(1000):
        circuit.ry(0.3, qubit)
    for qubit in range(0, 999, 2):
        circuit.rzz(0.7, qubit, qubit + 1)
    found = qrealm.run(circuit, shots=0, observables="Z0 Z999")
    assert found.expectation_values["Z0 Z999"] == pytest.approx(np.cos(0.3) ** 2, abs=1e-9)


def test_what_is_quick_runs_unasked_and_what_is_vast_does_not(monkeypatch):
    """26 qubits in a GHZ state take no time; 48 entangled ones would take for ever."""
    ghz = Circuit(26).h(0)
    for qubit in range(25):
        ghz.cx(qubit, qubit + 1)
    assert qrealm.run(ghz, shots=10, seed=1).metadata["considered"] == []
    brick = Circuit(48)
    for layer in range(3):
        for qubit in range(layer % 2, 47, 2):
            brick.ry(0.3 * qubit, qubit).rxx(0.4, qubit, qubit + 1)
    assert qrealm.run(brick, shots=10, seed=1).metadata["backend"] == "mps"


def test_noise_leaves_the_state_vector_out():
    noise = NoiseModel().after_gates(depolarizing(0.1), "h")
    with pytest.raises(BackendRefusalError, match=r"QR302.*pure state, and the circuit has noise"):
        qrealm.run(Circuit(2).h(0), noise=noise, backend="statevector")


def test_a_faulty_detector_alone_needs_no_noisy_backend():
    """Bits flip with the stated probabilities: five standard deviations of 20,000 shots."""
    noise = NoiseModel().readout(ReadoutError.flips(0.1, 0.3), [0]).readout(ReadoutError.flips(0.0, 0.05))
    shots = 20_000
    counts = qrealm.run(Circuit(2).x(0).x(1), shots=shots, seed=4, noise=noise).counts
    zero_of_0 = (counts.get("10", 0) + counts.get("00", 0)) / shots
    zero_of_1 = (counts.get("01", 0) + counts.get("00", 0)) / shots
    assert zero_of_0 == pytest.approx(0.3, abs=5 * (0.3 * 0.7 / shots) ** 0.5)
    assert zero_of_1 == pytest.approx(0.05, abs=5 * (0.05 * 0.95 / shots) ** 0.5)
    again = qrealm.run(Circuit(2).x(0).x(1), shots=shots, seed=4, noise=noise, threads=2).counts
    assert counts == again


def test_correlated_faults_and_wide_registers():
    """Bits 0 and 69 are always misread together."""
    circuit = Circuit(1, 70).x(0).measure(0, 0)
    circuit.append(ReadoutError([[0.5, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0.5, 0, 0, 1]][::1]), [1, 69])
    counts = qrealm.run(circuit, shots=1000, seed=1).counts
    assert set(counts) == {f"{1:070b}", f"{1 | 1 << 1 | 1 << 69:070b}"}
    assert counts[f"{1:070b}"] == pytest.approx(500, abs=5 * 250**0.5)


def test_what_fits_nowhere_says_how_much_it_needs(monkeypatch):
    monkeypatch.setattr("qrealm.simulate.execute.memory_available_bytes", lambda: 1 << 28)
    monkeypatch.setattr(refusals, "memory_available_bytes", lambda: 1 << 28)
    circuit = Circuit(30)
    generator = np.random.default_rng(3)
    for _ in range(400):
        a, b = (int(q) for q in generator.choice(30, 2, replace=False))
        circuit.ry(0.3, a).rxx(0.4, a, b)
    with pytest.raises(TooLargeError, match="needs 8"):
        qrealm.run(circuit, shots=10)


@pytest.mark.parametrize("accuracy", [-1, 1.0, float("nan"), "much"])
def test_accuracy_is_a_share(accuracy):
    with pytest.raises(RequestError, match="accuracy"):
        qrealm.run(Circuit(1).h(0), accuracy=accuracy)


def test_a_sweep_takes_noise():
    """<Z> of RY(a) after depolarizing by 0.2 is 0.8 cos a."""
    a = qrealm.Parameter("a")
    noise = NoiseModel().after_gates(depolarizing(0.2), "ry")
    points = [0.3, 1.1]
    found = qrealm.sweep(Circuit(1).ry(a, 0), [[p] for p in points], observables="Z0", noise=noise)
    values = [each.expectation_values["Z0"] for each in found]
    assert values == pytest.approx([0.8 * np.cos(p) for p in points], abs=1e-6)
    with pytest.raises(RequestError):
        qrealm.sweep(Circuit(1).ry(a, 0), [[0.1]], shots=5, noise="much")


def deciding(num_qubits: int) -> Circuit:
    """A measurement on every qubit but the last, and a correction that depends on it."""
    circuit = Circuit(num_qubits, num_qubits)
    for qubit in range(num_qubits - 1):
        circuit.h(qubit).cx(qubit, qubit + 1).measure(qubit, qubit)
        with circuit.if_(qubit):
            circuit.x(qubit + 1)
    return circuit.t(num_qubits - 1).h(num_qubits - 1).measure(num_qubits - 1, num_qubits - 1)


def test_many_shots_do_not_make_a_chain_less_accurate():
    """What is lost is an average over the branches: however many there are, mps takes a wide circuit."""
    for shots in (100, 100_000):
        told = qrealm.estimate(deciding(100), shots=shots)
        assert told.backend == "mps"
        assert told.considered[0].cost.error < 1e-6


def test_what_nobody_takes_is_told_with_every_reason():
    """A rotation beside amplitude damping on 70 qubits: nobody's; each says why."""
    noise = NoiseModel().after_gates(amplitude_damping(0.1))
    with pytest.raises(BackendRefusalError, match="AUTO finds no backend") as caught:
        qrealm.run(Circuit(70).rx(0.1, range(70)), shots=10, noise=noise)
    for row in BACKENDS.values():
        assert not row.card.automatic or row.card.needs_device or f"{row.card.name}: " in caught.value.message
    assert caught.value.hint.startswith("no backend can run it here")


def test_an_accuracy_that_nobody_meets_is_named():
    with pytest.raises(BackendRefusalError, match=r"mps: its error .* is above the accuracy") as caught:
        qrealm.run(deciding(70), shots=10, accuracy=1e-15)
    assert "larger accuracy=, these can: mps" in caught.value.hint


@pytest.mark.parametrize("backend", [None, "trajectories"])
def test_shots_are_proposed_where_exact_values_do_not_fit(backend):
    """Exact values of 20 noisy qubits need 16 TiB; averages over shots do not."""
    circuit = Circuit(20).h(range(20))
    for qubit in range(19):
        circuit.cx(qubit, qubit + 1)
    noise = NoiseModel().after_gates(amplitude_damping(0.1))
    with pytest.raises((TooLargeError, BackendRefusalError)) as caught:
        qrealm.run(circuit, shots=0, observables="Z0 Z19", noise=noise, backend=backend)
    assert "with shots=1024 these can: trajectories" in caught.value.hint


def test_a_refusal_names_those_alone_that_have_the_memory():
    """40 qubits: a chain can, and the state vectors, which need 8 TiB, are not named."""
    circuit = Circuit(40).rx(0.1, range(40))
    with pytest.raises(BackendRefusalError) as caught:
        qrealm.run(circuit, shots=10, backend="stabilizer")
    assert "trajectories" not in caught.value.hint  # it keeps qubits together that nothing joins
    for qubit in range(39):
        circuit.cx(qubit, qubit + 1)
    with pytest.raises(BackendRefusalError) as caught:
        qrealm.run(circuit, shots=10, backend="stabilizer")
    able = caught.value.hint.removeprefix("these can: ").split(", ")
    assert "mps" in able
    assert not {"statevector", "trajectories", "density_matrix", "gpu", "qiskit"} & set(able)


def entangled(num_qubits: int, layers: int) -> Circuit:
    """Layers of turns and CX that no chain of small bonds holds."""
    generator = np.random.default_rng(0)
    circuit = Circuit(num_qubits)
    for layer in range(layers):
        for qubit in range(num_qubits):
            circuit.rx(float(generator.uniform(0, 6)), qubit)
        for qubit in range(layer % 2, num_qubits - 1, 2):
            circuit.cx(qubit, qubit + 1)
    return circuit


def test_another_runs_memory_takes_no_choice_away(monkeypatch):
    """3.5 of 4 GiB are held and touched by a run that will end: AUTO chooses as if it were alone."""
    left = [4 << 30]
    monkeypatch.setattr(refusals, "LEDGER", ledger := MemoryLedger())
    monkeypatch.setattr(refusals, "memory_available_bytes", lambda: left[0])
    other = Plan("other", Precision.SINGLE, 1, 0, 3584 << 20, 0, ())
    _, held = ledger.reserve(lambda available: other, lambda: left[0])
    left[0] = 30 << 20
    told = {each.name: each for each in qrealm.estimate(entangled(22, 6)).considered}
    assert not told["statevector"].refused
    with held:
        pass
    told = {each.name: each for each in qrealm.estimate(entangled(22, 6)).considered}
    assert "it needs" in told["statevector"].refused


def test_the_last_resort_tells_what_was_looked_at(monkeypatch):
    """22 qubits in double precision are 64 MiB, in single 32, twice each; there are 120 in all."""
    for module in (refusals, execute):
        monkeypatch.setattr(module, "memory_available_bytes", lambda: 120 << 20)
    told = qrealm.run(entangled(22, 14), shots=0, return_statevector=True, seed=1).metadata
    assert (told["backend"], told["precision"]) == ("statevector", "single")
    assert told["reasons"][0] == refusals.LAST_RESORT
    assert {each["backend"] for each in told["considered"]} >= {"statevector", "mps"}
    assert all(each["refused"] for each in told["considered"])


def test_a_named_backend_that_is_too_small_says_who_is_not(monkeypatch):
    with pytest.raises(QubitError, match="takes up to 62 qubits") as caught:
        qrealm.run(Circuit(70).rx(0.1, range(70)), shots=10, backend="statevector")
    assert caught.value.hint.startswith("these can: mps")
    assert "drop idle qubits" in caught.value.hint
    for module in (refusals, execute, density_planning):
        monkeypatch.setattr(module, "memory_available_bytes", lambda: 1 << 30)
    wide = Circuit(30).rx(0.1, range(30))
    for qubit in range(29):
        wide.cx(qubit, qubit + 1)
    with pytest.raises(TooLargeError) as caught:
        qrealm.run(wide, shots=10, return_statevector=False, amplitudes=["0" * 30], backend="statevector")
    able = caught.value.hint.split("; or ")[0].removeprefix("these can: ").split(", ")
    assert "mps" in able
    assert "gpu" not in able
    ghz = Circuit(17).h(0)
    for qubit in range(16):
        ghz.cx(qubit, qubit + 1)
    noise = NoiseModel().after_gates(amplitude_damping(0.01))
    for model, first in ((None, "statevector"), (noise, "trajectories")):
        with pytest.raises(TooLargeError) as caught:
            qrealm.run(ghz, shots=10, noise=model, backend="density_matrix")
        assert caught.value.hint.startswith(f"these can: {first}")
    with pytest.raises(TooLargeError) as caught:
        qrealm.run(ghz, shots=0, observables="Z0", noise=noise, backend="density_matrix")
    assert caught.value.hint.startswith("with shots=1024 these can: trajectories")


def test_auto_does_not_send_to_another_backend_when_there_is_none():
    vast = entangled(45, 30)
    with pytest.raises((TooLargeError, BackendRefusalError)) as caught:
        qrealm.run(vast, shots=10)
    assert "use another backend" not in str(caught.value)
    with pytest.raises(QubitError, match="at least one qubit"):
        qrealm.run(Circuit(0), shots=1, backend="statevector")


@pytest.mark.parametrize(
    "circuit, options",
    [
        (Circuit(22).h(0), {}),
        (Circuit(8).h(0).cx(0, 1), {"shots": 0, "observables": "Z0"}),
        (entangled(20, 20), {"shots": 0, "observables": "Z0"}),
        (entangled(20, 4), {}),
        (entangled(20, 4), {"shots": 0, "observables": "Z0"}),
        (entangled(40, 3), {"shots": 0, "observables": {"a": "Z0 Z1 + X30", "b": "Y5"}}),
        (deciding(30), {}),
    ],
)
def test_an_estimate_names_the_backend_that_runs(circuit, options):
    told = qrealm.estimate(circuit, **options)
    assert told.backend == qrealm.run(circuit, seed=1, **options).metadata["backend"]
    assert told.considered[0].name == told.backend
    assert told.num_qubits == circuit.num_qubits
    assert told.fits
