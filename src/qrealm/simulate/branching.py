"""Circuits that decide something half-way: measurements with gates after them, resets, conditions.

The shots go through the circuit together. At a measurement they are split among the outcomes by one
multinomial draw, and each group goes on alone in the collapsed state, depth first. So two thousand shots of a
teleportation cost four branches, not two thousand runs, and the counts have the same distribution as if every
shot had run alone.

Going on with a second outcome needs the state from before the measurement. A copy is kept while the plan
allows it; otherwise the branch is run again from the start along its recorded outcomes. Random numbers are
drawn in depth-first order and never while running again, so the counts do not depend on how many copies are
kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qrealm.base import cancel, limits
from qrealm.base.errors import InternalError, RequestError
from qrealm.circuits import Circuit
from qrealm.circuits.types import (
    Conditional,
    Initialize,
    Measurement,
    Misread,
    Reset,
    Segment,
    UnitarySegment,
)
from qrealm.simulate.backends.protocol import Program, State, SteeredBackend
from qrealm.simulate.plan.types import Plan

JOINT_QUBITS_MAX = 12
"""Qubits measured in one step; their 2^12 outcome probabilities are 32 KiB. More are measured in several
steps."""

PROBABILITY_MIN = 1e-12
"""Outcomes below this probability are rounding: single-precision amplitudes carry an error of about 1e-7."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One way through the whole circuit, up to its final measurement.

    Attributes:
        state: the state before the final measurement; the walk goes on to change it, so use it at once.
        clbits: the classical bits so far, bit i for classical bit i.
        final: the final measurement, None when the circuit does not end in one.
        shots: shots that went this way; 0 in an exact walk.
        share: share of all shots, or in an exact walk the probability of the way.
    """

    state: State
    clbits: int
    final: Measurement | None
    shots: int
    share: float


_Decision = Measurement | Reset | Misread
"""Segments at which shots part."""

# What is still to be executed: segments, the position in them, and what follows after.
_Rest = tuple[tuple[Segment, ...], int, "_Rest | None"] | None


@dataclass(frozen=True, slots=True)
class _Here:
    """Where the walk stands: what was measured, what is to come, how many shots or how much probability."""

    clbits: int
    rest: _Rest
    shots: int
    probability: float


@dataclass(slots=True)
class _Fork:
    """A measurement, reset or faulty reading with the ways still to go; the next one is last in `ways`."""

    segment: _Decision
    clbits: int
    rest: _Rest
    ways: list[tuple[int, int, float]]
    depth: int
    kept: State | None = None


class BranchWalk:
    """Walks all branches of one circuit.

    Args:
        circuit: bound, with up to 64 qubits.
        backend: where states live.
        plan: precision, threads, and how many copies may be kept.
        shots: shots to split; 0 walks every outcome exactly.
        generator: the only source of randomness.
    """

    def __init__(
        self,
        circuit: Circuit,
        backend: SteeredBackend,
        plan: Plan,
        shots: int,
        generator: np.random.Generator,
    ) -> None:
        self._segments = circuit.segments()
        self._num_qubits = circuit.num_qubits
        self._backend = backend
        self._plan = plan
        self._shots = shots
        self._generator = generator
        self._programs: dict[int, Program] = {}
        self._flips: dict[int, Program] = {}
        self._copies_free = plan.branch_copies
        self._outcomes: list[int] = []  # decided on the way from the start to here
        self.leaves = 0

    def walk(self, visit: Callable[[Leaf], None]) -> None:
        """Visit every leaf, depth first, outcomes ascending.

        Raises:
            RequestError: an exact walk has too many branches.
        """
        forks: list[_Fork] = []
        state = self._start()
        here = _Here(0, (self._segments, 0, None), self._shots, 1.0)
        while True:
            cancel.check()
            fork = self._advance(state, here, visit)
            if fork is not None:
                if len(fork.ways) > 1 and self._copies_free > 0:
                    self._copies_free -= 1
                    fork.kept = state.copy()
                forks.append(fork)
            else:
                while forks and not forks[-1].ways:
                    forks.pop()
                if not forks:
                    return
                fork = forks[-1]
                del self._outcomes[fork.depth :]
                del state  # before another is made: only the kept ones live beside the running one
                state = self._resume(fork)
            here = self._take(state, fork)

    def draw_seed(self) -> int:
        """A seed for one leaf's samples, from the walk's own generator."""
        return int(self._generator.integers(0, (1 << 64) - 1, endpoint=True, dtype=np.uint64))

    # ---- one branch ------------------------------------------------------------------------------

    def _advance(self, state: State, here: _Here, visit: Callable[[Leaf], None]) -> _Fork | None:
        """Run from here to the end, or to where something must be decided."""
        clbits, rest = here.clbits, here.rest
        while True:
            segment, rest = _next(rest, clbits)
            if segment is None or (isinstance(segment, Measurement) and _ends(rest)):
                self._count_leaf()
                share = here.shots / self._shots if self._shots else here.probability
                visit(Leaf(state, clbits, segment, here.shots, share))
                return None
            if isinstance(segment, _Decision):
                segment, rest = _narrow(segment, rest)
                weights = self._weights(state, segment, clbits)
                ways = self._split(weights, here.shots, here.probability)
                return _Fork(segment, clbits, rest, ways[::-1], len(self._outcomes))
            self._apply(state, segment)

    def _resume(self, fork: _Fork) -> State:
        """The state at a fork, for its next way."""
        if fork.kept is None:
            return self._rerun()
        if len(fork.ways) > 1:
            return fork.kept.copy()
        state, fork.kept = fork.kept, None
        self._copies_free += 1
        return state

    def _take(self, state: State, fork: _Fork) -> _Here:
        """Go the fork's next way: collapse `state`, note the outcome."""
        outcome, shots, probability = fork.ways.pop()
        self._collapse(state, fork.segment, outcome)
        self._outcomes.append(outcome)
        clbits = fork.clbits
        if not isinstance(fork.segment, Reset):
            clbits = _with_bits(clbits, fork.segment.clbits, outcome)
        return _Here(clbits, fork.rest, shots, probability)

    def _count_leaf(self) -> None:
        self.leaves += 1
        if self._shots == 0 and self.leaves > limits.BRANCHES_EXACT_MAX:
            raise RequestError(
                f"an exact result needs more than {limits.BRANCHES_EXACT_MAX} "
                "outcomes of the measurements half-way",
                hint="sample instead: run with shots=10000",
            )

    def _split(
        self, weights: NDArray[np.float64], shots: int, probability: float
    ) -> list[tuple[int, int, float]]:
        """(outcome, shots, probability of the whole way) of each way that is taken."""
        total = float(weights.sum())
        shares = np.where(weights < PROBABILITY_MIN * total, 0.0, weights) / total
        shares /= shares.sum()
        if self._shots == 0:
            return [
                (int(outcome), 0, probability * float(shares[outcome])) for outcome in np.flatnonzero(shares)
            ]
        drawn = self._generator.multinomial(shots, shares)
        return [(int(outcome), int(drawn[outcome]), 0.0) for outcome in np.flatnonzero(drawn)]

    # ---- moving a state --------------------------------------------------------------------------

    def _start(self) -> State:
        return self._backend.start(self._num_qubits, self._plan.precision)

    def _apply(self, state: State, segment: Segment) -> None:
        if isinstance(segment, UnitarySegment):
            program = self._programs.get(id(segment))
            if program is None:
                program = self._backend.compile(segment.packed, self._plan.precision)
                self._programs[id(segment)] = program
            state.apply(program, self._plan.threads)
        elif isinstance(segment, Initialize):
            prepare(state, segment, self._num_qubits, self._plan.threads)
        else:
            raise InternalError(f"a branch met the segment {segment!r}")

    def _weights(self, state: State, segment: _Decision, clbits: int) -> NDArray[np.float64]:
        """How likely each outcome is."""
        if isinstance(segment, Misread):
            true = sum((clbits >> bit & 1) << place for place, bit in enumerate(segment.clbits))
            return np.asarray(segment.error.assignment[:, true], dtype=np.float64)
        return state.probabilities(_qubits(segment), self._plan.threads)

    def _collapse(self, state: State, segment: _Decision, outcome: int) -> None:
        if isinstance(segment, Misread):
            return  # what was read wrongly changes no qubit
        qubits = _qubits(segment)
        for index, qubit in enumerate(qubits):
            state.collapse(qubit, (outcome >> index) & 1, self._plan.threads)
        if isinstance(segment, Reset) and outcome:
            state.apply(self._flip(qubits[0]), self._plan.threads)

    def _flip(self, qubit: int) -> Program:
        program = self._flips.get(qubit)
        if program is None:
            packed = Circuit(self._num_qubits).x(qubit).packed()
            program = self._flips[qubit] = self._backend.compile(packed, self._plan.precision)
        return program

    def _rerun(self) -> State:
        """The state just before the measurement after the recorded outcomes, made again from the start."""
        state, clbits = self._start(), 0
        rest: _Rest = (self._segments, 0, None)
        recorded = deque(self._outcomes)
        while True:
            segment, rest = _next(rest, clbits)
            if isinstance(segment, _Decision):
                if not recorded:
                    return state
                segment, rest = _narrow(segment, rest)
                outcome = recorded.popleft()
                self._collapse(state, segment, outcome)
                if not isinstance(segment, Reset):
                    clbits = _with_bits(clbits, segment.clbits, outcome)
            elif segment is None:
                raise InternalError("a branch ran past the measurement that it was made again for")
            else:
                self._apply(state, segment)


