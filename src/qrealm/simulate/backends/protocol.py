"""What every backend offers.

There are two kinds. A *steered* backend compiles circuits and holds a state that can be moved step by step:
the state vector, and whatever else keeps amplitudes. What is asked of it, `simulate/execute.py` carries out.
A *whole* backend gets circuit and request, and answers with what it found: it has its own way of looking at
a circuit.

Seeds are integers from 0 to 2^64 - 1. The same seed gives the same outcomes whatever the number of threads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from qrealm.circuits import Circuit
from qrealm.circuits.pack import PackedCircuit
from qrealm.simulate.bits import BitLayout, Outcomes
from qrealm.simulate.plan.types import BackendCard, Plan, Precision, Work

if TYPE_CHECKING:
    from qrealm.simulate.request import RunRequest


def _no_outcomes() -> NDArray[np.uint64]:
    return np.zeros(0, dtype=np.uint64)


def _no_draws() -> NDArray[np.int64]:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a run found; names as in `Result`.

    Attributes:
        plan: how it was carried out.
        layout: which bits the outcomes have.
        outcomes, draws: distinct outcomes, ascending, and how often each was drawn.
        values, errors: of each observable, by name, and their standard errors where they were sampled.
        amplitudes: by basis index.
        statevector: shape (2^n,), when it was asked for.
        density_matrix: shape (2^n, 2^n), entry [i, j] = <i|rho|j>, when it was asked for.
        packed: what was run, when it was one piece; `backend` can compile it again to tell its plan.
        backend: see `packed`.
        branches: ways through measurements half-way that were followed.
        details: what the backend tells of this run, JSON-ready; for metadata. An approximation puts its
            ``truncation_error`` here.
        warnings: what the user should know.
    """

    plan: Plan
    layout: BitLayout
    outcomes: Outcomes = field(default_factory=_no_outcomes)
    draws: NDArray[np.int64] = field(default_factory=_no_draws)
    values: Mapping[str, float] = field(default_factory=dict)
    errors: Mapping[str, float] = field(default_factory=dict)
    amplitudes: Mapping[int, complex] = field(default_factory=dict)
    statevector: NDArray[np.complex128] | NDArray[np.complex64] | None = None
    density_matrix: NDArray[np.complex128] | NDArray[np.complex64] | None = None
    packed: PackedCircuit | None = None
    backend: SteeredBackend | None = None
    branches: int = 0
    details: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


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


class RowProgram(Program, Protocol):
    """A compiled circuit that can be run again with other numbers in it, many at a time. Rows have the
    entries of `PackedCircuit.params`, those that index matrices among them; shape (R, entries)."""

    def states_at_once(self, rows: int, threads: int) -> int:
        """How many states a call with so many rows holds at a time."""
        ...

    def expectations_of_rows(
        self,
        params: NDArray[np.float64],
        terms: tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.float64]],
        ends: Sequence[int],
        threads: int,
    ) -> NDArray[np.float64]:
        """Values of Pauli sums, shape (R, sums): sum k has the terms ends[k - 1] to ends[k] - 1 (x masks, z
        masks, coefficients)."""
        ...

    def gradients_at_once(self, rows: int, threads: int) -> int:
        """How many pairs of states a call of `gradients_of_rows` holds at a time."""
        ...

    def gradients_of_rows(
        self,
        params: NDArray[np.float64],
        masks: tuple[NDArray[np.uint64], NDArray[np.uint64]],
        coefficients: NDArray[np.float64],
        wanted: NDArray[np.uint8],
        threads: int,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What `gradient` gives, for each row: values (R,) and derivatives (R, entries). `masks` are the x
        and z masks of T strings, `coefficients` has shape (R, T)."""
        ...

    def counts_of_rows(
        self, params: NDArray[np.float64], shots: int, seeds: NDArray[np.uint64], threads: int
    ) -> list[tuple[NDArray[np.uint64], NDArray[np.int64]]]:
        """What `counts` gives, for each row with its own seed."""
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


class SteeredBackend(Protocol):
    """A `run.py` that compiles circuits and holds states."""

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


class WholeBackend(Protocol):
    """A `run.py` that takes circuit and request together."""

    card: BackendCard

    def run(self, circuit: Circuit, request: RunRequest) -> Found:
        """Run a bound circuit that the card has not refused. Readout errors that `split_readout` finds are
        left to the caller.

        Raises:
            TooLargeError: it does not fit; nothing has been allocated.
        """
        ...


Backend = SteeredBackend | WholeBackend


def takes_rows(program: Program) -> TypeGuard[RowProgram]:
    """Whether a program can be run with many sets of numbers in one call."""
    return hasattr(program, "expectations_of_rows")


def is_steered(backend: Backend) -> TypeGuard[SteeredBackend]:
    """Whether a backend holds states that can be moved step by step."""
    return hasattr(backend, "start")
