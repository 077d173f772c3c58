"""Shots through a circuit that decides something half-way: they go together, and part at every outcome.

As in `simulate/branching.py`, a multinomial draw shares the shots out among the outcomes, depth first, so
the work grows with the branches that are taken. Going on with a second outcome needs the state from before; a
copy is kept while the plan allows it, and otherwise the branch is run again from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qrealm.base import cancel
from qrealm.base.errors import InternalError
from qrealm.simulate.backends.density_matrix.mixed_state import Machine, MixedState
from qrealm.simulate.backends.density_matrix.mixture import PROBABILITY_MIN, read_bits, with_bits
from qrealm.simulate.backends.density_matrix.steps import Decision, Detection, Evolution, Fork, Load, Step

Visit = Callable[[MixedState, int, int], None]
"""Called at the end of each way with its state, its classical bits and how many shots took it."""

_Rest = tuple[Sequence[Step], int, "_Rest | None"] | None  # steps, position in them, what follows


@dataclass(slots=True)
class _Parting:
    """A decision with the ways still to go, the next one last: (outcome, shots, probability)."""

    step: Decision | Detection
    clbits: int
    rest: _Rest
    ways: list[tuple[int, int, float]]
    depth: int
    kept: MixedState | None = None


@dataclass(slots=True)
class ShotWalk:
    """Walks every way that at least one shot takes.

    Attributes:
        machine: where states live.
        steps: the circuit.
        shots: how many.
        generator: the only source of randomness.
        copies_free: states that may be kept beside the running one.
        leaves: ways walked so far.
    """

    machine: Machine
    steps: Sequence[Step]
    shots: int
    generator: np.random.Generator
    copies_free: int
    leaves: int = 0
    _outcomes: list[tuple[int, float]] = field(default_factory=list)

    def walk(self, visit: Visit) -> None:
        """Visit the end of every way, depth first, outcomes ascending."""
        partings: list[_Parting] = []
        state, clbits, shots = self.machine.start(), 0, self.shots
        rest: _Rest = (self.steps, 0, None)
        while True:
            parting = self._advance(state, clbits, rest, shots, visit)
            if parting is not None:
                if len(parting.ways) > 1 and self.copies_free > 0:
                    self.copies_free -= 1
                    parting.kept = state.copy()
                partings.append(parting)
            else:
                while partings and not partings[-1].ways:
                    partings.pop()
                if not partings:
                    return
                del state  # before another is made: only the kept ones live beside the running one
                del self._outcomes[partings[-1].depth :]
                state = self._resumed(partings[-1])
            clbits, rest, shots = self._take(state, partings[-1])

    def _advance(
        self, state: MixedState, clbits: int, rest: _Rest, shots: int, visit: Visit
    ) -> _Parting | None:
        """Go on from here to the end, or to where something must be decided."""
        while True:
            cancel.check()
            step, rest = _next(rest, clbits)
            if step is None:
                self.leaves += 1
                visit(state, clbits, shots)
                return None
            if isinstance(step, Decision | Detection):
                shares = _shares(state, clbits, step)
                drawn = self.generator.multinomial(shots, shares)
                ways = [(int(way), int(drawn[way]), float(shares[way])) for way in np.flatnonzero(drawn)]
                return _Parting(step, clbits, rest, ways[::-1], len(self._outcomes))
            _move(state, step)

    def _resumed(self, parting: _Parting) -> MixedState:
        """The state at a decision, for its next way."""
        if parting.kept is None:
            return self._rerun()
        if len(parting.ways) > 1:
            return parting.kept.copy()
        state, parting.kept = parting.kept, None
        self.copies_free += 1
        return state

    def _take(self, state: MixedState, parting: _Parting) -> tuple[int, _Rest, int]:
        way, shots, probability = parting.ways.pop()
        self._outcomes.append((way, probability))
        _decide(state, parting.step, way, probability)
        return with_bits(parting.clbits, parting.step.clbits, way), parting.rest, shots

    def _rerun(self) -> MixedState:
        """The state just before the decision after the recorded outcomes, made again from the start."""
        state, clbits, recorded = self.machine.start(), 0, iter(self._outcomes)
        rest: _Rest = (self.steps, 0, None)
        while True:
            cancel.check()
            step, rest = _next(rest, clbits)
            if step is None:
                raise InternalError("a branch ran past the decision that it was made again for")
            if isinstance(step, Decision | Detection):
                outcome = next(recorded, None)
                if outcome is None:
                    return state
                _decide(state, step, *outcome)
                clbits = with_bits(clbits, step.clbits, outcome[0])
            else:
                _move(state, step)


def _shares(state: MixedState, clbits: int, step: Decision | Detection) -> NDArray[np.float64]:
    """Probability of each way to go on."""
    if isinstance(step, Detection):
        shares = step.error.assignment[:, read_bits(clbits, step.clbits)]
    else:
        shares = state.marginal(step.qubits)
        shares = np.where(shares < PROBABILITY_MIN, 0.0, shares)
    return np.asarray(shares / shares.sum())


def _decide(state: MixedState, step: Decision | Detection, way: int, probability: float) -> None:
    if isinstance(step, Decision):
        state.project(step.qubits, way, probability)


def _move(state: MixedState, step: Step) -> None:
    if isinstance(step, Evolution):
        state.evolve(step)
    elif isinstance(step, Load):
        state.load(step)
    else:
        raise InternalError(f"a shot met the step {step!r:.60}")


def _next(rest: _Rest, clbits: int) -> tuple[Step | None, _Rest]:
    """The next step, conditions resolved, and what follows it."""
    while rest is not None:
        steps, position, after = rest
        if position == len(steps):
            rest = after
            continue
        step, rest = steps[position], (steps, position + 1, after)
        if not isinstance(step, Fork):
            return step, rest
        rest = (step.then if step.matches(clbits) else step.otherwise, 0, rest)
    return None, None