def prepare(state: State, segment: Initialize, num_qubits: int, threads: int) -> None:
    """Put qubits that are in |0...0> and entangled with nothing into a state.

    Holds two arrays of the whole state beside it while it works.
    """
    array = state.to_array(threads).reshape((2,) * num_qubits)
    axes = [num_qubits - 1 - qubit for qubit in reversed(segment.qubits)]
    others = array[tuple(0 if axis in axes else slice(None) for axis in range(num_qubits))]
    amplitudes = segment.amplitudes.astype(array.dtype).reshape((2,) * len(axes))
    whole = np.multiply.outer(amplitudes, others)
    # The outer product has the prepared qubits' axes first; put each where its qubit is.
    rest = [axis for axis in range(num_qubits) if axis not in axes]
    order = np.argsort([*axes, *rest])
    array[...] = whole.transpose(order)
    del whole
    state.load(array.reshape(-1))


def branch_points(segments: Sequence[Segment], ends_here: bool = True) -> int:
    """Most measurements and resets that one way through the segments must decide half-way."""
    points = 0
    for index, segment in enumerate(segments):
        last = ends_here and index == len(segments) - 1
        if isinstance(segment, Measurement):
            points += 0 if last else -(-len(segment.qubits) // JOINT_QUBITS_MAX)
        elif isinstance(segment, Reset | Misread):
            points += 1
        elif isinstance(segment, Conditional):
            points += max(branch_points(segment.segments, last), branch_points(segment.otherwise, last))
    return points


def measures(segments: Sequence[Segment]) -> bool:
    """Whether any measurement stands in the segments or inside a condition."""
    return any(
        isinstance(each, Measurement)
        or (isinstance(each, Conditional) and (measures(each.segments) or measures(each.otherwise)))
        for each in segments
    )


def prepares(segments: Sequence[Segment]) -> bool:
    """Whether a state must be loaded as an array."""
    return any(
        isinstance(each, Initialize)
        or (isinstance(each, Conditional) and (prepares(each.segments) or prepares(each.otherwise)))
        for each in segments
    )


def _next(rest: _Rest, clbits: int) -> tuple[Segment | None, _Rest]:
    """The next segment to execute, conditions resolved, and what follows it."""
    while rest is not None:
        segments, position, after = rest
        if position == len(segments):
            rest = after
            continue
        segment, rest = segments[position], (segments, position + 1, after)
        if not isinstance(segment, Conditional):
            return segment, rest
        value = sum(((clbits >> bit) & 1) << index for index, bit in enumerate(segment.clbits))
        chosen = segment.segments if value == segment.value else segment.otherwise
        rest = (chosen, 0, rest)
    return None, None


def _narrow(segment: _Decision, rest: _Rest) -> tuple[_Decision, _Rest]:
    """A wide measurement as its first few qubits now and the others after it."""
    if not isinstance(segment, Measurement) or len(segment.qubits) <= JOINT_QUBITS_MAX:
        return segment, rest
    cut = JOINT_QUBITS_MAX
    later = Measurement(segment.qubits[cut:], segment.clbits[cut:])
    return Measurement(segment.qubits[:cut], segment.clbits[:cut]), ((later,), 0, rest)


def _qubits(segment: Measurement | Reset) -> tuple[int, ...]:
    return segment.qubits if isinstance(segment, Measurement) else (segment.qubit,)


def _ends(rest: _Rest) -> bool:
    """Whether nothing follows."""
    while rest is not None:
        segments, position, after = rest
        if position < len(segments):
            return False
        rest = after
    return True


def _with_bits(clbits: int, positions: Sequence[int], outcome: int) -> int:
    """`clbits` with the bits at `positions` set to those of `outcome`."""
    for index, position in enumerate(positions):
        bit = (outcome >> index) & 1
        clbits = clbits | (1 << position) if bit else clbits & ~(1 << position)
    return clbits
