"""Derivatives by the run back: against differences of the reference and the parameter-shift rule, wherever a
rotation stands and whatever becomes of it on the way."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from qrealm import _kernels
from reference.dense import unpack
from reference.random_circuits import CircuitBuilder, ReferenceCircuit, random_circuit, replayable
from unit.kernel.kernel_grid import instruction_sets, plan, precisions, reference
from unit.kernel.test_readout import pauli_value, shifted

PASSES = _kernels.PLANNER_PASSES
ALL = sum(PASSES.values())
Terms = tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.float64]]


def random_terms(num_qubits: int, seed: int, count: int = 6) -> Terms:
    """Strings of all kinds, the first ones diagonal."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 2**num_qubits, count).astype(np.uint64)
    z = rng.integers(0, 2**num_qubits, count).astype(np.uint64)
    x[: count // 2] = 0
    return x, z, rng.normal(size=count)


def energy(circuit: ReferenceCircuit, terms: Terms) -> float:
    state = reference(circuit)
    return float(sum(w * pauli_value(state, int(x), int(z)) for x, z, w in zip(*terms, strict=True)))


def marks(circuit: ReferenceCircuit) -> NDArray[np.uint8]:
    """Every parameter but the indices of matrices."""
    wanted = np.ones(len(circuit.params), dtype=np.uint8)
    for i, op in enumerate(unpack(circuit)):
        if op.name == "MATRIX":
            wanted[circuit.param_offsets[i]] = 0
    return wanted


def differences(circuit: ReferenceCircuit, terms: Terms, wanted: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Central differences: error h^2 times a third derivative, near 1e-9 for h = 1e-4."""
    step = 1e-4
    return np.array(
        [
            (energy(shifted(circuit, i, step), terms) - energy(shifted(circuit, i, -step), terms))
            / (2 * step)
            if wanted[i]
            else 0.0
            for i in range(len(wanted))
        ]
    )


def layered(num_qubits: int, layers: int, seed: int = 1) -> ReferenceCircuit:
    """RY and RZ on every qubit, then CX along a line."""
    rng = np.random.default_rng(seed)
    builder = CircuitBuilder(num_qubits)
    for _ in range(layers):
        for q in range(num_qubits):
            builder.add("RY", [q], params=[rng.uniform(-4, 4)]).add("RZ", [q], params=[rng.uniform(-4, 4)])
        for control, target in pairwise(range(num_qubits)):
            builder.add("X", [target], controls=[control])
    return builder.build()


def alternating(num_qubits: int, rounds: int, seed: int = 2) -> ReferenceCircuit:
    """H on every qubit, then RZZ around a ring and RX on every qubit."""
    rng = np.random.default_rng(seed)
    builder = CircuitBuilder(num_qubits)
    for q in range(num_qubits):
        builder.add("H", [q])
    for _ in range(rounds):
        for q in range(num_qubits):
            builder.add("RZZ", [q, (q + 1) % num_qubits], params=[rng.uniform(-4, 4)])
        for q in range(num_qubits):
            builder.add("RX", [q], params=[rng.uniform(-4, 4)])
    return builder.build()


@precisions
@instruction_sets
@pytest.mark.parametrize("make", [layered, alternating])
@pytest.mark.parametrize("num_qubits", [3, 8, 12])
def test_the_parameter_shift_rule(num_qubits: int, make: object, isa: str, single: bool) -> None:
    """(E(angle + pi/2) - E(angle - pi/2)) / 2 is exact for a rotation that stands alone."""
    circuit = make(num_qubits, 2)  # type: ignore[operator]
    terms = random_terms(num_qubits, 3)
    wanted = marks(circuit)
    for tile in (0, 11):
        made = plan(circuit, single=single, isa=isa, tile_qubits=tile)
        value, got = _kernels.gradient(made, *terms, wanted, 2)
        assert value == pytest.approx(energy(circuit, terms), abs=1e-4 if single else 1e-11)
        for i in range(0, len(wanted), 5):
            up, down = (energy(shifted(circuit, i, sign * np.pi / 2), terms) for sign in (1, -1))
            assert got[i] == pytest.approx((up - down) / 2, abs=1e-4 if single else 1e-10)


@precisions
@pytest.mark.parametrize(
    "mask", [0, *PASSES.values(), *(sum(PASSES.values()) - bit for bit in PASSES.values())]
)
def test_passes_on_and_off(mask: int, single: bool) -> None:
    for seed, circuit in enumerate(
        (
            layered(5, 3),
            alternating(5, 2),
            random_circuit(7, 6, num_ops=40, controls_max=2, matrix_qubits_max=2),
        )
    ):
        terms, wanted = random_terms(circuit.num_qubits, seed), marks(circuit)
        made = plan(circuit, single=single, passes=mask, tile_qubits=10)
        _, got = _kernels.gradient(made, *terms, wanted, 2)
        want = differences(circuit, terms, wanted)
        with replayable(seed, mask=mask):
            assert np.abs(got - want).max() < (1e-3 if single else 1e-6)


@precisions
def test_what_begins_on_single_qubits(single: bool) -> None:
    """First gates on one qubit each have their derivatives without a run: alone, behind swaps, and with
    later ones."""
    rng = np.random.default_rng(4)
    names = {"RX": 1, "RY": 1, "RZ": 1, "P": 1, "U": 3, "H": 0, "S": 0, "X": 0, "SX": 0}
    for seed in range(12):
        num_qubits = 1 + seed % 7
        builder = CircuitBuilder(num_qubits)
        for _ in range(4 * num_qubits):
            name = rng.choice(list(names))
            builder.add(
                name, [int(rng.integers(num_qubits))], params=rng.uniform(-4, 4, names[name]).tolist()
            )
        if num_qubits > 1 and seed % 3:
            for control, target in pairwise(rng.permutation(num_qubits).tolist()):
                builder.add("X", [target], controls=[control])
            builder.add("SWAP", [0, num_qubits - 1]).add("ISWAP", [0, 1])
        if num_qubits > 1 and seed % 3 == 2:
            for q in range(num_qubits):
                builder.add("RX", [q], params=[0.3 * q]).add("RZZ", [q, (q + 1) % num_qubits], params=[0.7])
        circuit = builder.build()
        terms, wanted = random_terms(num_qubits, seed), marks(circuit)
        for tile in (0, 10):
            made = plan(circuit, single=single, tile_qubits=tile)
            value, got = _kernels.gradient(made, *terms, wanted, 1)
            with replayable(seed):
                assert value == pytest.approx(energy(circuit, terms), abs=1e-4 if single else 1e-11)
                assert np.abs(got - differences(circuit, terms, wanted)).max() < (1e-3 if single else 1e-6)


@precisions
def test_diagonal_gates_of_every_width(single: bool) -> None:
    """Parities of one and two qubits are pooled; what has more controls is not."""
    rng = np.random.default_rng(8)
    for seed in range(4):
        builder = CircuitBuilder(6)
        for q in range(6):
            builder.add("H", [q])
        for _ in range(25):
            name = rng.choice(["RZ", "P", "RZZ", "GPHASE", "X", "RY"])
            targets = {"RZZ": 2, "GPHASE": 0}.get(name, 1)
            wires = rng.permutation(6)[: targets + int(rng.integers(0, 4))].tolist()
            controls = wires[targets:]
            params = [] if name == "X" else [rng.uniform(-4, 4)]
            builder.add(name, wires[:targets], params=params, controls=controls)
        circuit = builder.build()
        terms, wanted = random_terms(6, seed), marks(circuit)
        for tile in (0, 10):
            _, got = _kernels.gradient(plan(circuit, single=single, tile_qubits=tile), *terms, wanted, 2)
            with replayable(seed, tile=tile):
                assert np.abs(got - differences(circuit, terms, wanted)).max() < (1e-3 if single else 1e-6)


@pytest.mark.parametrize("num_qubits", [12, 17])
def test_threads_do_not_change_a_bit(num_qubits: int) -> None:
    """17 qubits in double precision take several tiles of the default size."""
    for circuit in (layered(num_qubits, 3), alternating(num_qubits, 2)):
        terms, wanted = random_terms(num_qubits, 1), marks(circuit)
        made = plan(circuit, single=False, tile_qubits=0 if num_qubits > 15 else 10)
        one = _kernels.gradient(made, *terms, wanted, 1)
        for threads in (2, 5):
            again = _kernels.gradient(made, *terms, wanted, threads)
            assert again[0] == one[0]
            assert np.array_equal(again[1], one[1])
        some = wanted.copy()
        some[::3] = 0
        part = _kernels.gradient(made, *terms, some, 2)[1]
        assert np.abs(part - np.where(some, one[1], 0)).max() < 1e-11


def test_a_hamiltonian_of_many_strings() -> None:
    """More terms and lanes than one segment's table has numbers, on several segments."""
    num_qubits = 11
    circuit = layered(num_qubits, 2)
    terms = random_terms(num_qubits, 5, count=300)
    x, z, weights = terms
    value, got = _kernels.gradient(plan(circuit, single=False), *terms, marks(circuit), 2)
    state = reference(circuit)
    want = sum(w * pauli_value(state, int(a), int(b)) for a, b, w in zip(x, z, weights, strict=True))
    assert value == pytest.approx(want, abs=1e-10)
    up, down = (energy(shifted(circuit, 7, sign * np.pi / 2), terms) for sign in (1, -1))
    assert got[7] == pytest.approx((up - down) / 2, abs=1e-10)
