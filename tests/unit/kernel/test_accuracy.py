"""Every amplitude against the dense reference: all ops, widths, precisions, instruction sets and passes."""

from __future__ import annotations

import numpy as np
import pytest

from qrealm import _kernels
from reference.random_circuits import CircuitBuilder, random_circuit, random_unitary, replayable
from unit.kernel.kernel_grid import TOLERANCE, evolved, instruction_sets, part, plan, precisions, reference

SMALLEST_TILE = 10  # so that 11 to 14 qubits take several tiles and stages
PASSES = _kernels.PLANNER_PASSES
ALL = sum(PASSES.values())


@precisions
@instruction_sets
@pytest.mark.parametrize("num_qubits", range(1, 15))
def test_random_circuits(num_qubits: int, isa: str, single: bool) -> None:
    for seed in range(3):
        circuit = random_circuit(
            100 * num_qubits + seed, num_qubits, num_ops=50, controls_max=3 + seed * num_qubits
        )
        want = reference(circuit)
        for tile in (0, SMALLEST_TILE):
            with replayable(seed, num_qubits=num_qubits, tile=tile):
                got = evolved(circuit, single=single, isa=isa, tile_qubits=tile).to_array()
                assert got.dtype == (np.complex64 if single else np.complex128)
                assert np.abs(got - want).max() < TOLERANCE[single]


@precisions
@pytest.mark.parametrize(
    "mask", [0, *PASSES.values(), *(sum(PASSES.values()) - bit for bit in PASSES.values())]
)
def test_planner_passes_on_and_off(mask: int, single: bool) -> None:
    for seed, num_qubits in enumerate((3, 7, 12)):
        circuit = random_circuit(seed, num_qubits, num_ops=60, controls_max=2, matrix_qubits_max=3)
        want = reference(circuit)
        with replayable(seed, mask=mask):
            got = evolved(circuit, single=single, passes=mask, tile_qubits=SMALLEST_TILE).to_array()
            assert np.abs(got - want).max() < TOLERANCE[single]


@precisions
def test_a_state_goes_on_where_it_was(single: bool) -> None:
    """Circuits applied one after another, on the layout that the one before left."""
    for seed in range(12):
        num_qubits = 2 + seed
        circuit = random_circuit(seed, num_qubits, num_ops=40, controls_max=2, matrix_qubits_max=4)
        want = reference(circuit)
        state = _kernels.StateVector(num_qubits, single)
        for begin, end in ((0, 1), (1, 15), (15, 15), (15, 40)):
            state.apply(plan(part(circuit, begin, end), single=single, tile_qubits=SMALLEST_TILE), 2)
        with replayable(seed):
            assert np.abs(state.to_array() - want).max() < TOLERANCE[single]


@pytest.mark.parametrize(
    "family", [("H", "CX"), ("RX", "RY", "RZ"), ("SWAP", "ISWAP", "X"), ("RZZ", "P", "RX"), ("U", "X")]
)
def test_families_that_meet_one_pass_each(family: tuple[str, ...]) -> None:
    names = tuple("X" if name == "CX" else name for name in family)
    for seed in range(4):
        circuit = random_circuit(seed, 13, num_ops=150, names=names, controls_max=1)
        with replayable(seed, family=family):
            got = evolved(circuit, single=False, tile_qubits=SMALLEST_TILE).to_array()
            assert np.abs(got - reference(circuit)).max() < 1e-11


@precisions
def test_long_runs_of_rotations_neither_overflow_nor_drift(single: bool) -> None:
    """Deferred cosines let stored numbers grow by up to sqrt(2) a gate: 4,000 gates would reach 2^2000."""
    num_qubits, rounds = 8, 500
    builder = CircuitBuilder(num_qubits)
    for i in range(rounds):
        for q in range(num_qubits):
            builder.add("RY", [q], params=[0.4 + 0.1 * q + 0.01 * i])
        builder.add("Z", [(i + 1) % num_qubits], controls=[i % num_qubits])
    circuit = builder.build()
    got = evolved(circuit, single=single, passes=0).to_array()
    # Rounding errors add up at random: 4,000 gates at 6e-8 each stay near sqrt(4000) 6e-8.
    assert np.abs(got - reference(circuit)).max() < (2e-5 if single else 1e-11)


def test_threads_do_not_change_a_bit() -> None:
    circuit = random_circuit(5, 14, num_ops=120, controls_max=2, matrix_qubits_max=3)
    one = evolved(circuit, single=True, threads=1, tile_qubits=SMALLEST_TILE).to_array(1)
    for threads in (2, 3, 7):
        assert np.array_equal(
            one, evolved(circuit, single=True, threads=threads, tile_qubits=SMALLEST_TILE).to_array(threads)
        )


