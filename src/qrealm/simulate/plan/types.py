"""The values that planning takes and gives. All frozen, all plain numbers: a plan can be read, stored and
compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Precision(StrEnum):
    """Width of the real numbers of the state."""

    SINGLE = "single"
    DOUBLE = "double"

    @property
    def amplitude_bytes(self) -> int:
        """Bytes of one complex amplitude: 8 (complex64) or 16 (complex128)."""
        return 8 if self is Precision.SINGLE else 16


@dataclass(frozen=True, slots=True)
class BackendCard:
    """What a planner must know of a backend; no backend code is imported to read it.

    Attributes:
        name: key in the registry.
        summary: one line for people.
        qubits_max: largest circuit it takes, whatever the memory.
        precisions: precisions it can hold a state in.
        overhead_bytes: memory that a run takes beside its states.
        seconds: cost model: (work, rates) -> seconds of one run.
    """

    name: str
    summary: str
    qubits_max: int
    precisions: tuple[Precision, ...]
    overhead_bytes: int
    seconds: Callable[[Work, Rates], float]


@dataclass(frozen=True, slots=True)
class Request:
    """What the caller asked of one run, as far as planning must know.

    Attributes:
        shots: number of samples; 0 for none.
        precision: the precision asked for, None for automatic.
        threads: the number of threads asked for, None for automatic.
        exact: whether amplitudes, a state or exact expectation values are wanted.
        state_copy: whether the whole state is handed out as an array.
    """

    shots: int
    precision: Precision | None
    threads: int | None
    exact: bool
    state_copy: bool


@dataclass(frozen=True, slots=True)
class CircuitShape:
    """What planning must know of a circuit.

    Attributes:
        num_qubits: its qubits.
        amplitudes: amplitudes that the run holds: 2^num_qubits, or fewer where the backend keeps unentangled
            qubits apart.
        branch_points: measurements and resets that a run must decide half-way.
        state_arrays: arrays of a whole state that the run needs for a while beside its state.
    """

    num_qubits: int
    amplitudes: int
    branch_points: int
    state_arrays: int


@dataclass(frozen=True, slots=True)
class Plan:
    """How one run is to be carried out.

    Attributes:
        backend: name of the backend.
        precision: precision of the state.
        threads: threads of the run.
        state_bytes: bytes of one state.
        memory_bytes: peak memory of the run, state included.
        branch_copies: states kept beside the running one while the outcomes of a measurement are followed.
        reasons: why it was chosen so, one sentence each.
    """

    backend: str
    precision: Precision
    threads: int
    state_bytes: int
    memory_bytes: int
    branch_copies: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Work:
    """What one run of a circuit costs in the backend's own terms.

    Attributes:
        state_bytes: bytes of the state or states it holds.
        stages: passes over the state.
        moved_bytes: bytes that move between memory and processor.
        flops: floating-point operations.
        gates: operations of the circuit.
        shots: samples drawn.
    """

    state_bytes: int
    stages: int
    moved_bytes: int
    flops: int
    gates: int
    shots: int


@dataclass(frozen=True, slots=True)
class Rates:
    """What this machine was measured to do, for one precision and number of threads.

    Attributes:
        run_seconds: fixed cost of a run.
        gate_seconds: planning cost of one gate.
        bytes_per_second: memory traffic while a large circuit runs.
        flops_per_second: arithmetic while a large circuit runs.
        shot_seconds: cost of one sample.
    """

    run_seconds: float
    gate_seconds: float
    bytes_per_second: float
    flops_per_second: float
    shot_seconds: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """What running a circuit would take, before anything runs.

    Attributes:
        backend: name of the backend.
        precision: precision that would be used.
        threads: threads that would be used.
        num_qubits: qubits of the circuit.
        gates: operations, measurements included, barriers not.
        depth: length of the longest chain of operations that share qubits.
        memory_bytes: peak memory.
        memory_available_bytes: what there is.
        fits: whether it may run here.
        seconds: time of one run on this machine, from the measured cost model.
        qubits_max: the largest state of this precision that fits here.
        reasons: what was decided and why, one sentence each.
    """

    backend: str
    precision: Precision
    threads: int
    num_qubits: int
    gates: int
    depth: int
    memory_bytes: int
    memory_available_bytes: int
    fits: bool
    seconds: float
    qubits_max: int
    reasons: tuple[str, ...]
