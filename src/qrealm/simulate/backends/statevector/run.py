"""The state-vector backend: hands packed circuits to the compiled kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from qrealm import _kernels
from qrealm.base import cancel
from qrealm.circuits.pack import PackedCircuit
from qrealm.simulate.backends.protocol import Program, State
from qrealm.simulate.backends.statevector.card import CARD
from qrealm.simulate.memory import refusal_told
from qrealm.simulate.plan.types import Precision, Work

_kernels.set_interrupt_check(cancel.check)
_compile = _kernels.plan
_run_counts = _kernels.run_counts


class StateVectorProgram:
    """A circuit planned by the kernel for one precision."""

    __slots__ = ("gates", "kernel_plan")

    def __init__(self, kernel_plan: Any, gates: int) -> None:
        self.kernel_plan = kernel_plan
        self.gates = gates

    @refusal_told
    def describe(self) -> dict[str, object]:
        """The kernel's account of its plan: stages, bytes, operations, digest."""
        return dict(self.kernel_plan.describe())

    @refusal_told
    def work(self, shots: int) -> Work:
        """What a run with this many shots costs."""
        facts = self.kernel_plan.describe()
        return Work(
            state_bytes=int(facts["state_bytes"]),
            stages=int(facts["stages"]),
            moved_bytes=int(facts["moved_bytes"]),
            flops=int(facts["flops"]),
            gates=self.gates,
            shots=shots,
        )

    @refusal_told
    def counts(self, shots: int, seed: int, threads: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Distinct basis indices, ascending, and their counts."""
        return _run_counts(self.kernel_plan, shots, seed, threads)  # type: ignore[no-any-return]

    @refusal_told
    def gradient(
        self,
        terms: tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.float64]],
        wanted: NDArray[np.uint8],
        threads: int,
    ) -> tuple[float, NDArray[np.float64]]:
        """Value and derivatives by the marked parameters."""
        return _kernels.gradient(self.kernel_plan, *terms, wanted, threads)  # type: ignore[no-any-return]

    def gradients_at_once(self, rows: int, threads: int) -> int:
        """As `states_at_once`, of the pairs of states that gradients take."""
        return int(self.kernel_plan.gradients_at_once(rows, threads))

    @refusal_told
    def gradients_of_rows(
        self,
        params: NDArray[np.float64],
        masks: tuple[NDArray[np.uint64], NDArray[np.uint64]],
        coefficients: NDArray[np.float64],
        wanted: NDArray[np.uint8],
        threads: int,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values and derivatives of a Pauli sum for each row of parameters, with coefficients of its own."""
        return _kernels.sweep_gradients(  # type: ignore[no-any-return]
            self.kernel_plan,
            np.ascontiguousarray(params),
            *masks,
            np.ascontiguousarray(coefficients),
            wanted,
            threads,
        )

    def states_at_once(self, rows: int, threads: int) -> int:
        """One on each thread while they are small; a large one is shared by all."""
        return int(self.kernel_plan.states_at_once(rows, threads))

    @refusal_told
    def expectations_of_rows(
        self,
        params: NDArray[np.float64],
        terms: tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.float64]],
        ends: Sequence[int],
        threads: int,
    ) -> NDArray[np.float64]:
        """Values of Pauli sums for each row of parameters."""
        return _kernels.sweep_expectations(  # type: ignore[no-any-return]
            self.kernel_plan, np.ascontiguousarray(params), *terms, list(ends), threads
        )

    @refusal_told
    def counts_of_rows(
        self, params: NDArray[np.float64], shots: int, seeds: NDArray[np.uint64], threads: int
    ) -> list[tuple[NDArray[np.uint64], NDArray[np.int64]]]:
        """Distinct basis indices and their counts for each row of parameters."""
        return _kernels.sweep_counts(  # type: ignore[no-any-return]
            self.kernel_plan, np.ascontiguousarray(params), shots, np.ascontiguousarray(seeds), threads
        )


class StateVectorState:
    """A state in the kernel's memory."""

    __slots__ = ("vector",)

    def __init__(self, vector: Any) -> None:
        self.vector = vector

    @refusal_told
    def apply(self, program: Program, threads: int) -> None:
        """Run a program compiled for the same precision."""
        self.vector.apply(cast(StateVectorProgram, program).kernel_plan, threads)

    @refusal_told
    def load(self, amplitudes: NDArray[np.complex128] | NDArray[np.complex64]) -> None:
        """Replace the state; the array is converted to the state's precision."""
        width = np.complex64 if self.vector.single else np.complex128
        self.vector.load(np.ascontiguousarray(amplitudes, dtype=width))

    @refusal_told
    def to_array(self, threads: int) -> NDArray[np.complex128] | NDArray[np.complex64]:
        """All amplitudes in the order of basis indices."""
        return self.vector.to_array(threads)  # type: ignore[no-any-return]

    @refusal_told
    def amplitudes(self, indices: NDArray[np.uint64]) -> NDArray[np.complex128]:
        """Amplitudes of chosen basis states."""
        return self.vector.amplitudes(indices)  # type: ignore[no-any-return]

    @refusal_told
    def probabilities(self, qubits: Sequence[int], threads: int) -> NDArray[np.float64]:
        """Outcome probabilities of some qubits, the first one bit 0."""
        return self.vector.probabilities(list(qubits), threads)  # type: ignore[no-any-return]

    @refusal_told
    def sample(self, shots: int, seed: int, threads: int) -> NDArray[np.uint64]:
        """Basis indices, one per shot."""
        return self.vector.sample(shots, seed, threads)  # type: ignore[no-any-return]

    @refusal_told
    def expectation(
        self, x_masks: NDArray[np.uint64], z_masks: NDArray[np.uint64], threads: int
    ) -> NDArray[np.float64]:
        """One value per Pauli string."""
        return self.vector.expectation(x_masks, z_masks, threads)  # type: ignore[no-any-return]

    @refusal_told
    def collapse(self, qubit: int, outcome: int, threads: int) -> float:
        """Project and normalise; returns the probability before."""
        return float(self.vector.collapse(qubit, bool(outcome), threads))

    @refusal_told
    def copy(self) -> State:
        """An independent copy."""
        return StateVectorState(self.vector.copy())


class StateVectorBackend:
    """Compiles for and starts states on this machine's cores."""

    card = CARD

    @refusal_told
    def compile(self, packed: PackedCircuit, precision: Precision) -> StateVectorProgram:
        """Plan the circuit; allocates no state."""
        kernel_plan = _compile(*packed.arrays(), single=precision is Precision.SINGLE)
        return StateVectorProgram(kernel_plan, len(packed.codes))

    @refusal_told
    def start(self, num_qubits: int, precision: Precision) -> StateVectorState:
        """|0...0>."""
        vector = _kernels.StateVector(num_qubits, precision is Precision.SINGLE)
        return StateVectorState(vector)

    def instruction_sets(self) -> tuple[str, ...]:
        """What the kernel can use here, best first."""
        return tuple(_kernels.instruction_sets())


BACKEND = StateVectorBackend()