@precisions
def test_matrices_that_need_every_row_of_a_tile(single: bool) -> None:
    """Once the wires that one element waits for pushed out those of another, for ever."""
    rng = np.random.default_rng(115)
    builder = CircuitBuilder(8)
    for targets in ((6, 7, 5), (7, 3, 1, 0, 2, 5)):
        builder.add_matrix(random_unitary(rng, len(targets)), targets)
    circuit = builder.add("RYY", (6, 4), params=[0.7]).build()
    assert np.abs(evolved(circuit, single=single).to_array() - reference(circuit)).max() < TOLERANCE[single]


def test_every_circuit_can_be_planned() -> None:
    """Planning alone: widths that no reference reaches, and tiles so small that wires have to take turns."""
    for seed in range(20_000, 23_000):
        num_qubits = 1 + seed % 28
        circuit = random_circuit(seed, num_qubits, 10 + seed % 90, controls_max=(None, 2, 1)[seed % 3])
        for single in (True, False):
            for tile in (0, SMALLEST_TILE, 12):
                with replayable(seed, single=single, tile=tile):
                    plan(circuit, single=single, tile_qubits=tile).describe()


@precisions
def test_long_circuits_run_in_portions(single: bool) -> None:
    circuit = random_circuit(3, 4, num_ops=12_000, names=["RY", "RZ", "X", "ISWAP", "RXX"], controls_max=1)
    assert (
        np.abs(evolved(circuit, single=single).to_array() - reference(circuit)).max() < 10 * TOLERANCE[single]
    )


@precisions
def test_large_states_against_the_closed_form(single: bool) -> None:
    """The Fourier transform of |k> has amplitudes exp(2 pi i j k / N) / sqrt(N). 22 qubits take several tiles
    of the default size, several pieces of work per thread, and stores past the caches."""
    num_qubits, k = 22, 1_234_567
    builder = CircuitBuilder(num_qubits)
    for q in range(num_qubits):
        if k >> q & 1:
            builder.add("X", [q])
    for i in reversed(range(num_qubits)):
        builder.add("H", [i])
        for j in reversed(range(i)):
            builder.add("P", [i], params=[np.pi / 2 ** (i - j)], controls=[j])
    for i in range(num_qubits // 2):
        builder.add("SWAP", [i, num_qubits - 1 - i])
    state = evolved(builder.build(), single=single)
    size = 2**num_qubits
    phase = (np.arange(size, dtype=np.int64) * k % size) / size
    want = np.exp(2j * np.pi * phase) / np.sqrt(size)
    assert np.abs(state.to_array(2) - want).max() * np.sqrt(size) < (1e-4 if single else 1e-11)
    assert np.abs(state.probabilities(list(range(13)), 2) - 2.0**-13).max() < 1e-7
    # X on every qubit maps |j> to |N - 1 - j>.
    overlap = (want.conj()[::-1] * want).sum().real
    everything = np.array([size - 1], dtype=np.uint64)
    assert state.expectation(everything, np.zeros(1, np.uint64), 2)[0] == pytest.approx(overlap, abs=1e-5)


@precisions
def test_load_and_read_back(single: bool) -> None:
    rng = np.random.default_rng(3)
    for num_qubits in (1, 4, 6, 11, 15):
        amplitudes = rng.normal(size=2**num_qubits) + 1j * rng.normal(size=2**num_qubits)
        amplitudes /= np.linalg.norm(amplitudes)
        amplitudes = amplitudes.astype(np.complex64 if single else np.complex128)
        state = _kernels.StateVector(num_qubits, single)
        state.load(amplitudes, 2)
        assert np.array_equal(state.to_array(2), amplitudes)
        circuit = random_circuit(num_qubits, num_qubits, num_ops=1, names=["X"], controls_max=0)
        state.apply(plan(circuit, single=single), 2)
        flipped = np.arange(2**num_qubits) ^ (1 << int(circuit.qubits[0]))
        assert np.array_equal(state.to_array(2), amplitudes[flipped])


def test_op_codes_are_the_reference_ones() -> None:
    from reference.ops import KERNEL_OPS

    assert _kernels.op_codes() == {op.name: op.code for op in KERNEL_OPS}


@pytest.mark.parametrize("seed", [224, 453, 1101, 1136, 3203, 7246])
def test_seeds_that_once_stopped_the_planner(seed: int) -> None:
    circuit = random_circuit(seed, 1 + seed % 12, 20 + seed % 60)
    for single in (True, False):
        assert (
            np.abs(evolved(circuit, single=single).to_array() - reference(circuit)).max() < TOLERANCE[single]
        )
