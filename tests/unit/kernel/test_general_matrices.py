"""Matrices that are not unitary, as channels and superoperators need them: applied to the letter, whatever
their magnitudes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from qrealm import _kernels
from reference.random_circuits import CircuitBuilder, ReferenceCircuit, random_unitary, replayable
from unit.kernel.kernel_grid import TOLERANCE, evolved, instruction_sets, plan, precisions, reference

SMALLEST_TILE = 10  # so that 12 and 13 qubits take several tiles
PASSES = _kernels.PLANNER_PASSES


def _diagonal(rng: np.random.Generator, size: int) -> NDArray[np.complex128]:
    """Of magnitudes up to 1, some of them 0 or tiny, the phases random or none."""
    found = rng.uniform(0.6, 1, size) * np.exp(2j * np.pi * rng.random(size) * rng.integers(2))
    kind = rng.integers(5)
    if kind == 0:
        found[rng.integers(size)] = 0
    elif kind == 1:
        found[rng.integers(size)] *= 1e-9
    elif kind == 2 and size == 4:
        shrink = rng.uniform(-1, 1)  # dephasing, on the two index bits of a density matrix
        found = np.array([1, shrink, shrink, 1], dtype=complex)
    return np.diag(found)


def _general(rng: np.random.Generator, qubits: int) -> NDArray[np.complex128]:
    """A contraction that is no unitary: diagonal, triangular, a damped rotation, singular or anything."""
    size = 2**qubits
    kind = rng.integers(5)
    if qubits > 2 or kind == 0:
        return random_unitary(rng, qubits) * rng.uniform(0.5, 1, size)
    if kind == 1:
        return np.triu(random_unitary(rng, qubits))
    if kind == 2:
        column = random_unitary(rng, qubits)[:, 0]
        return np.outer(column, column.conj())
    return _diagonal(rng, size)


def _circuit(seed: int, num_qubits: int, num_ops: int) -> ReferenceCircuit:
    """Matrices of all kinds among gates; most are damped rotations and diagonals, as in noisy circuits."""
    rng = np.random.default_rng(seed)
    builder = CircuitBuilder(num_qubits)
    for qubit in range(num_qubits):
        builder.add("H", [qubit])
    for _ in range(num_ops):
        order = rng.permutation(num_qubits).tolist()
        wide = int(rng.integers(1, min(3, num_qubits) + 1))
        kind = rng.integers(8)
        if kind == 0:
            builder.add("RY", order[:1], params=[rng.uniform(-7, 7)])
        elif kind == 1:
            builder.add("RX", order[:1], params=[rng.uniform(-7, 7)])
        elif kind == 2:
            builder.add("X", order[:1], controls=order[1:wide])
        elif kind == 3:
            builder.add("RZ", order[:1], params=[rng.uniform(-7, 7)], controls=order[1:wide])
        elif kind == 4:
            builder.add_matrix(_general(rng, wide), order[:wide])
        elif kind == 5:
            count = min(wide, 2)
            builder.add_matrix(_diagonal(rng, 2**count), order[:count])
        elif kind == 6 and num_qubits > 2:
            builder.add_matrix(_general(rng, 1), order[:1], controls=order[1 : 1 + wide])
        else:
            turn = random_unitary(rng, 1)
            builder.add_matrix(turn * np.array([1, rng.uniform(0.5, 1)]), order[:1])
    return builder.build()


def _agrees(circuit: ReferenceCircuit, single: bool, **options: object) -> None:
    """Relative to the norm that is left."""
    want = reference(circuit)
    got = evolved(circuit, single=single, **options).to_array()
    assert np.abs(got - want).max() <= TOLERANCE[single] * max(np.linalg.norm(want), 1e-30)


@precisions
@instruction_sets
@pytest.mark.parametrize("num_qubits", [1, 2, 3, 5, 8, 12, 13])
def test_general_matrices_among_gates(num_qubits: int, isa: str, single: bool) -> None:
    for seed in range(12):
        circuit = _circuit(1000 * num_qubits + seed, num_qubits, 14)
        with replayable(seed, num_qubits=num_qubits):
            _agrees(circuit, single, isa=isa, tile_qubits=SMALLEST_TILE)


@precisions
@pytest.mark.parametrize("mask", [0, *PASSES.values(), *(sum(PASSES.values()) - b for b in PASSES.values())])
def test_planner_passes_on_and_off(mask: int, single: bool) -> None:
    for seed, num_qubits in enumerate((1, 2, 4, 7, 12)):
        with replayable(seed, mask=mask):
            circuit = _circuit(77 + seed, num_qubits, 14)
            _agrees(circuit, single, passes=mask, tile_qubits=SMALLEST_TILE)


@precisions
def test_a_long_damped_circuit_keeps_its_digits(single: bool) -> None:
    """2,000 rotations, each followed by a damping: the norm falls to e^-20 or so, stored numbers must not."""
    rng = np.random.default_rng(5)
    builder = CircuitBuilder(4)
    for step in range(2000):
        qubit = step % 4
        builder.add("RY", [qubit], params=[rng.uniform(0, 3)])
        builder.add("RZ", [qubit], params=[rng.uniform(0, 3)])
        builder.add_matrix(np.diag([0.99, 0.98] if step % 3 else [0.99, 1.0]), [qubit])
        if step % 7 == 0:
            builder.add("X", [qubit], controls=[(qubit + 1) % 4])
    circuit = builder.build()
    want = reference(circuit)
    got = evolved(circuit, single=single).to_array()
    bound = {True: 3e-4, False: 1e-11}[single]  # 4,000 gates of rounding errors in single precision
    assert np.abs(got - want).max() < bound * np.linalg.norm(want)


@precisions
def test_strong_dephasing_many_times(single: bool) -> None:
    """Factors whose inverses are huge, more of them than the tables' range holds."""
    builder = CircuitBuilder(6)
    for qubit in range(6):
        builder.add("H", [qubit])
    for _ in range(40):
        for first in range(5):
            builder.add_matrix(np.diag([1, 0.1, 0.1, 1]), [first, first + 1])
    for qubit in range(6):
        builder.add("H", [qubit])
    _agrees(builder.build(), single)


