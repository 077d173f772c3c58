"""What the kernel's tests share: plans from reference circuits, the grid of precisions and instruction
sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from qrealm import _kernels
from reference.dense import DenseSimulator
from reference.random_circuits import ReferenceCircuit

# Bounds of the project: no amplitude may be further from the reference.
TOLERANCE = {True: 1e-5, False: 1e-11}

precisions = pytest.mark.parametrize("single", [True, False], ids=["single", "double"])
instruction_sets = pytest.mark.parametrize("isa", _kernels.instruction_sets())


def plan(circuit: ReferenceCircuit, *, single: bool, **options: Any) -> Any:
    """The kernel's plan of a packed circuit."""
    return _kernels.plan(
        circuit.num_qubits,
        circuit.codes,
        circuit.num_controls,
        circuit.qubit_offsets,
        circuit.qubits,
        circuit.param_offsets,
        circuit.params,
        list(circuit.matrices),
        single=single,
        **options,
    )


def evolved(
    circuit: ReferenceCircuit, *, single: bool, isa: str = "auto", threads: int = 2, **options: Any
) -> Any:
    """The kernel's state after a circuit."""
    state = _kernels.StateVector(circuit.num_qubits, single, isa)
    state.apply(plan(circuit, single=single, isa=isa, **options), threads)
    return state


def reference(circuit: ReferenceCircuit) -> NDArray[np.complex128]:
    """The dense simulator's amplitudes."""
    return DenseSimulator.run(circuit).state


def part(circuit: ReferenceCircuit, begin: int, end: int) -> ReferenceCircuit:
    """Ops begin..end-1."""
    qubits, params = circuit.qubit_offsets, circuit.param_offsets
    return ReferenceCircuit(
        circuit.num_qubits,
        circuit.codes[begin:end].copy(),
        circuit.num_controls[begin:end].copy(),
        (qubits[begin : end + 1] - qubits[begin]).astype(np.int32),
        circuit.qubits[qubits[begin] : qubits[end]].copy(),
        (params[begin : end + 1] - params[begin]).astype(np.int32),
        circuit.params[params[begin] : params[end]].copy(),
        circuit.matrices,
    )


def chi_square(
    values: NDArray[np.uint64], counts: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> float:
    """Pearson's statistic divided by its degrees of freedom, outcomes of fewer than 5 expected pooled."""
    shots = int(counts.sum())
    observed = np.zeros(len(probabilities))
    observed[values.astype(np.int64)] = counts
    expected = probabilities * shots
    assert not observed[expected == 0].any(), "an outcome of probability zero was sampled"
    rare = expected < 5
    observed = np.append(observed[~rare], observed[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    observed, expected = observed[expected > 0], expected[expected > 0]
    degrees = max(len(expected) - 1, 1)
    return float(((observed - expected) ** 2 / expected).sum() / degrees)
