"""Is the answer right? Before anything is timed, every simulator's state is compared with the reference
simulator."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from tests.reference.dense import DenseSimulator
from tests.reference.random_circuits import CircuitBuilder, ReferenceCircuit

from benchmarks.cases import Case

# The reference needs seconds at this size and minutes beyond.
QUBITS_MAX = 14
# Largest error of an amplitude: what the kernel promises, and ten times that for the others.
TOLERANCE = {"single": 1e-5, "double": 1e-11}

# (kernel op, number of controls) of each gate that the cases use.
KERNEL_FORM = {
    "h": ("H", 0),
    "x": ("X", 0),
    "t": ("T", 0),
    "rx": ("RX", 0),
    "ry": ("RY", 0),
    "rz": ("RZ", 0),
    "u3": ("U", 0),
    "cx": ("X", 1),
    "cz": ("Z", 1),
    "cp": ("P", 1),
    "swap": ("SWAP", 0),
    "rzz": ("RZZ", 0),
}


def packed(case: Case) -> ReferenceCircuit:
    """The case as kernel op arrays."""
    builder = CircuitBuilder(case.num_qubits)
    for gate in case.gates:
        name, controls = KERNEL_FORM[gate.name]
        builder.add(name, gate.qubits[controls:], params=gate.params, controls=gate.qubits[:controls])
    return builder.build()


def reference_amplitudes(case: Case) -> NDArray[np.complex128]:
    """The state (2^n,) of the case by the reference simulator."""
    return DenseSimulator.run(packed(case)).state


def largest_error(
    expected: NDArray[np.complex128], got: NDArray[np.complexfloating], *, any_phase: bool
) -> float:
    """The largest |difference| of two amplitudes; `any_phase` first turns `got` to the expected global
    phase."""
    if got.shape != expected.shape:
        raise ValueError(f"a state of shape {got.shape} where {expected.shape} was expected")
    got = got.astype(complex)
    if any_phase:
        overlap = np.vdot(got, expected)
        got = got * (overlap / abs(overlap))
    return float(np.abs(got - expected).max())
