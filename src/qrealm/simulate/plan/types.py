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

    @classmethod
    def suiting(cls, *, exact: bool) -> Precision:
        """What is taken where none is asked: double for amplitudes and exact values, single for counts."""
        return cls.DOUBLE if exact else cls.SINGLE

    @property
    def amplitude_bytes(self) -> int:
        """Bytes of one complex amplitude: 8 (complex64) or 16 (complex128)."""
        return 8 if self is Precision.SINGLE else 16


@dataclass(frozen=True, slots=True)
class Traits:
    """What a card must know of a circuit to tell whether its backend can run it, and at what cost.

    Attributes:
        num_qubits: its qubits.
        gates: its gates, those inside conditions too.
        two_qubit_gates: those on two qubits, controls included.
        wide_gates: those on more than two.
        depth: length of the longest chain of operations.
        non_clifford: the first gate that is no Clifford gate, in words; None when there is none.
        mid_circuit: whether it measures, resets or decides something half-way.
        branch_points: measurements and resets that one way through it must decide half-way.
        preparation: the first state preparation by amplitudes, in words; None when there is none.
        channels: noise channels in it.
        channel_qubits: the most qubits that one of them acts on.
        state_dependent: the first channel whose errors depend on the state (`Channel.mixture` is None), in
            words.
        non_pauli: the first channel that is no mixture of Pauli errors, in words.
        misread: whether bits are misread half-way, so that something looks at the wrong value.
        schmidt_log2: bound on log2 of the Schmidt rank over every cut between neighbouring qubits: what gates
            across the cut can make, and what its smaller side can hold.
        largest_group: most qubits that are joined by gates.
        cone_qubits: most qubits that one term of an observable depends on; all when more is asked.
        cone_gates: gates on them.
        reach: sum over the gates on several qubits of the distance between their outermost ones.
        events: expected number of errors of one shot: for each channel the probability that something else
            happens than what is likeliest, or a bound of it where that depends on the state.
        conditions: branches that classical bits decide.
        bond_log2: estimate of log2 of the largest bond that a chain of tensors needs, at most `schmidt_log2`;
            that bound itself where no estimate was made (-1 is for it, too).
        conditioned_noise: whether a channel stands inside a condition.
        decided: for measurements with something after them, those that stand together in one entry: (gates,
            channels and resets before them, outcomes that are open, outcomes that only noise can change).
        conditioned_measurement: whether a measurement stands inside a condition that an outcome decides.
        preparation_qubits: most qubits that are prepared by amplitudes together.
    """

    num_qubits: int
    gates: int
    two_qubit_gates: int
    wide_gates: int
    depth: int
    non_clifford: str | None
    mid_circuit: bool
    branch_points: int
    preparation: str | None
    channels: int
    channel_qubits: int
    state_dependent: str | None
    non_pauli: str | None
    misread: bool
    schmidt_log2: int
    largest_group: int
    cone_qubits: int
    cone_gates: int
    reach: int = 0
    events: float = 0.0
    conditions: int = 0
    bond_log2: float = -1.0
    conditioned_noise: bool = False
    decided: tuple[tuple[int, int, int], ...] = ()
    conditioned_measurement: bool = False
    preparation_qubits: int = 0


@dataclass(frozen=True, slots=True)
class Wants:
    """What a card must know of a request.

    Attributes:
        shots: samples; 0 for none.
        precision: asked for, None for automatic.
        statevector: whether the whole state is handed out.
        density_matrix: whether the whole mixed state is handed out.
        amplitudes: number of chosen amplitudes.
        terms: number of Pauli terms of the observables.
        sampled: whether observables are estimated from samples.
        accuracy: largest error that an approximation may make, as a share of the state's weight that is
            thrown away.
    """

    shots: int
    precision: Precision | None
    statevector: bool
    density_matrix: bool
    amplitudes: int
    terms: int
    sampled: bool
    accuracy: float

    @property
    def values(self) -> bool:
        """Whether exact expectation values are wanted."""
        return self.terms > 0 and not self.sampled

    @property
    def exact(self) -> bool:
        """Whether more than samples is wanted."""
        return self.values or self.statevector or self.density_matrix or self.amplitudes > 0

    @property
    def precision_or_default(self) -> Precision:
        """The precision asked for, else the one that suits what is wanted."""
        return self.precision or Precision.suiting(exact=self.exact)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run would take, by a card.

    Attributes:
        seconds: wall time; infinite when it cannot be told.
        memory_bytes: peak memory.
        error: bound or expectation of the error made by approximations; 0 where there are none.
    """

    seconds: float
    memory_bytes: int
    error: float = 0.0


@dataclass(frozen=True, slots=True)
class BackendCard:
    """What a planner must know of a backend; no backend code is imported to read it.

    Attributes:
        name: key in the registry.
        summary: one line for people.
        qubits_max: largest circuit it takes, whatever the memory.
        precisions: precisions it can hold a state in.
        overhead_bytes: memory that a run takes beside its states.
        refusal: (traits, wants) -> why it cannot run this, naming the gate or the option; None when it can.
        cost: (traits, wants, rates) -> what a run would take here.
        seconds: (work, rates) -> seconds of one run whose work is known; None for backends that tell no work.
        packages: what must be importable besides qrealm, and the extra of qrealm that brings it.
        extra: the extra that brings `packages`.
        automatic: whether AUTO may choose it. Backends that only carry a circuit to another simulator are for
            comparison.
        options: the type of its own options for `run(options=...)`; None when it has none.
        index_bits: bits of a stored amplitude's index for each qubit: 1 for a state vector, 2 for a density
            matrix, 0 where memory does not grow so.
        global_phase: whether its states and amplitudes have the circuit's global phase; False where they are
            right up to one.
        needs_device: whether AUTO may choose it only where there is a processor with a memory of its own.
        states: whole states that a run holds at once, beside one that is handed out.
    """

    name: str
    summary: str
    qubits_max: int
    precisions: tuple[Precision, ...]
    overhead_bytes: int
    refusal: Callable[[Traits, Wants], str | None]
    cost: Callable[[Traits, Wants, Rates], Cost]
    seconds: Callable[[Work, Rates], float] | None = None
    packages: tuple[str, ...] = ()
    extra: str = ""
    automatic: bool = True
    options: type | None = None
    index_bits: int = 1
    needs_device: bool = False
    global_phase: bool = True
    states: int = 1


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """What planning must know of a processor with a memory of its own.

    Attributes:
        rates: what it does per second; the fixed cost has the time that loading its libraries still takes.
        memory_available_bytes: what can be allocated on it.
    """

    rates: Rates
    memory_available_bytes: int


@dataclass(frozen=True, slots=True)
class Considered:
    """One backend that AUTO looked at.

    Attributes:
        name: its name.
        cost: what it would have taken; None when it was refused.
        refused: why it cannot be taken; empty when it can.
    """

    name: str
    cost: Cost | None
    refused: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What AUTO decided.

    Attributes:
        name: the backend chosen.
        why: one sentence.
        considered: every backend that it looked at, cheapest first, the refused ones last.
    """

    name: str
    why: str
    considered: tuple[Considered, ...]


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

    @property
    def precision_or_default(self) -> Precision:
        """The precision asked for, else the one that suits what is wanted."""
        return self.precision or Precision.suiting(exact=self.exact)


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
        considered: what every backend would take, the chosen one first, then cheapest first; empty when the
            backend was named.
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
    considered: tuple[Considered, ...] = ()
