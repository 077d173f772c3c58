"""What every backend offers: a circuit is compiled once, then run; a state can be steered step by step.

Seeds are integers from 0 to 2^64 - 1. The same seed gives the same outcomes whatever the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qrealm.circuits.pack import PackedCircuit
from qrealm.simulate.plan.types import BackendCard, Precision, Work


class Program(Protocol):
    """A compiled circuit: nothing is allocated for its state yet."""

    def work(self, shots: int) -> Work:
        """What a run with this many shots costs."""
        ...

    def describe(self) -> dict[str, object]:
        """The backend's own account of its plan, JSON-ready."""
        ...

    def counts(self, shots: int, seed: int, threads: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Distinct basis indices of all qubits, ascending, and how often each was drawn."""
        ...

    def gradient(
        self,
        terms: tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.float64]],
        wanted: NDArray[np.uint8],
        threads: int,
    ) -> tuple[float, NDArray[np.float64]]:
        """Expectation value of a Pauli sum (x masks, z masks, coefficients) on the state made from |0...0>,
        and its derivative by every entry of the packed parameters that `wanted` marks; zero elsewhere."""
        ...


class State(Protocol):
    """A state of all qubits, started in |0...0>."""

    def apply(self, program: Program, threads: int) -> None:
        """Run a program compiled with the same options."""
        ...

    def load(self, amplitudes: NDArray[np.complex128] | NDArray[np.complex64]) -> None:
        """Replace the state; shape (2^n,), norm 1."""
        ...

    def to_array(self, threads: int) -> NDArray[np.complex128] | NDArray[np.complex64]:
        """All amplitudes, shape (2^n,), complex64 or complex128 by precision, newly allocated."""
        ...

    def amplitudes(self, indices: NDArray[np.uint64]) -> NDArray[np.complex128]:
        """Amplitudes of chosen basis states, shape of `indices`."""
        ...

    def probabilities(self, qubits: Sequence[int], threads: int) -> NDArray[np.float64]:
        """Outcome probabilities of some qubits, shape (2^k,); ``qubits[0]`` is bit 0 of an outcome."""
        ...

    def sample(self, shots: int, seed: int, threads: int) -> NDArray[np.uint64]:
        """Basis indices, shape (shots,)."""
        ...

    def expectation(
        self, x_masks: NDArray[np.uint64], z_masks: NDArray[np.uint64], threads: int
    ) -> NDArray[np.float64]:
        """One real value per Pauli string: X on the bits of the x mask, Z on those of the z mask, Y on
        both."""
        ...

    def collapse(self, qubit: int, outcome: int, threads: int) -> float:
        """Project a qubit on an outcome and normalise; returns the outcome's probability before."""
        ...

    def copy(self) -> State:
        """An independent copy."""
        ...


class Backend(Protocol):
    """A backend's `run.py`."""

    card: BackendCard

    def compile(self, packed: PackedCircuit, precision: Precision) -> Program:
        """Plan the circuit for this backend; allocates no state."""
        ...

    def start(self, num_qubits: int, precision: Precision) -> State:
        """|0...0> on this many qubits."""
        ...

    def instruction_sets(self) -> tuple[str, ...]:
        """Vector instruction sets that it can use on this machine, best first."""
        ...
