"""Many sets of numbers for one circuit: the same as one run for each, whatever its numbers do to the plan."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from qrealm import _kernels
from reference.dense import unpack
from reference.processes import wait_for_work
from reference.random_circuits import CircuitBuilder, ReferenceCircuit, random_circuit, replayable
from unit.kernel.kernel_grid import TOLERANCE, instruction_sets, plan, precisions, reference
from unit.kernel.test_gradient import layered, marks
from unit.kernel.test_readout import pauli_value

PASSES = _kernels.PLANNER_PASSES
ALL = sum(PASSES.values())
SPECIAL = np.array([0.0, np.pi / 2, np.pi, -np.pi / 2, 2 * np.pi, 4 * np.pi, -np.pi, 1e-16])


def with_params(circuit: ReferenceCircuit, params: NDArray[np.float64]) -> ReferenceCircuit:
    return ReferenceCircuit(**{**circuit.__dict__, "params": params})


def rows_of(circuit: ReferenceCircuit, count: int, seed: int) -> NDArray[np.float64]:
    """Angles that differ from row to row, some of them special; the indices of matrices stay."""
    rng = np.random.default_rng(seed)
    rows = rng.uniform(-7, 7, (count, len(circuit.params)))
    special = rng.random(rows.shape) < np.linspace(0, 1, count)[:, None] ** 2
    rows = np.where(special, rng.choice(SPECIAL, rows.shape), rows)
    for i, op in enumerate(unpack(circuit)):
        if op.name == "MATRIX":
            rows[:, circuit.param_offsets[i]] = circuit.params[circuit.param_offsets[i]]
    return np.ascontiguousarray(rows)


def random_terms(num_qubits: int, seed: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 2**num_qubits, 9).astype(np.uint64)
    z = rng.integers(0, 2**num_qubits, 9).astype(np.uint64)
    x[:5] = 0
    return x, z


@precisions
@instruction_sets
@pytest.mark.parametrize("num_qubits", [1, 3, 6, 9, 12])
def test_expectations_are_those_of_the_reference(num_qubits: int, isa: str, single: bool) -> None:
    for seed in range(3):
        circuit = random_circuit(seed, num_qubits, num_ops=40, controls_max=2, matrix_qubits_max=2)
        rows = rows_of(circuit, 9, seed)
        x, z = random_terms(num_qubits, seed)
        weights = np.random.default_rng(seed).normal(size=9)
        made = plan(circuit, single=single, isa=isa, tile_qubits=10)
        got = _kernels.sweep_expectations(made, rows, x, z, weights, [2, 2, 9], 2)
        assert got.shape == (9, 3)
        for row, values in zip(rows, got, strict=True):
            state = reference(with_params(circuit, row))
            terms = [w * pauli_value(state, int(a), int(b)) for w, a, b in zip(weights, x, z, strict=True)]
            with replayable(seed):
                want = [sum(terms[:2]), 0.0, sum(terms[2:])]
                assert np.abs(values - want).max() < 50 * TOLERANCE[single]


@precisions
@pytest.mark.parametrize(
    "mask", [0, *PASSES.values(), *(sum(PASSES.values()) - bit for bit in PASSES.values())]
)
def test_passes_on_and_off(mask: int, single: bool) -> None:
    circuit = random_circuit(4, 7, num_ops=60, controls_max=2, matrix_qubits_max=3)
    rows = rows_of(circuit, 8, 1)
    x, z = random_terms(7, 2)
    made = plan(circuit, single=single, passes=mask, tile_qubits=10)
    got = _kernels.sweep_expectations(made, rows, x, z, np.ones(9), list(range(1, 10)), 1)
    for row, values in zip(rows, got, strict=True):
        state = reference(with_params(circuit, row))
        want = [pauli_value(state, int(a), int(b)) for a, b in zip(x, z, strict=True)]
        assert np.abs(values - want).max() < 10 * TOLERANCE[single]


@precisions
def test_counts_are_those_of_single_runs(single: bool) -> None:
    """Draws belong to seeds, so a shot can differ only where rounding moves a bound between two outcomes."""
    shots = 2000
    for seed, num_qubits in enumerate((2, 5, 8, 13, 40)):
        if num_qubits == 40:  # pairs of qubits, each a part of its own
            builder = CircuitBuilder(40)
            for q in range(0, 40, 2):
                builder.add("RY", [q], params=[0.3]).add("X", [q + 1], controls=[q])
                builder.add("RX", [q + 1], params=[1.0])
            circuit = builder.build()
        else:
            circuit = random_circuit(seed, num_qubits, num_ops=30, controls_max=2, matrix_qubits_max=2)
        rows = rows_of(circuit, 10, seed)
        seeds = np.arange(10, dtype=np.uint64) + np.uint64(77)
        got = _kernels.sweep_counts(plan(circuit, single=single, tile_qubits=10), rows, shots, seeds, 2)
        for row, row_seed, (values, counts) in zip(rows, seeds.tolist(), got, strict=True):
            made = plan(with_params(circuit, row), single=single, tile_qubits=10)
            want = dict(
                zip(*(a.tolist() for a in _kernels.run_counts(made, shots, row_seed, 1)), strict=True)
            )
            found = dict(zip(values.tolist(), counts.tolist(), strict=True))
            moved = sum(abs(found.get(k, 0) - want.get(k, 0)) for k in found.keys() | want.keys()) / 2
            with replayable(seed):
                assert counts.sum() == shots
                assert moved <= (2 if single else 0)


@pytest.mark.parametrize("num_qubits", [5, 11, 19])
def test_threads_do_not_change_a_bit(num_qubits: int) -> None:
    """19 qubits in double precision are run by all threads together, the others one row on each."""
    names = ["RX", "RY", "RZZ", "P", "X"]
    circuit = random_circuit(5, num_qubits, num_ops=50, names=names, controls_max=1)
    rows = rows_of(circuit, 24 if num_qubits < 19 else 3, 3)
    x, z = random_terms(num_qubits, 2)
    made = plan(circuit, single=False)
    seeds = np.arange(len(rows), dtype=np.uint64)
    ones = [_kernels.sweep_expectations(made, rows, x, z, np.ones(9), [9], threads) for threads in (1, 2, 5)]
    assert np.array_equal(ones[0], ones[1])
    assert np.array_equal(ones[0], ones[2])
    drawn = [_kernels.sweep_counts(made, rows, 300, seeds, threads) for threads in (1, 3)]
    for one, other in zip(*drawn, strict=True):
        assert np.array_equal(one[0], other[0])
        assert np.array_equal(one[1], other[1])


def test_a_row_does_not_depend_on_the_rows_before_it() -> None:
    """Special angles change what a plan holds; the plans that follow must not remember."""
    circuit = random_circuit(9, 6, num_ops=50, names=["RX", "RY", "RZ", "RZZ", "U", "X"], controls_max=1)
    rows = rows_of(circuit, 40, 6)
    x, z = random_terms(6, 1)
    made = plan(circuit, single=False)
    together = _kernels.sweep_expectations(made, rows, x, z, np.ones(9), [4, 9], 1)
    for i in (0, 7, 20, 39):
        alone = _kernels.sweep_expectations(made, rows[i : i + 1], x, z, np.ones(9), [4, 9], 1)
        assert np.array_equal(alone[0], together[i])
    backwards = _kernels.sweep_expectations(made, rows[::-1].copy(), x, z, np.ones(9), [4, 9], 1)
    assert np.array_equal(backwards[::-1], together)


@precisions
def test_growth_is_held_back_for_any_angles(single: bool) -> None:
    """A plan made at small angles must also hold at pi/2, where every RY defers a factor of sqrt(2)."""
    builder = CircuitBuilder(8)
    for _ in range(100):
        for q in range(8):
            builder.add("RY", [q], params=[0.0])
        for q in range(8):
            builder.add("Z", [(q + 1) % 8], controls=[q])
    circuit = builder.build()
    rows = np.stack([np.full(len(circuit.params), angle) for angle in (0.05, np.pi / 2, 0.7, np.pi - 0.01)])
    z, x = np.array([1, 6], np.uint64), np.array([0, 128], np.uint64)
    got = _kernels.sweep_expectations(plan(circuit, single=single), rows, x, z, np.ones(2), [1, 2], 1)
    for row, values in zip(rows, got, strict=True):
        state = reference(with_params(circuit, row))
        want = [pauli_value(state, int(a), int(b)) for a, b in zip(x, z, strict=True)]
        assert np.abs(values - want).max() < (3e-5 if single else 1e-11)


def test_circuits_too_long_for_one_plan() -> None:
    circuit = random_circuit(3, 4, num_ops=12_000, names=["RY", "RZ", "X", "RXX"], controls_max=1)
    rows = np.stack([circuit.params, circuit.params[::-1]])
    x, z = np.array([3], np.uint64), np.array([5], np.uint64)
    made = plan(circuit, single=False)
    got = _kernels.sweep_expectations(made, rows, x, z, np.ones(1), [1], 2)
    for row, value in zip(rows, got[:, 0], strict=True):
        assert value == pytest.approx(pauli_value(reference(with_params(circuit, row)), 3, 5), abs=1e-9)
    for row, (values, counts) in zip(
        rows, _kernels.sweep_counts(made, rows, 50, x.repeat(2), 2), strict=True
    ):
        want = _kernels.run_counts(plan(with_params(circuit, row), single=False), 50, 3, 1)
        assert np.array_equal(values, want[0])
        assert np.array_equal(counts, want[1])


def test_what_is_refused() -> None:
    made = plan(CircuitBuilder(2).add("RX", [0], params=[0.1]).build(), single=True)
    one, rows = np.ones(1, np.uint64), np.zeros((3, 1))
    with pytest.raises(ValueError, match="one column"):
        _kernels.sweep_expectations(made, np.zeros((3, 2)), one, one, np.ones(1), [1], 1)
    with pytest.raises(ValueError, match="one coefficient"):
        _kernels.sweep_expectations(made, rows, one, one, np.ones(2), [1], 1)
    for ends in ([2], [1, 0]):
        with pytest.raises(ValueError, match="ends must ascend"):
            _kernels.sweep_expectations(made, rows, one, one, np.ones(1), ends, 1)
    with pytest.raises(ValueError, match="out of range"):
        _kernels.sweep_expectations(made, rows, one * np.uint64(4), one, np.ones(1), [1], 1)
    with pytest.raises(ValueError, match="not finite"):
        _kernels.sweep_expectations(made, np.full((30, 1), np.nan), one, one, np.ones(1), [1], 2)
    with pytest.raises(ValueError, match="one seed"):
        _kernels.sweep_counts(made, rows, 10, one, 1)
    wide = plan(CircuitBuilder(50).add("RX", [0], params=[0.1]).build(), single=True)
    with pytest.raises(MemoryError, match="more than any machine"):
        _kernels.sweep_expectations(wide, rows, one, one, np.ones(1), [1], 1)
    assert _kernels.sweep_expectations(made, np.zeros((0, 1)), one, one, np.ones(1), [1], 2).shape == (0, 1)


LONG_SWEEP = """
import numpy as np
from qrealm import _kernels
from reference.random_circuits import random_circuit
from unit.kernel.kernel_grid import plan
circuit = random_circuit(1, 12, num_ops=200, names=["RX", "RZZ"], controls_max=1)
rows = np.random.default_rng(1).uniform(0, 6, (10**6 // 2, len(circuit.params)))
one = np.ones(1, np.uint64)
print("ready", flush=True)
_kernels.sweep_expectations(plan(circuit, single=False), rows, one, one, np.ones(1), [1], 2)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="sends SIGINT to a process")
def test_ctrl_c_stops_a_sweep() -> None:
    paths = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    with subprocess.Popen(
        [sys.executable, "-c", LONG_SWEEP],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        wait_for_work(process.pid, 0.5)
        assert process.poll() is None, "the sweep ended before it could be interrupted"
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, printed = process.communicate(timeout=60)
        assert time.monotonic() - sent < 30
        assert process.returncode != 0
        assert "KeyboardInterrupt" in printed


@precisions
@pytest.mark.parametrize("num_qubits", [1, 4, 9, 12])
def test_gradients_of_rows_are_those_of_single_runs(num_qubits: int, single: bool) -> None:
    """Rows that lead to several structures (angles of 0 and pi among them), each with terms of its own."""
    circuit = random_circuit(num_qubits, num_qubits, 60, controls_max=2, matrix_qubits_max=2)
    rng = np.random.default_rng(num_qubits)
    rows = rows_of(circuit, 9, seed=num_qubits)
    x, z = random_terms(num_qubits, seed=3)
    coefficients = rng.normal(size=(9, len(x)))
    coefficients[2, 1:] = 0
    coefficients[6] = 0
    wanted = marks(circuit)
    wanted[::5] = 0
    found = [
        _kernels.sweep_gradients(plan(circuit, single=single), rows, x, z, coefficients, wanted, threads)
        for threads in (1, 2, 3)
    ]
    for values, derivatives in found[1:]:
        assert np.array_equal(values, found[0][0])
        assert np.array_equal(derivatives, found[0][1])
    for row in range(9):
        one = plan(with_params(circuit, rows[row]), single=single)
        value, slopes = _kernels.gradient(one, x, z, coefficients[row].copy(), wanted, 1)
        most = TOLERANCE[single] * max(1.0, float(np.abs(coefficients[row]).sum()))
        assert abs(found[0][0][row] - value) < most
        assert np.abs(found[0][1][row] - slopes).max() < most
    assert not found[0][1][6].any()
    assert not found[0][1][:, ::5].any()


def test_gradients_of_rows_refuse_what_does_not_fit() -> None:
    circuit = layered(2, 1)
    one = plan(circuit, single=False)
    masks = np.zeros(1, dtype=np.uint64), np.ones(1, dtype=np.uint64)
    rows, wanted = np.tile(circuit.params, (2, 1)), marks(circuit)
    with pytest.raises(ValueError, match="coefficient"):
        _kernels.sweep_gradients(one, rows, *masks, np.ones((1, 1)), wanted, 1)
    with pytest.raises(ValueError, match="column"):
        _kernels.sweep_gradients(one, rows[:, 1:].copy(), *masks, np.ones((2, 1)), wanted, 1)
    with pytest.raises(ValueError, match="mark"):
        _kernels.sweep_gradients(one, rows, *masks, np.ones((2, 1)), wanted[1:].copy(), 1)