@precisions
def test_a_factor_of_everything_comes_and_goes(single: bool) -> None:
    """Growth under controls that a factor of the whole takes back; in all, far more than a float holds."""
    builder = CircuitBuilder(3).add("H", [0]).add("H", [1]).add("H", [2])
    for step in range(60):
        builder.add_matrix(np.diag([1, np.e**10]), [step % 3], controls=[(step + 1) % 3])
        builder.add("RY", [step % 3], params=[0.3 + step])
        builder.add_matrix(np.eye(4) * np.exp(-10), [0, 1])
    _agrees(builder.build(), single)


@precisions
def test_samples_of_a_damped_state(single: bool) -> None:
    """Samples are of the state divided by its norm; a last diagonal that is no phase counts."""
    builder = CircuitBuilder(3).add("H", [0]).add("H", [1]).add("X", [2], controls=[1])
    builder.add_matrix(np.diag([1, 0.5]), [0]).add_matrix(np.diag([0.5, 1]), [1])
    circuit = builder.build()
    values, counts = _kernels.run_counts(plan(circuit, single=single), 100_000, 7)
    wanted = np.abs(reference(circuit)) ** 2
    wanted /= wanted.sum()
    found = np.zeros(8)
    found[values.astype(int)] = counts / 100_000
    assert np.abs(found - wanted).max() < 5 * np.sqrt(0.25 / 100_000)  # five standard deviations


def test_gradients_refuse_them() -> None:
    circuit = CircuitBuilder(1).add_matrix(np.diag([1, 0.5]), [0]).add("RY", [0], params=[0.2]).build()
    masks = np.zeros(1, dtype=np.uint64), np.ones(1, dtype=np.uint64), np.ones(1)
    with pytest.raises(ValueError, match="unitary"):
        _kernels.gradient(plan(circuit, single=False), *masks, np.array([0, 1], dtype=np.uint8))
