"""How entangled a circuit is taken to be, beside what chains of tensors find; costs beside what runs take."""

from __future__ import annotations

import math
import time
from statistics import median

import numpy as np
import pytest

import qrealm
from qrealm.circuits import Circuit
from qrealm.circuits.noise import NoiseModel, depolarizing
from qrealm.simulate.plan.traits import traits

LOG2_TOLERANCE = 2.2
"""Estimates of log2 of a bond are this close to what a run reaches."""


def fourier(num_qubits: int, angle: float = 0.37, ordered: bool = False) -> Circuit:
    """QFT of a product state; with its final swaps if so asked."""
    circuit = Circuit(num_qubits)
    for qubit in range(num_qubits):
        circuit.ry(angle * (1 + qubit), qubit)
    for high in reversed(range(num_qubits)):
        circuit.h(high)
        for low in reversed(range(high)):
            circuit.cp(math.pi / 2 ** (high - low), low, high)
    if ordered:
        for qubit in range(num_qubits // 2):
            circuit.swap(qubit, num_qubits - 1 - qubit)
    return circuit


def fan(num_qubits: int, into: bool = False) -> Circuit:
    """CX from one qubit to all others, or to one from all others."""
    circuit = Circuit(num_qubits).h(range(num_qubits) if into else 0)
    for qubit in range(1, num_qubits):
        circuit.cx(*((qubit, 0) if into else (0, qubit)))
    return circuit


def ising(num_qubits: int, steps: int, angle: float) -> Circuit:
    """Trotter steps of a transverse-field Ising chain."""
    circuit = Circuit(num_qubits)
    for _ in range(steps):
        for qubit in range(num_qubits - 1):
            circuit.rzz(angle, qubit, qubit + 1)
        circuit.rx(angle, range(num_qubits))
    return circuit


def layers(num_qubits: int, depth: int, entangler: str, angle: float | None = None, seed: int = 3) -> Circuit:
    """Turns on every qubit, then a gate on every pair of neighbours, in turns."""
    generator = np.random.default_rng(seed)
    circuit = Circuit(num_qubits)
    for layer in range(depth):
        for qubit in range(num_qubits):
            circuit.u(*(float(value) for value in generator.uniform(0, 6, 3)), qubit)
        for qubit in range(layer % 2, num_qubits - 1, 2):
            circuit.append(entangler, [qubit, qubit + 1], [] if angle is None else [angle])
    return circuit


def haar(num_qubits: int, depth: int, seed: int = 1) -> Circuit:
    """Brickwork of random matrices on two qubits (F. Mezzadri, Notices of the AMS 54, 2007)."""
    generator = np.random.default_rng(seed)
    circuit = Circuit(num_qubits)
    for layer in range(depth):
        for qubit in range(layer % 2, num_qubits - 1, 2):
            q, r = np.linalg.qr(generator.normal(size=(4, 4)) + 1j * generator.normal(size=(4, 4)))
            circuit.unitary(q * (np.diagonal(r) / np.abs(np.diagonal(r))), [qubit, qubit + 1])
    return circuit


MIXED = {
    "fan": fan(40),
    "fan-in": fan(40, into=True),
    "fourier-20": fourier(20),
    "fourier-26": fourier(26),
    "fourier-ordered": fourier(24, ordered=True),
    "fourier-of-zero": fourier(30, angle=0.0),
    "ising-weak": ising(40, 10, 0.1),
    "ising": ising(40, 5, 0.4),
    "layers-cx": layers(40, 8, "cx"),
    "layers-rzz": layers(30, 10, "rzz", 0.3),
    "layers-iswap": layers(30, 6, "iswap"),
    "haar": haar(30, 8),
}


def on_a_chain(circuit: Circuit):
    """A run on the mps backend, one shot, one thread."""
    return qrealm.run(circuit, 1, seed=1, threads=1, backend="mps")


@pytest.mark.parametrize("name", MIXED)
def test_bonds_are_what_a_chain_needs(name):
    reached = math.log2(on_a_chain(MIXED[name]).metadata["bond_max_reached"])
    facts = traits(MIXED[name])
    assert facts.bond_log2 <= facts.schmidt_log2
    assert facts.bond_log2 == pytest.approx(reached, abs=LOG2_TOLERANCE)


def test_costs_of_chains_follow_what_runs_take():
    """Processor seconds over estimated seconds, beside their median, so that the machine's speed drops out.

    No circuit takes six times as much, and none a twentieth: a fan's qubit is carried along for less.
    """
    ratios = {}
    for name, circuit in MIXED.items():
        taken = []
        for _ in range(2):
            begun = time.process_time()
            on_a_chain(circuit)
            taken.append(time.process_time() - begun)
        ratios[name] = min(taken) / qrealm.estimate(circuit, threads=1, shots=1, backend="mps").seconds
    middle = median(ratios.values())
    assert all(middle / 20 < ratio < middle * 6 for ratio in ratios.values()), ratios


def test_a_wide_fourier_transform_can_be_planned():
    """It fits, and takes minutes at most; by the count of gates across the cut it would take 2^30 bonds."""
    facts = traits(fourier(60))
    assert facts.schmidt_log2 == 30
    assert 4 < facts.bond_log2 < 8
    told = qrealm.estimate(fourier(60), shots=1000, backend="mps")
    assert told.fits
    assert told.seconds < 600


def test_what_is_certain_entangles_nothing():
    """Controls that are 0, targets that do not care, phases of basis states, gates that only exchange."""
    circuit = Circuit(20).x(3)
    circuit.cx(0, 19).cx(3, 18).cz(3, 10).cp(0.3, 3, 11).ccx(0, 5, 12).ccx(3, 18, 9)
    circuit.h(7).cx(3, 7).h(8).cx(8, 7).swap(8, 15).crx(0.4, 3, 8).cx(9, 0)
    assert traits(circuit).bond_log2 == 0
    assert traits(circuit.cx(15, 0)).bond_log2 == 1


def test_observables_that_turn_part_the_branches():
    """Three CX from one control are one bit across every cut; a turn of the control in between makes two."""
    together = Circuit(20).h(9).cx(9, 10).cx(9, 11).cx(9, 12)
    assert traits(together).bond_log2 == 1
    turned = Circuit(20).h(9).cx(9, 10).ry(0.7, 9).cx(9, 11).h(8).cx(8, 9).ry(0.7, 9).cx(9, 12)
    assert traits(turned).bond_log2 > 1


def test_measurements_are_open_or_certain():
    circuit = Circuit(3, 4).x(0).h(1).measure(0, 0).measure(1, 1).reset(1).cx(0, 2).measure(2, 2)
    circuit.h(2).cx(2, 1).measure(1, 3).h(2)
    assert traits(circuit).decided == ((2, 1, 1), (4, 0, 1), (6, 1, 0))
    assert traits(Circuit(2, 2).h(0).measure([0, 1], [0, 1])).decided == ()


def deciding(num_qubits: int, before: int, after: int, measured: int, noisy: bool) -> Circuit:
    """Layers, measurements, layers."""
    circuit = layers(num_qubits, before, "cx")
    circuit = Circuit(num_qubits, num_qubits + measured).compose(circuit)
    circuit.measure(range(measured), range(measured))
    circuit.compose(layers(num_qubits, after, "cx", seed=4))
    circuit.measure(range(num_qubits), range(measured, num_qubits + measured))
    model = NoiseModel().after_gates(depolarizing(0.01, 2), "cx").after_gates(depolarizing(0.001), "u")
    return model.apply(circuit) if noisy else circuit


DECIDING = {
    "early": deciding(8, 2, 14, 5, True),
    "late": deciding(8, 14, 2, 5, True),
    "early, quiet": deciding(8, 2, 14, 5, False),
    "few": deciding(8, 8, 8, 1, True),
    "many": deciding(6, 5, 5, 6, True),
    "wide": deciding(9, 2, 6, 3, True),
}


def test_costs_of_density_matrices_follow_the_decisions():
    """Processor seconds over estimated seconds within a factor of four of their median: what stands after a
    measurement is run for each of its outcomes."""
    ratios = {}
    for name, circuit in DECIDING.items():
        taken = []
        for _ in range(2):
            begun = time.process_time()
            qrealm.run(circuit, 1000, seed=1, threads=1, backend="density_matrix")
            taken.append(time.process_time() - begun)
        told = qrealm.estimate(circuit, threads=1, shots=1000, backend="density_matrix")
        ratios[name] = min(taken) / told.seconds
    middle = median(ratios.values())
    assert all(middle / 4 < ratio < middle * 4 for ratio in ratios.values()), ratios


def test_what_fills_the_chain_is_full_however_long_it_is():
    """Random layers on 20 qubits: 10 bits across the middle, and no more after ten times as many gates."""
    assert traits(layers(20, 24, "cx")).bond_log2 == pytest.approx(10, abs=0.5)
    assert traits(layers(20, 240, "cx")).bond_log2 == 10
