"""Sends shots through a script in groups of equal history, depth first.

A group follows the quiet run of each stretch; shots with events leave it at the cut before their first one
and run the rest of the stretch as one compiled circuit with their events in it. What a shot's state is
computed from depends on its own events and outcomes alone, never on the company it is in. So shot 17 of a
run of 100 is shot 17 of a run of a million, whatever the number of workers.

When a group parts, its smaller pieces are sent ahead with copies of the state and the largest goes on with
the state itself. Every piece sent ahead has at most half of the shots, so the states alive at once are at
most `states_alive`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qrealm.circuits.kernel_ops import OpCode
from qrealm.circuits.pack import PackedCircuit
from qrealm.circuits.types import Initialize, Measurement
from qrealm.simulate.backends.protocol import State, SteeredBackend
from qrealm.simulate.backends.trajectories.draws import uniforms
from qrealm.simulate.backends.trajectories.events import (
    Pattern,
    Shots,
    Splicer,
    patterns,
    scaling,
)
from qrealm.simulate.backends.trajectories.sites import Behaviour, Insertion, pauli_labels
from qrealm.simulate.backends.trajectories.steps import (
    Choice,
    Decision,
    Final,
    Misreading,
    OpList,
    Script,
    Step,
    Stretch,
)
from qrealm.simulate.branching import PROBABILITY_MIN, prepare
from qrealm.simulate.plan.types import Precision


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """Shots that have arrived, before the final measurement.

    Attributes:
        state: theirs; the walk drops it afterwards.
        shots: shot numbers, ascending.
        clbits: the classical bits so far, bit i for classical bit i.
        final: the final measurement, None when the circuit does not end in one.
    """

    state: State
    shots: Shots
    clbits: int
    final: Measurement | None


Put = tuple[tuple[int, Insertion], ...]
"""(site, what its event puts in)."""

# What is still to be done: steps, the position in them, and what follows after.
Rest = tuple[tuple[Step, ...], int, "Rest | None"] | None


@dataclass(slots=True, eq=False)
class Group:
    """Shots of one history.

    Attributes:
        state: theirs; None before the first gate.
        shots: shot numbers, ascending.
        clbits: their classical bits so far.
        rest: what is to be done, after `stretch` when the group is inside one.
        stretch: the stretch that the group is inside of, away from its quiet run.
        begin: the operation of the stretch that comes next.
        events: (site, choice) of those to come in it.
        carried: what the event at `begin` puts in.
    """

    state: State | None
    shots: Shots
    clbits: int
    rest: Rest
    stretch: Stretch | None = None
    begin: int = 0
    events: tuple[tuple[int, int], ...] = ()
    carried: Put = ()


def states_alive(shots: int, splits: bool) -> int:
    """States that one worker holds at most while it walks this many shots."""
    if shots <= 1:
        return 1
    if not splits:
        return 3  # the quiet run, one that has left it, and one that waits
    return 2 * math.ceil(math.log2(shots)) + 3


class Walker:
    """Moves states. One for each run; safe to use from several threads, each with groups of its own.

    Args:
        script: the circuit.
        backend: where states live.
        precision: of the states.
        seed: of the run.
        threads: of one state.
        visit: takes each leaf.
    """

    def __init__(
        self,
        script: Script,
        backend: SteeredBackend,
        precision: Precision,
        seed: int,
        threads: int,
        visit: Callable[[Leaf], None],
    ) -> None:
        self._script = script
        self._backend = backend
        self._precision = precision
        self._seed = seed
        self._threads = threads
        self._visit = visit
        self._splicers: dict[int, Splicer] = {}

    def first(self, shots: Shots) -> Group:
        """All of these shots at the beginning."""
        return Group(None, shots, 0, (self._script.steps, 0, None))

    def walk(self, group: Group) -> Iterator[Group]:
        """Take a group to its end; yields the pieces that part from it, each with a state of its own."""
        while True:
            if group.stretch is not None:
                yield from self._through_events(group)
                continue
            step, group.rest = _next(group.rest, group.clbits)
            if step is None or isinstance(step, Final):
                final = step.segment if step is not None else None
                self._visit(Leaf(self._held(group), group.shots, group.clbits, final))
                group.state = None  # whoever sent the group ahead still holds it
                return
            if isinstance(step, Stretch):
                yield from self._through(group, step)
            elif isinstance(step, Decision):
                yield from self._decide(group, step)
            elif isinstance(step, Misreading):
                yield from self._misread(group, step)
            else:
                assert isinstance(step, Initialize)
                prepare(self._held(group), step, self._script.num_qubits, self._threads)

    # ---- a stretch -------------------------------------------------------------------------------

    def _through(self, group: Group, stretch: Stretch) -> Iterator[Group]:
        """Through a stretch, or with the largest pattern into its middle."""
        quiet, noisy = patterns(stretch, group.shots, self._seed)
        splicer = self._splicers.setdefault(id(stretch), Splicer(stretch))
        half = len(group.shots) // 2
        last: Group | None = None
        rest = group.rest
        left = len(group.shots)
        arrived = 0
        for pattern in noisy:
            cut = splicer.cut_before(pattern.events[0][0])
            self._quietly(group, stretch, arrived, cut)
            arrived = cut
            left -= len(pattern.shots)
            piece = self._leaving(group, pattern, stretch, cut, shared=left > 0 or last is not None)
            if (left == 0 and last is None) or len(pattern.shots) > half:
                last = piece
            else:
                yield piece
        if len(quiet):
            self._quietly(group, stretch, arrived, len(stretch.cuts) - 1)
            if last is None:
                group.shots = quiet
                return
            yield Group(group.state, quiet, group.clbits, rest)
        assert last is not None
        group.state, group.shots = last.state, last.shots
        group.stretch, group.begin, group.events = last.stretch, last.begin, last.events
        group.carried = ()

    def _leaving(self, group: Group, pattern: Pattern, stretch: Stretch, cut: int, shared: bool) -> Group:
        """The piece of a group that has a pattern, at its cut."""
        state = group.state
        if shared and state is not None:
            state = state.copy()
        return Group(
            state, pattern.shots, group.clbits, group.rest, stretch, stretch.cuts[cut], pattern.events
        )

    def _quietly(self, group: Group, stretch: Stretch, start: int, stop: int) -> None:
        """The quiet run from one cut to another."""
        for piece in range(start, stop):
            self._apply(group, stretch.parts[piece])
            if stretch.cuts[piece + 1] in stretch.forced:
                self._normalise(group)

    def _through_events(self, group: Group) -> Iterator[Group]:
        """From inside a stretch to its end, or to where the shots of a group choose differently."""
        stretch = group.stretch
        assert stretch is not None
        put = list(group.carried)
        for index, (number, choice) in enumerate(group.events):
            site = stretch.sites[number]
            if choice >= 0:
                put.append((number, site.behaviour.choices[choice]))
                continue
            self._run(group, stretch, group.begin, site.start, put)
            group.begin, group.events = site.start, group.events[index + 1 :]
            yield from self._choose(group, stretch, number)
            return
        self._run(group, stretch, group.begin, len(stretch.packed), put)
        group.stretch, group.events, group.carried = None, (), ()

    def _run(
        self, group: Group, stretch: Stretch, start: int, stop: int, put: list[tuple[int, Insertion]]
    ) -> None:
        """Operations `start` to `stop` with events in them, normalised at forced cuts."""
        splicer = self._splicers[id(stretch)]
        waiting = list(put)
        here = start
        for cut in [*sorted(cut for cut in stretch.forced if start < cut < stop), stop]:
            now = [each for each in waiting if stretch.sites[each[0]].start < cut or cut == stop]
            waiting = waiting[len(now) :]
            self._apply(group, splicer.packed(here, cut, now))
            here = cut
            if cut in stretch.forced:
                self._normalise(group)

    def _choose(self, group: Group, stretch: Stretch, number: int) -> Iterator[Group]:
        """Each shot picks the Kraus operator of its event at a site."""
        site = stretch.sites[number]
        found = site.behaviour
        state = self._held(group)
        chances = self._chances(state, site.qubits, found)
        numbers = uniforms(self._seed, stretch.site_stream(number), group.shots) * found.weight
        picked = np.searchsorted(np.cumsum(chances), numbers, side="right")
        if found.quiet is None or not found.quiet_log_range:
            picked = np.minimum(picked, _last_possible(chances))
        carried: list[tuple[int, Put]] = []
        for operator in np.unique(picked).tolist():
            if operator < len(chances):
                matrix = found.operators[operator] / math.sqrt(chances[operator])
                carried.append((operator, ((number, Insertion(matrix=matrix)),)))
            else:  # no event after all
                carried.append((operator, ()))
        yield from self._part(
            group,
            [(group.shots[picked == operator], put) for operator, put in carried],
        )

    def _part(self, group: Group, pieces: list[tuple[Shots, Put]]) -> Iterator[Group]:
        """Send all pieces but the largest ahead."""
        pieces.sort(key=lambda piece: len(piece[0]))
        for shots, put in pieces[:-1]:
            yield Group(
                self._held(group).copy(),
                shots,
                group.clbits,
                group.rest,
                group.stretch,
                group.begin,
                group.events,
                put,
            )
        group.shots, group.carried = pieces[-1]

    def _chances(self, state: State, qubits: tuple[int, ...], found: Behaviour) -> NDArray[np.float64]:
        """Probability of each Kraus operator of an event, from the values of all Pauli strings there."""
        labels = pauli_labels(len(qubits))
        x_masks = np.array([_mask(label, qubits, "XY") for label in labels], dtype=np.uint64)
        z_masks = np.array([_mask(label, qubits, "YZ") for label in labels], dtype=np.uint64)
        values = state.expectation(x_masks, z_masks, self._threads)
        assert found.effects is not None
        chances = found.effects @ (values / values[0])  # the first value is the norm, which may have drifted
        return np.where(chances > PROBABILITY_MIN, chances, 0.0)

    # ---- decisions -------------------------------------------------------------------------------

    def _decide(self, group: Group, step: Decision) -> Iterator[Group]:
        """A measurement or reset: each shot's own number picks its outcome."""
        state = self._held(group)
        weights = state.probabilities(step.qubits, self._threads)
        weights = np.where(weights < PROBABILITY_MIN * weights.sum(), 0.0, weights)
        bounds = np.cumsum(weights) / weights.sum()
        numbers = uniforms(self._seed, step.stream, group.shots)
        picked = np.minimum(np.searchsorted(bounds, numbers, side="right"), _last_possible(weights))
        outcomes, sizes = np.unique(picked, return_counts=True)
        ascending = outcomes[np.argsort(sizes, kind="stable")].tolist()
        shots = group.shots
        for outcome in ascending[:-1]:
            piece = Group(self._held(group).copy(), shots[picked == outcome], group.clbits, group.rest)
            self._collapse(piece, step, outcome)
            yield piece
        group.shots = shots[picked == ascending[-1]]
        self._collapse(group, step, ascending[-1])

    def _collapse(self, group: Group, step: Decision, outcome: int) -> None:
        state = self._held(group)
        for place, qubit in enumerate(step.qubits):
            state.collapse(qubit, outcome >> place & 1, self._threads)
        if isinstance(step.segment, Measurement):
            group.clbits = _with_bits(group.clbits, step.segment.clbits, outcome)
        elif outcome:
            flip = OpList()
            flip.add(int(OpCode.X), step.qubits)
            self._apply(group, flip.packed(self._script.num_qubits))

    def _misread(self, group: Group, step: Misreading) -> Iterator[Group]:
        """A detector's error: each shot's own number picks what is read."""
        segment = step.segment
        true = sum((group.clbits >> bit & 1) << place for place, bit in enumerate(segment.clbits))
        weights = segment.error.assignment[:, true]
        bounds = np.cumsum(weights) / weights.sum()
        numbers = uniforms(self._seed, step.stream, group.shots)
        picked = np.minimum(np.searchsorted(bounds, numbers, side="right"), _last_possible(weights))
        outcomes, sizes = np.unique(picked, return_counts=True)
        ascending = outcomes[np.argsort(sizes, kind="stable")].tolist()
        shots = group.shots
        for read in ascending[:-1]:
            bits = _with_bits(group.clbits, segment.clbits, read)
            yield Group(self._held(group).copy(), shots[picked == read], bits, group.rest)
        group.shots = shots[picked == ascending[-1]]
        group.clbits = _with_bits(group.clbits, segment.clbits, ascending[-1])

    # ---- moving a state --------------------------------------------------------------------------

    def _held(self, group: Group) -> State:
        if group.state is None:
            group.state = self._backend.start(self._script.num_qubits, self._precision)
        return group.state

    def _apply(self, group: Group, packed: PackedCircuit) -> None:
        if len(packed):
            self._held(group).apply(self._backend.compile(packed, self._precision), self._threads)

    def _normalise(self, group: Group) -> None:
        state = self._held(group)
        nothing = np.zeros(1, dtype=np.uint64)
        norm = float(state.expectation(nothing, nothing, self._threads)[0])
        self._apply(group, scaling(norm**-0.5, self._script.num_qubits))


def _next(rest: Rest, clbits: int) -> tuple[Step | None, Rest]:
    """The next step, conditions resolved, and what follows it."""
    while rest is not None:
        steps, position, after = rest
        if position == len(steps):
            rest = after
            continue
        step, rest = steps[position], (steps, position + 1, after)
        if not isinstance(step, Choice):
            return step, rest
        value = sum((clbits >> bit & 1) << place for place, bit in enumerate(step.clbits))
        rest = (step.steps if value == step.value else step.otherwise, 0, rest)
    return None, None


def _mask(label: str, qubits: tuple[int, ...], letters: str) -> int:
    return sum(1 << qubit for letter, qubit in zip(label, qubits, strict=True) if letter in letters)


def _last_possible(weights: NDArray[np.float64]) -> int:
    """The last entry that is not zero: where rounding must not lead beyond."""
    return int(np.flatnonzero(weights)[-1])


def _with_bits(clbits: int, positions: tuple[int, ...], outcome: int) -> int:
    """`clbits` with the bits at `positions` set to those of `outcome`."""
    for place, position in enumerate(positions):
        bit = outcome >> place & 1
        clbits = clbits | (1 << position) if bit else clbits & ~(1 << position)
    return clbits
