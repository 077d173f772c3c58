"""Exact averages over everything that is decided half-way.

The state of qubits and classical bits together is one density matrix for each value of the bits that
something looks at later. A measurement splits it; bits that nobody looks at any more are forgotten, and what
differed in nothing else is mixed again. So a qubit that is measured and flipped back a hundred times takes
two matrices, not 2^100 branches.
"""

from __future__ import annotations

from collections.abc import Sequence

from qrealm.base import cancel
from qrealm.simulate.backends.density_matrix.mixed_state import Machine, MixedState
from qrealm.simulate.backends.density_matrix.steps import Decision, Detection, Evolution, Fork, Load, Step

Mixture = dict[int, tuple[MixedState, float]]
"""Classical bits -> the state that goes with them, and the probability of both."""

PROBABILITY_MIN = 1e-12
"""Outcomes below this probability are rounding: single-precision entries have an error of about 1e-7."""


def mixture_after(machine: Machine, steps: Sequence[Step]) -> Mixture:
    """What a circuit leaves behind, averaged over all that it decides."""
    return _carried({0: (machine.start(), 1.0)}, steps)


def _carried(mixture: Mixture, steps: Sequence[Step]) -> Mixture:
    for step in steps:
        cancel.check()
        if isinstance(step, Evolution):
            for state, _ in mixture.values():
                state.evolve(step)
        elif isinstance(step, Load):
            for state, _ in mixture.values():
                state.load(step)
        elif isinstance(step, Decision):
            mixture = _measured(mixture, step)
        elif isinstance(step, Detection):
            mixture = _misread(mixture, step)
        else:
            mixture = _forked(mixture, step)
    return mixture


def _measured(mixture: Mixture, step: Decision) -> Mixture:
    found: Mixture = {}
    for clbits, (state, weight) in list(mixture.items()):
        del mixture[clbits]
        shares = state.marginal(step.qubits)
        kept = [outcome for outcome, share in enumerate(shares) if share > PROBABILITY_MIN]
        for outcome in kept:
            cancel.check()
            branch = state if outcome == kept[-1] else state.copy()
            probability = float(shares[outcome])
            branch.project(step.qubits, outcome, probability)
            bits = with_bits(clbits, step.clbits, outcome) & step.live
            _add(found, bits, branch, weight * probability)
    return found


def _misread(mixture: Mixture, step: Detection) -> Mixture:
    found: Mixture = {}
    for clbits, (state, weight) in list(mixture.items()):
        del mixture[clbits]
        shares = step.error.assignment[:, read_bits(clbits, step.clbits)]
        kept = [read for read, share in enumerate(shares) if share > 0]
        for read in kept:
            branch = state if read == kept[-1] else state.copy()
            bits = with_bits(clbits, step.clbits, read) & step.live
            _add(found, bits, branch, weight * float(shares[read]))
    return found


def _forked(mixture: Mixture, step: Fork) -> Mixture:
    found: Mixture = {}
    for matches, branch in ((True, step.then), (False, step.otherwise)):
        part = {bits: pair for bits, pair in mixture.items() if step.matches(bits) is matches}
        for bits, (state, weight) in _carried(part, branch).items():
            _add(found, bits & step.live, state, weight)
    return found


def _add(mixture: Mixture, bits: int, state: MixedState, weight: float) -> None:
    """Mix a state into what has the same classical bits."""
    if bits not in mixture:
        mixture[bits] = (state, weight)
        return
    there, before = mixture[bits]
    total = before + weight
    there.mix(state, before / total, weight / total)
    mixture[bits] = (there, total)


def read_bits(clbits: int, positions: Sequence[int]) -> int:
    """The value of some classical bits, the first one least significant."""
    return sum((clbits >> bit & 1) << place for place, bit in enumerate(positions))


def with_bits(clbits: int, positions: Sequence[int], value: int) -> int:
    """`clbits` with the bits at `positions` replaced by those of `value`."""
    for place, position in enumerate(positions):
        bit = value >> place & 1
        clbits = clbits | (1 << position) if bit else clbits & ~(1 << position)
    return clbits
