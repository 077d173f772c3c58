"""Two hundred circuits of every kind that people run, and what is asked of them: what AUTO is judged on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qrealm.circuits import Circuit
from qrealm.circuits.noise import (
    NoiseModel,
    ReadoutError,
    amplitude_damping,
    depolarizing,
    thermal_relaxation,
)

Ask = dict[str, Any]
COUNTS: Ask = {"shots": 1000}


@dataclass(frozen=True)
class Task:
    """One circuit and one request: options of `qrealm.run`."""

    name: str
    circuit: Circuit
    ask: Ask = field(default_factory=lambda: dict(COUNTS))


def ghz(qubits: int) -> Circuit:
    """A ladder of CX."""
    circuit = Circuit(qubits).h(0)
    for qubit in range(qubits - 1):
        circuit.cx(qubit, qubit + 1)
    return circuit


def clifford(qubits: int, depth: int, draw: np.random.Generator, anywhere: bool = True) -> Circuit:
    """Random H, S and CX, between any qubits or between neighbours."""
    circuit = Circuit(qubits)
    for _ in range(depth):
        for qubit in range(qubits):
            circuit.append(("h", "s", "sx", "x")[draw.integers(4)], [qubit])
        order = draw.permutation(qubits) if anywhere else np.roll(np.arange(qubits), draw.integers(2))
        for a, b in zip(order[::2], order[1::2], strict=False):
            if anywhere or abs(int(a) - int(b)) == 1:
                circuit.cx(int(a), int(b))
    return circuit


def fourier(qubits: int) -> Circuit:
    """QFT of a product state."""
    circuit = Circuit(qubits)
    for qubit in range(qubits):
        circuit.ry(0.1 + 0.37 * qubit, qubit)
    for high in reversed(range(qubits)):
        circuit.h(high)
        for low in reversed(range(high)):
            circuit.cp(math.pi / 2 ** (high - low), low, high)
    return circuit


def layers(qubits: int, depth: int, draw: np.random.Generator, ring: bool = False) -> Circuit:
    """Hardware-efficient: RY and RZ on all, CX between neighbours."""
    circuit = Circuit(qubits)
    for _ in range(depth):
        for qubit in range(qubits):
            circuit.ry(float(draw.uniform(0, 6)), qubit).rz(float(draw.uniform(0, 6)), qubit)
        for qubit in range(qubits if ring else qubits - 1):
            circuit.cx(qubit, (qubit + 1) % qubits)
    return circuit


def brickwork(qubits: int, depth: int, draw: np.random.Generator, angle: float) -> Circuit:
    """Neighbours entangled in turns; small angles entangle little."""
    circuit = Circuit(qubits)
    for layer in range(depth):
        for qubit in range(qubits):
            circuit.ry(float(draw.normal(0, angle)), qubit)
        for qubit in range(layer % 2, qubits - 1, 2):
            circuit.rzz(float(draw.normal(0, angle)), qubit, qubit + 1)
    return circuit


def ising(qubits: int, steps: int, time_step: float) -> Circuit:
    """Trotter steps of a transverse-field Ising chain."""
    circuit = Circuit(qubits)
    for _ in range(steps):
        for qubit in range(qubits - 1):
            circuit.rzz(2 * time_step, qubit, qubit + 1)
        for qubit in range(qubits):
            circuit.rx(2 * time_step, qubit)
    return circuit


def everywhere(qubits: int, gates: int, draw: np.random.Generator) -> Circuit:
    """Dense gates between random pairs: nothing to exploit."""
    circuit = Circuit(qubits)
    for _ in range(gates):
        a, b = (int(q) for q in draw.choice(qubits, 2, replace=False))
        circuit.u(*(float(v) for v in draw.uniform(0, 6, 3)), a).cx(a, b)
    return circuit


def teleport_chain(hops: int) -> Circuit:
    """A state teleported again and again: measurements half-way, and conditions."""
    circuit = Circuit(3, 2 * hops).ry(1.1, 0)
    for hop in range(hops):
        if hop:
            circuit.reset([1, 2])
        circuit.h(1).cx(1, 2).cx(0, 1).h(0).measure([0, 1], [2 * hop, 2 * hop + 1])
        with circuit.if_(2 * hop + 1):
            circuit.x(2)
        with circuit.if_(2 * hop):
            circuit.z(2)
        circuit.swap(0, 2)
    return circuit


def repetition_code(distance: int, rounds: int) -> Circuit:
    """Syndromes measured and reset round after round."""
    data, checks = range(distance), range(distance, 2 * distance - 1)
    circuit = Circuit(2 * distance - 1, rounds * (distance - 1) + distance)
    for turn in range(rounds):
        for place, check in enumerate(checks):
            circuit.cx(place, check).cx(place + 1, check)
        for place, check in enumerate(checks):
            circuit.measure(check, turn * (distance - 1) + place).reset(check)
    return circuit.measure(list(data), [rounds * (distance - 1) + q for q in data])


def measured_rounds(qubits: int, times: int) -> Circuit:
    """RY, a chain of CX, every second qubit measured, over and over; in the end all."""
    circuit = Circuit(qubits, qubits)
    for each in range(times):
        for qubit in range(qubits):
            circuit.ry(0.3 + 0.1 * each, qubit)
        for qubit in range(qubits - 1):
            circuit.cx(qubit, qubit + 1)
        circuit.measure(range(0, qubits, 2), range(0, qubits, 2))
    return circuit.measure(range(qubits), range(qubits))


def _pauli_noise(rate: float) -> NoiseModel:
    return (
        NoiseModel()
        .after_gates(depolarizing(rate, 2), ["cx"])
        .after_gates(depolarizing(rate / 10), ["h", "s", "sx", "x", "ry", "rz"])
        .readout(ReadoutError.flips(0.01, 0.02))
    )


def _relaxing() -> NoiseModel:
    slow = thermal_relaxation(80_000, 100_000, 300)
    return (
        NoiseModel()
        .after_gates(slow, ["cx", "rzz"])
        .after_gates(amplitude_damping(5e-4), ["ry", "rz", "h", "sx"])
    )


def mixed_set(seed: int = 11) -> list[Task]:
    """The tasks; the same seed gives the same ones."""
    draw = np.random.default_rng(seed)
    makers: tuple[Callable[[np.random.Generator], Iterator[Task]], ...] = (
        _clifford_tasks,
        _dense_tasks,
        _wide_tasks,
        _value_tasks,
        _noisy_tasks,
        _deciding_tasks,
        _algorithm_tasks,
    )
    return [task for make in makers for task in make(draw)]


def _clifford_tasks(draw: np.random.Generator) -> Iterator[Task]:
    for qubits in (3, 8, 14, 20, 26, 40, 62, 100, 300, 1000):
        yield Task(f"ghz-{qubits}", ghz(qubits))
    for qubits, depth in (
        (5, 5), (10, 10), (12, 100), (16, 20), (18, 4), (20, 10), (22, 50), (24, 6), (26, 20), (40, 10),
        (60, 60), (80, 4), (120, 20), (200, 10), (400, 5),
    ):  # fmt: skip
        yield Task(f"clifford-{qubits}-{depth}", clifford(qubits, depth, draw))
    for qubits, depth in ((20, 8), (30, 4), (50, 8), (100, 3)):
        yield Task(f"clifford-line-{qubits}-{depth}", clifford(qubits, depth, draw, anywhere=False))


def _dense_tasks(draw: np.random.Generator) -> Iterator[Task]:
    for qubits in (4, 8, 12, 16, 18, 20, 22, 23):
        yield Task(f"qft-{qubits}", fourier(qubits))
    for qubits, depth in ((4, 3), (8, 6), (12, 4), (15, 8), (18, 4), (20, 6), (22, 3), (24, 2)):
        yield Task(f"hea-{qubits}-{depth}", layers(qubits, depth, draw))
        yield Task(f"hea-ring-{qubits}-{depth}", layers(qubits, depth, draw, ring=True))
    sizes = ((5, 20), (10, 200), (14, 100), (17, 300), (20, 100), (20, 600), (22, 200), (24, 60))
    for qubits, gates in sizes:
        yield Task(f"dense-{qubits}-{gates}", everywhere(qubits, gates, draw))
    for qubits, gates in ((12, 100), (18, 200), (22, 100)):
        state = {"shots": 0, "return_statevector": True}
        yield Task(f"state-{qubits}-{gates}", everywhere(qubits, gates, draw), state)


def _wide_tasks(draw: np.random.Generator) -> Iterator[Task]:
    for qubits, depth in ((16, 4), (20, 6), (24, 4), (28, 6), (32, 4), (40, 6), (60, 4), (60, 8), (100, 4)):
        yield Task(f"brickwork-weak-{qubits}-{depth}", brickwork(qubits, depth, draw, 0.2))
    for qubits, depth in ((18, 6), (22, 8), (24, 10), (26, 4), (30, 4), (36, 6), (48, 6)):
        yield Task(f"brickwork-{qubits}-{depth}", brickwork(qubits, depth, draw, 1.5))
    for qubits, steps in ((12, 10), (16, 6), (20, 5), (24, 4), (30, 5), (50, 4), (80, 3)):
        yield Task(f"ising-{qubits}-{steps}", ising(qubits, steps, 0.1))
    for qubits, depth in ((26, 2), (30, 2), (40, 3), (50, 2)):
        yield Task(f"hea-{qubits}-{depth}", layers(qubits, depth, draw))
    for qubits, depth in ((30, 3), (40, 4), (24, 6)):
        asked = {"shots": 0, "amplitudes": ["0" * qubits, "01" * (qubits // 2)]}
        yield Task(f"amplitudes-{qubits}-{depth}", brickwork(qubits, depth, draw, 1.0), asked)


def _value_tasks(draw: np.random.Generator) -> Iterator[Task]:
    for qubits, depth in ((6, 4), (12, 6), (18, 4), (22, 4), (30, 2), (60, 3), (200, 2)):
        energy = " + ".join(f"Z{q} Z{q + 1}" for q in range(qubits - 1))
        asked = {"shots": 0, "observables": energy}
        yield Task(f"energy-brick-{qubits}-{depth}", brickwork(qubits, depth, draw, 1.0), asked)
        yield Task(f"energy-hea-{qubits}", layers(min(qubits, 60), 2, draw), {
            "shots": 0, "observables": f"Z0 Z{min(qubits, 60) - 1} + X1"})  # fmt: skip
    for qubits, depth in ((10, 20), (20, 10), (50, 10), (200, 5)):
        asked = {"shots": 0, "observables": f"Z0 Z{qubits - 1} + X1 Y2"}
        yield Task(f"clifford-value-{qubits}-{depth}", clifford(qubits, depth, draw), asked)
    for qubits, gates in ((12, 60), (20, 100), (22, 80)):
        asked = {"shots": 1000, "observables": "Z0 + X1 X2", "sampled": True}
        yield Task(f"sampled-{qubits}-{gates}", everywhere(qubits, gates, draw), asked)


def _noisy_tasks(draw: np.random.Generator) -> Iterator[Task]:
    for qubits, depth in ((3, 5), (6, 10), (10, 10), (16, 5), (20, 10), (40, 5), (100, 5), (300, 3)):
        noisy = _pauli_noise(0.01).apply(clifford(qubits, depth, draw))
        yield Task(f"noisy-clifford-{qubits}-{depth}", noisy)
    sizes = ((2, 3), (4, 6), (6, 4), (8, 4), (9, 8), (10, 3), (11, 4), (12, 2), (14, 3), (16, 2), (18, 2))
    for qubits, depth in sizes:
        yield Task(f"noisy-hea-{qubits}-{depth}", _pauli_noise(0.01).apply(layers(qubits, depth, draw)))
        yield Task(f"quiet-hea-{qubits}-{depth}", _pauli_noise(2e-4).apply(layers(qubits, depth, draw)))
    for qubits, depth in ((2, 4), (4, 4), (6, 6), (8, 3), (10, 2), (11, 2), (12, 1)):
        yield Task(f"relaxing-{qubits}-{depth}", _relaxing().apply(layers(qubits, depth, draw)))
    for qubits, depth in ((3, 5), (6, 5), (9, 3), (11, 2)):
        asked = {"shots": 0, "observables": "Z0 Z1 + X2"}
        yield Task(f"noisy-value-{qubits}-{depth}", _relaxing().apply(layers(qubits, depth, draw)), asked)
    for qubits in (5, 9, 40):
        asked = {"shots": 0, "observables": "Z0 Z1"}
        yield Task(f"noisy-ghz-value-{qubits}", _pauli_noise(0.01).apply(ghz(qubits)), asked)
    for shots in (10, 100, 20_000):
        noisy = _pauli_noise(0.01).apply(layers(10, 4, draw))
        yield Task(f"noisy-hea-10-4-{shots}", noisy, {"shots": shots})


def _deciding_tasks(draw: np.random.Generator) -> Iterator[Task]:
    for qubits, times, shots in ((8, 3, 1000), (12, 4, 1000), (18, 3, 200), (20, 3, 200)):
        yield Task(f"rounds-{qubits}-{times}", measured_rounds(qubits, times), {"shots": shots})
    for hops in (2, 4):
        yield Task(f"teleport-{hops}", teleport_chain(hops))
    for distance, rounds in ((3, 2), (5, 3), (9, 5), (15, 10), (31, 5)):
        yield Task(f"repetition-{distance}-{rounds}", repetition_code(distance, rounds))
        noisy = _pauli_noise(0.005).apply(repetition_code(distance, rounds))
        yield Task(f"noisy-repetition-{distance}-{rounds}", noisy)
    for qubits, depth in ((4, 3), (8, 3), (12, 2), (16, 2), (20, 2)):
        circuit = layers(qubits, depth, draw)
        circuit.measure([0, 1], [0, 1]).reset([0, 1])
        yield Task(f"reset-hea-{qubits}-{depth}", circuit.compose(layers(qubits, 1, draw)).measure(2, 2))


def _algorithm_tasks(draw: np.random.Generator) -> Iterator[Task]:
    for qubits in (8, 14, 20, 22):
        yield Task(f"qaoa-{qubits}", _qaoa(qubits, 2, draw))
        energy = " + ".join(f"Z{q} Z{(q + 1) % qubits}" for q in range(qubits))
        yield Task(f"qaoa-value-{qubits}", _qaoa(qubits, 2, draw), {"shots": 0, "observables": energy})
    for qubits in (24, 200):
        yield Task(f"bernstein-vazirani-{qubits}", _bernstein_vazirani(qubits))
    for qubits, ts in ((12, 4), (20, 10), (26, 6), (60, 3)):
        circuit = clifford(qubits, 3, draw, anywhere=False)
        for _ in range(ts):
            circuit.t(int(draw.integers(qubits)))
        yield Task(f"clifford-t-{qubits}-{ts}", circuit.compose(clifford(qubits, 2, draw, anywhere=False)))
    for qubits in (20, 30, 100):
        circuit = ghz(qubits)
        for qubit in range(qubits):
            circuit.ry(0.3, qubit)
        yield Task(f"rotated-ghz-{qubits}", circuit)


def _qaoa(qubits: int, rounds: int, draw: np.random.Generator) -> Circuit:
    """Max-cut on a ring with chords."""
    circuit = Circuit(qubits).h(range(qubits))
    chords = [(q, (q + 1) % qubits) for q in range(qubits)]
    chords += [(q, q + qubits // 2) for q in range(qubits // 2)]
    for _ in range(rounds):
        angle, mixer = (float(value) for value in draw.uniform(0.1, 1, 2))
        for a, b in chords:
            circuit.rzz(angle, a, b)
        for qubit in range(qubits):
            circuit.rx(mixer, qubit)
    return circuit


def _bernstein_vazirani(qubits: int) -> Circuit:
    """Finds a hidden string of alternating bits."""
    circuit = Circuit(qubits).x(qubits - 1).h(range(qubits))
    for qubit in range(0, qubits - 1, 2):
        circuit.cx(qubit, qubits - 1)
    return circuit.h(range(qubits - 1)).measure(range(qubits - 1), range(qubits - 1))
